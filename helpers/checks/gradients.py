"""Checks of notebook 11, the gradients of a mean over q: by the score function, and by the path.

An answer is judged by the gradient of each draw, on rewards that couple the dimensions and on sizes where mistakes
separate. A wrong one is explained by the fewest wrong parts, out of tables, that give the same numbers.
"""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from helpers.checks.bound import _choices, _same, _says_wrong
from helpers.checks.frame import Answer, Feedback, Mistake, Way, gives_feedback, right, tensor
from helpers.checks.vae import Part

SIZES = ((3, 7), (4, 5))  # (d, K): neither d nor 2d equals K


class Case(NamedTuple):
    """One input: μ and log σ² (d,), a reward from (…, d) to (…), and noise (K, d)."""

    mu: Tensor
    log_var: Tensor
    f: Callable[[Tensor], Tensor]
    eps: Tensor

    @property
    def sigma(self) -> Tensor:
        return (self.log_var / 2).exp()

    @property
    def z(self) -> Tensor:
        return self.mu + self.sigma * self.eps


def _reward(d: int, step: float) -> Callable[[Tensor], Tensor]:
    """A reward in which every dimension matters, alone and through the others, with a step of height `step`."""
    along = torch.linspace(0.6, -0.9, d)
    turns = torch.linspace(0.7, 1.6, d)

    def f(z: Tensor) -> Tensor:
        one, two = along.to(z.dtype), turns.to(z.dtype)
        smooth = torch.sin(two * z).sum(-1) + 0.5 * (one * z).sum(-1).square() + 0.4 * z[..., 0] + 1.7
        return smooth + step * (z[..., 0] > 0.3).to(z.dtype)

    return f


def _case(d: int, draws: int, step: float = 0.0) -> Case:
    mu, log_var = torch.linspace(-1.3, 1.1, d) + 0.2, torch.linspace(0.9, -1.4, d)
    return Case(mu, log_var, _reward(d, step), torch.randn(draws, d))


def _columns(in_mu: Tensor, in_log_var: Tensor) -> Tensor:
    return torch.cat([in_mu, in_log_var], 1)


def _square(c: Case) -> Tensor:
    return c.eps.square() - 1


def _slope(c: Case, z: Tensor) -> Tensor:
    z = z.detach().requires_grad_()
    return torch.autograd.grad(c.f(z).sum(), z)[0]


# What both tables share

RESULTS = [
    Part("right", lambda g: g, ok=True),
    Part("sign", lambda g: -g, "Every gradient has the wrong sign: yours makes the reward fall."),
    Part(
        "divided",
        lambda g: g / len(g),
        "Each gradient is divided by K. Return the gradient of each draw as it is: whoever wants their mean takes it "
        "afterwards, and would divide a second time.",
    ),
    Part(
        "exchanged",
        lambda g: g.roll(g.shape[1] // 2, 1),
        "The two halves have changed places: first the columns of μ, then those of log σ².",
    ),
    Part(
        "interleaved",
        lambda g: torch.stack(g.chunk(2, 1), 2).flatten(1),
        "The columns of μ and of log σ² alternate in yours. First all of μ, then all of log σ²: concatenate.",
    ),
]
NO_HALF = (
    "The columns of log σ² are twice too large: they are derivatives in log σ. σ = exp(½ log σ²), so where does a ½ "
    "come in?"
)
IN_SIGMA = "The columns of log σ² are derivatives in σ. One more step of the chain rule leads to log σ²."
IN_VARIANCE = (
    "The columns of log σ² are derivatives in σ². One more step of the chain rule leads to its logarithm."
)
DEVIATION = (
    "You read `log_var` as log σ. It is the logarithm of the variance: σ is the exponential of its half."
)


# The score function: the score, the reward that multiplies it, the result

SCORES = [
    Part("right", lambda c: _columns(c.eps / c.sigma, _square(c) / 2), ok=True),
    Part("no_half", lambda c: _columns(c.eps / c.sigma, _square(c)), NO_HALF),
    Part("in_sigma", lambda c: _columns(c.eps / c.sigma, _square(c) / c.sigma), IN_SIGMA),
    Part("in_variance", lambda c: _columns(c.eps / c.sigma, _square(c) / (2 * c.sigma**2)), IN_VARIANCE),
    Part(
        "scale_of_mu",
        lambda c: _columns(c.eps, _square(c) / 2),
        "The columns of μ lack a power of σ. The logarithm of the bell holds (z − μ)²/σ²: differentiate it in μ, and "
        "only then put in z = μ + σε.",
    ),
    Part(
        "scale_of_mu",
        lambda c: _columns(c.eps / c.sigma**2, _square(c) / 2),
        "The columns of μ are divided by σ once too often: z − μ is σε already.",
    ),
    Part(
        "scale_of_mu",
        lambda c: _columns(c.eps * c.sigma, _square(c) / 2),
        "The columns of μ hold z − μ, with nothing below it. A narrow bell reacts more strongly when it is moved: "
        "where does σ² stand?",
    ),
    Part(
        "not_centred",
        lambda c: _columns(c.z / c.sigma**2, _square(c) / 2),
        "The columns of μ hold z where its distance from μ belongs. Is the mean of your score zero?",
    ),
    Part(
        "no_one",
        lambda c: _columns(c.eps / c.sigma, c.eps.square() / 2),
        "The score in log σ² should have mean zero, and yours is never negative: log q also holds −½ log σ².",
    ),
    Part(
        "one_sign",
        lambda c: _columns(c.eps / c.sigma, (c.eps.square() + 1) / 2),
        "The score in log σ² should have mean zero, and yours is always positive: mind the sign of the ½ log σ² in "
        "log q.",
    ),
    Part(
        "square_of_scaled",
        lambda c: _columns(c.eps / c.sigma, ((c.sigma * c.eps).square() - 1) / 2),
        "In the columns of log σ² the distance z − μ is squared as it is. How far is it in units of σ?",
    ),
    Part(
        "sign_of_half",
        lambda c: _columns(c.eps / c.sigma, -_square(c) / 2),
        "The columns of log σ² have the wrong sign. A draw far out is more likely under a wider q.",
    ),
    Part(
        "sign_of_half",
        lambda c: _columns(-c.eps / c.sigma, _square(c) / 2),
        "The columns of μ have the wrong sign. A draw on the right is more likely if μ moves to the right.",
    ),
    Part(
        "summed_score",
        lambda c: _columns(*(part.sum(1, keepdim=True).expand_as(part) for part in (c.eps / c.sigma, _square(c) / 2))),
        "The score is summed over the dimensions. The *logarithm* of q is a sum; its derivative in each parameter is "
        "a number of its own.",
    ),
    Part(
        "attached",
        lambda c: _columns(0 * c.eps, torch.full_like(c.eps, -0.5)),
        "Your log q is taken at a z that moves along with μ and σ, so (z − μ)/σ never changes, and most of the score "
        "cancels. Hold z still before you ask how likely it is.",
    ),
]  # fmt: skip


def _loo(rewards: Tensor) -> Tensor:
    return (rewards.sum(0) - rewards) / (len(rewards) - 1)


def _weighted(c: Case, leave_out: bool) -> Tensor:
    """f less the best baseline of each column, found on the other draws, or on all of them."""
    f, weight = c.f(c.z)[:, None], SCORES[0].formula(c).square()
    return f - (_loo(f * weight) / _loo(weight) if leave_out else (f * weight).mean(0) / weight.mean(0))


def _standardised(c: Case, baseline: Callable = torch.mean) -> Tensor:
    rewards = c.f(c.z)
    return ((rewards - baseline(rewards)) / rewards.std())[:, None]


STANDARDISED = (
    "You divide the rewards by their own standard deviation. That changes the length of the gradient, and its "
    "direction a little: it is no longer the gradient of the mean reward."
)
OWN = (
    "Your baseline contains the reward of the same draw, so it is no constant to that draw, and the mean of the "
    "gradient shrinks (by (K − 1)/K for the plain mean). Which draws may it be made of?"
)
REWARDS = [
    Part("right", lambda c: c.f(c.z)[:, None], ok=True),
    Part(
        "right",
        lambda c: (c.f(c.z) - _loo(c.f(c.z)))[:, None],
        "Your baseline leaves the draw itself out, so it lowers the variance and keeps the mean.",
        ok=True,
    ),
    Part(
        "right",
        lambda c: (c.f(c.z) - c.f(c.mu[None]))[:, None],
        "Your baseline is the reward at μ. It is the same for all draws, so it keeps the mean.",
        ok=True,
    ),
    Part(
        "right",
        lambda c: _weighted(c, leave_out=True),
        "You take the best baseline of each column, found on the other draws: it lowers the variance and keeps the "
        "mean.",
        ok=True,
    ),
    Part(
        "right",
        lambda c: (c.f(c.z) - _loo(c.f(c.z)) * (1 - 1 / len(c.eps)))[:, None],
        "Your baseline leaves the draw itself out, so it keeps the mean. But it is a sum of K − 1 rewards divided by "
        "K, and so a little smaller than their mean.",
        ok=True,
    ),
    Part("own_baseline", lambda c: (c.f(c.z) - c.f(c.z).mean())[:, None], OWN),
    Part("own_baseline", lambda c: (c.f(c.z) - c.f(c.z).median())[:, None], OWN),
    Part("own_baseline", lambda c: _weighted(c, leave_out=False), OWN),
    Part("standardised", _standardised, STANDARDISED),
    Part("standardised", lambda c: _standardised(c, _loo), STANDARDISED),
    Part(
        "reward_of_noise",
        lambda c: c.f(c.eps)[:, None],
        "You ask for the reward of `eps`. The draws of q are z = μ + σε.",
    ),
    Part(
        "reward_of_noise",
        lambda c: c.f(c.mu + c.sigma**2 * c.eps)[:, None],
        "Your draws are spread by σ², and should be spread by σ.",
    ),
    Part(
        "no_draws", lambda c: c.f(c.mu[None])[:, None], "The reward is taken at μ: each draw has its own z."
    ),
    Part(
        "mean_reward",
        lambda c: c.f(c.z).mean(),
        "Every draw gets the mean reward. Which draw was good, and which bad, is all that the score function knows.",
    ),
    Part(
        "mean_reward",
        lambda c: c.f(c.z).sum(),
        "Every draw gets the sum of all rewards. Which draw was good, and which bad, is all that the score function "
        "knows.",
    ),
    Part(
        "no_reward", lambda c: torch.ones_like(c.eps[:, :1]), "That is the score alone: where is the reward?"
    ),
    Part(
        "only_baseline",
        lambda c: -_loo(c.f(c.z))[:, None],
        "Only the baseline is left: the reward of the draw itself has gone.",
    ),
    Part(
        "added_baseline",
        lambda c: (c.f(c.z) + _loo(c.f(c.z)))[:, None],
        "Your baseline is added. That keeps the mean, but raises the variance: the rewards should lie around 0.",
    ),
]
SIGNED = Part(
    "sign",
    lambda g: -g,
    "Every gradient has the wrong sign: yours makes the reward fall. Is your score the derivative in z, or that of "
    "−log q? A draw on the right is more likely if μ moves to the right.",
)
SCORE_TABLES = (SCORES, REWARDS, [SIGNED if part.kind == "sign" else part for part in RESULTS])


def _score_value(parts: tuple[Part, ...], c: Case) -> Tensor:
    score, reward, result = parts
    return result.formula(reward.formula(c) * score.formula(c))


def _by_autograd(
    c: Case, surrogate: Callable, width: Callable = lambda log_var: (log_var / 2).exp()
) -> Tensor:
    """K gradients of surrogate(f, z, log q) where z is a function of μ and σ."""
    mus, log_vars = (part.expand_as(c.eps).clone().requires_grad_() for part in (c.mu, c.log_var))
    z = mus + width(log_vars) * c.eps

    def log_q(z: Tensor) -> Tensor:
        return (-0.5 * ((z - mus) / width(log_vars)).square() - width(log_vars).log()).sum(1) - (
            0.5 * math.log(2 * math.pi) * z.shape[1]
        )

    return _columns(*torch.autograd.grad(surrogate(c.f, z, log_q).sum(), (mus, log_vars)))


PATH_FOR_SCORE = (
    "That is the gradient along the path. It needs the slope of the reward, and misses the step that `f` has."
)
SCORE_EXTRAS = [
    Way(
        "attached",
        lambda c: _by_autograd(c, lambda f, z, log_q: f(z) * log_q(z)),
        "Your z is still a function of μ and σ when you differentiate reward times log q. Hold it still: the score "
        "function asks how likely *this* z is.",
    ),
    Way(
        "attached",
        lambda c: _by_autograd(c, lambda f, z, log_q: f(z) * log_q(z.detach())),
        "log q is taken at a z held still, but the reward is differentiated too. In the score function it is a plain "
        "number.",
    ),
    Way("path", lambda c: _by_autograd(c, lambda f, z, log_q: f(z)), PATH_FOR_SCORE),
    Way(
        "probability",
        lambda c: _by_autograd(c, lambda f, z, log_q: f(z).detach() * log_q(z.detach()).exp()),
        "You differentiate q, where log q belongs. That would be right in an integral over all z; the draws come "
        "from q already.",
    ),
    Way(
        "deviation",
        lambda c: _by_autograd(c, lambda f, z, log_q: f(z).detach() * log_q(z.detach()), torch.exp),
        DEVIATION,
    ),
    Way(
        "deviation",
        lambda c: (
            c.f(c.mu + c.log_var.exp() * c.eps)[:, None]
            * _columns(c.eps / c.log_var.exp(), (c.eps.square() - 1) / 2)
        ),
        DEVIATION,
    ),
]


# The path: where the slope is taken, the slope, how z moves, the result

PLACES = [
    Part("right", lambda c: c.z, ok=True),
    Part(
        "slope_at_mu",
        lambda c: c.mu.expand_as(c.eps),
        "The slope is taken at μ. Each draw has its own z, and the reward its own slope there.",
    ),
    Part(
        "slope_at_noise",
        lambda c: c.eps,
        "The slope is taken at `eps`. The reward is asked about z = μ + σε.",
    ),
    Part("slope_at_noise", lambda c: c.mu + c.eps, "The slope is taken at μ + ε: where has σ gone?"),
    Part(
        "slope_at_noise",
        lambda c: c.mu + c.sigma**2 * c.eps,
        "The slope is taken at draws that are spread by σ², and should be spread by σ.",
    ),
]
SLOPES = [
    Part("right", _slope, ok=True),
    Part(
        "slope_in_noise",
        lambda c, z: c.sigma * _slope(c, z),
        "Your slope is that of the reward in ε: it holds one σ too many. Take it in z.",
    ),
    Part(
        "mean_slope",
        lambda c, z: _slope(c, z).mean(0).expand_as(z),
        "Every draw gets the mean slope. Each has a z of its own, and a slope there.",
    ),
    Part(
        "summed_slope",
        lambda c, z: _slope(c, z).sum(0).expand_as(z),
        "Every draw gets the sum of all slopes. The parameters of all draws were one tensor: give each its own copy, "
        "or take the slope in z.",
    ),
    Part(
        "times_reward",
        lambda c, z: c.f(z)[:, None] * _slope(c, z),
        "The slope is multiplied by the reward. That belongs to the score function: the slope alone says where to go.",
    ),
    Part(
        "summed_dimensions",
        lambda c, z: _slope(c, z).sum(1, keepdim=True).expand_as(z),
        "The slope is summed over the dimensions. Each component of μ moves one component of z.",
    ),
]
MOVES = [
    Part("right", lambda c, s: _columns(s, s * c.sigma * c.eps / 2), ok=True),
    Part("no_half", lambda c, s: _columns(s, s * c.sigma * c.eps), NO_HALF),
    Part("in_sigma", lambda c, s: _columns(s, s * c.eps), IN_SIGMA),
    Part("in_variance", lambda c, s: _columns(s, s * c.eps / (2 * c.sigma)), IN_VARIANCE),
    Part(
        "no_sigma",
        lambda c, s: _columns(s, s * c.eps / 2),
        "In the columns of log σ² the σ is missing: an exponential stays when it is differentiated.",
    ),
    Part(
        "variance",
        lambda c, s: _columns(s, s * c.sigma**2 * c.eps / 2),
        "The columns of log σ² hold σ² where σ belongs: z moves with the deviation.",
    ),
    Part(
        "no_noise",
        lambda c, s: _columns(s, (s * c.sigma / 2).expand_as(c.eps)),
        "In the columns of log σ² `eps` is missing: a draw far from μ moves far when σ grows, one at μ not at all.",
    ),
    Part(
        "z_for_noise",
        lambda c, s: _columns(s, s * c.z / 2),
        "The columns of log σ² hold z where its distance from μ belongs: μ does not move when σ grows.",
    ),
    Part(
        "sign_of_half",
        lambda c, s: _columns(s, -s * c.sigma * c.eps / 2),
        "The columns of log σ² have the wrong sign: a draw right of μ moves to the right when σ grows.",
    ),
    Part(
        "mu_scaled",
        lambda c, s: _columns(s * c.eps, s * c.sigma * c.eps / 2),
        "The columns of μ hold `eps`. When μ moves, every draw moves with it, by the same amount.",
    ),
    Part(
        "detached",
        lambda c, s: _columns(0 * s, 0 * s),
        "Your gradient is zero: z is cut from μ and σ. Look for `sample` where `rsample` is meant, for `torch.normal`, "
        "`detach` or `no_grad`.",
    ),
    Part(
        "mu_detached",
        lambda c, s: _columns(0 * s, s * c.sigma * c.eps / 2),
        "The columns of μ are zero: z is cut from μ. When μ moves, where does z go?",
    ),
    Part(
        "sigma_detached",
        lambda c, s: _columns(s, 0 * s),
        "The columns of log σ² are zero: z is cut from σ. A σ that was detached, or turned into a number, does that.",
    ),
]
PATH_TABLES = (PLACES, SLOPES, MOVES, RESULTS)


def _path_value(parts: tuple[Part, ...], c: Case) -> Tensor:
    place, slope, move, result = parts
    return result.formula(move.formula(c, slope.formula(c, place.formula(c))))


PATH_EXTRAS = [
    *(
        Way(
            "score",
            lambda c, reward=reward: _score_value((SCORES[0], reward, RESULTS[0]), c),
            "That is the gradient by the score function: it holds the reward itself. The path needs the slope of the "
            "reward.",
        )
        for reward in REWARDS
        if reward.ok or reward.kind == "own_baseline"
    ),
    Way(
        "twice",
        lambda c: _by_autograd(c, lambda f, z, log_q: f(z) + f(z).detach() * log_q(z.detach())),
        "Path and score function are added. Each of them alone is the whole gradient.",
    ),
    Way("deviation", lambda c: _by_autograd(c, lambda f, z, log_q: f(z), torch.exp), DEVIATION),
    Way(
        "deviation",
        lambda c: _path_value(
            tuple(table[0] for table in PATH_TABLES), c._replace(log_var=2 * c.log_var)
        ),
        DEVIATION,
    ),
]  # fmt: skip


# Asking and judging

# What PyTorch says, and what it means in these two functions; the sentences in `frame` speak of losses and images.
SAID = {
    "does not require grad": "Autograd was asked about a tensor that it does not follow. It follows one only from the "
    "moment it is told to, and not under `no_grad`. Which tensor do you differentiate in, and does autograd know that "
    "before the reward is computed?",
    "only for scalar outputs": "Autograd starts from one number, and was given one for each draw. Each of them depends "
    "on its own draw alone: how can they become one number without changing the slopes?",
    "must match the size of tensor": "Two tensors of different shapes met in one formula. Print both shapes: is one "
    "number for each draw, (K,), to multiply rows, (K, 2d) or (K, d)? Then a dimension is missing.",
}  # fmt: skip


def _called(answer: Answer, given: Case) -> object:
    try:
        return answer(*given)
    except Mistake as found:
        kind, message = found.feedback.kind, found.feedback.message
        for fragment, said in SAID.items():
            if kind != "slow" and fragment in message and " (" in message:
                raise Mistake(kind, said + message[message.index(" (") :]) from None
        raise


def _ask(answer: Answer, case: Case) -> Tensor:
    """The K gradients that the answer gives on `case`, (K, 2d)."""
    given = case._replace(mu=case.mu.clone(), log_var=case.log_var.clone(), eps=case.eps.clone())
    value = _called(answer, given)
    draws, d = case.eps.shape
    each = "Return one gradient for each draw: whoever wants their mean takes it afterwards, and sees their spread."
    if (
        isinstance(value, tuple | list)
        and len(value) == 2
        and all(isinstance(part, Tensor) for part in value)
    ):
        raise Mistake(
            "type",
            "You return two tensors. One is asked for: the columns of μ, then those of log σ², side by side.",
        )
    hints = {
        (): "That is one number. Which derivative is it?",
        (2 * d,): each,
        (1, 2 * d): each,
        (d,): f"That is one half of one gradient. {each}",
        (2, d): f"That is one gradient for all draws. {each}",
        (draws,): "That is one number for each draw. A gradient has one for each parameter.",
        (draws, d): "One half is missing: the gradient in μ has d columns, that in log σ² has d more.",
        (2 * d, draws): "Draws and parameters have changed places: one *row* for each draw.",
        (2 * draws, d): "The two halves stand one above the other; they should stand side by side.",
        (2, draws, d): "The two halves are stacked along a new dimension; they should stand side by side.",
        (draws, 2, d): "The two halves are stacked along a new dimension; they should stand side by side.",
        (draws, d, 2): "The two halves are stacked along a new dimension; they should stand side by side.",
        (draws, draws): "A (K,) met a (K, 1) and grew to (K, K): print the shapes of your factors.",
    }
    value = tensor(value, (draws, 2 * d), "(K, 2d)", hints)
    if not all(
        torch.equal(a, b)
        for a, b in zip((given.mu, given.log_var, given.eps), (case.mu, case.log_var, case.eps), strict=True)
    ):
        raise Mistake("changed_input", "Your function changes the tensors it was given. Work on copies.")
    return value.detach().double()  # fmt: skip


def _double(case: Case) -> Case:
    return case._replace(mu=case.mu.double(), log_var=case.log_var.double(), eps=case.eps.double())


def _ways(
    tables: tuple, value: Callable, extras: list[Way]
) -> Iterator[tuple[Callable, list, Mistake | None]]:
    """(formula, remarks, mistake) of every way in the tables, then of the extras, the fewest wrong parts first."""
    later = []
    for parts in _choices(tables):
        wrong = [part for part in parts if not part.ok]
        if len(wrong) == 2 and extras is not None:
            if not later:
                yield from ((way.answer, [], Mistake(way.kind, way.message)) for way in extras)
            later.append(parts)
        remarks = [(part.kind, part.message) for part in parts if part.ok and part.message]
        yield (lambda c, parts=parts: value(parts, c)), remarks, _says_wrong(parts)


FREE = (
    "The baseline of a draw stays as it is when that draw changes, so it keeps the mean. It lowers the variance as far "
    "as it comes close to the rewards."
)
HALVES = [
    ("mu_half", "The columns of log σ² are right, those of μ are not. Begin with one dimension, σ = 1."),
    (
        "log_var_half",
        "The columns of μ are right, those of log σ² are not. Begin with one dimension, μ = 0, log σ² = 0, and with "
        "the chain rule from log σ² to σ.",
    ),
]


def _shifts(value: Tensor, template: Callable, c: Case) -> Tensor:
    """What was taken off the reward of each draw in either half, (K, 2); NaN in a half that is no multiple."""
    shifts = []
    for got, score in zip(value.chunk(2, 1), template(c).chunk(2, 1), strict=True):
        weight = (got * score).sum(1) / score.square().sum(1).clamp(min=1e-12)
        fits = _same(weight[:, None] * score, got)
        shifts.append(c.f(c.z) - weight if fits else torch.full_like(weight, math.nan))
    return torch.stack(shifts, 1)


def _with_one_draw_changed(answer: Answer, case: Case) -> Iterator[tuple[int, Case, Tensor]]:
    for k in range(len(case.eps)):
        for noise in (0.8 - 1.7 * case.eps[k], 0.4 - 1.5 * case.eps[k].roll(1)):
            eps = case.eps.clone()
            eps[k] = noise
            changed = case._replace(eps=eps)
            yield k, _double(changed), _ask(answer, changed)


def _follows_its_draw(shifts: Tensor, c: Case, changed: list, template: Callable) -> Tensor:
    """Whether the shift of a draw changes when that draw alone changes, in either half, (2,)."""
    follows = torch.zeros(2, dtype=torch.bool)
    for k, other, value in changed:
        size = 1 + shifts[k].abs() + c.f(c.z)[k].abs() + other.f(other.z)[k].abs()
        follows |= ~((_shifts(value, template, other)[k] - shifts[k]).abs() <= 1e-4 * size)  # NaN follows
    return follows


def _judge_baseline(answer: Answer, cases: list[Case], seen: list[Tensor], praise: str) -> Feedback | None:
    """Feedback on a score, right or with one mistake, that multiplies the reward less a baseline in no table."""
    exact, changed, own = [_double(case) for case in cases], None, None
    for score in SCORES:
        for result in SCORE_TABLES[2]:
            if not (score.ok or result.ok):
                continue

            def template(c: Case, score=score, result=result) -> Tensor:
                return result.formula(score.formula(c))

            shifts = [_shifts(got, template, c) for got, c in zip(seen, exact, strict=True)]
            unknown = torch.cat(shifts).isnan().any(0)
            if unknown.all() or (unknown.any() and not (score.ok and result.ok)):
                continue
            if changed is None:
                changed = [list(_with_one_draw_changed(answer, case)) for case in cases]
            every = zip(shifts, exact, changed, strict=True)
            follows = torch.stack([_follows_its_draw(*each, template) for each in every]).any(0)
            mistake = _says_wrong((score, result))
            if not follows.any():
                if mistake:
                    raise mistake
                return right(praise, [("right", FREE)])
            if mistake is None:
                own = shifts, follows
    if own:
        _say_own(*own)
    return None


def _say_own(shifts: list[Tensor], follows: Tensor) -> None:
    """Raises `Mistake` where the score is right, and what is taken off a draw's reward changes with that draw."""
    if all(_same(each[:, follows], each[:1, follows].expand_as(each[:, follows])) for each in shifts):
        where = "" if follows.all() else f"In the columns of {'μ' if follows[0] else 'log σ²'}: "
        raise Mistake("own_baseline", where + OWN)
    if not follows.all():
        raise Mistake(*HALVES[follows.tolist().index(True)])
    if all(_same(each[:, 0], each[:, 1]) for each in shifts):
        raise Mistake(
            "reward",
            "Your score is right, and what multiplies it is not. That may be the reward of the draw, less a number "
            "that knows nothing of this draw; what you take off changes when the draw alone changes.",
        )


def _judge(
    answer: Answer, cases: list[Case], tables: tuple, value: Callable, extras: list[Way], praise: str
) -> Feedback:
    seen = [_ask(answer, case) for case in cases]
    torch.manual_seed(13)
    if not _same(_ask(answer, cases[0]), seen[0]):
        raise Mistake(
            "noise",
            "Two calls with the same `eps` gave two different gradients, so new noise is drawn somewhere. Use the "
            "`eps` that comes in: a result that can be repeated can be tested.",
        )
    exact = [_double(case) for case in cases]
    for formula, remarks, mistake in _ways(tables, value, extras):
        if all(_same(got, formula(case)) for got, case in zip(seen, exact, strict=True)):
            if mistake:
                raise mistake
            return right(praise, remarks)
    best = next(_choices(tables))
    wanted = [value(best, case) for case in exact]
    factor = (seen[0] / wanted[0]).median().item()
    if all(_same(got, factor * want) for got, want in zip(seen, wanted, strict=True)):
        raise Mistake(
            "scale", f"Every gradient is {factor:.3g} times what it should be. Which factor is that?"
        )
    if tables is SCORE_TABLES and (feedback := _judge_baseline(answer, cases, seen, praise)):
        return feedback
    d = cases[0].eps.shape[1]
    if _same(seen[0][:, :d], wanted[0][:, :d]):
        raise Mistake(*HALVES[1])
    if _same(seen[0][:, d:], wanted[0][:, d:]):
        raise Mistake(*HALVES[0])
    raise Mistake(
        "value",
        "Neither the columns of μ nor those of log σ² are right. Begin with one dimension, μ = 0, log σ² = 0, and "
        f"f(z) = z: at ε = 2 yours gives {_by_hand(answer)} for (μ, log σ²).",
    )  # fmt: skip


def _by_hand(answer: Answer) -> str:
    """What the answer says at ε = 2 where q is standard normal and the reward is z."""
    eps = torch.tensor([[2.0], [-1.0]])
    try:
        value = torch.as_tensor(answer(torch.zeros(1), torch.zeros(1), lambda z: z[..., 0], eps))
        return "(" + ", ".join(f"{number:.3g}" for number in value.detach().reshape(2, -1)[0].tolist()) + ")"
    except (Mistake, RuntimeError, TypeError, ValueError):
        return "nothing"


@gives_feedback
def check_score_gradient(gradient: Callable[..., Tensor]) -> Feedback:
    """Say whether `gradient(mu, log_var, f, eps)` is (f(z) − b) ∇ log q(z) of each draw z = μ + σ·ε.

    μ and log σ² (d,), f from (K, d) to (K,) with a step, ε (K, d), to (K, 2d): first in μ, then in log σ². No baseline,
    and any that does not change with its own draw, are taken; in float32 and float64. Raises nothing. Source:
    Williams (1992), theorem 1; Kool et al. (2019).
    """
    answer = Answer(gradient, "my_score_gradient(mu, log_var, f, eps)")
    torch.manual_seed(21)
    cases = [_case(*SIZES[0], step=2.0), _case(*SIZES[1])]
    praise = "Each draw has its gradient, and the reward may be anything that can be evaluated."
    return _judge(answer, cases, SCORE_TABLES, _score_value, SCORE_EXTRAS, praise)


@gives_feedback
def check_pathwise_gradient(gradient: Callable[..., Tensor]) -> Feedback:
    """Say whether `gradient(mu, log_var, f, eps)` is ∇ f(μ + σ·ε) in μ and in log σ², of each draw.

    μ and log σ² (d,), f smooth, from (K, d) to (K,), ε (K, d), to (K, 2d): first in μ, then in log σ²; in float32 and
    float64. Raises nothing. Source: Kingma and Welling (2014), section 2.4.
    """
    answer = Answer(gradient, "my_pathwise_gradient(mu, log_var, f, eps)")
    torch.manual_seed(22)
    cases = [_case(*sizes) for sizes in SIZES]
    praise = "The gradient reaches μ and log σ² along the path of each draw."
    return _judge(answer, cases, PATH_TABLES, _path_value, PATH_EXTRAS, praise)
