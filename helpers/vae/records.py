"""A VAE for mixed columns: one likelihood for each kind of column, and nats of the original columns."""

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Categorical, Distribution, Normal, Poisson

from helpers.data.patients import Column
from helpers.data.scaling import Scaling
from helpers.theory import log_mean_exp
from helpers.training import noise_like
from helpers.vae.bounds import gaussian_kl
from helpers.vae.iwae import log_weights


def column_likelihood(column: Column, decoded: Tensor, std: Tensor) -> Distribution:
    """p(xᵢ | z) for one column of the kinds of `Column`, from the decoder's numbers (…, k) for it, as (…,).

    continuous: N(a, std²) of the standardised value · count: Poisson(exp a) · binary: Bernoulli(σ(a)) · categorical and
    ordinal: softmax(a₁, …, aₖ). A count that is no Poisson variable (cigarettes, which come in packets) is better given
    as an ordinal column with its numbers as categories.
    """
    if column.kind == "continuous":
        return Normal(decoded[..., 0], std, validate_args=False)
    if column.kind == "count":
        return Poisson(decoded[..., 0].clamp(max=10).exp(), validate_args=False)  # a rate of e¹⁰ at most
    if column.kind == "binary":
        return Bernoulli(logits=decoded[..., 0], validate_args=False)
    return Categorical(logits=decoded, validate_args=False)


def numbers_for(column: Column) -> int:
    """How many numbers the decoder gives for a column."""
    return len(column.categories) if column.kind in ("categorical", "ordinal") else 1


class PriorSampler(nn.Module):
    """What a trained model of records does: log p(z), and new records. It needs `latent`, `scaling` and `decode`."""

    def log_prior(self, z: Tensor) -> Tensor:
        """log N(z; 0, I), (…, latent) to (…,), in nats."""
        return Normal(0.0, 1.0).log_prob(z).sum(-1)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """`n` records (n, D) float64: z from the prior, then every column from its likelihood."""
        z = noise_like(self, n, self.latent, generator=generator)
        drawn = [_draw(p, generator) for p in self.decode(z)]
        return self.scaling.restore(torch.stack(drawn, dim=1))


class RecordVAE(PriorSampler):
    """q(z|x) = N(μ(x), diag σ²(x)) and p(x|z) = Πᵢ p(xᵢ|z) with `column_likelihood`, `layers` hidden layers each.

    Records are (B, D) float64, as `scaling`'s columns say; networks see them standardised. Each continuous column has
    one standard deviation, learned, and at least `floor` in standardised units: without a floor a decoder that knows a
    column by heart has an unbounded density. `dropout` is for a model that is not to memorise its patients. Source:
    Kingma and Welling (2014); likelihoods by column as in Nazabal et al. (2020).
    """

    def __init__(self, scaling: Scaling, latent: int = 6, hidden: int = 128, floor: float = 0.05,
                 layers: int = 1, dropout: float = 0.0):  # fmt: skip
        super().__init__()
        self.scaling, self.latent, self.floor = scaling, latent, floor
        self.sizes = [numbers_for(column) for column in scaling.columns]
        self.encoder = hidden_layers(sum(self.sizes), 2 * latent, hidden, layers, dropout)
        self.decoder = hidden_layers(latent, sum(self.sizes), hidden, layers, dropout)
        self.log_std = nn.Parameter(torch.full((len(scaling.columns),), -1.0))

    def encode(self, records: Tensor) -> tuple[Tensor, Tensor]:
        """Records (B, D) to μ and log σ², each (B, latent)."""
        mu, log_var = self.encoder(self.scaling.features(self.scaling.standardise(records))).chunk(2, dim=1)
        return mu, log_var

    def decode(self, z: Tensor) -> list[Distribution]:
        """z (…, latent) to p(xᵢ|z) for every column; continuous ones are standardised."""
        std = self.floor + self.log_std.exp()
        parts = self.decoder(z).split(self.sizes, dim=-1)
        return [column_likelihood(*each) for each in zip(self.scaling.columns, parts, std, strict=True)]

    def log_likelihood(self, records: Tensor, z: Tensor) -> Tensor:
        """log p(x|z) in nats of the original columns, (B, D) and (…, B, latent) to (…, B)."""
        t = self.scaling.standardise(records).to(z.dtype)
        likelihoods = zip(self.decode(z), t.T, strict=True)
        log_p = torch.stack([p.log_prob(values) for p, values in likelihoods]).sum(0)
        return log_p + self.scaling.log_slope(records).to(z.dtype)


def hidden_layers(inputs: int, outputs: int, hidden: int, layers: int, dropout: float) -> nn.Sequential:
    """`layers` hidden layers of the size `hidden` between `inputs` and `outputs` numbers, with SiLU and dropout."""
    parts, width = [], inputs
    for _ in range(layers):
        parts += [nn.Linear(width, hidden), nn.SiLU(), nn.Dropout(dropout)]
        width = hidden
    return nn.Sequential(*parts, nn.Linear(width, outputs))


def _draw(p: Distribution, generator: torch.Generator | None) -> Tensor:
    """One value from each, (n,), by numbers of `generator`, which PyTorch's distributions do not take."""
    if isinstance(p, Normal):
        return p.mean + p.stddev * noise_like(p.mean, len(p.mean), generator=generator)
    if isinstance(p, Poisson):
        return torch.poisson(p.rate, generator)
    if isinstance(p, Bernoulli):
        return torch.bernoulli(p.probs, generator=generator)
    return torch.multinomial(p.probs, 1, generator=generator)[:, 0].float()


def record_vae_step(
    vae: RecordVAE,
    optimiser: torch.optim.Optimizer,
    records: Tensor,
    beta: float = 1.0,
    eps: Tensor | None = None,
) -> dict[str, Tensor]:
    """One update on −E log p(x|z) + β · KL, averaged over the batch: −ELBO for β = 1, in nats of the original columns.

    records (B, D); ε (B, latent) is drawn when it is not given. Returns this loss and its two parts.
    """
    mu, log_var = vae.encode(records)
    eps = torch.randn_like(mu) if eps is None else eps
    reconstruction = -vae.log_likelihood(records, mu + (log_var / 2).exp() * eps).mean()
    kl = gaussian_kl(mu, log_var).mean()
    loss = reconstruction + beta * kl
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return {"loss": loss.detach(), "reconstruction": reconstruction.detach(), "kl": kl.detach()}


@torch.no_grad()
def record_bounds(
    vae: RecordVAE,
    records: Tensor,
    samples: int = 64,
    generator: torch.Generator | None = None,
    rows: int = 500,
) -> tuple[Tensor, Tensor]:
    """The ELBO and the importance-weighted bound of K = `samples`, both of records (B, D), each (B,), in nats.

    Both use the same draws, K for each record, so the first is the lower; both lie below log p(x) in expectation.
    Source: Burda, Grosse, Salakhutdinov (2016), eq. 8.
    """
    elbo, tighter = [], []
    for part in records.split(rows):
        mu, log_var = vae.encode(part)
        log_w = log_weights(vae, part, mu, log_var, noise_like(mu, samples, *mu.shape, generator=generator))
        elbo.append(log_w.mean(0))
        tighter.append(log_mean_exp(log_w))
    return torch.cat(elbo), torch.cat(tighter)
