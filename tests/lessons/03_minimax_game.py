"""Answers to assignment 03: right ones written in other ways, and wrong ones with words of the sentence they get."""

import math

import torch


def skewed_js(p, q, pi):
    """JS_π(p, q) by entropies, in nats."""
    entropy = [torch.special.entr(each).sum() for each in (pi * p + (1 - pi) * q, p, q)]
    return entropy[0] - pi * entropy[1] - (1 - pi) * entropy[2]


def coin(pi):
    return -pi * math.log(pi) - (1 - pi) * math.log(1 - pi)


def value_of(d, p, q, a, b):
    """a E_p[log d] + b E_q[log(1 − d)] with 0 log 0 = 0."""
    return a * torch.xlogy(p, d).sum() + b * torch.xlogy(q, 1 - d).sum()


def best(p, q, pi):
    real, fake = pi * p, (1 - pi) * q
    return torch.where(real + fake > 0, real / (real + fake), 0.5)


def value_by_a_loop(p, q, pi):
    total = 0.0
    for a, b in zip((pi * p).tolist(), ((1 - pi) * q).tolist(), strict=True):
        total += a * math.log(a / (a + b)) if a > 0 else 0.0
        total += b * math.log(b / (a + b)) if b > 0 else 0.0
    return total


def value_without_zeros(p, q, pi):
    d = pi * p / (pi * p + (1 - pi) * q)
    return pi * (p * d.log()).sum() + (1 - pi) * (q * (1 - d).log()).sum()


def solved_at_once(x, y, A, eta, sign=-1.0):
    """The whole system of n + m equations; the wrong sign lets both players minimise."""
    n, m = A.shape
    top = torch.cat([torch.eye(n, dtype=A.dtype), eta * A], dim=1)
    bottom = torch.cat([sign * eta * A.T, torch.eye(m, dtype=A.dtype)], dim=1)
    both = torch.linalg.solve(torch.cat([top, bottom]), torch.cat([x, y]))
    return both[:n], both[n:]


def solved_for_y(x, y, A, eta):
    y = torch.linalg.inv(torch.eye(len(y), dtype=A.dtype) + eta**2 * A.T @ A) @ (y + eta * A.T @ x)
    return x - eta * A @ y, y


def simultaneous(x, y, A, eta):
    return x - eta * A @ y, y + eta * A.T @ x


def alternating(x, y, A, eta):
    x = x - eta * A @ y
    return x, y + eta * A.T @ x


def extragradient(x, y, A, eta):
    ahead_x, ahead_y = simultaneous(x, y, A, eta)
    return x - eta * A @ ahead_y, y + eta * A.T @ ahead_x


def repeated(x, y, A, eta):
    """Putting the result into the right-hand side again converges only for a small η."""
    new_x, new_y = x, y
    for _ in range(100):
        new_x, new_y = x - eta * A @ new_y, y + eta * A.T @ new_x
    return new_x, new_y


def old_x_for_y(x, y, A, eta):
    return solved_at_once(x, y, A, eta)[0], y + eta * A.T @ x


def odds(log_p, log_q, pi):
    return (log_p - log_q).exp() * pi / (1 - pi)


def weighted(log_p, log_q, pi):
    return math.log(pi) + log_p, math.log(1 - pi) + log_q


RIGHT = {
    "skewed_discriminator": {
        "odds": lambda log_p, log_q, pi: 1 / (1 + (log_q - log_p).exp() * (1 - pi) / pi),
        "log of the mixture": lambda *given: (weighted(*given)[0] - torch.logaddexp(*weighted(*given))).exp(),
        "softmax": lambda *given: torch.stack(weighted(*given)).softmax(0)[0],
        "float64": lambda log_p, log_q, pi: torch.sigmoid(
            log_p.double() - log_q.double() + torch.tensor(pi, dtype=torch.float64).logit()
        ),
    },
    "skewed_value": {
        "entropies": lambda p, q, pi: skewed_js(p, q, pi) - coin(pi),
        "its definition": lambda p, q, pi: value_of(best(p, q, pi), p, q, pi, 1 - pi),
        "a loop": value_by_a_loop,
        "NaN counts as zero": lambda p, q, pi: sum(
            (w * torch.nan_to_num(w.log(), neginf=0.0)).sum()
            - (w * torch.nan_to_num((pi * p + (1 - pi) * q).log(), neginf=0.0)).sum()
            for w in (pi * p, (1 - pi) * q)
        ),
    },
    "kl_game": {
        "by logarithms": lambda p, q: (
            (p.log() - q.log()).exp(),
            (torch.xlogy(p, p) - torch.xlogy(p, q)).sum() - 1,
        ),
        "by its definition": lambda p, q: (p / q, torch.xlogy(p, p / q).sum() - (q * (p / q)).sum()),
        "a Python number": lambda p, q: (
            p / q,
            sum(a * math.log(a / b) for a, b in zip(p.tolist(), q.tolist(), strict=True) if a) - 1,
        ),
    },
    "proximal_step": {"all at once": solved_at_once, "for y first": solved_for_y},
}

WRONG = {
    "skewed_discriminator": {
        "fake": (lambda *given: 1 / (1 + odds(*given)), "probability of fake"),
        "no pi": (lambda log_p, log_q, pi: torch.sigmoid(log_p - log_q), "π is forgotten"),
        "pi swapped": (
            lambda log_p, log_q, pi: torch.sigmoid(log_p - log_q - math.log(pi / (1 - pi))),
            "places",
        ),
        "pi for real only": (
            lambda log_p, log_q, pi: torch.sigmoid(log_p - log_q + math.log(pi)),
            "Only the real images",
        ),
        "densities": (
            lambda log_p, log_q, pi: pi * log_p.exp() / (pi * log_p.exp() + (1 - pi) * log_q.exp()),
            "NaN",
        ),
        "densities and a small number": (
            lambda log_p, log_q, pi: pi * log_p.exp() / (pi * log_p.exp() + (1 - pi) * log_q.exp() + 1e-12),
            "",
        ),
        "logit": (lambda log_p, log_q, pi: log_p - log_q + math.log(pi / (1 - pi)), "sigmoid is missing"),
        "ratio": (odds, "A ratio"),
        "decision": (lambda *given: (odds(*given) > 1).double(), "A decision"),
        "one number": (lambda *given: (1 / (1 + 1 / odds(*given))).mean(), "shape"),
        "nothing": (lambda *given: None, "return"),
    },
    "skewed_value": {
        "zeros": (value_without_zeros, "NaN"),
        "bits": (lambda p, q, pi: (skewed_js(p, q, pi) - coin(pi)) / math.log(2), "bits"),
        "sign": (lambda p, q, pi: coin(pi) - skewed_js(p, q, pi), "sign"),
        "divergence alone": (skewed_js, "entropy of Bernoulli"),
        "entropy added": (lambda p, q, pi: skewed_js(p, q, pi) + coin(pi), "subtracted"),
        "no weights": (lambda p, q, pi: value_of(best(p, q, pi), p, q, 1, 1), "not weighted"),
        "D of notebook 03": (lambda p, q, pi: value_of(best(p, q, 0.5), p, q, pi, 1 - pi), "not the best"),
        "notebook 03": (lambda p, q, pi: value_of(best(p, q, 0.5), p, q, 1, 1), "forgotten"),
        "pi swapped": (lambda p, q, pi: skewed_js(p, q, 1 - pi) - coin(pi), "places"),
        "mean": (lambda p, q, pi: (skewed_js(p, q, pi) - coin(pi)) / len(p), "mean"),
    },
    "kl_game": {
        "upside down": (lambda p, q: (q / p, (p * (p / q).log()).nansum() - 1), "upside down"),
        "log ratio": (lambda p, q: ((p / q).log(), torch.xlogy(p, p / q).sum() - 1), "logarithm of T"),
        "a discriminator": (lambda p, q: (p / (p + q), torch.xlogy(p, p / q).sum() - 1), "notebook 03"),
        "scaled": (lambda p, q: ((p / q) / (p / q).sum(), torch.xlogy(p, p / q).sum() - 1), "scaled"),
        "no minus one": (lambda p, q: (p / q, torch.xlogy(p, p / q).sum()), "divergence alone"),
        "added": (lambda p, q: (p / q, torch.xlogy(p, p / q).sum() + 1), "added"),
        "sign": (lambda p, q: (p / q, 1 - torch.xlogy(p, p / q).sum()), "sign"),
        "bits": (lambda p, q: (p / q, torch.xlogy(p, p / q).sum() / math.log(2) - 1), "bits"),
        "reversed": (lambda p, q: (p / q, torch.xlogy(q, q / p).sum() - 1), "infinity"),
        "unweighted": (
            lambda p, q: (p / q, torch.xlogy(p, p / q).sum() - (p / q).sum()),
            "without the weights",
        ),
        "zeros": (lambda p, q: (p / q, (p * (p / q).log()).sum() - 1), "NaN"),
    },
    "proximal_step": {
        "simultaneous": (simultaneous, "simultaneous"),
        "alternating": (alternating, "alternating"),
        "extragradient": (extragradient, "Extragradient"),
        "both minimise": (
            lambda x, y, A, eta: solved_at_once(x, y, A, eta, sign=1.0),
            "Both players minimise",
        ),
        "signs": (lambda x, y, A, eta: solved_at_once(x, y, A, -eta), "turned round"),
        "A transposed": (lambda x, y, A, eta: solved_at_once(x, y, A.T, eta), "Aᵀ stands where A belongs"),
        "old x for y": (old_x_for_y, "made from the old x"),
        "repetition": (repeated, ""),
    },
}
