"""Checks of notebook 12, the VAE on digits: the loss of an image, and the hidden weight of a misplaced mean."""

import copy
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from helpers.checks.shared import (
    KL_FACTORS,
    KL_REDUCTIONS,
    KL_TERMS,
    SAMPLES,
    floats,
    gaussian_kl,
    kinds,
    sigma,
)
from helpers.feedback import Case, Close, Feedback, Mistake, Observe, Row, Task, Trial, Wanted, diagnose
from helpers.feedback.fallbacks import scaled, told, witness, worst
from helpers.feedback.observe import alike
from helpers.feedback.probes import at, in_any_order, in_the_tails, without
from helpers.feedback.sandbox import gives_feedback
from helpers.feedback.says import a_or_an, right

ROUNDING = Close(2e-5, 1e-5)  # nats, of float32


class TinyVAE(nn.Module):
    """A VAE of few pixels and latent dimensions, with μ ≠ 0, σ ≠ 1; `then` changes what a layer of its name says."""

    def __init__(self, pixels: int, latent: int):
        super().__init__()
        self.latent, self.then = latent, {}
        self.mu, self.log_var = nn.Linear(pixels, latent), nn.Linear(pixels, latent)
        self.out = nn.Linear(latent, pixels)
        with torch.no_grad():
            self.mu.bias.copy_(torch.tensor([0.9, -0.7, 0.5, 1.2, -0.6, 0.8])[:latent])
            self.log_var.bias.copy_(torch.tensor([-1.1, 0.8, 0.6, -0.5, 1.2, -0.9])[:latent])
            self.mu.weight /= 2  # so that no dimension's KL is so small that a clamp hardly shows
            self.log_var.weight /= 2
            self.out.weight.normal_()
            self.out.bias.copy_(1.5 * torch.tensor([1.0, -1.0]).repeat(pixels)[:pixels])

    def _says(self, name: str, x: Tensor) -> Tensor:
        return self.then.get(name, torch.clone)(getattr(self, name)(x))

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self._says("mu", x.flatten(1)), self._says("log_var", x.flatten(1))

    def decode(self, z: Tensor) -> Tensor:
        return self._says("out", z)


def _case(batch: int, shape: tuple[int, ...], latent: int, beta: float) -> Case:
    vae = TinyVAE(math.prod(shape), latent)
    return Case(vae=vae, x=torch.rand(batch, *shape).round(), eps=torch.randn(batch, latent), beta=beta)


def _then(**then: Callable[[Tensor], Tensor]) -> Callable[[Case], Case]:
    def make(c: Case) -> Case:
        vae = copy.deepcopy(c.vae)
        vae.then = then
        return c.but(vae=vae)

    return make


def _near_the_prior(c: Case) -> Case:
    return _then(mu=lambda t: t / 20, log_var=lambda t: t / 20)(c)


def _far_from_the_prior(c: Case) -> Case:
    return _then(log_var=lambda t: 6 * t)(c).but(
        eps=0 * c.eps
    )  # without noise, or the logits would be large too


NO_GRAPH = (
    "The value is right, but z is detached from the graph, so no gradient of the reconstruction reaches the encoder. "
    "Look for `detach`, `no_grad`, `.sample()` or `torch.tensor(...)`, around z or around `vae.encode`."
)
ENCODINGS = [
    Row("right", lambda c: c.vae.encode(c.x), ok=True),
    Row("detached", lambda c: [each.detach() for each in c.vae.encode(c.x)], NO_GRAPH),
    Row("outputs_exchanged", lambda c: c.vae.encode(c.x)[::-1],
        "`vae.encode` gives μ first and `log_var` second; you take them in the other order."),
]  # fmt: skip
Z = [
    *(replace(row, say=NO_GRAPH) if row.kind == "detached" else row for row in SAMPLES),
    Row("no_sampling", lambda mu, lv, eps: mu,
        "You decode z = μ, so `eps` has no effect and nothing is sampled. The bound averages over all z that q(z|x) "
        "allows, and a decoder that only ever sees the mean never learns to cope with the others."),
    Row("one_noise_for_all", lambda mu, lv, eps: mu + sigma(lv) * eps[:1],
        "One row of `eps` serves the whole batch. Each image needs noise of its own, or the errors of a batch no "
        "longer average out. `eps` has shape (B, d) already."),
]  # fmt: skip
SCORES = [
    Row("right", lambda x, a: softplus(a) - x * a, ok=True),
    Row("sigmoid_twice", lambda x, a: softplus(a.sigmoid()) - x * a.sigmoid(),
        "The sigmoid is applied twice: once by you and once inside the cross-entropy, which takes logits. "
        "Probabilities are then squeezed between 0.5 and 0.73, and no pixel can become white."),
    Row("one_sided", lambda x, a: x * softplus(-a),
        "Only the black pixels, x = 1, count in your reconstruction. A Bernoulli likelihood has a second term for "
        "x = 0; without it the best decoder paints everything black."),
    Row("one_sided", lambda x, a: (1 - x) * softplus(a),
        "Only the white pixels, x = 0, count in your reconstruction. A Bernoulli likelihood has a second term for "
        "x = 1; without it the best decoder paints everything white."),
    Row("inverted", lambda x, a: softplus(-a) + x * a,
        "Black and white are exchanged: a large logit should make a pixel with x = 1 likely. Look at the sign of the "
        "logits, and at which of the two terms x multiplies."),
    Row("squares", lambda x, a: (x - a.sigmoid()) ** 2,
        "You take squared errors. That is a Gaussian likelihood with 2σ² = 1 and its constant left out, not the "
        "Bernoulli one of black-and-white pixels; so it weighs differently against the KL."),
    Row("squares", lambda x, a: (x - a.sigmoid()) ** 2 / 2,
        "You take half the squared errors. That is a Gaussian likelihood with σ = 1, as wide as all the way from white "
        "to black, not the Bernoulli one of black-and-white pixels."),
    Row("squares_of_logits", lambda x, a: (x - a) ** 2,
        "You compare pixels with logits. Logits are any real number, pixels are 0 or 1: the Bernoulli log-likelihood "
        "connects them."),
    Row("arguments_exchanged", lambda x, a: softplus(x) - a * x,
        "Pixels and logits have changed places in your reconstruction: softplus belongs to the logits."),
    Row("classes", lambda x, a: -x * a.log_softmax(1),
        "That cross-entropy compares classes: it takes the pixels of an image for the classes of one answer. Each "
        "pixel is a question of its own, and there is a binary one for that."),
    Row("reconstruction_detached", lambda x, a: (softplus(a) - x * a).detach(),
        "The value is right, but the reconstruction is detached from the graph, so the decoder learns nothing. Look "
        "for `detach` or `no_grad`."),
]  # fmt: skip
OVER_PIXELS = [
    Row("right", lambda s: s.sum(1), ok=True),
    Row("pixel_mean", lambda s: s.mean(1),
        "Your reconstruction is a mean over the pixels, where log p(x|z) is a sum. Beside it the KL weighs D times too "
        "much, as if β were D: the usual road to posterior collapse."),
    Row("batch_mean", lambda s: s.mean(),
        "Your reconstruction is one mean over all pixels of all images, added to the KL of each image. Keep one number "
        "per image: see what `reduction` does when you leave it out."),
    Row("batch_sum", lambda s: s.sum(),
        "Your reconstruction is summed over the whole batch, then added to the KL of each image. Its weight grows with "
        "the batch size; keep one number per image."),
    Row("batch_average", lambda s: s.sum(1).mean(),
        "Your reconstruction is already averaged over the batch, while the KL is still one number per image. The mean "
        "would be right, but this function returns the loss of each image: the step takes the mean."),
    Row("sizes", lambda s: 784 * s.mean(1),
        "You multiply a mean by 784. The check's images have other sizes: use `sum`, or `logits.shape[1]`."),
]  # fmt: skip
KLS = [
    Row("right", lambda mu, lv, z: gaussian_kl(mu, lv), ok=True),
    Row("sampled_kl", lambda mu, lv, z: 0.5 * (z**2 - ((z - mu) / sigma(lv)) ** 2 - lv),
        "Your KL is estimated from one z, as log q(z|x) − log p(z). Its mean is right; between two Gaussians there is "
        "a closed form, which has the same mean and less noise.", ok=True),
    *[Row(row.kind, lambda mu, lv, z, f=row.f: f(mu, lv), row.say) for row in kinds(KL_TERMS, "kl_")],
    Row("kl_of_z", lambda mu, lv, z: gaussian_kl(z, lv),
        "z stands in your KL where μ belongs. If you wrote μ, look for a `+=` that turned it into z."),
]  # fmt: skip
SUMS = [
    Row("right", lambda r, k, beta: r + beta * k, ok=True),
    Row("elbo", lambda r, k, beta: -(r + beta * k),
        "That is the ELBO itself, which one maximises. An optimiser minimises: change the sign of the whole."),
    Row("reconstruction_sign", lambda r, k, beta: -r + beta * k,
        "Your reconstruction has the wrong sign: it is +log p(x|z), and minimising the loss would make the images less "
        "likely. A loss should fall when the reconstruction gets better."),
    Row("kl_sign", lambda r, k, beta: r - beta * k,
        "Your KL has the wrong sign, so minimising the loss drives q(z|x) away from the prior without end. A KL is "
        "never negative: print yours. (If you sample it: look at the order of the two logarithms.)"),
    Row("beta_on_reconstruction", lambda r, k, beta: beta * r + k,
        "β multiplies your reconstruction, so a larger β gives better copies and lets the codes stray from the prior, "
        "the reverse of what it is for. (The survey article's λ stands there: β = 1/λ.)"),
    Row("beta_on_both", lambda r, k, beta: beta * (r + k),
        "β multiplies the whole loss, so it only changes the size of the step. Which of the two should it weigh?"),
    Row("beta_on_both", lambda r, k, beta: (1 - beta) * r + beta * k,
        "β shares one weight out between the two terms. In a β-VAE the reconstruction keeps its own."),
    Row("beta_on_reconstruction", lambda r, k, beta: r / beta + k,
        "You divide the reconstruction by β, so the whole loss is too. Only the KL should be weighed."),
    Row("beta_ignored", lambda r, k, beta: r + k,
        "Your loss is the same whatever β is. Where should the weight of the KL stand?"),
    Row("beta_divides", lambda r, k, beta: r + k / beta,
        "You divide the KL by β. A larger β should make the KL weigh more."),
    Row("kl_missing", lambda r, k, beta: r + 0 * k,
        "The KL is missing, so this is an autoencoder with noise: nothing keeps its codes close to the prior from "
        "which you will sample."),
    Row("reconstruction_missing", lambda r, k, beta: 0 * r + beta * k,
        "The reconstruction is missing: with the KL alone every image is coded as the prior, and the decoder learns "
        "nothing."),
    Row("kl_twice", lambda r, k, beta: r + (1 + beta) * k, "The KL stands in your sum twice, once without β."),
    Row("batch_mean", lambda r, k, beta: (v := r + beta * k) / len(v),
        "You divide the loss of each image by the number of images. The step takes their mean; it would divide again."),
]  # fmt: skip


def _compose(c, encode, draw, score, over_pixels, kl, factor, reduce, total):
    mu, log_var = encode(c)
    z = draw(mu, log_var, c.eps)
    return total(over_pixels(score(c, z)), reduce(factor(kl(mu, log_var, z))), c.beta).expand(len(c.x))


def _hints(c: Case) -> dict[tuple, str]:
    batch, latent, pixels = len(c.x), c.eps.shape[1], c.x[0].numel()
    one = "Return the loss of each image and sum over its own dimensions only: the step takes the mean."
    return {
        (): f"That is one number for the whole batch. {one}",
        (1,): f"That is one number for the whole batch. {one}",
        (batch, pixels): "Sum the reconstruction over the pixels of an image.",
        (batch, latent): "Sum the KL over the latent dimensions.",
        (batch, 1): "The last dimension is one too many: beside a (B,) it silently grows to (B, B).",
        (batch, batch): "A (B,) met a (B, 1) and grew to (B, B): print the shapes of your two terms.",
        (pixels,): f"You summed over the batch and kept the pixels. {one}",
        (latent,): f"You summed over the batch and kept the latent dimensions. {one}",
    }


SECOND = " (There is a second mistake too; check again when this one is mended.)"


def _wrong_sample(trial: Trial) -> Mistake | None:
    """What is wrong with the z that is decoded, if that is done once and for the whole batch."""
    fitting = Z
    for case in map(copy.deepcopy, trial.cases):
        decoded, decode = [], case.vae.decode
        case.vae.decode = lambda z, to=decoded, decode=decode: to.append(z.detach().clone()) or decode(z)
        trial.answer(*case.values())
        if len(decoded) != 1 or decoded[0].shape != case.eps.shape:
            return None
        with torch.no_grad():
            q = case.vae.encode(case.x)
            fitting = [row for row in fitting if alike(decoded[0], row.f(*q, case.eps), Close())]
    if not fitting:
        return Mistake("sample", f"What you decode is not z = μ + σ·ε. {witness(trial)}")
    return None if fitting[0].ok else Mistake(fitting[0].kind, fitting[0].say + SECOND)


def _which_term(trial: Trial) -> Mistake | None:
    """Which of the two terms is wrong, seen at β = 0, at β = 1, and in what changes between."""
    nones, onces = ([case.but(beta=beta) for case in trial.cases] for beta in (0.0, 1.0))
    seen, seen_once, ours, ours_once = (
        [f(case)["value"] for case in cases] for f in (trial.ask, trial.ours) for cases in (nones, onces)
    )
    changes = [[b - a for a, b in zip(*each, strict=True)] for each in ((seen, seen_once), (ours, ours_once))]

    def same(mine: list[Tensor], right: list[Tensor]) -> bool:
        return all(alike(a, b, Close()) for a, b in zip(mine, right, strict=True))

    if not any(change.any() for change in changes[0]):
        return Mistake("beta_ignored", next(row.say for row in SUMS if row.kind == "beta_ignored"))
    for fits, kind, say in (
        (
            same(seen_once, ours_once),
            "beta",
            "At β = 1 your loss is right, so both terms are. How does β come in?",
        ),
        (same(seen, ours), "kl", "At β = 0 your loss is right, so look at the KL, and at its weight."),
        (same(*changes), "reconstruction", "Your KL is right and your reconstruction is not."),
    ):
        if fits:
            given, wanted = map(told, worst(trial)[3:])
            return Mistake(kind, f"{say} {witness(trial) if given != wanted else 'Is anything cut off?'}")
    return None


VAE_LOSS = Task(
    usage="my_vae_loss(vae, x, eps, beta)",
    cases=lambda: [_case(5, (1, 2, 6), 4, 2.5), _case(7, (1, 3, 5), 6, 0.4)],
    tables=(
        ENCODINGS,
        Z,
        [replace(row, f=lambda c, z, f=row.f: f(c.x.flatten(1), c.vae.decode(z))) for row in SCORES],
        OVER_PIXELS,
        KLS,
        [KL_FACTORS[0], *(row for row in kinds(KL_FACTORS, "kl_") if row.kind != "kl_sign")],
        [KL_REDUCTIONS[0], *kinds(KL_REDUCTIONS, "kl_")],
        SUMS,
    ),
    compose=_compose,
    observe=Observe(Wanted("(B,)", lambda c: (len(c.x),), _hints), ("vae",), floats),
    praise="This is −ELBO, one number per image, and its gradient is right too.",
    probes=(
        in_any_order("images", {"x": 0, "eps": 0}),
        without("beta", 1.0, "Without `beta` your loss should be −ELBO: the default of `beta` is 1."),
        at(_near_the_prior, "limited",
           "Close to the prior your KL stays too large: something like `clamp(min=...)` holds it up. Free bits are a "
           "cure for collapse, and no longer −ELBO.", ROUNDING, ("value",)),
        at(_far_from_the_prior, "limited",
           "Where `log_var` is large, of either sign, your loss is cut off: look for a `clamp`. The bound has none.",
           names=("value",)),
        in_the_tails(_then(out=lambda a: 40 * a),
            "The formula is right, but where the decoder's probability is very close to 0 or 1, the loss or its "
            "gradient is no longer a finite number: the sigmoid is rounded to 1, and then comes log 0. There is a "
            "cross-entropy that takes the logits as they are.",
            "Where the decoder's probability is very close to 0 or 1 and wrong, a sigmoid rounded to 1 cuts your loss "
            "off, and its gradient vanishes just where it is needed. A cross-entropy that takes logits has no such "
            "limit."),
    ),
    fallbacks=(
        scaled("Your loss", lambda c: {"d": c.eps.shape[1], "D": c.x[0].numel()}),
        _wrong_sample,
        _which_term,
    ),
    retreat=_then(log_var=torch.abs),
    seed=12,
)  # fmt: skip


def check_vae_loss(loss: Callable[..., Tensor]) -> Feedback:
    """Say whether `loss(vae, x, eps, beta=1.0)` is −E log p(x|z) + β·KL(q(z|x) ‖ p(z)) of each image, with z = μ + σ·ε.

    −Σ log Bernoulli(x; sigmoid(logits)) + β·½ Σ (μ² + σ² − 1 − log σ²), shape (B,), summed over pixels and latent
    dimensions, in nats; x (B, 1, H, W) in {0, 1}, ε (B, d), `vae.encode(x)` gives μ and log σ² (B, d), `vae.decode(z)`
    gives logits (B, H·W). Values and gradients are compared on small models, to a relative 1e-3, so any equal formula
    passes. Raises nothing. Source: Kingma and Welling (2014), eq. 10; β: Higgins et al. (2017), eq. 4.
    """
    return diagnose(VAE_LOSS, loss)


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
    answers = dict.fromkeys(truth, ...) if answers is ... else answers
    if not isinstance(answers, Mapping):
        text = "Please give a dict with a number for each letter, as in `{{'P': 2.0, ...}}`; this is {}."
        raise Mistake("type", text.format(a_or_an(answers)))
    given = {str(letter).strip().upper(): value for letter, value in answers.items()}
    missing = [letter for letter in truth if letter not in given]
    if missing:
        text = "The dict has no entry for {}. Its keys should be 'P', 'Q', 'R', 'S'."
        raise Mistake("missing", text.format(_snippets(missing)))
    blank = [letter for letter in truth if given[letter] is ... or given[letter] is None]
    if len(blank) == len(truth):
        text = "Replace each `...` by a number: by how much is the KL's weight changed against −ELBO?"
        raise Mistake("stub", text)
    found = {
        letter: _scale_mistake(given[letter], truth[letter], (pixels, latent, batch))
        for letter in truth
        if letter not in blank
    }
    correct = [letter for letter, mistake in found.items() if mistake is None]
    so_far = f" (Right so far: {_snippets(correct)}.)" if correct else ""
    for letter, mistake in found.items():
        if mistake:
            raise Mistake(mistake[0], f"Snippet {letter} {mistake[1]}{so_far}")
    if blank:
        raise Mistake("unfinished", f"Still to do: {_snippets(blank)}.{so_far}")
    return right(
        f"All four. One word, `mean` or `sum`, moves β anywhere between 1/{batch} and {pixels}, and no error message "
        "says so."
    )


def _scale_mistake(value: object, truth: float, sizes: tuple[int, int, int]) -> tuple[str, str] | None:
    """(kind, what to say of the snippet) of a wrong β."""
    if isinstance(value, str):
        return "type", "is a text. Leave the quotation marks out: Python works out `1 / 3` for you."
    try:
        value = math.nan if isinstance(value, bool) else float(value)
    except OverflowError:
        value = math.inf
    except (TypeError, ValueError, RuntimeError):  # the last from a tensor of several elements
        return "type", f"should be one number, and is {a_or_an(value)}."

    def near(other: float) -> bool:
        return abs(value - other) <= 0.01 * other

    if not (math.isfinite(value) and value > 0):
        return "number", (
            "should be a positive, finite number: it is the ratio of two weights. (In Python `//` rounds down, 1 // 2 "
            "is 0.)"
        )
    if near(truth):
        return None
    if abs(value - truth) <= 0.3 * truth:
        return "rounded", "is close. Let Python do the division, and do not round."
    if near(1 / truth):
        return (
            "reciprocal",
            "is upside down: β weighs the KL, so divide the KL's weight by the reconstruction's.",
        )
    if near(1):
        return "one", (
            "is not 1. Compare each term with −ELBO: is one of them divided by a number of pixels, of latent "
            "dimensions or of images, and the other not?"
        )
    powers = [p for p in itertools.product((0, 1, -1, 2, -2), repeat=3) if sum(map(abs, p)) <= 5]
    for p in sorted(powers, key=lambda p: sum(map(abs, p))):
        if near(truth * math.prod(size**power for size, power in zip(sizes, p, strict=True))):
            return FORGOTTEN[bool(p[0]), bool(p[1])]
    return "number", (
        "is no product or ratio of D, d and B. Write down by what each term is divided, compared with −ELBO, then take "
        "the ratio."
    )


# By whether a power of D and one of d is wrong.
FORGOTTEN = {
    (True, True): (
        "exchanged",
        "mixes up the two sizes: a mean over pixels divides the reconstruction by D, a mean over latent dimensions "
        "divides the KL by d. Which of the two happens here, both or neither?",
    ),
    (True, False): (
        "pixels",
        "is wrong by the number of pixels D: is the reconstruction averaged over them here?",
    ),
    (False, True): ("latent", "is wrong by the number of latent dimensions d: is the KL averaged over them?"),
    (False, False): (
        "batch",
        "is wrong by the batch size B. What both terms are divided by cancels; only what happens to one of them alone "
        "counts.",
    ),
}


def _snippets(letters: list[str]) -> str:
    return f"snippets {', '.join(letters[:-1])} and {letters[-1]}" if letters[1:] else f"snippet {letters[0]}"
