"""Both sides of the checks of notebook 02: every right way to write a divergence passes, every wrong one is named."""

import functools
import itertools
import math
import re

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
import torch.nn.functional as F
from folded_solutions import folded_solutions
from scipy.spatial.distance import jensenshannon
from torch.distributions import Categorical, kl_divergence

from helpers import theory
from helpers.checks import divergence as checks
from helpers.checks.divergence import check_discrete_kl, check_js
from helpers.checks.game import _by, _right


def names(rows):
    return [f"{row[1]}-{n}" for n, row in enumerate(rows)]


def entropy(p):
    return torch.special.entr(p).sum()


# KL, right


def kl_with_distributions(p, q):
    return kl_divergence(Categorical(p), Categorical(q))


def kl_with_a_mask(p, q):
    seen = p > 0
    return (p[seen] * torch.log(p[seen] / q[seen])).sum()


def kl_with_where(p, q):
    return torch.where(p > 0, p * (p.log() - q.log()), 0.0).sum()


def kl_by_cross_entropy(p, q):
    seen = p > 0
    cross = -(p[seen] * q[seen].log()).sum()
    return cross - entropy(p)


def kl_in_plain_python(p, q):
    total = 0.0
    for a, b in zip(p.tolist(), q.tolist(), strict=True):
        if a > 0:
            total += a * math.log(a / b) if b > 0 else math.inf
    return total


def kl_in_numpy(p, q):
    p, q = p.numpy(), q.numpy()
    with np.errstate(all="ignore"):
        return np.where(p > 0, p * np.log(p / q), 0.0).sum()


def kl_in_double(p, q):
    p, q = p.double(), q.double()
    return (torch.xlogy(p, p) - torch.where(p > 0, p * q.log(), 0)).sum().to(torch.float32)


def kl_as_a_dot_product(p, q):
    return p @ torch.where(p > 0, p / q, 1.0).log()


def kl_with_a_constant_inside(p, q):
    """The small number is added to the ratio, so that it hides no infinity."""
    return (p * torch.log(torch.where(p > 0, p / q, 1.0) + 1e-12)).sum()


def kl_with_nan_to_num(p, q):
    return torch.nan_to_num(p * (p / q).log(), nan=0.0, posinf=math.inf).sum()


def kl_in_bits_and_back(p, q):
    return math.log(2) * torch.where(p > 0, p * (p.log2() - q.log2()), 0.0).sum()


def kl_permuted(p, q):
    order = torch.randperm(len(p))
    return kl_with_where(p[order], q[order])


class Divergence:
    def __call__(self, p, q):
        return kl_with_a_mask(p, q).item()


KL_RIGHT = [
    lambda p, q: theory.discrete_kl(p, q),
    kl_with_distributions,
    kl_with_a_mask,
    kl_with_where,
    kl_by_cross_entropy,
    kl_in_plain_python,
    kl_in_numpy,
    kl_in_double,
    kl_as_a_dot_product,
    kl_with_a_constant_inside,
    kl_with_nan_to_num,
    kl_in_bits_and_back,
    kl_permuted,
    Divergence(),
    lambda p, q: torch.nansum(p * (p / q).log()),
    lambda p, q: scipy.special.rel_entr(p.numpy(), q.numpy()).sum(),
    lambda p, q: scipy.stats.entropy(p.numpy(), q.numpy()),
    lambda p, q: kl_with_where(p, q)[None],
    functools.partial(lambda base, p, q: kl_with_where(p, q) / math.log(base), math.e),
]

# These are right wherever something happens, and 0/0 only where nothing does.
KL_REMARKED = [
    lambda p, q: torch.xlogy(p, p / q).sum(),
    lambda p, q: F.kl_div(q.log(), p, reduction="sum"),
    lambda p, q: -torch.xlogy(p, q / p).sum() if (p > 0).all() else torch.xlogy(p, p / q).sum(),
]


@pytest.mark.parametrize("answer", KL_RIGHT)
def test_a_right_kl_passes(answer, dtype):
    feedback = check_discrete_kl(answer)
    assert (feedback.ok, feedback.kind) == (True, "right"), feedback


@pytest.mark.parametrize("answer", KL_REMARKED)
def test_a_kl_that_fails_only_where_nothing_happens_passes_with_a_remark(answer, dtype):
    feedback = check_discrete_kl(answer)
    assert (feedback.ok, feedback.kind) == (True, "neither"), feedback
    assert "neither p nor q can produce" in feedback.message


# … wrong


def kl(p, q):
    """As a beginner writes it: right, but without a thought for zeros."""
    return (p * torch.log(p / q)).sum()


def js(p, q):
    m = (p + q) / 2
    return (kl(p, m) + kl(q, m)) / 2


def kl_in_plain_python_without_a_test(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p.tolist(), q.tolist(), strict=True) if a > 0)


def kl_on_the_common_support(p, q):
    both = (p > 0) & (q > 0)
    return kl(p[both], q[both])


def changes_its_input(p, q):
    p /= q
    return (p * q * p.log()).sum()


def written_for_an_order(right):
    return lambda p, q: right(p, q) if len(p) < 5 or p[0] > p[1] else right(p, q) - 1


def only_in_the_own_dtype(right):
    return lambda p, q: right(p, q) * (1.0 if p.dtype == torch.get_default_dtype() else 1.1)


SHARED_WRONG = [
    (lambda p, q: (p - q).abs().sum(), "total_variation", "total variation"),
    (lambda p, q: (p - q).abs().sum() / 2, "total_variation", "no logarithm"),
    (lambda p, q: ((p - q) ** 2).sum(), "squared", "squared differences"),
    (changes_its_input, "changed_input", "changes what it was given"),
    (lambda p, q: p * (p / q).log(), "shape", "one number an outcome"),
    (lambda p, q: torch.stack([kl(p, q), kl(q, p)]), "shape", "its two parts"),
    (lambda p, q: p[:, None] * (p / q).log(), "shape", "Every p met every q"),
    (lambda p, q: (p * (p / q).log())[1:], "shape", "should still be summed"),
    (lambda p, q: (kl(p, q), kl(q, p)), "type", "two things"),
    (lambda p, q: {"kl": 0.0}, "type", "a `dict`"),
    (lambda p, q: "log 2", "type", "a `str`"),
    (lambda p, q: (p * (p - q).log()).sum(), "nan", "negative number"),
]
KL_WRONG = [
    (lambda p, q: kl(q, p), "reversed", "other direction"),
    (lambda p, q: F.kl_div(p.log(), q, reduction="sum"), "reversed", "reverse order"),
    (lambda p, q: -kl(p, q), "sign", "never below 0"),
    (lambda p, q: (p * (q / p).log()).sum(), "sign", "upside down"),
    (lambda p, q: (q * (p / q).log()).sum(), "weights", "averaged over q"),
    (lambda p, q: (p * (p / q).log()).mean(), "mean", "average over the outcomes"),
    (lambda p, q: F.kl_div(q.log(), p, reduction="batchmean"), "mean", "how many there are"),
    (lambda p, q: (p * (p / q).log2()).sum(), "bits", "base 2"),
    (lambda p, q: scipy.stats.entropy(p.numpy(), q.numpy(), base=2), "bits", "in bits"),
    (lambda p, q: (p / q).log().sum(), "unweighted", "You add"),
    (lambda p, q: (p.log() - q.log()).mean(), "unweighted", "You average the logarithms"),
    (lambda p, q: (p / q * (p / q).log()).sum(), "ratio_as_weight", "do not sum to 1"),
    (lambda p, q: (p * p.log()).sum(), "entropy", "entropy of p"),
    (lambda p, q: entropy(p), "entropy", "the other distribution is missing"),
    (lambda p, q: entropy(q), "entropy", "entropy of q"),
    (lambda p, q: -entropy(q), "entropy", "entropy of q"),
    (lambda p, q: -(p * q.log()).sum(), "cross_entropy", "cross-entropy, which is not 0"),
    (lambda p, q: F.cross_entropy(q.log(), p), "cross_entropy", "nothing to do with q"),
    (lambda p, q: (p * q.log()).sum(), "cross_entropy", "other sign"),
    (lambda p, q: -(q * p.log()).sum(), "cross_entropy", "of q against p"),
    (lambda p, q: entropy(p) - (p * q.log()).sum(), "entropy_added", "they should cancel"),
    (lambda p, q: entropy(q) - entropy(p), "entropies", "two entropies"),
    (lambda p, q: (p * p.log()).sum() - (q * q.log()).sum(), "entropies", "averaged over the same"),
    (lambda p, q: entropy(p) - entropy(q), "entropies", "two entropies"),
    (lambda p, q: F.mse_loss(p, q), "squared", "points in space"),
    (lambda p, q: torch.dist(p, q), "squared", "squared differences"),
    (lambda p, q: ((p - q) ** 2 / q).sum(), "no_log", "χ²"),
    (lambda p, q: (p * p / q).sum(), "no_log", "*logarithm* of the ratio"),
    (lambda p, q: (p / q).sum(), "no_log", "ratio itself"),
    (lambda p, q: (p / q).mean(), "no_log", "ratio itself"),
    (lambda p, q: (p * p / q).sum().log(), "log_of_mean", "Jensen"),
    (lambda p, q: torch.log((p / q).sum()), "log_of_mean", "logarithm of an average"),
    (lambda p, q: torch.log((p / q).mean()), "log_of_mean", "sum last"),
    (lambda p, q: (p * (p - q)).sum(), "difference", "*logarithms*"),
    (lambda p, q: (p * p.log() / q.log()).sum(), "ratio_of_logs", "divide one logarithm"),
    (lambda p, q: F.kl_div(q, p, reduction="sum"), "input_of_kl_div", "`kl_div` of PyTorch"),
    (lambda p, q: F.kl_div(p, q, reduction="sum"), "input_of_kl_div", "without its logarithm"),
    (lambda p, q: F.kl_div(q, p), "input_of_kl_div", "first argument"),
    (lambda p, q: js(p, q), "js", "never above log 2"),
    (lambda p, q: kl(p, (p + q) / 2), "mixture", "one of the two parts"),
    (lambda p, q: 2 * js(p, q), "mixture", "add both"),
    (lambda p, q: kl(p, q) + kl(q, p), "symmetrised", "both directions"),
    (lambda p, q: ((p - q) * (p / q).log()).sum() / 2, "symmetrised", "one side only"),
    (lambda p, q: kl(p.softmax(0), q.softmax(0)), "softmax", "belongs to logits"),
    (lambda p, q: F.kl_div(q.log_softmax(0), p.softmax(0), reduction="sum"), "softmax", "sums to 1 already"),
    (lambda p, q: F.kl_div(q.log_softmax(0), p, reduction="sum"), "softmax", "belongs to logits"),
    (lambda p, q: (p * (p / q).log()).abs().sum(), "abs", "A term may be negative"),
    (lambda p, q: (p * (p / q).log()).relu().sum(), "clamped", "left out"),
    (lambda p, q: torch.trapezoid(p * (p / q).log()), "trapezoid", "count only half"),
    (kl, "zeros", "it gives no number"),
    (lambda p, q: (p * (p.log() - q.log())).sum(), "zeros", "0 log 0"),
    (lambda p, q: kl(p, q).nan_to_num(0.0), "zeros", "gives 0.000 for"),
    (lambda p, q: kl(p + 1e-2, q + 1e-2) if (p == 0).any() else kl(p, q), "zeros", "counts nothing"),
    (kl_in_plain_python_without_a_test, "infinity", "no number"),
    (lambda p, q: kl_with_where(p, q) if (q > 0).all() else q.log().sum(), "infinity", "−∞"),
    (
        lambda p, q: kl_with_where(p, q) - torch.where(p * (q == 0) > 0, math.inf, 0).sum(),
        "infinity",
        "no number",
    ),
    (kl_on_the_common_support, "left_out", "what does it cost"),
    (lambda p, q: torch.where(p * q > 0, p * (p / q).log(), 0.0).sum(), "left_out", "dropped where *p* is 0"),
    (lambda p, q: kl(p + 1e-12, q + 1e-12), "hidden_infinity", "a small number hides an infinity"),
    (lambda p, q: (p * ((p + 1e-8) / (q + 1e-8)).log()).sum(), "hidden_infinity", "truly infinite"),
    (lambda p, q: kl(p.clamp(min=1e-10), q.clamp(min=1e-10)), "hidden_infinity", "a small number hides"),
    (lambda p, q: (p * (p / q).log()).nan_to_num().sum(), "hidden_infinity", "an infinity"),
    (written_for_an_order(kl_with_where), "order", "order of the outcomes"),
    (only_in_the_own_dtype(kl_with_where), "dtype", "wrong in"),
    (lambda p, q: kl_with_where(p, q) + (p == q).all(), "identical", "distribution and itself"),
]


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("answer, kind, phrase", KL_WRONG + SHARED_WRONG, ids=names(KL_WRONG + SHARED_WRONG))
def test_a_wrong_kl_is_called_by_name(answer, kind, phrase, dtype):
    feedback = check_discrete_kl(answer)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message


# … wrong, and in no table

KL_UNKNOWN = [
    (lambda p, q: 3 * kl(p, q), "affine", "3.00 · KL."),
    (lambda p, q: kl(p, q) / 2, "affine", "0.50 · KL."),
    (lambda p, q: (p * (p / q).log10()).sum(), "affine", "in which unit"),
    (lambda p, q: 2 * kl(p, q) - 1, "affine", "2.00 · KL − 1.00"),
    (lambda p, q: 0.25, "fixed", "0.25 whatever"),
    (lambda p, q: p.cumsum(0).dot(q.log()), "order", "in another order"),
    (lambda p, q: torch.rand(()), "order", "in another order"),
    (lambda p, q: (p.sqrt() * q.sqrt()).sum(), "not_zero", "is 1.000"),
    (lambda p, q: kl(p, q) - 2 * kl(q, p), "negative", "below 0"),
    (lambda p, q: kl(p, q).exp() - 1, "value", "by hand"),
    (lambda p, q: 1 - (p.sqrt() * q.sqrt()).sum(), "value", "should be 0.368"),
    (lambda p, q: kl(p + 1e-3, q + 1e-3), "value", "added to the probabilities"),
    (lambda p, q: kl(p[:2] / p[:2].sum(), q[:2] / q[:2].sum()), "order", "in another order"),
]


@pytest.mark.parametrize("answer, kind, phrase", KL_UNKNOWN, ids=names(KL_UNKNOWN))
def test_an_unknown_kl_gets_an_honest_line(answer, kind, phrase, dtype):
    feedback = check_discrete_kl(answer)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message


# JS, right


def js_with_two_kls(p, q):
    m = (p + q) / 2
    return 0.5 * kl_with_where(p, m) + 0.5 * kl_with_where(q, m)


def js_with_entropies(p, q):
    return entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2


def js_with_xlogy(p, q):
    m = 0.5 * (p + q)
    terms = torch.xlogy(p, p) + torch.xlogy(q, q) - 2 * torch.xlogy(m, m)
    return 0.5 * terms.sum()


def js_with_distributions(p, q):
    m = Categorical((p + q) / 2)
    return torch.stack([kl_divergence(Categorical(each), m) for each in (p, q)]).mean()


def js_with_kl_div(p, q):
    log_m = ((p + q) / 2).clamp(min=1e-30).log()
    return (F.kl_div(log_m, p, reduction="sum") + F.kl_div(log_m, q, reduction="sum")) / 2


def js_from_the_game(p, q):
    return (torch.xlogy(p, p) + torch.xlogy(q, q) - torch.xlogy(p + q, p + q)).sum() / 2 + math.log(2)


def js_with_a_small_constant(p, q):
    p, q = p + 1e-12, q + 1e-12
    return js(p, q)


def js_in_plain_python(p, q):
    total = 0.0
    for a, b in zip(p.tolist(), q.tolist(), strict=True):
        m = (a + b) / 2
        total += sum(each * math.log(each / m) for each in (a, b) if each) / 2
    return total


def js_in_numpy(p, q):
    p, q = p.numpy(), q.numpy()
    m = (p + q) / 2
    return (scipy.special.rel_entr(p, m) + scipy.special.rel_entr(q, m)).sum() / 2


def js_with_masks(p, q):
    m = (p + q) / 2
    return (kl(p[p > 0], m[p > 0]) + kl(q[q > 0], m[q > 0])) / 2


def js_in_double(p, q):
    return js_with_entropies(p.double(), q.double()).to(p.dtype)


def js_permuted(p, q):
    order = torch.randperm(len(p))
    return js_with_two_kls(q[order], p[order])


JS_RIGHT = [
    lambda p, q: theory.discrete_js(p, q),
    js_with_two_kls,
    js_with_entropies,
    js_with_xlogy,
    js_with_distributions,
    js_with_kl_div,
    js_from_the_game,
    js_with_a_small_constant,
    js_in_plain_python,
    js_in_numpy,
    js_with_masks,
    js_in_double,
    js_permuted,
    lambda p, q: torch.as_tensor(jensenshannon(p.double().numpy(), q.double().numpy())) ** 2,
    lambda p, q: js_with_entropies(p, q)[None],
    lambda p, q: js_with_entropies(p, q).item(),
]


@pytest.mark.parametrize("answer", JS_RIGHT)
def test_a_right_js_passes(answer, dtype):
    feedback = check_js(answer)
    assert (feedback.ok, feedback.kind) == (True, "right"), feedback


def test_a_js_that_fails_only_where_nothing_happens_passes_with_a_remark(dtype):
    feedback = check_js(
        lambda p, q: (torch.xlogy(p, 2 * p / (p + q)) + torch.xlogy(q, 2 * q / (p + q))).sum() / 2
    )
    assert (feedback.ok, feedback.kind) == (True, "neither"), feedback


# … wrong


def js_to(mean):
    return lambda p, q: (kl(p, mean(p, q)) + kl(q, mean(p, q))) / 2


def js_weighed(first, second, share=0.5):
    """`first` KL(p‖m) + `second` KL(q‖m) for the m that holds p with `share`."""

    def divergence(p, q):
        m = share * p + (1 - share) * q
        return first * kl_with_where(p, m) + second * kl_with_where(q, m)

    return divergence


def js_from(formula):
    """A divergence made of p, q and their logarithms relative to the mixture."""
    return lambda p, q: formula(p, q, (2 * p / (p + q)).log(), (2 * q / (p + q)).log())


JS_WRONG = [
    (js_weighed(1, 1), "no_half", "twice JS"),
    (lambda p, q: 2 * entropy((p + q) / 2) - entropy(p) - entropy(q), "no_half", "log 4"),
    (js_to(lambda p, q: p + q), "not_halved", "sums to 2"),
    (lambda p, q: entropy(p + q) - (entropy(p) + entropy(q)) / 2, "not_halved", "into a distribution"),
    (lambda p, q: kl(p, p + q) + kl(q, p + q), "gan_value", "an m that sums to 2"),
    (lambda p, q: 2 * js(p, q) - math.log(4), "gan_value", "value of the GAN game"),
    (lambda p, q: js(p, q) - math.log(4), "gan_value", "log 4 is taken away"),
    (js_to(lambda p, q: (p * q).sqrt()), "geometric", "geometric mean"),
    (js_to(lambda p, q: (p * q).sqrt() / (p * q).sqrt().sum()), "geometric", "toss of a coin"),
    (lambda p, q: jensenshannon(p.numpy(), q.numpy()), "distance", "SciPy"),
    (lambda p, q: jensenshannon(p.numpy(), q.numpy(), base=2), "distance", "square root"),
    (lambda p, q: js(p, q).sqrt(), "distance", "the divergence itself"),
    (lambda p, q: js(p, q) / math.log(2), "bits", "base 2"),
    (js_from(lambda p, q, a, b: (p * a + q * b).mean() / 2), "mean", "average over the outcomes"),
    (js_from(lambda p, q, a, b: (p * a).mean() + (q * b).mean()), "mean", "how many there are"),
    (lambda p, q: kl(p, q) + kl(q, p), "jeffreys", "Jeffreys"),
    (lambda p, q: (kl(p, q) + kl(q, p)) / 2, "jeffreys", "directly in both directions"),
    (kl, "kl", "KL(p‖q)"),
    (lambda p, q: kl(q, p), "kl", "KL(q‖p)"),
    (js_weighed(0.5, 0), "one_side", "that of p"),
    (js_weighed(0, 0.5), "one_side", "that of q"),
    (js_weighed(1, 0), "one_side", "from both sides"),
    (js_weighed(0, 1), "one_side", "what does the other one say"),
    (lambda p, q: (kl((p + q) / 2, p) + kl((p + q) / 2, q)) / 2, "reversed", "wrong way round"),
    (
        lambda p, q: sum(F.kl_div(each.log(), (p + q) / 2, reduction="sum") for each in (p, q)),
        "reversed",
        "reverse order",
    ),
    (lambda p, q: -js(p, q), "sign", "That is −JS"),
    (lambda p, q: (entropy(p) + entropy(q)) / 2 - entropy((p + q) / 2), "sign", "wrong way round"),
    (lambda p, q: entropy((p + q) / 2) - entropy(p) - entropy(q), "entropies", "do not balance"),
    (lambda p, q: entropy((p + q) / 2) + entropy(p) / 2 + entropy(q) / 2, "entropies", "Which signs"),
    (lambda p, q: entropy((p + q) / 2) - (entropy(p) - entropy(q)) / 2, "entropies", "Which signs"),
    (lambda p, q: entropy((p + q) / 2) - entropy(p) / 2 - entropy(q), "entropies", "which weights"),
    (lambda p, q: entropy((p + q) / 2), "entropies", "mixture alone"),
    (js_weighed(0.5, 1), "weights", "do not count the same"),
    (js_weighed(1, 0.5), "weights", "what are its weights"),
    (js_weighed(0.25, 0.75), "weights", "more weight"),
    (js_weighed(0.75, 0.25), "weights", "more weight"),
    (js_weighed(0.25, 0.75, share=0.25), "weights", "change places"),
    (js_weighed(0.75, 0.25, share=0.75), "weights", "change places"),
    (js_from(lambda p, q, a, b: (a + b).sum() / 2), "unweighted", "You add"),
    (js_from(lambda p, q, a, b: (a + b).mean() / 2), "unweighted", "You average"),
    (js_from(lambda p, q, a, b: (p * (a + b)).sum() / 2), "one_distribution", "who draws which"),
    (js_from(lambda p, q, a, b: (p * a.exp() + q * b.exp()).sum() / 2), "no_log", "their logarithms"),
    (lambda p, q: js(p.softmax(0), q.softmax(0)), "softmax", "belongs to logits"),
    (js_from(lambda p, q, a, b: ((p * a).abs() + (q * b).abs()).sum() / 2), "abs", "without its sign"),
    (js_from(lambda p, q, a, b: torch.trapezoid(p * a + q * b) / 2), "trapezoid", "count only half"),
    (js, "zeros", "it gives no number"),
    (js_from(lambda p, q, a, b: (p * a + q * b).nansum() / 2), "zeros", "still counts"),
    (lambda p, q: js(p[p * q > 0], q[p * q > 0]), "zeros", "only one of p and q"),
    (lambda p, q: js(p, q).nan_to_num(math.log(2)), "zeros", "gives 0.693 for"),
    (written_for_an_order(js_with_entropies), "order", "order of the outcomes"),
    (only_in_the_own_dtype(js_with_entropies), "dtype", "wrong in"),
    (lambda p, q: js_with_entropies(p, q) + (p == q).all(), "identical", "What is JS of"),
    (lambda p, q: js_with_entropies(p, q) / (p != q).any(), "identical", "gives NaN"),
]


@pytest.mark.parametrize("answer, kind, phrase", JS_WRONG + SHARED_WRONG, ids=names(JS_WRONG + SHARED_WRONG))
def test_a_wrong_js_is_called_by_name(answer, kind, phrase, dtype):
    feedback = check_js(answer)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message


# … wrong, and in no table

JS_UNKNOWN = [
    (lambda p, q: js(p, q) + 1, "affine", "1.00 · JS + 1.00"),
    (lambda p, q: math.log(2) - js(p, q), "affine", "−1.00 · JS + 0.69"),
    (lambda p, q: js(p, q) / math.log(10), "affine", "0.43 · JS."),
    (js_weighed(0.9, 0.1, share=0.9), "asymmetric", "change places"),
    (js_weighed(1 / 3, 2 / 3), "asymmetric", "Which weight"),
    (lambda p, q: 0.25, "fixed", "0.25 whatever"),
    (lambda p, q: torch.rand(()), "order", "in another order"),
    (lambda p, q: (p.sqrt() * q.sqrt()).sum(), "not_zero", "is 1.000"),
    (lambda p, q: -(p.sqrt() - q.sqrt()).square().sum(), "negative", "below 0"),
    (lambda p, q: ((p - q) ** 2 / (p + q)).sum(), "value", "should be 0.102"),
]


@pytest.mark.parametrize("answer, kind, phrase", JS_UNKNOWN, ids=names(JS_UNKNOWN))
def test_an_unknown_js_gets_an_honest_line(answer, kind, phrase, dtype):
    feedback = check_js(answer)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message


def test_the_numbers_that_are_told_are_those_of_the_answer():
    feedback = check_discrete_kl(lambda p, q: kl(p, q).exp() - 1)
    mine, best = map(float, re.findall(r"\d\.\d\d\d", feedback.message))
    assert best == pytest.approx(0.9 * math.log(1.8) + 0.1 * math.log(0.2), abs=6e-4)
    assert mine == pytest.approx(math.exp(best) - 1, abs=2e-3)


# What every check does

CALLS = [
    (check_discrete_kl, "my_kl(p, q)", kl_with_where),
    (check_js, "my_js(p, q)", js_with_entropies),
]


@pytest.mark.parametrize("check, usage, right", CALLS, ids=["KL", "JS"])
class TestEveryCheck:
    def test_greets_an_untouched_stub(self, check, usage, right):
        def stub(p, q):
            """What it will do."""
            ...

        for each in (..., stub, lambda p, q: ...):
            feedback = check(each)
            assert (feedback.ok, feedback.kind) == (False, "stub")
            assert repr(feedback).startswith("Not started: ")

    def test_names_a_line_that_is_left(self, check, usage, right):
        def half(p, q):
            log_ratio = ...
            return (p * log_ratio).sum()

        assert check(half).kind == "unfinished"

    @pytest.mark.parametrize(
        "body, kind, phrase",
        [
            (lambda p: None, "none", "`return`"),
            (lambda p: p.undefined, "raised", "AttributeError"),
            (lambda p: p @ torch.ones(17, dtype=p.dtype), "raised", "stopped with RuntimeError"),
            (lambda p: (each for each in p), "type", "a `generator`"),
            (lambda p: math.nan, "nan", "is NaN"),
            (lambda p: p.sum() * math.inf, "nan", "is infinite"),
        ],
    )
    def test_says_what_is_unusable(self, check, usage, right, body, kind, phrase):
        feedback = check(lambda p, q: body(p))
        assert (feedback.ok, feedback.kind) == (False, kind)
        assert phrase in feedback.message

    def test_shows_how_it_calls(self, check, usage, right):
        feedback = check(lambda p: p)
        assert feedback.kind == "signature"
        assert f"`{usage}`" in feedback.message
        assert check(torch.ones(3)).kind == "signature"

    def test_stops_a_loop_without_end(self, check, usage, right, monkeypatch):
        monkeypatch.setattr(
            checks.Answer.__init__, "__defaults__", (0.5,)
        )  # seconds: the frame tests the rest

        def spins(p, q):
            while True:
                pass

        assert check(spins).kind == "slow"

    def test_stops_a_loop_that_only_zeros_start(self, check, usage, right, monkeypatch):
        monkeypatch.setattr(checks.Answer.__init__, "__defaults__", (0.5,))

        def spins_for_nothing(p, q):
            while ((p == 0) & (q == 0)).any():
                pass
            return right(p, q)

        assert check(spins_for_nothing).kind == "slow"

    def test_a_dtype_of_its_own_is_only_remarked(self, check, usage, right):
        feedback = check(lambda p, q: right(p, q) + p @ torch.zeros(len(p)))
        assert (feedback.ok, feedback.kind) == (True, "dtype")

    def test_disturbs_nothing(self, check, usage, right):
        state = torch.get_rng_state()
        cases = (checks.APART, checks.FEWER, checks.ZEROS, checks.P_ZEROS)
        kept = [each.clone() for case in cases for each in case]

        def vandal(p, q):
            torch.manual_seed(0)
            p.zero_()
            return torch.rand(())

        assert check(vandal).kind == "changed_input"
        assert torch.equal(torch.get_rng_state(), state)
        assert all(map(torch.equal, [each for case in cases for each in case], kept))

    def test_is_the_same_in_no_grad_mode_and_with_gradients(self, check, usage, right):
        with torch.no_grad():
            assert check(right).kind == "right"
        assert check(lambda p, q: right(p.requires_grad_(), q)).kind == "right"


# The tables

TABLES = [(checks.KL_WAYS, KL_WRONG + SHARED_WRONG), (checks.JS_WAYS, JS_WRONG + SHARED_WRONG)]


@pytest.mark.parametrize("ways, asked", TABLES, ids=["KL", "JS"])
def test_no_two_ways_can_be_taken_for_each_other(ways, asked):
    cases = [checks.APART, checks.FEWER]
    seen = [[_by(way, case) for case in cases] for way in ways]
    for (one, a), (other, b) in itertools.combinations(zip(ways, seen, strict=True), 2):
        apart = max(
            float((x - y).abs().max() / torch.minimum(x.abs().max(), y.abs().max()).clamp(min=1))
            for x, y in zip(a, b, strict=True)
        )
        assert apart > 10 * checks.SAME, (one.kind, other.kind, apart)


@pytest.mark.parametrize("ways, asked", TABLES, ids=["KL", "JS"])
def test_every_message_of_the_tables_has_its_wrong_answer(ways, asked):
    for way in ways[1:]:
        assert any(kind == way.kind and phrase in way.message for _, kind, phrase in asked), way


def test_the_references_are_those_of_other_libraries():
    """SciPy's divergences, and PyTorch's distributions: they share no code with the check."""
    for case in (checks.APART, checks.FEWER, checks.EQUAL, checks.P_ZEROS, checks.BOTH_ZERO):
        reference = torch.tensor(scipy.stats.entropy(*case), dtype=torch.float64)
        torch.testing.assert_close(_right(checks.KL_WAYS, case)[0], reference)
    for case in (checks.APART, checks.FEWER, checks.EQUAL, checks.ZEROS, checks.DISJOINT, checks.NEITHER):
        reference = torch.tensor(jensenshannon(*case) ** 2, dtype=torch.float64)
        torch.testing.assert_close(_right(checks.JS_WAYS, case)[0], reference)
    for case in (checks.Q_ZERO, checks.DISJOINT):
        assert _right(checks.KL_WAYS, case) == math.inf == kl_with_distributions(*case)
    assert float(_right(checks.JS_WAYS, checks.DISJOINT)) == pytest.approx(math.log(2))


def test_inputs_are_designed_to_separate():
    cases = ["APART", "FEWER", "EQUAL", "BY_HAND", "P_ZEROS", "Q_ZERO", "BOTH_ZERO", "ZEROS", "DISJOINT"]
    for name in [*cases, "NEITHER"]:
        for each in getattr(checks, name):
            assert each.sum() == pytest.approx(1), name
            assert (each >= 0).all()
    for p, q in (checks.APART, checks.FEWER):
        assert (p > 0).all() and (q > 0).all()
        assert (p > q).any() and (p < q).any()
    assert len(checks.APART[0]) != len(checks.FEWER[0])
    p, q = checks.P_ZEROS
    assert (p == 0).any() and (q > 0).all()
    p, q = checks.Q_ZERO
    assert ((q == 0) & (p > 0)).any() and ((p == 0) & (q > 0)).any() and not ((p == 0) & (q == 0)).any()
    p, q = checks.BOTH_ZERO
    assert ((p == 0) & (q == 0)).any() and not ((q == 0) & (p > 0)).any()


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
def test_messages_are_short_and_give_nothing_away():
    rows = [way.message for ways, _ in TABLES for way in ways[1:]]
    said = [check_discrete_kl(row[0]).message for row in KL_WRONG + KL_UNKNOWN + SHARED_WRONG]
    said += [check_js(row[0]).message for row in JS_WRONG + JS_UNKNOWN + SHARED_WRONG]
    answers = [
        r"log ?\(?p ?/ ?q",
        r"log p ?[-−] ?log q",
        r"\(p ?\+ ?q\) ?/ ?2",
        r"(½|0\.5) ?[·*]? ?(KL|H)\(",
        r"xlogy|nan_to_num|torch\.where|rel_entr|nansum",
    ]
    for message in rows:
        assert len(message) <= 260, message
        assert message[0].isupper() and message[-1] in ".?)", message
    for message in rows + said:
        sentences = [part for part in message.replace("? ", ". ").split(". ") if part]
        assert 1 <= len(sentences) <= 4, message
        assert len(message) <= 420, message
        assert not any(re.search(answer, message) for answer in answers), message
    for message in rows:
        assert len([part for part in message.replace("? ", ". ").split(". ") if part]) <= 3, message


# The folded solutions of the notebook


def test_the_solutions_in_the_notebook_pass(dtype):
    names = folded_solutions("02_probability_you_need", torch=torch, math=math)
    assert check_discrete_kl(names["my_kl"]).kind == "right"
    assert check_js(names["my_js"]).kind == "right"
