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
