"""Probabilistic PCA: the linear-Gaussian model of largest likelihood, in closed form."""

import torch
from torch import Tensor

from helpers.theory.linear_gaussian import LinearGaussian


def fit_ppca(x: Tensor, d: int, std: float | None = None) -> LinearGaussian:
    """The model with `d` latent numbers that makes the rows of x (N, D) most likely, for a given noise or for the best.

    W = U (Λ − s² I)^½ with the d largest eigenvalues λⱼ of the covariance (divided by N) and their vectors; a λⱼ ≤ s²
    leaves a column of zeros. The best s² is the mean of the other eigenvalues, so d < D. Source: Tipping and Bishop
    (1999), eq. 7 and 8.
    """
    mean = x.mean(dim=0)
    values, vectors = torch.linalg.eigh((x - mean).T @ (x - mean) / len(x))
    values, vectors = values.flip(0), vectors.flip(1)  # the largest first
    std = values[d:].mean().sqrt().item() if std is None else std
    lengths = (values[:d] - std**2).clamp(min=0).sqrt()
    return LinearGaussian(vectors[:, :d] * lengths, mean, std)
