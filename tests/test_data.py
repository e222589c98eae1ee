"""Data: splits, binarisation, points with known densities, batches."""

import math
import urllib.error
import warnings
from http.client import IncompleteRead

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from sklearn.datasets._openml import OpenMLError

from helpers.data import (
    batches,
    binarised,
    digits,
    expect_images,
    expect_labels,
    grid,
    jitter,
    load_digits,
    ring,
    spiral,
)


def test_splits_are_stratified_and_share_no_image():
    seen = []
    for split, each in (("train", 400), ("validation", 50), ("test", 50)):
        images, labels = load_digits(split)
        assert images.shape == (10 * each, 1, 28, 28) and images.dtype == torch.float32
        assert labels.bincount().tolist() == [each] * 10
        assert images.min() == 0 and images.max() == 1
        seen.append(images.flatten(1))
    assert len(torch.cat(seen).unique(dim=0)) == 5000


def test_splits_are_shuffled_and_the_same_every_time():
    labels = load_digits("train")[1]
    assert labels[:100].unique().numel() == 10
    assert torch.equal(labels, load_digits("train")[1])


def test_a_caller_cannot_spoil_the_digits_of_the_next_one():
    load_digits("test")[0].zero_()
    assert load_digits("test")[0].sum() > 0


def test_unknown_split():
    with pytest.raises(ValueError, match="train, validation, test"):
        load_digits("training")


def test_without_a_network_the_60000_fall_back_to_the_5000(monkeypatch):
    def offline():
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(digits, "_openml", offline)
    with pytest.warns(UserWarning, match="going on with the 5,000"):
        images, _ = load_digits("train", full=True)
    assert len(images) == 4000


def half_of_it():
    return np.zeros((35_000, 784)), np.zeros(35_000)


MISHAPS_OF_FETCHING = {
    "no network": OSError("no route to host"),
    "timeout": TimeoutError("timed out"),
    "another checksum": ValueError("md5 checksum of local file does not match"),
    "an error of OpenML's": OpenMLError("Dataset mnist_784 with version 1 not found."),
    "a torn transfer": IncompleteRead(b"half"),
    "a torn archive": EOFError(),
    "no memory": MemoryError(),
    "no scikit-learn": ImportError("No module named 'sklearn'"),
    "something else": RuntimeError("surprise"),
    "half of the data": half_of_it,
}


@pytest.mark.parametrize("mishap", MISHAPS_OF_FETCHING)
def test_whatever_goes_wrong_while_fetching_it_is_one_warning_and_the_5000(monkeypatch, mishap):
    what = MISHAPS_OF_FETCHING[mishap]

    def fetch(*_, **__):
        warnings.warn("A network error occurred. Retrying.", stacklevel=2)
        if isinstance(what, Exception):
            raise what
        return what()

    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch)
    with pytest.warns(UserWarning) as told:
        images, labels = load_digits("test", full=True)
    assert images.shape == (500, 1, 28, 28) and len(labels) == 500 and len(told) == 1
    reason = f"{type(what).__name__}: {what}" if isinstance(what, Exception) else "35000"
    sentence = str(told[0].message)
    assert reason.rstrip(": ") in sentence and "the 5,000 that are installed" in sentence


def test_stop_stops_fetching(monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn.datasets.fetch_openml", stopped)
    with pytest.raises(KeyboardInterrupt):
        load_digits("test", full=True)


def test_the_full_set_has_its_own_test_images(monkeypatch):
    pixels, rows = np.zeros((70_000, 784), np.uint8), np.arange(70_000)
    pixels[:, 0], pixels[:, 1], pixels[:, 2] = (
        rows // 2**16,
        rows // 256 % 256,
        rows % 256,
    )  # each tells its number
    monkeypatch.setattr(digits, "_openml", lambda: (pixels, rows % 10))
    found = {}
    for split in ("train", "validation", "test"):
        images, labels = load_digits(split, full=True)
        number = (255 * images[:, 0, 0, :3]).round().long() @ torch.tensor([2**16, 256, 1])
        assert torch.equal(number % 10, labels)
        assert labels.bincount().tolist() == [len(labels) // 10] * 10
        found[split] = set(number.tolist())
    assert {split: len(each) for split, each in found.items()} == {
        "train": 55_000,
        "validation": 5_000,
        "test": 10_000,
    }
    assert found["test"] == set(range(60_000, 70_000))
    assert found["train"] | found["validation"] == set(range(60_000))


def test_binarised_images_are_bernoulli_draws_by_a_published_seed():
    images = load_digits("test")[0]
    x = binarised(images)
    assert set(x.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(x, binarised(images)) and not torch.equal(x, binarised(images, seed=1))
    # 392,000 coins: the standard error of the difference of the means is below 0.0004
    assert abs(x.mean() - images.mean()) < 0.002


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (torch.zeros(3, 784), "shape"),
        (torch.zeros(0, 1, 28, 28), "no images"),
        (torch.full((2, 1, 28, 28), -1.0), "rescale"),
        (torch.full((2, 1, 28, 28), 1.01), "rescale"),
        (torch.full((2, 1, 28, 28), float("nan")), "NaN"),
    ],
)
def test_images_that_are_none(images, sentence):
    with pytest.raises(ValueError, match=sentence):
        expect_images(images)


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (torch.tensor([0, 10]), "0 … 9"),
        (torch.tensor([-1, 3]), "0 … 9"),
        (torch.tensor([0.5, 1.0]), "whole numbers"),
        (torch.tensor([1, 2, 3]), "one label for each"),
    ],
)
def test_labels_that_are_none(labels, sentence):
    with pytest.raises(ValueError, match=sentence):
        expect_labels(labels, rows=2)


@pytest.mark.parametrize("points", [ring(), grid(side=3), spiral()], ids=["ring", "grid", "spiral"])
def test_densities_integrate_to_one(points):
    line = torch.linspace(-3.5, 3.5, 401, dtype=torch.float64)
    density = torch.cat(
        [points.log_prob(rows).exp() for rows in torch.cartesian_prod(line, line).split(200_000)]
    )
    assert density.sum() * (line[1] - line[0]) ** 2 == pytest.approx(1, abs=1e-3)


def test_centres_lie_where_they_are_said_to():
    """Evenly on a circle; on a lattice around the origin; along two turns, neighbours nearly equally far apart."""
    angles = [2 * math.pi * k / 8 for k in range(8)]
    circle = torch.tensor([[2 * math.cos(a), 2 * math.sin(a)] for a in angles])
    assert torch.allclose(ring().centres, circle, atol=1e-6)
    lattice = torch.tensor([[x, y] for x in (-2.0, 0.0, 2.0) for y in (-2.0, 0.0, 2.0)])
    assert torch.equal(grid(side=3, spacing=2.0).centres, lattice)
    centres = spiral().centres
    assert centres[0].norm() == 0 and torch.allclose(centres[-1], torch.tensor([2.0, 0.0]), atol=1e-5)
    gaps = centres.diff(dim=0).norm(dim=1)[10:]
    assert gaps.max() < 1.1 * gaps.min()


def test_a_generator_of_their_own_draws_the_same_samples():
    state = torch.get_rng_state()
    first, second = (ring().sample(20, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(first, second) and torch.equal(torch.get_rng_state(), state)


def test_samples_follow_the_density():
    points = ring(modes=8, radius=2, std=0.1)
    x = points.sample(20_000, torch.Generator().manual_seed(0))
    distance = (x[:, None] - points.centres).norm(dim=-1)
    shares = distance.argmin(1).bincount(minlength=8) / len(x)
    assert (shares - 1 / 8).abs().max() < 5 * (1 / 8 * 7 / 8 / len(x)) ** 0.5  # five standard errors
    # P(within σ) of a round Gaussian in the plane is 1 − exp(−½)
    within = (distance.min(1).values < 0.1).float().mean()
    assert within == pytest.approx(0.3935, abs=5 * (0.24 / len(x)) ** 0.5)


def test_points_of_a_wrong_shape():
    with pytest.raises(ValueError, match=r"\(n, 2\)"):
        ring().log_prob(torch.zeros(4, 3))


def test_each_pass_sees_every_example_once():
    source = batches(torch.arange(12), 4, torch.Generator().manual_seed(0))
    first, second = torch.cat([next(source) for _ in range(3)]), torch.cat([next(source) for _ in range(3)])
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(12))
    assert first.tolist() != second.tolist()


def test_rows_of_several_tensors_stay_together():
    x = torch.arange(10)
    for a, b in (next(batches((x, 2 * x), 3, torch.Generator().manual_seed(s))) for s in range(5)):
        assert torch.equal(2 * a, b)


def test_batches_go_on_from_a_saved_state():
    source = batches(torch.arange(50), 7, torch.Generator().manual_seed(0))
    for _ in range(9):
        next(source)
    state = source.state_dict()
    expected = [next(source).tolist() for _ in range(20)]
    other = batches(torch.arange(50), 7, torch.Generator().manual_seed(99))
    other.load_state_dict(state)
    assert [next(other).tolist() for _ in range(20)] == expected
    with pytest.raises(ValueError, match="load the same data"):
        batches(torch.arange(49), 7, torch.Generator()).load_state_dict(state)


@pytest.mark.parametrize(
    ("data", "size", "sentence"),
    [
        (torch.zeros(0, 2), 1, "empty"),
        (torch.zeros(3, 2), 4, "1 to 3"),
        (torch.zeros(3, 2), 0, "1 to 3"),
        ((torch.zeros(3), torch.zeros(4)), 1, "different numbers of rows"),
    ],
)
def test_batches_that_cannot_be_made(data, size, sentence):
    with pytest.raises(ValueError, match=sentence):
        batches(data, size, torch.Generator())


def test_jitter_moves_a_share_of_the_images_a_little_and_leaves_the_rest():
    images = load_digits("train")[0][:100]
    torch.manual_seed(0)
    moved = jitter(images, share=0.3)
    assert moved.shape == images.shape and 0 <= moved.min() and moved.max() <= 1
    assert torch.equal(moved[30:], images[30:])
    change = (moved[:30] - images[:30]).flatten(1).norm(dim=1) / images[:30].flatten(1).norm(dim=1)
    assert (change > 0).all() and change.median() < 0.8  # another digit of the class would be near 1
    assert (
        moved[:30].sum((1, 2, 3)) / images[:30].sum((1, 2, 3)) - 1
    ).abs().max() < 0.3  # hardly any ink is lost
    torch.manual_seed(0)
    assert torch.equal(jitter(images, share=0.3), moved)


def test_jitter_turns_stretches_and_shifts_by_what_was_drawn():
    """Each image by its own four numbers, and by SciPy's interpolation."""
    images = load_digits("train")[0][:4]
    torch.manual_seed(0)
    moved = jitter(images, share=0.75, turn=0.4, stretch=0.2, shift=3.0)
    torch.manual_seed(0)
    draws = (2 * torch.rand(4, 3) - 1).T.tolist()
    y, x = np.mgrid[:28, :28] - 13.5  # around the middle of the image
    for image, found, (angle, size, across, down) in zip(images, moved[:3], draws, strict=False):
        cosine, sine = (math.cos(0.4 * angle), math.sin(0.4 * angle))
        factor = 1 + 0.2 * size
        from_x = factor * (cosine * x - sine * y) + 3 * across + 13.5
        from_y = factor * (sine * x + cosine * y) + 3 * down + 13.5
        by_hand = map_coordinates(image[0].numpy(), [from_y, from_x], order=1, mode="grid-constant")
        assert np.abs(found[0].numpy() - by_hand).max() < 1e-4
    assert torch.equal(moved[3], images[3])


def test_jitter_shifts_by_pixels():
    images = torch.zeros(50, 1, 28, 28)
    images[:, :, 14, 14] = 1
    torch.manual_seed(0)
    moved = jitter(images, share=1, turn=0, stretch=0, shift=2)
    places = torch.arange(28.0)
    across = (moved.sum(2)[:, 0] * places).sum(1) / moved.sum((1, 2, 3)) - 14
    assert across.abs().max() <= 2 and across.max() > 1 and across.min() < -1


def test_jitter_of_nothing_is_nothing_and_refuses_other_shapes():
    images = load_digits("train")[0][:10]
    assert torch.equal(jitter(images, share=0), images)
    torch.testing.assert_close(jitter(images, share=1, turn=0, stretch=0, shift=0), images, atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="28"):
        jitter(images.flatten(1))
