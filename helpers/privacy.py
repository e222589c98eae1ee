"""Generated records judged: of what use they are to others, and what they tell about the patients behind them."""

from collections.abc import Sequence

import numpy as np
import torch
from scipy.stats import binomtest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import Tensor

from helpers.data.patients import COLUMNS, Column
from helpers.data.scaling import Scaling

# --- of use ----------------------------------------------------------------------------------------------------------


def outcome_auc(
    training: Tensor, test: Tensor, columns: Sequence[Column] = COLUMNS, classifier=None
) -> float:
    """The AUC on `test` of a classifier of the last column that saw `training` alone, (N, D) and (M, D).

    With synthetic records as `training` and real ones as `test` this is TSTR (train on synthetic, test on real). The
    default classifier is logistic regression; any of scikit-learn's will do. Training records with one outcome only
    teach nothing: 0.5. Source: Esteban, Hyland, Rätsch (2017).
    """
    x, y = training[:, :-1].numpy(), training[:, -1].numpy()
    if len(np.unique(y)) == 1:
        return 0.5
    nominal = [i for i, column in enumerate(columns[:-1]) if column.kind == "categorical"]
    one_hot = OneHotEncoder(handle_unknown="ignore")
    scaled = ColumnTransformer(
        [("nominal", one_hot, nominal)], remainder=StandardScaler(), sparse_threshold=0
    )
    model = make_pipeline(scaled, classifier or LogisticRegression(max_iter=1000)).fit(x, y)
    return float(roc_auc_score(test[:, -1].numpy(), model.predict_proba(test[:, :-1].numpy())[:, 1]))


def marginals_only(records: Tensor, generator: torch.Generator) -> Tensor:
    """The records with each column permuted on its own, (N, D): every marginal is kept, every dependence lost."""
    return torch.stack(
        [column[torch.randperm(len(column), generator=generator)] for column in records.T], dim=1
    )


def correlation_error(records: Tensor, reference: Tensor, columns: Sequence[Column] = COLUMNS) -> float:
    """The mean |difference| of the correlations of all pairs of columns, of `records` (N, D) and `reference` (M, D).

    A category without an order counts as one column of zeros and ones for each value but the first. Real records have
    an error too, about 0.8/√N against a large reference: always show that finite-sample baseline beside it.
    """
    a, b = (torch.corrcoef(_indicators(each, columns).T) for each in (records, reference))
    pairs = torch.triu_indices(*a.shape, offset=1)
    differences = (a - b).nan_to_num(1.0)  # a constant column has no correlations
    return differences[pairs[0], pairs[1]].abs().mean().item()


def _indicators(records: Tensor, columns: Sequence[Column]) -> Tensor:
    parts = []
    for column, values in zip(columns, records.T, strict=True):
        if column.kind == "categorical":
            parts += [(values == k).double() for k in range(1, len(column.categories))]
        else:
            parts.append(values.double())
    return torch.stack(parts, dim=1)


# --- of harm ---------------------------------------------------------------------------------------------------------


def tpr_at_fpr(
    members: Tensor, others: Tensor, fpr: float = 0.05, confidence: float = 0.95
) -> dict[str, float]:
    """The share of members found when at most `fpr` of the non-members are accused, with its interval.

    `members` and `others` (N,) are scores, high where an attack takes somebody for a member; equally many, neither seen
    by the attack. Whoever scores above the threshold is accused; the threshold is the smallest score of a non-member
    that keeps the false positive rate. Returns tpr with its Clopper–Pearson interval low, high (which takes the
    threshold as given), the false positive rate itself, and the auc over all thresholds. Raises ValueError for
    different numbers and for NaN. Source: Carlini et al. (2022).
    """
    if members.shape != others.shape or members.ndim != 1 or not len(members):
        raise ValueError(
            f"An attack is tried on equally many members and non-members, one score each; these are "
            f"{tuple(members.shape)} and {tuple(others.shape)}: cut the larger set."
        )
    if members.isnan().any() or others.isnan().any():
        raise ValueError("Scores hold NaN: look where the numbers stopped being numbers.")
    accused = int(fpr * len(others) + 1e-9)  # how many non-members may be
    threshold = others.sort(descending=True).values[min(accused, len(others) - 1)]
    found = int((members > threshold).sum())
    interval = binomtest(found, len(members)).proportion_ci(confidence, method="exact")  # Clopper–Pearson
    scores = torch.cat([members, others]).double().nan_to_num()  # scikit-learn wants finite numbers
    is_member = np.repeat([1, 0], len(members))
    return {
        "tpr": found / len(members),
        "low": float(interval.low),
        "high": float(interval.high),
        "fpr": (others > threshold).double().mean().item(),
        "auc": float(roc_auc_score(is_member, scores.numpy())),
    }


def closest_distance(records: Tensor, others: Tensor, scaling: Scaling, rows: int = 500) -> Tensor:
    """The Euclidean distance of each of `records` (N, D) to the closest of `others` (M, D), (N,), as networks see them.

    Minus this distance to the generated records is a score for `tpr_at_fpr` that needs no density.
    """
    a, b = (scaling.features(scaling.standardise(each)) for each in (records, others))
    return torch.cat([torch.cdist(part, b).min(dim=1).values for part in a.split(rows)])


def closer_to_training(generated: Tensor, training: Tensor, held_out: Tensor, scaling: Scaling) -> float:
    """The share of `generated` records whose closest real record is a training one: 0.5 if none is copied.

    Raises ValueError unless `training` and `held_out` are equally many: a set four times as large holds the closest
    record of four in five, whatever the generator. A low share shows no privacy; the attack of `tpr_at_fpr` looks at
    single patients and finds what this average hides.
    """
    if len(training) != len(held_out):
        raise ValueError(
            f"The larger of two sets is closer to everything, and these are {len(training)} and {len(held_out)}: "
            "cut the larger one."
        )
    to_training, to_held_out = (closest_distance(generated, each, scaling) for each in (training, held_out))
    ties = (to_training == to_held_out).double() / 2
    return ((to_training < to_held_out).double() + ties).mean().item()
