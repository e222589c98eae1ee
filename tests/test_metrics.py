"""Metrics: the distance against closed forms, the classifier against real digits, scores against noise."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

import helpers
from helpers.data import load_digits, ring
from helpers.metrics import (
    DigitScore,
    class_shares,
    digit_classifier,
    digit_features,
    frechet_distance,
    js_from_samples,
    mode_coverage,
    nearest_distance,
    score_digits,
)
from helpers.studies.digit_classifier import shifted


def test_frechet_distance_against_the_matrix_square_root():
    """The matrix square root of scipy puts (5.2), which is (20.1) too, into one line."""
    from scipy.linalg import sqrtm

    rng = np.random.default_rng(0)
    a, b = (
        rng.normal(size=(500, 5)) @ rng.normal(size=(5, 5)),
        rng.normal(size=(400, 5)) @ rng.normal(size=(5, 5)) + 1,
    )
    ca, cb = np.cov(a.T), np.cov(b.T)
    oracle = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(ca + cb - 2 * sqrtm(ca @ cb).real)
    assert frechet_distance(torch.tensor(a), torch.tensor(b)) == pytest.approx(oracle, rel=1e-8)


def test_frechet_distance_of_a_shift_and_of_a_stretch():
    x = torch.randn(300, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    shift = torch.tensor([3.0, 0, 4, 0], dtype=torch.float64)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(x, x + shift) == pytest.approx(25, rel=1e-9)
    stretched = x - x.mean(0)
    assert frechet_distance(stretched, 3 * stretched) == pytest.approx(
        4 * torch.cov(x.T).trace().item(), rel=1e-9
    )


def test_frechet_distance_of_features_in_single_precision_that_lie_far_out():
    """Their covariances are differences of large numbers: the answer is that of the same numbers in float64."""
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(200, 3, generator=generator) + 3000 for _ in range(2))
    exact = frechet_distance(a.double(), b.double())
    assert exact > 0.01 and frechet_distance(a, b) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("shape", [(1, 4), (5, 3), (5,)])
def test_features_of_a_wrong_shape(shape):
    with pytest.raises(ValueError, match="Features must be"):
        frechet_distance(torch.randn(6, 4), torch.randn(*shape))


def test_the_frozen_classifier_reads_digits_and_is_small():
    images, labels = load_digits("test")
    assert (digit_classifier()(images).argmax(1) == labels).float().mean() > 0.96
    assert digit_features(images).shape == (500, 64)
    assert not any(p.requires_grad for p in digit_classifier().parameters())
    assert (Path(helpers.__file__).parent / "digit_classifier.npz").stat().st_size <= 500_000


def test_it_was_trained_on_images_moved_both_ways():
    """Up to two pixels, all 25 moves, the whole batch alike."""
    torch.manual_seed(0)
    images, seen = torch.zeros(2, 1, 28, 28), set()
    images[:, 0, 10, 10] = 1
    for _ in range(300):
        first, second = shifted(images)[:, 0].nonzero()[:, 1:].tolist()
        assert first == second
        seen.add(tuple(first))
    assert seen == {(row, column) for row in range(8, 13) for column in range(8, 13)}


def test_class_shares_of_real_digits_are_even():
    images, labels = load_digits("test")
    assert (class_shares(images) - 0.1).abs().max() < 0.02
    assert class_shares(images[labels == 3])[3] > 0.9


def test_nearest_distance():
    images = load_digits("train")[0][:50]
    assert nearest_distance(images[:5], images).max() < 0.02  # cdist by matrix products: not exactly 0
    lone = torch.zeros(1, 1, 28, 28)
    assert nearest_distance(lone, images) == pytest.approx(
        images.flatten(1).norm(dim=1).min().item(), rel=1e-3
    )


def test_scores_put_real_images_first_and_noise_last():
    real = score_digits(load_digits("train")[0][2000:])
    noise = score_digits(torch.rand(2000, 1, 28, 28, generator=torch.Generator().manual_seed(0)))
    assert real.distance < 2 * real.floor and real.classes == 10
    assert noise.distance > 50 * real.distance and noise.classes < 10
    assert real.nearest < 0.01 < noise.nearest  # training images lie on themselves: the sign of a cheat
    assert f"(finite-sample baseline {real.floor:.1f})" in str(real)


def test_a_score_is_made_of_its_parts():
    """Each by hand, on 60 images and against validation; the median of the nearest, 2,000 for the baseline."""
    torch.manual_seed(0)
    (training, _), (unseen, _) = load_digits("train"), load_digits("validation")
    images = torch.cat([load_digits("test")[0][:50], torch.rand(10, 1, 28, 28)])
    score = score_digits(images, "validation")

    def nearest(these):
        return torch.cdist(these.flatten(1), training.flatten(1)).amin(1).median()

    features = digit_features(unseen)
    assert score.distance == pytest.approx(frechet_distance(digit_features(images), features))
    assert score.floor == pytest.approx(frechet_distance(digit_features(training[:2000]), features))
    assert score.nearest == pytest.approx((nearest(images) / nearest(unseen)).item(), rel=1e-4)
    seen = digit_classifier()(images).argmax(1).tolist()
    assert score.shares == pytest.approx([seen.count(digit) / 60 for digit in range(10)])


def test_a_class_counts_from_four_percent_on():
    shares = (0.04, 0.0399, 0.0, 0.05, 0.8)
    assert DigitScore(distance=1.0, floor=1.0, shares=shares, nearest=1.0).classes == 3


def test_images_in_the_wrong_range_are_refused():
    with pytest.raises(ValueError, match="rescale"):
        score_digits(torch.full((10, 1, 28, 28), -1.0))


def test_mode_coverage_counts_modes_and_good_points():
    data = ring()
    torch.manual_seed(0)
    assert mode_coverage(data.sample(4000), data)[0] == 8 and mode_coverage(data.sample(4000), data)[1] > 0.98
    spot = data.centres[2] + 0.01 * torch.randn(500, 2)
    assert mode_coverage(spot, data) == (1, 1.0)
    spray = 6 * torch.rand(5000, 2) - 3
    assert mode_coverage(spray, data)[1] < 0.05
    few = torch.cat([data.centres[:1].expand(99, 2), data.centres[1:2]])
    assert mode_coverage(few, data) == (1, 1.0)  # 1 % at the second mode is too few


def test_a_mode_needs_two_points_in_a_hundred_within_three_deviations():
    """At the first mode just enough, at the second too few, at the third all of them just too far off."""
    data = ring()
    aside = data.std * torch.tensor([[2.9, 0.0], [3.1, 0.0]])
    points = [data.centres[:1] + aside[:1], data.centres[:1], data.centres[1:2] - aside[:1]]
    points += [(data.centres[2:3] + aside[1:]).expand(40, 2), torch.zeros(57, 2)]
    assert mode_coverage(torch.cat(points), data) == (1, pytest.approx(0.03))


def test_js_from_samples_tells_all_cells_apart():
    """Of two points each, one in a cell that both have: p = (½, ½, 0), q = (0, ½, ½), JS = ½ log 2."""
    a, b = torch.tensor([[-2.9, 1.0], [2.0, 2.0]]), torch.tensor([[1.0, -2.9], [2.0, 2.0]])
    assert js_from_samples(a, b) == pytest.approx(math.log(2) / 2, abs=1e-9)


def test_js_from_samples_has_its_null_level_and_its_ceiling():
    torch.manual_seed(0)
    for n, level in ((200, 0.27), (1000, 0.08), (5000, 0.02)):
        same = sum(js_from_samples(torch.randn(n, 2), torch.randn(n, 2)) for _ in range(5)) / 5
        assert abs(same - level) < 0.02
    far = js_from_samples(torch.randn(500, 2) / 9 - 2, torch.randn(500, 2) / 9 + 2)
    assert abs(far - math.log(2)) < 1e-6
    cells = torch.tensor([[-2.9, -2.9], [2.9, 2.9], [-9.0, 9.0]])  # what lies outside counts at the edge
    assert js_from_samples(cells, cells) == 0
