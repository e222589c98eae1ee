"""Data: one file a modality, tensors in, batches out."""

from helpers.data.augment import jitter
from helpers.data.batching import Batches, batches
from helpers.data.clips import Clips, clips, fly
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
from helpers.data.drums import (
    DRUMS,
    Drums,
    drum_sounds,
    hat,
    kick,
    pluck,
    rhythm_entropy,
    rhythm_log_prob,
    rhythms,
    snare,
    write_bars,
)
from helpers.data.patients import Column, load_real_patients
from helpers.data.points import Mixture, grid, ring, spiral
from helpers.data.reports import Choice, Grammar, load_reports, report_grammar
from helpers.data.scans import Scans, phantoms

__all__ = [
    "BINARISE_SEED",
    "DRUMS",
    "SPLIT_SEED",
    "Batches",
    "Choice",
    "Clips",
    "Column",
    "Drums",
    "Grammar",
    "Mixture",
    "Scans",
    "batches",
    "binarised",
    "clips",
    "door",
    "drum_sounds",
    "expect_images",
    "expect_labels",
    "expect_points",
    "expect_rows",
    "expect_same_shape",
    "expect_tanh_images",
    "expect_unit_interval",
    "fly",
    "grid",
    "hat",
    "jitter",
    "kick",
    "load_digits",
    "load_real_patients",
    "load_reports",
    "phantoms",
    "pluck",
    "report_grammar",
    "rhythm_entropy",
    "rhythm_log_prob",
    "rhythms",
    "ring",
    "snare",
    "spiral",
    "write_bars",
]
