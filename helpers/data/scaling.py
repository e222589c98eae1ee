"""Records to numbers of a size that networks like, and back, with the Jacobian that keeps their nats comparable."""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from helpers.data.patients import Column, expect_records


@dataclass(frozen=True, eq=False)  # tensors have no one answer to ==
class Scaling:
    """t = (x − mean)/std, or (log x − mean)/std, for continuous columns; counts and categories stay as they are.

    `logged`, `mean` and `std` have one entry a column, (D,): False, 0 and 1 where nothing is done. Fit it to the
    training records alone: a scaling that has seen the test records has told the model about them.
    """

    columns: tuple[Column, ...]
    logged: Tensor
    mean: Tensor
    std: Tensor

    @classmethod
    def fit(cls, records: Tensor, columns: tuple[Column, ...]) -> "Scaling":
        """The scaling of training records (N, D); the log is taken of a positive column that it makes less skewed.

        Raises ValueError for another number of columns, for NaN, and for a continuous column that is constant.
        """
        records = expect_records(records, columns).double()
        continuous = torch.tensor([column.kind == "continuous" for column in columns])
        positive = continuous & (records > 0).all(0)
        logs = records.where(positive, 1.0).log()
        logged = positive & (_skewness(logs).abs() < _skewness(records).abs())
        values = logs.where(logged, records)
        mean, std = values.mean(0).where(continuous, 0.0), values.std(0).where(continuous, 1.0)
        if not (std > 0).all():
            constant = columns[int((std > 0).int().argmin())].name
            raise ValueError(
                f"The column {constant} has one value only: leave it out, there is nothing to learn."
            )
        return cls(columns, logged, mean, std)

    @cached_property
    def low(self) -> Tensor:
        """The least value that each column can have, (D,)."""
        least = torch.tensor(
            [-math.inf if column.kind == "continuous" else 0.0 for column in self.columns]
        ).double()
        return least.where(~self.logged, torch.finfo(torch.float64).tiny)

    @cached_property
    def high(self) -> Tensor:
        """The largest value that each column can have, (D,)."""
        return torch.tensor(
            [len(column.categories) - 1 if column.categories else math.inf for column in self.columns]
        )

    def standardise(self, records: Tensor) -> Tensor:
        """x to t, (B, D) to (B, D) in float64.

        Raises ValueError for another number of columns, for NaN, and for a value that its column cannot have.
        """
        records = expect_records(records, self.columns).double()
        wrong = ((records < self.low) | (records > self.high)).any(0)
        if wrong.any():
            name = self.columns[int(wrong.int().argmax())].name
            raise ValueError(
                f"The column {name} holds values outside what it can have, such as a category that has no name or a "
                "number of 0 or less whose logarithm is taken: look where these records were made."
            )
        return (
            torch.where(self.logged, records.where(self.logged, 1.0).log(), records) - self.mean
        ) / self.std

    def restore(self, t: Tensor) -> Tensor:
        """t to x, the inverse of `standardise`."""
        values = t.double() * self.std + self.mean
        return torch.where(self.logged, values.exp(), values)

    def log_slope(self, records: Tensor) -> Tensor:
        """log |∂t/∂x| summed over the continuous columns, (B, D) to (B,): log p(x) = log p(t) + this.

        It is −log std for a column, and −log std − log x where the log is taken.
        """
        return -(self.std.log() + records.double().where(self.logged, 1.0).log()).sum(1)

    def features(self, t: Tensor) -> Tensor:
        """What a network reads of standardised records, float32: log(1 + count), and k numbers for k categories.

        A category is one-hot, except that a binary column stays one number.
        """
        parts = []
        for column, values in zip(self.columns, t.T, strict=True):
            if column.kind in ("categorical", "ordinal"):
                parts.append(one_hot(values.long(), len(column.categories)))
            else:
                parts.append((values.log1p() if column.kind == "count" else values)[:, None])
        return torch.cat(parts, dim=1).float()


def _skewness(values: Tensor) -> Tensor:
    """E (x − mean)³/std³ of each column."""
    centred = values - values.mean(0)
    return centred.pow(3).mean(0) / centred.square().mean(0).pow(1.5)
