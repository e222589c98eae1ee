"""Check of notebook 07: how many modes do points cover, and how many of the points are good?"""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from helpers.checks.frame import Answer, Feedback, Mistake, Way, a_or_an, gives_feedback, number, right


def _coverage(points, centres, std, reach=3.0, least=0.02, of="all", good_at="nearest", strictly=False):
    """(modes, good) with parts of the definition changed."""
    distance, nearest = torch.cdist(points, centres).min(dim=1)
    good = distance < reach * std
    counts = (nearest[good] if good_at == "nearest" else nearest).bincount(minlength=len(centres))
    total = {"all": len(points), "good": max(int(good.sum()), 1), "one": 1}[of]
    enough = counts / total > least if strictly else counts / total >= least
    return int(enough.sum()), good.float().mean().item()


def _inside(inside: Tensor) -> tuple[int, float]:
    """(modes, good) from a table (N, K) of which point is good at which mode."""
    return int((inside.float().mean(0) >= 0.02).sum()), inside.any(1).float().mean().item()


def _boxes(points, centres, std):
    """A square of ±3 standard deviations in place of a disc."""
    return _inside(((points[:, None] - centres).abs() < 3 * std).all(2))


def _diamonds(points, centres, std):
    return _inside(torch.cdist(points, centres, p=1) < 3 * std)


def _only_at_covered(points, centres, std):
    inside = torch.cdist(points, centres) < 3 * std
    covered = inside.float().mean(0) >= 0.02
    return int(covered.sum()), inside[:, covered].any(1).float().mean().item()


def _with(change: Callable) -> Callable:
    return lambda *case: change(*_coverage(*case))


COVERAGE_WAYS = [
    Way("right", _coverage),
    Way(
        "exchanged",
        _with(lambda modes, good: (good, modes)),
        "The two have changed places: first the number of modes, then the share of good points.",
    ),
    Way(
        "of_good",
        lambda *case: _coverage(*case, of="good"),
        "You take 2 % of the good points. A mode needs 2 % of all points, or few good points would cover many modes.",
    ),
    Way(
        "any_point",
        lambda *case: _coverage(*case, of="one", least=1),
        "One point is enough for a mode in yours. It needs 2 % of all points: a stray one covers nothing.",
    ),
    Way(
        "all_near",
        lambda *case: _coverage(*case, good_at="anywhere"),
        "You count the points nearest to a mode, however far away. Only those within three standard deviations count.",
    ),
    Way(
        "one_sigma",
        lambda *case: _coverage(*case, reach=1.0),
        "Your discs have a radius of one standard deviation; three are asked for.",
    ),
    Way(
        "two_sigma",
        lambda *case: _coverage(*case, reach=2.0),
        "Your discs have a radius of two standard deviations; three are asked for.",
    ),
    Way(
        "no_std",
        lambda points, centres, std: _coverage(points, centres, 1.0),
        "Your discs have a radius of 3, whatever `std` is.",
    ),
    Way(
        "squared",
        lambda points, centres, std: _coverage(points, centres, (3 * std) ** 0.5 / 3),
        "A squared distance is compared with a distance that is not squared, or the reverse.",
    ),
    Way(
        "squared",
        lambda points, centres, std: _coverage(points, centres, 3 * std**2),
        "A distance is compared with a squared one.",
    ),
    Way(
        "squared",
        lambda *case: _coverage(*case, reach=3**0.5),
        "A squared distance is compared with 3 std². Where is the square of the 3?",
    ),
    Way("boxes", _boxes, "You ask each coordinate alone, which makes squares. A distance makes discs."),
    Way(
        "diamonds",
        _diamonds,
        "You add up absolute coordinates, which makes diamonds. A distance makes discs.",
    ),
    Way(
        "too_wide",
        lambda *case: _coverage(*case, reach=3 * 2**0.5),
        "Your discs are wider by √2. `std` is that of one coordinate, and three of it are asked for.",
    ),
    Way(
        "share_of_share",
        lambda points, centres, std: _coverage(points, centres, std, least=0.02 / len(centres)),
        "You divide the 2 % by the number of modes. A mode needs 2 % of all points, however many modes there are.",
    ),
    Way(
        "missing_modes",
        lambda points, centres, std: (
            len(centres) - _coverage(points, centres, std)[0],
            _coverage(points, centres, std)[1],
        ),
        "You count the modes that are missing; those that are covered are asked for.",
    ),
    Way(
        "all_modes",
        lambda points, centres, std: (len(centres), _coverage(points, centres, std)[1]),
        "You return the number of all modes, even those without any point.",
    ),
    Way(
        "only_at_covered",
        _only_at_covered,
        "A good point is left out where its mode is not covered. It lies near a mode all the same, and is good.",
    ),
    Way(
        "good_count",
        lambda points, centres, std: (
            _coverage(points, centres, std)[0],
            _coverage(points, centres, std)[1] * len(points),
        ),
        "You return the number of good points; their share is asked for.",
    ),
    Way(
        "one_percent",
        lambda *case: _coverage(*case, least=0.01),
        "One per cent of the points is enough in yours; 2 % are asked for.",
    ),
    Way(
        "twenty_percent",
        lambda *case: _coverage(*case, least=0.2),
        "Yours asks for 20 % of the points: 2 % is 0.02.",
    ),
    Way(
        "equal_share",
        lambda points, centres, std: _coverage(points, centres, std, least=1 / len(centres)),
        "You ask each mode for its full, equal share, which even perfect samples miss by chance. 2 % are asked for.",
    ),
    Way(
        "share_of_modes",
        lambda points, centres, std: (
            _coverage(points, centres, std)[0] / len(centres),
            _coverage(points, centres, std)[1],
        ),
        "You return the share of the modes; their number is asked for.",
    ),
    Way(
        "per_cent",
        _with(lambda modes, good: (modes, 100 * good)),
        "The share of good points is given in per cent; a share lies between 0 and 1.",
    ),
    Way(
        "bad_share",
        _with(lambda modes, good: (modes, 1 - good)),
        "You return the share of points that are not good.",
    ),
]


def _cases() -> list[tuple[Tensor, Tensor, float]]:
    """400 points around eight places on a circle, and around six on a line: some have few or none, some stray."""
    angle = torch.arange(8) * torch.pi / 4
    circle = 2 * torch.stack([angle.cos(), angle.sin()], 1)
    line = torch.stack([3.0 * torch.arange(6), torch.zeros(6)], 1).to(circle)
    cases = []
    # 7 and 6 of 400 are below 2 % of all, above 2 % of the good; 4 are 1 % of all; 63 are below 20 %. One point is not
    # enough on the line, even for 2 % of an equal share, and its last mode has none.
    for centres, std, counts in (
        (circle, 0.1, (95, 63, 9, 7, 6, 4, 30, 1)),
        (line, 0.25, (70, 66, 1, 9, 100, 0)),
    ):
        parts = []
        for centre, n in zip(centres, counts, strict=True):  # at most 2.7 standard deviations away
            turn, far = 2 * torch.pi * torch.rand(n, 1), 2.7 * std * torch.rand(n, 1)
            parts.append(centre + far * torch.cat([turn.cos(), turn.sin()], 1))
        side = torch.tensor([1.0, 1.0]).to(circle)
        parts.append(
            centres[1] + 2.6 * std * side + 0.05 * std * torch.randn(22, 2)
        )  # in a square, in no disc
        for k in (3, 4):  # nearest to a mode, far from it
            parts.append(centres[k] + 4.5 * std * side + 0.1 * std * torch.randn(15, 2))
        ahead = torch.tensor([0.0, 3.6 * std]).to(circle)  # in no disc or square, in a disc wider by √2
        parts.append(centres[1] + ahead + 0.05 * std * torch.randn(12, 2))
        parts.append(20 + torch.rand(400 - sum(map(len, parts)), 2))
        cases.append((torch.cat(parts)[torch.randperm(400)], centres, std))
    return cases


def _pair(value: object) -> tuple[float, float]:
    """The two numbers of an answer; raises `Mistake` where there are not two."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, Tensor | np.ndarray) and tuple(value.shape) == (2,):
        value = tuple(value.tolist())
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise Mistake(
            "type",
            f"Two values are asked for, the number of modes and the share of good points, not {a_or_an(value)}.",
        )
    for each, hint in zip(
        value,
        (
            "The first value should be how many modes are covered; yours says something of each of several.",
            "The second value should be one share for all points; yours says something of each of several.",
        ),
        strict=True,
    ):
        if isinstance(each, list | tuple) or (
            isinstance(each, Tensor | np.ndarray) and np.prod(each.shape) != 1
        ):
            raise Mistake("shape", hint)
    return number(value[0], "modes"), number(value[1], "good")


def _same(one: tuple, other: tuple) -> bool:
    return abs(one[0] - other[0]) < 1e-4 and abs(one[1] - other[1]) < 1e-4


@gives_feedback
def check_mode_coverage(coverage: Callable[[Tensor, Tensor, float], tuple]) -> Feedback:
    """Say whether `coverage(points, centres, std)` counts the modes with at least 2 % of all points within 3 std, and
    returns that number with the share of points within 3 std of any mode.

    points (N, 2), centres (K, 2); numbers or tensors are taken. Compared on rings and lines with modes that few points
    cover, strays and corners. Raises nothing. Source: after Srivastava et al. (2017), section 4.1.
    """
    answer = Answer(coverage, "my_mode_coverage(points, centres, std)")
    torch.manual_seed(7)
    cases = _cases()
    seen = []
    for points, centres, std in cases:
        given = points.clone(), centres.clone()
        seen.append(_pair(answer(*given, std)))
        if not (torch.equal(given[0], points) and torch.equal(given[1], centres)):
            raise Mistake("changed_input", "Your function changes the points or the centres it was given.")
    for way in COVERAGE_WAYS:
        if all(_same(each, way.answer(*case)) for each, case in zip(seen, cases, strict=True)):
            if way.kind == "right":
                return right("Modes and good points are both counted: one alone can look fine in a collapse.")
            raise Mistake(way.kind, way.message)
    wanted = [_coverage(*case) for case in cases]
    if all(abs(each[1] - want[1]) < 1e-4 for each, want in zip(seen, wanted, strict=True)):
        raise Mistake(
            "modes",
            f"The share of good points is right. On a ring of eight you count {seen[0][0]:.3g} modes: for each mode, "
            "count the good points nearest to it, and compare with 2 % of all points.",
        )
    raise Mistake(
        "good",
        f"The share of good points is {seen[0][1]:.3g} in yours, where {wanted[0][1]:.3g} lie within three standard "
        "deviations of a mode. Begin with the distance of each point to its nearest centre.",
    )
