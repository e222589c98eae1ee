"""Gradients of an expectation whose own distribution is trained: by the score function, by the path, by relaxation."""

import torch
from torch import Tensor
from torch.distributions import Normal
from torch.nn.functional import one_hot


def copies(mu: Tensor, log_var: Tensor, eps: Tensor) -> tuple[Tensor, Tensor]:
    """μ and log σ² (d,), once for each row of ε (K, d), as leaves: so the K gradients are seen one by one."""
    return tuple(part.detach().expand_as(eps).clone().requires_grad_() for part in (mu, log_var))


def score_gradient(mu: Tensor, log_var: Tensor, f, eps: Tensor, baseline=0.0) -> Tensor:
    """(f(z) − b) ∇ log q(z) with z = μ + σ·ε, unbiased for ∇ E_q[f(z)] where b does not depend on the same ε.

    μ and log σ² (d,), f from (K, d) to (K,), ε (K, d), `baseline` a number or (K,); to (K, 2d), one gradient a draw:
    first in μ, then in log σ². f need not be smooth. Source: Williams (1992), theorem 1.
    """
    mus, log_vars = copies(mu, log_var, eps)
    with torch.no_grad():
        z = mus + (log_vars / 2).exp() * eps  # drawn, and then held still
        weight = f(z) - baseline
    log_q = Normal(mus, (log_vars / 2).exp()).log_prob(z).sum(1)
    return torch.cat(torch.autograd.grad((weight * log_q).sum(), (mus, log_vars)), 1)


def pathwise_gradient(mu: Tensor, log_var: Tensor, f, eps: Tensor) -> Tensor:
    """∇ f(μ + σ·ε), unbiased for ∇ E_q[f(z)] where f is smooth, by the chain rule along z.

    Shapes as in `score_gradient`. Source: Kingma and Welling (2014), section 2.4.
    """
    mus, log_vars = copies(mu, log_var, eps)
    z = mus + (log_vars / 2).exp() * eps  # a function of μ and σ
    return torch.cat(torch.autograd.grad(f(z).sum(), (mus, log_vars)), 1)


def leave_one_out(values: Tensor) -> Tensor:
    """For each of K samples the mean value of the K − 1 others, (K,) to (K,). Source: Kool et al. (2019)."""
    return (values.sum() - values) / (len(values) - 1)


def best_coefficient(estimate: Tensor, control: Tensor) -> Tensor:
    """Cov(g, h)/Var(h) for each column of g and h, (K, n), (K, n) to (n,): the c for which g − c·h varies least.

    Source: Glasserman (2003), section 4.1.
    """
    centred = control - control.mean(0)
    return (estimate * centred).mean(0) / centred.square().mean(0)


def gumbel(shape, generator: torch.Generator | None = None) -> Tensor:
    """Standard Gumbel noise −log(−log u), u uniform. Source: Maddison, Mnih, Teh (2017)."""
    return -torch.log(torch.empty(shape).exponential_(generator=generator))  # −log u is exponential


def gumbel_softmax(logits: Tensor, tau: float, noise: Tensor, hard: bool = False) -> Tensor:
    """softmax((logits + G)/τ), (…, n) to (…, n); `hard`: its largest entry made 1, with the gradient of the soft one.

    Source: Jang, Gu, Poole (2017), eq. 2 and section 2.2.
    """
    soft = ((logits + noise) / tau).softmax(-1)
    if not hard:
        return soft
    choice = one_hot(soft.argmax(-1), soft.shape[-1])
    return choice - soft.detach() + soft


def gradient_check(loss, parameters: list[Tensor], seed: int = 0, h: float = 1e-4) -> tuple[Tensor, Tensor]:
    """The gradient of `loss()` by autograd, and by moving each number of `parameters` by ±h with the same noise.

    Returns two vectors, all parameters flattened. They agree where every way from a parameter to the loss is open;
    an estimator by the score function disagrees, as it should. Use float64: in float32, rounding is as large as what
    is looked for. The global random state is left as it was.
    """

    def value():
        torch.manual_seed(seed)
        return loss()

    slopes = []
    with torch.random.fork_rng(devices=[]):
        by_autograd = torch.autograd.grad(value(), parameters, materialize_grads=True)
        for numbers in (part.detach().view(-1) for part in parameters):  # in place, on the same memory
            for i in range(len(numbers)):
                old = numbers[i].item()
                try:
                    numbers[i] = old + h
                    above = value().item()
                    numbers[i] = old - h
                    below = value().item()
                finally:
                    numbers[i] = old
                slopes.append((above - below) / (2 * h))
    return torch.cat([part.flatten() for part in by_autograd]), by_autograd[0].new_tensor(slopes)
