"""Answers to assignment 10: right ones written in other ways, and wrong ones with words of the sentence they get."""

import math

import torch
from torch.distributions import Categorical, Normal, kl_divergence

from helpers.vae import gaussian_kl

LOG_2PI = math.log(2 * math.pi)


# --- the box of question 1 -----------------------------------------------------------------------------------


def box(centre, log_width, entropy=1.0, constant=LOG_2PI, square=1.0, spread=1 / 12, half=0.5):
    """The rate with each of its parts in reach: −entropy · log w + ½ constant + half · (square · c² + spread · w²)."""
    z_squared = square * centre.square() + spread * (2 * log_width).exp()
    return (constant / 2 - entropy * log_width + half * z_squared).sum(1)


def box_by_its_ends(centre, log_width):
    """The mean of z² between a and b is (a² + ab + b²)/3."""
    low, high = centre - log_width.exp() / 2, centre + log_width.exp() / 2
    return ((low**2 + low * high + high**2) / 6 + LOG_2PI / 2 - log_width).sum(-1)


def box_by_its_twin(centre, log_width):
    """A Gaussian of the same mean and variance differs only in its entropy."""
    twin = gaussian_kl(centre, 2 * log_width - math.log(12))
    return twin + centre.shape[1] * (LOG_2PI + 1 - math.log(12)) / 2


def box_by_a_loop(centre, log_width):
    rates = []
    for cs, widths in zip(centre.tolist(), log_width.tolist(), strict=True):
        parts = [(c * c + math.exp(w) ** 2 / 12 + LOG_2PI) / 2 - w for c, w in zip(cs, widths, strict=True)]
        rates.append(sum(parts))
    return torch.tensor(rates)


def box_with_log_of_exp(centre, log_width):
    width = log_width.exp()
    return (LOG_2PI / 2 - width.log() + (centre.square() + width.square() / 12) / 2).sum(1)


def box_of_wrong_width(centre, log_width):
    return (LOG_2PI / 2 - log_width.log() + (centre.square() + log_width.square() / 12) / 2).sum(1)


# --- the mixture of questions 2 to 4 -------------------------------------------------------------------------


def log_likelihoods(x, centres, std=0.5):
    """log p(x|z), shape (B, K)."""
    return Normal(centres, std).log_prob(x[:, None]).sum(2)


def log_joints(x, centres, log_prior, std=0.5):
    return log_likelihoods(x, centres, std) + log_prior


def bound(log_joint, log_q):
    return (log_q.exp() * (log_joint - log_q)).sum(1)


def two_terms(x, centres, log_prior, logits):
    q, prior = Categorical(logits=logits), Categorical(logits=log_prior.expand_as(logits))
    return (q.probs * log_likelihoods(x, centres)).sum(1) - kl_divergence(q, prior)


def with_entropy(x, centres, log_prior, logits, sign=1.0, dim=1):
    q = logits.softmax(dim)
    return (q * log_joints(x, centres, log_prior)).sum(1) + sign * torch.special.entr(q).sum(1)


def truth_minus_gap(x, centres, log_prior, logits):
    log_joint, log_q = log_joints(x, centres, log_prior), logits.log_softmax(1)
    return log_joint.logsumexp(1) - (log_q.exp() * (log_q - log_joint.log_softmax(1))).sum(1)


def bound_by_a_loop(x, centres, log_prior, logits):
    bounds = []
    for row, q in zip(x.tolist(), logits.double().softmax(1).tolist(), strict=True):
        total = 0.0
        for weight, centre, log_p in zip(q, centres.tolist(), log_prior.tolist(), strict=True):
            square = sum((a - b) ** 2 for a, b in zip(row, centre, strict=True))
            log_density = -2 * square - len(row) / 2 * math.log(2 * math.pi * 0.25)
            total += weight * (log_density + log_p - math.log(weight)) if weight > 0 else 0.0
        bounds.append(total)
    return torch.tensor(bounds, dtype=torch.float64)


def with_log_of_softmax(x, centres, log_prior, logits):
    q = logits.softmax(1)
    return (q * (log_joints(x, centres, log_prior) - q.log())).sum(1)


def with_a_small_number(x, centres, log_prior, logits):
    q = logits.softmax(1)
    return (q * (log_joints(x, centres, log_prior) - (q + 1e-2).log())).sum(1)


def rate_by(x, centres, log_prior, logits, rate):
    """The reconstruction minus rate(log q, log p)."""
    log_q = logits.log_softmax(1)
    return (log_q.exp() * log_likelihoods(x, centres)).sum(1) - rate(log_q, log_prior)


def kl(log_a, log_b):
    return (log_a.exp() * (log_a - log_b)).sum(-1)


def without_constants(x, centres, log_prior, logits):
    return with_entropy(x, centres, log_prior, logits) + x.shape[1] / 2 * math.log(2 * math.pi * 0.25)


def mean_over_dimensions(x, centres, log_prior, logits):
    return bound(log_likelihoods(x, centres) / x.shape[1] + log_prior, logits.log_softmax(1))


def unnormalised(x, centres, log_prior, logits):
    return bound(log_joints(x, centres, log_prior), logits)


def half_normalised(x, centres, log_prior, logits):
    return (logits.softmax(1) * (log_joints(x, centres, log_prior) - logits)).sum(1)


def one_code(x, centres, log_prior, logits):
    best = logits.argmax(1, keepdim=True)
    return (log_joints(x, centres, log_prior) - logits.log_softmax(1)).gather(1, best).squeeze(1)


def mean_of_weights(x, centres, log_prior, logits):
    log_w = log_joints(x, centres, log_prior) - logits.log_softmax(1)
    return log_w.logsumexp(1) - math.log(len(centres))


def posterior_by_densities(x, centres, log_prior, small=0.0):
    joint = log_joints(x, centres, log_prior).exp()
    return joint / (joint.sum(1, keepdim=True) + small)


def posterior_by_squares(x, centres, log_prior):
    """|x|² is the same for all codes and cancels."""
    return (4 * x @ centres.T - 2 * centres.square().sum(1) + log_prior).softmax(1)


def posterior_by_pairs(x, centres, log_prior):
    """1 / Σ_l exp(log joint_l − log joint_k)"""
    log_joint = log_joints(x, centres, log_prior)
    return 1 / (log_joint[:, None, :] - log_joint[:, :, None]).exp().sum(2)


def softmax_of(x, centres, log_prior, score):
    """score(squared distances) + log prior, through a softmax."""
    squares = (x[:, None] - centres).square().sum(2)
    return (score(squares) + log_prior).softmax(1)


def best_code(x, centres, log_prior):
    log_joint = log_joints(x, centres, log_prior)
    return torch.nn.functional.one_hot(log_joint.argmax(1), len(centres)).to(x)


def weighted(x, q):
    return q.T @ x / q.sum(0)[:, None]


def least_squares(x, q):
    roots = [column.sqrt()[:, None] for column in q.T]
    return torch.cat([torch.linalg.lstsq(root, root * x).solution for root in roots]), q.sum(0) / q.sum()


def m_step_by_a_loop(x, q):
    centres = torch.zeros(q.shape[1], x.shape[1], dtype=torch.float64)
    for k in range(q.shape[1]):
        for row, weight in zip(x.double(), q[:, k].double(), strict=True):
            centres[k] += weight * row / q[:, k].double().sum()
    return centres, [column.mean().item() for column in q.T]


def hard(x, q):
    q = torch.nn.functional.one_hot(q.argmax(1), q.shape[1]).to(q)
    return weighted(x, q).nan_to_num(), q.mean(0)


def changes_x(x, q):
    shift = x.mean(0)
    x -= shift
    return weighted(x, q) + shift, q.mean(0)


def changes_q(x, q):
    prior = q.mean(0)
    q /= q.sum(0)
    return q.T @ x, prior


RIGHT = {
    "uniform_rate": {
        "the ends": box_by_its_ends,
        "a Gaussian twin": box_by_its_twin,
        "a loop": box_by_a_loop,
        "float64": lambda c, w: box(c.double(), w.double()),
        "means of logarithms": lambda c, w: (
            -w.sum(1) + (w.exp() ** 2 / 24 - Normal(torch.zeros_like(c), 1.0).log_prob(c)).sum(1)
        ),
    },
    "mixture_elbo": {
        "two terms": two_terms,
        "entropy": with_entropy,
        "truth minus gap": truth_minus_gap,
        "a loop": bound_by_a_loop,
        "float64": lambda *given: bound(
            log_joints(*[each.double() for each in given[:3]]), given[3].double().log_softmax(1)
        ),
    },
    "responsibilities": {
        "log-sum-exp": lambda *given: (
            log_joints(*given) - log_joints(*given).logsumexp(1, keepdim=True)
        ).exp(),
        "largest first": lambda *given: torch.nn.functional.normalize(
            (log_joints(*given) - log_joints(*given).amax(1, keepdim=True)).exp(), p=1, dim=1
        ),
        "squares": posterior_by_squares,
        "pairs": posterior_by_pairs,
        "without constants": lambda x, c, log_p: softmax_of(x, c, log_p, lambda squares: -2 * squares),
    },
    "m_step": {
        "weights first": lambda x, q: ((q / q.sum(0)).T @ x, q.mean(0)),
        "einsum": lambda x, q: (
            torch.einsum("bk,bd->kd", q, x) / q.sum(0).unsqueeze(1),
            q.sum(0) / len(x),
        ),
        "logarithms": lambda x, q: (q.log().softmax(0).T @ x, q.log().logsumexp(0).softmax(0)),
        "least squares": least_squares,
        "a loop": m_step_by_a_loop,
        "a list": lambda x, q: [weighted(x, q), q.mean(0)],
    },
}

WRONG = {
    "uniform_rate": {
        "mean": (lambda c, w: box(c, w) / c.shape[1], "mean over the dimensions"),
        "sign": (lambda c, w: -box(c, w), "sign"),
        "log width for width": (box_of_wrong_width, "NaN"),
        "its square": (
            lambda c, w: (LOG_2PI / 2 - w + (c.square() + w.square() / 12) / 2).sum(1),
            "log_width stands where the width belongs",
        ),
        "half the width": (lambda c, w: box(c, w + math.log(2)), "half the width"),
        "no twelfth": (lambda c, w: box(c, w, spread=1.0), "1/12"),
        "no spread": (lambda c, w: box(c, w, spread=0.0), "only at the centre"),
        "no centre": (lambda c, w: box(c, w, square=0.0), "centre is forgotten"),
        "no constant": (lambda c, w: box(c, w, constant=0.0), "log 2π"),
        "no half": (lambda c, w: box(c, w, half=1.0), "½"),
        "entropy added": (lambda c, w: box(c, w, entropy=-1.0), "narrow box"),
        "no entropy": (lambda c, w: box(c, w, entropy=0.0), "E_q[log q] is missing"),
        "reversed": (lambda c, w: torch.full_like(c[:, 0], torch.inf), "other direction"),
        "notebook 10": (gaussian_kl, "notebook 10"),
        "a Gaussian": (lambda c, w: gaussian_kl(c, 2 * w - math.log(12)), "same mean and variance"),
        "bits": (lambda c, w: box(c, w) / math.log(2), "bits"),
        "underflow": (box_with_log_of_exp, "logarithm of an exponential"),
        "over the batch": (lambda c, w: box(c, w).sum(), "shape"),
        "a column for each dimension": (lambda c, w: box(c.T, w.T), "shape"),
        "nothing": (lambda c, w: None, "return"),
    },
    "mixture_elbo": {
        "no entropy": (lambda *given: with_entropy(*given, sign=0.0), "entropy of q is missing"),
        "entropy subtracted": (lambda *given: with_entropy(*given, sign=-1.0), "entropy of q is subtracted"),
        "no rate": (lambda *given: rate_by(*given, lambda *_: 0.0), "reconstruction alone"),
        "rate added": (lambda *given: rate_by(*given, lambda a, b: -kl(a, b)), "rate is added"),
        "rate reversed": (lambda *given: rate_by(*given, lambda a, b: kl(b, a)), "other direction"),
        "uniform prior": (
            lambda *given: rate_by(*given, lambda a, b: kl(a, torch.tensor(-math.log(len(b))))),
            "uniform",
        ),
        "no prior": (lambda *given: rate_by(*given, lambda a, b: kl(a, 0 * b)), "prior is missing"),
        "logits as they are": (unnormalised, "normalised"),
        "log q as it is": (half_normalised, "log q is not normalised"),
        "over the batch": (lambda *given: with_entropy(*given, dim=0), "over the batch"),
        "no constants": (without_constants, "constants"),
        "mean over D": (mean_over_dimensions, "mean over the D"),
        "deviation for variance": (
            lambda x, c, p, logits: bound(log_joints(x, c, p, math.sqrt(0.5)), logits.log_softmax(1)),
            "0.25",
        ),
        "evidence": (lambda x, c, p, logits: log_joints(x, c, p).logsumexp(1), "log p(x) itself"),
        "mean of weights": (mean_of_weights, "logarithm of a mean"),
        "one code": (one_code, "likeliest code"),
        "minus": (lambda *given: -with_entropy(*given), "−ELBO"),
        "zeros": (with_log_of_softmax, "NaN"),
        "a small number": (with_a_small_number, ""),
        "one number": (lambda *given: with_entropy(*given).mean(), "shape"),
    },
    "responsibilities": {
        "no prior": (lambda x, c, p: log_likelihoods(x, c).softmax(1), "prior is forgotten"),
        "prior alone": (lambda x, c, p: p.exp().expand(len(x), -1), "the prior for every x"),
        "prior as it is": (
            lambda x, c, p: (log_likelihoods(x, c) + p.exp()).softmax(1),
            "logarithm of the prior",
        ),
        "logarithms": (lambda *given: log_joints(*given).log_softmax(1), "logarithms"),
        "joint": (lambda *given: log_joints(*given).exp(), "not divided by p(x)"),
        "over the batch": (lambda *given: log_joints(*given).softmax(0), "columns"),
        "best code": (best_code, "A decision"),
        "sign": (lambda *given: softmax_of(*given, lambda squares: 2 * squares), "far centres"),
        "no half": (lambda *given: softmax_of(*given, lambda squares: -4 * squares), "factor ½"),
        "deviation for variance": (lambda *given: softmax_of(*given, lambda squares: -squares), "0.25"),
        "distance": (lambda *given: softmax_of(*given, lambda squares: -2 * squares.sqrt()), "squared"),
        "mean over D": (
            lambda x, c, p: softmax_of(x, c, p, lambda squares: -2 * squares / x.shape[1]),
            "mean over the D",
        ),
        "densities": (posterior_by_densities, "finite"),
        "densities and a small number": (
            lambda *given: posterior_by_densities(*given, small=1e-30),
            "sum to 1",
        ),
        "densities repaired": (
            lambda *given: posterior_by_densities(*given).nan_to_num(1 / len(given[1])),
            "below log p(x)",
        ),
        "transposed": (lambda *given: log_joints(*given).softmax(1).T, "shape"),
        "nothing": (lambda *given: None, "return"),
    },
    "m_step": {
        "sums": (lambda x, q: (q.T @ x, q.mean(0)), "sums"),
        "over all": (lambda x, q: (q.T @ x / len(x), q.mean(0)), "divided by B"),
        "plain mean": (lambda x, q: (x.mean(0).expand(q.shape[1], -1), q.mean(0)), "same for all"),
        "hard": (hard, "likeliest code"),
        "squared weights": (lambda x, q: (weighted(x, q**2), q.mean(0)), "squares of q"),
        "transposed": (lambda x, q: (weighted(x, q).T, q.mean(0)), "shape"),
        "counts": (lambda x, q: (weighted(x, q), q.sum(0)), "sum to B"),
        "uniform": (lambda x, q: (weighted(x, q), torch.full_like(q[0], 1 / q.shape[1])), "uniform"),
        "log prior": (lambda x, q: (weighted(x, q), q.mean(0).log()), "logarithms"),
        "shares of the hard codes": (lambda x, q: (weighted(x, q), hard(x, q)[1]), "votes"),
        "softmax": (lambda x, q: (weighted(x, q), q.mean(0).softmax(0)), "softmax"),
        "a small number": (lambda x, q: (q.T @ x / (q.sum(0)[:, None] + 1e-9), q.mean(0)), "little weight"),
        "clamped": (lambda x, q: (q.T @ x / q.sum(0)[:, None].clamp(min=1e-8), q.mean(0)), "little weight"),
        "normalised first": (lambda x, q: (weighted(x, q), (q / q.sum(0)).mean(0)), "before its mean"),
        "changes q": (changes_q, "changes its q"),
        "changes x": (changes_x, "changes its x"),
        "centres alone": (weighted, "pair"),
        "nothing": (lambda x, q: None, "pair"),
    },
}
