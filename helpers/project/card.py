"""The card of a model: what it is for, what it is not for, and what is known of its errors."""

import math
from collections.abc import Mapping, Sequence
from statistics import median


def model_card(
    name: str,
    *,
    intended_use: str = "",
    out_of_scope_use: str = "",
    data_and_licence: str = "",
    figures: Mapping[str, Sequence[float]] | None = None,
    known_failures: str = "",
    who_is_harmed_by_errors: str = "",
) -> str:
    """The card of a model as Markdown; `figures` are a name → one number for each seed.

    Raises ValueError that names the parts which are missing, and for figures that are not finite. Source: after
    Mitchell et al. (2019), section 4, shortened.
    """
    parts = {
        "Intended use": intended_use,
        "Out-of-scope use": out_of_scope_use,
        "Data and licence": data_and_licence,
        "Figures": _figures(figures or {}),
        "Known failures": known_failures,
        "Who is harmed by errors": who_is_harmed_by_errors,
    }
    missing = [part for part, text in parts.items() if not text.strip()]
    if missing:
        raise ValueError(
            f"The card of {name!r} is not complete, please write: {', '.join(missing)}. What you do not know is a "
            'sentence as well: "not measured, because …".'
        )
    return "\n\n".join([f"### Model card: {name}", *(f"**{part}.** {text}" for part, text in parts.items())])


def _figures(figures: Mapping[str, Sequence[float]]) -> str:
    rows = []
    for name, values in figures.items():
        if not len(values) or not all(math.isfinite(value) for value in values):
            raise ValueError(f"{name!r} needs one finite number for each seed, here {list(values)}.")
        spread = f"{min(values):.3g} to {max(values):.3g}" if len(values) > 1 else "unknown"
        rows.append(f"| {name} | {median(values):.3g} | {spread} | {len(values)} |")
    head = ["", "", "| figure | median | least to largest | seeds |", "|---|---|---|---|"]
    return "\n".join([*head, *rows]) if rows else ""
