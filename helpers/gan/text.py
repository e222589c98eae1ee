"""A text GAN: a generator of whole reports, and a discriminator that reads them as one-hot rows.

A sampled token has no gradient. So the generator's logits go through `relax`, a function of the caller's choice from
logits (…, V) to rows (…, V) that sum to one and have a gradient: `gumbel_softmax` of helpers.vae with Gumbel noise, at
a temperature τ that falls. With `hard=True` (straight-through) the rows are one-hot, D never sees a mixture of tokens,
and what is generated has the same distribution for every τ: only the gradient depends on it.
Reports are token numbers (B, T) as `Grammar.encode` makes them: the tokens of a report, an <end>, then padding.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot, pad

from helpers.data.reports import END, PADDING
from helpers.gan.losses import relativistic
from helpers.gan.penalties import gradient_norm_squared
from helpers.training import noise_like

Relax = Callable[[Tensor], Tensor]


def windows(h: Tensor) -> Tensor:
    """Each position beside its two neighbours, zeros beyond the ends, (B, T, C) to (B, T, 3C).

    A linear layer on them is a convolution with a kernel of 3.
    """
    return torch.cat([pad(h[:, :-1], (0, 0, 1, 0)), h, pad(h[:, 1:], (0, 0, 0, 1))], dim=2)


class TextGenerator(nn.Module):
    """z (B, latent) to reports (B, T, V), all positions at once: given z, their tokens are independent."""

    def __init__(self, size: int, longest: int, latent: int = 32, width: int = 256, channels: int = 32):
        super().__init__()
        self.latent = latent
        layers = [nn.Linear(latent, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
        layers += [nn.Linear(width, longest * channels), nn.Unflatten(1, (longest, channels)), nn.ReLU()]
        self.net = nn.Sequential(*layers)
        self.head = nn.Linear(3 * channels, size)

    def logits(self, z: Tensor) -> Tensor:
        """z (B, latent) to the logits of each token, (B, T, V)."""
        return self.head(windows(self.net(z)))

    def forward(self, z: Tensor, relax: Relax) -> Tensor:
        return relax(self.logits(z))


@torch.no_grad()
def sample_reports(
    net: TextGenerator, n: int, temperature: float = 1.0, generator: torch.Generator | None = None
) -> Tensor:
    """`n` reports of the generator `net` as token numbers (n, longest), each token from softmax(logits / temperature).

    At temperature 1 this is what straight-through Gumbel-softmax shows the discriminator.
    """
    logits = net.logits(noise_like(net, n, net.latent, generator=generator))
    probabilities = (logits / temperature).softmax(dim=-1).flatten(0, 1)
    return torch.multinomial(probabilities, 1, generator=generator).view(n, -1)


class RecurrentGenerator(nn.Module):
    """A language model as a generator: it reads again each relaxed token that it has written, (B, T, V).

    `model` has the parts `embed`, `gru` and `head` of helpers.language.LanguageModel, and may be pre-trained by maximum
    likelihood. Of z (B, …) only the number of rows matters: all chance lies in `relax`. After an <end> comes padding.
    """

    def __init__(self, model: nn.Module, longest: int):
        super().__init__()
        self.model, self.longest, self.latent = model, longest, 1

    def forward(self, z: Tensor, relax: Relax) -> Tensor:
        size = self.model.embed.num_embeddings
        ends, padding = one_hot(torch.tensor([END, PADDING]), size).to(z.dtype)
        token, state, unfinished, written = ends.expand(len(z), -1), None, z.new_ones(len(z), 1), []
        for _ in range(self.longest):
            hidden, state = self.model.gru((token @ self.model.embed.weight).unsqueeze(1), state)
            token = relax(self.model.head(hidden[:, 0]))  # (B, V)
            written.append(unfinished * token + (1 - unfinished) * padding)
            unfinished = unfinished * (token.argmax(dim=1, keepdim=True) != END)
        return torch.stack(written, dim=1)


class TextDiscriminator(nn.Module):
    """Reports (B, T, V), one-hot or relaxed, to logits (B,): one opinion of the whole, one of each three neighbours."""

    def __init__(self, size: int, longest: int, embedding: int = 32, width: int = 256):
        super().__init__()
        self.embed = nn.Linear(size, embedding, bias=False)
        layers = [nn.Flatten(), nn.Linear(longest * embedding, width), nn.LeakyReLU(0.2)]
        layers += [nn.Linear(width, width), nn.LeakyReLU(0.2), nn.Linear(width, 1)]
        self.whole = nn.Sequential(*layers)
        self.part = nn.Sequential(nn.Linear(3 * embedding, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))

    def forward(self, x: Tensor) -> Tensor:
        h = self.embed(x)
        return self.whole(h).squeeze(1) + self.part(windows(h)).sum(dim=(1, 2))


def text_gan_step(
    G: nn.Module,
    D: nn.Module,
    g_optimiser: torch.optim.Optimizer,
    d_optimiser: torch.optim.Optimizer,
    real: Tensor,
    z: Tensor,
    relax: Relax,
    gamma: float = 0.0,
) -> dict[str, Tensor]:
    """One update of D, then one of G on the same reports: the relativistic loss, R1 and R2 with γ = `gamma`.

    L_D = −log σ(a_real − a_fake) + γ/2 (|∇D(real)|² + |∇D(fake)|²), L_G = −log σ(a_fake − a_real), with `real`
    (B, T, V) one-hot and z (B, latent). For lazy penalties give γ times n at every nth step and 0 at the others. Each
    update leaves the other network's parameters bitwise as they were. Source: Huang et al. (2024), section 2.
    """
    fake = G(z, relax)
    seen = fake.detach()
    d_loss = relativistic(D(real), D(seen)).mean()
    if gamma:
        squares = gradient_norm_squared(D, real) + gradient_norm_squared(D, seen)
        d_loss = d_loss + gamma / 2 * squares.mean()
    d_optimiser.zero_grad()
    d_loss.backward()
    d_optimiser.step()

    g_loss = relativistic(D(fake), D(real)).mean()
    g_optimiser.zero_grad()
    g_loss.backward(inputs=list(G.parameters()))  # G alone: the gradients of D stay as they are
    g_optimiser.step()
    return {"d_loss": d_loss.detach(), "g_loss": g_loss.detach()}
