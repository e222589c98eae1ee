"""Checks of notebook 18: one frame further with reflection at the walls, and one content code for all frames."""

from collections.abc import Callable

import torch
from torch import Tensor

from helpers.feedback import Case, Feedback, Mistake, Observe, Row, Task, Trial, Wanted, diagnose
from helpers.feedback.fallbacks import told, worst
from helpers.feedback.probes import at, in_any_order, other_dtype

# A: the next frame. Positions and velocities (N, 2); no step is longer than the box.


def _hits(c: Case) -> tuple[Tensor, Tensor, Tensor]:
    """Where a centre would be without walls, and whether that is below the least or above the largest coordinate."""
    free = c.position + c.velocity
    return free, free < c.low, free > c.high


def _placed(at_low: Callable, at_high: Callable) -> Callable:
    """The next position, where `at_low(c, free)` and `at_high(c, free)` say what happens behind a wall."""

    def position(c: Case) -> Tensor:
        free, below, above = _hits(c)
        return torch.where(below, at_low(c, free), torch.where(above, at_high(c, free), free))

    return position


def _same(f: Callable) -> Callable:
    return _placed(f, f)


def _free(c: Case, free: Tensor) -> Tensor:
    return free


def _mirror(wall: str) -> Callable:
    return lambda c, free: 2 * c[wall] - free


BEYOND = "What lies beyond the wall has to come back into the box, as far as it had gone out."
POSITIONS = [
    Row("right", _placed(_mirror("low"), _mirror("high")), ok=True),
    Row("no_wall", _same(_free),
        f"The position goes straight on through the walls. {BEYOND}"),
    Row("sticks", lambda c: (c.position + c.velocity).clamp(c.low, c.high),
        f"At a wall the rest of the step is lost, so the digit sticks to the wall for a frame. {BEYOND}"),
    Row("waits", _same(lambda c, free: c.position),
        "Where a wall would be hit your digit stays where it is for a frame. It flies up to the wall, and then back."),
    Row("early", _same(lambda c, free: c.position - c.velocity),
        "Your digit turns round where it stands and takes the whole step back. First it flies up to the wall: only "
        "what is left of the step goes back."),
    Row("wraps", lambda c: c.low + (c.position + c.velocity - c.low) % (c.high - c.low),
        "What leaves the box on one side comes in again on the other. Here the walls reflect."),
    Row("high_only", _placed(_free, _mirror("high")),
        "Your position is reflected at `high` alone. What happens at `low`?"),
    Row("low_only", _placed(_mirror("low"), _free),
        "Your position is reflected at `low` alone. What happens at `high`?"),
    Row("distance", _same(lambda c, free: torch.where(free > c.high, free - c.high, c.low - free)),
        "Behind a wall your position is the *distance* from it. Measure that distance from the wall, into the box."),
    Row("from_zero", _placed(lambda c, free: c.low - free, lambda c, free: c.high - free),
        "The mirror image of u at a wall w is 2w − u, as far in front of the wall as u is behind it. Is a w missing?"),
    Row("other_wall", _placed(_mirror("high"), _mirror("low")),
        "You mirror at the opposite wall. Which wall is hit where u is below `low`?"),
]  # fmt: skip


def _turned(hit: Callable) -> Callable:
    """The next velocity, turned where `hit(below, above)` holds."""

    def velocity(c: Case, position: Tensor) -> Tensor:
        return torch.where(hit(*_hits(c)[1:]), -c.velocity, c.velocity)

    return velocity


VELOCITIES = [
    Row("right", _turned(lambda below, above: below | above), ok=True),
    Row("not_turned", lambda c, position: c.velocity,
        "The velocity never changes, so in the frame after a bounce the digit flies into the wall again. Which sign "
        "does it have after a bounce?"),
    Row("both_turned", _turned(lambda below, above: (below | above).any(-1, keepdim=True).expand_as(below)),
        "A bounce turns *both* parts of your velocity. A wall on the left changes the motion across and leaves that "
        "up or down as it is."),
    Row("always_turned", lambda c, position: -c.velocity,
        "Your velocity is turned in every step, with a wall or without."),
    Row("wrong_way", _turned(lambda below, above: ~(below | above)),
        "Your velocity is turned where there is *no* wall, and kept where there is one."),
    Row("turned_at_high", _turned(lambda below, above: above),
        "After a bounce your velocity is right at `high` and not at `low`. Is it turned at one wall alone, or made "
        "negative?"),
    Row("turned_at_low", _turned(lambda below, above: below),
        "After a bounce your velocity is right at `low` and not at `high`. Is it turned at one wall alone, or made "
        "positive?"),
    Row("stopped", lambda c, position: torch.where(_hits(c)[1] | _hits(c)[2], 0 * c.velocity, c.velocity),
        "A wall stops your digit: that part of the velocity becomes 0. The wall turns it and takes nothing away."),
    Row("step", lambda c, position: position - c.position,
        "Your velocity is the step that was just made. In a step with a bounce that is too short: part of the way was "
        "flown back."),
]  # fmt: skip

FLIGHTS = [  # position, velocity: straight, at each wall, in a corner, slow, and close to a wall but away from it
    ([[4.0, 5.0], [2.5, 6.0], [8.6, 4.0], [5.0, 2.2], [6.3, 8.9], [2.1, 8.8], [8.7, 2.4], [3.0, 8.5]],
     [[1.2, -0.7], [-1.4, 0.9], [1.9, 1.1], [0.6, -1.3], [-0.8, 1.7], [-0.9, 1.5], [0.8, -1.6], [-0.2, -1.4]],
     2.0, 9.0),
    ([[0.4, 3.9], [3.6, 0.7], [2.0, 2.5], [0.2, 0.3], [1.5, 3.8]],
     [[-1.1, 0.6], [0.9, -1.2], [0.5, 0.3], [-0.7, -0.9], [-0.4, -1.0]],
     -0.5, 4.25),
]  # fmt: skip


def _flights() -> list[Case]:
    return [
        Case(position=torch.tensor(p), velocity=torch.tensor(v), low=low, high=high)
        for p, v, low, high in FLIGHTS
    ]


def _one_flight(trial: Trial) -> Mistake:
    case, name, place, given, wanted = worst(trial)
    row, axis = place
    x, v = float(case.position[row, axis]), float(case.velocity[row, axis])
    return Mistake(
        "value",
        f"From {told(x)} with the velocity {told(v)}, between walls at {told(case.low)} and {told(case.high)}, your "
        f"next {name} is {told(given)}, and should be {told(wanted)}. Do this step by hand: where would it be without "
        "a wall?",
    )


NEXT = Task(
    usage="my_next(position, velocity, low, high)",
    cases=_flights,
    tables=(POSITIONS, VELOCITIES),
    compose=lambda c, place, turn: ((position := place(c)), turn(c, position)),
    ways=(
        Row("straight", lambda c: (c.position + c.velocity, c.velocity),
            "That is straight extrapolation: in your function there are no walls. Where is u = position + velocity "
            "outside, and where does it have to go?"),
        Row("exchanged", lambda c: tuple(NEXT.best()(c))[::-1],
            "You return velocity and position, and the position comes first."),
    ),
    observe=Observe({
        "position": Wanted("(N, 2)", lambda c: c.position.shape, otherwise="One position for each of the N digits."),
        "velocity": Wanted("(N, 2)", lambda c: c.velocity.shape, otherwise="One velocity for each of the N digits."),
    }),
    praise="Across and down are reflected each for itself, and both walls count.",
    probes=(
        in_any_order("digits", {"position": 0, "velocity": 0}),
        at(lambda c: c.but(position=c.position + 3, low=c.low + 3, high=c.high + 3), "walls",
           "In a box that lies elsewhere your numbers are wrong. Is a wall of the example written into your code?"),
        other_dtype(),
    ),
    witness=_one_flight,
    fixed=(2,),
)  # fmt: skip


def check_next(f: Callable[[Tensor, Tensor, float, float], tuple[Tensor, Tensor]]) -> Feedback:
    """Say whether `f(position, velocity, low, high)` is the state one frame later, with reflection at the walls.

    Positions and velocities are (N, 2), no step is longer than the box is wide; compared are both results to 0.1 %.
    Raises nothing.
    """
    return diagnose(NEXT, f)


# B: one content code for all frames of a clip, (n, C) and (n, T, M) to (n, T, C + M).


def _frames(c: Case) -> int:
    return c.motion.shape[1]


CONTENTS = [
    Row("right", lambda c: c.content[:, None].expand(-1, _frames(c), -1), ok=True),
    Row("mixed", lambda c: c.content.repeat(_frames(c), 1).view(len(c.content), _frames(c), -1),
        "The codes of different clips get mixed: one clip shows several digits. `repeat` puts whole copies of the "
        "batch one after the other, c₁ c₂ c₃ c₁ c₂ c₃, and a `view` then cuts them in the wrong places. First give "
        "the content a dimension for time, `content[:, None]`."),
    Row("first_clip", lambda c: c.content[:1, None].expand(len(c.content), _frames(c), -1),
        "All clips get the content code of the first clip, so all show the same digit."),
    Row("mean_clip", lambda c: c.content.mean(0).expand(len(c.content), _frames(c), -1),
        "All clips get the mean of the content codes, so all show the same digit."),
    Row("first_frame", lambda c: c.content[:, None] * (torch.arange(_frames(c)) == 0).to(c.content)[:, None],
        "Only the first frame of your clips has its content code, and the others have zeros."),
    Row("fading", lambda c: c.content[:, None] / torch.arange(1, _frames(c) + 1).to(c.content)[:, None],
        "The content code gets smaller from frame to frame. It has to be the same in all of them."),
    Row("shared_out", lambda c: c.content[:, None].expand(-1, _frames(c), -1) / _frames(c),
        "Your content code is divided by the number of frames. Each frame gets the whole code."),
    Row("detached", lambda c: c.content[:, None].expand(-1, _frames(c), -1).detach(),
        "The values are right, but the content is cut from the graph, so no gradient would reach what made it. Look "
        "for `detach`, `no_grad` or `torch.tensor(...)`."),
]  # fmt: skip
MOTIONS = [
    Row("right", lambda c: c.motion, ok=True),
    Row("frozen", lambda c: c.motion[:, :1].expand(-1, _frames(c), -1),
        "The motion code of the first frame is repeated as well, so nothing would move. Only the content is constant."),
    Row("mean_motion", lambda c: c.motion.mean(1, keepdim=True).expand(-1, _frames(c), -1),
        "You average the motion codes over time, so nothing would move."),
    Row("backwards", lambda c: c.motion.flip(1),
        "Your motion codes run backwards in time."),
    Row("other_clip", lambda c: c.motion.flip(0),
        "The motion codes of the clips have changed places: content and motion of a clip stand in the same row."),
    Row("detached_motion", lambda c: c.motion.detach(),
        "The values are right, but the motion is cut from the graph, so no gradient would reach what made it."),
]  # fmt: skip
JOINS = [
    Row("right", lambda content, motion: torch.cat([content, motion], dim=-1), ok=True),
    Row("motion_first", lambda content, motion: torch.cat([motion, content], dim=-1),
        "The motion stands in front of the content. The content comes first, as in the arguments."),
]  # fmt: skip


def _code_shapes(c: Case) -> dict[tuple, str]:
    n, frames, motion = c.motion.shape
    content = c.content.shape[1]
    joined = content + motion
    return {
        (n, joined): "That is one row a clip. Which dimension counts the frames?",
        (n, frames, content): "That is the content in each frame. Where are the motion codes?",
        (n, frames, motion): "That is the motion alone. Where is the content?",
        (n * frames, joined): "The frames of all clips stand in one long row: keep clips and frames apart.",
        (frames, n, joined): "Time stands first. The clips come first, then the frames.",
        (
            n,
            content + frames * motion,
        ): "All motion codes of a clip stand in one row. Each frame needs its own row.",
    }


CODES = Task(
    usage="my_codes(content, motion)",
    cases=lambda: [
        Case(content=torch.randn(n, size), motion=torch.randn(n, frames, motion))
        for n, size, frames, motion in ((4, 3, 5, 2), (3, 5, 7, 4))
    ],
    tables=(CONTENTS, MOTIONS, JOINS),
    compose=lambda c, content, motion, join: join(content(c), motion(c)),
    observe=Observe(
        Wanted("(n, T, C + M)", lambda c: (*c.motion.shape[:2], c.content.shape[1] + c.motion.shape[2]), _code_shapes,
               otherwise="One row for each frame of each clip: its content code, then its motion code."),
        at=("content", "motion"),
    ),
    praise="Each frame sees the content of its own clip, always the same, and a motion code of its own.",
    probes=(in_any_order("clips", {"content": 0, "motion": 0}), other_dtype()),
    noise=("noise",
           "Two calls with the same arguments gave two different results: a new code is drawn somewhere. That is how "
           "frames flicker. Use the content code that comes in."),
)  # fmt: skip


def check_codes(f: Callable[[Tensor, Tensor], Tensor]) -> Feedback:
    """Say whether `f(content, motion)` puts the content code of a clip before the motion code of each of its frames.

    Content (n, C) and motion (n, T, M) to (n, T, C + M); compared are values and gradients. Raises nothing.
    """
    return diagnose(CODES, f)
