"""Patients: records of ten mixed columns from a known Bayesian network, and a real table.

A table of patients is a float64 tensor (n, columns) with a `Column` for each; categories are written 0, 1, 2, …
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Binomial, Categorical, Distribution, LogNormal, Normal, Poisson, constraints

from helpers.data.doors import ends_of, expect_count, expect_floats

if TYPE_CHECKING:
    import pandas as pd  # imported where a table is made, so that notebooks without one start sooner


@dataclass(frozen=True)
class Column:
    """One column: `kind` is continuous, count, ordinal, categorical or binary; category k is written as k = 0, 1, …"""

    name: str
    kind: str
    categories: tuple[str, ...] = ()
    unit: str = ""


COLUMNS = (
    Column("age", "continuous", unit="years"),
    Column("sex", "binary", ("female", "male")),
    Column("smoker", "categorical", ("never", "former", "current")),
    Column("exercise", "ordinal", ("none", "light", "moderate", "hard")),
    Column("bmi", "continuous", unit="kg/m²"),
    Column("diabetes", "binary", ("no", "yes")),
    Column("pressure", "continuous", unit="mmHg"),
    Column("cholesterol", "continuous", unit="mmol/l"),
    Column("visits", "count", unit="per year"),
    Column("outcome", "binary", ("well", "heart attack"), unit="within ten years"),
)
MOST_VISITS = 40  # the mean is below 8, so what lies beyond has a probability below 1e−15


# --- the network -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TruncatedNormal:
    """The normal density N(mean, std²) between `low` and `high`, divided by its mass Z there, and 0 elsewhere."""

    mean: float
    std: float
    low: float
    high: float

    @property
    def support(self) -> constraints.Constraint:
        return constraints.interval(self.low, self.high)

    @property
    def ends(self) -> Tensor:
        return (torch.tensor([self.low, self.high], dtype=torch.float64) - self.mean) / self.std

    def log_prob(self, value: Tensor) -> Tensor:
        below, above = torch.special.ndtr(self.ends)
        inside = -((value - self.mean) / self.std).square() / 2
        inside = inside - math.log(self.std * math.sqrt(2 * math.pi)) - (above - below).log()
        return inside.where((value >= self.low) & (value <= self.high), -math.inf)

    def icdf(self, u: Tensor) -> Tensor:
        below, above = torch.special.ndtr(self.ends)
        return self.mean + self.std * torch.special.ndtri(below + u * (above - below))

    def entropy(self) -> Tensor:
        """log(σ Z √(2πe)) + (α φ(α) − β φ(β)) / 2Z nats, α and β the standardised ends."""
        below, above = torch.special.ndtr(self.ends)
        mass = above - below
        at_low, at_high = self.ends * torch.exp(-self.ends.square() / 2) / math.sqrt(2 * math.pi)
        return (self.std * mass * math.sqrt(2 * math.pi * math.e)).log() + (at_low - at_high) / (2 * mass)


def _categories(*logits: Tensor | float) -> Categorical:
    return Categorical(logits=torch.stack(torch.broadcast_tensors(*map(torch.as_tensor, logits)), dim=-1))


def _yes(logit: Tensor | float) -> Categorical:
    """Bernoulli(σ(logit)), written as the categories 0 and 1."""
    logit = torch.as_tensor(logit, dtype=torch.float64)
    return _categories(torch.zeros_like(logit), logit)


def _numbers(counts: Distribution, most: int) -> Categorical:
    """The same distribution over 0, 1, …, most, as a list of probabilities."""
    support = torch.arange(most + 1, dtype=torch.float64).view(-1, *[1] * len(counts.batch_shape))
    return Categorical(logits=counts.log_prob(support).movedim(0, -1))


def _network(column: Callable[[str, Distribution], Tensor]) -> None:
    """The Bayesian network, written as a program: p(x) = Πᵢ p(xᵢ | parents of xᵢ), in the order of `COLUMNS`.

    `column(name, distribution)` decides what happens at a column and gives its values: drawn, looked up in a record, or
    the nodes of a numerical integral. The parents of a column are those whose values its distribution needs.
    """
    age = column("age", TruncatedNormal(55.0, 15.0, 20.0, 90.0))
    t = (age - 55) / 15
    male = column("sex", _yes(-0.08))
    smoker = column("smoker", _categories(0 * t, 0.5 * t + 0.5 * male - 0.7, -0.5 * t + 0.4 * male - 0.7))
    former, current = (smoker == 1).double(), (smoker == 2).double()
    exercise = column("exercise", _numbers(Binomial(3, logits=0.1 - 0.5 * t - 0.7 * current), 3))
    size = math.log(26.5) + 0.03 * t - 0.03 * t**2 - 0.06 * (exercise - 1.5) + 0.03 * male
    bmi = column("bmi", LogNormal(size, 0.13))
    weight = bmi.log() - math.log(26.5)
    diabetes = column("diabetes", _yes(-2.5 + 0.6 * t + 7 * weight))
    pressure = column("pressure", Normal(122 + 7 * t + 25 * weight + 3 * male + 5 * diabetes, 10.0))
    fat = 5.3 + 0.3 * t - 0.25 * t**2 + 1.5 * weight + 0.3 * current
    cholesterol = column("cholesterol", Normal(fat, 0.8))
    often = 0.4 + 0.3 * t + 0.5 * diabetes + 0.2 * (former + current) - 0.15 * (exercise - 1.5)
    column("visits", _numbers(Poisson(often.exp()), MOST_VISITS))
    risk = (
        -2.3 + 0.9 * t + 0.4 * male + 0.3 * former + 1.0 * current + 1.0 * diabetes - 0.3 * (exercise - 1.5)
        + 0.03 * (pressure - 122) + 0.5 * (cholesterol - 5.3)
    )  # fmt: skip
    column("outcome", _yes(risk))


# --- records: drawn, scored, shown -----------------------------------------------------------------------------------


def sample(n: int, generator: torch.Generator | None = None) -> Tensor:
    """`n` independent patients, (n, 10) float64, columns as in `COLUMNS`.

    Column i is the quantile function of p(xᵢ | its parents) at a uniform number of its own, so that the first rows are
    the same however many are drawn. Raises ValueError for n < 1.
    """
    expect_count(n)
    # A uniform number of exactly 0 would be an age of 20 years or a pressure of −∞.
    uniform = torch.rand(n, len(COLUMNS), dtype=torch.float64, generator=generator).clamp(min=2**-54)
    drawn = []

    def column(_: str, distribution: Distribution) -> Tensor:
        u = uniform[:, len(drawn)]
        if isinstance(distribution, Categorical):
            below = distribution.probs.cumsum(-1)[..., :-1] < u[:, None]
            drawn.append(below.sum(-1).double())
        else:
            drawn.append(distribution.icdf(u))
        return drawn[-1]

    _network(column)
    return torch.stack(drawn, dim=1)


def log_prob_of_columns(records: Tensor) -> Tensor:
    """log p(xᵢ | parents of xᵢ) in nats, (B, 10): continuous columns as densities, the others as probabilities.

    A value that no patient has (an age of 17, a sex of 0.5) gives −∞. Raises ValueError for another shape and for NaN.
    """
    return _scored(records)[0]


def log_prob(records: Tensor) -> Tensor:
    """log p(x) = Σᵢ log p(xᵢ | parents of xᵢ) in nats, (B, 10) to (B,).

    The density is one with respect to Lebesgue measure on the four continuous columns, in their units, and counting
    measure on the other six. A record that no patient can have gives −∞. Raises ValueError for another shape and NaN.
    """
    return log_prob_of_columns(records).sum(1)


def outcome_probability(records: Tensor) -> Tensor:
    """p(outcome = 1 | the nine other columns), exact, (B, 10) or (B, 9) to (B,): no classifier ranks patients better.

    The outcome itself is not looked at. Where another column has a value that no patient has, the answer is NaN. Raises
    ValueError for another shape and for NaN.
    """
    if isinstance(records, Tensor) and records.ndim == 2 and records.shape[1] == len(COLUMNS) - 1:
        records = torch.cat([records, torch.zeros_like(records[:, :1])], dim=1)
    scores, outcome = _scored(records)
    return outcome.probs[:, 1].where(scores[:, :-1].isfinite().all(1), math.nan)


def _scored(records: Tensor) -> tuple[Tensor, Categorical]:
    """log p of every column, (B, 10), and the distribution of the last; on the CPU, where there is float64."""
    records = expect_records(records, COLUMNS).cpu().double()
    scores, distributions = [], []

    def column(_: str, distribution: Distribution) -> Tensor:
        value = records[:, len(scores)]
        possible = distribution.support.check(value)
        value = value.where(possible, 1.0)  # some number, so that the columns after it have parents
        scores.append(distribution.log_prob(value).where(possible, -math.inf))
        distributions.append(distribution)
        return value

    _network(column)
    return torch.stack(scores, dim=1), distributions[-1]


def records_table(records: Tensor, columns: tuple[Column, ...] = COLUMNS) -> "pd.DataFrame":
    """The records as pandas shows them best: category names, whole counts, and units in the headings.

    Raises ValueError for another shape, for NaN, and for a category or a count that is none, as a network may write it.
    """
    import pandas as pd

    records = expect_records(records, columns)
    shown = {}
    for column, values in zip(columns, records.detach().cpu().double().numpy().T, strict=True):
        most = len(column.categories) - 1 if column.categories else np.inf
        possible = (values == values.round()) & (values >= 0) & (values <= most)
        if column.kind != "continuous" and not possible.all():
            raise ValueError(
                f"The column {column.name} is a {column.kind} one, written 0, 1, 2, …"
                f"{f' up to {most}' if column.categories else ''}, and holds other numbers: round or decode them first."
            )
        if column.categories:
            ordered = column.kind == "ordinal"
            shown[column.name] = pd.Categorical.from_codes(values.astype(int), column.categories, ordered)
        else:
            heading = f"{column.name} [{column.unit}]" if column.unit else column.name
            shown[heading] = values.astype(int) if column.kind == "count" else values
    return pd.DataFrame(shown)


def expect_records(records: Tensor, columns: tuple[Column, ...]) -> Tensor:
    """The records (B, D) themselves; raises ValueError unless they are finite floats with one column for each."""
    if expect_floats(records, "Records").ndim != 2 or records.shape[1] != len(columns):
        raise ValueError(
            f"Records have the shape (B, {len(columns)}), one column for each of {', '.join(c.name for c in columns)}; "
            f"these have {tuple(records.shape)}."
        )
    ends_of(records, "Records")
    return records


# --- what is known exactly about all patients together ---------------------------------------------------------------


def entropy_of_columns() -> dict[str, float]:
    """H(xᵢ | parents of xᵢ) in nats for every column, the expectation over the parents by Gaussian quadrature."""
    return dict(_integrated()[0])


def entropy() -> float:
    """H = −E log p(x) = Σᵢ H(xᵢ | parents of xᵢ) in nats: no model has a lower expected −log p."""
    return sum(_integrated()[0].values())


def bayes_auc() -> float:
    """P(risk of a patient with outcome 1 > risk of one with outcome 0), for the exact risk p(outcome | x)."""
    return _integrated()[1]


@cache
def _integrated(nodes: int = 12) -> tuple[dict[str, float], float]:
    """Conditional entropies, and the AUC of the exact risk: the network run on the nodes of an integral.

    Every column adds one axis in front, with its nodes and their weights given its parents: the categories with their
    probabilities, or Gauss–Legendre (age) and Gauss–Hermite nodes. `joint` is the product of the weights so far.
    """
    joint = torch.ones((), dtype=torch.float64)
    entropies, auc = {}, 0.0

    def column(name: str, distribution: Distribution) -> Tensor | None:
        nonlocal joint, auc
        entropies[name] = (joint * distribution.entropy()).sum().item()
        if name == "outcome":
            auc = _auc(distribution.probs[..., 1].expand_as(joint).flatten(), joint.flatten())
        if name in ("visits", "outcome"):
            return None  # nothing depends on these: no axis
        values, weights = _nodes(distribution, nodes, axes=joint.ndim)
        joint = joint * weights
        return values

    _network(column)
    return entropies, auc


def _nodes(distribution: Distribution, nodes: int, axes: int) -> tuple[Tensor, Tensor]:
    """Nodes and weights of E f(x), along a new axis in front of the `axes` that there are."""
    if isinstance(distribution, Categorical):
        *parents, k = distribution.probs.shape
        in_front = (k, *[1] * (axes - len(parents)), *parents)
        values = torch.arange(k, dtype=torch.float64).view(-1, *[1] * axes)
        return values, distribution.probs.movedim(-1, 0).reshape(in_front)
    rule = np.polynomial.legendre.leggauss if isinstance(distribution, TruncatedNormal) else _hermite
    at, weights = (torch.from_numpy(each).view(-1, *[1] * axes) for each in rule(nodes))
    if isinstance(distribution, TruncatedNormal):
        half = (distribution.high - distribution.low) / 2
        at = distribution.low + half * (at + 1)
        return at, half * weights * distribution.log_prob(at).exp()
    normal = distribution.base_dist if isinstance(distribution, LogNormal) else distribution
    at = normal.mean + normal.stddev * at
    return (at.exp() if isinstance(distribution, LogNormal) else at), weights


def _hermite(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of E f(x) for x ~ N(0, 1)."""
    at, weights = np.polynomial.hermite_e.hermegauss(nodes)
    return at, weights / weights.sum()


def _auc(risk: Tensor, share: Tensor) -> float:
    """P(risk of an ill one > risk of a well one), where a `share` of the patients has this `risk`."""
    risk, order = risk.sort()
    ill, well = share[order] * risk, share[order] * (1 - risk)
    below = well.cumsum(0) - well / 2  # half of a tie counts
    return ((ill * below).sum() / (ill.sum() * well.sum())).item()


# --- a real table ----------------------------------------------------------------------------------------------------

REAL_COLUMNS = (
    Column("age", "continuous", unit="years"),
    Column("sex", "binary", ("male", "female")),
    Column("marital", "categorical", ("married", "widowed", "never married", "divorced", "separated")),
    Column(
        "education",
        "ordinal",
        ("8th grade or less", "some high school", "high school", "some college", "college"),
    ),
    Column("exercise", "ordinal", ("little or none", "moderate", "much")),
    Column("cigarettes", "count", unit="per day"),
    Column("bmi", "continuous", unit="kg/m²"),
    Column("pressure", "continuous", unit="mmHg"),
    Column("cholesterol", "continuous", unit="mg/dl"),
    Column("outcome", "binary", ("alive", "died"), unit="by 1992"),
)


@cache
def _nhefs() -> "pd.DataFrame":
    """All 1,629 people and 67 columns, straight from the package's file: its own loader wants statsmodels as well."""
    package = find_spec("causaldata")
    if package is None:
        raise ModuleNotFoundError(
            "The real patients are an extra of the course: `%pip install --no-deps causaldata` in a cell fetches them "
            "(3 MB)."
        )
    import pandas as pd

    return pd.read_stata(Path(package.origin).parent / "nhefs" / "nhefs.dta")


def load_real_patients() -> tuple[Tensor, tuple[Column, ...]]:
    """Real people: American smokers aged 25 to 74 when they were first examined, from 1971, and who had died by 1992.

    Returns records (n, 10) float64 and their columns, of those people for whom all ten are known, in the file's order.
    Blood pressure was measured in 1982, when all were alive, the rest before. Their density is not known. Raises
    ModuleNotFoundError with the line to type where the package `causaldata` (MIT) is missing.

    Source: NHANES I Epidemiologic Follow-up Study, cleaned by Hernán and Robins, Causal Inference: What If (2020).
    Public-use data of the National Center for Health Statistics, whose terms hold: for statistics only, no attempt to
    learn who somebody is, no research on how to. Attacks on privacy are therefore tried on `sample`'s patients alone.
    """
    import pandas as pd

    people = _nhefs()
    codes = pd.DataFrame(
        {
            "age": people.age,
            "sex": people.sex.astype(float),
            "marital": people.marital.map({2: 0, 3: 1, 4: 2, 5: 3, 6: 4}),
            "education": people.education.astype(float) - 1,
            "exercise": 2 - people.exercise.astype(float),  # the file writes 0 for much
            "cigarettes": people.smokeintensity,
            "bmi": people.wt71 / (people.ht / 100) ** 2,
            "pressure": people.sbp,
            "cholesterol": people.cholesterol,
            "outcome": people.death,
        }
    )
    return torch.from_numpy(codes.dropna().to_numpy(dtype=np.float64, copy=True)), REAL_COLUMNS
