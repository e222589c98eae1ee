"""The importance-weighted bound as a function of log weights, and how noisy its gradients are."""

import torch
from torch import Tensor
from torch.distributions import Normal

from helpers.theory import LinearGaussian, log_mean_exp


def log_weights(model, x: Tensor, mu: Tensor, log_var: Tensor, eps: Tensor) -> Tensor:
    """log wₖ = log p(x|zₖ) + log p(zₖ) − log q(zₖ|x) with zₖ = μ + σ·εₖ, for ε (K, B, d) to (K, B), in nats.

    `model` has `log_likelihood(x, z)` and `log_prior(z)`; x (B, D), μ and log σ² (B, d). Source: Burda, Grosse,
    Salakhutdinov (2016), eq. 8.
    """
    std = (log_var / 2).exp()
    z = mu + std * eps
    return model.log_likelihood(x, z) + model.log_prior(z) - Normal(mu, std).log_prob(z).sum(-1)


def iwae_bound(log_w: Tensor, size: int) -> Tensor:
    """The mean of log (1/size) Σ w over groups of `size` draws, log weights (n, B) to (B,), in nats.

    With size 1 it is the ELBO's estimate, with size n the tightest. From the same draws it cannot fall as the size
    grows to a multiple of itself. Raises RuntimeError where the size does not divide n. Source: Burda, Grosse,
    Salakhutdinov (2016), theorem 1.
    """
    groups = log_w.unflatten(0, (size, -1))  # (size, n/size, B)
    return log_mean_exp(groups).mean(dim=0)


def copied(part: Tensor, n: int) -> Tensor:
    """One row (1, d) or vector (d,), `n` times as leaves (n, d), so that n gradients are seen one by one."""
    return part.detach().expand(n, -1).clone().requires_grad_()


def bound_gradients(
    model: LinearGaussian, x: Tensor, mu: Tensor, log_var: Tensor, eps: Tensor
) -> tuple[Tensor, Tensor]:
    """N gradients of log (1/K) Σ w for one x: in μ and log σ², (N, 2d), and in the decoder's bias, (N, D).

    x (1, D), μ and log σ² (1, d), ε (K, N, d).
    """
    mus, log_vars, bias = (copied(part, eps.shape[1]) for part in (mu, log_var, model.bias))
    twin = LinearGaussian(model.weight, bias, model.std)
    bound = log_mean_exp(log_weights(twin, x, mus, log_vars, eps)).sum()
    in_mu, in_log_var, in_bias = torch.autograd.grad(bound, (mus, log_vars, bias))
    return torch.cat([in_mu, in_log_var], 1), in_bias


def dreg_gradients(model: LinearGaussian, x: Tensor, mu: Tensor, log_var: Tensor, eps: Tensor) -> Tensor:
    """N gradients Σₖ w̃ₖ² (∂ log wₖ/∂zₖ)(∂zₖ/∂φ) in φ = (μ, log σ²), (N, 2d): the same mean, less noise.

    w̃ are the weights divided by their sum. Shapes as in `bound_gradients`. Source: Tucker et al. (2019), section 4.
    """
    mus, log_vars = (copied(part, eps.shape[1]) for part in (mu, log_var))
    z = mus + (log_vars / 2).exp() * eps
    log_q = Normal(mu, (log_var / 2).exp()).log_prob(z).sum(-1)  # its own μ and σ are held still
    log_w = model.log_likelihood(x, z) + model.log_prior(z) - log_q
    share = log_w.softmax(dim=0).detach()
    return torch.cat(torch.autograd.grad((share.square() * log_w).sum(), (mus, log_vars)), 1)


def signal_to_noise(gradients: Tensor) -> Tensor:
    """|mean|/standard deviation of each column of N gradients, (N, n) to (n,); below 1/√N it says nothing.

    Source: Rainforth et al. (2018), section 3.
    """
    return gradients.mean(0).abs() / gradients.std(0)
