"""Restoration with a Gaussian model, against the precision form, the linear-Gaussian model, and many samples."""

import pytest
import torch

from helpers.theory import LinearGaussian, gaussian_samples, restore, shrinking

DRAW = {"dtype": torch.float64}


@pytest.fixture
def model():
    """Mean (6,), covariance (6, 6), view (3, 6), standard deviation of the noise."""
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(6, 6, generator=generator, **DRAW)
    mean, view = torch.randn(6, generator=generator, **DRAW), torch.randn(3, 6, generator=generator, **DRAW)
    return mean, root @ root.T + 0.1 * torch.eye(6, **DRAW), view, 0.7


def test_the_posterior_against_its_precision(model):
    """(21.8): the covariance is (C⁻¹ + AᵀA/s²)⁻¹, the mean solves the normal equations."""
    mean, cov, view, std = model
    y = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), **DRAW)
    found, posterior = restore(mean, cov, view, std, y)
    precision = torch.linalg.inv(cov) + view.T @ view / std**2
    assert torch.allclose(posterior, torch.linalg.inv(precision))
    pulled = torch.linalg.inv(cov) @ mean + y @ view / std**2
    assert torch.allclose(found, torch.linalg.solve(precision, pulled.T).T)


def test_the_posterior_against_the_linear_gaussian_model():
    """(21.8) with m = 0 and C = I is the posterior of probabilistic PCA."""
    generator = torch.Generator().manual_seed(2)
    weight = torch.randn(5, 3, generator=generator, **DRAW)
    x = torch.randn(4, 5, generator=generator, **DRAW)
    theirs = LinearGaussian(weight, torch.zeros(5, **DRAW), 0.4).posterior(x)
    ours = restore(torch.zeros(3, **DRAW), torch.eye(3, **DRAW), weight, 0.4, x)
    assert all(torch.allclose(a, b) for a, b in zip(ours, theirs, strict=True))


def test_a_posterior_sample_has_twice_the_least_error(model):
    """(21.9), within 2 %: originals from the model, their views, the mean and one sample of each posterior."""
    mean, cov, view, std = model
    generator = torch.Generator().manual_seed(3)
    x = gaussian_samples(mean.expand(40_000, -1), cov, generator)
    y = x @ view.T + std * torch.randn(len(x), 3, generator=generator, **DRAW)
    best, posterior = restore(mean, cov, view, std, y)
    sample = gaussian_samples(best, posterior, generator)
    error, of_sample = ((each - x).square().sum(1).mean().item() for each in (best, sample))
    assert error == pytest.approx(posterior.trace().item(), rel=0.02)
    assert of_sample / error == pytest.approx(2, rel=0.02)
    assert torch.allclose(torch.cov(sample.T), cov, atol=0.05 * cov.diagonal().max().item())


def test_shrinking_averages_squares():
    image = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(4), **DRAW)
    small = (image.flatten(1) @ shrinking(8, 4).T).view(2, 2, 2)
    assert small[1, 0, 1].item() == pytest.approx(image[1, 0, :4, 4:].mean().item())
    with pytest.raises(ValueError, match="divide"):
        shrinking(8, 3)
