"""Answers to assignment 02: right ones written in other ways, and wrong ones with words of the sentence they get."""

import math

import torch
from torch.distributions import Exponential, Normal, Poisson, kl_divergence


def renyi(p, q, alpha):
    """By a loop, with what each kind of zero does written out."""
    total = 0.0
    for a, b in zip(p.tolist(), q.tolist(), strict=True):
        if a > 0 and b > 0:
            total += a * (a / b) ** (alpha - 1)
        elif a > 0 and alpha > 1:
            return math.inf
    return math.log(total) / (alpha - 1) if total else math.inf


def renyi_by_logarithms(p, q, alpha):
    log_terms = torch.where(p > 0, alpha * p.log() + (1 - alpha) * q.log(), -math.inf)
    return log_terms.logsumexp(0) / (alpha - 1)


def renyi_without_zeros(p, q, alpha):
    return torch.log((p**alpha * q ** (1 - alpha)).sum()) / (alpha - 1)


def renyi_on_the_common_support(p, q, alpha):
    both = (p > 0) & (q > 0)
    return renyi_without_zeros(p[both], q[both], alpha)


def renyi_on_what_is_left(p, q, alpha):
    """Right where q excludes something and α > 1, but below it scales both to the common outcomes."""
    both = (p > 0) & (q > 0)
    if alpha > 1 or both.sum() != 1:
        return renyi(p, q, alpha)
    return renyi(p[both] / p[both].sum(), q[both] / q[both].sum(), alpha)


def renyi_infinite_for_every_order(p, q, alpha):
    return torch.tensor(math.inf) if ((p > 0) & (q == 0)).any() else torch.as_tensor(renyi(p, q, alpha))


def moment(p, q, alpha):
    return torch.where(p > 0, p * (p / q) ** (alpha - 1), 0.0).sum()


def kl(p, q):
    return torch.where(p > 0, p * (p / q).log(), 0.0).sum()


def waiting(a, b):
    return b / a - 1 + (a / b).log()


def by_the_trapezoidal_rule(a, b):
    """The integral in the unit of the mean of each p, u = λp x, so that one grid suits every rate."""
    u = torch.linspace(0, 60, 400_001, dtype=torch.float64)[:, None]
    ratio = b.double() / a.double()
    return torch.trapezoid(torch.exp(-u) * ((ratio - 1) * u - ratio.log()), u, dim=0)


def poisson(weights, values):
    share = weights / weights.sum()
    rate = share @ values
    log_q = Poisson(rate).log_prob(values)
    return rate, torch.where(weights > 0, share * (share.clamp(min=1e-30).log() - log_q), 0.0).sum()


def poisson_by_a_loop(weights, values):
    total = sum(weights.tolist())
    pairs = [(w / total, k) for w, k in zip(weights.tolist(), values.tolist(), strict=True) if w]
    rate = sum(w * k for w, k in pairs)
    log_rate = math.log(rate) if rate else 0.0
    return rate, sum(w * (math.log(w) + rate - k * log_rate + math.lgamma(k + 1)) for w, k in pairs)


def poisson_by_entropies(weights, values):
    share = weights / weights.sum()
    rate = (share * values).sum()
    cross = rate - torch.xlogy(rate, rate) + (share * torch.lgamma(values + 1)).sum()
    return rate, cross - torch.special.entr(share).sum()


def poisson_at(rate_of):
    """The right divergence of the wrong member of the family."""

    def member(weights, values):
        rate = rate_of(weights, values)
        return rate, poisson(weights, values)[1]

    return member


def poisson_but(change):
    """The right parameter, and the divergence changed by `change(kl, rate, share, weights, values)`."""

    def member(weights, values):
        rate, least = poisson(weights, values)
        return rate, change(least, rate, weights / weights.sum(), weights, values)

    return member


def poisson_with_factorials(weights, values):
    share = weights / weights.sum()
    rate = share @ values
    q = (
        torch.exp(-rate)
        * rate**values
        / torch.tensor([math.gamma(k + 1) if k < 170 else math.inf for k in values])
    )
    return rate, kl(share, q)


def reversed_kl(least, rate, share, weights, values):
    q = Poisson(rate).log_prob(values).exp()
    return kl(torch.where(weights > 0, q, 0.0), share)


def arcsinh(y, s):
    return torch.asinh(y / s)


def bell(x):
    return -(x**2) / 2 - math.log(2 * math.pi) / 2


def sinh_by_hypot(y, s):
    return bell(arcsinh(y, s)) - torch.hypot(y, torch.full_like(y, s)).log()


def sinh_by_cases(y, s):
    """Where |y|/s is large, 1 + (y/s)² is (y/s)²."""
    t = (y / s).abs()
    near, far = t.clamp(max=1e6), t.clamp(min=1e6)
    x = torch.where(t < 1e6, torch.log(near + (1 + near**2).sqrt()), far.log() + math.log(2))
    return bell(x) - math.log(s) - torch.where(t < 1e6, torch.log1p(near**2) / 2, far.log())


def sinh_in_double(y, s):
    x = torch.asinh(y.double() / s)
    log_cosh = x.abs() + torch.log1p((-2 * x.abs()).exp()) - math.log(2)
    return Normal(0.0, 1.0).log_prob(x) - log_cosh - math.log(s)


def sinh_by_squares(y, s):
    return bell(arcsinh(y, s)) - torch.log(s**2 + y**2) / 2


def sinh_by_a_long_inverse(y, s):
    t = y / s
    return bell(torch.log(t + (t**2 + 1).sqrt())) - torch.hypot(y, torch.full_like(y, s)).log()


RIGHT = {
    "renyi_divergence": {
        "a loop": renyi,
        "logarithms": renyi_by_logarithms,
        "its definition": lambda p, q, alpha: moment(p, q, alpha).log() / (alpha - 1),
        "float64": lambda p, q, alpha: moment(p.double(), q.double(), alpha).log().item() / (alpha - 1),
        "NaN counts as zero": lambda p, q, alpha: (
            (p**alpha * q ** (1 - alpha)).nan_to_num(0.0, posinf=math.inf).sum().log() / (alpha - 1)
        ),
    },
    "exponential_kl": {
        "torch.distributions": lambda a, b: kl_divergence(Exponential(a), Exponential(b)),
        "one ratio": lambda a, b: b / a - 1 - torch.log(b / a),
        "a sum over a grid": by_the_trapezoidal_rule,
        "expm1": lambda a, b: (lambda t: torch.expm1(t) - t)(b.log() - a.log()),
    },
    "best_family_member": {
        "torch.distributions": poisson,
        "a loop": poisson_by_a_loop,
        "entropies": poisson_by_entropies,
    },
    "pushed_log_density": {
        "hypot": sinh_by_hypot,
        "by cases": sinh_by_cases,
        "float64": sinh_in_double,
    },
}

WRONG = {
    "renyi_divergence": {
        "reversed": (lambda p, q, alpha: moment(q, p, alpha).log() / (alpha - 1), "other direction"),
        "powers exchanged": (
            lambda p, q, alpha: (p ** (1 - alpha) * q**alpha).sum().log() / (alpha - 1),
            "changed places",
        ),
        "sign": (lambda p, q, alpha: moment(p, q, alpha).log() / (1 - alpha), "sign"),
        "no factor": (lambda p, q, alpha: moment(p, q, alpha).log(), "1/(α − 1) is missing"),
        "divided by alpha": (
            lambda p, q, alpha: moment(p, q, alpha).log() / (alpha - 1) / alpha,
            "once more",
        ),
        "Tsallis": (lambda p, q, alpha: (moment(p, q, alpha) - 1) / (alpha - 1), "No logarithm"),
        "bits": (lambda p, q, alpha: moment(p, q, alpha).log2() / (alpha - 1), "Bits"),
        "KL": (lambda p, q, alpha: kl(p, q), "KL"),
        "power": (lambda p, q, alpha: moment(p, q, alpha + 1).log() / (alpha - 1), "α − 1"),
        "no weights": (
            lambda p, q, alpha: ((p / q) ** (alpha - 1)).sum().log() / (alpha - 1),
            "weighted by p",
        ),
        "mean": (lambda p, q, alpha: (moment(p, q, alpha) / len(p)).log() / (alpha - 1), "mean under p"),
        "zeros": (renyi_without_zeros, "NaN"),
        "left out": (renyi_on_the_common_support, "infinite here"),
        "a small number": (lambda p, q, alpha: renyi(p + 1e-9, q + 1e-9, alpha), "hides"),
        "always infinite": (renyi_infinite_for_every_order, "nothing here depends on α"),
        "scaled to what is left": (renyi_on_what_is_left, "scaled to sum to 1"),
        "nothing": (lambda p, q, alpha: None, "return"),
    },
    "exponential_kl": {
        "reversed": (lambda a, b: waiting(b, a), "other direction"),
        "means": (lambda a, b: waiting(1 / a, 1 / b), "read as means"),
        "sign": (lambda a, b: -waiting(a, b), "sign"),
        "bits": (lambda a, b: waiting(a, b) / math.log(2), "Bits"),
        "no minus one": (lambda a, b: waiting(a, b) + 1, "−1 is missing"),
        "plus one": (lambda a, b: waiting(a, b) + 2, "wrong sign"),
        "log upside down": (lambda a, b: b / a - 1 + (b / a).log(), "log(λq/λp)"),
        "ratio upside down": (lambda a, b: (a / b).log() + a / b - 1, "ratio of the rates"),
        "mean under q": (lambda a, b: (a / b).log() + (b - a) / b, "under q"),
        "factors only": (lambda a, b: (a / b).log(), "factors"),
        "exponents only": (lambda a, b: b / a - 1, "exponents"),
        "no mean": (lambda a, b: (a / b).log() + b - a, "mean of x missing"),
        "half": (lambda a, b: waiting(a, b) / 2, "Gaussian"),
        "one number": (lambda a, b: waiting(a, b).mean(), "shape"),
        "nothing": (lambda a, b: None, "return"),
    },
    "best_family_member": {
        "plain mean": (poisson_at(lambda w, k: k.mean()), "weights are forgotten"),
        "counts": (poisson_at(lambda w, k: w @ k), "not divided"),
        "number of values": (poisson_at(lambda w, k: w @ k / len(k)), "number of observations"),
        "mode": (poisson_at(lambda w, k: k[w.argmax()]), "mode"),
        "geometric": (poisson_at(lambda w, k: 1 / (1 + w @ k / w.sum())), "geometric"),
        "exponential": (poisson_at(lambda w, k: w.sum() / (w @ k)), "exponential"),
        "variance": (poisson_at(lambda w, k: w @ (k - w @ k / w.sum()) ** 2 / w.sum()), "variance"),
        "sign": (poisson_but(lambda least, *_: -least), "sign"),
        "cross-entropy": (
            poisson_but(lambda least, rate, share, w, k: least + torch.special.entr(share).sum()),
            "entropy of the data is missing",
        ),
        "entropy added": (
            poisson_but(lambda least, rate, share, w, k: least + 2 * torch.special.entr(share).sum()),
            "subtracted",
        ),
        "likelihood": (
            poisson_but(lambda least, rate, share, w, k: w.sum() * (least + torch.special.entr(share).sum())),
            "all observations",
        ),
        "no factorial": (
            poisson_but(lambda least, rate, share, w, k: least - share @ torch.lgamma(k + 1)),
            "log k!",
        ),
        "bits": (poisson_but(lambda least, *_: least / math.log(2)), "Bits"),
        "no rate": (poisson_but(lambda least, rate, *_: least - rate), "λ itself"),
        "divergence of counts": (
            poisson_but(lambda least, rate, share, w, k: kl(w, Poisson(rate).log_prob(k).exp())),
            "probabilities belong",
        ),
        "mean over the values": (poisson_but(lambda least, rate, share, w, k: least / len(k)), "average"),
        "reversed": (poisson_but(reversed_kl), "other direction"),
        "scaled": (
            poisson_but(lambda least, rate, share, w, k: least + Poisson(rate).log_prob(k).exp().sum().log()),
            "scaled to sum to 1",
        ),
        "zeros": (
            lambda w, k: (w @ k / w.sum(), (w / w.sum() * (w / w.sum()).log()).sum()),
            "NaN",
        ),
        "factorials": (poisson_with_factorials, "NaN or infinity"),
        "logarithm of a zero rate": (
            lambda w, k: (
                w @ k / w.sum(),
                poisson(w, k)[1] + 0 * (w @ k).log(),
            ),
            "NaN",
        ),
        "one number": (lambda w, k: w @ k / w.sum(), "pair"),
        "nothing": (lambda w, k: None, "pair"),
    },
    "pushed_log_density": {
        "no Jacobian": (lambda y, s: bell(arcsinh(y, s)), "is missing"),
        "Jacobian added": (lambda y, s: bell(arcsinh(y, s)) + arcsinh(y, s).cosh().mul(s).log(), "thins out"),
        "no scale in it": (lambda y, s: sinh_by_hypot(y, s) + math.log(s), "scale is missing"),
        "scale with the wrong sign": (lambda y, s: sinh_by_hypot(y, s) + 2 * math.log(s), "wrong sign"),
        "no scale": (lambda y, s: sinh_by_hypot(y, 1.0), "forgotten"),
        "density": (lambda y, s: sinh_by_hypot(y, s).exp(), "logarithm is asked for"),
        "bits": (lambda y, s: sinh_by_hypot(y, s) / math.log(2), "Bits"),
        "no constant": (lambda y, s: sinh_by_hypot(y, s) + math.log(2 * math.pi) / 2, "2π"),
        "Jacobian without log": (
            lambda y, s: bell(arcsinh(y, s)) - torch.hypot(y, torch.full_like(y, s)),
            "dy/dx itself",
        ),
        "slope of the inverse without log": (
            lambda y, s: bell(arcsinh(y, s)) + 1 / torch.hypot(y, torch.full_like(y, s)),
            "1/(dy/dx)",
        ),
        "taken at y": (lambda y, s: bell(arcsinh(y, s)) - (s * (y / s).cosh()).log(), "taken at y"),
        "no root": (
            lambda y, s: bell(arcsinh(y, s)) - math.log(s) - torch.log1p((y / s) ** 2),
            "root",
        ),
        "cut off above": (lambda y, s: sinh_by_hypot(y, s).clamp(max=0.0), "exceed 1"),
        "cut off below": (lambda y, s: sinh_by_hypot(y, s).clamp(min=-100.0), "far tails"),
        "squares": (sinh_by_squares, "square out of range"),
        "long inverse": (sinh_by_a_long_inverse, "NaN"),
        "the map for its inverse": (lambda y, s: bell(s * y.sinh()) - (s * y.cosh()).log(), "usual slips"),
        "summed": (lambda y, s: sinh_by_hypot(y, s).sum(), "shape"),
        "nothing": (lambda y, s: None, "return"),
    },
}
