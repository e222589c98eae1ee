"""What several notebooks' checks share: z = μ + σ·ε, the KL of a Gaussian to the prior, and how both go wrong."""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from helpers.feedback import Row

LOG_TWO_PI = math.log(2 * math.pi)


def sigma(log_var: Tensor) -> Tensor:
    """The standard deviation σ = exp(½ log σ²)."""
    return (log_var / 2).exp()


def gaussian_kl(mu: Tensor, log_var: Tensor) -> Tensor:
    """½ (μ² + σ² − 1 − log σ²) of each dimension, in nats."""
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var)


def log_normal(z: Tensor, mu: Tensor, log_var: Tensor) -> Tensor:
    """log N(z; μ, σ²), summed over the last dimension, in nats."""
    return -0.5 * ((z - mu) ** 2 / log_var.exp() + log_var + LOG_TWO_PI).sum(-1)


def on_case(rows: list[Row], *names: str) -> list[Row]:
    """The rows as functions of a case: f(case.a, case.b) for the `names` a and b."""
    return [replace(row, f=lambda c, f=row.f: f(*(c[name] for name in names))) for row in rows]


def kinds(rows: list[Row], prefix: str) -> list[Row]:
    """The wrong ones of `rows`, with `prefix` before the name of each kind."""
    return [replace(row, kind=prefix + row.kind) for row in rows if not row.ok]


# z as a function of μ, log σ² and ε. Noise may have a dimension of samples in front.
SAMPLES = [
    Row("right", lambda mu, lv, eps: mu + sigma(lv) * eps, ok=True),
    Row("mirrored", lambda mu, lv, eps: mu - sigma(lv) * eps,
        "You subtract σ·ε where one usually adds it. A Gaussian is symmetric, so this changes nothing in the mean.",
        ok=True),
    Row("variance_for_deviation", lambda mu, lv, eps: mu + lv.exp() * eps,
        "Your noise is multiplied by the variance, where the standard deviation belongs. `log_var` is log σ²: what do "
        "you have to do to it to get σ?"),
    Row("log_for_deviation", lambda mu, lv, eps: mu + lv * eps,
        "Your noise is multiplied by `log_var` itself, which is a logarithm and may be negative. Turn it into a "
        "standard deviation first."),
    Row("log_for_deviation", lambda mu, lv, eps: mu + 0.5 * lv * eps,
        "Your noise is multiplied by log σ. Its exponential is missing."),
    Row("unit_deviation", lambda mu, lv, eps: mu + eps,
        "Your noise keeps standard deviation 1, whatever q says. Scale `eps` by q's own σ, or the encoder cannot say "
        "how sure it is."),
    Row("half_variance", lambda mu, lv, eps: mu + 0.5 * lv.exp() * eps,
        "Your σ is half the variance. It is the root of the variance, not its half: where does the ½ belong?"),
    Row("inverse_deviation", lambda mu, lv, eps: mu + (-lv / 2).exp() * eps,
        "Your noise is divided by σ, where it should be multiplied: look at the sign in the exponential."),
    Row("prior", lambda mu, lv, eps: eps,
        "Your z is drawn from the prior and does not depend on x: the error of the survey article. Draw from q(z|x): "
        "its μ and its σ."),
    Row("no_mean", lambda mu, lv, eps: sigma(lv) * eps,
        "Your z has the right spread, but around 0. Where does μ come in?"),
    Row("no_noise", lambda mu, lv, eps: (mu + sigma(lv)).expand_as(eps),
        "You add σ itself, the same shift every time, so nothing is sampled. What should σ be multiplied by?"),
    Row("brackets", lambda mu, lv, eps: (mu + sigma(lv)) * eps,
        "The noise multiplies μ too. Only σ should be stretched by `eps`: check the brackets."),
    Row("exchanged_roles", lambda mu, lv, eps: mu * eps + sigma(lv),
        "μ and σ have changed places in z: which one shifts the noise, and which one stretches it?"),
    Row("detached", lambda mu, lv, eps: (mu + sigma(lv) * eps).detach(),
        "The value is right, but z is cut from the graph, so the samples no longer tell μ and σ where to go. Look for "
        "`detach`, `no_grad`, `.sample()` or `torch.tensor(...)` around z."),
    Row("detached_noise", lambda mu, lv, eps: mu + sigma(lv).detach() * eps,
        "The value is right, but σ is cut from the graph, so the samples cannot tell q how wide to be. Only `eps` is "
        "a constant here; look for `detach`, `no_grad` or `torch.normal`."),
    Row("detached_mean", lambda mu, lv, eps: mu.detach() + sigma(lv) * eps,
        "The value is right, but μ is cut from the graph, so the samples cannot move it. Only `eps` is a constant."),
]  # fmt: skip

# The KL to the prior of each dimension, as a function of μ and log σ².
NOT_A_LOGARITHM = (
    "You use `log_var` as if it were {} itself. It is a logarithm, and negative wherever q is narrower than the "
    "prior: what has to be done to it first?"
)
HALF = "The factor ½ reaches only some of the terms. Check the brackets: it belongs to all of them."
KL_TERMS = [
    Row("right", gaussian_kl, ok=True),
    Row("deviation", lambda mu, lv: gaussian_kl(mu, 2 * lv),
        "Your KL reads `log_var` as log σ. It is log σ², the logarithm of the variance, so no further square or "
        "factor 2 is needed."),
    Row("not_a_logarithm", lambda mu, lv: 0.5 * (mu**2 + lv - 1 - lv.log()), NOT_A_LOGARITHM.format("the variance")),
    Row("not_a_logarithm", lambda mu, lv: 0.5 * (mu**2 + lv**2 - 1 - 2 * lv.log()),
        NOT_A_LOGARITHM.format("the standard deviation")),
    Row("no_exponential", lambda mu, lv: 0.5 * (mu**2 - 1),
        "In your KL `log_var` stands where the variance itself belongs, and then cancels against the logarithm. What "
        "turns one into the other?"),
    Row("root", lambda mu, lv: gaussian_kl(mu, lv / 2),
        "In your KL the standard deviation stands where the variance belongs, in the logarithm too. `log_var` is "
        "already the logarithm of the variance: is there a ½ too many?"),
    Row("deviation_not_squared", lambda mu, lv: 0.5 * (mu**2 + sigma(lv) - 1 - lv),
        "Your KL holds σ where σ² belongs. Look at what stands in the exponential."),
    Row("variance_squared", lambda mu, lv: 0.5 * (mu**2 + (2 * lv).exp() - 1 - lv),
        "The variance is squared once more in your KL: the exponential of `log_var` is σ² already."),
    Row("log_deviation", lambda mu, lv: 0.5 * (mu**2 + lv.exp() - 1 - lv / 2),
        "Your KL holds log σ where log σ² belongs, or the ½ stands twice before that term."),
    Row("not_zero", lambda mu, lv: gaussian_kl(mu, lv) + 0.5,
        "Your KL is not 0 where q is the prior, at μ = 0 and log σ² = 0: a 1 is missing. The gradients survive that, "
        "the nats do not."),
    Row("not_zero", lambda mu, lv: gaussian_kl(mu, lv) + 1,
        "Your KL is not 0 where q is the prior, at μ = 0 and log σ² = 0: the 1 has the wrong sign. The gradients "
        "survive that, the nats do not."),
    Row("one_outside", lambda mu, lv: gaussian_kl(mu, lv) + 0.5 - 0.5 / mu.shape[-1],
        "The 1 is counted once an observation, and should be counted once a dimension: it belongs inside the sum."),
    Row("log_var_sign", lambda mu, lv: 0.5 * (mu**2 + lv.exp() - 1 + lv),
        "The sign of `log_var` is wrong: your KL falls without end as σ goes to 0. At which σ should a KL to the "
        "prior be smallest?"),
    Row("variance_sign", lambda mu, lv: 0.5 * (mu**2 - lv.exp() - 1 - lv),
        "The variance has the wrong sign: your KL falls without end as σ grows. Check the brackets behind the minus."),
    Row("mean_sign", lambda mu, lv: 0.5 * (-(mu**2) + lv.exp() - 1 - lv),
        "The term of μ has the wrong sign: your KL gets smaller the further q moves away from the prior."),
    Row("mean_not_squared", lambda mu, lv: 0.5 * (mu + lv.exp() - 1 - lv),
        "μ is not squared, so a negative mean makes your KL smaller, even less than 0. A distance from the prior does "
        "not know left from right."),
    Row("mean_absolute", lambda mu, lv: 0.5 * (mu.abs() + lv.exp() - 1 - lv),
        "You take the absolute value of μ. The logarithm of a Gaussian is a parabola: which power of the distance "
        "does it hold?"),
    Row("half_of_one_term", lambda mu, lv: 0.5 * mu**2 + lv.exp() - 1 - lv, HALF),
    Row("half_of_one_term", lambda mu, lv: mu**2 + 0.5 * (lv.exp() - 1 - lv), HALF),
    Row("half_of_one_term", lambda mu, lv: mu**2 + lv.exp() - 0.5 * (1 + lv), HALF),
    Row("half_of_one_term", lambda mu, lv: lv.exp() + 0.5 * (mu**2 - 1 - lv), HALF),
    Row("half_of_one_term", lambda mu, lv: mu**2 + lv.exp() - lv - 0.5, HALF),
    Row("no_mean", lambda mu, lv: gaussian_kl(0 * mu, lv),
        "Your KL forgets μ: it is that to a Gaussian around μ itself. The prior sits at 0, and something has to keep "
        "the means near it."),
    Row("no_variance", lambda mu, lv: 0.5 * mu**2,
        "Your KL only counts μ: it is that of a q with σ = 1. What does it cost q to be narrower than the prior, or "
        "wider?"),
    Row("reversed", lambda mu, lv: 0.5 * ((1 + mu**2) / lv.exp() - 1 + lv),
        "That is KL(p‖q), the two distributions exchanged. In the bound the mean is taken over q, which stands first."),
    Row("cross_entropy", lambda mu, lv: 0.5 * (mu**2 + lv.exp() + LOG_TWO_PI),
        "That is the cross-entropy, the mean of −log p under q. A KL says how much it exceeds q's own entropy."),
    Row("entropy", lambda mu, lv: 0.5 * (1 + lv + LOG_TWO_PI),
        "That is the entropy of q. A KL compares q with the prior: where does log p come in?"),
]  # fmt: skip


def rows_of_both_signs(batch: int, latent: int) -> tuple[Tensor, Tensor]:
    """μ and log σ² (B, d) of both signs, never near 0, larger from row to row, in the notebook's own default dtype."""
    signs = torch.ones(batch, latent)
    signs.view(-1)[1::2] = -1
    sizes = torch.linspace(0.9, 1.5, batch)[:, None]
    mu = sizes * signs * (0.5 + torch.rand(batch, latent))
    return mu, sizes * signs.roll(1, dims=0).flip(1) * (0.5 + torch.rand(batch, latent))


def spread(low: float, high: float) -> Callable:
    """A case with log σ² near `low` in half of its rows, near `high` in the others, so that neither hides the other."""

    def make(case):
        at = torch.tensor([low, high]).repeat(len(case.mu))[: len(case.mu), None]
        return case.but(log_var=at + 0.1 * case.log_var)

    return make
