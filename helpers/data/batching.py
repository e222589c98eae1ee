"""Endless batches over tensors that are already in memory."""

import torch
from torch import Tensor


class Batches:
    """Endless random batches: each pass over the data is a fresh permutation of its indices.

    A pass gives ⌊N / size⌋ batches of exactly `size` rows; the few rows left over sit that pass out.
    The random generator belongs to the caller. `state_dict` holds the position in the current pass and the
    generator's state, so that a run resumed from a checkpoint sees the same batches as an unbroken one.
    """

    def __init__(self, data: Tensor | tuple[Tensor, ...], size: int, generator: torch.Generator):
        if not all(
            isinstance(each, Tensor) and each.ndim for each in (data if isinstance(data, tuple) else (data,))
        ):
            raise ValueError(
                f"Batches are made from a tensor or a tuple of tensors, this is a {type(data).__name__}: "
                "put several into a tuple, batches((x, y), size, generator)."
            )
        if not isinstance(generator, torch.Generator):
            raise ValueError(
                f"The order of the batches needs a torch.Generator, this is a {type(generator).__name__}: "
                "give torch.Generator().manual_seed(0), or what seed_everything(0) returns."
            )
        self.tensors = data if isinstance(data, tuple) else (data,)
        self.single = not isinstance(data, tuple)
        lengths = {len(t) for t in self.tensors}
        if len(lengths) != 1:
            raise ValueError(
                f"The tensors have different numbers of rows, {sorted(lengths)}: give one row of each per example."
            )
        self.rows = lengths.pop()
        if self.rows == 0:
            raise ValueError("The data set is empty: give at least one example to make batches from.")
        if isinstance(size, float) or not 1 <= size <= self.rows:
            raise ValueError(
                f"A batch of {size} cannot be drawn from {self.rows} examples: use 1 to {self.rows}."
            )
        self.size, self.generator = size, generator
        self.order, self.position = torch.empty(0, dtype=torch.long), 0

    def __iter__(self) -> "Batches":
        return self

    def __next__(self) -> Tensor | tuple[Tensor, ...]:
        if self.position + self.size > len(self.order):
            self.order, self.position = torch.randperm(self.rows, generator=self.generator), 0
        rows = self.order[self.position : self.position + self.size]
        self.position += self.size
        picked = tuple(t[rows] for t in self.tensors)
        return picked[0] if self.single else picked

    def state_dict(self) -> dict:
        """The position in the current pass, its order, and the generator's state."""
        return {
            "order": self.order.clone(),
            "position": self.position,
            "generator": self.generator.get_state(),
            "rows": self.rows,
            "size": self.size,
        }

    def load_state_dict(self, state: dict) -> None:
        """Go on from where `state` was taken; raises ValueError if it was taken over a data set of another length
        or in batches of another size."""
        if state["rows"] != self.rows:
            raise ValueError(
                f"The saved batches ran over {state['rows']} examples, these over {self.rows}: "
                "load the same data first."
            )
        if state.get("size", self.size) != self.size:
            raise ValueError(
                f"The saved batches were batches of {state['size']}, these of {self.size}: "
                "make them of the same size, or begin a new run."
            )
        self.order, self.position = state["order"].clone(), state["position"]
        self.generator.set_state(state["generator"])


def batches(data: Tensor | tuple[Tensor, ...], size: int, generator: torch.Generator) -> Batches:
    """Endless random batches of `size` rows from one tensor, or from several that share their rows.

    `data`: (N, ...) or a tuple of such; yields (size, ...) or a tuple of such. Raises ValueError on empty data,
    on unequal lengths, and on a batch larger than the data.
    """
    return Batches(data, size, generator)
