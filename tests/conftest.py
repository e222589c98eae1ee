"""What tests of several rooms share, and how the whole suite is spread over the cores of a machine."""

import os
from collections import defaultdict

import nbformat
import psutil
import pytest
import torch
from nbval.plugin import IPyNbCell
from notebook_claims import cell_for, claims_of

from helpers.training import granted_cpus

MEMORY_OF_A_WORKER = 3 * 2**30  # bytes: a browser with its kernel, or a lesson that is being graded
# A file is the work of one worker, so those that take minutes come first and the short ones fill the gaps.
LONGEST_FIRST = ("test_lab", "test_helpers_as_answers", "test_lessons", "test_lesson_15", "test_lesson_13")


def pytest_xdist_auto_num_workers() -> int:
    """A worker for each CPU that this process may use, as far as the memory goes."""
    return max(1, min(granted_cpus(), psutil.virtual_memory().total // MEMORY_OF_A_WORKER))


def pytest_configure() -> None:
    """Give each worker its share of the cores: threads that wait for each other would slow all of them."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        share = max(1, granted_cpus() // workers)
        torch.set_num_threads(share)
        # And for the kernels and other processes that a test starts:
        os.environ["CPU_LIMIT"] = os.environ["OMP_NUM_THREADS"] = str(share)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Claims behind the last cell of their notebook; the long files first, and within a file all keep their places."""
    last_cells = {item.parent: item for item in items if isinstance(item, IPyNbCell)}
    for notebook, last in last_cells.items():
        if file := claims_of(notebook.path.name):
            cell = nbformat.v4.new_code_cell(cell_for(file))
            kind = {"cell_num": last.cell_num + 1, "cell": cell, "options": defaultdict(bool)}
            claims = IPyNbCell.from_parent(notebook, name=f"claims/{file.name}", **kind)
            items.insert(items.index(last) + 1, claims)

    def place(item: pytest.Item) -> int:
        name = item.path.name
        last = len(LONGEST_FIRST) + (item.path.suffix != ".ipynb")  # a notebook takes longer than most tests
        return next((n for n, start in enumerate(LONGEST_FIRST) if name.startswith(start)), last)

    items.sort(key=place)


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
