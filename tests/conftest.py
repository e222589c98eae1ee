"""What tests of several rooms share."""

import pytest
import torch


@pytest.fixture
def one_thread():
    """PyTorch on one thread from seed 0, and the threads as they were afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def double():
    """Float64 wherever no dtype is given, from seed 0."""
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def one_step_down(double):
    """A check that `step(optimiser)` is one step of plain descent along the gradient of `loss`, in float64.

    What was left in the gradients before the step must not matter. Gives back what the step returns.
    """

    def check(network, loss, step):
        weights, before = list(network.parameters()), [p.detach().clone() for p in network.parameters()]
        by_hand = torch.autograd.grad(loss, weights, allow_unused=True, materialize_grads=True)
        for p in weights:
            p.grad = torch.full_like(p, 7.0)
        measured = step(torch.optim.SGD(weights, lr=1.0))
        assert any(gradient.any() for gradient in by_hand)
        for (name, p), old, gradient in zip(network.named_parameters(), before, by_hand, strict=True):
            close = torch.allclose(old - p.detach(), gradient, rtol=1e-6, atol=1e-12)
            assert close, f"{name} did not go down the gradient"
        return measured

    return check
