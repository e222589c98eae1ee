"""Patients: the density is one, samples follow it, integrals agree with both; every lesion is where it is said."""

import importlib
import math
import sys
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from sklearn.metrics import roc_auc_score
from torch.distributions import Categorical, LogNormal, Normal

from helpers.data import patients, phantoms
from helpers.data.patients import COLUMNS, REAL_COLUMNS, load_real_patients, records_table

NAMES = [column.name for column in COLUMNS]


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def column(records, name):
    return records[:, NAMES.index(name)]


@pytest.fixture(scope="module")
def many():
    return patients.sample(30_000, seeded(0))


@pytest.fixture(scope="module")
def scores(many):
    return patients.log_prob_of_columns(many)


@pytest.fixture(scope="module")
def risk(many):
    return patients.outcome_probability(many)


@pytest.fixture(scope="module")
def proposals():
    """Records from ten independent columns, whose density q knows nothing of the network: x and p(x) / q(x)."""
    rng = np.random.default_rng(1)
    q = {
        "age": stats.uniform(20, 70),
        "sex": stats.bernoulli(0.5),
        "smoker": stats.randint(0, 3),
        "exercise": stats.binom(3, 0.5),
        "bmi": stats.lognorm(0.18, scale=26.5),
        "diabetes": stats.bernoulli(0.3),
        "pressure": stats.norm(124, 18),
        "cholesterol": stats.norm(5.2, 1.2),
        "visits": stats.nbinom(2, 0.45),
        "outcome": stats.bernoulli(0.4),
    }
    x, log_q = [], 0.0
    for each in COLUMNS:
        values = q[each.name].rvs(100_000, random_state=rng)
        log_q = log_q + (q[each.name].logpdf if each.kind == "continuous" else q[each.name].logpmf)(values)
        x.append(values)
    x = torch.from_numpy(np.stack(x, 1).astype(float))
    return x, (patients.log_prob(x) - torch.from_numpy(log_q)).exp()


# --- records ---------------------------------------------------------------------------------------------------------


def test_the_density_integrates_to_one(proposals):
    weight = proposals[1]
    error = weight.std() / len(weight) ** 0.5
    assert error < 0.02 and abs(weight.mean() - 1) < 3 * error


def test_samples_follow_the_density(many, proposals):
    """Means, squares, products with age and outcome: from samples, and from the density by importance weights."""
    x, weight = proposals
    scale = many.std(0)

    def features(records):
        standard = (records - many.mean(0)) / scale
        return torch.cat(
            [standard, standard**2, standard * standard[:, -1:], standard * standard[:, :1]], dim=1
        )

    drawn, weighted = features(many), features(x) * weight[:, None]
    error = (drawn.var(0) / len(drawn) + weighted.var(0) / len(weighted)).sqrt()
    assert ((drawn.mean(0) - weighted.mean(0)).abs() < 4 * error).all()


def test_exact_entropies_against_monte_carlo(many, scores):
    error = scores.std(0) / len(many) ** 0.5
    exact = patients.entropy_of_columns()
    assert list(exact) == NAMES
    # Ten columns are compared at once, so one of them is 3 standard errors off for one seed in 40: 4 for each of them,
    # 3 for their sum.
    assert ((scores.mean(0) + torch.tensor(list(exact.values()))).abs() <= 4 * error + 1e-9).all()
    total = scores.sum(1)
    assert abs(total.mean() + patients.entropy()) < 3 * total.std() / len(many) ** 0.5
    assert patients.entropy() == pytest.approx(sum(exact.values())) and 16 < patients.entropy() < 17
    assert torch.equal(patients.log_prob(many[:99]), total[:99])


def test_entropies_that_have_a_closed_form():
    """Constants are entropies of their own; the normal ones depend on no parent, and ages are SciPy's truncnorm."""
    exact = patients.entropy_of_columns()
    a, b = (20 - 55) / 15, (90 - 55) / 15
    assert exact["age"] == pytest.approx(stats.truncnorm(a, b, 55, 15).entropy(), abs=1e-9)
    assert exact["pressure"] == pytest.approx(math.log(10 * math.sqrt(2 * math.pi * math.e)), abs=1e-9)
    assert exact["cholesterol"] == pytest.approx(math.log(0.8 * math.sqrt(2 * math.pi * math.e)), abs=1e-9)
    male = 1 / (1 + math.exp(0.08))
    assert exact["sex"] == pytest.approx(stats.bernoulli(male).entropy(), abs=1e-9)


@pytest.mark.parametrize(
    ("distribution", "known"),
    [
        (Normal(torch.tensor(2.0).double(), 3.0), stats.norm(2, 3)),
        (LogNormal(torch.tensor(1.0).double(), 0.2), stats.lognorm(0.2, scale=math.e)),
        (patients.TruncatedNormal(55.0, 15.0, 20.0, 90.0), stats.truncnorm(-7 / 3, 7 / 3, 55, 15)),
        (
            Categorical(torch.tensor([0.2, 0.3, 0.5]).double()),
            stats.rv_discrete(values=([0, 1, 2], [0.2, 0.3, 0.5])),
        ),
    ],
)
def test_nodes_of_an_integral_have_the_moments_of_the_distribution(distribution, known):
    at, weights = patients._nodes(distribution, 20, axes=2)
    assert at.shape[1:] == (1, 1)
    for power in (0, 1, 2, 3):
        assert (weights * at**power).sum().item() == pytest.approx(known.moment(power), rel=1e-6)


def test_integrals_do_not_change_with_more_nodes():
    coarse, fine = patients._integrated(9), patients._integrated(12)
    assert sum(coarse[0].values()) == pytest.approx(sum(fine[0].values()), abs=1e-6)
    assert coarse[1] == pytest.approx(fine[1], abs=1e-4)


def test_the_auc_of_the_exact_risk(many, risk):
    y = column(many, "outcome")
    found, exact = roc_auc_score(y, risk), patients.bayes_auc()
    ill, well = y.sum().item(), (1 - y).sum().item()
    q1, q2 = exact / (2 - exact), 2 * exact**2 / (1 + exact)  # standard error after Hanley and McNeil (1982)
    spread = exact * (1 - exact) + (ill - 1) * (q1 - exact**2) + (well - 1) * (q2 - exact**2)
    assert abs(found - exact) < 3 * (spread / (ill * well)) ** 0.5
    assert exact == pytest.approx(0.83, abs=0.005)


def test_the_exact_risk_is_calibrated_in_every_tenth(many, risk):
    y = column(many, "outcome")
    for tenth in risk.argsort().chunk(10):
        error = (risk[tenth] * (1 - risk[tenth])).sum().sqrt()
        assert abs((y[tenth] - risk[tenth]).sum()) < 4 * error


def test_the_exact_risk_is_that_of_the_density(many, risk):
    """p(1 | x) = p(x, 1) / (p(x, 0) + p(x, 1)), and the outcome in the record does not matter."""
    some = many[:500]
    both = torch.stack(
        [patients.log_prob(torch.cat([some[:, :9], torch.full((500, 1), y)], 1)) for y in (0.0, 1.0)]
    )
    torch.testing.assert_close(risk[:500], both.softmax(0)[1])
    assert torch.equal(risk[:500], patients.outcome_probability(some[:, :9]))


def test_the_log_density_of_one_patient_by_scipy():
    record = {"age": 70, "sex": 1, "smoker": 2, "exercise": 1, "bmi": 30, "diabetes": 1, "pressure": 150,
              "cholesterol": 6, "visits": 4, "outcome": 1}  # fmt: skip
    # by hand: t = 1, weight = log 30 − log 26.5
    w, sigmoid = math.log(30 / 26.5), lambda a: 1 / (1 + math.exp(-a))
    former, current = math.exp(0.5 + 0.5 - 0.7), math.exp(-0.5 + 0.4 - 0.7)
    by_hand = [
        stats.truncnorm((20 - 55) / 15, (90 - 55) / 15, 55, 15).logpdf(70),
        math.log(sigmoid(-0.08)),
        math.log(current / (1 + former + current)),
        stats.binom(3, sigmoid(0.1 - 0.5 - 0.7)).logpmf(1),
        stats.lognorm(0.13, scale=26.5 * math.exp(0.03 - 0.03 + 0.03 + 0.03)).logpdf(30),
        math.log(sigmoid(-2.5 + 0.6 + 7 * w)),
        stats.norm(122 + 7 + 25 * w + 3 + 5, 10).logpdf(150),
        stats.norm(5.3 + 0.3 - 0.25 + 1.5 * w + 0.3, 0.8).logpdf(6),
        stats.poisson(math.exp(0.4 + 0.3 + 0.5 + 0.2 + 0.075)).logpmf(4),
        math.log(sigmoid(-2.3 + 0.9 + 0.4 + 1 + 1 + 0.15 + 0.03 * 28 + 0.5 * 0.7)),
    ]
    found = patients.log_prob_of_columns(torch.tensor([[float(record[name]) for name in NAMES]]))[0]
    torch.testing.assert_close(found, torch.tensor(by_hand, dtype=torch.float64))


def test_a_seed_gives_the_same_patients_however_many_are_drawn():
    state = torch.get_rng_state()
    few, more = patients.sample(3, seeded(4)), patients.sample(5_000, seeded(4))
    assert few.dtype == torch.float64 and torch.equal(few, more[:3])
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(few, patients.sample(3, seeded(5)))
    uniform = torch.rand(5_000, 10, dtype=torch.float64, generator=seeded(4)).numpy()
    ages = stats.truncnorm((20 - 55) / 15, (90 - 55) / 15, 55, 15).ppf(uniform[:, 0])
    assert np.abs(more[:, 0].numpy() - ages).max() < 1e-6


def test_values_are_of_their_kind(many, scores):
    for each, values in zip(COLUMNS, many.T, strict=True):
        whole = (values == values.round()).all()
        assert whole != (each.kind == "continuous")
        if each.categories:
            assert values.unique().tolist() == list(range(len(each.categories)))
    assert 20 <= column(many, "age").min() and column(many, "age").max() <= 90
    assert scores.isfinite().all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("age", 17),
        ("age", 91),
        ("sex", 0.5),
        ("smoker", 3),
        ("exercise", -1),
        ("bmi", 0),
        ("bmi", -3),
        ("visits", 2.5),
    ],
)
def test_what_no_patient_has_has_no_density(many, name, value):
    records = many[:4].clone()
    column(records, name)[0] = value
    scores = patients.log_prob(records)
    assert scores[0] == -math.inf and scores[1:].isfinite().all()
    risk = patients.outcome_probability(records)
    assert risk[0].isnan() and risk[1:].isfinite().all()


def test_32_bits_are_taken_as_they_are(many):
    assert patients.log_prob(many[:50].float()) == pytest.approx(patients.log_prob(many[:50]), abs=1e-4)


@pytest.mark.parametrize("f", [patients.log_prob, patients.outcome_probability, records_table])
@pytest.mark.parametrize(
    ("records", "sentence"),
    [
        (torch.zeros(3, 8), r"shape \(B, 10\)"),
        (torch.zeros(10), r"shape \(B, 10\)"),
        (torch.zeros(3, 10, dtype=torch.int64), "floating-point"),
        (torch.full((3, 10), math.nan), "NaN"),
        ([[0.0] * 10], "tensor"),
    ],
)
def test_records_that_are_none(f, records, sentence):
    with pytest.raises(ValueError, match=sentence):
        f(records)


@pytest.mark.parametrize("n", [0, -1, 2.0, True])
@pytest.mark.parametrize("draw", [patients.sample, phantoms])
def test_numbers_that_cannot_be_drawn(draw, n):
    with pytest.raises(ValueError, match="whole number from 1"):
        draw(n)


def test_a_table_shows_names_and_units(many):
    shown = records_table(many[:200])
    assert shown.shape == (200, 10) and "age [years]" in shown and "bmi [kg/m²]" in shown
    assert shown["smoker"].cat.categories.tolist() == ["never", "former", "current"]
    assert shown["exercise"].cat.ordered and not shown["smoker"].cat.ordered
    assert shown["visits [per year]"].dtype.kind == "i"
    back = [
        shown[n].cat.codes if c.categories else shown.iloc[:, i]
        for i, (n, c) in enumerate(zip(NAMES, COLUMNS, strict=True))
    ]
    assert np.array_equal(np.stack(back, 1), many[:200].numpy())


@pytest.mark.parametrize(("name", "value"), [("sex", 2), ("smoker", 0.4), ("visits", -1), ("visits", 1.5)])
def test_a_table_of_values_that_are_no_category(many, name, value):
    records = many[:4].clone()
    column(records, name)[0] = value
    with pytest.raises(ValueError, match=f"column {name} .* round or decode"):
        records_table(records)


# --- the real table --------------------------------------------------------------------------------------------------


@pytest.fixture
def forgotten():
    patients._nhefs.cache_clear()
    yield
    patients._nhefs.cache_clear()


def test_what_is_wanted_is_said_where_it_is_missing(monkeypatch, forgotten):
    monkeypatch.setitem(sys.modules, "causaldata", None)
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps causaldata"):
        load_real_patients()


def test_codes_of_the_file_become_categories(monkeypatch, tmp_path, forgotten):
    """A file written as the package's is, with four people, two of whom lack an answer."""
    people = pd.DataFrame(
        {
            "age": [42.0, 36.0, 56.0, 68.0],
            "sex": pd.Categorical(["0", "1", "1", "0"], ["0", "1"]),
            "marital": [2.0, 6.0, 8.0, 3.0],  # 8 is unknown
            "education": pd.Categorical(["1", "5", "2", "3"], list("12345")),
            "exercise": pd.Categorical(["2", "0", "2", "1"], list("012")),
            "smokeintensity": [30.0, 20.0, 20.0, 3.0],
            "wt71": [80.0, 50.0, 60.0, 70.0],
            "ht": [200.0, 158.0, 160.0, 170.0],
            "sbp": [175.0, 123.0, 115.0, np.nan],
            "cholesterol": [197.0, 301.0, 157.0, 174.0],
            "death": [0.0, 1.0, 0.0, 1.0],
        }
    )
    (tmp_path / "causaldata" / "nhefs").mkdir(parents=True)
    (tmp_path / "causaldata" / "__init__.py").write_text("raise ImportError('no statsmodels')\n")
    people.to_stata(tmp_path / "causaldata" / "nhefs" / "nhefs.dta", write_index=False)
    monkeypatch.delitem(sys.modules, "causaldata", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    records, columns = load_real_patients()
    assert columns == REAL_COLUMNS
    assert records.tolist() == [
        [42, 0, 0, 0, 0, 30, pytest.approx(20), 175, 197, 0],
        [36, 1, 4, 4, 2, 20, pytest.approx(20.028842), 123, 301, 1],
    ]
    shown = records_table(records, columns)
    assert shown["sex"].tolist() == ["male", "female"] and shown["outcome"].tolist() == ["alive", "died"]
    assert shown["marital"].tolist() == ["married", "separated"]
    assert shown["exercise"].tolist() == ["little or none", "much"]


@pytest.mark.skipif(find_spec("causaldata") is None, reason="the real patients are an extra of the course")
def test_the_real_table_is_whole():
    records, columns = load_real_patients()
    assert records.shape == (1535, 10) and records.dtype == torch.float64 and records.isfinite().all()
    shown = records_table(records, columns)
    assert shown["sex"].value_counts().to_dict() == {"female": 786, "male": 749}
    assert shown["age [years]"].between(25, 74).all()
    assert (records[:, -1] == 1).double().mean() == pytest.approx(0.186, abs=0.001)
