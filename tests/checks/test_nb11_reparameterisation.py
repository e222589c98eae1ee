"""Both sides of the checks of notebook 11: every right way to estimate a gradient passes, a wrong one is named."""

import math

import pytest
import torch
from answers import folded_solutions, tests_of
from torch.distributions import Independent, Normal
from torch.func import grad, vmap

from helpers.checks.nb11_reparameterisation import (
    FREE,
    PATH,
    SCORE,
    check_pathwise_gradient,
    check_score_gradient,
)
from helpers.vae import leave_one_out, pathwise_gradient, score_gradient


def draws(mu, log_var, eps):
    return mu + (log_var / 2).exp() * eps


def scores(log_var, eps):
    return torch.cat([eps / (log_var / 2).exp(), (eps**2 - 1) / 2], 1)


def copies(mu, log_var, eps):
    """One μ and one log σ² per sample, to be differentiated in."""
    return [part.expand_as(eps).clone().requires_grad_() for part in (mu, log_var)]


# The score function, right


def s_by_hand(mu, log_var, f, eps):
    return f(draws(mu, log_var, eps))[:, None] * scores(log_var, eps)


def s_through_z(mu, log_var, f, eps):
    z, var = draws(mu, log_var, eps), log_var.exp()
    in_mu = (z - mu) / var
    in_log_var = 0.5 * ((z - mu) ** 2 / var - 1)
    return torch.hstack([in_mu, in_log_var]) * f(z).unsqueeze(1)


def s_one_autograd_a_draw(mu, log_var, f, eps):
    rows = []
    for noise in eps:
        m, lv = mu.clone().requires_grad_(), log_var.clone().requires_grad_()
        q = Normal(m, (lv / 2).exp())
        z = (m + (lv / 2).exp() * noise).detach()
        q.log_prob(z).sum().backward()
        rows.append(torch.cat([m.grad, lv.grad]) * f(z[None])[0])
    return torch.stack(rows)


def s_surrogate(mu, log_var, f, eps):
    m, lv = copies(mu, log_var, eps)
    q = Independent(Normal(m, torch.exp(0.5 * lv)), 1)
    z = (m + torch.exp(0.5 * lv) * eps).detach()
    return torch.cat(torch.autograd.grad((f(z).detach() * q.log_prob(z)).sum(), [m, lv]), dim=1)


def s_vmap(mu, log_var, f, eps):
    z = draws(mu, log_var, eps)

    def log_q(both, z):
        m, lv = both.chunk(2)
        return (-0.5 * (z - m) ** 2 / lv.exp() - 0.5 * lv).sum()

    score = vmap(grad(log_q), in_dims=(None, 0))(torch.cat([mu, log_var]), z)
    return torch.einsum("k,kp->kp", f(z), score)


def s_jacobian(mu, log_var, f, eps):
    z = draws(mu, log_var, eps)
    parts = torch.autograd.functional.jacobian(
        lambda m, lv: Normal(m, (lv / 2).exp()).log_prob(z).sum(1), (mu, log_var)
    )
    return torch.cat(parts, 1) * f(z).view(-1, 1)


def s_loop(mu, log_var, f, eps):
    out = torch.empty(len(eps), 2 * len(mu), dtype=eps.dtype)
    for k in range(len(eps)):
        z = draws(mu, log_var, eps[k])
        r = f(z[None]).item()
        for j in range(len(mu)):
            out[k, j] = r * eps[k, j] / math.exp(log_var[j].item() / 2)
            out[k, len(mu) + j] = r * (eps[k, j] ** 2 - 1) / 2
    return out


def s_permuted(mu, log_var, f, eps):
    order = torch.randperm(len(eps))
    return s_by_hand(mu, log_var, f, eps[order])[order.argsort()]


def s_log_var_by_the_density(mu, log_var, f, eps):
    """∇ log q = ∇q / q."""
    m, lv = copies(mu, log_var, eps)
    z = draws(mu, log_var, eps)
    q = Normal(m, (lv / 2).exp()).log_prob(z).sum(1).exp()
    gradient = torch.cat(torch.autograd.grad(q.sum(), (m, lv)), 1)
    return f(z)[:, None] * gradient / q.detach()[:, None]


S_RIGHT = [
    s_by_hand, s_through_z, s_one_autograd_a_draw, s_surrogate, s_vmap, s_jacobian, s_loop,
    lambda mu, lv, f, eps: s_by_hand(mu.double(), lv.double(), f, eps.double()),
    lambda mu, lv, f, eps: s_by_hand(mu.requires_grad_(), lv.requires_grad_(), f, eps), s_permuted,
    s_log_var_by_the_density, score_gradient,
]  # fmt: skip


def with_baseline(baseline):
    def gradient(mu, log_var, f, eps):
        z = draws(mu, log_var, eps)
        return (f(z) - baseline(mu, f, z))[:, None] * scores(log_var, eps)

    return gradient


def s_best_baseline_of_the_others(mu, log_var, f, eps):
    s, r = scores(log_var, eps), f(draws(mu, log_var, eps))
    rows = []
    for k in range(len(eps)):
        rest = torch.arange(len(eps)) != k
        b = (r[rest, None] * s[rest] ** 2).sum(0) / (s[rest] ** 2).sum(0)
        rows.append((r[k] - b) * s[k])
    return torch.stack(rows)


def with_our_baseline(mu, log_var, f, eps):
    return score_gradient(mu, log_var, f, eps, leave_one_out(f(draws(mu, log_var, eps))))


def of_the_others(middle):
    return lambda mu, f, z: torch.stack([middle(torch.cat([f(z)[:k], f(z)[k + 1 :]])) for k in range(len(z))])


def from_reward(baseline):
    return lambda mu, lv, f, eps: (f(draws(mu, lv, eps)) - baseline(mu, lv, f))[:, None] * scores(lv, eps)


def seed(number):
    return torch.Generator().manual_seed(number)


def with_baseline_of(score, baseline):
    """(r − b) times a score of ε and σ."""

    def gradient(mu, log_var, f, eps):
        r = f(draws(mu, log_var, eps))
        return (r - baseline(r))[:, None] * torch.cat(score(eps, (log_var / 2).exp()), 1)

    return gradient


def with_two_baselines(in_mu, in_log_var):
    def gradient(mu, log_var, f, eps):
        r = f(draws(mu, log_var, eps))
        parts = scores(log_var, eps).chunk(2, 1)
        return torch.cat(
            [(r - b(r))[:, None] * s for b, s in zip((in_mu, in_log_var), parts, strict=True)], 1
        )

    return gradient


def exponential(mu, f, z):
    b, rows = torch.zeros((), dtype=z.dtype), []
    for reward in f(z):
        rows.append(b)
        b = 0.8 * b + 0.2 * reward
    return torch.stack(rows)


def of_the_other_half(mu, f, z):
    r, half = f(z), len(z) // 2
    return torch.cat([r[half:].mean().expand(half), r[:half].mean().expand(len(r) - half)])


def s_constant_in_a_loop(mu, log_var, f, eps):
    rewards = f(draws(mu, log_var, eps))
    return torch.stack([(r - 2.5) * s for r, s in zip(rewards, scores(log_var, eps), strict=True)])


S_FREE = [
    *(with_baseline(lambda mu, f, z, b=b: b) for b in (0.5, 1, -3, 10.0)),
    s_constant_in_a_loop,
    with_baseline(lambda mu, f, z: f(torch.zeros_like(z))),
    with_baseline(lambda mu, f, z: f(torch.zeros(1, len(mu)))),
    from_reward(lambda mu, lv, f: f((mu + (lv / 2).exp())[None])),
    with_baseline(lambda mu, f, z: (f(z).cumsum(0) - f(z)) / torch.arange(len(z)).clamp(min=1)),
    with_baseline(exponential),
    with_baseline(lambda mu, f, z: torch.cat([f(z).new_zeros(1), f(z)[:-1]])),
    with_baseline(lambda mu, f, z: f(z).roll(1)),
    with_baseline(of_the_others(torch.median)),
    with_baseline(of_the_other_half),
    from_reward(lambda mu, lv, f: f(draws(mu, lv, torch.randn(64, len(mu), generator=seed(0)))).mean()),
    with_two_baselines(leave_one_out, lambda r: 0 * r),
]
S_REMARKS = [
    (with_baseline(lambda mu, f, z: (f(z).sum() - f(z)) / len(z)), "right", "divided by K"),
    (with_baseline(of_the_others(torch.mean)), "right", "leaves the sample itself out"),
    (with_baseline(lambda mu, f, z: leave_one_out(f(z))), "right", "leaves the sample itself out"),
    (with_our_baseline, "right", "leaves the sample itself out"),
    (with_baseline(lambda mu, f, z: f(mu[None])), "right", "f(μ)"),
    (with_baseline(lambda mu, f, z: f(mu.expand_as(z))), "right", "f(μ)"),
    (s_best_baseline_of_the_others, "right", "best baseline of each column"),
    (with_baseline(lambda mu, f, z: -leave_one_out(f(z))), "added_baseline", "baseline is added"),
    (with_baseline(lambda mu, f, z: f(mu)), "right", "about one vector"),
]

# … wrong


def with_reward(reward):
    return lambda mu, lv, f, eps: reward(mu, lv, f, eps) * scores(lv, eps)


def with_result(right, result):
    return lambda mu, log_var, f, eps: result(right(mu, log_var, f, eps))


def by_autograd(surrogate, width=lambda lv: (lv / 2).exp()):
    """K gradients of surrogate(f, q, z), z a function of μ and σ."""

    def gradient(mu, log_var, f, eps):
        m, lv = copies(mu, log_var, eps)
        q = Independent(Normal(m, width(lv)), 1)
        z = m + width(lv) * eps
        return torch.cat(torch.autograd.grad(surrogate(f, q, z).sum(), (m, lv), materialize_grads=True), 1)

    return gradient


def fresh_noise(right):
    return lambda mu, log_var, f, eps: right(mu, log_var, f, torch.randn_like(eps))


def s_in_place(mu, log_var, f, eps):
    z = eps.mul_((log_var / 2).exp()).add_(mu)
    return f(z)[:, None] * scores(log_var, (z - mu) / (log_var / 2).exp())


def half(right, columns):
    """Right in the first or the last half of the columns, something of its own in the other."""

    def gradient(mu, log_var, f, eps):
        value, d = right(mu, log_var, f, eps).clone(), len(mu)
        value[:, columns(d)] = value[:, columns(d)].cos()
        return value

    return gradient


S_WRONG = [
    # what autograd is given
    (by_autograd(lambda f, q, z: -f(z).detach() * q.log_prob(z.detach())), "sign", "the derivative in z"),
    (by_autograd(lambda f, q, z: f(z) * q.log_prob(z)), "attached", "Hold it still"),
    # baselines
    (with_baseline(lambda mu, f, z: f(z).sum() / (len(z) - 1)), "own_baseline", "of the same sample"),
    (with_two_baselines(torch.mean, lambda r: 0 * r), "own_baseline", "In the columns of μ: "),
    (with_two_baselines(leave_one_out, torch.mean), "own_baseline", "In the columns of log σ²: "),
    (with_baseline(lambda mu, f, z: f(z).cumsum(0) / torch.arange(1, len(z) + 1)), "reward", "the sample alone"),
    (with_reward(lambda mu, lv, f, eps: f(draws(mu, lv, eps))[:, None] ** 2), "reward", "score is right"),
    (with_baseline_of(lambda e, s: (e, (e**2 - 1) / 2), lambda r: r.roll(1)), "scale_of_mu", "a power of σ"),
    # shapes
    (lambda mu, lv, f, eps: f(draws(mu, lv, eps)) * scores(lv, eps), "raised", "a dimension is missing"),
    (with_result(s_by_hand, lambda g: tuple(g.chunk(2, 1))), "type", "two tensors"),
    # noise and inputs
    (fresh_noise(s_by_hand), "noise", "Use the `eps`"),
    (s_in_place, "changed_input", "`eps`"),
    # two mistakes
    (with_baseline_of(lambda e, s: (e / s, e**2 - 1), torch.mean), "own_baseline", "twice too large"),
    # in no table
    (with_result(s_by_hand, lambda g: 3 * g), "scale", "3 times"),
    (half(s_by_hand, lambda d: slice(d, None)), "log_var_half", "those of log σ² are not"),
    (half(with_baseline(lambda mu, f, z: 0.5), lambda d: slice(0, d)), "mu_half", "those of μ are not"),
    (with_result(s_by_hand, lambda g: g.cos()), "value", "without a baseline"),
    (with_result(s_by_hand, lambda g: g.clamp(-20, 20)), "value", "without a baseline"),
    (with_reward(lambda mu, lv, f, eps: f(draws(mu, lv, eps)).clamp(-10, 10)[:, None]), "reward", "score is right"),
]  # fmt: skip
score_tests = tests_of(check_score_gradient, S_RIGHT, S_REMARKS, S_WRONG)
test_score_right, test_score_remarks, test_score_wrong = score_tests


# The path, right


def p_by_hand(mu, log_var, f, eps):
    sigma = (log_var / 2).exp()
    z = (mu + sigma * eps).detach().requires_grad_()
    (in_z,) = torch.autograd.grad(f(z).sum(), z)
    return torch.cat([in_z, in_z * sigma * eps / 2], 1)


def p_copies(mu, log_var, f, eps):
    m = mu.repeat(len(eps), 1).requires_grad_()
    lv = log_var.repeat(len(eps), 1).requires_grad_()
    f(m + torch.exp(0.5 * lv) * eps).sum().backward()
    return torch.cat([m.grad, lv.grad], dim=1)


def p_one_at_a_time(mu, log_var, f, eps):
    rows = []
    for noise in eps:
        m, lv = mu.clone().requires_grad_(), log_var.clone().requires_grad_()
        f((m + (lv / 2).exp() * noise)[None])[0].backward()
        rows.append(torch.cat([m.grad, lv.grad]))
    return torch.stack(rows)


def p_jacobian(mu, log_var, f, eps):
    parts = torch.autograd.functional.jacobian(lambda m, lv: f(m + (lv / 2).exp() * eps), (mu, log_var))
    return torch.cat(parts, 1)


def p_vmap(mu, log_var, f, eps):
    def one(both, noise):
        m, lv = both.chunk(2)
        return f((m + (lv / 2).exp() * noise)[None])[0]

    return vmap(grad(one), in_dims=(None, 0))(torch.cat([mu, log_var]), eps)


def p_rows_of_one_graph(mu, log_var, f, eps):
    m, lv = mu.clone().requires_grad_(), log_var.clone().requires_grad_()
    rewards = f(m + lv.exp().sqrt() * eps)
    rows = [torch.cat(torch.autograd.grad(r, (m, lv), retain_graph=True)) for r in rewards]
    return torch.stack(rows)


def p_through_the_distance(mu, log_var, f, eps):
    z = draws(mu, log_var, eps).detach().requires_grad_()
    f(z).backward(torch.ones(len(eps), dtype=z.dtype))
    return torch.hstack([z.grad, 0.5 * z.grad * (z.detach() - mu)])


def p_with_a_graph(mu, log_var, f, eps):
    m, lv = copies(mu, log_var, eps)
    return torch.cat(torch.autograd.grad(f(m + (lv / 2).exp() * eps).sum(), (m, lv), create_graph=True), 1)


def p_permuted(mu, log_var, f, eps):
    order = torch.randperm(len(eps))
    return p_by_hand(mu, log_var, f, eps[order])[order.argsort()]


P_RIGHT = [
    p_by_hand, p_copies, p_one_at_a_time, p_jacobian, p_vmap, p_rows_of_one_graph, p_through_the_distance,
    p_with_a_graph, lambda mu, lv, f, eps: p_by_hand(mu.double(), lv.double(), f, eps.double()), p_permuted,
    by_autograd(lambda f, q, z: f(z)), pathwise_gradient,
]  # fmt: skip

# … wrong


def path(place=draws, move=lambda slope, e, sigma: (slope, slope * sigma * e / 2)):
    """The path with the slope at another place, or another move."""

    def gradient(mu, log_var, f, eps):
        z = place(mu, log_var, eps).detach().requires_grad_()
        (slope,) = torch.autograd.grad(f(z).sum(), z)
        return torch.cat(move(slope, eps, (log_var / 2).exp()), 1)

    return gradient


def cut(where):
    """The path with a `detach`."""

    def gradient(mu, log_var, f, eps):
        m, lv = copies(mu, log_var, eps)
        value = f(where(m, lv, eps)).sum() + 0 * (m.sum() + lv.sum())
        return torch.cat(torch.autograd.grad(value, (m, lv), materialize_grads=True), 1)

    return gradient


def p_one_tensor_for_all(mu, log_var, f, eps):
    m, lv = mu.clone().requires_grad_(), log_var.clone().requires_grad_()
    return torch.cat(torch.autograd.grad(f(m + (lv / 2).exp() * eps).sum(), (m, lv)))


def p_by_torch_normal(mu, log_var, f, eps):
    m, lv = copies(mu, log_var, eps)
    z = torch.normal(m, (lv / 2).exp())
    return torch.cat(torch.autograd.grad(f(z).sum(), (m, lv)), 1)


def p_without_a_graph(mu, log_var, f, eps):
    m = mu.expand_as(eps).clone().requires_grad_()
    with torch.no_grad():
        z = draws(m, log_var, eps)
    f(z).sum().backward()
    return m.grad


def p_nothing_to_follow(mu, log_var, f, eps):
    z = draws(mu, log_var, eps)
    (in_z,) = torch.autograd.grad(f(z).sum(), z)
    return torch.cat([in_z, in_z * (z - mu) / 2], 1)


def p_told_too_late(mu, log_var, f, eps):
    z = draws(mu, log_var, eps)
    reward = f(z).sum()
    z.requires_grad_()
    (in_z,) = torch.autograd.grad(reward, z)
    return torch.cat([in_z, in_z * (z - mu) / 2], 1)


def p_no_single_number(mu, log_var, f, eps):
    z = draws(mu, log_var, eps).requires_grad_()
    (in_z,) = torch.autograd.grad(f(z), z)
    return torch.cat([in_z, in_z * (z - mu) / 2], 1)


def p_in_place(mu, log_var, f, eps):
    value = p_by_hand(mu, log_var, f, eps)
    log_var.div_(2)
    return value


P_WRONG = [
    # what is detached
    (cut(lambda m, lv, e: torch.tensor(draws(m, lv, e).tolist(), dtype=e.dtype)), "detached", "from μ and σ"),
    (p_by_torch_normal, "detached", "`torch.normal`"),
    (p_without_a_graph, "detached", "not under `no_grad`"),
    (p_nothing_to_follow, "detached", "a tensor that it does not follow"),
    (p_told_too_late, "detached", "before `f` is computed"),
    (p_no_single_number, "no_mean", "one for each sample"),
    # other estimators
    # the result
    (p_one_tensor_for_all, "shape", "one gradient per sample"),
    # noise and inputs
    (p_in_place, "changed_input", "`log_var`"),
    # two mistakes
    # in no table
    (with_result(p_by_hand, lambda g: 0.5 * g), "scale", "0.5 times"),
    (half(p_by_hand, lambda d: slice(d, None)), "log_var_half", "those of log σ² are not"),
    (with_result(p_by_hand, lambda g: g.exp()), "value", "should be 12.8"),
    (with_result(p_by_hand, lambda g: g.clamp(-5, 5)), "value", "should be 12.8"),
    (path(move=lambda s, e, sigma: (s * sigma, s * e * sigma / 2)), "slope_in_noise", "one σ too many"),
]  # fmt: skip
test_path_right, _, test_path_wrong = tests_of(check_pathwise_gradient, P_RIGHT, (), P_WRONG)


# Both


@pytest.mark.parametrize("gradient", S_FREE)
def test_any_baseline_that_does_not_know_its_sample_passes(gradient, dtype):
    feedback = check_score_gradient(gradient)
    assert (feedback.ok, feedback.kind) == (True, "right"), feedback
    assert FREE in feedback.message


@pytest.mark.parametrize("task", [SCORE, PATH])
def test_the_mean_of_the_right_rows_is_the_gradient_of_an_expectation(task):
    """E[Σ z²] = Σ (μ² + σ²) has the gradient 2μ in μ, and σ² in log σ²."""
    torch.manual_seed(0)
    case = task.cases()[0].but(f=lambda z: z.square().sum(-1), eps=torch.randn(200_000, 3))
    mean = task.best()(case).mean(0)
    assert torch.allclose(mean, torch.cat([2 * case.mu, case.log_var.exp()]), atol=0.1)


def test_the_folded_solutions_pass(dtype):
    solutions = folded_solutions("11_reparameterisation", torch=torch)
    assert set(solutions) == {"my_score_gradient", "my_pathwise_gradient"}
    assert check_score_gradient(solutions["my_score_gradient"]).ok
    assert check_pathwise_gradient(solutions["my_pathwise_gradient"]).ok
