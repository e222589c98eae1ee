"""A rule that reads the log of a GAN on points and names what went wrong; notebook 07 develops it."""

from collections.abc import Mapping, Sequence
from statistics import median, pstdev

DIAGNOSES = ("healthy", "vanishing gradient", "mode collapse", "oscillation", "range too small")


def signs(log: Mapping[str, Sequence[float]], largest_of_data: float) -> dict[str, float]:
    """Six numbers from the last third of a log, one curve a name, with `largest_of_data` the data's |coordinate|.

    gradient: the longest that reached G. reach: the largest coordinate of a fake over the data's. reach moved: by how
    much of itself it changed. wander: the root of the variance of the fakes' mean over time, in the unit of the data.
    good, modes: medians.
    """
    late = {name: values[-(len(values) // 3) :] for name, values in log.items()}
    largest = max(late["largest"])
    return {
        "gradient": max(late["g_gradient"]),
        "reach": largest / largest_of_data,
        "reach moved": (largest - min(late["largest"])) / largest,
        "wander": (pstdev(late["x"]) ** 2 + pstdev(late["y"]) ** 2) ** 0.5,
        "good": median(late["good"]),
        "modes": median(late["modes"]),
    }


def diagnose(log: Mapping[str, Sequence[float]], largest_of_data: float) -> str:
    """One of DIAGNOSES, or "unclear". The thresholds were set on the 20 development logs of `helpers.studies.logs`."""
    sign = signs(log, largest_of_data)
    if sign["gradient"] < 1e-4:
        return "vanishing gradient"
    if sign["reach"] < 0.9 and sign["reach moved"] < 0.01:
        return "range too small"
    if sign["wander"] > 0.5:
        return "oscillation"
    if sign["good"] >= 0.5:
        return "healthy" if sign["modes"] >= 6 else "mode collapse"
    return "unclear"
