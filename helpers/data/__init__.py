"""Data: one file a modality, tensors in, batches out."""

from helpers.data.augment import jitter
from helpers.data.batching import Batches, batches
from helpers.data.digits import (
    BINARISE_SEED,
    SPLIT_SEED,
    binarised,
    expect_images,
    expect_labels,
    load_digits,
)
from helpers.data.doors import (
    door,
    expect_points,
    expect_rows,
    expect_same_shape,
    expect_tanh_images,
    expect_unit_interval,
)
from helpers.data.points import Mixture, grid, ring, spiral
from helpers.data.reports import Choice, Grammar, load_reports, report_grammar

__all__ = [
    "BINARISE_SEED",
    "SPLIT_SEED",
    "Batches",
    "Choice",
    "Grammar",
    "Mixture",
    "batches",
    "binarised",
    "door",
    "expect_images",
    "expect_labels",
    "expect_points",
    "expect_rows",
    "expect_same_shape",
    "expect_tanh_images",
    "expect_unit_interval",
    "grid",
    "jitter",
    "load_digits",
    "load_reports",
    "report_grammar",
    "ring",
    "spiral",
]
