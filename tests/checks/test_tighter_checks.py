"""Both sides of the checks of notebook 14: a right bound or quantiser passes, a wrong one is named."""

import functools
import math

import pytest
import torch
from folded_solutions import folded_solutions
from torch.distributions import Independent, MultivariateNormal, Normal
from torch.nn.functional import embedding, one_hot

from helpers.checks import check_iwae_bound, check_quantise
from helpers.checks import tighter as checks
from helpers.theory import log_mean_exp
from helpers.vae import Quantiser, gaussian_kl, log_weights, nearest_code, straight_through


@functools.cache
def judged(check, answer):
    """What `check` says of `answer` in float32, asked once."""
    return check(answer)


def named(rows):
    return [f"{kind}-{n}" for n, (_, kind, _) in enumerate(rows)]


# The bound, right


def draw(mu, log_var, eps):
    return mu + (log_var / 2).exp() * eps


def by_the_helpers(model, x, mu, log_var, eps):
    return log_mean_exp(log_weights(model, x, mu, log_var, eps))


def by_logsumexp(model, x, mu, log_var, eps):
    std = (log_var / 2).exp()
    z = mu + std * eps
    log_w = model.log_likelihood(x, z) + model.log_prior(z) - Normal(mu, std).log_prob(z).sum(-1)
    return torch.logsumexp(log_w, 0) - math.log(len(eps))


def by_epsilon(model, x, mu, log_var, eps):
    """log p(z) − log q(z) without densities: z and ε."""
    z = draw(mu, log_var, eps)
    ratio = (-0.5 * z**2 + 0.5 * eps**2 + 0.5 * log_var).sum(-1)
    return (model.log_likelihood(x, z) + ratio).logsumexp(0) - math.log(eps.shape[0])


def by_the_largest(model, x, mu, log_var, eps):
    log_w = log_weights(model, x, mu, log_var, eps)
    top = log_w.max(0).values
    return top + (log_w - top).exp().mean(0).log()


def by_the_largest_detached(model, x, mu, log_var, eps):
    log_w = log_weights(model, x, mu, log_var, eps)
    top = log_w.detach().amax(0, keepdim=True)
    return (top + (log_w - top).exp().mean(0, keepdim=True).log())[0]


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


def shuffled_draws(model, x, mu, log_var, eps):
    return by_logsumexp(model, x, mu, log_var, eps.flip(0))


def flattened(model, x, mu, log_var, eps):
    draws, batch, d = eps.shape
    z = draw(mu, log_var, eps).reshape(-1, d)
    m, lv = mu.repeat(draws, 1), log_var.repeat(draws, 1)
    log_q = Normal(m, (lv / 2).exp()).log_prob(z).sum(1)
    log_w = model.log_likelihood(x.repeat(draws, 1), z) + model.log_prior(z) - log_q
    return log_w.view(draws, batch).logsumexp(0) - math.log(draws)


def by_log_softmax(model, x, mu, log_var, eps):
    """log Σ w = log w₁ − log softmax₁."""
    log_w = log_weights(model, x, mu, log_var, eps)
    return log_w[0] - log_w.log_softmax(0)[0] - math.log(len(eps))


def in_double(model, x, mu, log_var, eps):
    return by_logsumexp(model, x, mu, log_var, eps).double()


def mirrored(model, x, mu, log_var, eps):
    return by_logsumexp(model, x, mu, log_var, -eps)


BOUND_RIGHT = [
    by_the_helpers,
    by_logsumexp,
    by_epsilon,
    by_the_largest,
    by_the_largest_detached,
    by_logaddexp,
    row_by_row,
    by_independent,
    by_full_gaussians,
    shuffled_draws,
    flattened,
    by_log_softmax,
    in_double,
]


@pytest.mark.parametrize("bound", BOUND_RIGHT)
def test_a_right_bound_passes(bound, dtype):
    feedback = check_iwae_bound(bound)
    assert (feedback.ok, feedback.kind) == (True, "right"), feedback
    assert "A remark" not in feedback.message


def with_ones_of_its_own_type(model, x, mu, log_var, eps):
    return by_logsumexp(model, x, mu, log_var, eps) + 0 * (x @ torch.ones(x.shape[1]))


def test_remarks_on_a_bound(dtype):
    feedback = check_iwae_bound(mirrored)
    assert (feedback.ok, feedback.kind) == (True, "mirrored"), feedback
    feedback = check_iwae_bound(with_ones_of_its_own_type)
    assert (feedback.ok, feedback.kind) == (True, "dtype"), feedback


# … wrong


def built(z=draw, likelihood=None, prior=None, log_q=None, mean=log_mean_exp, end=lambda v: v):
    """A bound with some parts of its own; `mean` gets the log weights (K, B)."""

    def bound(model, x, mu, log_var, eps):
        here = z(mu, log_var, eps)
        r = likelihood(model, x, here, mu, eps) if likelihood else model.log_likelihood(x, here)
        p = prior(model, here, mu, eps) if prior else model.log_prior(here)
        std = (log_var / 2).exp()
        q = log_q(mu, log_var, here, eps) if log_q else Normal(mu, std).log_prob(here).sum(-1)
        return end(mean(r + p - q))

    return bound


def kl_outside(model, x, mu, log_var, eps):
    return log_mean_exp(model.log_likelihood(x, draw(mu, log_var, eps))) - gaussian_kl(mu, log_var)


def likelihood_alone(model, x, mu, log_var, eps):
    return log_mean_exp(model.log_likelihood(x, draw(mu, log_var, eps)))


def apart(model, x, mu, log_var, eps):
    z = draw(mu, log_var, eps)
    ratio = model.log_prior(z) - Normal(mu, (log_var / 2).exp()).log_prob(z).sum(-1)
    return log_mean_exp(model.log_likelihood(x, z)) + log_mean_exp(ratio)


def naive(model, x, mu, log_var, eps):
    return log_weights(model, x, mu, log_var, eps).exp().mean(0).log()


def the_elbo(model, x, mu, log_var, eps):
    return log_weights(model, x, mu, log_var, eps).mean(0)


def elbo_by_the_kl(model, x, mu, log_var, eps):
    return model.log_likelihood(x, draw(mu, log_var, eps)).mean(0) - gaussian_kl(mu, log_var)


def without_a_graph(model, x, mu, log_var, eps):
    with torch.no_grad():
        return by_logsumexp(model, x, mu, log_var, eps)


def own_noise(model, x, mu, log_var, eps):
    return by_logsumexp(model, x, mu, log_var, torch.randn_like(eps))


def one_noise(model, x, mu, log_var, eps):
    return by_logsumexp(model, x, mu, log_var, eps[:, :1].expand_as(eps))


def one_draw(model, x, mu, log_var, eps):
    return by_logsumexp(model, x, mu, log_var, eps[:1])


def every_other_draw(model, x, mu, log_var, eps):
    return by_logsumexp(model, x, mu, log_var, eps[::2])


def three_apart(model, x, mu, log_var, eps):
    z = draw(mu, log_var, eps)
    log_q = Normal(mu, (log_var / 2).exp()).log_prob(z).sum(-1)
    return log_mean_exp(model.log_likelihood(x, z)) + log_mean_exp(model.log_prior(z)) - log_mean_exp(log_q)


def q_apart(model, x, mu, log_var, eps):
    z = draw(mu, log_var, eps)
    log_q = Normal(mu, (log_var / 2).exp()).log_prob(z).sum(-1)
    return log_mean_exp(model.log_likelihood(x, z) + model.log_prior(z)) - log_mean_exp(log_q)


def reads_log_sigma(model, x, mu, log_var, eps):
    return by_logsumexp(model, x, mu, 2 * log_var, eps)


def shifted_by(pivot):
    """Stable where the weights of one x lie close together; `pivot(log_w)` (B,) is taken out and put back."""
    return built(mean=lambda w: pivot(w) + (w - pivot(w)).exp().mean(0).log())


def standard(eps, extra):
    """log q as the density of ε with a factor of the stretching, log σ² times `extra`."""
    return (Normal(0.0, 1.0).log_prob(eps) + extra).sum(-1)


def changes_mu(model, x, mu, log_var, eps):
    value = by_logsumexp(model, x, mu.clone(), log_var, eps)
    with torch.no_grad():
        mu += 1
    return value


def self_normalised(log_w):
    return (log_w.softmax(0) * log_w).sum(0)


def max_lost(log_w):
    return log_mean_exp(log_w - log_w.max(0).values)


BOUND_WRONG = [
    # the mean
    (the_elbo, "mean_of_logs", "That is the ELBO"),
    (built(mean=lambda w: w.logsumexp(0)), "sum", "grows by log K"),
    (built(mean=self_normalised), "normalised", "normalised weights belong in its gradient"),
    (built(mean=lambda w: -log_mean_exp(-w)), "inverted", "inverses of the weights"),
    (built(mean=lambda w: w.max(0).values), "best", "best draw alone"),
    (built(mean=lambda w: log_mean_exp(w).exp()), "no_logarithm", "an estimate of p(x)"),
    (kl_outside, "closed_kl", "A KL is already a mean"),
    (built(mean=max_lost), "max_lost", "never added again"),
    (built(mean=lambda w: w.logsumexp(0) - math.log(w.shape[1])), "wrong_count", "number of observations"),
    (
        built(mean=lambda w: (w.logsumexp((0, 1)) - math.log(w.numel())).expand(w.shape[1])),
        "batch_mixed",
        "K weights of its own",
    ),
    (built(mean=lambda w: w.logsumexp(1) - math.log(w.shape[1])), "shape", "kept the draws"),
    (built(mean=lambda w: w), "shape", "number for each draw"),
    (built(mean=lambda w: log_mean_exp(w).mean()), "shape", "one number for the whole batch"),
    (built(mean=lambda w: log_mean_exp(w)[None]), "shape", "is still there"),
    (naive, "underflow", "smaller than any float"),
    (shifted_by(lambda w: w[0]), "underflow", "never leave the logarithm"),
    (shifted_by(lambda w: w.mean(0)), "underflow", "never leave the logarithm"),
    (built(mean=lambda w: (w.exp().mean(0) + 1e-6).log()), "guard", "1e-06"),
    (built(mean=lambda w: (w.exp().mean(0) + 1e-10).log()), "guard", "1e-10"),
    (built(mean=lambda w: w.exp().mean(0).clamp(min=1e-8).log()), "guard", "without leaving the logarithms"),
    (built(mean=lambda w: w.logsumexp(0) / len(w)), "divided_log", "divide the logarithm"),
    (built(mean=lambda w: w.logsumexp(0) + math.log(len(w))), "log_k_sign", "add log K"),
    (built(mean=lambda w: w.logsumexp(0) - math.log(len(w) - 1)), "wrong_count", "variance"),
    (apart, "mean_apart", "put it together first"),
    (three_apart, "mean_apart", "three densities"),
    (q_apart, "mean_apart", "apart from the rest"),
    (
        built(log_q=lambda mu, lv, z, eps: -Normal(mu, (lv / 2).exp()).entropy().sum(-1)),
        "exact_part",
        "a mean taken too early",
    ),
    (
        built(log_q=lambda mu, lv, z, eps: Normal(mu, (lv / 4).exp()).log_prob(z).sum(-1)),
        "q_log_var",
        "by a root",
    ),
    # the draws
    (built(z=lambda mu, lv, eps: mu + lv.exp() * eps), "variance_for_deviation", "standard deviation"),
    (built(z=lambda mu, lv, eps: mu + lv * eps), "log_for_deviation", "logarithm"),
    (built(z=lambda mu, lv, eps: mu + eps), "unit_deviation", "Scale `eps`"),
    (built(z=lambda mu, lv, eps: eps), "prior", "drawn from the prior"),
    (built(z=lambda mu, lv, eps: mu.expand_as(eps)), "no_expectation", "`eps` has no effect"),
    (built(z=lambda mu, lv, eps: draw(mu, lv, eps).detach()), "detached", "cut from the graph"),
    (one_noise, "one_noise_for_all", "noise of its own"),
    (one_draw, "one_sample", "Only the first"),
    (every_other_draw, "some_draws", "3 of the 6"),
    (own_noise, "noise", "new noise"),
    (lambda m, x, mu, lv, eps: by_logsumexp(m, x, mu, lv, torch.cat([eps, -eps])), "antithetic", "2K draws"),
    # the weight
    (likelihood_alone, "no_ratio", "draws from the prior"),
    (built(likelihood=lambda m, x, z, mu, eps: 0 * z[..., 0]), "no_likelihood", "data are missing"),
    (built(log_q=lambda mu, lv, z, eps: 0 * z[..., 0]), "no_log_q", "not divided by q"),
    (built(prior=lambda m, z, mu, eps: 0 * z[..., 0]), "no_prior", "prior is missing"),
    (
        built(
            prior=lambda m, z, mu, eps: -m.log_prior(z),
            log_q=lambda mu, lv, z, eps: -Normal(mu, (lv / 2).exp()).log_prob(z).sum(-1),
        ),
        "inverted",
        "changed places",
    ),
    (built(log_q=lambda mu, lv, z, eps: Normal(mu, lv.exp()).log_prob(z).sum(-1)), "q_variance", "`Normal`"),
    (
        built(log_q=lambda mu, lv, z, eps: Normal(0.0, 1.0).log_prob(eps).sum(-1)),
        "q_of_noise",
        "thins it out",
    ),
    (built(log_q=lambda mu, lv, z, eps: standard(eps, lv / 2)), "q_of_noise", "wrong direction"),
    (built(log_q=lambda mu, lv, z, eps: standard(eps, -lv)), "q_of_noise", "½ is missing"),
    (
        built(log_q=lambda mu, lv, z, eps: Normal(mu, (lv / 2).exp()).log_prob(z).mean(-1)),
        "dimension_mean",
        "a sum",
    ),
    (
        built(log_q=lambda mu, lv, z, eps: -Normal(mu, (lv / 2).exp()).log_prob(z).sum(-1)),
        "q_added",
        "wrong sign",
    ),
    (built(log_q=lambda mu, lv, z, eps: Normal(mu, 1.0).log_prob(z).sum(-1)), "q_variance", "deviation 1"),
    (
        built(log_q=lambda mu, lv, z, eps: Normal(0 * mu, (lv / 2).exp()).log_prob(z).sum(-1)),
        "q_place",
        "at 0",
    ),
    (built(prior=lambda m, z, mu, eps: -m.log_prior(z)), "prior_sign", "wrong sign"),
    (reads_log_sigma, "not_a_logarithm", "another q"),
    (built(prior=lambda m, z, mu, eps: m.log_prior(eps)), "prior_place", "log p(z)"),
    (
        built(log_q=lambda mu, lv, z, eps: Normal(mu, (lv / 2).exp()).log_prob(mu).sum(-1)),
        "q_place",
        "log q(z|x)",
    ),
    (
        built(log_q=lambda mu, lv, z, eps: Normal(mu.detach(), (lv.detach() / 2).exp()).log_prob(z).sum(-1)),
        "density_detached",
        "are constants",
    ),
    (
        built(
            prior=lambda m, z, mu, eps: m.log_prior(z) / z.shape[-1],
            log_q=lambda mu, lv, z, eps: Normal(mu, (lv / 2).exp()).log_prob(z).mean(-1),
        ),
        "dimension_mean",
        "should be sums",
    ),
    (
        built(likelihood=lambda m, x, z, mu, eps: m.log_likelihood(x, z) / x.shape[1]),
        "dimension_mean",
        "mean over the D numbers",
    ),
    (lambda m, x, mu, lv, eps: m.log_evidence(x) + 0 * (mu + lv).sum(1), "evidence", "log p(x) itself"),
    # the end
    (built(end=lambda v: -v), "negative", "a loss"),
    (built(end=lambda v: v.mean().expand_as(v)), "batch_mean", "average over the batch"),
    (built(end=lambda v: v / math.log(2)), "bits", "Nats are wanted"),
    (built(end=lambda v: v / math.log(10)), "bits", "base 10"),
    (built(end=lambda v: v > 0), "type", "torch.bool"),
    (built(end=lambda v: v.to(torch.complex64)), "type", "torch.complex64"),
    (without_a_graph, "no_gradient", "cut from the graph"),
    (changes_mu, "changed_input", "changes the tensors"),
    # two mistakes, and unknown ones
    (
        built(z=lambda mu, lv, eps: mu + lv.exp() * eps, mean=lambda w: w.mean(0)),
        "variance_for_deviation",
        "second mistake",
    ),
    (built(end=lambda v: 3 * v), "scale", "3 times"),
    (built(end=lambda v: v + 0.7), "constants", "same +0.7"),
    (built(z=lambda mu, lv, eps: mu + lv.exp() * eps**3), "value", "Begin with K = 1"),
    (built(end=lambda v: 0.5 * v + 0.5 * v.detach()), "gradient", "no longer reaches them"),
]


@pytest.mark.parametrize("bound, kind, phrase", BOUND_WRONG, ids=named(BOUND_WRONG))
def test_a_wrong_bound_is_called_by_name(bound, kind, phrase):
    feedback = judged(check_iwae_bound, bound)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message


def test_the_elbo_by_a_closed_kl_is_seen_as_one():
    """Two parts differ from the bound, a closed KL and a mean of logarithms: either may be named first."""
    feedback = check_iwae_bound(elbo_by_the_kl)
    assert feedback.kind in ("closed_kl", "mean_of_logs") and "second mistake" in feedback.message


# The quantiser, right


def q_by_the_helpers(h, codes):
    k = nearest_code(h, codes)
    return straight_through(h, codes[k]), k


def q_by_squares(h, codes):
    k = (h[:, None] - codes[None]).pow(2).sum(-1).argmin(-1)
    return h + (codes[k] - h).detach(), k


def q_multiplied_out(h, codes):
    d = h.square().sum(1, keepdim=True) - 2 * h @ codes.T + codes.square().sum(1)
    k = d.argmin(dim=1)
    return codes[k].detach() + h - h.detach(), k


def q_without_the_square_of_h(h, codes):
    k = (codes.square().sum(1) - 2 * h @ codes.T).min(1).indices
    e = codes.index_select(0, k)
    return (e - h).detach() + h, k


def q_by_topk(h, codes):
    k = torch.cdist(h, codes).topk(1, largest=False).indices.squeeze(1)
    return h - (h - embedding(k, codes)).detach(), k


def q_by_one_hot(h, codes):
    k = (-torch.cdist(h, codes)).argmax(1)
    e = one_hot(k, len(codes)).to(codes.dtype) @ codes
    return h + (e - h).detach(), k


def q_by_a_loop(h, codes):
    numbers = []
    for row in h:
        distances = [(row - code).norm().item() for code in codes]
        numbers.append(distances.index(min(distances)))
    k = torch.tensor(numbers)
    return h + (codes[k] - h).detach(), k


class Through(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h, e):
        return e.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


def q_by_a_function(h, codes):
    with torch.no_grad():
        k = torch.cdist(h, codes).argmin(1)
    return Through.apply(h, codes.detach()[k]), k


def q_as_a_list(h, codes):
    return list(q_by_squares(h, codes))


def q_in_short_numbers(h, codes):
    z, k = q_by_squares(h, codes)
    return z, k.int()


def q_by_no_grad(h, codes):
    with torch.no_grad():
        k = torch.cdist(h, codes).argmin(1)
        step = codes[k] - h
    return h + step, k


def q_by_sort(h, codes):
    k = torch.cdist(h, codes).sort(dim=1).indices[:, 0]
    return h + (codes[k] - h).detach(), k


def q_in_a_module(h, codes):
    quantiser = Quantiser(*codes.shape).to(h.dtype)
    with torch.no_grad():
        quantiser.codes.copy_(codes)
    return quantiser(h)[:2]


QUANTISE_RIGHT = [
    q_by_the_helpers,
    q_by_squares,
    q_multiplied_out,
    q_without_the_square_of_h,
    q_by_topk,
    q_by_one_hot,
    q_by_a_loop,
    q_by_a_function,
    q_as_a_list,
    q_in_short_numbers,
    q_by_no_grad,
    q_by_sort,
    q_in_a_module,
]


@pytest.mark.parametrize("quantise", QUANTISE_RIGHT)
def test_a_right_quantiser_passes(quantise, dtype):
    feedback = check_quantise(quantise)
    assert (feedback.ok, feedback.kind) == (True, "right"), feedback


def q_one_hot_in_float32(h, codes):
    k = torch.cdist(h, codes).argmin(1)
    e = one_hot(k, len(codes)).to(torch.get_default_dtype()) @ codes
    return h + (e - h).detach(), k


def test_a_remark_on_a_quantiser(dtype):
    feedback = check_quantise(q_one_hot_in_float32)
    assert (feedback.ok, feedback.kind) == (True, "dtype"), feedback


# … wrong


def numbered(choose):
    """A quantiser that chooses in its own way, and then does the rest as it should."""

    def quantise(h, codes):
        k = choose(h, codes)
        return h + (codes[k.clamp(max=len(codes) - 1)] - h).detach(), k

    return quantise


def numbered_at_once(choose):
    """As `numbered`, with indices that may lie beyond the codes."""

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


def through(f):
    return valued(lambda h, e: h + (f(h, e) - h).detach())


def soft(h, codes):
    share = (-torch.cdist(h, codes)).softmax(1)
    return h + (share @ codes - h).detach(), share.argmax(1)


def with_a_loss(h, codes):
    z, k = q_by_squares(h, codes)
    return z, k, 0.25 * (h - codes[k].detach()).square().sum()


def q_changes_the_codes(h, codes):
    result = q_by_squares(h, codes)
    with torch.no_grad():
        codes.add_(1)
    return result


class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h, e):
        return e.clone()

    @staticmethod
    def backward(ctx, gradient):
        return 0.3 * gradient, None


def unit(rows):
    return rows / rows.norm(dim=1, keepdim=True)


QUANTISE_WRONG = [
    # the numbers
    (numbered(lambda h, c: torch.cdist(h, c).argmax(1)), "furthest", "furthest away"),
    (numbered(lambda h, c: (unit(h) @ unit(c).T).argmax(1)), "cosine", "Lengths count too"),
    (numbered(lambda h, c: (h @ c.T).argmax(1)), "product", "prefers long codes"),
    (numbered(lambda h, c: (c.square().sum(1) - h @ c.T).argmin(1)), "half_square", "factor 2"),
    (numbered(lambda h, c: torch.cdist(h, c, p=1).argmin(1)), "absolute", "squares are added"),
    (numbered(lambda h, c: (h[:, None] - c).sum(2).argmin(1)), "signed", "they cancel"),
    (numbered(lambda h, c: (h[:, None] - c).sum(2).abs().argmin(1)), "signed", "they cancel"),
    (
        numbered(lambda h, c: torch.cdist(h, c, p=float("inf")).argmin(1)),
        "largest_difference",
        "all coordinates",
    ),
    (numbered(lambda h, c: (h[:, :1] - c[:, 0]).abs().argmin(1)), "first_coordinate", "first coordinate"),
    (numbered(lambda h, c: torch.cdist(h, c).topk(2, largest=False).indices[:, 1]), "second", "sorted list"),
    (numbered(lambda h, c: nearest_code(h, c) + 1), "counted_from_one", "from 0"),
    (
        numbered(lambda h, c: torch.cdist(h, c).square().sum(0).argmin().expand(len(h))),
        "one_for_all",
        "for itself",
    ),
    (numbered(lambda h, c: (nearest_code(h, c) + 2) % len(c)), "numbers", "another code is nearer"),
    # their shape and type
    (lambda h, c: (h + 0, torch.cdist(h, c).argmin(0)), "shape", "for each code which vector"),
    (lambda h, c: (h + 0, torch.cdist(h, c).argmin()), "shape", "over which dimension"),
    (numbered_at_once(lambda h, c: torch.cdist(h, c).argmin(0)), "shape", "for each code which vector"),
    (numbered_at_once(lambda h, c: torch.cdist(h, c).argmin()), "shape", "over which dimension"),
    (numbered_at_once(lambda h, c: ((h - c) ** 2).sum(-1).argmin(-1)), "pairs", "meet every code"),
    (numbered_at_once(lambda h, c: (h - c).norm(dim=1).argmin()), "pairs", "meet every code"),
    (lambda h, c: (q_by_squares(h, c)[0] > 0, nearest_code(h, c)), "type", "torch.bool"),
    (lambda h, c: (q_by_squares(h, c)[0].long(), nearest_code(h, c)), "type", "torch.int64"),
    (lambda h, c: (h + 0, torch.cdist(h, c).argmin(1, keepdim=True)), "shape", "one too many"),
    (lambda h, c: (h + 0, one_hot(nearest_code(h, c), len(c))), "shape", "something for each code"),
    (lambda h, c: (q_by_squares(h, c)[0], torch.cdist(h, c).min(1).values), "not_whole", "smallest distance"),
    (lambda h, c: (q_by_squares(h, c)[0], nearest_code(h, c).float()), "not_whole", "whole ones"),
    (lambda h, c: q_by_squares(h, c)[::-1], "exchanged", "changed places"),
    (lambda h, c: q_by_squares(h, c)[0], "type", "Two values"),
    (with_a_loss, "type", "3 values"),
    (lambda h, c: (q_by_squares(h, c)[0], nearest_code(h, c).tolist()), "type", "a `list`"),
    (lambda h, c: (c + 0, nearest_code(h, c)), "shape", "one row for each code"),
    (lambda h, c: (one_hot(nearest_code(h, c), len(c)).float(), nearest_code(h, c)), "shape", "one-hot"),
    # the codes
    (valued(lambda h, e: h + 0), "not_quantised", "still h"),
    (soft, "codes", "away from the code"),
    (through(lambda h, e: 2 * e - h), "overshoot", "goes past"),
    (through(lambda h, e: e - h), "difference", "difference"),
    (valued(lambda h, e: (e - h).detach()), "difference", "difference"),
    (through(lambda h, e: h - e), "difference", "vector and code"),
    (valued(lambda h, e: h - (e - h).detach()), "mirrored", "other side"),
    (through(lambda h, e: (h + e) / 2), "halfway", "halfway"),
    (valued(lambda h, e: h + e.detach()), "sum", "taken away again"),
    (through(lambda h, e: unit(e)), "unit", "length 1"),
    # the gradient
    (valued(lambda h, e: e), "no_gradient", "none reaches h"),
    (valued(lambda h, e: e.detach()), "no_gradient", "no gradient reaches h"),
    (valued(lambda h, e: (h + e - h).detach()), "no_gradient", "only the step"),
    (valued(lambda h, e: e + h - h.detach()), "both", "and the codes as well"),
    (valued(lambda h, e: h + (e - h).detach() + 0.25 * (e - e.detach())), "both", "as it should"),
    (valued(lambda h, e: h + e - h), "no_gradient", "none reaches h"),
    (valued(lambda h, e: e.detach() - h + h.detach()), "sign", "wrong sign"),
    (valued(lambda h, e: h.detach() + e - h + 0 * e + h.detach() - h.detach()), "sign", "wrong sign"),
    (valued(lambda h, e: 2 * h + (e - 2 * h).detach()), "twice", "twice"),
    (valued(lambda h, e: Scaled.apply(h, e.detach())), "gradient", "about 0.3 times"),
    (q_changes_the_codes, "changed_input", "changes the vectors"),
]


@pytest.mark.parametrize("quantise, kind, phrase", QUANTISE_WRONG, ids=named(QUANTISE_WRONG))
def test_a_wrong_quantiser_is_called_by_name(quantise, kind, phrase):
    feedback = judged(check_quantise, quantise)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message


# Both


@pytest.mark.parametrize(
    "check, usage", [(check_iwae_bound, "model, x, mu, log_var, eps"), (check_quantise, "h, codes")]
)
def test_what_is_not_written_yet_or_not_called_as_agreed(check, usage):
    assert check(lambda *_: ...).kind == "stub"
    feedback = check(lambda: 1)
    assert feedback.kind == "signature" and usage in feedback.message


def test_no_verdict_hangs_on_the_seed_of_the_check(monkeypatch):
    seed = torch.manual_seed
    monkeypatch.setattr(torch, "manual_seed", lambda number: seed(number + 231))
    for check, answers in ((check_iwae_bound, BOUND_RIGHT), (check_quantise, QUANTISE_RIGHT)):
        for answer in answers:
            assert check(answer).kind == "right", answer
    for check, rows in ((check_iwae_bound, BOUND_WRONG), (check_quantise, QUANTISE_WRONG)):
        for answer, kind, _ in rows:
            feedback = check(answer)
            assert feedback.kind == kind, (kind, feedback)


def test_every_row_of_the_tables_has_its_wrong_answer():
    asked = {kind for _, kind, _ in BOUND_WRONG}
    own = (checks.RATIOS, checks.PARTS, checks.MEANS, checks.ENDS)
    assert {part.kind for table in own for part in table if not part.ok} <= asked
    asked = {kind for _, kind, _ in QUANTISE_WRONG}
    assert {way.kind for way in checks.NUMBER_WAYS + checks.CODE_WAYS if not way.ok} <= asked | {"right"}
    assert {kind for kind, _ in checks.GRADIENT_WAYS.values()} - {"right"} <= asked


def test_the_solutions_in_the_notebook_pass():
    names = folded_solutions("14_tighter_and_discrete", torch=torch, math=math, Normal=Normal)
    assert check_iwae_bound(names["my_iwae_bound"]).kind == "right"
    assert check_quantise(names["my_quantise"]).kind == "right"


def test_no_message_gives_the_answer_away():
    for check, rows in ((check_iwae_bound, BOUND_WRONG), (check_quantise, QUANTISE_WRONG)):
        for answer, _, _ in rows:
            message = judged(check, answer).message
            plain = message.lower().replace(" ", "")
            for solution in ("logsumexp", "-math.log", "h+(", "argmin", "cdist", ".detach()"):
                assert solution not in plain, message
            assert len(message) < 420, message
