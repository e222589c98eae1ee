"""Judging generators: biases against closed forms, shares against theorems, tests against false alarms, cheats."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import mannwhitneyu, norm
from sklearn.neighbors import NearestNeighbors

from helpers.data import load_digits
from helpers.judging import (
    alarms,
    c2st,
    frechet_bias,
    frechet_extrapolated,
    judge_digits,
    kernel_matrix,
    levels,
    mmd_unbiased,
    nearest,
    permutation_test,
    precision_recall_density_coverage,
    radii,
    random_features,
    real_against_real,
    share_closer,
    unseen_digits,
    white_frechet_bias,
)
from helpers.judging.cheats import copies, one_class, tuned_noise
from helpers.judging.digits import is_low
from helpers.metrics import frechet_distance
from helpers.studies import RESULTS, study
from helpers.studies.judging import MAKERS, other_data, spread


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- the Fréchet distance of finite samples --------------------------------------------------------------------------


def to_the_truth(x, variances):
    """The squared Fréchet distance of the Gaussian fitted to x (N, d) to N(0, diag(variances)) itself."""
    root = variances.sqrt()
    cross = torch.linalg.eigvalsh(root[:, None] * torch.cov(x.T) * root).clamp(min=0).sqrt().sum()
    return (x.mean(0).square().sum() + x.var(0).sum() + variances.sum() - 2 * cross).item()


REPEATS = {100: 40, 1000: 12, 5000: 6}


@pytest.mark.parametrize("d", [8, 64])
@pytest.mark.parametrize("n", REPEATS)
def test_the_bias_of_a_sample_of_the_right_gaussian(d, n):
    """(20.2) within 10 % where n is large beside d; for d = 64 and n = 100 the next orders are needed."""
    repeats = REPEATS[n] * (4 if d == 8 else 1)
    measured = np.mean(
        [to_the_truth(normal(1000 * seed + n + d, n, d), torch.ones(d)) for seed in range(repeats)]
    )
    assert white_frechet_bias(d, n) == pytest.approx(measured, rel=0.1 if d == 8 else 0.04)
    if (d, n) != (64, 100):
        assert d / n + d * (d + 1) / (4 * n) == pytest.approx(measured, rel=0.1)
        assert frechet_bias(torch.ones(d), n) == pytest.approx(d / n + d * (d + 1) / (4 * n))


def test_two_samples_have_twice_the_bias():
    """As in FACTS: 1.115 and 2.19 for d = 64, n = 1,000."""
    d, n = 64, 1000
    two = np.mean([frechet_distance(normal(seed, n, d), normal(100 + seed, n, d)) for seed in range(8)])
    assert two == pytest.approx(2 * (d / n + d * (d + 1) / (4 * n)), rel=0.05)


def test_the_bias_of_unequal_variances():
    """(20.6) against samples, and against the equal ones: a wide generator has more bias than a narrow one."""
    variances, n = torch.tensor([4.0, 2, 1, 1, 0.5, 0.25, 0.1, 0.1], dtype=torch.float64), 1000
    samples = (normal(seed, n, 8) * variances.sqrt() for seed in range(60))
    assert frechet_bias(variances, n) == pytest.approx(
        np.mean([to_the_truth(x, variances) for x in samples]), rel=0.1
    )
    assert frechet_bias(4 * torch.ones(3), 50) == pytest.approx(4 * frechet_bias(torch.ones(3), 50))


def test_the_exact_bias_continues_the_first_order():
    """Second order in 1/n by the moments of a Wishart matrix: d(2d² + d − 7)/(64 n²); and n < d."""
    d, n = 64, 2000
    second = d / n + d * (d + 1) / (4 * (n - 1)) + d * (2 * d**2 + d - 7) / (64 * (n - 1) ** 2)
    assert white_frechet_bias(d, n) == pytest.approx(second, rel=2e-3)
    few = np.mean([to_the_truth(normal(seed, 30, 64), torch.ones(64)) for seed in range(30)])
    assert white_frechet_bias(64, 30) == pytest.approx(few, rel=0.04)
    assert white_frechet_bias(3, 4) == pytest.approx(white_frechet_bias(3, 5), rel=0.5)  # no jump at c = 1


def test_the_distance_extrapolated_in_one_over_n():
    """(20.7): the limit is nearly free of bias, and a ranking that few samples turn round is put right."""
    real, wide, narrow = normal(1, 4000, 16), normal(2, 4000, 16) + 0.1, 0.9 * normal(3, 4000, 16)
    truth = {"wide": 16 * 0.1**2, "narrow": 16 * 0.1**2}
    for name, fake in {"wide": wide, "narrow": narrow}.items():
        found = frechet_extrapolated(fake, real, [250, 500, 1000, 2000], torch.Generator().manual_seed(0))
        assert found["mean"][0] > truth[name] + 0.3 and found["mean"] == sorted(found["mean"], reverse=True)
        assert found["limit"] == pytest.approx(truth[name], abs=0.05) and found["slope"] > 0


@pytest.mark.parametrize(
    "call",
    [
        lambda: frechet_bias(torch.ones(3), 1),
        lambda: frechet_bias(torch.tensor([1.0, 0.0]), 9),
        lambda: white_frechet_bias(0, 5),
        lambda: frechet_extrapolated(normal(0, 9, 2), normal(1, 9, 2), [8], torch.Generator()),
        lambda: frechet_extrapolated(normal(0, 9, 2), normal(1, 9, 2), [4, 10], torch.Generator()),
        lambda: precision_recall_density_coverage(normal(0, 5, 2), normal(1, 5, 2), 5),
        lambda: precision_recall_density_coverage(normal(0, 5, 2), normal(1, 5, 3), 1),
        lambda: precision_recall_density_coverage(normal(0, 9, 2) * math.nan, normal(1, 9, 2), 1),
        lambda: share_closer(normal(0, 5, 2), normal(1, 5)),
        lambda: c2st(normal(0, 5, 2), normal(1, 6, 2), torch.Generator()),
        lambda: mmd_unbiased(torch.eye(4), 1),
        lambda: permutation_test(torch.ones(4, 3), 2, torch.Generator()),
        lambda: judge_digits(torch.zeros(20, 1, 28, 28)),
    ],
)
def test_what_would_give_a_wrong_number_is_refused(call):
    with pytest.raises(ValueError, match=r"[a-z]"):
        call()


# --- nearest neighbours ----------------------------------------------------------------------------------------------


def test_precision_and_recall_by_hand():
    """(20.3): reals at 0, 1, 4 and fakes at ½, 9, 12, with the ball to the nearest neighbour."""
    real, fake = torch.tensor([[0.0], [1], [4]]), torch.tensor([[0.5], [9], [12]])
    assert radii(real, 1).tolist() == [1, 1, 3] and radii(fake, 1).tolist() == [8.5, 3, 3]
    found = precision_recall_density_coverage(real, fake, 1)
    assert found["precision"] == pytest.approx(1 / 3) and found["recall"] == 1
    assert found["density"] == pytest.approx(2 / 3) and found["coverage"] == pytest.approx(2 / 3)


def test_the_four_shares_by_another_library():
    """(20.8) with the neighbours of scikit-learn, and loops."""
    real, fake, k = normal(1, 60, 3), normal(2, 50, 3) * 0.6 + 0.5, 4
    radius = {}
    for name, each in (("real", real), ("fake", fake)):
        radius[name] = NearestNeighbors(n_neighbors=k + 1).fit(each).kneighbors(each)[0][:, k]
    inside = np.array(
        [[np.linalg.norm(r - f) <= radius["real"][i] for f in fake] for i, r in enumerate(real)]
    )
    held = np.array([[np.linalg.norm(r - f) <= radius["fake"][j] for j, f in enumerate(fake)] for r in real])
    found = precision_recall_density_coverage(real, fake, k)
    assert found["precision"] == pytest.approx(inside.any(0).mean())
    assert found["recall"] == pytest.approx(held.any(1).mean())
    assert found["density"] == pytest.approx(inside.sum() / (k * len(fake)))
    assert found["coverage"] == pytest.approx(inside.any(1).mean())


@pytest.mark.parametrize(("d", "precision"), [(2, 0.99), (32, 0.78), (128, 0.68)])
def test_identical_distributions(d, precision):
    """Precision and recall fall with d; coverage is 1 − 2⁻ᵏ whatever d is; density is near 1."""
    rows = [
        precision_recall_density_coverage(normal(seed, 1000, d), normal(50 + seed, 1000, d))
        for seed in range(3)
    ]
    found = {name: np.mean([row[name] for row in rows]) for name in rows[0]}
    assert found["precision"] == pytest.approx(precision, abs=0.03)
    assert found["recall"] == pytest.approx(precision, abs=0.06)
    assert found["coverage"] == pytest.approx(1 - 2**-5, abs=0.015)
    assert found["density"] == pytest.approx(1, abs=0.15)


def test_coverage_is_one_minus_two_to_the_minus_k():
    for k in (1, 2, 3):
        rows = [
            precision_recall_density_coverage(normal(seed, 600, 2), normal(50 + seed, 600, 2), k)
            for seed in range(4)
        ]
        assert np.mean([row["coverage"] for row in rows]) == pytest.approx(1 - 2**-k, abs=0.025)


def test_copies_score_everything_and_density_can_exceed_one():
    real = normal(0, 300, 8)
    found = precision_recall_density_coverage(real, real.clone())
    assert (found["precision"], found["recall"], found["coverage"]) == (1, 1, 1)
    dense = precision_recall_density_coverage(real, 0.1 * normal(1, 300, 8))
    assert dense["density"] > 2 and dense["recall"] < 0.5


def test_the_share_that_is_closer_is_the_mann_whitney_statistic():
    """(20.5), with ties; and its null is normal with the stated variance."""
    a, b = torch.randint(0, 9, (40,)).double(), torch.randint(2, 9, (30,)).double()
    assert share_closer(a, b) == pytest.approx(mannwhitneyu(b, a).statistic / (40 * 30))
    null = [share_closer(normal(seed, 50), normal(1000 + seed, 60)) for seed in range(400)]
    assert np.mean(null) == pytest.approx(0.5, abs=0.01)
    assert np.std(null) == pytest.approx(math.sqrt((50 + 60 + 1) / (12 * 50 * 60)), rel=0.1)
    assert share_closer(torch.zeros(5), torch.ones(5)) == 1


def test_the_nearest_is_the_nearest():
    a, b = normal(0, 30, 3), normal(1, 40, 3)
    right = NearestNeighbors(n_neighbors=1).fit(b).kneighbors(a)[0][:, 0]
    assert np.allclose(nearest(a, b, rows=7), right)


# --- two-sample tests ------------------------------------------------------------------------------------------------


def test_the_unbiased_mmd_by_its_three_sums():
    """(20.9)."""
    x, y = normal(0, 12, 2), normal(1, 9, 2) + 1
    k = kernel_matrix(x, y, bandwidth=1.3)
    by_hand = sum(k[i, j] for i in range(12) for j in range(12) if i != j) / (12 * 11)
    by_hand += sum(k[12 + i, 12 + j] for i in range(9) for j in range(9) if i != j) / (9 * 8)
    by_hand -= 2 * k[:12, 12:].mean()
    assert mmd_unbiased(k, 12) == pytest.approx(by_hand.item())
    assert k[0, 13].item() == pytest.approx(math.exp(-(x[0] - y[1]).square().sum() / (2 * 1.3**2)))


def test_the_mmd_of_two_gaussians_is_known():
    """E k(x, y) of N(0, 1) and N(m, 1) with bandwidth h: h/√(h² + 2) exp(−m²/(2(h² + 2)))."""
    h, m = 1.0, 1.0
    found = np.mean(
        [
            mmd_unbiased(kernel_matrix(normal(s, 200, 1), normal(99 + s, 200, 1) + m, h), 200)
            for s in range(20)
        ]
    )
    same, between = h / math.sqrt(h**2 + 2), h / math.sqrt(h**2 + 2) * math.exp(-(m**2) / (2 * (h**2 + 2)))
    assert found == pytest.approx(2 * same - 2 * between, rel=0.05)


def test_the_unbiased_mmd_is_negative_half_of_the_time_and_the_biased_one_never():
    """As in FACTS, n = 50: the biased mean .025 in two dimensions, the unbiased one about 0."""
    unbiased, biased = [], []
    for seed in range(200):
        k = kernel_matrix(normal(seed, 50, 2), normal(500 + seed, 50, 2), 1.0)
        unbiased.append(mmd_unbiased(k, 50))
        biased.append((k[:50, :50].mean() + k[50:, 50:].mean() - 2 * k[:50, 50:].mean()).item())
    assert abs(np.mean(unbiased)) < 0.002 and 0.4 < np.mean(np.array(unbiased) < 0) < 0.75
    assert min(biased) > 0 and 0.015 < np.mean(biased) < 0.04


def test_the_permutation_test_gives_five_per_cent_of_false_alarms():
    generator, alarmed = torch.Generator().manual_seed(0), 0
    for seed in range(400):
        k = kernel_matrix(normal(seed, 50, 2), normal(5000 + seed, 50, 2))
        alarmed += permutation_test(k, 50, generator, permutations=199)[1] <= 0.05
    assert 0.03 <= alarmed / 400 <= 0.07


def test_the_permutation_test_finds_a_shift_and_counts_itself():
    k = kernel_matrix(normal(0, 50, 2), normal(1, 50, 2) + 1)
    value, p = permutation_test(k, 50, torch.Generator().manual_seed(0))
    assert value == pytest.approx(mmd_unbiased(k, 50)) and p == pytest.approx(1 / 201)
    assert permutation_test(torch.ones(20, 20), 10, torch.Generator())[1] == 1  # all are as large


def test_the_classifier_two_sample_test():
    """(20.4): the accuracy of what cannot be told apart is N(½, 1/4n); a shift is found; p is its tail."""
    null = [
        c2st(normal(s, 40, 3), normal(700 + s, 40, 3), torch.Generator().manual_seed(9000 + s))
        for s in range(150)
    ]
    accuracies = np.array([each["accuracy"] for each in null])
    assert accuracies.mean() == pytest.approx(0.5, abs=0.015)
    assert accuracies.std() == pytest.approx(math.sqrt(1 / (4 * 40)), rel=0.25)
    assert 0.01 <= np.mean([each["p"] <= 0.05 for each in null]) <= 0.1
    found = c2st(normal(0, 200, 3), normal(1, 200, 3) + 1, torch.Generator().manual_seed(0))
    assert found["accuracy"] > 0.7 and found["p"] < 1e-6
    assert null[0]["p"] == pytest.approx(norm.sf((accuracies[0] - 0.5) * 2 * math.sqrt(40)))


# --- digits, and cheats ----------------------------------------------------------------------------------------------


def test_random_features_are_a_projection_of_the_pixels():
    images = torch.rand(3, 1, 28, 28)
    assert random_features(images).shape == (3, 64) and torch.equal(
        random_features(images), random_features(images)
    )
    assert torch.allclose(random_features(images * 0.5), 0.5 * random_features(images))
    assert not torch.allclose(random_features(images), random_features(images, seed=1))


@pytest.fixture(scope="module")
def level():
    return levels(real_against_real(100, torch.Generator().manual_seed(0)))


@pytest.fixture(scope="module")
def cheats():
    generator = torch.Generator().manual_seed(5)
    torch.manual_seed(5)
    images, labels = load_digits("train")
    return {
        "copies": copies(images, 500, generator),
        "one class": one_class(images, labels, 3, 500, generator),
        "tuned noise": tuned_noise(copies(images, 500, generator), generator),
    }


def test_real_images_raise_few_alarms(level):
    """On other splits than those of the levels, 5 % each, within what 40 splits can tell."""
    rows = real_against_real(40, torch.Generator().manual_seed(7))
    counts = [len(alarms(row, level)) / len(row) for row in rows]
    assert np.mean(counts) == pytest.approx(0.05, abs=0.03)
    assert len(alarms(judge_digits(unseen_digits()[1]), level)) <= 3


def test_levels_lie_on_the_bad_side():
    rows = [{"FID": float(n), "recall, random": float(n)} for n in range(101)]
    found = levels(rows, 0.05)
    assert found["FID"] == pytest.approx(95) and found["recall, random"] == pytest.approx(5)
    assert found["C2ST"] == pytest.approx(0.5 + 1.645 * math.sqrt(1 / 2000), abs=1e-4)
    assert found["closer"] == pytest.approx(0.5 + 1.645 * math.sqrt(1001 / (12 * 250_000)), abs=1e-4)
    assert alarms({"FID": 95.5, "recall, random": 5.5, "C2ST": 0.6}, found) == ["FID", "C2ST"]
    assert is_low("coverage, random") and not is_low("closer, features")
    with pytest.raises(ValueError, match="at least one"):
        levels([])


@pytest.mark.parametrize(
    ("name", "passes", "caught_by"),
    [
        ("copies", {"FID", "precision", "recall", "coverage"}, {"closer", "closer, features"}),
        ("one class", {"precision"}, {"FID", "recall", "coverage", "C2ST"}),
        ("tuned noise", {"FID", "precision"}, {"FID, random", "precision, random", "C2ST, pixels"}),
    ],
)
def test_each_cheat_wins_somewhere_and_is_caught_twice(name, passes, caught_by, cheats, level):
    found = alarms(judge_digits(cheats[name]), level)
    assert not passes & set(found) and caught_by <= set(found)


def test_a_model_of_mostly_noise_loses_few_nats():
    """(20.10): log(0.01 p + 0.99 noise) loses at most log 100 nats, whatever the noise."""
    log_p, log_noise = -100 * torch.rand(50, dtype=torch.float64), -200 * torch.rand(50, dtype=torch.float64)
    mixed = torch.logaddexp(log_p + math.log(0.01), log_noise + math.log(0.99))
    assert (mixed >= log_p - math.log(100) - 1e-9).all() and math.log(100) == pytest.approx(4.6, abs=0.01)


def test_cheats_are_what_they_say(cheats):
    images, labels = load_digits("train")
    assert nearest(cheats["copies"].flatten(1), images.flatten(1)).max() < 0.02
    assert len({tuple(each.flatten().tolist()) for each in cheats["copies"]}) == 500
    assert nearest(cheats["one class"].flatten(1), images[labels == 3].flatten(1)).min() > 0.02
    assert cheats["tuned noise"].std() > 0.15 and cheats["tuned noise"].shape == (500, 1, 28, 28)


def test_the_study_has_every_generator():
    found = study("judging")
    assert {*found["runs"]} == {"real", *MAKERS}
    for name in ("copies", "one class", "tuned noise"):
        assert all(run["alarms"] >= 2 for run in found["runs"][name])
    assert all(run["alarms"] <= 3 for run in found["runs"]["real"])


def test_the_scoreboard_of_the_readme_is_that_of_the_studies():
    readme = (RESULTS.parents[1] / "README.md").read_text(encoding="utf-8")
    digits = {"FID": 0, "precision": 2, "recall": 2, "closer": 2}
    runs = {name: rows for name, rows in study("judging")["runs"].items() if "w = 0" not in name}
    for name in runs.keys() - {"copies", "one class", "tuned noise"}:
        cells = [spread([run[metric] for run in runs[name]], places) for metric, places in digits.items()]
        assert f"| {name} | {' | '.join(cells)} |\n" in readme
    for what, cells in other_data().items():
        assert f"| {what} | {' | '.join(cells)} |\n" in readme
