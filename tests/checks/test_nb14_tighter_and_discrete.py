"""The checks of notebook 14: a right bound or quantiser passes in either dtype, a wrong one is called by name."""

import math

import pytest
import torch
from answers import folded_solutions, tests_of
from torch.distributions import Independent, MultivariateNormal, Normal
from torch.nn.functional import embedding, one_hot

from helpers.checks.nb14_tighter_and_discrete import BOUND, QUANTISER, check_iwae_bound, check_quantise
from helpers.checks.shared import far_away
from helpers.theory import log_mean_exp
from helpers.vae import Quantiser, gaussian_kl, log_weights, nearest_code, straight_through

# The bound


def draw(mu, log_var, eps):
    return mu + (log_var / 2).exp() * eps


def normal(mu, log_var, z):
    return Normal(mu, (log_var / 2).exp()).log_prob(z).sum(-1)


def averaged(mean):
    """A bound from the log weights (K, B), which are right."""
    return lambda model, x, mu, log_var, eps: mean(log_weights(model, x, mu, log_var, eps))


def built(z=draw, prior=None, log_q=None, mean=log_mean_exp):
    """A bound with parts of its own: `prior(model, z, mu)`, `log_q(mu, log_var, z)`, `mean` of the log weights."""

    def bound(model, x, mu, log_var, eps):
        here = z(mu, log_var, eps)
        p = prior(model, here, mu) if prior else model.log_prior(here)
        return mean(model.log_likelihood(x, here) + p - (log_q or normal)(mu, log_var, here))

    return bound


def by_logsumexp(model, x, mu, log_var, eps):
    return built(mean=lambda w: torch.logsumexp(w, 0) - math.log(len(w)))(model, x, mu, log_var, eps)


def by_epsilon(model, x, mu, log_var, eps):
    """log p(z) − log q(z) without densities: z and ε."""
    z = draw(mu, log_var, eps)
    ratio = (-0.5 * z**2 + 0.5 * eps**2 + 0.5 * log_var).sum(-1)
    return (model.log_likelihood(x, z) + ratio).logsumexp(0) - math.log(eps.shape[0])


def by_logaddexp(model, x, mu, log_var, eps):
    total = None
    for noise in eps:
        log_w = log_weights(model, x, mu, log_var, noise[None])[0]
        total = log_w if total is None else torch.logaddexp(total, log_w)
    return total - math.log(len(eps))


def row_by_row(model, x, mu, log_var, eps):
    rows = []
    for b in range(len(x)):
        part = log_weights(model, x[b : b + 1], mu[b : b + 1], log_var[b : b + 1], eps[:, b : b + 1])
        rows.append(torch.logsumexp(part[:, 0] - math.log(len(eps)), 0))
    return torch.stack(rows)


def by_independent(model, x, mu, log_var, eps):
    q = Independent(Normal(mu, log_var.exp().sqrt()), 1)
    z = draw(mu, log_var, eps)
    log_w = (model.log_likelihood(x, z) + model.log_prior(z) - q.log_prob(z)).T
    return torch.logsumexp(log_w, dim=1) - math.log(log_w.shape[1])


def by_full_gaussians(model, x, mu, log_var, eps):
    q = MultivariateNormal(mu, scale_tril=torch.diag_embed((log_var / 2).exp()))
    z = draw(mu, log_var, eps)
    log_w = model.log_likelihood(x, z) + model.log_prior(z) - q.log_prob(z)
    return torch.logsumexp(log_w, 0) - torch.tensor(float(len(eps)), dtype=x.dtype).log()


def flattened(model, x, mu, log_var, eps):
    draws, batch, d = eps.shape
    z = draw(mu, log_var, eps).reshape(-1, d)
    log_q = normal(mu.repeat(draws, 1), log_var.repeat(draws, 1), z)
    log_w = model.log_likelihood(x.repeat(draws, 1), z) + model.log_prior(z) - log_q
    return log_w.view(draws, batch).logsumexp(0) - math.log(draws)


def with_a_gradient_of_its_own(log_w):
    """The gradient is the mean of that of log w, weighed by the normalised weights."""
    surrogate = (log_w.detach().softmax(0) * log_w).sum(0)
    return surrogate + (log_mean_exp(log_w) - surrogate).detach()


def shifted_by(pivot, least=0.0):
    """Stable where the weights of one x lie close together; `pivot(log_w)` (B,) is taken out and put back."""
    return averaged(lambda w: pivot(w) + (w - pivot(w)).exp().mean(0).clamp(min=least).log())


def elbo_by_the_kl(model, x, mu, log_var, eps):
    return model.log_likelihood(x, draw(mu, log_var, eps)).mean(0) - gaussian_kl(mu, log_var)


def keeps_the_last(model, x, mu, log_var, eps):
    for each in eps:
        value = by_logsumexp(model, x, mu, log_var, each[None])
    return value


def elbo_by_a_loop(model, x, mu, log_var, eps):
    return sum(by_logsumexp(model, x, mu, log_var, each[None]) for each in eps) / len(eps)


def changes_mu(model, x, mu, log_var, eps):
    value = by_logsumexp(model, x, mu.clone(), log_var, eps)
    with torch.no_grad():
        mu += 1
    return value


BOUND_RIGHT = [
    by_logsumexp, by_epsilon, by_logaddexp, row_by_row, by_independent, by_full_gaussians, flattened,
    averaged(log_mean_exp), averaged(with_a_gradient_of_its_own),
    shifted_by(lambda w: w.max(0).values), shifted_by(lambda w: w.detach().amax(0), 1e-12),
    averaged(lambda w: torch.logcumsumexp(w, 0)[-1] - math.log(len(w))),
    averaged(lambda w: w[0] - w.log_softmax(0)[0] - math.log(len(w))),
    lambda *a: by_logsumexp(*a[:4], a[4].flip(0)),
    lambda *a: by_logsumexp(*a).double(),
]  # fmt: skip
BOUND_REMARKS = [
    (lambda *a: by_logsumexp(*a[:4], -a[4]), "mirrored", "symmetric"),
    (lambda *a: by_logsumexp(*a) + 0 * (a[1] @ torch.ones(a[1].shape[1])), "dtype", "follow the input"),
]
BOUND_WRONG = [
    # a logarithm left, and where that shows
    (averaged(lambda w: w.exp().mean(0).log()), "underflow", "smaller than any float"),
    (shifted_by(lambda w: w.mean(0)), "underflow", "leave the logarithm"),
    (averaged(lambda w: log_mean_exp(w).clamp(min=-100)), "underflow", "something cut off"),
    (averaged(lambda w: (w.exp().mean(0) + 1e-6).log()), "guard", "1e-06"),
    (averaged(lambda w: w.exp().mean(0).clamp(min=1e-8).log()), "guard", "without leaving the logarithms"),
    # the draws
    (keeps_the_last, "one_sample", "Only the last"),
    # two mistakes
    (elbo_by_the_kl, "closed_kl", "That is the ELBO"),
    (lambda *a: elbo_by_a_loop(*a).detach(), "mean_of_logs", "That is the ELBO"),
    # graphs, types, and what is in no table
    (lambda *a: by_logsumexp(*a).detach(), "no_gradient", "cut from the graph"),
    (averaged(lambda w: log_mean_exp(0.5 * (w + w.detach()))), "gradient", "is 0.5 times"),
    (averaged(lambda w: log_mean_exp(torch.cat([w[:1].detach(), w[1:]]))), "gradient", "`mu` and `log_var`"),
    (changes_mu, "changed_input", "`mu`"),
    (averaged(lambda w: log_mean_exp(w).to(torch.complex64)), "type", "torch.complex64"),
    (built(prior=lambda model, z, mu: -0.5 * z.square().sum(-1)), "constants", "A constant of a Gaussian"),
    (built(lambda mu, lv, eps: mu + lv.exp() * eps**3), "value", "Compute that one number"),
    (averaged(lambda w: w.logsumexp(0) - math.log(6)), "sizes", "For 6 samples your bound is right"),
]  # fmt: skip
test_bound_right, test_bound_remarks, test_bound_wrong = tests_of(
    check_iwae_bound, BOUND_RIGHT, BOUND_REMARKS, BOUND_WRONG
)


def test_the_reference_is_the_mean_of_the_weights_also_far_away():
    """Against full Gaussians, an oracle that shares no code with the check."""
    torch.manual_seed(BOUND.seed)
    for case in BOUND.cases():
        for each in (case, far_away(case)):
            oracle = by_full_gaussians(*each.values())
            torch.testing.assert_close(BOUND.best()(each), oracle, rtol=1e-5, atol=1e-4)


# The quantiser


def numbered(choose):
    """A quantiser that chooses in its own way, and then does the rest as it should."""

    def quantise(h, codes):
        k = choose(h, codes)
        return h + (codes[k] - h).detach(), k

    return quantise


def valued(z):
    """A quantiser with the right numbers and a z of its own, from h and e."""

    def quantise(h, codes):
        k = nearest_code(h, codes)
        return z(h, codes[k]), k

    return quantise


def returned(f):
    """A quantiser whose z and k are right, and returned as `f` says."""
    return lambda h, codes: f(*numbered(nearest_code)(h, codes), h, codes)


def by_a_loop(h, codes):
    numbers = []
    for row in h:
        distances = [(row - code).norm().item() for code in codes]
        numbers.append(distances.index(min(distances)))
    return torch.tensor(numbers)


class Through(torch.autograd.Function):
    """z is e, and the gradient of h that of z times `factor`."""

    @staticmethod
    def forward(ctx, h, e, factor):
        ctx.factor = factor
        return e.clone()

    @staticmethod
    def backward(ctx, gradient):
        return ctx.factor * gradient, None, None


def by_no_grad(h, codes):
    with torch.no_grad():
        k = torch.cdist(h, codes).argmin(1)
        step = codes[k] - h
    return h + step, k


def by_the_data(h, codes):
    z, k = h.clone(), nearest_code(h, codes)
    z.data = codes[k].detach().clone()
    return z, k


def in_a_module(h, codes):
    quantiser = Quantiser(*codes.shape).to(h.dtype)
    with torch.no_grad():
        quantiser.codes.copy_(codes)
    return quantiser(h)[:2]


def by_one_hot(dtype=None):
    def quantise(h, codes):
        k = (-torch.cdist(h, codes)).argmax(1)
        e = one_hot(k, len(codes)).to(dtype() if dtype else codes.dtype) @ codes
        return h + (e - h).detach(), k

    return quantise


def soft(h, codes):
    share = (-torch.cdist(h, codes)).softmax(1)
    return h + (share @ codes - h).detach(), share.argmax(1)


def furthest(h, codes):
    return torch.cdist(h, codes).argmax(1)


QUANTISE_RIGHT = [
    numbered(lambda h, c: (h[:, None] - c[None]).pow(2).sum(-1).argmin(-1)),
    numbered(lambda h, c: (h.square().sum(1, keepdim=True) - 2 * h @ c.T + c.square().sum(1)).argmin(dim=1)),
    numbered(lambda h, c: (c.square().sum(1) - 2 * h @ c.T).min(1).indices),
    numbered(lambda h, c: torch.cdist(h, c).topk(1, largest=False).indices.squeeze(1)),
    numbered(lambda h, c: torch.cdist(h, c).sort(dim=1).indices[:, 0]),
    numbered(by_a_loop), by_one_hot(), by_no_grad, by_the_data, in_a_module,
    valued(straight_through), valued(lambda h, e: e.detach() + h - h.detach()),
    valued(lambda h, e: h - (h - e).detach()), valued(lambda h, e: (e - h).detach() + h),
    valued(lambda h, e: Through.apply(h, e.detach(), 1)),
    lambda h, c: (straight_through(h, embedding(nearest_code(h, c), c)), nearest_code(h, c)),
    returned(lambda z, k, h, c: [z, k]), returned(lambda z, k, h, c: (z, k.int())),
]  # fmt: skip
QUANTISE_REMARKS = [(by_one_hot(torch.get_default_dtype), "dtype", "another type")]
QUANTISE_WRONG = [
    # the numbers
    (numbered(lambda h, c: torch.cdist(h, c[: len(h)]).argmin(1)), "numbers", "vector meet every code"),
    (numbered(lambda h, c: torch.cdist(h, c).argmin(1) * 0), "numbers", "another code is nearer"),
    (returned(lambda z, k, h, c: (z, furthest(h, c))), "numbers", "Your z is right"),
    (numbered(lambda h, c: torch.cdist(h - h.mean(0), c).argmin(1)), "numbers", "an (N, K) table"),
    (lambda h, c: (0.3 * h, furthest(h, c)), "numbers", "another code is nearer"),
    # their shape and type
    (numbered(lambda h, c: torch.cdist(h, c).argmin(0)), "shape", "for each code which vector"),
    (numbered(lambda h, c: ((h - c) ** 2).sum(-1).argmin(-1)), "pairs", "meet every code"),
    (numbered(lambda h, c: (h[:, None] - c.view(1, 512, -1)).norm(dim=2).argmin(1)), "sizes", "Take sizes"),
    (returned(lambda z, k, h, c: (z, torch.cdist(h, c).min(1).values)), "not_whole", "smallest distance"),
    (returned(lambda z, k, h, c: (z, k.tolist())), "type", "a `list`"),
    # the codes
    (soft, "codes", "not the codes of these indices"),
    # the gradient
    (valued(lambda h, e: 2 * h.detach() + e - h - h.detach() + 0), "sign", "wrong one of the two"),
    (valued(lambda h, e: straight_through(h, e) + 0.25 * (e - e.detach())), "gradient", "`codes`"),
    (valued(lambda h, e: Through.apply(h, e.detach(), 0.3)), "gradient", "is 0.3 times"),
    # two mistakes
    (lambda h, c: numbered(furthest)(h, c)[::-1], "furthest", "changed places"),
]  # fmt: skip
test_quantise_right, test_quantise_remarks, test_quantise_wrong = tests_of(
    check_quantise, QUANTISE_RIGHT, QUANTISE_REMARKS, QUANTISE_WRONG
)


def test_no_distance_is_a_matter_of_rounding(dtype):
    torch.manual_seed(QUANTISER.seed)
    for case in QUANTISER.cases():
        near = torch.cdist(case.h, case.codes).topk(2, largest=False).values
        assert case.h.dtype == dtype
        assert (near[:, 1] - near[:, 0]).min() > 0.005


# Both


@pytest.mark.parametrize(
    ("check", "rows"), [(check_iwae_bound, BOUND_WRONG), (check_quantise, QUANTISE_WRONG)]
)
def test_no_message_gives_the_answer_away(check, rows):
    for answer, _, _ in rows:
        plain = check(answer).message.split(" (Line")[0].lower().replace(" ", "")
        for solution in ("logsumexp", "-math.log", "h+(", "argmin", "cdist", ".detach()"):
            assert solution not in plain, plain


def test_the_solutions_in_the_notebook_pass():
    names = folded_solutions("14_tighter_and_discrete", torch=torch, math=math, Normal=Normal)
    assert check_iwae_bound(names["my_iwae_bound"]).kind == "right"
    assert check_quantise(names["my_quantise"]).kind == "right"
