"""What tests of several rooms share, and how the whole suite is spread over the cores of a machine."""

import os

import psutil
import pytest
import torch

from helpers.training import granted_cpus

MEMORY_OF_A_WORKER = 3 * 2**30  # bytes: a browser with its kernel, or a lesson that is being graded
# A file is the work of one worker, so those that take minutes come first and the short ones fill the gaps.
LONGEST_FIRST = ("test_lab", "test_lesson_15", "test_lessons", "test_lesson_13", "05_", "06_")


def pytest_xdist_auto_num_workers() -> int:
    """A worker for each CPU that this process may use, as far as the memory goes."""
    return max(1, min(granted_cpus(), psutil.virtual_memory().total // MEMORY_OF_A_WORKER))


def pytest_configure(config: pytest.Config) -> None:
    """Give each worker its share of the cores: threads that wait for each other would slow all of them."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        share = max(1, granted_cpus() // workers)
        os.environ["CPU_LIMIT"] = os.environ["OMP_NUM_THREADS"] = str(
            share
        )  # for kernels and other processes
        torch.set_num_threads(share)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first; within a file nothing changes its place."""

    def place(item: pytest.Item) -> int:
        return next((n for n, name in enumerate(LONGEST_FIRST) if item.path.name.startswith(name)), 99)

    items.sort(key=place)


@pytest.fixture
def one_thread():
    """PyTorch on one thread from seed 0, and the threads as they were afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)
