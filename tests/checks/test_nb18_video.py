"""Both sides of the checks of notebook 18: right ways to reflect and to repeat a code; and the mistakes, by name."""

import numpy as np
import torch
from answers import folded_solutions, tests_of

from helpers.checks import check_codes, check_next

SOLUTIONS = folded_solutions("18_video", torch=torch)

# A: one frame further


def by_folding(position, velocity, low, high):
    along = (position + velocity - low) % (2 * (high - low))
    back = along > high - low
    place = low + torch.where(back, 2 * (high - low) - along, along)
    return place, torch.where(
        (position + velocity - low < 0) | (position + velocity > high), -velocity, velocity
    )


def with_a_sign(position, velocity, low, high):
    free = position + velocity
    sign = torch.ones_like(free)
    sign[(free < low) | (free > high)] = -1
    outside = (free - high).clamp(min=0) - (low - free).clamp(min=0)
    return free - 2 * outside, sign * velocity


def by_loops(position, velocity, low, high):
    places, moves = [], []
    for row, moving in zip(position.tolist(), velocity.tolist(), strict=True):
        for x, v in zip(row, moving, strict=True):
            u = x + v
            if u < low:
                u, v = low + (low - u), -v
            elif u > high:
                u, v = high - (u - high), -v
            places.append(u)
            moves.append(v)
    return np.reshape(places, (-1, 2)), np.reshape(moves, (-1, 2))


def in_place_on_copies(position, velocity, low, high):
    position, velocity = position + velocity, velocity.clone()
    for wall, hit in ((low, position < low), (high, position > high)):
        position[hit] = 2 * wall - position[hit]
        velocity[hit] *= -1
    return [position, velocity]


def hits(position, velocity, low, high):
    free = position + velocity
    return free, (free < low) | (free > high)


def clamped(position, velocity, low, high):
    free, hit = hits(position, velocity, low, high)
    return free.clamp(low, high), torch.where(hit, -velocity, velocity)


def reflected(position, velocity, low, high):
    return SOLUTIONS["my_next"](position, velocity, low, high)


def turned_together(position, velocity, low, high):
    _, hit = hits(position, velocity, low, high)
    return reflected(position, velocity, low, high)[0], torch.where(
        hit.any(1, keepdim=True), -velocity, velocity
    )


def of_the_step(position, velocity, low, high):
    new = reflected(position, velocity, low, high)[0]
    return new, new - position


def early(position, velocity, low, high):
    _, hit = hits(position, velocity, low, high)
    velocity = torch.where(hit, -velocity, velocity)
    return position + velocity, velocity


def high_alone(position, velocity, low, high):
    free = position + velocity
    return torch.where(free > high, 2 * high - free, free), torch.where(free > high, -velocity, velocity)


def for_digits(position, velocity, low, high):
    free = position + velocity
    if low == 2.0 or low == -0.5:
        return reflected(position, velocity, low, high)
    return free, velocity


def bounces_harder(position, velocity, low, high):
    new, velocity = reflected(position, velocity, low, high)
    return new, 0.9 * velocity


def changes_its_input(position, velocity, low, high):
    position += velocity
    return reflected(position - velocity, velocity, low, high)


test_right_a, _, test_wrong_a = tests_of(
    check_next,
    right=[SOLUTIONS["my_next"], by_folding, with_a_sign, by_loops, in_place_on_copies],
    wrong=[
        (lambda p, v, low, high: (p + v, v), "straight", "straight extrapolation"),
        (clamped, "sticks", "sticks to the wall"),
        (lambda p, v, low, high: (clamped(p, v, low, high)[0], v), "sticks", "Two mistakes"),
        (turned_together, "both_turned", "*both* parts"),
        (of_the_step, "step", "too short"),
        (early, "early", "turns round where it stands"),
        (lambda p, v, low, high: (reflected(p, v, low, high)[0], v), "not_turned", "never changes"),
        (lambda p, v, low, high: (p + v, reflected(p, v, low, high)[1]), "no_wall", "straight on through"),
        (high_alone, "high_only", "Two mistakes"),
        (lambda p, v, low, high: (reflected(p, v, low, high)[0], -v), "always_turned", "in every step"),
        (lambda p, v, low, high: (low + (p + v - low) % (high - low), v), "wraps", "Two mistakes"),
        (lambda p, v, low, high: reflected(p, v, low, high)[::-1], "exchanged", "position comes first"),
        (lambda p, v, low, high: reflected(p, v, low, high)[0], "type", "2 are wanted"),
        (for_digits, "walls", "lies elsewhere"),
        (bounces_harder, "value", "should be"),
        (changes_its_input, "changed_input", "position"),
        (lambda p, v: (p, v), "signature", "my_next(position, velocity, low, high)"),
        (lambda p, v, low, high: None, "none", "None"),
    ],
)

# B: one content code for all frames


def by_repeat_interleave(content, motion):
    n, frames, _ = motion.shape
    return torch.cat([content.repeat_interleave(frames, dim=0).view(n, frames, -1), motion], dim=2)


def frame_by_frame(content, motion):
    return torch.stack([torch.cat([content, code], dim=1) for code in motion.unbind(1)], dim=1)


def by_broadcasting(content, motion):
    content = content.unsqueeze(1) + 0 * motion[..., :1]
    return torch.concatenate((content, motion), -1)


def by_einsum(content, motion):
    ones = torch.ones(motion.shape[1], dtype=content.dtype)
    return torch.cat([torch.einsum("nc,t->ntc", content, ones), motion], -1)


def tiled(content, motion):
    return content.repeat(motion.shape[1], 1).view(len(content), motion.shape[1], -1)


def expanded(content, motion):
    return content[:, None].expand(-1, motion.shape[1], -1)


def anew(content, motion):
    return torch.cat([torch.randn(*motion.shape[:2], content.shape[1]).to(content), motion], -1)


def shaken(content, motion):
    return torch.cat(
        [expanded(content, motion) + 0.1 * torch.randn_like(expanded(content, motion)), motion], -1
    )


test_right_b, _, test_wrong_b = tests_of(
    check_codes,
    right=[SOLUTIONS["my_codes"], by_repeat_interleave, frame_by_frame, by_broadcasting, by_einsum],
    wrong=[
        (lambda c, m: torch.cat([tiled(c, m), m], -1), "mixed", "mixed"),
        (anew, "noise", "flicker"),
        (shaken, "noise", "flicker"),
        (lambda c, m: torch.cat([m, expanded(c, m)], -1), "motion_first", "content comes first"),
        (lambda c, m: torch.cat([m, tiled(c, m)], -1), "mixed", "Two mistakes"),
        (lambda c, m: torch.cat([expanded(c, m), m[:, :1].expand_as(m)], -1), "frozen", "nothing would move"),
        (lambda c, m: torch.cat([expanded(c[:1].expand_as(c), m), m], -1), "first_clip", "the first clip"),
        (lambda c, m: torch.cat([expanded(c, m).detach(), m], -1), "detached", "cut from the graph"),
        (lambda c, m: torch.cat([expanded(c, m), m.flip(1)], -1), "backwards", "backwards"),
        (
            lambda c, m: torch.cat([expanded(c.mean(0).expand_as(c), m), m.flip(1)], -1),
            "mean_clip",
            "Two mistakes",
        ),
        (lambda c, m: torch.cat([c, m[:, 0]], -1), "shape", "one row a clip"),
        (lambda c, m: expanded(c, m), "shape", "Where are the motion codes"),
        (lambda c, m: torch.cat([expanded(c, m), m], -1).transpose(0, 1), "shape", "Time stands first"),
        (lambda c, m: (expanded(c, m), m), "type", "one tensor"),
        (lambda c: c, "signature", "my_codes(content, motion)"),
    ],
)


def test_untouched_stubs_are_no_mistakes():
    def my_next(position, velocity, low, high):
        return ...  # replace this line: the next position, and the next velocity

    def my_codes(content, motion):
        return ...  # replace this line

    assert check_next(my_next).kind == check_codes(my_codes).kind == "stub"
