"""Generated records judged: rates of an attack by hand, intervals that cover, baselines, and the study's claims."""

from statistics import median

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.tree import DecisionTreeClassifier

from helpers.data import patients
from helpers.data.patients import COLUMNS
from helpers.data.scaling import Scaling
from helpers.privacy import (
    closer_to_training,
    closest_distance,
    correlation_error,
    marginals_only,
    outcome_auc,
    tpr_at_fpr,
)
from helpers.studies import study
from helpers.studies.patients import SEEDS, patients_run
from helpers.training import for_updates


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def many():
    return patients.sample(20_000, seeded(0))


# --- the attack ------------------------------------------------------------------------------------------------------

MEMBERS, OTHERS = torch.tensor([0.9, 0.8, 0.3, 0.1]), torch.tensor([0.7, 0.6, 0.2, 0.05])


@pytest.mark.parametrize(
    ("fpr", "found", "accused"),
    [(0.0, 2, 0), (0.25, 2, 1), (0.5, 3, 2), (0.49, 2, 1), (0.75, 4, 3)],
)
def test_rates_by_hand(fpr, found, accused):
    """(19.4): at 25 % one non-member, 0.7, may be accused: the threshold is 0.6, and 0.9 and 0.8 are found."""
    attack = tpr_at_fpr(MEMBERS, OTHERS, fpr)
    assert (attack["tpr"], attack["fpr"]) == (found / 4, accused / 4)
    assert attack["auc"] == (4 + 4 + 2 + 1) / 16  # pairs in which the member scores higher
    interval = stats.binomtest(found, 4).proportion_ci(0.95, method="exact")
    assert (attack["low"], attack["high"]) == (interval.low, interval.high)


def test_only_the_order_of_scores_counts():
    rng = seeded(1)
    members, others = torch.randn(200, generator=rng) + 1, torch.randn(200, generator=rng)
    first = tpr_at_fpr(members, others)
    assert first == tpr_at_fpr(members.exp(), others.exp())
    assert first == tpr_at_fpr(members.flip(0), others[torch.randperm(200, generator=rng)])


def test_a_density_compared_with_the_populations_finds_members_that_the_density_alone_does_not():
    """(19.3): a model that is the population plus narrow peaks at its members, most of whom are ordinary."""
    rng = seeded(2)
    members, others = (torch.randn(200, generator=rng, dtype=torch.float64) for _ in range(2))
    p = torch.distributions.Normal(0.0, 1.0)
    peaks = torch.distributions.Normal(members, 1e-4)

    def log_q(x):
        return (0.7 * p.log_prob(x).exp() + 0.3 * peaks.log_prob(x[:, None]).exp().mean(1)).log()

    alone = tpr_at_fpr(p.log_prob(members), p.log_prob(others))  # the order of a good model
    score = tpr_at_fpr(*(log_q(x) - p.log_prob(x) for x in (members, others)))
    assert score["tpr"] > 0.95 and alone["tpr"] < 0.12


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 3.0])
def test_what_is_differentially_private_bounds_every_attack(epsilon):
    """(19.6) for Laplace's mechanism, and (19.7) for every threshold of an attack on it; equality is reached."""
    noise = stats.laplace(scale=1 / epsilon)  # added to a count, which one person changes by 1
    thresholds = np.linspace(-20, 20, 4001)
    with_her, without = noise.sf(thresholds - 1), noise.sf(thresholds)  # P(M(D) > τ), P(M(D′) > τ)
    assert (with_her <= np.exp(epsilon) * without * (1 + 1e-9)).all()
    assert (without <= np.exp(epsilon) * with_her * (1 + 1e-9)).all()
    assert np.isclose(with_her, np.exp(epsilon) * without).any()
    intervals = noise.cdf(thresholds[100:] - 1) - noise.cdf(thresholds[:-100] - 1)  # sets of another shape
    assert (
        intervals <= np.exp(epsilon) * (noise.cdf(thresholds[100:]) - noise.cdf(thresholds[:-100])) + 1e-12
    ).all()
    at_5 = np.interp(0.05, without[::-1], with_her[::-1])
    assert at_5 <= np.exp(epsilon) * 0.05 + 1e-6


def test_equal_scores_accuse_nobody():
    attack = tpr_at_fpr(torch.zeros(50), torch.zeros(50))
    assert (attack["tpr"], attack["fpr"], attack["low"], attack["auc"]) == (0, 0, 0, 0.5)


def test_infinite_scores_are_scores():
    """A member whose reference density is 0 is found; a non-member of density 0 is the last to be accused."""
    members, others = MEMBERS.clone(), OTHERS.clone()
    members[0], others[3] = torch.inf, -torch.inf
    assert tpr_at_fpr(members, others, 0.25) == tpr_at_fpr(MEMBERS, OTHERS, 0.25)


def test_a_random_score_finds_as_many_as_it_accuses():
    rng = seeded(0)
    attack = tpr_at_fpr(torch.rand(40_000, generator=rng), torch.rand(40_000, generator=rng))
    error = (2 * 0.05 * 0.95 / 40_000) ** 0.5  # of the share found, and of the threshold
    assert attack["fpr"] == 0.05 and abs(attack["tpr"] - 0.05) < 4 * error
    assert attack["auc"] == pytest.approx(0.5, abs=0.01)


def test_two_normal_densities_by_their_quantiles():
    rng = seeded(2)
    attack = tpr_at_fpr(1.5 + torch.randn(40_000, generator=rng), torch.randn(40_000, generator=rng))
    assert attack["tpr"] == pytest.approx(stats.norm.sf(stats.norm.isf(0.05) - 1.5), abs=0.015)
    assert attack["auc"] == pytest.approx(stats.norm.cdf(1.5 / 2**0.5), abs=0.01)


def test_the_interval_covers():
    """The exact coverage for n = 40: Σ of the probabilities of all counts whose interval holds p, for many p."""
    n, others = 40, torch.zeros(40)
    ends = [tpr_at_fpr((torch.arange(n) < found).double(), others) for found in range(n + 1)]
    low, high = (np.array([end[name] for end in ends]) for name in ("low", "high"))
    for p in np.linspace(0.01, 0.99, 99):
        covered = stats.binom.pmf(np.arange(n + 1), n, p)[(low <= p) & (p <= high)].sum()
        assert covered >= 0.95
    assert ends[0]["low"] == 0 and ends[-1]["high"] == 1


@pytest.mark.parametrize(
    ("members", "others", "sentence"),
    [
        (torch.zeros(3), torch.zeros(4), "equally many"),
        (torch.zeros(0), torch.zeros(0), "equally many"),
        (torch.zeros(3, 1), torch.zeros(3, 1), "equally many"),
        (torch.full((3,), torch.nan), torch.zeros(3), "NaN"),
    ],
)
def test_attacks_that_prove_nothing(members, others, sentence):
    with pytest.raises(ValueError, match=sentence):
        tpr_at_fpr(members, others)


def test_distances_by_all_pairs(many):
    scaling = Scaling.fit(many, COLUMNS)
    a, b = many[:30], many[30:70]
    features = [scaling.features(scaling.standardise(each)) for each in (a, b)]
    pairs = (features[0][:, None] - features[1][None]).square().sum(-1).sqrt()
    torch.testing.assert_close(
        closest_distance(a, b, scaling, rows=7), pairs.min(1).values, atol=1e-3, rtol=1e-3
    )
    assert closest_distance(a, many[:40], scaling).max() < 2e-3


def test_copies_are_closer_to_what_they_were_copied_from(many):
    scaling = Scaling.fit(many, COLUMNS)
    training, held_out, fresh = many[:1000], many[1000:2000], many[2000:4000]
    assert closer_to_training(training[:300], training, held_out, scaling) == 1
    assert closer_to_training(held_out[:300], training, held_out, scaling) == 0
    assert closer_to_training(fresh, training, held_out, scaling) == pytest.approx(0.5, abs=0.05)
    with pytest.raises(ValueError, match="1000 and 250: cut the larger"):
        closer_to_training(fresh, training, held_out[:250], scaling)


# --- of use ----------------------------------------------------------------------------------------------------------


def test_trained_on_real_comes_near_the_best_classifier_and_marginals_teach_nothing(many):
    training, test = many[:4000], many[4000:]
    y = test[:, -1]
    exact = patients.bayes_auc()
    error = 3 * 0.5 / min(y.sum(), (1 - y).sum()).item() ** 0.5  # a bound on three standard errors of an AUC
    assert exact - 0.02 < outcome_auc(training, test) < exact + error
    assert outcome_auc(marginals_only(training, seeded(1)), test) == pytest.approx(0.5, abs=0.15)
    turned = training.clone()
    turned[:, -1] = 1 - turned[:, -1]
    assert outcome_auc(turned, test) == pytest.approx(1 - outcome_auc(training, test), abs=1e-3)


def test_one_outcome_teaches_nothing_and_any_classifier_will_do(many):
    well = many[many[:, -1] == 0]
    assert outcome_auc(well[:500], many) == 0.5
    assert (
        outcome_auc(many, many, classifier=DecisionTreeClassifier(random_state=0)) == 1
    )  # it has seen the test


def test_marginals_are_kept_and_dependence_is_lost(many):
    apart = marginals_only(many, seeded(1))
    assert torch.equal(apart.sort(0).values, many.sort(0).values)
    continuous = [0, 4, 6, 7]
    lost = torch.corrcoef(many[:, continuous].T) - torch.corrcoef(apart[:, continuous].T)
    mean = lost[np.triu_indices(4, 1)].abs().mean().item()
    columns = tuple(COLUMNS[i] for i in continuous)
    assert correlation_error(apart[:, continuous], many[:, continuous], columns) == pytest.approx(mean)
    assert mean > 0.2


def test_real_records_have_the_error_of_their_number(many):
    assert correlation_error(many, many) == 0
    errors = [correlation_error(part, many) for part in many.split(1000)]
    assert np.mean(errors) == pytest.approx(0.8 / 1000**0.5, rel=0.15)


# --- the study -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runs():
    return study("patients")["runs"]


def of(runs, name, *keys):
    rows = runs[name]
    for key in keys:
        rows = [row[key] for row in rows]
    return median(rows)


@pytest.mark.parametrize("name", ["VAE", "GAN"])
def test_the_study_trains_on_synthetic_nearly_as_well_as_on_real(runs, name):
    assert of(runs, name, "auc") >= of(runs, "real", "auc") - 0.015
    assert of(runs, "marginals only", "auc") < 0.65 and of(runs, "majority", "auc") == 0.5


def test_the_study_finds_the_members_of_the_leaking_model_alone(runs):
    assert of(runs, "leaking VAE", "attack", "tpr") >= 0.9
    assert of(runs, "regularised VAE", "attack", "tpr") <= 0.12
    for name in ("leaking VAE", "regularised VAE"):
        for row in runs[name]:
            attack = row["attack"]
            assert attack["low"] <= attack["tpr"] <= attack["high"] and attack["fpr"] <= 0.05


def test_a_short_run_has_every_row_of_the_study(runs, one_thread):
    assert len(runs["VAE"]) == len(SEEDS)
    rows = patients_run(11, for_updates(5), for_updates(5), sizes=(300, 300, 300, 50))
    assert rows.keys() == runs.keys()
    assert all(rows[name].keys() == runs[name][0].keys() for name in rows)
