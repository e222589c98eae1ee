"""Both sides of the checks of notebook 02: right ways to write a divergence pass, wrong ones are called by name."""

import functools
import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
import torch.nn.functional as F
from answers import folded_solutions, tests_of
from scipy.spatial.distance import jensenshannon
from torch.distributions import Categorical, kl_divergence

from helpers import theory
from helpers.checks import nb02_probability as checks
from helpers.checks.nb02_probability import check_discrete_kl, check_js
from helpers.feedback import Answer


def entropy(p):
    return torch.special.entr(p).sum()


# KL, right


def kl_with_a_mask(p, q):
    seen = p > 0
    return (p[seen] * torch.log(p[seen] / q[seen])).sum()


def kl_with_where(p, q):
    return torch.where(p > 0, p * (p.log() - q.log()), 0.0).sum()


def kl_in_plain_python(p, q):
    total = 0.0
    for a, b in zip(p.tolist(), q.tolist(), strict=True):
        if a > 0:
            total += a * math.log(a / b) if b > 0 else math.inf
    return total


class Divergence:
    def __call__(self, p, q):
        return kl_with_a_mask(p, q).item()


# fmt: off
KL_RIGHT = [
    theory.discrete_kl, kl_with_a_mask, kl_with_where, kl_in_plain_python, Divergence(),
    functools.partial(lambda base, p, q: kl_with_where(p, q) / math.log(base), math.e),
    lambda p, q: -(p[p > 0] * q[p > 0].log()).sum() - entropy(p),
    lambda p, q: np.where((p > 0).numpy(), p.numpy() * np.log((p / q).numpy().clip(1e-30)), 0.0).sum(),
    lambda p, q: kl_with_where(p.double(), q.double()).to(torch.float32),
    lambda p, q: (lambda i: kl_with_where(p[i], q[i]))(torch.randperm(len(p))),
    lambda p, q: kl_divergence(Categorical(p), Categorical(q)),
    lambda p, q: p @ torch.where(p > 0, p / q, 1.0).log(),
    lambda p, q: (p * torch.log(torch.where(p > 0, p / q, 1.0) + 1e-12)).sum(),  # this guard hides no infinity
    lambda p, q: torch.nan_to_num(p * (p / q).log(), nan=0.0, posinf=math.inf).sum(),
    lambda p, q: math.log(2) * torch.where(p > 0, p * (p.log2() - q.log2()), 0.0).sum(),
    lambda p, q: torch.nansum(p * (p / q).log()),
    lambda p, q: scipy.special.rel_entr(p.numpy(), q.numpy()).sum(),
    lambda p, q: scipy.stats.entropy(p.numpy(), q.numpy()),
    lambda p, q: kl_with_where(p, q)[None],
    lambda p, q: np.float64(kl_in_plain_python(p, q)),
    lambda p, q: [kl_with_a_mask(p, q).item()],
    lambda p, q: (p * (p.clamp(min=1e-12).log() - q.log())).nan_to_num(nan=0.0, posinf=math.inf).sum(),
]
# fmt: on

# Right wherever something happens, and 0/0 only where nothing does.
NEITHER = ("neither", "neither p nor q can produce")
KL_REMARKS = [
    (lambda p, q: torch.xlogy(p, p / q).sum(), *NEITHER),
    (lambda p, q: F.kl_div(q.log(), p, reduction="sum"), *NEITHER),
    (lambda p, q: -torch.xlogy(p, q / p).sum() if (p > 0).all() else torch.xlogy(p, p / q).sum(), *NEITHER),
    (lambda p, q: kl_with_where(p, q) + p @ torch.zeros(len(p)), "dtype", "of another type"),
]


# … wrong


def kl(p, q):
    """As a beginner writes it: right, but without a thought for zeros."""
    return (p * torch.log(p / q)).sum()


def js(p, q):
    m = (p + q) / 2
    return (kl(p, m) + kl(q, m)) / 2


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


# fmt: off
SHARED_WRONG = [
    (changes_its_input, "changed_input", "changes `p`"),
    (lambda p, q: p * (p / q).log(), "shape", "one number an outcome"),
    (lambda p, q: (kl(p, q), kl(q, p)), "shape", "its two parts"),
    (lambda p, q: (p * (p / q).log())[1:], "shape", "still have to be summed"),
    (lambda p, q: "log 2", "type", "a `str`"),
    (lambda p, q: (p * (p - q).log()).sum(), "nan", "negative number"),
    (lambda p, q: 10**400, "nan", "infinite"),
    (lambda p, q: 0.25, "fixed", "0.25 whatever"),
    (lambda p, q: torch.rand(()), "noise", "new noise"),
    (lambda p, q: (p.sqrt() * q.sqrt()).sum(), "not_zero", "is 1."),
]
KL_WRONG = [
    (lambda p, q: F.kl_div(p.log(), q, reduction="sum"), "reversed", "reverse order"),
    (lambda p, q: F.cross_entropy(q.log(), p), "cross_entropy", "knows only one"),
    (lambda p, q: F.kl_div(q, p, reduction="sum"), "input_of_kl_div", "`kl_div` of PyTorch"),
    (lambda p, q: F.kl_div(q.log_softmax(0), p, reduction="sum"), "softmax", "belongs to logits"),
    # two mistakes at once
    (lambda p, q: kl(q.softmax(0), p.softmax(0)), "softmax", "other direction"),
    # zeros, and what is almost zero
    (kl, "zeros", "it gives no number"),
    (lambda p, q: kl(p, q).nan_to_num(0.0), "zeros", "it is 0, and"),
    (lambda p, q: kl(p + 1e-2, q + 1e-2) if (p == 0).any() else kl(p, q), "zeros", "added, replaced"),
    (lambda p, q: math.inf if (p == 0).any() else kl(p, q), "zeros", "it is ∞, and should be"),
    (lambda p, q: sum(a * math.log(a / b) for a, b in zip(p.tolist(), q.tolist(), strict=True) if a),
        "infinity", "no number"),
    (lambda p, q: kl_with_where(p, q) if (q > 0).all() else q.log().sum(), "infinity", "−∞"),
    (kl_on_the_common_support, "left_out", "what does it cost"),
    (lambda p, q: kl(p + 1e-12, q + 1e-12), "hidden_infinity", "stands for an infinity"),
    (lambda p, q: kl_with_where(p, q).clamp(max=100.0), "hidden_infinity", "you give 100: a finite number"),
    (lambda p, q: (p * ((p + 1e-8) / (q + 1e-8)).log()).sum(), "hidden_infinity", "truly infinite"),
    (lambda p, q: kl_with_a_mask(p[p > 1e-3], q[p > 1e-3]), "small", "threshold"),
    (written_for_an_order(kl_with_where), "order", "order of the outcomes"),
    (only_in_the_own_dtype(kl_with_where), "dtype", "other numbers"),
    (lambda p, q: kl_with_where(p, q) + (p == q).all(), "identical", "your number is 1, and"),
    # in no table
    (lambda p, q: 2 * kl(p, q) - 1, "affine", "2 · KL − 1"),
    (lambda p, q: p.cumsum(0).dot(q.log()), "order", "in another order"),
    (lambda p, q: kl(p, q) - 2 * kl(q, p), "negative", "below 0"),
    (lambda p, q: kl(p, q).exp() - 1, "value", "it is 0.4449, and should be 0.3681: take that one by hand"),
    (lambda p, q: kl(p + 1e-3, q + 1e-3), "value", "it is 0.367, and should be 0.3681"),
    (lambda p, q: kl(p[p > 0.03], q[p > 0.03]), "value", "your result is 1.69, and should be 1.62"),
]
# fmt: on

test_kl_right, test_kl_remarks, test_kl_wrong = tests_of(
    check_discrete_kl, KL_RIGHT, KL_REMARKS, KL_WRONG + SHARED_WRONG
)


# JS, right


def js_with_two_kls(p, q):
    m = (p + q) / 2
    return 0.5 * kl_with_where(p, m) + 0.5 * kl_with_where(q, m)


def js_with_entropies(p, q):
    return entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2


def js_in_plain_python(p, q):
    total = 0.0
    for a, b in zip(p.tolist(), q.tolist(), strict=True):
        total += sum(each * math.log(2 * each / (a + b)) for each in (a, b) if each) / 2
    return total


def js_with_masks(p, q):
    m = (p + q) / 2
    return (kl(p[p > 0], m[p > 0]) + kl(q[q > 0], m[q > 0])) / 2


# fmt: off
JS_RIGHT = [
    theory.discrete_js, js_with_two_kls, js_with_entropies, js_in_plain_python, js_with_masks,
    lambda p, q: sum(kl_divergence(Categorical(each), Categorical((p + q) / 2)) for each in (p, q)) / 2,
    lambda p, q: sum(F.kl_div(((p + q) / 2).clamp(min=1e-30).log(), w, reduction="sum") for w in (p, q)) / 2,
    lambda p, q: sum(scipy.special.rel_entr(w.numpy(), ((p + q) / 2).numpy()).sum() for w in (p, q)) / 2,
    lambda p, q: (lambda i: js_with_two_kls(q[i], p[i]))(torch.randperm(len(p))),
    lambda p, q: (torch.xlogy(p, p) + torch.xlogy(q, q) - torch.xlogy(p + q, p + q)).sum() / 2 + math.log(2),
    lambda p, q: js(p + 1e-12, q + 1e-12), lambda p, q: js(p + 1e-6, q + 1e-6),
    lambda p, q: js_with_entropies(p.double(), q.double()).to(p.dtype),
    lambda p, q: torch.as_tensor(jensenshannon(p.double().numpy(), q.double().numpy())) ** 2,
    lambda p, q: js_with_entropies(p, q)[None], lambda p, q: js_with_entropies(p, q).item(),
]
# fmt: on
JS_REMARKS = [
    (lambda p, q: (torch.xlogy(p, 2 * p / (p + q)) + torch.xlogy(q, 2 * q / (p + q))).sum() / 2, *NEITHER),
    (lambda p, q: js_with_entropies(p, q) + p @ torch.zeros(len(p)), "dtype", "of another type"),
]


# … wrong


def js_to(mean):
    return lambda p, q: (kl(p, mean(p, q)) + kl(q, mean(p, q))) / 2


def js_weighed(first, second, share=0.5):
    """`first` KL(p‖m) + `second` KL(q‖m) for the m that holds p with `share`."""

    def divergence(p, q):
        m = share * p + (1 - share) * q
        return first * kl_with_where(p, m) + second * kl_with_where(q, m)

    return divergence


JS_WRONG = [
    (js_to(lambda p, q: (p * q).sqrt() / (p * q).sqrt().sum()), "geometric", "with probability ½"),
    # two mistakes at once
    (lambda p, q: math.log(2) - js(p, q), "coin", "how uncertain it stays"),
    # zeros, and what is almost zero
    (js, "zeros", "it gives no number"),
    (lambda p, q: js(p[p * q > 0], q[p * q > 0]), "zeros", "and should be 0.1597"),
    (lambda p, q: js_with_entropies(p, q).clamp(max=0.69), "zeros", "cut off"),
    (lambda p, q: js(p, q).nan_to_num(math.log(2)), "zeros", "it is 0.6931, and"),
    (lambda p, q: js_with_masks(p * (p > 1e-3), q), "small", "rare"),
    (only_in_the_own_dtype(js_with_entropies), "dtype", "other numbers"),
    (lambda p, q: js_with_entropies(p, q) / (p != q).any(), "identical", "your number is NaN"),
    (js_to(lambda p, q: (p + q) / 2 + 1e-5), "identical", "added to a probability"),
    # in no table
    (lambda p, q: js(p, q) + 1, "affine", "is JS + 1."),
    (lambda p, q: js(p, q) / math.log(10), "affine", "0.4343 · JS"),
    (js_weighed(0.9, 0.1, share=0.9), "asymmetric", "change places"),
    (js_weighed(0.5, 0.5, share=0.45), "asymmetric", "change places"),
    (lambda p, q: -(p.sqrt() - q.sqrt()).square().sum(), "negative", "below 0"),
    (lambda p, q: ((p - q) ** 2 / (p + q)).sum(), "value", "it is 0.381, and should be 0.1017"),
]

test_js_right, test_js_remarks, test_js_wrong = tests_of(
    check_js, JS_RIGHT, JS_REMARKS, JS_WRONG + SHARED_WRONG
)


# The references, the inputs and the notebook's own solutions


def ours(task, pair):
    case = checks._case(pair)
    return task.best()(case).double(), case.p.numpy(), case.q.numpy()


def test_the_references_are_those_of_other_libraries(double):
    """SciPy's divergences, and PyTorch's distributions: they share no code with the check."""
    for pair in (checks.APART, checks.FEWER, checks.EQUAL, checks.P_ZEROS, checks.BOTH_ZERO, checks.RARE):
        mine, p, q = ours(checks.KL, pair)
        assert float(mine) == pytest.approx(scipy.stats.entropy(p, q), abs=1e-12)
    for pair in (checks.APART, checks.FEWER, checks.EQUAL, checks.Q_ZERO, checks.DISJOINT, checks.BOTH_ZERO):
        mine, p, q = ours(checks.JS, pair)
        assert float(mine) == pytest.approx(jensenshannon(p, q) ** 2, abs=1e-12)
    for pair in (checks.Q_ZERO, checks.DISJOINT):
        assert ours(checks.KL, pair)[0] == math.inf == scipy.stats.entropy(*pair)
    assert float(ours(checks.JS, checks.DISJOINT)[0]) == pytest.approx(math.log(2))


def test_inputs_are_designed_to_separate():
    zeros = {}
    for name in ("APART", "FEWER", "EQUAL", "BY_HAND", "P_ZEROS", "Q_ZERO", "BOTH_ZERO", "DISJOINT", "RARE"):
        p, q = map(np.array, getattr(checks, name))
        assert p.sum() == pytest.approx(1) and q.sum() == pytest.approx(1) and min(*p, *q) >= 0, name
        zeros[name] = [((p == 0) & (q > 0)).any(), ((q == 0) & (p > 0)).any(), ((p == 0) & (q == 0)).any()]
    assert zeros["P_ZEROS"] == [True, False, False]
    assert zeros["Q_ZERO"] == zeros["DISJOINT"] == [True, True, False]
    assert zeros["BOTH_ZERO"] == [False, False, True]
    assert not any(map(any, (zeros["APART"], zeros["FEWER"], zeros["EQUAL"], zeros["RARE"])))


def test_a_loop_that_zeros_alone_start_is_stopped(monkeypatch):
    monkeypatch.setattr(Answer.__init__, "__defaults__", (0.5, (), False))

    def waits(p, q):
        while ((p == 0) & (q == 0)).any():
            pass
        return kl_with_where(p, q)

    assert check_discrete_kl(waits).kind == "slow"


def test_the_solutions_in_the_notebook_pass(dtype):
    names = folded_solutions("02_probability_you_need", torch=torch, math=math)
    assert check_discrete_kl(names["my_kl"]).kind == "right"
    assert check_js(names["my_js"]).kind == "right"
