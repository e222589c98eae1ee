"""Checks of notebook 14: the importance-weighted bound, and a vector quantiser with its straight-through gradient."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from helpers.checks.shared import (
    DRAWS,
    LIKELIHOODS,
    entropy,
    evidence,
    exact_case,
    far_away,
    floats,
    guarded,
    log_normal,
    log_prior,
    log_q,
    noise,
    of_each_observation,
    rate,
    samples_used,
    sigma,
    sizes_of,
)
from helpers.feedback import Case, Close, Feedback, Mistake, Observe, Row, Task, Trial, Wanted, diagnose
from helpers.feedback.fallbacks import scaled, shifted, witness
from helpers.feedback.probes import at, in_any_order, other_dtype
from helpers.feedback.says import a_or_an
from helpers.theory import exact_elbo, log_mean_exp

# The bound: z, three log-densities at that z, the logarithm of the weights (K, B), their mean, the result (B,).

ANTITHETIC = Row(
    "antithetic",
    lambda c: torch.cat([c.mu + s * sigma(c.log_var) * c.eps for s in (1, -1)]),
    "You use each `eps` with both signs, which makes 2K samples: a bound for another number of samples, and they are "
    "not independent. Use each once.",
)
EXACT = Row(
    "exact_part",
    lambda c, z: exact_elbo(c.model, c.x, c.mu, c.log_var) + rate(c),
    "You put the mean of log p(x|z) in, known exactly. The ELBO may do that; here each weight belongs to one sample.",
)
PLACE = (
    "log {} is not evaluated at the sample itself. All densities of one weight belong to one and the same z."
)
OF_DIMENSIONS = "log {} is a mean over the latent dimensions, and should be a sum."
PRIORS = [
    Row("right", lambda c, z: log_prior(z), ok=True),
    Row("prior_place", lambda c, z: log_prior(noise(c, z)), PLACE.format("p(z)")),
    Row("prior_place", lambda c, z: log_prior(c.mu), PLACE.format("p(z)")),
    Row("dimension_mean", lambda c, z: log_prior(z) / z.shape[-1], OF_DIMENSIONS.format("p(z)")),
]
QS = [
    Row("right", log_q, ok=True),
    Row("density_detached", lambda c, z: log_normal(z, c.mu.detach(), c.log_var.detach()),
        "Within log q your μ and σ are constants. In the ELBO that keeps the mean of the gradient; under the logarithm "
        "of a mean it does not."),
    Row("exact_part", lambda c, z: -entropy(c),
        "The entropy of q stands where each sample needs its own log q(z|x): a mean taken too early."),
    Row("q_place", lambda c, z: log_q(c, c.mu), PLACE.format("q(z|x)")),
    Row("q_place", lambda c, z: log_q(c, noise(c, z)), PLACE.format("q(z|x)")),
    Row("q_place", lambda c, z: log_normal(z, 0 * c.mu, c.log_var),
        "Your log q(z|x) is centred at 0. Each q is centred at its own μ."),
    Row("q_of_noise", lambda c, z: log_prior(noise(c, z)),
        "You take the density of the noise for that of z. Stretching the noise by σ thins it out."),
    Row("q_of_noise", lambda c, z: log_prior(noise(c, z)) + c.log_var.sum(-1) / 2,
        "You turn the density of the noise into that of z by the factor of the stretching, in the wrong direction: a "
        "wide q is thin."),
    Row("q_of_noise", lambda c, z: log_prior(noise(c, z)) - c.log_var.sum(-1),
        "Your log q(z|x) holds log σ² where log σ belongs: a ½ is missing."),
    Row("q_variance", lambda c, z: log_normal(z, c.mu, 2 * c.log_var),
        "The density of q has the variance where the standard deviation belongs. Which of the two does `Normal` take?"),
    Row("q_variance", lambda c, z: log_normal(z, c.mu, 0 * c.log_var),
        "The density of q has the standard deviation 1. Each q has one of its own."),
    Row("q_log_var", lambda c, z: log_normal(z, c.mu, c.log_var / 2),
        "The density of q is too narrow or too wide by a root: `log_var` is the logarithm of the variance."),
    Row("dimension_mean", lambda c, z: log_q(c, z) / z.shape[-1], OF_DIMENSIONS.format("q(z|x)")),
    Row("mean_apart", lambda c, z: log_mean_exp(log_q(c, z)),
        "The density of q is averaged apart from the rest of the weight. Put each weight together first."),
]  # fmt: skip
WEIGHTS = [
    Row("right", lambda c, r, p, q: (r, p - q), ok=True),
    Row("closed_kl", lambda c, r, p, q: (r, -rate(c)),
        "The KL in closed form stands where each sample needs its own log p(z) − log q(z|x). A KL is already a mean "
        "over q: here the mean is taken later, over the weights."),
    Row("inverted", lambda c, r, p, q: (r, q - p),
        "Prior and q have changed places in the weight: a sample that q gives too often should count less, not more."),
    Row("no_log_q", lambda c, r, p, q: (r, p),
        "The weight is not divided by q's own density. Samples come from q; what makes up for that?"),
    Row("no_prior", lambda c, r, p, q: (r, -q),
        "The prior is missing from the weight: nothing asks whether the model itself would sample this z."),
    Row("no_ratio", lambda c, r, p, q: (r, 0 * r),
        "Only p(x|z) is averaged. That would be right for samples from the prior; yours come from q."),
    Row("no_likelihood", lambda c, r, p, q: (0 * r, p - q),
        "The data are missing from the weight: where does log p(x|z) come in?"),
    Row("q_added", lambda c, r, p, q: (r, p + q),
        "log q(z|x) has the wrong sign: you multiply by a density that should divide."),
    Row("prior_sign", lambda c, r, p, q: (r, -p - q),
        "log p(z) has the wrong sign: you divide by a density that should multiply."),
    Row("mean_apart", lambda c, r, p, q: (r, log_mean_exp(p) - log_mean_exp(q)),
        "The three densities of a weight are averaged apart. A weight is made of all three: put it together first."),
    Row("evidence", lambda c, r, p, q: (c.once(evidence) + 0 * r, 0 * r),
        "That is log p(x) itself, which this model happens to know. The bound lies below it, and depends on q."),
]  # fmt: skip
MEANS = [
    Row("right", lambda w, r, k: log_mean_exp(w), ok=True),
    Row("mean_of_logs", lambda w, r, k: w.mean(0),
        "You average the logarithms of the weights. That is the ELBO, whatever K is: which comes first here, the mean "
        "or the logarithm?"),
    Row("mean_of_logs", lambda w, r, k: w.sum(0),
        "You add the logarithms of the weights, which multiplies the weights. Which comes first, the mean or the "
        "logarithm?"),
    Row("sum", lambda w, r, k: w.logsumexp(0),
        "You add the weights up, and should average them: as it stands the bound grows by log K, above log p(x)."),
    Row("normalised", lambda w, r, k: (w.softmax(0) * w).sum(0),
        "You average log w with the normalised weights. That mean lies above the bound; normalised weights belong in "
        "its gradient."),
    Row("inverted", lambda w, r, k: log_mean_exp(-w),
        "The whole weight is turned upside down: it is q over the joint, where the joint over q is wanted."),
    Row("best", lambda w, r, k: w.max(0).values, "You keep the best sample alone. All K are averaged."),
    Row("no_logarithm", lambda w, r, k: log_mean_exp(w).exp(),
        "That is the mean of the weights, an estimate of p(x). The bound is about its logarithm."),
    Row("mean_apart", lambda w, r, k: log_mean_exp(r) + k.mean(0),
        "The two factors of a weight are averaged apart, one inside the logarithm and one outside. A weight is a "
        "product: put it together first."),
    Row("mean_apart", lambda w, r, k: log_mean_exp(r) + log_mean_exp(k),
        "The two factors of a weight are averaged apart. A weight is a product: put it together first."),
    Row("max_lost", lambda w, r, k: log_mean_exp(w) - w.max(0).values,
        "The largest log weight was subtracted before the exponential, and never added again."),
    Row("divided_log", lambda w, r, k: w.logsumexp(0) / len(w),
        "You divide the logarithm by K. It is the sum that is divided, before the logarithm is taken."),
    Row("log_k_sign", lambda w, r, k: w.logsumexp(0) + math.log(len(w)),
        "You add log K. A mean is a sum *divided* by K: what is that in logarithms?"),
    Row("wrong_count", lambda w, r, k: w.logsumexp(0) - math.log(max(len(w) - 1, 1)),
        "You divide by K − 1. That belongs to a variance; a mean divides by K."),
    Row("wrong_count", lambda w, r, k: w.logsumexp(0) - math.log(w.shape[1]),
        "You divide by the number of observations, and should divide by the number of samples."),
    Row("batch_mixed", lambda w, r, k: (w.flatten().logsumexp(0) - math.log(w.numel())).expand(w.shape[1]),
        "The weights of all observations are averaged together. Each observation has K weights of its own."),
]  # fmt: skip
RESULTS = [
    Row("right", lambda v: v, ok=True),
    Row("negative", lambda v: -v, "That is the negative of the bound, a loss. Here the bound is wanted."),
    Row("batch_mean", lambda v: v.mean().expand_as(v),
        "Every observation has the same bound: you average over the batch. Average over the K samples only."),
    Row("bits", lambda v: v / math.log(2), "Your bound is in bits. Nats are wanted."),
]  # fmt: skip


def _compose(c, draw, likelihood, prior, q, weigh, mean, end):
    z = draw(c)
    size = (len(z), len(c.x))
    densities = (f(c, z) for f in (likelihood, prior, q))
    r, k = weigh(c, *(each if each.shape == size else each.expand(size) for each in densities))
    r, k = r.expand(size), k.expand(size)
    return end(mean(r + k, r, k))


def _some_draws(trial: Trial) -> Mistake | None:
    used, every = len(samples_used(trial)), len(trial.cases[0].eps)
    text = f"Only {used} of the {every} samples have an effect: `eps` holds them along dimension 0."
    return Mistake("some_draws", text) if used < every else None


def _one_size(trial: Trial) -> Mistake | None:
    fits = [trial.task.alike(seen, trial.ours(c)) for seen, c in zip(trial.seen, trial.cases, strict=True)]
    text = "For {} samples your bound is right, for {} it is not. Is a size written into it, or anything cut off?"
    counts = [len(c.eps) for c in (trial.cases if fits[0] else trial.cases[::-1])]
    return Mistake("sizes", text.format(*counts)) if any(fits) else None


IN_FLOAT32 = {f"gradient at {name}": Close(1e-2) for name in ("mu", "log_var")}
BOUND = Task(
    usage="my_iwae_bound(model, x, mu, log_var, eps)",
    cases=lambda: [exact_case(*sizes) for sizes in ((5, 3, 4, 6), (4, 5, 7, 3))],  # (B, d, D, K)
    tables=([*DRAWS, ANTITHETIC], [*LIKELIHOODS, EXACT], PRIORS, QS, WEIGHTS, MEANS, RESULTS),
    ways=[
        Row("not_a_logarithm", lambda c: BOUND.best()(c.but(log_var=2 * c.log_var)),
            "You read `log_var` as log σ, in the samples and in q alike, so this is the bound of another q than the "
            "one you were given. It is log σ²."),
    ],
    compose=_compose,
    observe=Observe(Wanted("(B,)", lambda c: c.x.shape[:1], of_each_observation), ("mu", "log_var"), floats),
    praise="Each observation has the logarithm of its mean weight, with a gradient that reaches μ and σ.",
    probes=(
        in_any_order("observations", {"x": 0, "mu": 0, "log_var": 0, "eps": 1}),
        at(far_away, "underflow",
           "For x near the model your bound is right, and further away it is not. There every weight is smaller than "
           "any float, and samples of one x differ by more than a float can hold, as with images. Do you leave the "
           "logarithm on the way, or is something cut off?", IN_FLOAT32),
        other_dtype(),
    ),
    fallbacks=(
        guarded,
        scaled("Your bound", sizes_of),
        shifted("Every row", "A constant of a Gaussian, or of the mean over K samples, is missing or wrong."),
        _some_draws,
        _one_size,
    ),
    seed=14,
)  # fmt: skip


def check_iwae_bound(iwae_bound: Callable[..., Tensor]) -> Feedback:
    """Say whether `iwae_bound(model, x, mu, log_var, eps)` is log (1/K) Σ p(x|zₖ) p(zₖ)/q(zₖ|x) of each observation.

    q = N(μ, diag σ²), zₖ = μ + σ·εₖ; x (B, D), μ and log σ² (B, d), ε (K, B, d), to (B,), in nats; `model` is a
    `LinearGaussian`. Values, and gradients at μ and log σ², are compared to a relative 1e-3, in float32 and float64,
    with rows in another order, and where the weights leave the floats. Raises nothing. Source: Burda, Grosse,
    Salakhutdinov (2016), eq. 8.
    """
    return diagnose(BOUND, iwae_bound)


# The quantiser: how a code is chosen, what z is made of, where its gradient arrives, what is returned.


def _squares(h: Tensor, codes: Tensor) -> Tensor:
    return (h[:, None] - codes).square().sum(2)


def _unit(rows: Tensor) -> Tensor:
    return rows / rows.norm(dim=1, keepdim=True)


NUMBERS = [
    Row("right", lambda h, codes: _squares(h, codes).argmin(1), ok=True),
    Row("furthest", lambda h, codes: _squares(h, codes).argmax(1),
        "You choose the code that is furthest away. The nearest is wanted."),
    Row("cosine", lambda h, codes: (_unit(h) @ _unit(codes).T).argmax(1),
        "You choose the code with the nearest direction. Lengths count too: how far apart are the two points?"),
    Row("product", lambda h, codes: (h @ codes.T).argmax(1),
        "You choose the code with the largest product with h. That prefers long codes: a distance is wanted."),
    Row("half_square", lambda h, codes: (codes.square().sum(1) - h @ codes.T).argmin(1),
        "When |h − e|² is multiplied out, the mixed term has a factor 2; yours has lost it."),
    Row("absolute", lambda h, codes: (h[:, None] - codes).abs().sum(2).argmin(1),
        "You add absolute differences. The distance here is the usual one: squares are added."),
    Row("signed", lambda h, codes: (h[:, None] - codes).sum(2).argmin(1),
        "You add differences with their signs, so that they cancel. What makes a difference into a distance?"),
    Row("signed", lambda h, codes: (h[:, None] - codes).sum(2).abs().argmin(1),
        "You add the differences first, so that they cancel, and only then drop the sign."),
    Row("largest_difference", lambda h, codes: (h[:, None] - codes).abs().amax(2).argmin(1),
        "You compare the largest difference of a coordinate. In the usual distance all coordinates count."),
    Row("first_coordinate", lambda h, codes: (h[:, None, 0] - codes[:, 0]).abs().argmin(1),
        "Only the first coordinate decides. All of them make the distance."),
    Row("second", lambda h, codes: _squares(h, codes).argsort(1)[:, 1],
        "You choose the second nearest code. Where does your sorted list begin?"),
    Row("one_for_all", lambda h, codes: _squares(h, codes).sum(0).argmin().expand(len(h)),
        "All vectors get the same code. Each vector chooses for itself."),
    Row("shape", lambda h, codes: _squares(h, codes).argmin(0),
        "You ask for each code which vector is nearest. Turn it round: one code for each vector."),
    Row("shape", lambda h, codes: _squares(h, codes).argmin(),
        "You look for one index. Each vector has a code of its own: over which dimension is the smallest sought?"),
    Row("pairs", lambda h, codes: (h - codes).square().sum(1).argmin(),
        "Vectors and codes met row by row, the first with the first. Every vector has to meet every code: which "
        "dimension does each of the two lack, so that together they spread out to (N, K, d)?"),
]  # fmt: skip
VALUES = [
    Row("right", lambda h, e: e, ok=True),
    Row("not_quantised", lambda h, e: h,
        "Your z is still h: the value must be that of the code. Only its gradient is borrowed."),
    Row("overshoot", lambda h, e: 2 * e - h, "Your z goes past the code: the difference is counted twice."),
    Row("difference", lambda h, e: e - h, "Your z is the difference of code and vector. The code is wanted."),
    Row("difference", lambda h, e: h - e, "Your z is the difference of vector and code. The code is wanted."),
    Row("mirrored", lambda h, e: 2 * h - e, "Your z lies on the other side of h: look at the sign."),
    Row("halfway", lambda h, e: (h + e) / 2, "Your z lies halfway between vector and code."),
    Row("sum", lambda h, e: h + e, "Your z is the sum of vector and code: what has to be taken away again?"),
    Row("unit", lambda h, e: _unit(e), "Your z has been brought to length 1. The code stays as it is."),
]  # fmt: skip


def _reaching(of_h: float, of_codes: float) -> Callable[[Tensor, Tensor], Tensor]:
    """What is 0 and has these multiples of the gradients of h and of the chosen codes."""
    return lambda h, e: of_h * (h - h.detach()) + of_codes * (e - e.detach())


GRADIENTS = [
    Row("right", _reaching(1, 0), ok=True),
    Row("no_gradient", _reaching(0, 1),
        "The gradient of z goes to the codes, and none reaches h: the encoder would learn nothing. It should arrive at "
        "h, as if z were h."),
    Row("no_gradient", _reaching(0, 0),
        "No gradient reaches h: the encoder would learn nothing. Should all of z be detached, or only the step from h "
        "to its code?"),
    Row("both", _reaching(1, 1),
        "The gradient reaches h, and the codes as well. The codes have a loss, or an EMA update, of their own: what is "
        "not detached that should be?"),
    Row("sign", _reaching(-1, 0), "The gradient reaches h with the wrong sign: look at what is subtracted."),
    Row("sign", _reaching(-1, 1),
        "The gradient reaches h with the wrong sign, and the codes: the wrong one of the two is detached."),
    Row("twice", _reaching(2, 0), "The gradient reaches h twice."),
    Row("twice", _reaching(2, 1), "The gradient reaches h twice, and the codes too."),
    Row("twice", _reaching(2, -1), "The gradient reaches h twice, and the codes with the wrong sign."),
    Row("both", _reaching(1, -1), "The gradient reaches h, and the codes with the wrong sign: detach more of it."),
]  # fmt: skip
RETURNED = [
    Row("right", lambda z, k: (z, k), ok=True),
    Row("exchanged", lambda z, k: (k, z),
        "The two have changed places: first z, the codes themselves, then their indices."),
    Row("counted_from_one", lambda z, k: (z, k + 1),
        "Your indices are too large by one: codes are counted from 0, so that `codes[k]` is the code."),
]  # fmt: skip


def _of_codes(c, number, value, gradient, returned):
    k = number(c.h, c.codes)
    e = c.codes[k]
    return returned(value(c.h, e).detach() + gradient(c.h, e), k)


def _quantiser_case(rows: int, size: int, width: int) -> Case:
    """Vectors h (N, d) and codes (K, d), off centre and of different lengths, so that every measure chooses others."""
    lengths = torch.linspace(0.4, 2.2, size)[:, None]
    shift = torch.linspace(-1.2, 0.8, width)
    for _ in range(1000):
        case = Case(
            h=1.5 * torch.randn(rows, width) + shift, codes=lengths * torch.randn(size, width) + shift
        )
        k, *others = (row.f(case.h, case.codes) for row in NUMBERS[:-3])
        apart = _squares(case.h, case.codes).topk(2, largest=False).values
        square = _as_many(case).values()
        separate = all((other != k).any() for other in others) and NUMBERS[-1].f(*square) != NUMBERS[-2].f(
            *square
        )
        if separate and len(k.unique()) > 2 and (apart[:, 1] - apart[:, 0]).min() > 0.05:
            return case
    raise AssertionError("No case separates the ways.")


def _as_many(c: Case) -> Case:
    """The case with as many vectors as codes, the nearest of all first, so that few mistakes in shape stop there."""
    nearest = _squares(c.h, c.codes).amin(1).argsort()
    return c.but(h=c.h[nearest[: len(c.codes)]])


def _read(value: object, c: Case) -> object:
    """z and k of the types that are wanted; z always has a graph, so that it is seen where its gradient goes."""
    if not isinstance(value, tuple | list) or len(value) != 2 or not isinstance(value[0], Tensor):
        return value
    z, k = value
    if not isinstance(k, Tensor):
        raise Mistake("type", f"k should be a tensor of indices, whole numbers, and yours is {a_or_an(k)}.")
    if z.ndim == 1 and k.ndim == 2:
        return value  # exchanged
    if k.ndim == 1 and (k.is_floating_point() or k.is_complex() or k.dtype == torch.bool):
        hint = " Is it the smallest distance, and not its place?" if k.is_floating_point() else ""
        text = (
            "The indices k should be whole numbers, so that `codes[k]` can be read; yours are of type `{}`.{}"
        )
        raise Mistake("not_whole", text.format(k.dtype, hint))
    return floats(z, c) + 0 * c.h.sum(), k


def _z_hints(c: Case) -> dict[tuple, str]:
    rows, size, width = len(c.h), *c.codes.shape
    return {
        (size, width): "That has one row for each code. One row for each vector is wanted.",
        (rows, 1, width): "The dimension in the middle is one too many.",
        (width,): "That is one code. Each vector has its own.",
        (rows, size): "One number for each code: is it a one-hot row? The code itself has d numbers.",
        (rows, size, width): "That has a row for each pair. Choose one code for each vector.",
    }


def _k_hints(c: Case) -> dict[tuple, str]:
    rows, size, width = len(c.h), *c.codes.shape
    return {
        (size,): "You ask for each code which vector is nearest. Turn it round: one code for each vector.",
        (rows, 1): "The last dimension is one too many.",
        (1, rows): "The first dimension is one too many.",
        (rows, size): "That holds something for each code. The index of one code is wanted for each vector.",
        (rows, width): "That looks like the codes themselves. Their indices are wanted.",
        (): "That is one index. Each vector has a code of its own: over which dimension is the smallest sought?",
    }


def _k_or_z(trial: Trial) -> Mistake:
    """What is wrong with the indices alone, whatever z is, or with the codes."""
    pairs = [(seen, trial.ours(case)) for seen, case in zip(trial.seen, trial.cases, strict=True)]
    wrong = sum(int((seen["k"] != want["k"]).sum()) for seen, want in pairs)
    if not wrong:
        return Mistake(
            "codes", f"The indices k are right, and z is not the codes of these indices. {witness(trial)}"
        )
    if all(trial.task.alike(*pair, ["z"]) for pair in pairs):
        return Mistake(
            "numbers", "Your z is right, and the indices k that you return are not those of its codes."
        )
    return Mistake(
        "numbers",
        f"For {wrong} of {sum(len(seen['k']) for seen, _ in pairs)} vectors another code is nearer than yours. Print "
        "the distances of one vector to all codes, an (N, K) table.",
    )


CLOSE_CALLS = (
    "Of three vectors, each between two codes and a little nearer to one, some get other codes in yours. Does every "
    "vector meet every code, and is nothing rounded, or added to a distance?"
)


def _close_calls(c: Case) -> Case:
    """Fewer vectors than codes, each nearly halfway between two of the last codes."""
    one, other = c.codes[-3:], c.codes[-3:].roll(1, 0)
    return c.but(h=0.51 * one + 0.49 * other)


QUANTISER = Task(
    usage="my_quantise(h, codes)",
    cases=lambda: [_quantiser_case(*sizes) for sizes in ((7, 5, 3), (11, 6, 4))],  # (N, K, d)
    tables=(NUMBERS, VALUES, GRADIENTS, RETURNED),
    compose=_of_codes,
    observe=Observe(
        {
            "z": Wanted("(N, d)", lambda c: c.h.shape, _z_hints, "a tensor z"),
            "k": Wanted("(N,)", lambda c: c.h.shape[:1], _k_hints, "a tensor k"),
        },
        ("h", "codes"),
        _read,
    ),
    praise="Each vector goes to its nearest code, and the gradient comes back to the vector as it was.",
    probes=(
        in_any_order("vectors", {"h": 0}),
        at(_close_calls, "numbers", CLOSE_CALLS, names=("z", "k")),
        other_dtype(),
    ),
    witness=_k_or_z,
    retreat=_as_many,
    seed=15,
)


def check_quantise(quantise: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Feedback:
    """Say whether `quantise(h, codes)` returns each vector's nearest code z, with the gradient of h, and its index k.

    h (N, d) and codes (K, d), to z (N, d) and whole numbers (N,). Values are compared to a relative 1e-3, gradients in
    h and in the codes, in float32 and float64. Raises nothing. Source: van den Oord, Vinyals, Kavukcuoglu (2017).
    """
    return diagnose(QUANTISER, quantise)
