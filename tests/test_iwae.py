"""Notebook 14, going deeper: the importance-weighted bounds on the exact model, and the noise of their gradients."""

import itertools
import math
import statistics

import pytest
import torch

from helpers.theory import LinearGaussian, best_diagonal, exact_elbo, log_mean_exp
from helpers.vae import bound_gradients, dreg_gradients, iwae_bound, log_weights, signal_to_noise


@pytest.fixture
def setting():
    """A model in float64, observations, and a q that is shifted and too wide."""
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(5, 2, generator=generator, dtype=torch.float64)
    model = LinearGaussian(weight, torch.randn(5, generator=generator, dtype=torch.float64), 0.7)
    x, _ = model.sample(4000, generator)
    mean, log_var = best_diagonal(model, x)
    return model, x, mean + (log_var / 2).exp(), log_var + 2 * math.log(1.5)


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def ratio(values):
    """The mean in standard errors."""
    return (values.mean() / (values.std() / len(values) ** 0.5)).item()


def test_one_draw_is_the_elbo_and_many_come_to_the_evidence(setting):
    """(14.8): L_1 is the exact ELBO within noise, and with 20,000 draws the logarithm of the mean is log p(x)."""
    model, x, mu, log_var = setting
    one = iwae_bound(log_weights(model, x, mu, log_var, noise(20, 4000, 2)), 1)
    assert abs(ratio(one - exact_elbo(model, x, mu, log_var))) < 4
    some = slice(0, 20)
    log_w = log_weights(model, x[some], mu[some], log_var[some], noise(20_000, 20, 2))
    assert (iwae_bound(log_w, 20_000) - model.log_evidence(x[some])).abs().max() < 0.1
    by_hand = [log_w[:, 3].view(4, 5000)[:, j].exp().mean().log() for j in range(5000)]
    assert torch.allclose(iwae_bound(log_w, 4)[3], torch.stack(by_hand).mean())


def test_a_mean_is_the_mean_of_the_means_of_its_groups():
    """(14.9), over every subset of size m of K = 6 numbers."""
    w = noise(6, seed=1).exp()
    for m in range(1, 7):
        means = torch.stack([w[list(group)].mean() for group in itertools.combinations(range(6), m)])
        assert torch.allclose(means.mean(), w.mean())
        assert means.log().mean() <= w.mean().log() + 1e-12


def test_more_draws_tighten_the_bound_and_never_pass_the_evidence(setting):
    """(14.10): L_1 ≤ L_5 ≤ L_50 ≤ log p(x), each paired difference by at least 4 standard errors."""
    model, x, mu, log_var = setting
    log_w = log_weights(model, x, mu, log_var, noise(50, 4000, 2))
    rungs = [iwae_bound(log_w, k) for k in (1, 5, 50)]
    assert (rungs[1] >= rungs[0] - 1e-12).all() and (rungs[2] >= rungs[1] - 1e-12).all()
    rungs.append(model.log_evidence(x))
    for lower, upper in itertools.pairwise(rungs):
        assert ratio(upper - lower) >= 4


def test_a_better_guess_leaves_less_to_gain(setting):
    model, x, mu, log_var = setting
    best = best_diagonal(model, x)
    eps = noise(50, 4000, 2)
    gains = []
    for guess in ((mu, log_var), best):
        log_w = log_weights(model, x, *guess, eps)
        gains.append((iwae_bound(log_w, 50) - iwae_bound(log_w, 1)).mean())
    assert gains[1] < 0.2 * gains[0]


def test_groups_must_divide_the_draws():
    with pytest.raises(RuntimeError):
        iwae_bound(torch.zeros(10, 3), 4)


def test_the_gradient_is_a_weighted_mean_of_gradients(setting):
    """(14.11): autograd of log mean w against the normalised weights times ∇ log w, and finite differences."""
    model, x, mu, log_var = (part[:1] if isinstance(part, torch.Tensor) else part for part in setting)
    eps = noise(7, 3, 2)
    in_q, in_bias = bound_gradients(model, x, mu, log_var, eps)
    for n in range(3):
        mus = mu.clone().requires_grad_()
        log_w = log_weights(model, x, mus, log_var, eps[:, n : n + 1])[:, 0]
        slopes = torch.stack([torch.autograd.grad(each, mus, retain_graph=True)[0][0] for each in log_w])
        shares = log_w.detach().softmax(0)
        assert torch.allclose((shares[:, None] * slopes).sum(0), in_q[n, :2])
    h = 1e-6
    for j, column in enumerate(in_q.T):
        moved = [torch.cat([mu, log_var], 1) + s * h * torch.eye(4, dtype=torch.float64)[j] for s in (1, -1)]
        above, below = (log_mean_exp(log_weights(model, x, *each.chunk(2, 1), eps)) for each in moved)
        assert torch.allclose(column, (above - below) / (2 * h), atol=1e-6)
    for j, column in enumerate(in_bias.T):
        values = []
        for s in (1, -1):
            moved = model.bias + s * h * torch.eye(5, dtype=torch.float64)[j]
            other = LinearGaussian(model.weight, moved, model.std)
            values.append(log_mean_exp(log_weights(other, x, mu, log_var, eps)))
        assert torch.allclose(column, (values[0] - values[1]) / (2 * h), atol=1e-6)


def test_the_encoders_signal_sinks_into_the_noise_and_the_decoders_rises(setting):
    """(14.12): from K = 4 to K = 64, four times the root of 16 in theory, down for μ and up for the bias."""
    model, x, mu, log_var = (part[:1] if isinstance(part, torch.Tensor) else part for part in setting)
    signals = {}
    for k in (4, 64):
        in_q, in_bias = bound_gradients(model, x, mu, log_var, noise(k, 8000, 2, seed=k))
        signals[k] = signal_to_noise(in_q[:, :2]).mean(), signal_to_noise(in_bias).max()
    assert signals[64][0] < 0.6 * signals[4][0]
    assert signals[64][1] > 2 * signals[4][1]


def test_signal_to_noise_of_known_numbers():
    gradients = 3 + 2 * noise(100_000, 1)
    assert abs(signal_to_noise(gradients).item() - 1.5) < 0.02
    assert signal_to_noise(-gradients) > 0
    few = torch.tensor([[1.0, 2.0], [3.0, -2.0], [5.0, -3.0]])
    by_hand = [abs(statistics.mean(each)) / statistics.stdev(each) for each in few.T.tolist()]
    assert signal_to_noise(few).tolist() == pytest.approx(by_hand)


def test_the_second_form_of_the_gradient_has_the_same_mean_and_a_signal_that_rises(setting):
    """(14.13)"""
    model, x, mu, log_var = (part[:1] if isinstance(part, torch.Tensor) else part for part in setting)
    rows = {}
    for k in (4, 64):
        eps = noise(k, 20_000, 2, seed=k)
        plain, doubly = (
            bound_gradients(model, x, mu, log_var, eps)[0],
            dreg_gradients(model, x, mu, log_var, eps),
        )
        difference = plain - doubly
        error = difference.std(0) / len(difference) ** 0.5
        assert (difference.mean(0).abs() < 4 * error).all()
        rows[k] = signal_to_noise(plain), signal_to_noise(doubly)
    assert (rows[64][1] > 5 * rows[64][0]).all()
    assert (rows[64][1][:2] > 1.5 * rows[4][1][:2]).all()
