"""Diffusion and flow matching against closed forms: single steps, Gaussians of torch.distributions, exact answers."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from helpers.data import ring
from helpers.diffusion import (
    CodeNetwork,
    PointNetwork,
    WithSkip,
    ancestral,
    best_variance,
    bound_terms,
    cosine_schedule,
    ddim,
    ddim_path,
    ddim_step,
    diffusion_step,
    flow_loss,
    flow_path,
    flow_step,
    guided,
    linear_schedule,
    mean_factor,
    noise_errors,
    noise_loss,
    noised,
    posterior_variance,
    reverse_mean,
    some_dropped,
    spaced,
    waves,
)
from helpers.studies import study
from helpers.studies.diffusion import SEEDS, WEIGHTS, diffusion_run, judged
from helpers.theory import noised_log_prob, perfect_noise, perfect_prediction, perfect_velocity
from helpers.training import for_updates

KEPT = cosine_schedule(20)
DATA = ring()
ENTROPY = math.log(8) + 1 + math.log(2 * math.pi * 0.05**2)  # eight Gaussians that do not overlap


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(23)


def perfect(alpha_bar, data=DATA):
    return lambda x, t: perfect_noise(data.centres, data.std, x, alpha_bar[t])


# Schedules and the jump


def test_one_step_keeps_the_variance_and_many_steps_are_one_jump():
    """(23.1) applied t times gives the mean and the variance of (23.2), here for x_0 = 3."""
    mean, variance = 3.0, 0.0
    for t in range(1, 21):
        alpha = KEPT[t] / KEPT[t - 1]
        mean, variance = alpha.sqrt() * mean, alpha * variance + 1 - alpha
        zero, one, at = (
            torch.zeros(1, dtype=torch.float64),
            torch.ones(1, dtype=torch.float64),
            torch.tensor([t]),
        )
        jumped = noised(3 * one, at, zero, KEPT)
        assert jumped.item() == pytest.approx(mean.item(), rel=1e-9)
        assert (noised(3 * one, at, one, KEPT) - jumped).item() ** 2 == pytest.approx(
            variance.item(), rel=1e-9
        )
    x = torch.randn(400_000)
    for t in range(1, 6):  # and by samples: of variance 1 before, of variance 1 after
        x = (KEPT[t] / KEPT[t - 1]).sqrt() * x + (1 - KEPT[t] / KEPT[t - 1]).sqrt() * torch.randn(400_000)
    assert x.var().item() == pytest.approx(1, abs=0.01)


def test_schedules_start_at_one_and_fall_to_nearly_nothing():
    for schedule, steps, end in ((cosine_schedule(100), 100, 1e-6), (linear_schedule(), 1000, 1e-4)):
        assert schedule.shape == (steps + 1,) and schedule[0] == 1 and schedule.dtype == torch.float64
        assert (schedule.diff() < 0).all() and 0 < schedule[-1] < end
    assert linear_schedule()[1] == pytest.approx(1 - 1e-4) and linear_schedule()[-1] == pytest.approx(
        4.04e-5, rel=0.01
    )
    assert cosine_schedule(100)[50] == pytest.approx(
        math.cos(math.pi / 2 * 0.508 / 1.008) ** 2 / math.cos(math.pi / 2 * 0.008 / 1.008) ** 2
    )


@pytest.mark.parametrize(
    ("t", "eps", "alpha_bar", "words"),
    [
        (torch.tensor([1, 2]), torch.zeros(2, 3), KEPT[1:], "starts at"),
        (torch.tensor([1, 2]), torch.zeros(2, 3), KEPT.flip(0), "starts at"),
        (torch.tensor([1, 2]), torch.zeros(2, 1), KEPT, "equal shapes"),
        (torch.tensor([1.0, 2.0]), torch.zeros(2, 3), KEPT, "whole number"),
        (torch.tensor([1]), torch.zeros(2, 3), KEPT, "one whole number a row"),
        (torch.tensor([1, 21]), torch.zeros(2, 3), KEPT, "0 … 20"),
    ],
)
def test_what_cannot_be_noised_is_refused(t, eps, alpha_bar, words):
    with pytest.raises(ValueError, match=words):
        noised(torch.zeros(2, 3), t, eps, alpha_bar)


# The bound


def test_posterior_of_a_step_by_bayes_rule():
    """(23.4): q(x_{t−1}|x_t, x_0) on a grid, from q(x_t|x_{t−1}) q(x_{t−1}|x_0), has our mean and variance."""
    x_0, x_t, grid = 0.7, -0.4, torch.linspace(-8, 8, 160_001, dtype=torch.float64)
    for t in (2, 7, 20):
        alpha, before, after = KEPT[t] / KEPT[t - 1], KEPT[t - 1], KEPT[t]
        log_q = Normal(before.sqrt() * x_0, (1 - before).sqrt()).log_prob(grid)
        log_q = log_q + Normal(alpha.sqrt() * grid, (1 - alpha).sqrt()).log_prob(torch.tensor(x_t).double())
        q = log_q.softmax(0)
        mean = (q * grid).sum()
        eps = (x_t - after.sqrt() * x_0) / (1 - after).sqrt()  # the ε of this x_0 and x_t
        ours = reverse_mean(torch.tensor([[x_t]]).double(), t, torch.tensor([[eps]]).double(), KEPT)
        assert ours.item() == pytest.approx(mean.item(), abs=1e-6)
        variance = (q * (grid - mean).square()).sum()
        assert posterior_variance(KEPT)[t - 1].item() == pytest.approx(variance.item(), rel=1e-4)
        textbook = (
            before.sqrt() * (1 - alpha) / (1 - after) * x_0 + alpha.sqrt() * (1 - before) / (1 - after) * x_t
        )
        assert mean.item() == pytest.approx(textbook.item(), abs=1e-6)


def test_each_term_of_the_bound_by_torch_distributions():
    """(23.3) and (23.5): every KL between the two Gaussians, L_0 as a log-density, the prior's KL."""
    x, eps_hat = torch.randn(5, 3, dtype=torch.float64), torch.randn(20, 5, 3, dtype=torch.float64)
    eps = torch.randn(20, 5, 3, dtype=torch.float64)
    variance = posterior_variance(KEPT) * 1.3 + 0.01
    terms = bound_terms((eps - eps_hat).square().sum(-1), x, KEPT, variance)
    assert terms.shape == (21, 5)
    for t in range(1, 21):
        x_t = noised(x, torch.full((5,), t), eps[t - 1], KEPT)
        right, ours = (reverse_mean(x_t, t, each, KEPT) for each in (eps[t - 1], eps_hat[t - 1]))
        p = Normal(ours, variance[t - 1].sqrt())
        if t == 1:
            assert torch.allclose(right, x) and torch.allclose(terms[0], -p.log_prob(x).sum(1))
        else:
            q = Normal(right, posterior_variance(KEPT)[t - 1].sqrt())
            assert torch.allclose(terms[t - 1], kl_divergence(q, p).sum(1))
    q = Normal(KEPT[-1].sqrt() * x, (1 - KEPT[-1]).sqrt())
    prior = Normal(torch.zeros_like(x), torch.ones_like(x))
    assert torch.allclose(terms[-1], kl_divergence(q, prior).sum(1))


def test_the_weight_of_a_step_is_a_difference_of_signal_to_noise_ratios():
    """With σ² = β̃ the squared error in (23.5) has the weight ½ (SNR(t−1)/SNR(t) − 1), SNR = ᾱ/(1 − ᾱ)."""
    weight = mean_factor(KEPT)[1:] ** 2 / (2 * posterior_variance(KEPT)[1:])
    snr = KEPT[1:] / (1 - KEPT[1:])
    assert torch.allclose(weight, 0.5 * (snr[:-1] / snr[1:] - 1))


def test_the_best_variance_is_a_maximum_and_its_terms_are_logarithms_of_ratios():
    x = DATA.sample(500).double()
    errors = noise_errors(perfect(KEPT), x, KEPT)
    best = best_variance(errors, KEPT, 2)
    total = bound_terms(errors, x, KEPT, best).sum(0).mean()
    for factor in (0.9, 1.1):
        for t in (0, 5, 19):
            other = best.clone()
            other[t] *= factor
            assert bound_terms(errors, x, KEPT, other).sum(0).mean() > total
    assert torch.allclose(
        bound_terms(errors, x, KEPT, best).mean(1)[1:-1], (best / posterior_variance(KEPT))[1:].log()
    )


def test_a_perfect_network_comes_as_near_to_the_entropy_as_its_schedule_allows():
    """−ELBO is above the entropy, by .05 nats for T = 100, by more for fewer steps and by less for more of them."""
    gaps = []
    for steps in (25, 100, 400):
        alpha_bar = cosine_schedule(steps)
        x = DATA.sample(20_000).double()
        errors = noise_errors(perfect(alpha_bar), x, alpha_bar)
        variance = best_variance(errors, alpha_bar, 2)
        gaps.append(bound_terms(errors, x, alpha_bar, variance).sum(0).mean().item() - ENTROPY)
    assert gaps[0] > 0.2 and 0.03 < gaps[1] < 0.08 and -0.02 < gaps[2] < 0.03


def test_on_one_gaussian_the_bound_of_a_perfect_network_is_nearly_tight():
    """Each reverse step of one Gaussian is Gaussian: with its variance the ELBO equals log p(x), prior apart."""
    one = type(DATA)(torch.tensor([[0.5, -1.0]]), 0.3)
    x = one.sample(4000).double()
    errors = noise_errors(perfect(KEPT, one), x, KEPT)
    minus_elbo = bound_terms(errors, x, KEPT, best_variance(errors, KEPT, 2)).sum(0)
    assert (minus_elbo + one.log_prob(x)).mean().item() == pytest.approx(0, abs=0.05)


def test_simple_loss_by_hand_and_of_a_network_that_knows_nothing():
    """(23.6), summed over dimensions; a network that returns 0 has a loss of about d."""
    x, t, eps = torch.randn(4, 1, 6, 6), torch.tensor([1, 5, 9, 20]), torch.randn(4, 1, 6, 6)
    seen = []

    def network(x_t, steps):
        seen.append((x_t, steps))
        return 0.5 * x_t

    loss = noise_loss(network, x, t, eps, KEPT)
    for n in range(4):
        x_t = KEPT[t[n]].sqrt() * x[n] + (1 - KEPT[t[n]]).sqrt() * eps[n]
        assert loss[n].item() == pytest.approx((eps[n] - 0.5 * x_t).square().sum().item(), rel=1e-4)
    assert seen[0][1] is t and loss.shape == (4,)
    many = noise_loss(
        lambda x_t, t: 0 * x_t, torch.randn(2000, 5), torch.ones(2000).long(), torch.randn(2000, 5), KEPT
    )
    assert many.mean().item() == pytest.approx(5, rel=0.1)


# Perfect predictions


def test_perfect_predictions_are_posterior_means():
    """By importance sampling from the data, for three x; and (23.10): the score, by autograd."""
    x = torch.tensor([[0.3, 0.2], [1.2, -0.8], [-1.6, 0.4]], dtype=torch.float64)
    a, b = 0.7, 0.6
    x_0 = DATA.sample(400_000).double()
    for n, (clean, eps) in enumerate(zip(*perfect_prediction(DATA.centres, DATA.std, x, a, b), strict=True)):
        weight = Normal(a * x_0, b).log_prob(x[n]).sum(1).softmax(0)
        assert torch.allclose((weight[:, None] * x_0).sum(0), clean, atol=0.02)
        assert torch.allclose(a * clean + b * eps, x[n])
    x.requires_grad_()
    noised_log_prob(DATA.centres, DATA.std, x, 0.5**0.5, 0.5**0.5).sum().backward()
    assert torch.allclose(perfect_noise(DATA.centres, DATA.std, x.detach(), 0.5), -(0.5**0.5) * x.grad)
    at_rest = noised_log_prob(DATA.centres, DATA.std, x.detach(), 1.0, 0.0)
    assert torch.allclose(at_rest, DATA.log_prob(x.detach()))


# Sampling


def test_a_ddim_step_leads_from_one_jump_to_the_other():
    """(23.7): with the true ε the step gives exactly the x_s of the same x_0 and ε."""
    x, eps = torch.randn(5, 2, dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64)
    for t, s in ((20, 19), (20, 3), (7, 0)):
        x_t, x_s = (noised(x, torch.full((5,), each), eps, KEPT) for each in (t, s))
        assert torch.allclose(ddim_step(x_t, eps, KEPT[t], KEPT[s]), x_s)


def test_ddim_of_a_gaussian_is_its_exact_transport():
    """x_0 = m + s (x_T − √ᾱ_T m)/√(ᾱ_T s² + 1 − ᾱ_T), and the error falls with the number of steps."""
    mean, std = torch.tensor([[0.5, -1.0]], dtype=torch.float64), 0.3
    x = torch.randn(50, 2, dtype=torch.float64)
    errors = []
    for steps in (50, 200, 800):
        alpha_bar = cosine_schedule(steps)
        end = alpha_bar[-1]
        exact = mean + std * (x - end.sqrt() * mean) / (end * std**2 + 1 - end).sqrt()
        network = lambda x, t, alpha_bar=alpha_bar: perfect_noise(mean, std, x, alpha_bar[t])  # noqa: E731
        errors.append((ddim(network, x, alpha_bar, steps) - exact).abs().max().item())
    assert errors[2] < errors[1] / 3 < errors[0] / 9 and errors[2] < 0.01


def test_ancestral_samples_of_a_perfect_network_are_the_ring():
    alpha_bar = cosine_schedule(100)
    x = DATA.sample(1000).double()
    variance = best_variance(noise_errors(perfect(alpha_bar), x, alpha_bar), alpha_bar, 2)
    made = ancestral(perfect(alpha_bar), torch.randn(4000, 2, dtype=torch.float64), alpha_bar, variance)
    assert -DATA.log_prob(made).mean().item() == pytest.approx(ENTROPY, abs=0.15)
    angle = torch.atan2(made[:, 1], made[:, 0]) / (math.pi / 4)
    shares = (angle.round() % 8).long().bincount(minlength=8) / 4000
    assert shares.min() > 0.1 and shares.max() < 0.15


def test_paths_end_where_samplers_say():
    x, alpha_bar = torch.randn(6, 2, dtype=torch.float64), cosine_schedule(100)
    path = ddim_path(perfect(alpha_bar), x, alpha_bar, spaced(100, 10))
    assert len(path) == 11 and torch.equal(path[-1], ddim(perfect(alpha_bar), x, alpha_bar, 10))
    assert spaced(100, 4) == [100, 75, 50, 25, 0] and spaced(3, 3) == [3, 2, 1, 0]
    assert len(set(spaced(100, 30))) == 31
    with pytest.raises(ValueError, match="1 to 100"):
        spaced(100, 101)


def test_guidance_by_hand():
    """(23.8): both predictions of a network that returns its label, and w = 0, 1, 3."""

    def network(x, t, labels):
        return x * 0 + labels[:, None]

    x, t, labels = torch.zeros(3, 2), torch.ones(3).long(), torch.tensor([1, 4, 7])
    for weight in (0.0, 1.0, 3.0):
        eps_hat = guided(network, labels, weight)(x, t)
        assert torch.allclose(eps_hat, (10 + weight * (labels - 10.0))[:, None].expand(3, 2))


def test_dropped_labels_are_the_share_that_was_asked_for():
    labels = torch.arange(10).repeat(2000)
    dropped = some_dropped(labels, 0.1)
    gone = dropped == 10
    assert 0.09 < gone.double().mean() < 0.11 and torch.equal(dropped[~gone], labels[~gone])
    assert not (some_dropped(labels, 0.0) == 10).any()


# Flow matching


def test_flow_loss_by_hand_and_its_floor():
    """(23.9): 0 for a velocity that knows ε − x_0, above 0 for the best that sees x_t only."""
    x, eps, t = DATA.sample(5000).double(), torch.randn(5000, 2).double(), torch.rand(5000).double()
    assert flow_loss(lambda x_t, time: eps - x, x, t, eps).max() == 0
    seen = []
    flow_loss(lambda x_t, time: seen.append(x_t) or 0 * x_t, x, t, eps)
    assert torch.allclose(seen[0], (1 - t)[:, None] * x + t[:, None] * eps)
    perfect_loss = flow_loss(
        lambda x_t, t: perfect_velocity(DATA.centres, DATA.std, x_t, t), x, t, eps
    ).mean()
    assert 0.5 < perfect_loss < (eps - x).square().sum(1).mean()


def test_perfect_velocity_moves_a_gaussian_as_it_should():
    """One Gaussian: at time t mean (1 − t) m and variance (1 − t)² s² + t²; Euler's error halves with the step."""
    mean, std = torch.tensor([[0.5, -1.0]], dtype=torch.float64), 0.3
    x = torch.randn(40, 2, dtype=torch.float64)
    exact = mean + std * x
    errors = [
        (flow_path(lambda x, t: perfect_velocity(mean, std, x, t), x, n)[-1] - exact).abs().max().item()
        for n in (100, 200, 400)
    ]
    assert errors[2] < 0.6 * errors[1] < 0.4 * errors[0] and errors[2] < 0.03
    delta = 1e-5  # d/dt of the path's mean and deviation, at one point
    for t in (0.2, 0.7):
        at = lambda s: (1 - s) * mean + ((1 - s) ** 2 * std**2 + s**2) ** 0.5 * x  # noqa: E731
        slope = (at(t + delta) - at(t - delta)) / (2 * delta)
        assert torch.allclose(perfect_velocity(mean, std, at(t), t), slope, atol=1e-6)


def test_a_point_is_reached_in_one_straight_step():
    """If all data are one point, marginal paths are straight: one Euler step is exact. For the ring it is not."""
    x, point = torch.randn(30, 2, dtype=torch.float64), torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    assert torch.allclose(
        flow_path(lambda x, t: perfect_velocity(point, 0.0, x, t), x, 1)[-1], point.expand(30, 2)
    )
    one, many = (
        flow_path(lambda x, t: perfect_velocity(DATA.centres, DATA.std, x, t), x, n)[-1] for n in (1, 100)
    )
    assert one.norm(dim=1).max() < 0.1 and many.norm(dim=1).min() > 1.8  # all at the mean of the data, 0


# Networks and updates


def test_networks_keep_the_shape_and_notice_time_and_label():
    x, t, labels = torch.randn(6, 5), torch.full((6,), 40), torch.arange(6)
    net = CodeNetwork(5, width=16, blocks=1)
    out = net(x, t, labels)
    assert out.shape == x.shape and not torch.allclose(out, net(x, t + 20, labels))
    assert not torch.allclose(out, net(x, t, labels + 1))
    points = PointNetwork(100, width=16)
    assert points(torch.zeros(4, 2), torch.tensor([1, 1, 2, 100])).shape == (4, 2)
    near, far = points(torch.zeros(2, 2), torch.tensor([50, 51]))
    assert not torch.allclose(near, far)
    angles = torch.tensor([[0.25]]) * math.pi * torch.tensor([1.0, 2.0, 4.0])
    assert torch.allclose(
        waves(torch.tensor([[0.25]]), 3), torch.cat([angles.sin(), angles.cos()], 1), atol=1e-6
    )


def test_a_skip_needs_only_the_velocity_of_salimans_and_ho():
    """ε = √(1 − ᾱ) x_t + √ᾱ v with v = √ᾱ ε − √(1 − ᾱ) x_0: a network that returns v predicts the noise exactly."""
    x, eps, t = torch.randn(5, 1, 4, 4), torch.randn(5, 1, 4, 4), torch.tensor([1, 4, 9, 15, 20])
    kept = KEPT[t].float().view(-1, 1, 1, 1)
    velocity = kept.sqrt() * eps - (1 - kept).sqrt() * x
    net = WithSkip(lambda x_t, t: velocity, KEPT)
    assert torch.allclose(net(noised(x, t, eps, KEPT), t), eps, atol=1e-5)


def test_an_update_follows_the_gradient_of_the_mean_loss():
    network = torch.nn.Linear(2, 2)
    net = lambda x, t: network(x)  # noqa: E731
    x = DATA.sample(64)
    before = [p.detach().clone() for p in network.parameters()]
    torch.manual_seed(5)
    t = torch.randint(1, 21, (64,))
    loss = noise_loss(net, x, t, torch.randn_like(x), KEPT).mean() / 2
    gradients = torch.autograd.grad(loss, network.parameters())
    torch.manual_seed(5)
    measured = diffusion_step(net, torch.optim.SGD(network.parameters(), 0.1), x, KEPT)
    assert measured["loss"].item() == pytest.approx(loss.item(), rel=1e-5)
    for now, was, gradient in zip(network.parameters(), before, gradients, strict=True):
        assert torch.allclose(now, was - 0.1 * gradient, atol=1e-6)


def test_both_trainings_lower_their_loss():
    """Short trainings, because a step must lead downhill: 150 updates on the ring."""
    for steps, update in ((100, diffusion_step), (1, flow_step)):
        net = PointNetwork(steps, width=32)
        optimiser = torch.optim.Adam(net.parameters(), 3e-3)
        given = (cosine_schedule(100),) if update is diffusion_step else ()
        losses = [update(net, optimiser, DATA.sample(128), *given)["loss"].item() for _ in range(150)]
        assert sum(losses[-20:]) < 0.8 * sum(losses[:5]) * 4


# The study


def test_the_study_beats_the_prior_and_gives_what_was_asked_for():
    found = study("diffusion")
    chosen = f"w = {found['settings']['chosen w']:g}"
    for prior, asked, plain in zip(
        *(found["runs"][each] for each in ("VAE, prior", chosen, "w = 1")), strict=True
    ):
        assert asked["FID"] < plain["FID"] < prior["FID"] / 3 and asked["recognised"] > 0.97
    assert all(row["FID"] < 32 and row["recognised"] > 0.97 for row in found["runs"]["test, chosen w"])


def test_a_short_run_of_the_study_gives_the_same_rows(one_thread):
    model, labels, noise, rows = diffusion_run(11, for_updates(3), for_updates(3), n=40)
    found = study("diffusion")
    assert found["settings"]["seeds"] == list(SEEDS)
    assert {"VAE, prior", *(f"w = {weight:g}" for weight in WEIGHTS)} <= rows.keys() <= found["runs"].keys()
    assert rows["w = 1"].keys() == judged(model.sample(labels, 1.0, noise), labels, "test").keys()
