"""What several notebooks' checks share: z = μ + σ·ε, the KL of a Gaussian to the prior, samples of an exact model."""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from helpers.feedback import Case, Close, Mistake, Row, Trial
from helpers.feedback.observe import alike
from helpers.theory import LinearGaussian

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
        "Your z has the right standard deviation, but around 0. Where does μ come in?"),
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
Q_ALONE = "That is the entropy of q, or minus it. A KL compares q with the prior: where does log p come in?"
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
    Row("entropy", lambda mu, lv: 0.5 * (1 + lv + LOG_TWO_PI), Q_ALONE),
    Row("entropy", lambda mu, lv: -0.5 * (1 + lv + LOG_TWO_PI), Q_ALONE),
]  # fmt: skip
KL_FACTORS = [
    Row("right", lambda k: k, ok=True),
    Row("sign", lambda k: -k,
        "Your KL has the wrong sign: a KL is never negative, print yours. Look for a bracket, or, where you sample it, "
        "at the order of the two logarithms."),
    Row("half", lambda k: 2 * k, "Your KL is twice too large: the ½ in front of the sum is missing, as if β were 2."),
    Row("half_twice", lambda k: k / 2,
        "Your KL is half as large as it should be, as if β were ½. Is the factor ½ there twice?"),
    Row("bits", lambda k: k / math.log(2),
        "Your KL is in bits. Nats are wanted: take the natural logarithm throughout."),
    Row("detached", lambda k: k.detach(),
        "The value is right, but the KL is cut from the graph, so nothing draws q towards the prior. Look for "
        "`detach` or `no_grad`."),
]  # fmt: skip
ONE_EACH = "Keep one number per observation: which dimension holds the observations, and which the latent dimensions?"
KL_REDUCTIONS = [
    Row("right", lambda k: k.sum(-1), ok=True),
    Row("mean", lambda k: k.mean(-1),
        "You take the mean of the KL over the latent dimensions, and should take the sum: independent dimensions add "
        "their KLs. As it stands, it weighs d times too little, and β depends on the latent size."),
    Row("batch_sum", lambda k: k.sum((-2, -1)),
        f"Your KL is summed over the batch too, so every observation pays for all. {ONE_EACH}"),
    Row("batch_mean", lambda k: k.sum(-1).mean(-1),
        f"Your KL is averaged over the batch as well. That is the step's business. {ONE_EACH}"),
    Row("mean_of_all", lambda k: k.mean((-2, -1)),
        f"Your KL is one mean over everything, latent dimensions included: β now depends on d. {ONE_EACH}"),
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


# Samples from q on a model that is solved exactly, for a call f(model, x, mu, log_var, eps).


def exact_case(batch: int, latent: int, dimensions: int, samples: int) -> Case:
    """A `LinearGaussian`, x (B, D), μ and log σ² (B, d), ε (K, B, d)."""
    # So noisy a model leaves the KL its say beside log p(x|z), and no weight p(x, z)/q(z|x) underflows.
    model = LinearGaussian(0.7 * torch.randn(dimensions, latent), torch.randn(dimensions), 1.3)
    x, _ = model.sample(batch)
    mu, log_var = rows_of_both_signs(batch, latent)
    return Case(model=model, x=x, mu=mu, log_var=log_var, eps=torch.randn(samples, batch, latent))


# The densities written out: the model's own distributions take ten times as long to build as to evaluate.
def log_prior(z: Tensor) -> Tensor:
    return -0.5 * (z**2 + LOG_TWO_PI).sum(-1)


def log_likelihood(c: Case, z: Tensor, std: float | None = None, bias: float = 1.0) -> Tensor:
    """log p(x|z), or that of a model with another standard deviation, or with a multiple of the bias."""
    std = c.model.std if std is None else std
    errors = (c.x - z @ c.model.weight.T - bias * c.model.bias).square().sum(-1)
    return -0.5 * (errors / std**2 + c.x.shape[1] * (LOG_TWO_PI + 2 * math.log(std)))


def log_q(c: Case, z: Tensor) -> Tensor:
    return log_normal(z, c.mu, c.log_var)


def squared_errors(c: Case, z: Tensor) -> Tensor:
    return (c.x - z @ c.model.weight.T - c.model.bias).square().sum(-1)


def entropy(c: Case) -> Tensor:
    return 0.5 * (1 + LOG_TWO_PI + c.log_var).sum(-1)


def evidence(c: Case) -> Tensor:
    return c.model.log_evidence(c.x)


def rate(c: Case) -> Tensor:
    """KL(q(z|x) ‖ p(z)) of each row."""
    return gaussian_kl(c.mu, c.log_var).sum(-1)


def noise(c: Case, z: Tensor) -> Tensor:
    """ε itself, however many samples z holds."""
    return (z - c.mu) / sigma(c.log_var)


def _from_posterior(c: Case, root: Callable[[Tensor], Tensor]) -> Tensor:
    mean, cov = c.model.posterior(c.x)
    return mean + c.eps @ root(cov).T


POSTERIOR = (
    "Your z is drawn from the model's own posterior. The bound is for a given q: use `mu` and `log_var`."
)
DRAWS = [
    *[
        replace(row, kind="detached_deviation") if row.kind == "detached_noise" else row
        for row in on_case(SAMPLES, "mu", "log_var", "eps")
    ],
    Row("no_expectation", lambda c: c.mu.expand_as(c.eps),
        "Your z is μ, so `eps` has no effect and no expectation is taken. The bound averages over all z that q(z|x) "
        "allows, not over the middle one alone."),
    Row("one_sample", lambda c: c.mu + sigma(c.log_var) * c.eps[:1],
        "Only the first of the K samples is used. One sample is unbiased but noisy: `eps` holds K of them, along its "
        "first dimension."),
    Row("one_sample", lambda c: c.mu + sigma(c.log_var) * c.eps[-1:],
        "Only the last of the K samples is used. If you loop over them, is something overwritten where it should be "
        "collected?"),
    Row("one_noise_for_all", lambda c: c.mu + sigma(c.log_var) * c.eps[:, :1],
        "One row of noise serves the whole batch. `eps` is (K, B, d): each observation has noise of its own."),
    Row("averaged_noise", lambda c: c.mu + sigma(c.log_var) * c.eps.mean(0, keepdim=True),
        "You average the noise, then compute the bound once. That z is almost μ: average what the K samples give, "
        "not the samples."),
    Row("posterior", lambda c: _from_posterior(c, lambda cov: cov.diagonal().sqrt().diag()), POSTERIOR),
    Row("posterior", lambda c: _from_posterior(c, torch.linalg.cholesky), POSTERIOR),
]  # fmt: skip
SQUARES = (
    "Your squared errors are not weighed by the model's own standard deviation. How wide is p(x|z)? `model.std` and "
    "`model.log_likelihood` know."
)
LIKELIHOODS = [
    Row("right", log_likelihood, ok=True),
    Row("dimension_mean", lambda c, z: log_likelihood(c, z) / c.x.shape[1],
        "Your log p(x|z) is a mean over the D numbers of x, where it is a sum: independent dimensions add their "
        "logarithms. Beside it the KL weighs D times too much."),
    Row("batch_average", lambda c, z: log_likelihood(c, z).mean(-1, keepdim=True),
        "Your log p(x|z) is averaged over the batch, then joined to the KL of each observation. Average only over "
        "the K samples."),
    Row("model_spread", lambda c, z: log_likelihood(c, z, c.model.std**2),
        "Your p(x|z) has the variance where the standard deviation belongs. Which of the two does `Normal` take?"),
    Row("model_spread", lambda c, z: log_likelihood(c, z, 1.0),
        "Your p(x|z) has the standard deviation 1. How wide is the model's own? `model.std` knows."),
    Row("no_bias", lambda c, z: log_likelihood(c, z, bias=0.0),
        "Your p(x|z) forgets the model's own `bias`: where is it centred at z = 0?"),
    Row("squares", lambda c, z: -squared_errors(c, z), SQUARES),
    Row("squares", lambda c, z: -squared_errors(c, z) / 2, SQUARES),
    Row("squares", lambda c, z: -squared_errors(c, z) / c.x.shape[1], SQUARES),
    Row("squares", lambda c, z: -squared_errors(c, z) / c.model.std**2, SQUARES),
    Row("squares", lambda c, z: -squared_errors(c, z) / (2 * c.model.std), SQUARES),
]  # fmt: skip


def of_each_observation(c: Case) -> dict[tuple, str]:
    """What another shape than (B,) means, where a bound of each observation is wanted."""
    samples, batch, latent = c.eps.shape
    dimensions = c.x.shape[1]
    one = "Keep one number per observation: average over the K samples only."
    grown = "A (B,) met a (B, 1) and grew to (B, B): print the shapes of your terms."
    latents = "Sum over the latent dimensions, as a log-density does, then average over the samples."
    pixels = "Sum log p(x|z) over the D numbers of x."
    return {
        (): f"That is one number for the whole batch. {one}",
        (1,): f"That is one number for the whole batch. {one}",
        (samples, batch): "That is one number for each sample. How do the K of an observation become one?",
        (1, batch): "The first dimension, of the samples, is still there.",
        (samples,): f"You averaged over the observations and kept the samples. {one}",
        (batch, latent): "Sum over the latent dimensions of an observation.",
        (samples, batch, latent): latents,
        (batch, dimensions): pixels,
        (samples, batch, dimensions): pixels,
        (batch, 1): "The last dimension is one too many: beside a (B,) it silently grows to (B, B).",
        (batch, batch): grown,
        (latent,): "You kept the latent dimensions. Sum over those, and keep the observations.",
    }


def sizes_of(c: Case) -> dict[str, int]:
    """K, B, d and D: what a mean or a sum may run over."""
    return dict(zip("KBdD", (*c.eps.shape, c.x.shape[1]), strict=True))


def samples_used(trial: Trial) -> list[int]:
    """The samples that have an effect; one of tiny weight has to be moved to where it counts."""
    case, found = trial.cases[0], []
    for k in range(len(case.eps)):
        for factor in (0.0, -1.0, 0.5):
            eps = case.eps.clone()
            eps[k] *= factor
            if not alike(trial.ask(case.but(eps=eps))["value"], trial.seen[0]["value"], Close(1e-5)):
                found.append(k)
                break
    return found


def far_away(c: Case) -> Case:
    """x so far away that, in some row, every sample but the best is lost beside it by e^1000."""
    z = c.mu + sigma(c.log_var) * c.eps
    for power in range(40):
        far = c.but(x=c.x + 80 * 1.5**power)
        best = (log_likelihood(far, z) + log_prior(z) - log_q(far, z)).topk(2, 0).values
        if (best[0] - best[1]).max() > 1000:
            return far
    raise AssertionError("No x is far enough.")


def guarded(trial: Trial) -> Mistake | None:
    """A fallback: small weights, and those alone, come out too large, as with a small number in the logarithm."""
    got = torch.cat([seen["value"] for seen in trial.seen])
    want = torch.cat([trial.ours(case)["value"] for case in trial.cases])
    if got.shape != want.shape or (got - got[0]).abs().max() < 1e-3:  # one number for all is no guard
        return None
    row = (got - want).argmax()
    if got[row] - want[row] < 1e-3:
        return None
    added = got[row] + torch.log1p(-(want[row] - got[row]).exp())  # the logarithm of what was added
    ways = (added, torch.logaddexp(want, added)), (got[row], want.clamp(min=got[row].item()))
    sizes = [size for size, way in ways if (got - way).abs().max() < 1e-3]
    if not sizes:
        return None
    return Mistake(
        "guard",
        f"The smaller log p(x) is, the more yours is too large, as if about {sizes[0].exp():.0e} were added inside "
        "the logarithm, or were the least it may see. Real images have weights far below any such guard, which then is "
        "all that is left: can you do without leaving the logarithms?",
    )


def floats(value: object, case: Case) -> object:
    """The value as it is. Raises `Mistake` where it is a tensor of whole, true-or-false or complex numbers."""
    if isinstance(value, Tensor) and not value.dtype.is_floating_point:
        raise Mistake(
            "type",
            f"Your function returned a tensor of type `{value.dtype}`, and floats are wanted. Is something rounded, "
            "compared or made complex on the way?",
        )
    return value


# Two small players, for functions that train: no size equals another, and none stays from case to case.


class TinyGenerator(nn.Sequential):
    """Noise (B, latent) to images (B, 1, H, W) in [−1, 1], with batch norm if asked."""

    def __init__(self, latent: int, image: tuple[int, int, int], batch_norm: bool):
        norm = [nn.BatchNorm1d(6)] if batch_norm else []
        last = [nn.Linear(6, math.prod(image)), nn.Tanh(), nn.Unflatten(1, image)]
        super().__init__(nn.Linear(latent, 6), *norm, nn.Tanh(), *last)
        self.latent = latent

    def forward(self, z: Tensor) -> Tensor:
        return super().forward(z)


class TinyDiscriminator(nn.Sequential):
    """Images (B, 1, H, W) to logits (B,); no batch norm, so one or two forwards agree."""

    def __init__(self, image: tuple[int, int, int]):
        super().__init__(
            nn.Flatten(), nn.Linear(math.prod(image), 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0)
        )
        self.image = image

    def forward(self, images: Tensor) -> Tensor:
        if tuple(images.shape[1:]) != self.image:
            raise ValueError(f"D looks at images (B, 1, H, W) and was given {tuple(images.shape)}")
        return super().forward(images)


@torch.no_grad()
def players(z: Tensor, image: tuple[int, int, int], batch_norm: bool) -> dict:
    """G, D, as many real images as noise `z` (B, latent), and `z`. Logits are 1.5 large, fakes' of both signs."""
    batch, latent = z.shape
    generator, discriminator = TinyGenerator(latent, image, batch_norm), TinyDiscriminator(image)
    real = torch.rand(batch, *image) * 2 - 1
    for layer in (generator[0], generator[-3]):
        layer.weight *= 2
    discriminator[3].weight *= 1.5 / discriminator(torch.cat([generator(z), real])).std()
    discriminator[3].bias -= discriminator(generator(z)).median() - 0.1
    return {"generator": generator, "discriminator": discriminator, "real": real, "z": z}
