"""Both sides of the checks of notebook 03: every right way to write an answer passes, every wrong one is named."""

import functools
import itertools
import math
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from folded_solutions import folded_solutions
from torch.distributions import Bernoulli, Categorical, kl_divergence

from helpers.checks import game as checks
from helpers.checks.game import check_extragradient_step, check_optimal_discriminator, check_optimal_value
from helpers.theory import games


def names(rows):
    return [f"{row[1]}-{n}" for n, row in enumerate(rows)]


# The optimal discriminator, right


def d_with_sigmoid(log_p, log_q):
    return torch.sigmoid(log_p - log_q)


def d_with_exp(log_p, log_q):
    return 1 / (1 + torch.exp(log_q - log_p))


def d_with_logaddexp(log_p, log_q):
    return torch.exp(log_p - torch.logaddexp(log_p, log_q))


def d_with_softmax(log_p, log_q):
    return torch.softmax(torch.stack([log_p, log_q]), dim=0)[0]


def d_with_logsumexp(log_p, log_q):
    both = torch.stack([log_p, log_q], dim=1)
    return (log_p - both.logsumexp(dim=1)).exp()


def d_with_the_larger_taken_out(log_p, log_q):
    largest = torch.maximum(log_p, log_q)
    p, q = torch.exp(log_p - largest), torch.exp(log_q - largest)
    return p / (p + q)


def d_with_tanh(log_p, log_q):
    return 0.5 * (1 + torch.tanh(0.5 * (log_p - log_q)))


def d_with_bernoulli(log_p, log_q):
    return Bernoulli(logits=log_p - log_q).probs


def d_in_double(log_p, log_q):
    return torch.sigmoid(log_p.double() - log_q.double()).to(log_p.dtype)


def d_clamped(log_p, log_q):
    return torch.sigmoid((log_p - log_q).clamp(-30, 30)).clamp(1e-6, 1 - 1e-6)


def d_in_plain_python(log_p, log_q):
    """No tensor, and so no `sigmoid`: two cases keep the exponential small."""
    values = []
    for a, b in zip(log_p.tolist(), log_q.tolist(), strict=True):
        values.append(1 / (1 + math.exp(b - a)) if a > b else math.exp(a - b) / (1 + math.exp(a - b)))
    return values


def d_in_numpy(log_p, log_q):
    log_p, log_q = log_p.numpy(), log_q.numpy()
    return np.exp(log_p - np.logaddexp(log_p, log_q))


def d_point_by_point(log_p, log_q):
    value = torch.zeros(len(log_p))
    for i in range(len(log_p)):
        value[i] = torch.sigmoid(log_p[i] - log_q[i])
    return value


def d_permuted(log_p, log_q):
    order = torch.randperm(len(log_p))
    return torch.sigmoid(log_p[order] - log_q[order])[order.argsort()]


class Discriminator:
    def __call__(self, log_p, log_q):
        return F.logsigmoid(log_p - log_q).exp()


D_RIGHT = [
    d_with_sigmoid,
    d_with_exp,
    d_with_logaddexp,
    d_with_softmax,
    d_with_logsumexp,
    d_with_the_larger_taken_out,
    d_with_tanh,
    d_with_bernoulli,
    d_in_double,
    d_clamped,
    d_in_plain_python,
    d_in_numpy,
    d_point_by_point,
    d_permuted,
    Discriminator(),
    Discriminator().__call__,
    lambda log_p, log_q: (log_p - log_q).sigmoid(),
    functools.partial(lambda scale, log_p, log_q: torch.special.expit(scale * (log_p - log_q)), 1.0),
    lambda log_p, log_q: 1 - torch.sigmoid(log_q - log_p),
    games.optimal_discriminator,
]


@pytest.mark.parametrize("answer", D_RIGHT)
def test_a_right_discriminator_passes(answer, dtype):
    feedback = check_optimal_discriminator(answer)
    assert (feedback.ok, feedback.kind) == (True, "right"), feedback


# … wrong


def d_from(formula):
    """D* computed from densities p and q."""
    return lambda log_p, log_q: formula(log_p.exp(), log_q.exp())


def d_divides_in_plain_python(log_p, log_q):
    p, q = ([math.exp(each) for each in log.tolist()] for log in (log_p, log_q))
    return [a / (a + b) for a, b in zip(p, q, strict=True)]


def d_changes_its_input(log_p, log_q):
    log_p -= log_q
    return torch.sigmoid(log_p)


def d_written_for_an_order(log_p, log_q):
    value = torch.sigmoid(log_p - log_q)
    return torch.where(log_p[0] < -0.5, value, value.flip(0))


def d_rounded_in_double(log_p, log_q):
    value = torch.sigmoid(log_p - log_q)
    return value.round(decimals=1) if log_p.dtype != torch.get_default_dtype() else value


D_WRONG = [
    (d_from(lambda p, q: q / (p + q)), "fake", "probability of *fake*"),
    (lambda log_p, log_q: torch.sigmoid(log_q - log_p), "fake", "much larger than q"),
    (d_from(lambda p, q: p / q), "ratio", "from 0 to infinity"),
    (d_from(lambda p, q: q / p), "ratio", "upside down"),
    (lambda log_p, log_q: log_p > log_q, "decision", "not a probability"),
    (lambda log_p, log_q: (log_p > log_q).float(), "decision", "not by how much"),
    (lambda log_p, log_q: (log_p < log_q).double(), "decision", "not by how much"),
    (lambda log_p, log_q: torch.sign(log_p - log_q), "decision", "not by how much"),
    (lambda log_p, log_q: torch.sigmoid(log_p - log_q).round(), "decision", "not by how much"),
    (d_from(lambda p, q: torch.sigmoid(p - q)), "density_difference", "*logarithm* of a ratio"),
    (lambda log_p, log_q: log_p - log_q, "logit", "what makes a probability"),
    (lambda log_p, log_q: log_q - log_p, "logit", "the one of *fake*"),
    (d_from(lambda p, q: torch.sigmoid(p / q)), "sigmoid_of_ratio", "never say less than ½"),
    (d_from(lambda p, q: torch.sigmoid(q / p)), "sigmoid_of_ratio", "upside down"),
    (lambda log_p, log_q: torch.sigmoid(log_p / log_q), "sigmoid_of_ratio", "ratio of the logarithms"),
    (lambda log_p, log_q: torch.sigmoid(d_with_sigmoid(log_p, log_q)), "sigmoid_twice", "applied twice"),
    (lambda log_p, log_q: log_p / log_q, "log_ratio_of_logs", "divide one logarithm"),
    (lambda log_p, log_q: log_p / (log_p + log_q), "logs_as_densities", "as if it were a density"),
    (lambda log_p, log_q: log_q / (log_p + log_q), "logs_as_densities", "as if it were a density"),
    (lambda log_p, log_q: log_p.exp() / (log_p.exp() + log_q), "missing_exp", "still needs its exponential"),
    (lambda log_p, log_q: log_p / (log_p.exp() + log_q.exp()), "missing_exp", "still needs its exponential"),
    (lambda log_p, log_q: log_p.exp() / (log_p + log_q.exp()), "missing_exp", "still needs its exponential"),
    (lambda log_p, log_q: log_p / (log_p + log_q.exp()), "missing_exp", "still needs its exponential"),
    (lambda log_p, log_q: log_p.exp() / (log_p + log_q), "missing_exp", "still needs its exponential"),
    (lambda log_p, log_q: log_p.exp() / (log_p + log_q).exp(), "exp_of_sum", "*product* of the densities"),
    (lambda log_p, log_q: torch.full_like(log_p, 0.5), "half", "½ everywhere"),
    (lambda log_p, log_q: torch.softmax(log_p - log_q, dim=0), "over_points", "points compete"),
    (lambda log_p, log_q: torch.softmax(torch.stack([log_p, log_q]), dim=1)[0], "over_points", "compete"),
    (lambda log_p, log_q: d_with_sigmoid(log_p, log_q).softmax(0), "over_points", "points compete"),
    (d_from(lambda p, q: p / p.sum()), "over_points", "points compete"),
    (d_from(lambda p, q: p / (p + q).sum()), "over_points", "one sum over all points"),
    (d_from(lambda p, q: p / p.max() / (p / p.max() + q / q.max())), "over_points", "left out"),
    (lambda log_p, log_q: F.logsigmoid(log_p - log_q), "log_d", "never above 0"),
    (lambda log_p, log_q: F.logsigmoid(log_q - log_p), "log_d", "log(1 − D)"),
    (d_from(lambda p, q: 2 * p / (p + q)), "twice", "twice too large"),
    (d_from(lambda p, q: p / ((p + q) / 2)), "twice", "a ½ in it"),
    (d_from(lambda p, q: p / (p + q) / 2), "halved", "half of what"),
    (d_from(lambda p, q: p / (2 * (p + q))), "halved", "never goes beyond ½"),
    (d_from(lambda p, q: (p - q) / (p + q)), "minus_one_to_one", "from −1 to 1"),
    (lambda log_p, log_q: torch.tanh(log_p - log_q), "minus_one_to_one", "tanh"),
    (d_from(lambda p, q: p - q), "difference", "difference of the densities"),
    (d_from(lambda p, q: (p + q) / 2), "mixture", "mixture of p and q"),
    (d_from(lambda p, q: p), "one_density", "p alone"),
    (d_from(lambda p, q: p / (1 + p)), "one_density", "whatever q is"),
    (lambda log_p, log_q: torch.sigmoid(-log_q), "one_density", "whatever p is"),
    (d_from(lambda p, q: p**2 / (p**2 + q**2)), "scaled_logit", "too sure"),
    (d_from(lambda p, q: p.sqrt() / (p.sqrt() + q.sqrt())), "scaled_logit", "too unsure"),
    (lambda log_p, log_q: 1 / (1 + 2 ** (log_q - log_p).div(math.log(2) ** 2)), "scaled_logit", "too sure"),
    (d_from(lambda p, q: p / (p + q)), "tails", "0/0"),
    (d_from(lambda p, q: 1 / (1 + q / p)), "tails", "stay with logarithms"),
    (lambda log_p, log_q: torch.sigmoid((log_p.exp() / log_q.exp()).log()), "tails", "0/0"),
    (d_from(lambda p, q: p / (p + q + 1e-12)), "tails", "Something added"),
    (d_from(lambda p, q: (p / (p + q)).nan_to_num(0.5)), "tails", "it gives 0.50"),
    (d_divides_in_plain_python, "tails", "0/0"),
    (lambda log_p, log_q: d_with_sigmoid(log_p.clamp(min=-50), log_q.clamp(min=-50)), "tails", "cut off"),
    (lambda log_p, log_q: (log_p - log_q).exp() / (1 + (log_p - log_q).exp()), "tails", "∞/∞"),
    (lambda log_p, log_q: log_p.log() - log_q.log(), "nan", "negative number"),
    (d_changes_its_input, "changed_input", "changes what it was given"),
    (d_written_for_an_order, "order", "order of the points"),
    (d_rounded_in_double, "dtype", "rounded"),
    (d_from(lambda p, q: (p / (p + q)).mean()), "shape", "one number for all points"),
    (d_from(lambda p, q: p.sum() / (p + q).sum()), "shape", "one number for all points"),
    (lambda log_p, log_q: torch.softmax(torch.stack([log_p, log_q]), 0), "shape", "return that of real"),
    (lambda log_p, log_q: torch.softmax(torch.stack([log_p, log_q], 1), 1), "shape", "return that of real"),
    (lambda log_p, log_q: d_with_sigmoid(log_p, log_q)[:, None], "shape", "one too many"),
    (lambda log_p, log_q: d_with_sigmoid(log_p, log_q)[None], "shape", "one too many"),
    (lambda log_p, log_q: torch.sigmoid(log_p[:, None] - log_q), "shape", "grew to (n, n)"),
    (
        lambda log_p, log_q: torch.sigmoid(torch.stack([log_p, log_q]).sum(1)),
        "shape",
        "summed over the points",
    ),
    (lambda log_p, log_q: d_with_sigmoid(log_p, log_q)[1:], "shape", "one probability for each point"),
    (lambda log_p, log_q: (log_p, log_q), "type", "a `tuple`"),
    (lambda log_p, log_q: "sigmoid", "type", "a `str`"),
    (lambda log_p, log_q: {"d": log_p}, "type", "one probability for each point"),
]


@pytest.mark.parametrize("answer, kind, phrase", D_WRONG, ids=names(D_WRONG))
def test_a_wrong_discriminator_is_called_by_name(answer, kind, phrase, dtype):
    feedback = check_optimal_discriminator(answer)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message


# … wrong, and in no table


D_UNKNOWN = [
    (d_from(lambda p, q: p / (p + 2 * q)), "value", "where p = q it should be ½"),
    (d_from(lambda p, q: p / (p + q + 0.1)), "value", "by hand"),
    (d_from(lambda p, q: 1 - torch.exp(-p / q)), "value", "¾"),
    (lambda log_p, log_q: torch.sigmoid(log_p - log_q + 1), "value", "Where log p = "),
    (lambda log_p, log_q: torch.sigmoid(log_p * log_q), "value", "D* is"),
    (lambda log_p, log_q: torch.sigmoid(log_p - log_q - (log_p - log_q).mean()), "over_points", "left out"),
    (lambda log_p, log_q: log_p + log_q, "range", "reach from −5.10 to −0.70"),
    (d_from(lambda p, q: 1 + p / q), "range", "between 0 and 1"),
    (d_from(lambda p, q: p / (p - q)), "range", "between 0 and 1"),
    (lambda log_p, log_q: torch.sigmoid(log_p), "one_density", "`log_q`"),
    (lambda log_p, log_q: 0.1 + 0.8 * (log_p > log_q), "decision", "not by how much"),
    (lambda log_p, log_q: d_with_sigmoid(log_p, log_q).clamp(0.2, 0.8), "value", "is 0.80, and D* is 0.88"),
    (lambda log_p, log_q: torch.full_like(log_p, 0.7), "one_density", "whatever q is"),
    (lambda log_p, log_q: torch.rand_like(log_p), "over_points", ""),
]


@pytest.mark.parametrize("answer, kind, phrase", D_UNKNOWN, ids=names(D_UNKNOWN))
def test_an_unknown_discriminator_gets_an_honest_line(answer, kind, phrase, dtype):
    feedback = check_optimal_discriminator(answer)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message


def test_the_numbers_that_are_told_are_those_of_the_answer():
    feedback = check_optimal_discriminator(d_from(lambda p, q: p / (p + 2 * q)))
    log_p, log_q, mine, best = map(float, re.findall(r"-?\d+\.\d+", feedback.message.replace("−", "-")))
    assert mine == pytest.approx(math.exp(log_p) / (math.exp(log_p) + 2 * math.exp(log_q)), abs=0.006)
    assert best == pytest.approx(math.exp(log_p) / (math.exp(log_p) + math.exp(log_q)), abs=0.006)


# The value, right


def v_with_xlogy(p, q):
    return (torch.xlogy(p, p) + torch.xlogy(q, q) - torch.xlogy(p, p + q) - torch.xlogy(q, p + q)).sum()


def v_with_masks(p, q):
    d = p / (p + q)
    real, fake = p > 0, q > 0
    return (p[real] * torch.log(d[real])).sum() + (q[fake] * torch.log(1 - d[fake])).sum()


def entropy(p):
    return torch.special.entr(p).sum()


def v_with_js(p, q):
    js = entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2
    return 2 * js - math.log(4)


def v_with_entropies(p, q):
    return 2 * entropy((p + q) / 2) - entropy(p) - entropy(q) - torch.log(torch.tensor(4.0))


def v_with_kl_div(p, q):
    log_m = ((p + q) / 2).clamp(min=1e-30).log()
    return F.kl_div(log_m, p, reduction="sum") + F.kl_div(log_m, q, reduction="sum") - 2 * math.log(2)


def v_with_distributions(p, q):
    m = Categorical((p + q) / 2)
    return kl_divergence(Categorical(p), m) + kl_divergence(Categorical(q), m) - math.log(4)


def v_with_a_small_constant(p, q):
    d = p / (p + q + 1e-12)
    return torch.sum(p * torch.log(d + 1e-12) + q * torch.log(1 - d + 1e-12))


def v_with_nan_to_num(p, q):
    d = p / (p + q)
    return (p * d.log()).nan_to_num(0.0).sum() + (q * (1 - d).log()).nan_to_num(0.0).sum()


def v_in_plain_python(p, q):
    total = 0.0
    for a, b in zip(p.tolist(), q.tolist(), strict=True):
        total += a * math.log(a / (a + b)) if a else 0.0
        total += b * math.log(b / (a + b)) if b else 0.0
    return total


def v_in_numpy(p, q):
    p, q = p.numpy(), q.numpy()
    d = np.divide(p, p + q, out=np.zeros_like(p), where=p + q > 0)
    real = np.multiply(p, np.log(d, where=p > 0, out=np.zeros_like(p)))
    fake = np.multiply(q, np.log(1 - d, where=q > 0, out=np.zeros_like(q)))
    return (real + fake).sum()


def v_in_double(p, q):
    return v_with_xlogy(p.double(), q.double()).to(p.dtype)


def v_permuted(p, q):
    order = torch.randperm(len(p))
    return v_with_masks(p[order], q[order])


def v_as_a_dot_product(p, q):
    log_d = torch.where(p > 0, (p / (p + q)).log(), 0.0)
    log_not_d = torch.where(q > 0, (q / (p + q)).log(), 0.0)
    return torch.dot(p, log_d) + q @ log_not_d


def v_in_bits_and_back(p, q):
    m = (p + q) / 2
    p, q, m = (each.clamp(min=1e-20) for each in (p, q, m))
    return math.log(2) * ((p * (p / m).log2() + q * (q / m).log2()).sum() - 2)


class Value:
    def __call__(self, p, q):
        return v_with_xlogy(p, q).item()


V_RIGHT = [
    v_with_xlogy,
    v_with_masks,
    v_with_js,
    v_with_entropies,
    v_with_kl_div,
    v_with_distributions,
    v_with_a_small_constant,
    v_with_nan_to_num,
    v_in_plain_python,
    v_in_numpy,
    v_in_double,
    v_permuted,
    v_as_a_dot_product,
    v_in_bits_and_back,
    Value(),
    lambda p, q: v_with_xlogy(p, q)[None],
    functools.partial(lambda game, p, q: game(p, q), v_with_js),
]


@pytest.mark.parametrize("answer", V_RIGHT)
def test_a_right_value_passes(answer, dtype):
    feedback = check_optimal_value(answer)
    assert (feedback.ok, feedback.kind) == (True, "right"), feedback


def v_with_xlogy_of_d(p, q):
    return (torch.xlogy(p, p / (p + q)) + torch.xlogy(q, q / (p + q))).sum()


def v_with_cross_entropies(p, q):
    d = p / (p + q)
    real = F.binary_cross_entropy(d, torch.ones_like(d), weight=p, reduction="sum")
    fake = F.binary_cross_entropy(d, torch.zeros_like(d), weight=q, reduction="sum")
    return -real - fake


@pytest.mark.parametrize("answer", [v_with_xlogy_of_d, v_with_cross_entropies])
def test_a_value_that_fails_only_where_nothing_happens_passes_with_a_remark(answer, dtype):
    feedback = check_optimal_value(answer)
    assert (feedback.ok, feedback.kind) == (True, "neither"), feedback
    assert "neither p nor q can produce" in feedback.message


# … wrong


def v_from(formula):
    """A value made of D*, without zeros."""
    return lambda p, q: formula(p, q, p / (p + q))


def js(p, q):
    return (v_with_xlogy(p, q) + math.log(4)) / 2


def kl(p, q):
    return (p * (p / q).log()).sum()


def v_in_plain_python_without_a_test(p, q):
    pairs = zip(p.tolist(), q.tolist(), strict=True)
    return sum(a * math.log(a / (a + b)) + b * math.log(b / (a + b)) for a, b in pairs)


def v_changes_its_input(p, q):
    p += q
    return 2 * torch.log(q / p).sum()


def v_written_for_an_order(p, q):
    return v_with_xlogy(p, q) if p[0] > p[-1] or len(p) < 5 else v_with_xlogy(p, q) - 1


def v_only_in_the_own_dtype(p, q):
    return v_with_xlogy(p, q) * (1.0 if p.dtype == torch.get_default_dtype() else 1.1)


def v_mean(p, q, d):
    return (p * d.log() + q * (1 - d).log()).mean()


V_WRONG = [
    (lambda p, q: js(p, q) - math.log(4), "factor", "a factor is missing"),
    (v_from(lambda p, q, d: (p * d.log2() + q * (1 - d).log2()).sum()), "bits", "base 2"),
    (lambda p, q: 2 * js(p, q) / math.log(2) - math.log(4), "bits", "in the constant too"),
    (lambda p, q: 2 * js(p, q) - 2, "bits", "natural logarithm"),
    (v_from(lambda p, q, d: (p * d.log() + q * (1 - d).log()).sum() / 2), "half", "half of V"),
    (lambda p, q: js(p, q) - math.log(2), "half", "V adds them"),
    (v_from(v_mean), "mean", "average over the outcomes"),
    (v_from(lambda p, q, d: (p * d.log()).mean() / 2 + (q * (1 - d).log()).mean() / 2), "mean", "average"),
    (
        lambda p, q: F.kl_div(((p + q) / 2).log(), p) + F.kl_div(((p + q) / 2).log(), q) - math.log(4),
        "mean",
        "average over the outcomes",
    ),
    (lambda p, q: js(p, q) / len(p) - math.log(4), "mean", "weighs each outcome"),
    (lambda p, q: -v_with_xlogy(p, q), "sign", "That is −V"),
    (lambda p, q: 2 * js(p, q) + math.log(4), "sign_of_constant", "never above 0"),
    (
        lambda p, q: entropy(p) + entropy(q) - 2 * entropy((p + q) / 2) - math.log(4),
        "sign_of_js",
        "falls when p and q move apart",
    ),
    (
        v_from(lambda p, q, d: (p * d.log()).sum() - (q * (1 - d).log()).sum()),
        "sign_of_one_term",
        "term of the fake samples",
    ),
    (
        v_from(lambda p, q, d: (q * (1 - d).log()).sum() - (p * d.log()).sum()),
        "sign_of_one_term",
        "term of the real samples",
    ),
    (v_from(lambda p, q, d: (p * d.log() - q * d.log()).sum()), "other_game", "another game"),
    (v_from(lambda p, q, d: -(q * d.log()).sum()), "other_game", "non-saturating generator"),
    (v_from(lambda p, q, d: (p * d.log() + q * (1 - d.log())).sum()), "one_minus_log", "other way round"),
    (v_from(lambda p, q, d: ((p + q) * d.log()).sum()), "both_real", "calling the fakes real"),
    (v_from(lambda p, q, d: (p * (1 - d).log() + q * d.log()).sum()), "swapped", "exchanged"),
    (lambda p, q: (p * (q / (p + q)).log() + q * (p / (p + q)).log()).sum(), "swapped", "numerator of D"),
    (v_from(lambda p, q, d: (p * d.log()).sum()), "one_term", "term of the real samples"),
    (v_from(lambda p, q, d: (q * (1 - d).log()).sum()), "one_term", "term of the fake samples"),
    (lambda p, q: 2 * js(p, q), "no_constant", "the constant is missing"),
    (lambda p, q: js(p, q), "no_constant", "JS divergence itself"),
    (lambda p, q: 2 * js(p, q) - math.log(2), "log_2", "only half of what it should be"),
    (
        lambda p, q: kl(p, p + q) + kl(q, p + q) - math.log(4),
        "constant_twice",
        "count it once",
    ),
    (lambda p, q: kl(p, q), "kl", "third distribution"),
    (lambda p, q: kl(q, p), "kl", "third distribution"),
    (lambda p, q: kl(p, q) - math.log(4), "kl", "third distribution"),
    (lambda p, q: kl(q, p) - math.log(4), "kl", "third distribution"),
    (lambda p, q: 2 * kl(p, q) - math.log(4), "kl", "third distribution"),
    (lambda p, q: kl(p, q) + kl(q, p), "kl", "third distribution"),
    (lambda p, q: kl(p, q) + kl(q, p) - math.log(4), "kl", "third distribution"),
    (lambda p, q: (kl(p, q) + kl(q, p)) / 2 - math.log(4), "kl", "third distribution"),
    (
        lambda p, q: kl((p + q) / 2, p) + kl((p + q) / 2, q) - math.log(4),
        "kl_reversed",
        "wrong way round",
    ),
    (
        lambda p, q: (
            F.kl_div(p.log(), (p + q) / 2, reduction="sum")
            + F.kl_div(q.log(), (p + q) / 2, reduction="sum")
            - math.log(4)
        ),
        "kl_reversed",
        "reverse order",
    ),
    (lambda p, q: -math.log(4), "fixed_half", "whatever p and q are"),
    (v_from(lambda p, q, d: (p * math.log(0.5) + q * math.log(0.5)).sum()), "fixed_half", "always says ½"),
    (v_from(lambda p, q, d: (d.log() + (1 - d).log()).sum()), "unweighted", "weights are missing"),
    (v_from(lambda p, q, d: d.log().mean() + (1 - d).log().mean()), "unweighted", "average the logarithms"),
    (v_from(lambda p, q, d: (p * (d.log() + (1 - d).log())).sum()), "one_distribution", "same distribution"),
    (v_from(lambda p, q, d: (q * (d.log() + (1 - d).log())).sum()), "one_distribution", "who draws which"),
    (
        v_from(lambda p, q, d: ((p + q) / 2 * (d.log() + (1 - d).log())).sum()),
        "one_distribution",
        "same distribution",
    ),
    (v_from(lambda p, q, d: (p * d).sum().log() + (q * (1 - d)).sum().log()), "log_of_mean", "Jensen"),
    (v_from(lambda p, q, d: (p * d).sum() + (q * (1 - d)).sum()), "no_log", "averages their logarithms"),
    (
        lambda p, q: entropy((p + q) / 2) - entropy(p) - entropy(q) - math.log(4),
        "entropies",
        "do not balance",
    ),
    (v_from(lambda p, q, d: torch.trapezoid(p * d.log() + q * (1 - d).log())), "trapezoid", "only half"),
    (
        lambda p, q: (p * F.logsigmoid(p - q) + q * F.logsigmoid(q - p)).sum(),
        "discriminator",
        "not the best one",
    ),
    (v_from(lambda p, q, d: (p * F.logsigmoid(d) + q * F.logsigmoid(-d)).sum()), "discriminator", "below"),
    (lambda p, q: (p * F.logsigmoid(p) + q * F.logsigmoid(-p)).sum(), "discriminator", "not the best one"),
    (
        lambda p, q: (p * F.logsigmoid(p / q) + q * F.logsigmoid(-p / q)).sum(),
        "discriminator",
        "not the best one",
    ),
    (v_from(lambda p, q, d: (p * d.log() + q * (1 - d).log()).sum()), "zeros", "it gives no number"),
    (lambda p, q: kl(p, (p + q) / 2) + kl(q, (p + q) / 2) - math.log(4), "zeros", "0 log 0 is 0"),
    (
        lambda p, q: (p * F.logsigmoid(p.log() - q.log()) + q * F.logsigmoid(q.log() - p.log())).sum(),
        "zeros",
        "counts nothing",
    ),
    (
        lambda p, q: kl(p, (p + q) / 2).nan_to_num(0) + kl(q, (p + q) / 2).nan_to_num(0) - math.log(4),
        "zeros",
        "still counts for that one",
    ),
    (
        lambda p, q: (
            v_with_js(p[(p > 0) & (q > 0)] + 1e-9, q[(p > 0) & (q > 0)]) if (p * q).any() else torch.zeros(())
        ),
        "zeros",
        "as long as no probability is 0",
    ),
    (v_in_plain_python_without_a_test, "zeros", "it gives no number"),
    (v_from(lambda p, q, d: (p * (p / q).log() + q * (1 - p / q).log()).sum()), "nan", "negative number"),
    (v_changes_its_input, "changed_input", "changes what it was given"),
    (v_written_for_an_order, "order", "order of the outcomes"),
    (v_only_in_the_own_dtype, "dtype", "wrong in"),
    (v_from(lambda p, q, d: p * d.log() + q * (1 - d).log()), "shape", "one number an outcome"),
    (v_from(lambda p, q, d: torch.stack([(p * d.log()).sum(), (q * (1 - d).log()).sum()])), "shape", "terms"),
    (v_from(lambda p, q, d: p[:, None] * d.log()), "shape", "Every p met every q"),
    (v_from(lambda p, q, d: (p * d.log() + q * (1 - d).log())[1:]), "shape", "should still be summed"),
    (v_from(lambda p, q, d: ((p * d.log()).sum(), (q * (1 - d).log()).sum())), "type", "two terms"),
    (lambda p, q: {"v": 0.0}, "type", "a `dict`"),
    (lambda p, q: "-log 4", "type", "a `str`"),
]


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("answer, kind, phrase", V_WRONG, ids=names(V_WRONG))
def test_a_wrong_value_is_called_by_name(answer, kind, phrase, dtype):
    feedback = check_optimal_value(answer)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message


# … wrong, and in no table

V_UNKNOWN = [
    (lambda p, q: 3 * js(p, q) - math.log(4), "affine", "3.00 · JS − 1.39"),
    (lambda p, q: js(p, q) / 2 + 1, "affine", "0.50 · JS + 1.00"),
    (lambda p, q: math.log(4) * v_with_xlogy(p, q), "affine", "2.77 · JS − 1.92"),
    (lambda p, q: 0.25, "fixed", "0.25 whatever"),
    (lambda p, q: p.cumsum(0).dot(q.log()), "order", "in another order"),
    (lambda p, q: (p - q).abs().sum() / 2 - math.log(4), "value", "At p = q your V is right"),
    (lambda p, q: (p - q).abs().sum() / 2, "value", "should be −log 4 = −1.386"),
    (lambda p, q: ((p - q) ** 2 / (p + q)).sum() - 1, "value", "should be −1.183"),
    (lambda p, q: -(p.sqrt() * q.sqrt()).sum() * math.log(4), "value", "by hand"),
    (
        lambda p, q: v_with_xlogy(p, q) if len(p) == 2 else v_with_xlogy(p**2 / (p**2).sum(), q),
        "value",
        "two outcomes only",
    ),
]


@pytest.mark.parametrize("answer, kind, phrase", V_UNKNOWN, ids=names(V_UNKNOWN))
def test_an_unknown_value_gets_an_honest_line(answer, kind, phrase, dtype):
    feedback = check_optimal_value(answer)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message


# The extragradient step, right


def s_in_four_lines(x, y, A, eta):
    x_ahead = x - eta * A @ y
    y_ahead = y + eta * A.T @ x
    x_new = x - eta * A @ y_ahead
    y_new = y + eta * A.T @ x_ahead
    return x_new, y_new


def s_with_einsum(x, y, A, eta):
    look = x - eta * torch.einsum("nm,m->n", A, y), y + eta * torch.einsum("nm,n->m", A, x)
    return [x - eta * torch.einsum("nm,m->n", A, look[1]), y + eta * torch.einsum("nm,n->m", A, look[0])]


def s_with_one_matrix(x, y, A, eta):
    n, m = A.shape
    field = torch.cat([torch.cat([A.new_zeros(n, n), -A], dim=1), torch.cat([A.T, A.new_zeros(m, m)], dim=1)])
    z = torch.cat([x, y])
    new = z + eta * field @ (z + eta * field @ z)
    return new[:n], new[n:]


def s_split(x, y, A, eta):
    def gradient(z):
        a, b = z.split([len(x), len(y)])
        return torch.cat([-A.mv(b), A.T.mv(a)])

    z = torch.cat([x, y])
    return torch.split(z + eta * gradient(z + eta * gradient(z)), [len(x), len(y)])


def s_multiplied_out(x, y, A, eta):
    return x - eta * A @ y - eta**2 * A @ (A.T @ x), y + eta * x @ A - eta**2 * (A @ y) @ A


def s_with_autograd(x, y, A, eta):
    def gradients(x, y):
        x, y = x.detach().requires_grad_(), y.detach().requires_grad_()
        return torch.autograd.grad(x @ A @ y, [x, y])

    down, up = gradients(x, y)
    down, up = gradients(x - eta * down, y + eta * up)
    return x - eta * down, y + eta * up


def s_with_sums(x, y, A, eta):
    def down(y):
        return (A * y).sum(dim=1)

    def up(x):
        return (A * x[:, None]).sum(dim=0)

    return x - eta * down(y + eta * up(x)), y + eta * up(x - eta * down(y))


def s_in_double(x, y, A, eta):
    kind = x.dtype
    x_new, y_new = s_in_four_lines(x.double(), y.double(), A.double(), eta)
    return x_new.to(kind), y_new.to(kind)


def s_in_plain_python(x, y, A, eta):
    x, y, rows = x.tolist(), y.tolist(), A.tolist()

    def down(y):
        return [sum(a * b for a, b in zip(row, y, strict=True)) for row in rows]

    def up(x):
        return [sum(a * b for a, b in zip(column, x, strict=True)) for column in zip(*rows, strict=True)]

    x_ahead = [a - eta * g for a, g in zip(x, down(y), strict=True)]
    y_ahead = [b + eta * g for b, g in zip(y, up(x), strict=True)]
    return (
        [a - eta * g for a, g in zip(x, down(y_ahead), strict=True)],
        [b + eta * g for b, g in zip(y, up(x_ahead), strict=True)],
    )


def s_in_numpy(x, y, A, eta):
    return s_in_four_lines(x.numpy(), y.numpy(), A.numpy(), eta)


def s_with_optimisers(x, y, A, eta):
    x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
    old = x.detach().clone(), y.detach().clone()
    optimiser = torch.optim.SGD([x, y], lr=eta)
    for start in (None, old):
        optimiser.zero_grad()
        (x @ A @ y).backward()
        y.grad.neg_()
        if start:
            with torch.no_grad():
                x.copy_(old[0])
                y.copy_(old[1])
        optimiser.step()
    return x, y


def s_permuted(x, y, A, eta):
    one, other = torch.randperm(len(x)), torch.randperm(len(y))
    x_new, y_new = s_in_four_lines(x[one], y[other], A[one][:, other], eta)
    return x_new[one.argsort()], y_new[other.argsort()]


class Extragradient:
    def __init__(self, steps=1):
        self.steps = steps

    def gradients(self, x, y, A):
        return A @ y, -(A.T @ x)

    def __call__(self, x, y, A, eta):
        for _ in range(self.steps):
            down = self.gradients(x, y, A)
            down = self.gradients(x - eta * down[0], y - eta * down[1], A)
            x, y = x - eta * down[0], y - eta * down[1]
        return x, y


S_RIGHT = [
    s_in_four_lines,
    s_with_einsum,
    s_with_one_matrix,
    s_split,
    s_multiplied_out,
    s_with_autograd,
    s_with_sums,
    s_in_double,
    s_in_plain_python,
    s_in_numpy,
    s_with_optimisers,
    s_permuted,
    Extragradient(),
    lambda x, y, A, eta: (x - eta * A @ (y + eta * A.T @ x), y + eta * A.T @ (x - eta * A @ y)),
    functools.partial(lambda sign, x, y, A, eta: s_in_four_lines(x, y, sign * A, eta), 1),
]


@pytest.mark.parametrize("answer", S_RIGHT)
def test_a_right_step_passes(answer, dtype):
    feedback = check_extragradient_step(answer)
    assert (feedback.ok, feedback.kind) == (True, "right"), feedback


def s_with_a_matrix_of_its_own(x, y, A, eta):
    n, m = A.shape
    field = torch.zeros(n + m, n + m)
    field[:n, n:], field[n:, :n] = -A, A.T
    z = torch.cat([x, y])
    new = z + eta * field @ (z + eta * field @ z)
    return new[:n], new[n:]


def test_a_right_step_that_stops_in_the_other_dtype_passes_with_a_remark(dtype):
    feedback = check_extragradient_step(s_with_a_matrix_of_its_own)
    assert (feedback.ok, feedback.kind) == (True, "dtype"), feedback
    own = str(dtype).removeprefix("torch.")
    assert f"that it makes itself is in {own}" in feedback.message


# … wrong


def ahead(x, y, A, eta):
    return x - eta * A @ y, y + eta * A.T @ x


def s_from(formula):
    """A step made of the old point and of the right look-ahead."""
    return lambda x, y, A, eta: formula(x, y, *ahead(x, y, A, eta), A, eta)


def s_gradients(sign_x=-1, sign_y=1, look=None, size=lambda eta: eta, A_x=lambda A: A, A_y=lambda A: A.T):
    """A step whose gradients are taken with the matrices A_x(A) and A_y(A)."""

    def step(x, y, A, eta):
        one, other = look or (sign_x, sign_y)
        x_ahead, y_ahead = x + one * size(eta) * A_x(A) @ y, y + other * size(eta) * A_y(A) @ x
        return x + sign_x * eta * A_x(A) @ y_ahead, y + sign_y * eta * A_y(A) @ x_ahead

    return step


def s_x_first(x, y, A, eta):
    x = x - eta * A @ y
    y = y + eta * A.T @ x
    return x, y


def s_y_first(x, y, A, eta):
    y = y + eta * A.T @ x
    x = x - eta * A @ y
    return x, y


def s_looks_in_turn(x, y, A, eta):
    x_ahead = x - eta * A @ y
    y_ahead = y + eta * A.T @ x_ahead
    return x - eta * A @ y_ahead, y + eta * A.T @ x_ahead


def s_steps_in_turn(x, y, A, eta):
    _, y_ahead = ahead(x, y, A, eta)
    x_new = x - eta * A @ y_ahead
    return x_new, y + eta * A.T @ x_new


def s_in_place(x, y, A, eta):
    x_ahead, y_ahead = ahead(x, y, A, eta)
    x -= eta * A @ y_ahead
    y += eta * A.T @ x_ahead
    return x, y


def s_changes_the_matrix(x, y, A, eta):
    A *= eta
    x_ahead, y_ahead = x - A @ y, y + A.T @ x
    return x - A @ y_ahead, y + A.T @ x_ahead


def s_proximal(x, y, A, eta):
    n, m = A.shape
    field = torch.cat([torch.cat([A.new_zeros(n, n), -A], dim=1), torch.cat([A.T, A.new_zeros(m, m)], dim=1)])
    identity = torch.eye(n + m, dtype=A.dtype)
    return torch.linalg.solve(identity - eta * field, torch.cat([x, y])).split([n, m])


def s_with_stacked_players(x, y, A, eta):
    z = torch.stack([x, y])
    look = z + eta * torch.stack([-A @ y, A.T @ x])
    return z[0] - eta * A @ look[1], z[1] + eta * A.T @ look[0]


def s_with_a_wrong_size(x, y, A, eta):
    n = len(x)
    z = torch.cat(s_in_four_lines(x, y, A, eta))
    return (z[:n], z[n:]) if len(y) == n else (z[:n] * 2, z[n:])


def s_only_in_the_own_dtype(x, y, A, eta):
    return s_in_four_lines(x, y, A, eta if x.dtype == torch.get_default_dtype() else eta / 2)


def s_written_for_an_order(x, y, A, eta):
    return s_in_four_lines(x, y, A, eta) if x[0] in (0.8, torch.tensor(0.8)) else ahead(x, y, A, eta)


S_WRONG = [
    (s_from(lambda x, y, a, b, A, eta: (a - eta * A @ b, b + eta * A.T @ a)), "from_look_ahead", "come back"),
    (lambda x, y, A, eta: ahead(*ahead(x, y, A, eta), A, eta), "from_look_ahead", "only for looking"),
    (
        s_from(lambda x, y, a, b, A, eta: (x - eta * A @ (y + b), y + eta * A.T @ (x + a))),
        "from_look_ahead",
        "adds the old gradient",
    ),
    (s_from(lambda x, y, a, b, A, eta: (a - eta * A @ b, y + eta * A.T @ a)), "from_look_ahead", "for x but"),
    (s_from(lambda x, y, a, b, A, eta: (x - eta * A @ b, b + eta * A.T @ a)), "from_look_ahead", "for y but"),
    (ahead, "simultaneous", "plain step"),
    (s_x_first, "alternating", "y sees where x will be"),
    (s_y_first, "alternating", "x sees where y will be"),
    (
        s_from(lambda x, y, a, b, A, eta: (x - eta * A @ y, y + eta * A.T @ a)),
        "alternating",
        "does not: y sees",
    ),
    (
        s_from(lambda x, y, a, b, A, eta: (x - eta * A @ b, y + eta * A.T @ x)),
        "alternating",
        "does not: x sees",
    ),
    (s_looks_in_turn, "in_turn", "overwritten"),
    (s_steps_in_turn, "in_turn", "take turns"),
    (s_gradients(-1, -1), "both_minimise", "which sign does y need"),
    (s_gradients(-1, -1, look=(-1, 1)), "both_minimise", "downhill like x"),
    (s_gradients(1, 1), "both_maximise", "which sign does x need"),
    (s_gradients(1, 1, look=(-1, 1)), "both_maximise", "uphill like y"),
    (s_gradients(1, -1), "exchanged", "x maximises"),
    (s_gradients(1, -1, look=(-1, 1)), "exchanged", "who wants what"),
    (s_gradients(look=(1, -1)), "look_ahead_sign", "both players go backwards"),
    (s_gradients(look=(-1, -1)), "look_ahead_sign", "y goes the wrong way"),
    (s_gradients(look=(1, 1)), "look_ahead_sign", "x goes the wrong way"),
    (s_gradients(A_y=lambda A: A), "transpose", "in the gradient for y"),
    (s_gradients(A_x=lambda A: A.T), "transpose", "in the gradient for x"),
    (s_gradients(A_x=lambda A: A.T, A_y=lambda A: A), "transpose", "for both players"),
    (
        s_from(lambda x, y, a, b, A, eta: (x - eta * A @ b, y + eta * A @ a)),
        "transpose",
        "for y in the real step",
    ),
    (
        s_from(lambda x, y, a, b, A, eta: (x - eta * A.T @ b, y + eta * A.T @ a)),
        "transpose",
        "for x in the real step",
    ),
    (
        s_from(lambda x, y, a, b, A, eta: (x - eta * A.T @ b, y + eta * A @ a)),
        "transpose",
        "in the real step",
    ),
    (
        lambda x, y, A, eta: (x - eta * A @ (y + eta * A @ x), y + eta * A.T @ (x - eta * A @ y)),
        "transpose",
        "for y in the look-ahead",
    ),
    (
        lambda x, y, A, eta: (x - eta * A @ (y + eta * A.T @ x), y + eta * A.T @ (x - eta * A.T @ y)),
        "transpose",
        "for x in the look-ahead",
    ),
    (
        lambda x, y, A, eta: (x - eta * A @ (y + eta * A @ x), y + eta * A.T @ (x - eta * A.T @ y)),
        "transpose",
        "reverse, in the look-ahead",
    ),
    (
        s_from(lambda x, y, a, b, A, eta: (x - eta * A @ (2 * b - y), y + eta * A.T @ (2 * a - x))),
        "optimism",
        "a cousin",
    ),
    (s_gradients(size=lambda eta: 2 * eta), "optimism", "looking two steps ahead"),
    (s_gradients(size=lambda eta: eta / 2), "midpoint", "half a step ahead"),
    (
        s_from(lambda x, y, a, b, A, eta: (x - eta * A @ (y + b) / 2, y + eta * A.T @ (x + a) / 2)),
        "midpoint",
        "average the old gradient",
    ),
    (
        s_from(lambda x, y, a, b, A, eta: (x - eta / 2 * A @ b, y + eta / 2 * A.T @ a)),
        "half_step",
        "half as long",
    ),
    (s_gradients(size=lambda eta: 1), "eta_missing", "your look-ahead"),
    (s_from(lambda x, y, a, b, A, eta: (x - A @ b, y + A.T @ a)), "eta_missing", "your real step"),
    (lambda x, y, A, eta: s_in_four_lines(x, y, A, 1), "eta_missing", "look-ahead and in the real step"),
    (
        s_from(lambda x, y, a, b, A, eta: (x - eta**2 * A @ b, y + eta**2 * A.T @ a)),
        "eta_squared",
        "In the real step",
    ),
    (s_gradients(size=lambda eta: eta**2), "eta_squared", "In the look-ahead"),
    (
        lambda x, y, A, eta: (lambda a, b: (x - eta * A @ b, y + eta * A.T @ a))(
            *s_in_four_lines(x, y, A, eta)
        ),
        "second_look",
        "one look is enough",
    ),
    (Extragradient(steps=2), "two_steps", "is there a loop"),
    (
        lambda x, y, A, eta: (x - eta * A @ (x - eta * A @ x), y + eta * A.T @ (y + eta * A.T @ y)),
        "own_gradient",
        "which one is left",
    ),
    (s_proximal, "proximal", "proximal step"),
    (lambda x, y, A, eta: s_in_four_lines(x, y, A, eta)[::-1], "players_exchanged", "y comes first"),
    (
        s_from(lambda x, y, a, b, A, eta: (-eta * A @ b, eta * A.T @ a)),
        "moves",
        "how far each player goes",
    ),
    (s_in_place, "changed_input", "the real step needs the old point"),
    (s_changes_the_matrix, "changed_input", "`-=`"),
    (s_with_stacked_players, "rectangular", "x has 2 coordinates and y has 4"),
    (s_with_a_wrong_size, "rectangular", "wrong where x and y have different numbers"),
    (s_only_in_the_own_dtype, "dtype", "wrong in"),
    (s_written_for_an_order, "order", "order of the coordinates"),
    (lambda x, y, A, eta: s_in_four_lines(x, y, A, eta)[0], "type", "one tensor of shape (3,)"),
    (lambda x, y, A, eta: torch.stack(s_in_four_lines(x, y, A, eta)), "type", "one tensor of shape (2, 3)"),
    (lambda x, y, A, eta: torch.cat(s_in_four_lines(x, y, A, eta)), "type", "return a tuple"),
    (lambda x, y, A, eta: (*s_in_four_lines(x, y, A, eta), *ahead(x, y, A, eta)), "type", "4 things"),
    (lambda x, y, A, eta: {"x": x, "y": y}, "type", "a `dict`"),
    (lambda x, y, A, eta: ("x", "y"), "type", "a `str`"),
    (lambda x, y, A, eta: (x, None), "type", "the new y"),
    (lambda x, y, A, eta: (x, ...), "unfinished", "Your new y"),
    (lambda x, y, A, eta: (x - eta * (A @ y[:, None]), y), "shape", "as large as A"),
    (lambda x, y, A, eta: (x[:, None] - eta * (A @ y[:, None]), y), "shape", "A column too many"),
    (lambda x, y, A, eta: (x[None] - eta * A @ y, y), "shape", "A row too many"),
    (lambda x, y, A, eta: (x - eta * A * y, y), "shape", "either a column met"),
    (lambda x, y, A, eta: ((x - eta * A @ y).sum(), y), "shape", "run over everything"),
    (lambda x, y, A, eta: (x, y[:2]), "shape", "the new y"),
]


@pytest.mark.parametrize("answer, kind, phrase", S_WRONG, ids=names(S_WRONG))
def test_a_wrong_step_is_called_by_name(answer, kind, phrase, dtype):
    feedback = check_extragradient_step(answer)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message


# … wrong, and in no table

S_UNKNOWN = [
    (lambda x, y, A, eta: s_in_four_lines(x, y, A, 1.2 * eta), "direction", "1.20 times as far"),
    (lambda x, y, A, eta: s_in_four_lines(x, y, A / A.norm(), eta), "direction", "with cosine 1.00"),
    (
        s_from(lambda x, y, a, b, A, eta: (x - eta * A @ b, y + eta * A.T @ a + eta * y)),
        "one_player",
        "Your new x is right",
    ),
    (s_from(lambda x, y, a, b, A, eta: (x - 2 * eta * A @ b, y + eta * A.T @ a)), "one_player", "y is right"),
    (s_gradients(size=lambda eta: 0.7 * eta), "look_ahead", "tiny η your step is right"),
    (lambda x, y, A, eta: (x - eta * A @ y - 0.1, y + eta * A.T @ x + 0.1), "eta", "With η = 0"),
    (lambda x, y, A, eta: (x, y), "direction", "0.00 times"),
    (lambda x, y, A, eta: (0.9 * x - eta * A @ y, 0.9 * y + eta * A.T @ x), "eta", "nothing should move"),
]


@pytest.mark.parametrize("answer, kind, phrase", S_UNKNOWN, ids=names(S_UNKNOWN))
def test_an_unknown_step_gets_an_honest_line(answer, kind, phrase, dtype):
    feedback = check_extragradient_step(answer)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message


# What every check does


CALLS = [
    (check_optimal_discriminator, "my_optimal_discriminator(log_p, log_q)", 2),
    (check_optimal_value, "my_optimal_value(p, q)", 2),
    (check_extragradient_step, "my_extragradient_step(x, y, A, eta)", 4),
]


def taking(count, body):
    """A function of `count` arguments that does `body(first)`."""
    return (lambda a, b: body(a)) if count == 2 else (lambda a, b, c, d: body(a))


@pytest.mark.parametrize("check, usage, count", CALLS, ids=["D", "V", "step"])
class TestEveryCheck:
    def test_greets_an_untouched_stub(self, check, usage, count):
        def stub_2(a, b):
            """What it will do."""
            ...

        def stub_4(a, b, c, d): ...

        for stub in (..., taking(count, lambda a: ...), stub_2 if count == 2 else stub_4):
            feedback = check(stub)
            assert (feedback.ok, feedback.kind) == (False, "stub")
            assert repr(feedback).startswith("Not started: ")

    def test_names_a_line_that_is_left(self, check, usage, count):
        def half_2(a, b):
            c = ...
            return a + c

        def half_4(a, b, c, d):
            e = ...
            return a + e, b

        assert check(half_2 if count == 2 else half_4).kind == "unfinished"

    @pytest.mark.parametrize(
        "body, kind, phrase",
        [
            (lambda a: None, "none", "`return`"),
            (lambda a: a.undefined, "raised", "AttributeError"),
            (lambda a: a @ torch.ones(17, dtype=a.dtype), "raised", "stopped with RuntimeError"),
            (lambda a: (each for each in a), "type", "a `generator`"),
        ],
    )
    def test_says_what_is_unusable(self, check, usage, count, body, kind, phrase):
        feedback = check(taking(count, body))
        assert (feedback.ok, feedback.kind) == (False, kind)
        assert phrase in feedback.message

    def test_says_where_nan_or_infinity_comes_from(self, check, usage, count):
        for bad, phrase in ((math.nan, "is NaN"), (math.inf, "is infinite")):
            if check is check_extragradient_step:
                answer = taking(4, lambda a, bad=bad: (a * bad, a))
            elif check is check_optimal_value:
                answer = taking(2, lambda a, bad=bad: bad)
            else:
                answer = taking(2, lambda a, bad=bad: torch.full_like(a, bad))
            feedback = check(answer)
            assert feedback.kind == "nan"
            assert phrase in feedback.message

    def test_shows_how_it_calls(self, check, usage, count):
        feedback = check(lambda a: a)
        assert feedback.kind == "signature"
        assert f"`{usage}`" in feedback.message
        assert check(torch.ones(3)).kind == "signature"

    def test_stops_a_loop_without_end(self, check, usage, count):
        def spins(_):
            while True:
                pass

        assert check(taking(count, spins)).kind == "slow"

    def test_disturbs_nothing(self, check, usage, count):
        state = torch.get_rng_state()
        kept = [
            each.clone()
            for case in (checks.POINTS, checks.OUTCOMES, checks.SQUARE)
            for each in case
            if isinstance(each, torch.Tensor)
        ]

        def vandal(a):
            torch.manual_seed(0)
            a.zero_()
            return torch.rand(())

        assert check(taking(count, vandal)).kind == "changed_input"
        assert torch.equal(torch.get_rng_state(), state)
        now = [
            each
            for case in (checks.POINTS, checks.OUTCOMES, checks.SQUARE)
            for each in case
            if isinstance(each, torch.Tensor)
        ]
        assert all(map(torch.equal, now, kept))

    def test_is_the_same_in_no_grad_mode(self, check, usage, count):
        answer = {2: d_with_sigmoid, 4: s_with_autograd}[count]
        with torch.no_grad():
            assert check(v_with_js if check is check_optimal_value else answer).kind == "right"


# The tables

TABLES = [
    (checks.POINT_WAYS, [checks.POINTS, checks.FEWER]),
    (checks.VALUE_WAYS, [checks.OUTCOMES, checks.FEWER_OUTCOMES, checks.EQUAL]),
    (checks.STEP_WAYS, [checks.SQUARE, checks.SMALL_STEP]),
]


@pytest.mark.parametrize("ways, cases", TABLES, ids=["D", "V", "step"])
def test_no_two_ways_can_be_taken_for_each_other(ways, cases):
    seen = [[checks._by(way, case) for case in cases] for way in ways]
    for (one, a), (other, b) in itertools.combinations(zip(ways, seen, strict=True), 2):
        apart = max(
            float((x - y).abs().max() / torch.minimum(x.abs().max(), y.abs().max()).clamp(min=1))
            for x, y in zip(a, b, strict=True)
        )
        assert apart > 10 * checks.SAME, (one.kind, other.kind, apart)


@pytest.mark.parametrize(
    "ways, asked", [(checks.POINT_WAYS, D_WRONG), (checks.VALUE_WAYS, V_WRONG), (checks.STEP_WAYS, S_WRONG)]
)
def test_every_message_of_the_tables_has_its_wrong_answer(ways, asked):
    for way in ways[1:]:
        assert any(kind == way.kind and phrase in way.message for _, kind, phrase in asked), way


def test_the_references_are_those_of_the_theory():
    """Against `helpers.theory`, and against distributions and autograd, which share no code with the check."""
    best = checks._right(checks.POINT_WAYS, checks.POINTS)
    torch.testing.assert_close(best, games.optimal_discriminator(*checks.POINTS))
    for case in (checks.OUTCOMES, checks.FEWER_OUTCOMES, checks.EQUAL, checks.ZEROS, checks.DISJOINT):
        value = checks._right(checks.VALUE_WAYS, case)[0]
        torch.testing.assert_close(value, v_with_distributions(*case), atol=1e-6, rtol=1e-6)
    for case in (checks.SQUARE, checks.SMALL_STEP, checks.WIDE):
        torch.testing.assert_close(checks._right(checks.STEP_WAYS, case), torch.cat(s_with_autograd(*case)))
    x, y = games.extragradient([(0.7, -0.4)], 0.3)
    one = checks._case([0.7], [-0.4], [[1.0]], 0.3)
    torch.testing.assert_close(
        checks._right(checks.STEP_WAYS, one), torch.tensor([x, y], dtype=torch.float64)
    )


def test_the_value_is_the_maximum_over_all_discriminators():
    p, q = checks.OUTCOMES
    logit = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([logit], max_iter=100, tolerance_grad=1e-10)

    def loss():
        optimiser.zero_grad()
        value = -(p * F.logsigmoid(logit) + q * F.logsigmoid(-logit)).sum()
        value.backward()
        return value

    optimiser.step(loss)
    torch.testing.assert_close(-loss().detach(), checks._right(checks.VALUE_WAYS, checks.OUTCOMES)[0])


def test_inputs_are_designed_to_separate():
    for log_p, log_q in (checks.POINTS, checks.FEWER):
        assert len(log_p) % 2 == 1
        assert ((log_p - log_q).abs() > 0.3).all()
        assert (log_p > log_q).any() and (log_p < log_q).any()
    for case in (checks.OUTCOMES, checks.FEWER_OUTCOMES, checks.EQUAL, checks.ZEROS, checks.DISJOINT):
        for each in case:
            assert each.sum() == pytest.approx(1)
            assert (each >= 0).all()
    p, q = checks.ZEROS
    assert (p == 0).any() and (q == 0).any() and (p + q > 0).all()
    assert (checks.DISJOINT[0] * checks.DISJOINT[1] == 0).all()
    assert (sum(checks.NEITHER) == 0).any()
    for x, y, A, _ in (checks.SQUARE, checks.WIDE):
        assert A.shape == (len(x), len(y))
    assert (checks.SQUARE[2] - checks.SQUARE[2].T).abs().max() > 1
    assert len(checks.WIDE[0]) != len(checks.WIDE[1])


def test_the_tails_underflow_in_both_precisions():
    for kind in (torch.float32, torch.float64):
        log_p, log_q = (each.to(kind) for each in checks.FAR)
        assert (log_p.exp() + log_q.exp() == 0).any()
        best, rounded = games.optimal_discriminator(*checks.FAR), torch.sigmoid(log_p - log_q).double()
        assert (best - rounded).abs().max() < 0.1 * checks.SAME  # the rounding of the input is no mistake
        assert ((best > 0.1) & (best < 0.9)).any()
    assert ((checks.STEEP[0] - checks.STEEP[1]).float().exp() == math.inf).any()


def messages():
    rows = [way.message for ways, _ in TABLES for way in ways[1:]]
    said = [check_optimal_discriminator(row[0]).message for row in D_WRONG + D_UNKNOWN]
    said += [check_optimal_value(row[0]).message for row in V_WRONG + V_UNKNOWN]
    said += [check_extragradient_step(row[0]).message for row in S_WRONG + S_UNKNOWN]
    return rows, said


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
def test_messages_are_short_and_give_nothing_away():
    rows, said = messages()
    answers = [
        r"p ?/ ?\(p ?\+ ?q\)",
        r"sigmoid\(log",
        r"σ\(log",
        r"log_?p − log_?q",
        r"log p − log q",
        r"2 ?[·*]? ?JS",
        r"A @",
        r"A\.T",
        r"Aᵀ",
        r"y_ahead",
        r"xlogy|nan_to_num|torch\.where|logaddexp",
    ]
    for message in rows:
        assert len(message) <= 260, message
        assert message[0].isupper() and message[-1] in ".?)", message
    for message in rows + said:
        sentences = [part for part in message.replace("? ", ". ").split(". ") if part]
        assert 1 <= len(sentences) <= 4, message
        assert len(message) <= 420, message
        assert not any(re.search(answer, message) for answer in answers), message


# The folded solutions of the notebook


def test_the_solutions_in_the_notebook_pass(dtype):
    names = folded_solutions("03_minimax_game", torch=torch, math=math)
    assert check_optimal_discriminator(names["my_optimal_discriminator"]).kind == "right"
    assert check_optimal_value(names["my_optimal_value"]).kind == "right"
    assert check_extragradient_step(names["my_extragradient_step"]).kind == "right"
