"""Checks of notebook 12, the VAE on digits: the loss of an image, and the hidden weight of a misplaced mean."""

import copy
import itertools
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from helpers.checks.frame import Answer, Feedback, Mistake, a_or_an, gives_feedback, right, tensor

PIXELS, LATENT = (1, 3, 4), 4
BATCHES = ((5, 2.5), (7, 0.5))  # (B, β): no size equals another, and no β is 1, so that every swap shows
SAME = 1e-3  # relative: rounding of float32 stays below 1e-5, and two answers in the tables differ by more than 1e-2


class TinyVAE(nn.Module):
    """A VAE of 12 pixels and 4 latent dimensions with μ ≠ 0, σ ≠ 1, and logits about `spread` large.

    `mu` and `log_var` multiply what the encoder says: near 0 it says next to nothing.
    """

    def __init__(self, spread: float = 1.5, mu: float = 1.0, log_var: float = 1.0):
        super().__init__()
        pixels = math.prod(PIXELS)
        self.latent = LATENT
        self.mu = nn.Linear(pixels, LATENT)
        self.log_var = nn.Linear(pixels, LATENT)
        self.out = nn.Linear(LATENT, pixels)
        with torch.no_grad():
            self.mu.bias.copy_(torch.tensor([0.9, -0.7, 0.5, 1.2]))
            self.log_var.bias.copy_(torch.tensor([-1.1, 0.8, 0.6, -0.5]))
            for layer, factor in ((self.mu, mu), (self.log_var, log_var)):
                layer.weight.mul_(factor)
                layer.bias.mul_(factor)
            self.out.weight.normal_()
            self.out.bias.copy_(spread * torch.tensor([1.0, -1.0]).repeat(pixels // 2))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.flatten(1)
        return self.mu(x), self.log_var(x)

    def decode(self, z: Tensor) -> Tensor:
        return self.out(z)


class Part(NamedTuple):
    """A way to write one part of the loss; `ok` where it may stay, with `message` as a remark."""

    kind: str
    formula: Callable[..., Tensor]
    message: str = ""
    ok: bool = False


def _sigma(log_var: Tensor) -> Tensor:
    return (log_var / 2).exp()


def _kl(mu: Tensor, log_var: Tensor) -> Tensor:
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var)


def _sampled_kl(mu: Tensor, log_var: Tensor, z: Tensor) -> Tensor:
    noise = (z - mu) / _sigma(log_var)
    return 0.5 * (z**2 - noise**2 - log_var).sum(1)


# The right way stands first in each table. A learner's loss is explained by the fewest wrong parts that give its
# values and its gradients.
SAMPLES = [
    Part("right", lambda mu, lv, eps: mu + _sigma(lv) * eps, ok=True),
    Part(
        "mirrored",
        lambda mu, lv, eps: mu - _sigma(lv) * eps,
        "You subtract σ·ε where one usually adds it. A Gaussian is symmetric, so this changes nothing.",
        ok=True,
    ),
    Part(
        "no_sampling",
        lambda mu, lv, eps: mu,
        "You decode z = μ, so `eps` has no effect and nothing is sampled. The bound averages over all z "
        "that q(z|x) allows, and a decoder that only ever sees the mean never learns to cope with the "
        "spread.",
    ),
    Part(
        "variance_for_deviation",
        lambda mu, lv, eps: mu + lv.exp() * eps,
        "Your noise is multiplied by the variance, where the standard deviation belongs. `log_var` is log "
        "σ²: what do you have to do to it to get σ?",
    ),
    Part(
        "log_for_deviation",
        lambda mu, lv, eps: mu + lv * eps,
        "Your noise is multiplied by `log_var` itself, which is a logarithm and may be negative. "
        "Turn it into a standard deviation first.",
    ),
    Part(
        "unit_deviation",
        lambda mu, lv, eps: mu + eps,
        "Your noise keeps standard deviation 1, whatever the encoder says. Scale `eps` by the encoder's "
        "own σ, or the encoder cannot say how sure it is.",
    ),
    Part(
        "prior",
        lambda mu, lv, eps: eps,
        "Your z is drawn from the prior and does not depend on x. The decoder then cannot know which image "
        "to rebuild, and learns the average one. Draw from q(z|x): its μ and its σ.",
    ),
    Part(
        "no_mean",
        lambda mu, lv, eps: _sigma(lv) * eps,
        "Your z has the right spread, but around 0. Where does μ come in?",
    ),
    Part(
        "no_noise",
        lambda mu, lv, eps: mu + _sigma(lv),
        "You add σ itself, the same shift every time, so nothing is sampled. What should σ be multiplied by?",
    ),
    Part(
        "one_noise_for_all",
        lambda mu, lv, eps: mu + _sigma(lv) * eps[:1],
        "One row of `eps` serves the whole batch. Each image needs noise of its own, or the errors of a "
        "batch no longer average out. `eps` has shape (B, d) already.",
    ),
    Part(
        "detached",
        lambda mu, lv, eps: (mu + _sigma(lv) * eps).detach(),
        "The value is right, but z is cut from the graph, so the reconstruction no longer reaches the "
        "encoder and only the KL teaches it. Look for `detach`, `no_grad` or `torch.tensor(...)` around z.",
    ),
    Part(
        "detached_noise",
        lambda mu, lv, eps: mu + _sigma(lv).detach() * eps,
        "The value is right, but σ is cut from the graph, so the reconstruction cannot teach the encoder "
        "how sure to be. Only `eps` is a constant here; look for `detach`, `no_grad` or `torch.normal`.",
    ),
    Part(
        "half_variance",
        lambda mu, lv, eps: mu + 0.5 * lv.exp() * eps,
        "Your σ is half the variance. The ½ belongs inside the exponential: σ is the root of σ², not its half.",
    ),
    Part(
        "inverse_deviation",
        lambda mu, lv, eps: mu + (-lv / 2).exp() * eps,
        "Your noise is divided by σ, where it should be multiplied: look at the sign in the exponential.",
    ),
    Part(
        "log_for_deviation",
        lambda mu, lv, eps: mu + 0.5 * lv * eps,
        "Your noise is multiplied by log σ. Its exponential is missing.",
    ),
    Part(
        "exchanged_roles",
        lambda mu, lv, eps: mu * eps + _sigma(lv),
        "μ and σ have changed places in z: which one shifts the noise, and which one stretches it?",
    ),
    Part(
        "brackets",
        lambda mu, lv, eps: (mu + _sigma(lv)) * eps,
        "The noise multiplies μ too. Only σ should be stretched by `eps`: check the brackets.",
    ),
]

RECONSTRUCTIONS = [
    Part("right", lambda x, a: cross_entropy(a, x, reduction="none").sum(1), ok=True),
    Part(
        "pixel_mean",
        lambda x, a: cross_entropy(a, x, reduction="none").mean(1),
        "Your reconstruction is a mean over the pixels, where log p(x|z) is a sum. Beside it the KL weighs "
        "D times too much, as if β were D: the usual road to posterior collapse.",
    ),
    Part(
        "batch_mean",
        lambda x, a: cross_entropy(a, x),
        "Your reconstruction is one mean over all pixels of all images, added to the KL of each image. "
        "Keep one number per image: see what `reduction` does when you leave it out.",
    ),
    Part(
        "batch_sum",
        lambda x, a: cross_entropy(a, x, reduction="sum"),
        "Your reconstruction is summed over the whole batch, then added to the KL of each image. Its "
        "weight grows with the batch size; keep one number per image.",
    ),
    Part(
        "batch_average",
        lambda x, a: cross_entropy(a, x, reduction="sum") / len(x),
        "Your reconstruction is already averaged over the batch, while the KL is still one number per "
        "image. The mean would be right, but this function returns the loss of each image: the step takes "
        "the mean.",
    ),
    Part(
        "sigmoid_twice",
        lambda x, a: cross_entropy(a.sigmoid(), x, reduction="none").sum(1),
        "The sigmoid is applied twice: once by you and once inside the cross-entropy, which takes logits. "
        "Probabilities are then squeezed between 0.5 and 0.73, and no pixel can become black.",
    ),
    Part(
        "reconstruction_sign",
        lambda x, a: -cross_entropy(a, x, reduction="none").sum(1),
        "Your reconstruction has the wrong sign: it is +log p(x|z), and minimising the loss would make the "
        "images less likely. A loss should fall when the reconstruction gets better.",
    ),
    Part(
        "one_sided",
        lambda x, a: -(x * nn.functional.logsigmoid(a)).sum(1),
        "Only the white pixels count in your reconstruction. A Bernoulli likelihood has a second term for "
        "x = 0; without it the best decoder paints everything white.",
    ),
    Part(
        "inverted",
        lambda x, a: cross_entropy(-a, x, reduction="none").sum(1),
        "Black and white are exchanged: a large logit should make a pixel with x = 1 likely. Look at the "
        "sign of the logits, and at which of the two terms x multiplies.",
    ),
    Part(
        "squares",
        lambda x, a: (x - a.sigmoid()).square().sum(1),
        "You sum squared errors. That is a Gaussian likelihood with 2σ² = 1 and its constant left out, not "
        "the Bernoulli one of black-and-white pixels; so it weighs differently against the KL.",
    ),
    Part(
        "squares",
        lambda x, a: 0.5 * (x - a.sigmoid()).square().sum(1),
        "You sum half the squared errors. That is a Gaussian likelihood with σ = 1, as wide as all the way "
        "from black to white, not the Bernoulli one of black-and-white pixels.",
    ),
    Part(
        "squares",
        lambda x, a: (x - a.sigmoid()).square().mean(1),
        "You average squared errors over the pixels. That is neither a sum nor the likelihood of "
        "black-and-white pixels, which is Bernoulli; so it weighs almost nothing against the KL.",
    ),
    Part(
        "squares",
        lambda x, a: (x - a.sigmoid()).square().mean(),
        "You average squared errors over pixels and images. One number per image is wanted, a sum over its pixels, and "
        "of the likelihood of black-and-white pixels, which is Bernoulli.",
    ),
    Part(
        "sizes",
        lambda x, a: 784 * cross_entropy(a, x, reduction="none").mean(1),
        "You multiply a mean by 784. The check's images have other sizes: use `sum`, or `logits.shape[1]`.",
    ),
    Part(
        "classes",
        lambda x, a: nn.functional.cross_entropy(a, x, reduction="none"),
        "That cross-entropy compares classes: it takes the pixels of an image for the classes of one answer. "
        "Each pixel is a question of its own, and there is a binary one for that.",
    ),
    Part(
        "arguments_exchanged",
        lambda x, a: (a * x - nn.functional.softplus(x)).sum(1).neg(),
        "Pixels and logits have changed places in your reconstruction: softplus belongs to the logits.",
    ),
    Part(
        "squares_of_logits",
        lambda x, a: (x - a).square().sum(1),
        "You compare pixels with logits. Logits are any real number, pixels are 0 or 1: the Bernoulli "
        "log-likelihood connects them.",
    ),
]

KLS = [
    Part("right", lambda mu, lv, z: _kl(mu, lv).sum(1), ok=True),
    Part(
        "sampled_kl",
        _sampled_kl,
        "Your KL is estimated from one z, as log q(z|x) − log p(z). Its mean is right; between two "
        "Gaussians there is a closed form, which has the same mean and less noise.",
        ok=True,
    ),
    Part(
        "kl_half",
        lambda mu, lv, z: 2 * _kl(mu, lv).sum(1),
        "Your KL is twice too large: the ½ in front of the sum is missing, as if β were 2.",
    ),
    Part(
        "kl_half_twice",
        lambda mu, lv, z: 0.5 * _kl(mu, lv).sum(1),
        "Your KL is half as large as it should be, as if β were ½. Is the factor ½ there twice?",
    ),
    Part(
        "kl_not_zero",
        lambda mu, lv, z: (_kl(mu, lv) + 0.5).sum(1),
        "Your KL is not 0 where q is the prior, at μ = 0 and log σ² = 0: the 1 is missing from the "
        "formula. The gradients survive that, the nats do not.",
    ),
    Part(
        "kl_not_zero",
        lambda mu, lv, z: (_kl(mu, lv) + 1).sum(1),
        "Your KL is not 0 where q is the prior, at μ = 0 and log σ² = 0: the 1 has the wrong sign. The "
        "gradients survive that, the nats do not.",
    ),
    Part(
        "kl_deviation",
        lambda mu, lv, z: _kl(mu, 2 * lv).sum(1),
        "Your KL reads `log_var` as log σ. It is log σ², the logarithm of the variance, so no further "
        "square or factor 2 is needed.",
    ),
    Part(
        "kl_root",
        lambda mu, lv, z: _kl(mu, lv / 2).sum(1),
        "Your KL is that of the standard deviation where the variance belongs. The formula is made of σ² "
        "and log σ², and `log_var` is log σ² already.",
    ),
    Part(
        "kl_mean",
        lambda mu, lv, z: _kl(mu, lv).mean(1),
        "Your KL is a mean over the latent dimensions, and should be a sum. As it stands, β depends on the "
        "latent size: the KL weighs d times too little.",
    ),
    Part(
        "kl_batch_sum",
        lambda mu, lv, z: _kl(mu, lv).sum(),
        "Your KL is summed over the whole batch, and every image pays for all. Which dimension holds the "
        "images, and which the latent numbers?",
    ),
    Part(
        "kl_batch_mean",
        lambda mu, lv, z: _kl(mu, lv).sum(1).mean(),
        "Your KL is averaged over the batch, while the reconstruction is still one number per image. Let "
        "it be one number per image too: the step takes the mean.",
    ),
    Part(
        "kl_batch_mean",
        lambda mu, lv, z: _kl(mu, lv).mean(),
        "Your KL is averaged over the batch and over the latent dimensions. Sum it over the latent "
        "dimensions only, so that one number per image is left.",
    ),
    Part(
        "kl_sign",
        lambda mu, lv, z: -_kl(mu, lv).sum(1),
        "Your KL has the wrong sign, so minimising the loss drives q(z|x) away from the prior without end. "
        "A KL is never negative: print yours. Or is it a bracket?",
    ),
    Part(
        "kl_reversed",
        lambda mu, lv, z: 0.5 * ((1 + mu**2) / lv.exp() - 1 + lv).sum(1),
        "That is KL(p‖q), the two distributions exchanged. The bound holds KL(q(z|x)‖p(z)), the mean over q.",
    ),
    Part(
        "kl_no_mean",
        lambda mu, lv, z: _kl(torch.zeros_like(mu), lv).sum(1),
        "Your KL forgets μ: nothing keeps the means near 0, so what you draw from the prior later will "
        "miss the places that the decoder knows.",
    ),
    Part(
        "kl_no_variance",
        lambda mu, lv, z: 0.5 * (mu**2).sum(1),
        "Your KL only counts μ: nothing keeps σ from going to 0, and then the VAE is a plain autoencoder.",
    ),
    Part(
        "kl_sign",
        lambda mu, lv, z: -_sampled_kl(mu, lv, z),
        "Your sampled KL has the wrong sign: it is log q(z|x) − log p(z), in this order.",
    ),
    Part(
        "kl_of_z",
        lambda mu, lv, z: _kl(z, lv).sum(1),
        "z stands in your KL where μ belongs. If you wrote μ, look for a `+=` that turned it into z.",
    ),
    Part(
        "kl_mean_not_squared",
        lambda mu, lv, z: 0.5 * (mu + lv.exp() - 1 - lv).sum(1),
        "μ is not squared in your KL. Where μ is negative, your KL is too small, and may fall below 0.",
    ),
    Part(
        "kl_deviation_not_squared",
        lambda mu, lv, z: 0.5 * (mu**2 + _sigma(lv) - 1 - lv).sum(1),
        "Your KL holds σ where σ² belongs.",
    ),
    Part(
        "kl_variance_squared",
        lambda mu, lv, z: 0.5 * (mu**2 + (2 * lv).exp() - 1 - lv).sum(1),
        "The variance is squared once more in your KL: exp(log σ²) is σ² already.",
    ),
    Part(
        "kl_log_deviation",
        lambda mu, lv, z: 0.5 * (mu**2 + lv.exp() - 1 - lv / 2).sum(1),
        "Your KL holds log σ where log σ² belongs.",
    ),
    Part(
        "kl_log_var_sign",
        lambda mu, lv, z: (_kl(mu, lv) + lv).sum(1),
        "The sign of `log_var` in your KL is wrong: it now falls without end as σ goes to 0. At which σ "
        "should a KL to the prior be smallest?",
    ),
]

SUMS = [
    Part("right", lambda r, k, beta: r + beta * k, ok=True),
    Part(
        "elbo",
        lambda r, k, beta: -(r + beta * k),
        "That is the ELBO itself, which one maximises. An optimiser minimises: change the sign of the whole.",
    ),
    Part(
        "beta_on_reconstruction",
        lambda r, k, beta: beta * r + k,
        "β multiplies your reconstruction, so a larger β gives better copies and lets the codes stray from "
        "the prior, the reverse of what it is for. (The survey article's λ stands there: β = 1/λ.)",
    ),
    Part(
        "beta_on_both",
        lambda r, k, beta: beta * (r + k),
        "β multiplies the whole loss, so it only changes the size of the step. Which of the two terms "
        "should it weigh?",
    ),
    Part(
        "beta_ignored",
        lambda r, k, beta: r + k,
        "Your loss is the same whatever β is. Where should the weight of the KL stand?",
    ),
    Part(
        "beta_divides",
        lambda r, k, beta: r + k / beta,
        "You divide the KL by β. A larger β should make the KL weigh more.",
    ),
    Part(
        "kl_missing",
        lambda r, k, beta: r,
        "The KL is missing, so this is an autoencoder with noise: nothing ties its latent space to the "
        "prior from which you will sample.",
    ),
    Part(
        "reconstruction_missing",
        lambda r, k, beta: beta * k,
        "The reconstruction is missing: with the KL alone every image is coded as the prior, and the "
        "decoder learns nothing.",
    ),
    Part(
        "kl_twice",
        lambda r, k, beta: r + (1 + beta) * k,
        "The KL stands in your sum twice, once without β.",
    ),
    Part(
        "halved",
        lambda r, k, beta: 0.5 * (r + beta * k),
        "You take half the sum of the two terms. The step goes the right way, but the number is half of "
        "−ELBO.",
    ),
]

SECOND = " (There is a second mistake too; check again when this one is mended.)"
TABLES = (SAMPLES, RECONSTRUCTIONS, KLS, SUMS)
RIGHT = tuple(table[0] for table in TABLES)


class Case(NamedTuple):
    """One input on which answers are compared: a model, binary images, noise, β."""

    vae: TinyVAE
    x: Tensor
    eps: Tensor
    beta: float


class Outcome(NamedTuple):
    """The loss of each image (B,), and the gradient of a weighted sum of them at all parameters of the model."""

    value: Tensor
    gradient: Tensor


def _case(batch: int, beta: float, vae: TinyVAE | None = None) -> Case:
    # In the notebook's own default dtype, so that a constant the learner writes fits the model.
    return Case(vae or TinyVAE(), torch.rand(batch, *PIXELS).round(), torch.randn(batch, LATENT), beta)


def _outcome(value: Tensor, vae: TinyVAE) -> Outcome:
    """Differentiate `value`; the weights differ from image to image, so that no two images can be exchanged."""
    weights = torch.linspace(1, 2, len(value), dtype=value.dtype)
    parameters = tuple(vae.parameters())
    try:
        gradients = torch.autograd.grad((weights * value).sum(), parameters, materialize_grads=True)
    except RuntimeError as error:
        if "inplace" in str(error):
            raise Mistake(
                "in_place",
                "A tensor that backward still needs was changed in place. Look for `+=`, `*=` and for methods that "
                "end in `_`.",
            ) from None
        if not all(each.requires_grad for each in parameters):
            raise Mistake(
                "left_frozen",
                "Parameters are frozen when your function is over. Put `requires_grad` back to True.",
            ) from None
        if value.grad_fn is None:
            raise Mistake(
                "no_gradient",
                "Your loss is cut from the graph, so nothing could be trained with it. Look for a "
                "`detach`, a `no_grad`, an `.item()` or a `torch.tensor(...)` on the way.",
            ) from None
        raise Mistake(
            "backward",
            "Your function has already gone backward. Return the loss and leave `backward` to the training "
            "step.",
        ) from None
    return Outcome(value.detach().double(), torch.cat([each.flatten() for each in gradients]).double())


def _explained(parts: tuple[Part, ...], case: Case) -> tuple[Tensor, TinyVAE]:
    sample, reconstruction, kl, total = parts
    mu, log_var = case.vae.encode(case.x)
    z = sample.formula(mu, log_var, case.eps)
    r = reconstruction.formula(case.x.flatten(1), case.vae.decode(z))
    return total.formula(r, kl.formula(mu, log_var, z), case.beta).expand(len(case.x)), case.vae


def _same(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= SAME * other.abs().max())


def _explains(parts: tuple[Part, ...], cases: list[Case], outcomes: list[Outcome]) -> bool:
    values = [_explained(parts, case) for case in cases]
    if not all(
        _same(seen.value, value.detach().double()) for seen, (value, _) in zip(outcomes, values, strict=True)
    ):
        return False
    return all(
        _same(seen.gradient, _outcome(*value).gradient) for seen, value in zip(outcomes, values, strict=True)
    )


def _explanations() -> list[tuple[Part, ...]]:
    """Every choice of parts with at most two wrong ones, the least wrong first."""

    def faults(parts: tuple[Part, ...]) -> tuple[int, int]:
        odd = [part for part in parts if part.kind != "right"]
        return sum(not part.ok for part in odd), len(odd)

    return sorted((parts for parts in itertools.product(*TABLES) if faults(parts)[0] <= 2), key=faults)


def _ask(answer: Answer, case: Case) -> tuple[Tensor, TinyVAE]:
    """The learner's loss on a copy of `case`, and the copied model whose graph it belongs to."""
    theirs = copy.deepcopy(case)
    value = answer(*theirs)
    batch, pixels = len(case.x), math.prod(PIXELS)
    one = "Return the loss of each image and sum over its own dimensions only: the step takes the mean."
    hints = {
        (): f"That is one number for the whole batch. {one}",
        (1,): f"That is one number for the whole batch. {one}",
        (batch, pixels): "Sum the reconstruction over the pixels of an image.",
        (batch, LATENT): "Sum the KL over the latent dimensions.",
        (batch, 1): "The last dimension is one too many: beside a (B,) it silently grows to (B, B).",
        (batch, batch): "A (B,) met a (B, 1) and grew to (B, B): print the shapes of your two terms.",
        (pixels,): f"You summed over the batch and kept the pixels. {one}",
        (LATENT,): f"You summed over the batch and kept the latent dimensions. {one}",
    }
    value = tensor(value, (batch,), "(B,)", hints)
    if not theirs.vae.training:
        raise Mistake("left_in_eval", "The model is still in evaluation mode when your function is over.")
    before = [*case.vae.state_dict().values(), case.x, case.eps]
    after = [*theirs.vae.state_dict().values(), theirs.x, theirs.eps]
    if not all(map(torch.equal, before, after)):
        raise Mistake(
            "changed_input",
            "Your function changes the images, the noise or the model it was given, and the next one to "
            "use them would be surprised. Look for `+=` and for methods that end in `_`.",
        )
    return value, theirs.vae


@gives_feedback
def check_vae_loss(loss: Callable[..., Tensor]) -> Feedback:
    """Say whether `loss(vae, x, eps, beta=1.0)` is −E log p(x|z) + β·KL(q(z|x) ‖ p(z)) of each image, with z = μ + σ·ε.

    −Σ log Bernoulli(x; sigmoid(logits)) + β·½ Σ (μ² + σ² − 1 − log σ²), shape (B,), summed over pixels and latent
    dimensions, in nats; x (B, 1, H, W) in {0, 1}, ε (B, d), `vae.encode(x)` gives μ and log σ² (B, d), `vae.decode(z)`
    gives logits (B, H·W). Values and gradients are compared on small models, to a relative 1e-3, so any equal formula
    passes. Raises nothing. Source: Kingma and Welling (2014), eq. 10; β: Higgins et al. (2017), eq. 4.
    """
    answer = Answer(loss, "my_vae_loss(vae, x, eps, beta)")
    torch.manual_seed(12)
    cases = [_case(batch, beta) for batch, beta in BATCHES]
    near = _case(*BATCHES[0], TinyVAE(mu=0.05, log_var=0.05))
    wide = _case(*BATCHES[0], TinyVAE(log_var=6.0))
    wide = wide._replace(eps=0 * wide.eps)  # or the logits would be large too
    tails = _case(*BATCHES[0], TinyVAE(spread=60.0))

    outcomes = [_outcome(*_ask(answer, case)) for case in cases]
    torch.manual_seed(13)
    if not _same(_ask(answer, cases[0])[0].detach().double(), outcomes[0].value):
        raise Mistake(
            "noise",
            "Two calls with the same `eps` gave two different losses, so new noise is drawn somewhere. Use "
            "the `eps` that comes in: a result that can be repeated can be tested.",
        )
    parts = next((parts for parts in _explanations() if _explains(parts, cases, outcomes)), None)
    if parts is None:
        raise _unknown(answer, cases, outcomes)
    wrong = [part for part in parts if not part.ok]
    if wrong:
        raise Mistake(wrong[0].kind, wrong[0].message + (SECOND if wrong[1:] else ""))
    _check_default(answer, cases[0], parts)
    _check_limits(answer, near, wide, parts)

    remarks = [(part.kind, part.message) for part in parts if part.kind != "right"]
    remarks += _in_the_tails(answer, tails, parts)
    return right("This is −ELBO, one number per image, and its gradient is right too.", remarks)


def _check_default(answer: Answer, case: Case, parts: tuple[Part, ...]) -> None:
    """Raise `Mistake` where β, left out, is not 1."""
    theirs = copy.deepcopy(case)
    try:
        value = answer(theirs.vae, theirs.x, theirs.eps)
    except Mistake:  # a loss that insists on its β is right too
        return
    plain = _explained(parts, case._replace(beta=1.0))[0]
    if not (
        isinstance(value, Tensor) and value.shape == plain.shape and _same(value.double(), plain.double())
    ):
        raise Mistake("default", "Without `beta` your loss should be −ELBO: the default of `beta` is 1.")


def _check_limits(answer: Answer, near: Case, wide: Case, parts: tuple[Part, ...]) -> None:
    """Raise `Mistake` where the loss is cut off: by free bits near the prior, or by bounds on `log_var`."""
    for case, message in (
        (
            near,
            "Close to the prior your KL stays too large: something like `clamp(min=...)` holds it up. Free bits are "
            "a cure for collapse, and no longer −ELBO.",
        ),
        (
            wide,
            "Where `log_var` is large, of either sign, your loss is cut off: look for a `clamp`. The bound has none.",
        ),
    ):
        value = _ask(answer, case)[0].detach().double()
        if not _same(value, _explained(parts, case)[0].detach().double()):
            raise Mistake("limited", message)


def _in_the_tails(answer: Answer, case: Case, parts: tuple[Part, ...]) -> list[tuple[str, str]]:
    """A remark if the loss is cut off where logits are ±60; raises `Mistake` if it is not finite there."""
    expected = _outcome(*_explained(parts, case))
    try:
        outcome = _outcome(*_ask(answer, case))
    except Mistake as found:
        if found.feedback.kind != "nan":
            raise
        outcome = Outcome(torch.tensor(math.nan), torch.tensor(math.nan))
    if not (outcome.value.isfinite().all() and outcome.gradient.isfinite().all()):
        raise Mistake(
            "tails",
            "The formula is right, but where the decoder is very sure of a pixel its loss or its gradient "
            "is no longer a finite number: the sigmoid is rounded to 1, and then comes log 0. There is a "
            "cross-entropy that takes the logits as they are.",
        )
    if _same(outcome.value, expected.value) and _same(outcome.gradient, expected.gradient):
        return []
    return [
        (
            "tails",
            "Where the decoder is very sure and wrong, a sigmoid rounded to 1 cuts your loss off, and its "
            "gradient vanishes just where it is needed. A cross-entropy that takes logits has no such edge.",
        )
    ]


def _unknown(answer: Answer, cases: list[Case], outcomes: list[Outcome]) -> Mistake:
    """What can be said of a wrong loss that stands in no table."""
    expected = [_outcome(*_explained(RIGHT, case)) for case in cases]
    if all(_same(seen.value, best.value) for seen, best in zip(outcomes, expected, strict=True)):
        return Mistake(
            "gradient",
            "The values are right, but the gradients are not: a part of the loss no longer reaches the "
            "parameters. Look for a `detach`, a `no_grad` or a `clamp`.",
        )
    factors = [seen.value / best.value for seen, best in zip(outcomes, expected, strict=True)]
    if all(_same(factor, factor.mean()) for factor in factors):
        return Mistake(
            "scale",
            f"Your loss is {factors[0].mean():.3g} times the right one on a batch of {len(factors[0])} "
            f"images, and {factors[1].mean():.3g} times on one of {len(factors[1])}. Is there a mean where "
            "a sum should be, or the reverse?",
        )
    case = cases[0]
    if found := _wrong_sample(answer, case):
        return found
    none, once = (_ask(answer, case._replace(beta=beta))[0].detach().double() for beta in (0.0, 1.0))
    right_none, right_once = (
        _explained(RIGHT, case._replace(beta=beta))[0].detach().double() for beta in (0.0, 1.0)
    )
    if _same(none, once):
        ignored = next(part for part in SUMS if part.kind == "beta_ignored")
        return Mistake(ignored.kind, ignored.message)
    if _same(none, right_none):
        return Mistake(
            "kl",
            "Your reconstruction is right and your KL, or its weight, is not. Try it by hand: for each latent "
            "dimension it should be 0 at μ = 0, log σ² = 0; 2 at μ = 2, log σ² = 0; and 0.36 at μ = 0, log σ² = 1.",
        )
    if _same(once - none, right_once - right_none):
        return Mistake(
            "reconstruction",
            "Your KL is right and your reconstruction is not. Try it by hand, for one pixel: it should be log 2 at "
            "logit 0, whatever x is, and 0.13 at logit 2 for x = 1.",
        )
    return Mistake(
        "value",
        "Neither of the two terms has the value it should. Begin with `beta=0`, where the reconstruction "
        "is left alone: with all logits at 0 it should be log 2 for each pixel.",
    )


def _wrong_sample(answer: Answer, case: Case) -> Mistake | None:
    """What is wrong with the z that the answer decodes, if that can be seen."""
    z = _decoded(answer, case)
    if z is None:
        return None
    mu, log_var = (each.detach() for each in case.vae.encode(case.x))
    if _same(z, log_var + _sigma(mu) * case.eps):
        return Mistake(
            "outputs_exchanged",
            "`vae.encode` gives μ first and `log_var` second; you take them in the other order.",
        )
    sample = next((part for part in SAMPLES if _same(z, part.formula(mu, log_var, case.eps))), None)
    if sample is None:
        return Mistake(
            "sample",
            "What you decode is not z = μ + σ·ε. Print μ, σ and z for one image, with `eps` all 0 and then all 1: z "
            "should be μ, then μ + σ, and σ = 1 where `log_var` = 0.",
        )
    if sample.ok or "detached" in sample.kind:  # the value cannot tell these from the right one
        return None
    return Mistake(sample.kind, sample.message + SECOND)


def _decoded(answer: Answer, case: Case) -> Tensor | None:
    """What the answer gives to the decoder, if it does so once and for the whole batch."""
    seen: list[Tensor] = []
    theirs = copy.deepcopy(case)
    decode = theirs.vae.decode
    theirs.vae.decode = lambda z: seen.append(z.detach().clone()) or decode(z)
    answer(*theirs)
    return seen[0] if len(seen) == 1 and seen[0].shape == case.eps.shape else None


# Find the scale


@gives_feedback
def check_scale_bug(
    answers: Mapping[str, float], pixels: int = 784, latent: int = 20, batch: int = 128
) -> Feedback:
    """Say whether `answers` names the β that each of four losses with misplaced means and sums really uses.

    β_eff = (weight of the KL / weight of the reconstruction) ÷ the same ratio in −ELBO, where both are sums over
    dimensions. P: reconstruction averaged over the D = `pixels`, KL summed: D. Q: reconstruction summed, KL averaged
    over the d = `latent` dimensions: 1/d. R: both averaged: D/d. S: reconstruction summed over the B = `batch` images
    too, KL averaged over them: 1/B. Answers may be rounded to 1 %. Raises nothing.
    """
    truth = {"P": pixels, "Q": 1 / latent, "R": pixels / latent, "S": 1 / batch}
    if answers is ...:
        answers = dict.fromkeys(truth, ...)
    if not isinstance(answers, Mapping):
        raise Mistake(
            "type",
            f"Please give a dict with a number for each letter, as in `{{'P': 2.0, ...}}`; this is {a_or_an(answers)}.",
        )
    given = {str(letter).strip().upper(): value for letter, value in answers.items()}
    missing = [letter for letter in truth if letter not in given]
    if missing:
        raise Mistake(
            "missing",
            f"The dict has no entry for {_snippets(missing)}. Its keys should be 'P', 'Q', 'R', 'S'.",
        )
    blank = [letter for letter in truth if given[letter] is ... or given[letter] is None]
    if len(blank) == len(truth):
        raise Mistake(
            "stub", "Replace each `...` by a number: by how much is the KL's weight changed against −ELBO?"
        )
    correct, first = [], None
    for letter in truth:
        if letter in blank:
            continue
        found = _scale_mistake(letter, given[letter], truth[letter], pixels, latent, batch)
        if found is None:
            correct.append(letter)
        else:
            first = first or found
    so_far = f" (Right so far: {_snippets(correct)}.)" if correct else ""
    if first:
        raise Mistake(first.feedback.kind, first.feedback.message + so_far)
    if blank:
        raise Mistake("unfinished", f"Still to do: {_snippets(blank)}.{so_far}")
    return right(
        f"All four. One word, `mean` or `sum`, moves β anywhere between 1/{batch} and {pixels}, and no "
        "error message says so."
    )


def _scale_mistake(
    letter: str, value: object, truth: float, pixels: int, latent: int, batch: int
) -> Mistake | None:
    if isinstance(value, str):
        return Mistake(
            "type",
            f"Snippet {letter} is a text. Leave the quotation marks out: Python works out `1 / 3` for you.",
        )
    try:
        value = math.nan if isinstance(value, bool) else float(value)
    except OverflowError:
        value = math.inf
    except (TypeError, ValueError, RuntimeError):  # the last from a tensor of several elements
        return Mistake("type", f"Snippet {letter} should be one number, and is {a_or_an(value)}.")
    if not (math.isfinite(value) and value > 0):
        return Mistake(
            "number",
            f"Snippet {letter} should be a positive, finite number: it is the ratio of two weights. (In Python `//` "
            "rounds down, 1 // 2 is 0.)",
        )
    if _near(value, truth):
        return None
    if abs(value - truth) <= 0.3 * truth:
        return Mistake("rounded", f"Snippet {letter} is close. Let Python do the division, and do not round.")
    if _near(value, 1 / truth):
        return Mistake(
            "reciprocal",
            f"Snippet {letter} is upside down: β weighs the KL, so divide the KL's weight by the "
            "reconstruction's.",
        )
    if _near(value, 1):
        return Mistake(
            "one",
            f"Snippet {letter} is not 1. Compare each term with −ELBO: is one of them divided by a number "
            "of pixels, of latent dimensions or of images, and the other not?",
        )
    powers = [p for p in itertools.product((0, 1, -1, 2, -2), repeat=3) if sum(map(abs, p)) <= 5]
    for p in sorted(powers, key=lambda p: sum(map(abs, p))):
        if _near(value, truth * pixels ** p[0] * latent ** p[1] * batch ** p[2]):
            return _factor_mistake(letter, p)
    return Mistake(
        "number",
        f"Snippet {letter} is no product or ratio of D, d and B. Write down by what each term is divided, "
        "compared with −ELBO, then take the ratio.",
    )


def _factor_mistake(letter: str, powers: tuple[int, int, int]) -> Mistake:
    in_pixels, in_latent, _ = powers
    if in_pixels and in_latent:
        return Mistake(
            "exchanged",
            f"Snippet {letter} mixes up the two sizes: a mean over pixels divides the reconstruction by D, "
            "a mean over latent dimensions divides the KL by d. Which of the two happens here, both or neither?",
        )
    if in_pixels:
        return Mistake(
            "pixels",
            f"Snippet {letter} is wrong by the number of pixels D: is the reconstruction averaged over them "
            "here?",
        )
    if in_latent:
        return Mistake(
            "latent",
            f"Snippet {letter} is wrong by the number of latent dimensions d: is the KL averaged over them?",
        )
    return Mistake(
        "batch",
        f"Snippet {letter} is wrong by the batch size B. What both terms are divided by cancels; only what "
        "happens to one of them alone counts.",
    )


def _near(value: float, truth: float) -> bool:
    return abs(value - truth) <= 0.01 * truth


def _snippets(letters: list[str]) -> str:
    if not letters[1:]:
        return f"snippet {letters[0]}"
    return f"snippets {', '.join(letters[:-1])} and {letters[-1]}"
