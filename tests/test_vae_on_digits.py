"""The equations of notebook 12 that helpers does not hold: the two gaps, the collapsed state, grey pixels."""

import numpy as np
import torch
from torch.distributions import ContinuousBernoulli

from helpers.theory import LinearGaussian, best_diagonal, exact_elbo, kl_to_posterior
from helpers.vae import bernoulli_log_likelihood


def test_the_gap_is_an_amortisation_gap_and_an_approximation_gap(double):
    """(12.7): on the linear-Gaussian model, where the best diagonal q and log p(x) are exact."""
    torch.manual_seed(0)
    model = LinearGaussian(torch.randn(5, 2), torch.randn(5), std=0.7)
    x, _ = model.sample(50)
    mu, log_var = torch.randn(50, 2), torch.randn(50, 2)
    best = best_diagonal(model, x)
    amortisation = exact_elbo(model, x, *best) - exact_elbo(model, x, mu, log_var)
    approximation = model.log_evidence(x) - exact_elbo(model, x, *best)
    assert amortisation.min() > 0 and approximation.min() > 0
    assert torch.allclose(amortisation + approximation, kl_to_posterior(model, x, mu, log_var))


class FourPixels:
    """All 16 black-and-white images of four pixels, each with its probability, and codes of one dimension."""

    images = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * 4)
    nodes, weights = (torch.tensor(each) for each in np.polynomial.hermite_e.hermegauss(60))

    def __init__(self, seed):
        torch.manual_seed(seed)
        self.shares = torch.softmax(2 * torch.randn(16, dtype=torch.float64), 0)
        self.pi = self.shares @ self.images
        centred = self.images - self.pi
        self.C = centred.T @ (self.shares[:, None] * centred)
        self.V = torch.diag(self.pi * (1 - self.pi))

    def objective(self, w, mu, sigma, beta):
        """E[log p(x|z)] − β KL with the logits b + w z, exact: a sum over images, quadrature over z."""
        z = mu[:, None] + sigma * self.nodes  # (16, nodes)
        logits = self.pi.logit() + z[..., None] * w
        x = self.images[:, None].expand_as(logits)
        per_node = bernoulli_log_likelihood(x.reshape(-1, 4), logits.reshape(-1, 4)).view(16, -1)
        reconstruction = per_node @ (self.weights / self.weights.sum())
        kl = 0.5 * (mu**2 + sigma**2 - 1) - sigma.log()
        return (self.shares * (reconstruction - beta * kl)).sum()

    def change(self, w, mu, beta, sigma=1.0):
        """From the collapsed state, w = 0 and μ = 0, to this one."""
        sigma, zero = torch.tensor(sigma, dtype=torch.float64), torch.zeros(16, dtype=torch.float64)
        one = torch.ones((), dtype=torch.float64)
        return self.objective(w, mu, sigma, beta) - self.objective(0 * w, zero, one, beta)

    def threshold(self):
        root = self.V.diagonal().sqrt()
        return torch.linalg.eigh(self.C / root / root[:, None])


def test_the_change_around_the_collapsed_state_to_second_order():
    """(12.8), (12.9): against the objective itself, for any μ and for the best one."""
    pixels, small, beta = FourPixels(0), 1e-3, 1.7
    assert torch.allclose(pixels.C.diagonal(), pixels.V.diagonal())  # of binarised pixels
    w = small * torch.randn(4, dtype=torch.float64)
    centred = pixels.images - pixels.pi
    for mu in (small * torch.randn(16, dtype=torch.float64), centred @ w / beta):
        by_hand = (pixels.shares * (centred @ w) * mu).sum() - 0.5 * w @ pixels.V @ w
        by_hand = by_hand - 0.5 * beta * (pixels.shares * mu**2).sum()
        assert abs(pixels.change(w, mu, beta) / by_hand - 1) < 0.01
    assert torch.allclose(by_hand, 0.5 * w @ (pixels.C / beta - pixels.V) @ w)


def test_the_collapsed_state_is_stable_from_the_largest_eigenvalue_on():
    """(12.9): the best small step raises the objective just below the threshold, and no step does just above it."""
    for seed in range(3):
        pixels = FourPixels(seed)
        values, vectors = pixels.threshold()
        root, centred = pixels.V.diagonal().sqrt(), pixels.images - pixels.pi
        for beta, rises in ((0.95 * values[-1], True), (1.05 * values[-1], False)):
            steps = [vectors[:, -1], *torch.randn(20, 4, dtype=torch.float64)]
            found = [
                pixels.change(w, centred @ w / beta, beta) for w in (1e-2 * step / root for step in steps)
            ]
            assert (max(found) > 0) == rises


def test_the_continuous_bernoulli_is_the_bernoulli_and_log_c():
    """(12.10): against PyTorch, and its density against quadrature."""
    torch.manual_seed(0)
    x, a = torch.rand(5, 30, dtype=torch.float64), 3 * torch.randn(5, 30, dtype=torch.float64)
    log_c = (a / (a / 2).tanh()).log()
    by_hand = bernoulli_log_likelihood(x, a) + log_c.sum(1)
    assert torch.allclose(by_hand, ContinuousBernoulli(logits=a).log_prob(x).sum(1))
    assert torch.allclose((1 + a.exp()) / ((a.exp() - 1) / a), log_c.exp())
    grid = torch.linspace(0, 1, 2001, dtype=torch.float64)[:, None]
    for logit in (-5.0, -1.0, 2.0):
        logits = torch.full_like(grid, logit)
        density = (bernoulli_log_likelihood(grid, logits) + (logits / (logits / 2).tanh()).log()[:, 0]).exp()
        assert abs(torch.trapezoid(density, grid[:, 0]) - 1) < 1e-5
    tiny = torch.tensor(1e-6, dtype=torch.float64)
    assert abs(tiny / (tiny / 2).tanh() - 2) < 1e-9


def test_wider_than_the_prior_or_narrower_is_no_way_out():
    """To second order the variance stays that of the prior: another σ only costs."""
    pixels = FourPixels(1)
    w = 1e-2 * torch.randn(4, dtype=torch.float64)
    mu = (pixels.images - pixels.pi) @ w / 1.5
    best = pixels.change(w, mu, 1.5)
    assert all(pixels.change(w, mu, 1.5, sigma) < best for sigma in (0.98, 1.02))
