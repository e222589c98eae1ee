"""A sentence VAE: a code z for a whole report, and a decoder that writes it token by token and sees z at each of them.

Reports are token numbers (B, T) as `Grammar.encode` makes them: the tokens of a report, an <end>, then padding. What
stands before the first token is an <end>, that of the report before.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from helpers.data.reports import END, PADDING
from helpers.training import noise_like, uniform_like
from helpers.vae.bounds import gaussian_kl
from helpers.vae.collapse import free_bits
from helpers.vae.iwae import log_weights


def tokens_before(x: Tensor) -> Tensor:
    """What a decoder reads when it writes x: at each position the true token before it, (B, T) to (B, T)."""
    return pad(x[:, :-1], (1, 0), value=END)


def word_dropout(
    inputs: Tensor, rate: float, unknown: int, generator: torch.Generator | None = None
) -> Tensor:
    """The decoder's inputs (B, T), each of them replaced by the token `unknown` with probability `rate`.

    It is for inputs alone: what is to be predicted stays whole. Source: Bowman et al. (2016), section 3.2.
    """
    dropped = uniform_like(inputs, generator) < rate
    return inputs.masked_fill(dropped, unknown)


class ReportEncoder(nn.Module):
    """q(z|x) = N(μ(x), diag σ²(x)) of reports (B, T), T ≤ longest: μ and log σ², each (B, latent).

    It looks at pairs of neighbours and pools over all positions, which takes less time than a recurrent network.
    Padding contributes nothing.
    """

    def __init__(self, size: int, longest: int, latent: int, embedding: int, hidden: int):
        super().__init__()
        self.embed = nn.Embedding(size, embedding)
        self.position = nn.Parameter(0.1 * torch.randn(longest, embedding))
        self.pairs = nn.Linear(2 * embedding, hidden)
        self.to_code = nn.Linear(2 * hidden, 2 * latent)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.embed(x) + self.position[: x.shape[1]]  # (B, T, embedding)
        h = self.pairs(torch.cat([h[:, :-1], h[:, 1:]], dim=2)).relu()  # (B, T − 1, hidden)
        real = (x[:, 1:] != PADDING).unsqueeze(2)  # pairs whose second token is no padding
        h = h * real
        pooled = torch.cat([h.amax(dim=1), h.sum(dim=1) / real.sum(dim=1).clamp(min=1)], dim=1)
        mu, log_var = self.to_code(pooled).chunk(2, dim=1)
        return mu, log_var


class ReportDecoder(nn.Module):
    """z (B, latent) and inputs (B, T) to the logits (B, T, V) of the token after each of them, and the state.

    A GRU that sees z at every step. The inputs may hold one token more than reports do: `size`, for word dropout.
    """

    def __init__(self, size: int, latent: int, embedding: int, hidden: int):
        super().__init__()
        self.embed = nn.Embedding(size + 1, embedding)  # the last one is for hidden tokens
        self.gru = nn.GRU(embedding + latent, hidden, batch_first=True)
        self.head = nn.Linear(hidden, size)

    def forward(self, z: Tensor, inputs: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z = z.unsqueeze(1).expand(-1, inputs.shape[1], -1)  # the same z at every step
        hidden, state = self.gru(torch.cat([self.embed(inputs), z], dim=2), state)
        return self.head(hidden), state


class SentenceVAE(nn.Module):
    """q(z|x) by `encode`, p(x|z) = Πₜ p(xₜ | x₁ … xₜ₋₁, z) by `decode`, for reports of at most `longest` tokens.

    Source: Bowman et al. (2016), section 3, but for the encoder and for z at every step.
    """

    def __init__(self, size: int, longest: int, latent: int = 8, embedding: int = 64, hidden: int = 128):
        super().__init__()
        self.longest, self.latent, self.unknown = longest, latent, size
        self.encode = ReportEncoder(size, longest, latent, embedding, hidden)
        self.decode = ReportDecoder(size, latent, embedding, hidden)

    def log_likelihood(self, x: Tensor, z: Tensor, inputs: Tensor | None = None) -> Tensor:
        """log p(x|z), its <end> included, in nats: x (B, T) and z (B, latent) to (B,).

        The decoder reads the true tokens (teacher forcing), or `inputs` (B, T) in their place.
        """
        logits, _ = self.decode(z, tokens_before(x) if inputs is None else inputs)
        losses = cross_entropy(logits.mT, x, reduction="none", ignore_index=PADDING)  # (B, T)
        return -losses.sum(dim=1)

    def log_prior(self, z: Tensor) -> Tensor:
        """log N(z; 0, I), (…, latent) to (…), in nats."""
        return torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(dim=-1)


@torch.no_grad()
def write_reports(
    vae: SentenceVAE, z: Tensor, temperature: float = 1.0, generator: torch.Generator | None = None
) -> Tensor:
    """A report for each z, token by token from softmax(logits / temperature), (n, latent) to (n, longest).

    At temperature 0 the likeliest token is taken. What comes after an <end> is to be cut off, as `decode` of a
    grammar does.
    """
    token, state, written = torch.full((len(z), 1), END, device=z.device), None, []
    for _ in range(vae.longest):
        logits, state = vae.decode(z, token, state)  # (n, 1, V)
        if temperature:
            probabilities = (logits[:, -1] / temperature).softmax(dim=-1)
            token = torch.multinomial(probabilities, 1, generator=generator)
        else:
            token = logits[:, -1].argmax(dim=-1, keepdim=True)
        written.append(token)
    return torch.cat(written, dim=1)


def sentence_vae_step(
    vae: SentenceVAE,
    optimiser: torch.optim.Optimizer,
    x: Tensor,
    beta: float = 1.0,
    floor: float = 0.0,
    dropout: float = 0.0,
    clip: float = 5.0,
    generator: torch.Generator | None = None,
) -> dict[str, Tensor]:
    """One update on −E log p(x|z) + β · Σⱼ max(floor, KLⱼ), averaged over reports (B, T): −ELBO with the defaults.

    `beta` is what KL warm-up moves, `floor` the free bits of a dimension in nats, `dropout` the rate at which the
    decoder's inputs are hidden; gradients longer than `clip` are cut to that length. Returns the loss, −E log p(x|z)
    with those inputs, and the KL itself, means over the batch in nats. With dropout or β < 1, loss is no bound.
    """
    x = x[:, : (x != PADDING).sum(dim=1).max()]  # the rest is padding in every row
    mu, log_var = vae.encode(x)
    z = mu + (log_var / 2).exp() * noise_like(mu, *mu.shape, generator=generator)
    inputs = word_dropout(tokens_before(x), dropout, vae.unknown, generator)
    reconstruction = -vae.log_likelihood(x, z, inputs).mean()
    loss = reconstruction + beta * free_bits(mu, log_var, floor)
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(vae.parameters(), clip)
    optimiser.step()
    kl = gaussian_kl(mu, log_var).mean()
    return {"loss": loss.detach(), "reconstruction": reconstruction.detach(), "kl": kl.detach()}


@torch.no_grad()
def sentence_log_weights(
    vae: SentenceVAE, x: Tensor, samples: int = 64, generator: torch.Generator | None = None, rows: int = 10
) -> Tensor:
    """log wₖ of each report, (N, T) to (samples, N), in nats, for `iwae_bound`: size 1 is the ELBO, 64 IWAE-64.

    `rows` reports of about the same length are handled at a time: little memory, and hardly any padding is computed.
    """
    mu, log_var = vae.encode(x)
    eps = noise_like(mu, samples, *mu.shape, generator=generator)
    log_w, lengths = mu.new_empty(samples, len(x)), (x != PADDING).sum(dim=1)
    for part in lengths.argsort().split(rows):
        parts = (each[part].repeat(samples, 1) for each in (x[:, : lengths[part].max()], mu, log_var))
        log_w[:, part] = log_weights(vae, *parts, eps[:, part].flatten(0, 1)).view(samples, -1)
    return log_w
