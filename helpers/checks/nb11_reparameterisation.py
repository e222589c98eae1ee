"""Checks of notebook 11, the gradient of an expectation over q: by the score function and pathwise."""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from helpers.checks.shared import log_normal, sigma
from helpers.feedback import Case, Feedback, Mistake, Observe, Row, Task, Trial, Wanted, diagnose
from helpers.feedback.explain import choices, named
from helpers.feedback.fallbacks import scaled, witness
from helpers.feedback.observe import alike
from helpers.feedback.probes import at, in_any_order, other_dtype
from helpers.feedback.says import right

# What both tables share: cases, how `log_var` is read, where f is evaluated, how the halves are put together


def _integrand(d: int, step: float) -> Callable[[Tensor], Tensor]:
    """An f of both signs in which every dimension matters, alone and with the others, with a step of height `step`."""
    along, turns = torch.linspace(0.6, -0.9, d), torch.linspace(0.7, 1.6, d)

    def f(z: Tensor) -> Tensor:
        one, two = along.to(z.dtype), turns.to(z.dtype)
        smooth = torch.sin(two * z).sum(-1) + 0.5 * (one * z).sum(-1).square() + 0.4 * z[..., 0] + 1.7
        return 4 * smooth - 6 + step * (z[..., 0] > 0.3).to(z.dtype)

    return f


def _cases(step: float) -> list[Case]:
    """The first with a step in f. Of d, 2d and K no two are equal."""
    cases = []
    for d, samples, height in ((3, 7, step), (4, 5, 0.0)):
        mu, log_var = torch.linspace(-1.1, 1.3, d), torch.linspace(0.9, -1.4, d)
        cases.append(Case(mu=mu, log_var=log_var, f=_integrand(d, height), eps=torch.randn(samples, d)))
    return cases


def _s(c: Case) -> Tensor:
    return sigma(c.log_var)


def _z(c: Case) -> Tensor:
    return c.mu + _s(c) * c.eps


@torch.enable_grad()
def _slope(c: Case, z: Tensor) -> Tensor:
    z = z.detach().requires_grad_()
    return torch.autograd.grad(c.f(z).sum(), z)[0]


READINGS = [
    Row("right", lambda c: c, ok=True),
    Row("deviation", lambda c: c.but(log_var=2 * c.log_var),
        "You read `log_var` as log σ. It is the logarithm of the variance: σ is the exponential of its half."),
]  # fmt: skip


def _places(kind: str) -> list[Row]:
    return [
        Row("right", _z, ok=True),
        Row(kind, lambda c: c.eps, "You evaluate `f` at `eps`. The samples of q are z = μ + σε."),
        Row(kind, lambda c: c.mu + c.eps, "You evaluate `f` at μ + ε: where has σ gone?"),
        Row(kind, lambda c: c.mu + _s(c) ** 2 * c.eps,
            "Your samples have the standard deviation σ², and should have σ."),
    ]  # fmt: skip


CHAIN = [
    Row("right", lambda c, v: v, ok=True),
    Row("no_half", lambda c, v: 2 * v,
        "The columns of log σ² are twice too large: they are derivatives in log σ. σ = exp(½ log σ²), so where does a "
        "½ come in?"),
    Row("in_sigma", lambda c, v: 2 * v / _s(c),
        "The columns of log σ² are derivatives in σ. One more step of the chain rule leads to log σ²."),
    Row("in_variance", lambda c, v: v / _s(c) ** 2,
        "The columns of log σ² are derivatives in σ². One more step of the chain rule leads to its logarithm."),
]  # fmt: skip
DIVIDED = (
    "Each gradient is divided by K. Return the gradient of each sample as it is: their mean is taken afterwards, and "
    "would divide a second time."
)
JOINS = [
    Row("right", lambda m, v: torch.cat([m, v], 1), ok=True),
    Row("exchanged", lambda m, v: torch.cat([v, m], 1),
        "The two halves have changed places: first the columns of μ, then those of log σ²."),
    Row("interleaved", lambda m, v: torch.stack([m, v], 2).flatten(1),
        "The columns of μ and of log σ² alternate in yours. First all of μ, then all of log σ²: concatenate."),
]  # fmt: skip

# The score function

SCORES_IN_MU = [
    Row("right", lambda c: c.eps / _s(c), ok=True),
    Row("scale_of_mu", lambda c: c.eps,
        "The columns of μ lack a power of σ. The logarithm of the Gaussian holds (z − μ)²/σ²: differentiate it in μ, "
        "and only then put in z = μ + σε."),
    Row("scale_of_mu", lambda c: c.eps / _s(c) ** 2,
        "The columns of μ are divided by σ once too often: z − μ is σε already."),
    Row("scale_of_mu", lambda c: c.eps * _s(c),
        "The columns of μ hold z − μ, with nothing below it. A narrow Gaussian reacts more strongly when it is moved: "
        "where does σ² stand?"),
    Row("not_centred", lambda c: _z(c) / _s(c) ** 2,
        "The columns of μ hold z where its distance from μ belongs. Is the mean of your score zero?"),
]  # fmt: skip
SCORES_IN_LOG_VAR = [
    Row("right", lambda c: (c.eps**2 - 1) / 2, ok=True),
    Row("no_one", lambda c: c.eps**2 / 2,
        "The score in log σ² should have mean zero, and yours is never negative: log q also holds −½ log σ²."),
    Row("one_sign", lambda c: (c.eps**2 + 1) / 2,
        "The score in log σ² should have mean zero, and yours is always positive: check the sign of the ½ log σ² in "
        "log q."),
    Row("square_of_scaled", lambda c: ((_s(c) * c.eps) ** 2 - 1) / 2,
        "In the columns of log σ² the distance z − μ is squared as it is. How far is it in units of σ?"),
]  # fmt: skip
ATTACHED = Row("attached", lambda m, v: (0 * m, 0 * v - 0.5),
    "Your log q is taken at a z that moves along with μ and σ, so (z − μ)/σ never changes, and most of the score "
    "cancels. Hold z still (detached) before you ask how likely it is.")  # fmt: skip
SCORE_HALVES = [
    Row("right", lambda m, v: (m, v), ok=True),
    Row("sign", lambda m, v: (-m, -v),
        "Every gradient has the wrong sign: yours makes the mean of f fall. Is your score the derivative in z, or "
        "that of −log q? A sample on the right is more likely if μ moves to the right."),
    Row("sign_of_half", lambda m, v: (-m, v),
        "The columns of μ have the wrong sign. A sample on the right is more likely if μ moves to the right."),
    Row("sign_of_half", lambda m, v: (m, -v),
        "The columns of log σ² have the wrong sign. A sample far out is more likely under a wider q."),
    Row("summed_score", lambda m, v: (m.sum(1, keepdim=True).expand_as(m), v.sum(1, keepdim=True).expand_as(v)),
        "The score is summed over the dimensions. The *logarithm* of q is a sum; its derivative in each parameter is "
        "a number of its own."),
    ATTACHED,
]  # fmt: skip


def _score(c: Case) -> Tensor:
    return torch.cat([SCORES_IN_MU[0].f(c), SCORES_IN_LOG_VAR[0].f(c)], 1)


def _loo(values: Tensor) -> Tensor:
    return (values.sum(0) - values) / (len(values) - 1)


def _weighted(c: Case, r: Tensor, mean: Callable) -> Tensor:
    """f less the best baseline of each column, found by `mean` on the other samples, or on all of them."""
    weight = _score(c) ** 2
    return r[:, None] - mean(r[:, None] * weight) / mean(weight)


OWN = (
    "Your baseline contains f(z) of the same sample, so it is no constant to that sample, and the mean of the gradient "
    "changes (if the plain mean is taken off, it shrinks by (K − 1)/K). Which samples may it be made of?"
)
STANDARDISED = (
    "You divide f(z) by its own standard deviation. That changes the length of the gradient, and its direction a "
    "little: it is no longer the gradient of the mean of f."
)
EACH_ITS_OWN = "Which sample did well, and which badly, is all that the score function knows."
WEIGHTS = [
    Row("right", lambda c, r: r[:, None], ok=True),
    Row("right", lambda c, r: (r - _loo(r))[:, None],
        "Your baseline leaves the sample itself out, so it lowers the variance and keeps the mean.", ok=True),
    Row("right", lambda c, r: (r - c.f(c.mu[None]))[:, None],
        "Your baseline is f(μ). It is the same for all samples, so it keeps the mean.", ok=True),
    Row("right", lambda c, r: _weighted(c, r, _loo),
        "You take the best baseline of each column, found on the other samples: it lowers the variance and keeps the "
        "mean.", ok=True),
    Row("right", lambda c, r: (r - _loo(r) * (1 - 1 / len(r)))[:, None],
        "Your baseline leaves the sample itself out, so it keeps the mean. But it is a sum of K − 1 values divided by "
        "K, and so a little smaller than their mean.", ok=True),
    Row("added_baseline", lambda c, r: (r + _loo(r))[:, None],
        "Your baseline is added. That keeps the mean, but raises the variance: what f(z) becomes should lie around "
        "0.", ok=True),
    Row("own_baseline", lambda c, r: (r - r.mean())[:, None], OWN),
    Row("own_baseline", lambda c, r: (r - r.median())[:, None], OWN),
    Row("own_baseline", lambda c, r: _weighted(c, r, lambda values: values.mean(0)), OWN),
    Row("standardised", lambda c, r: ((r - r.mean()) / r.std())[:, None], STANDARDISED),
    Row("standardised", lambda c, r: ((r - _loo(r)) / r.std())[:, None], STANDARDISED),
    Row("no_draws", lambda c, r: c.f(c.mu[None])[:, None], "You evaluate `f` at μ: each sample has its own z."),
    Row("mean_reward", lambda c, r: r.mean(), f"Every sample gets the mean of f. {EACH_ITS_OWN}"),
    Row("mean_reward", lambda c, r: r.sum(), f"Every sample gets the sum of f over all samples. {EACH_ITS_OWN}"),
    Row("no_reward", lambda c, r: torch.ones_like(r)[:, None], "That is the score alone: where is f(z)?"),
    Row("only_baseline", lambda c, r: -_loo(r)[:, None],
        "Only the baseline is left: f(z) of the sample itself has gone."),
    Row("divided", lambda c, r: r[:, None] / len(r), DIVIDED),
]  # fmt: skip


def _by_score(c: Case, read, place, weight, in_mu, in_log_var, chain, halves, join) -> Tensor:
    c = read(c)
    w = weight(c, c.f(place(c)))
    m, v = halves(in_mu(c), chain(c, in_log_var(c)))
    if w.ndim == 2 and w.shape[1] == 2 * m.shape[1]:
        return join(*(w * torch.cat([m, v], 1)).chunk(2, 1))
    return join(w * m, w * v)


# The pathwise gradient

IN_NOISE = (
    "At least the columns of μ hold the derivative of f in ε, which has one σ too many. Take that in z."
)
SLOPES = [
    Row("right", _slope, ok=True),
    Row("slope_in_noise", lambda c, z: _s(c) * _slope(c, z), IN_NOISE),
    Row("mean_slope", lambda c, z: _slope(c, z).mean(0).expand_as(z),
        "Every sample gets the mean derivative. Each has a z of its own, and a derivative there."),
    Row("summed_slope", lambda c, z: _slope(c, z).sum(0).expand_as(z),
        "Every sample gets the sum of all derivatives. The parameters of all samples were one tensor: give each its "
        "own copy, or take the derivative in z."),
    Row("times_reward", lambda c, z: c.f(z)[:, None] * _slope(c, z),
        "The derivative is multiplied by f(z). That belongs to the score function; here the derivative stands alone."),
    Row("summed_dimensions", lambda c, z: _slope(c, z).sum(1, keepdim=True).expand_as(z),
        "The derivative is summed over the dimensions. Each component of μ moves one component of z."),
    Row("divided", lambda c, z: _slope(c, z) / len(z), DIVIDED),
]  # fmt: skip
MOVES_IN_MU = [
    Row("right", lambda c, s: s, ok=True),
    Row("slope_in_noise", lambda c, s: s * _s(c), IN_NOISE),
    Row("mu_scaled", lambda c, s: s * c.eps,
        "The columns of μ hold `eps`. When μ moves, every sample moves with it, by the same amount."),
]  # fmt: skip
MOVES_IN_LOG_VAR = [
    Row("right", lambda c, s: s * _s(c) * c.eps / 2, ok=True),
    Row("no_noise", lambda c, s: s * _s(c) / 2,
        "In the columns of log σ² `eps` is missing: a sample far from μ moves far when σ grows, one at μ not at all."),
    Row("z_for_noise", lambda c, s: s * _z(c) / 2,
        "The columns of log σ² hold z where its distance from μ belongs: μ does not move when σ grows."),
]  # fmt: skip
PATH_CHAIN = [
    *CHAIN,
    Row("no_sigma", lambda c, v: v / _s(c),
        "In the columns of log σ² the σ is missing: an exponential stays when it is differentiated."),
    Row("variance", lambda c, v: v * _s(c),
        "The columns of log σ² hold σ² where σ belongs: z moves with the standard deviation."),
]  # fmt: skip
PATH_HALVES = [
    Row("right", lambda m, v: (m, v), ok=True),
    Row("sign", lambda m, v: (-m, -v), "Every gradient has the wrong sign: yours makes the mean of f fall."),
    Row("sign_of_half", lambda m, v: (-m, v),
        "The columns of μ have the wrong sign: a sample moves to the right when μ does."),
    Row("sign_of_half", lambda m, v: (m, -v),
        "The columns of log σ² have the wrong sign: a sample right of μ moves to the right when σ grows."),
    Row("detached", lambda m, v: (0 * m, 0 * v),
        "Your gradient is zero: z is detached from μ and σ. Look for `sample` where `rsample` is meant, for "
        "`torch.normal`, `detach` or `no_grad`."),
    Row("mu_detached", lambda m, v: (0 * m, v),
        "The columns of μ are zero: z is detached from μ. When μ moves, where does z go?"),
    Row("sigma_detached", lambda m, v: (m, 0 * v),
        "The columns of log σ² are zero: z is detached from σ. A σ that was detached, or turned into a number, does "
        "that."),
]  # fmt: skip


def _by_path(c: Case, read, place, slope, in_mu, in_log_var, chain, halves, join) -> Tensor:
    c = read(c)
    s = slope(c, place(c))
    return join(*halves(in_mu(c, s), chain(c, in_log_var(c, s))))


SCORE_TABLES = (
    READINGS, _places("reward_of_noise"), WEIGHTS, SCORES_IN_MU, SCORES_IN_LOG_VAR, CHAIN, SCORE_HALVES, JOINS,
)  # fmt: skip
PATH_TABLES = (
    READINGS, _places("slope_at_noise"), SLOPES, MOVES_IN_MU, MOVES_IN_LOG_VAR, PATH_CHAIN, PATH_HALVES, JOINS,
)  # fmt: skip
PATH_TABLES[1].append(
    Row("slope_at_mu", lambda c: c.mu.expand_as(c.eps),
        "The derivative is taken at μ. Each sample has its own z, and f its own derivative there.")
)  # fmt: skip

# Reading and judging

EACH = "Return one gradient per sample: their mean is taken afterwards, and their variance can be seen."
STACKED = "The two halves are stacked along a new dimension; they should stand side by side."


def _hints(c: Case) -> dict[tuple, str]:
    k, d = c.eps.shape
    return {
        (): "That is one number. Which derivative is it?",
        (2 * d,): EACH,
        (1, 2 * d): EACH,
        (d,): f"That is one half of one gradient. {EACH}",
        (2, d): f"That is one gradient for all samples. {EACH}",
        (k,): "That is one number for each sample. A gradient has one for each parameter.",
        (k, d): "One half is missing: the gradient in μ has d columns, that in log σ² has d more.",
        (2 * d, k): "Samples and parameters have changed places: one *row* for each sample.",
        (2 * k, d): "The two halves stand one above the other; they should stand side by side.",
        **dict.fromkeys([(2, k, d), (k, 2, d), (k, d, 2)], STACKED),
        (k, k): "A (K,) met a (K, 1) and grew to (K, K): print the shapes of your factors.",
    }


def _one_tensor(value: object, c: Case) -> object:
    if isinstance(value, tuple | list) and [isinstance(part, Tensor) for part in value] == [True, True]:
        said = "You return two tensors. One is wanted: the columns of μ, then those of log σ², side by side."
        raise Mistake("type", said)
    return value


HALVES = [
    ("mu_half", "The columns of log σ² are right, those of μ are not."),
    ("log_var_half", "The columns of μ are right, those of log σ² are not."),
]


def _one_half(trial: Trial) -> Mistake | None:
    """Whether one half of the columns is right, with any baseline that is known."""
    for choice, ours in zip(choices(trial.task, 0), trial.rights(), strict=True):
        pairs = [
            (*a["value"].chunk(2, 1), *b["value"].chunk(2, 1)) for a, b in zip(trial.seen, ours, strict=True)
        ]
        for wrong, (kind, say) in enumerate(HALVES):
            if all(alike(pair[1 - wrong], pair[3 - wrong], trial.task.close) for pair in pairs):
                trial.choice = choice
                return Mistake(kind, f"{say} {witness(trial)}")
    return None


# What PyTorch says, and what it means in these two functions; the engine's own sentences speak of losses and images.
SAID = (
    ("does not require grad", "detached",
     "Autograd was asked about a tensor that it does not follow. It follows one only from the moment it is told to, "
     "and not under `no_grad`. Which tensor do you differentiate in, and does autograd know that before `f` is "
     "computed?"),
    ("only for scalar outputs", "no_mean",
     "Autograd starts from one number, and was given one for each sample. Each of them depends on its own sample "
     "alone: how can they become one number without changing the derivatives?"),
    ("must match the size of tensor", "raised",
     "Two tensors of different shapes met in one formula. Print both shapes: is one number for each sample, (K,), to "
     "multiply rows, (K, 2d) or (K, d)? Then a dimension is missing."),
)  # fmt: skip
NOISE = (
    "Two calls with the same `eps` gave two different gradients, so new noise is sampled somewhere. Use the `eps` that "
    "comes in: a result that can be repeated can be tested."
)
ONE = "You ask `f` about one vector, (d,). It takes (K, d), and another one may stop there: `z[None]` has a row."


def _of_rows_alone(c: Case) -> Case:
    def f(z: Tensor) -> Tensor:
        if z.ndim != 2:
            raise ValueError("f takes (K, d)")
        return c.f(z)

    return c.but(f=f)


BOTH = {
    "observe": Observe(Wanted("(K, 2d)", lambda c: (len(c.eps), 2 * len(c.mu)), _hints), read=_one_tensor),
    "probes": (
        in_any_order("samples", {"eps": 0}),
        other_dtype(),
        at(_of_rows_alone, "one_vector", ONE, remark=True),
    ),
    "noise": ("noise", NOISE),
    "said": SAID,
}
SCALED = scaled("Every gradient", lambda c: {"K": len(c.eps), "d": len(c.mu)})

# Baselines that no table holds

FREE = (
    "The baseline of a sample stays as it is when that sample changes, so it keeps the mean. It lowers the variance "
    "as far as it comes close to f(z)."
)
SCORE_PRAISE = "Each sample has its gradient, and f may be anything that can be evaluated."


def _taken_off(value: Tensor, c: Case, score: Tensor) -> Tensor:
    """What was taken off f(z) of each sample in either half, (K, 2); NaN in a half that is no multiple of `score`."""
    off = []
    for got, part in zip(value.chunk(2, 1), score.double().chunk(2, 1), strict=True):
        weight = (got * part).sum(1) / part.square().sum(1).clamp(min=1e-12)
        fits = alike(weight[:, None] * part, got, SCORE.close)
        off.append(c.f(_z(c)) - weight if fits else torch.full_like(weight, math.nan))
    return torch.stack(off, 1)


def _any_baseline(trial: Trial) -> Mistake | None:
    """Judges a score, right or with one mistake, that multiplies f(z) less a baseline in no table.

    Right is what stays as it is when its own sample alone changes. The verdict is a `Mistake`, which ends the check.
    """
    changed = []
    for n, case in enumerate(trial.cases):
        for k in range(len(case.eps)):
            for noise in (0.8 - 1.7 * case.eps[k], 0.4 - 1.5 * case.eps[k].roll(1)):
                other = case.but(eps=case.eps.index_copy(0, torch.tensor([k]), noise[None]))
                changed.append((n, k, other, trial.ask(other)["value"]))
                SCORE.observe.wanted.check(changed[-1][-1], other)
    right_score = None
    for choice in (*choices(SCORE_ALONE, 0), *choices(SCORE_ALONE, 1)):
        off = [_taken_off(s["value"], c, choice(c)) for s, c in zip(trial.seen, trial.cases, strict=True)]
        follows = torch.cat(off).isnan().any(0)
        if follows.all() or (follows.any() and choice.wrong):
            continue
        for n, k, c, value in changed:
            before, size = off[n][k], 1 + c.f(_z(c))[k].abs() + trial.cases[n].f(_z(trial.cases[n]))[k].abs()
            still = (_taken_off(value, c, choice(c))[k] - before).abs() <= 1e-4 * (size + before.abs())
            follows |= ~still
        if not choice.wrong and follows.any():
            right_score = off, follows
        elif not choice.wrong:
            accepted = Mistake("right", FREE)
            accepted.feedback = right(SCORE_PRAISE, [("right", FREE)])
            return accepted
        elif not follows.any():
            return named([choice])
        elif _one_for_all(off, follows):
            return Mistake(
                "own_baseline", f"Two mistakes meet here. One: {OWN} The other: {choice.wrong[0].say}"
            )
    return _own(*right_score) if right_score else None


def _one_for_all(off: list[Tensor], follows: Tensor) -> bool:
    """Whether all samples have the same baseline, in the columns whose baseline follows the sample."""
    return all(
        alike(each[:, follows], each[:1, follows].expand_as(each[:, follows]), SCORE.close) for each in off
    )


def _own(off: list[Tensor], follows: Tensor) -> Mistake | None:
    """What to say where the score is right, and what is taken off f(z) changes with its sample."""
    if _one_for_all(off, follows):
        where = "" if follows.all() else f"In the columns of {'μ' if follows[0] else 'log σ²'}: "
        return Mistake("own_baseline", where + OWN)
    if not follows.all():
        return Mistake(*HALVES[follows.tolist().index(True)])
    if all(alike(each[:, 0], each[:, 1], SCORE.close) for each in off):
        return Mistake(
            "reward",
            "Your score is right, and what multiplies it is not. That may be f(z) of the sample, less a number that "
            "knows nothing of this sample; what you take off changes when the sample alone changes.",
        )
    return None


# Both tasks


def _path(c: Case) -> Tensor:
    return _by_path(c, *(table[0].f for table in PATH_TABLES))


def _log_q(c: Case) -> Tensor:
    return log_normal(_z(c), c.mu, c.log_var)[:, None]


def _f_score(c: Case) -> Tensor:
    return c.f(_z(c))[:, None] * _score(c)


SCORE = Task(
    usage="my_score_gradient(mu, log_var, f, eps)",
    cases=lambda: _cases(step=2.0),
    tables=SCORE_TABLES,
    compose=_by_score,
    ways=(
        Row("attached", lambda c: _path(c) * _log_q(c) + c.f(_z(c))[:, None] * torch.cat(ATTACHED.f(c.eps, c.eps), 1),
            "Your z is still a function of μ and σ when you differentiate f times log q. Hold it still: the score "
            "function asks how likely *this* z is."),
        Row("attached", lambda c: _path(c) * _log_q(c) + _f_score(c),
            "log q is taken at a z held still, but `f` is differentiated too. In the score function f(z) is a plain "
            "number."),
        Row("path", _path,
            "That is the pathwise gradient. It needs the derivative of `f`, and misses the jump that `f` has."),
        Row("probability", lambda c: _f_score(c) * _log_q(c).exp(),
            "You differentiate q, where log q belongs. That would be right in an integral over all z; the samples "
            "come from q already."),
        Row("zero", lambda c: 0 * _score(c),
            "All your gradients are zero. Is log q detached from μ and σ, or is everything taken off f(z)?"),
    ),
    fallbacks=(SCALED, _any_baseline, _one_half),
    witness=lambda trial: Mistake("value", f"{witness(trial)} (That is without a baseline.)"),
    praise=SCORE_PRAISE,
    seed=21,
    **BOTH,
)  # fmt: skip
SCORE_ALONE = replace(
    SCORE,
    tables=SCORE_TABLES[3:],
    ways=(),
    compose=lambda c, m, v, chain, halves, join: join(*halves(m(c), chain(c, v(c)))),
)


def _scores(c: Case, weight: Callable) -> Tensor:
    return weight(c, c.f(_z(c))) * _score(c)


PATH = Task(
    usage="my_pathwise_gradient(mu, log_var, f, eps)",
    cases=lambda: _cases(step=0.0),
    tables=PATH_TABLES,
    compose=_by_path,
    ways=(
        *(
            Row("score", lambda c, f=row.f: _scores(c, f),
                "That is the score-function gradient: it holds f(z) itself. The pathwise gradient needs the derivative "
                "of `f`.")
            for row in WEIGHTS if row.ok or row.kind == "own_baseline"
        ),
        Row("twice", lambda c: _path(c) + _f_score(c),
            "Pathwise and score-function gradient are added. Each of them alone is the whole gradient."),
    ),
    fallbacks=(SCALED, _one_half),
    praise="The gradient reaches μ and log σ² along the path of each sample.",
    seed=22,
    **BOTH,
)  # fmt: skip


def check_score_gradient(gradient: Callable[..., Tensor]) -> Feedback:
    """Say whether `gradient(mu, log_var, f, eps)` is (f(z) − b) ∇ log q(z) of each sample z = μ + σ·ε.

    μ and log σ² (d,), f from (K, d) to (K,) with a step, ε (K, d), to (K, 2d): first in μ, then in log σ². No baseline,
    and any that does not change with its own sample, are taken; in float32 and float64. Raises nothing. Source:
    Williams (1992), theorem 1; Kool et al. (2019).
    """
    return diagnose(SCORE, gradient)


def check_pathwise_gradient(gradient: Callable[..., Tensor]) -> Feedback:
    """Say whether `gradient(mu, log_var, f, eps)` is ∇ f(μ + σ·ε) in μ and in log σ², of each sample.

    μ and log σ² (d,), f smooth, from (K, d) to (K,), ε (K, d), to (K, 2d): first in μ, then in log σ²; in float32 and
    float64. Raises nothing. Source: Kingma and Welling (2014), section 2.4.
    """
    return diagnose(PATH, gradient)
