"""Both sides of the checks of notebook 16: each right way to hide inputs and to choose; and the mistakes, by name."""

import numpy as np
import torch
from answers import folded_solutions, tests_of
from torch.nn.functional import pad

from helpers.checks import check_temperature, check_word_dropout
from helpers.vae.text import tokens_before

SOLUTIONS = folded_solutions("16_text", torch=torch)

# A: word dropout


def by_fill(x, rate, unknown, u):
    return tokens_before(x).masked_fill(u < rate, unknown), x


def by_new_tensors(x, rate, unknown, u):
    inputs = torch.ones_like(x)
    inputs[:, 1:] = x[:, :-1]
    inputs[u < rate] = unknown
    return inputs, x.clone()


def by_a_loop(x, rate, unknown, u):
    rows = []
    for report, numbers in zip(x.tolist(), u.tolist(), strict=True):
        read = [1, *report[:-1]]
        rows.append(
            [unknown if number < rate else token for token, number in zip(read, numbers, strict=True)]
        )
    return torch.tensor(rows), x


def sparing_padding(x, rate, unknown, u):
    inputs = tokens_before(x)
    return torch.where((u < rate) & (x != 0), unknown, inputs), x


def by_arithmetic(x, rate, unknown, u):
    hidden = (u < rate).long()
    return hidden * unknown + (1 - hidden) * tokens_before(x), x


def both_hidden(x, rate, unknown, u):
    return tokens_before(x).masked_fill(u < rate, unknown), x.masked_fill(u < rate, unknown)


def hidden_then_moved(x, rate, unknown, u):
    return tokens_before(x.masked_fill(u < rate, unknown)), x


def as_activations(x, rate, unknown, u):
    return (u >= rate) * tokens_before(x) / (1 - rate), x


def as_in_other_courses(x, rate, unknown, u):
    return x.masked_fill(u < rate, unknown), pad(x[:, 1:], (0, 1))


def in_place(x, rate, unknown, u):
    inputs = tokens_before(x)
    x[u < rate] = unknown
    return inputs, x


def shorter(x, rate, unknown, u):
    return x[:, :-1].masked_fill(u[:, :-1] < rate, unknown), x[:, 1:]


def unmoved_and_both_hidden(x, rate, unknown, u):
    hidden = x.masked_fill(u < rate, unknown)
    return hidden, hidden


def kept_and_padded(x, rate, unknown, u):
    return torch.where(u > rate, 0, tokens_before(x)), x


def from_the_front(x, rate, unknown, u):
    inputs = tokens_before(x).clone()
    inputs[:, ::2] = unknown
    return inputs, x


test_right_a, _, test_wrong_a = tests_of(
    check_word_dropout,
    right=[
        SOLUTIONS["my_inputs_and_targets"],
        by_fill,
        by_new_tensors,
        by_a_loop,
        sparing_padding,
        by_arithmetic,
        lambda x, rate, unknown, u: [torch.where(u < rate, unknown, pad(x, (1, -1), value=1)), x],
    ],
    wrong=[
        (both_hidden, "targets_hidden", "what is to be predicted stays whole"),
        (hidden_then_moved, "hidden_first", "Move first"),
        (as_activations, "scaled", "names and no quantities"),
        (as_in_other_courses, "one_too_late", "never predicted"),
        (in_place, "changed_input", "changes `x`"),
        (shorter, "shape", "falls away"),
        (unmoved_and_both_hidden, "unshifted", "Two mistakes"),
        (kept_and_padded, "kept", "Two mistakes"),
        (from_the_front, "value", "and should have"),
        (lambda x, rate, unknown, u: (x.masked_fill(u < rate, unknown), x), "unshifted", "only has to copy"),
        (lambda x, rate, unknown, u: (tokens_before(x), x), "none", "Nothing is hidden"),
        (lambda x, rate, unknown, u: by_fill(x, rate, 0, u), "pad", "<pad>"),
        (lambda x, rate, unknown, u: by_fill(x, 1 - rate, unknown, 1 - u), "kept", "*above* the rate"),
        (
            lambda x, rate, unknown, u: by_fill(x, rate, unknown, u[:, :1].expand_as(u)),
            "reports",
            "Whole reports",
        ),
        (lambda x, rate, unknown, u: by_fill(x, rate, unknown, u)[::-1], "exchanged", "changed places"),
        (
            lambda x, rate, unknown, u: (x.roll(1, 1).masked_fill(u < rate, unknown), x),
            "rolled",
            "brings it round",
        ),
        (
            lambda x, rate, unknown, u: by_fill(x, rate, unknown, torch.rand(u.shape)),
            "noise",
            "same arguments",
        ),
        (lambda x, rate, unknown, u: by_fill(x, rate, unknown, u)[0], "type", "2 are wanted"),
        (lambda x, rate, unknown: (x, x), "signature", "my_inputs_and_targets(x, rate, unknown, u)"),
    ],
)

# B: a temperature


def by_sorting(temperatures, agreement, wanted):
    for temperature, agreed in sorted(
        zip(temperatures.tolist(), agreement.tolist(), strict=True), reverse=True
    ):
        if agreed >= wanted:
            return temperature
    return 0.0


def by_product(temperatures, agreement, wanted):
    return (temperatures * (agreement >= wanted)).max()


def by_numpy(temperatures, agreement, wanted):
    return np.max(np.where(agreement.numpy() >= np.float32(wanted), temperatures.numpy(), 0))


def stops_at_the_first_failure(temperatures, agreement, wanted):
    kept = 0.0
    for temperature, agreed in sorted(zip(temperatures.tolist(), agreement.tolist(), strict=True)):
        if agreed < wanted:
            break
        kept = temperature
    return kept


def between_the_two(temperatures, agreement, wanted):
    good = temperatures[agreement >= wanted].max()
    worse = temperatures[temperatures > good]
    return (good + worse.min()) / 2 if len(worse) else good


test_right_b, _, test_wrong_b = tests_of(
    check_temperature,
    right=[
        SOLUTIONS["my_temperature"],
        by_sorting,
        by_product,
        by_numpy,
        lambda t, a, wanted: max((x for x, y in zip(t, a, strict=True) if y >= wanted), default=0),
    ],
    wrong=[
        (lambda t, a, wanted: (t * (a > wanted)).max(), "strict", "*At least*"),
        (lambda t, a, wanted: t[a >= wanted].min(), "coldest", "*smallest*"),
        (lambda t, a, wanted: t[a.argmax()], "best", "best agreement"),
        (lambda t, a, wanted: t[(a - wanted).abs().argmin()], "nearest", "nearest"),
        (lambda t, a, wanted: t[a >= wanted][-1], "last", "sorted"),
        (lambda t, a, wanted: int((a >= wanted).nonzero().max()), "position", "position in the list"),
        (lambda t, a, wanted: a[a >= wanted].min(), "agreement", "temperature is wanted"),
        (stops_at_the_first_failure, "until_it_fails", "good enough again"),
        (between_the_two, "value", "it should be"),
        (lambda t, a, wanted: t[a >= wanted].max(), "none", "no temperature is good enough"),
        (lambda t, a, wanted: t.max(), "hottest", "largest temperature of all"),
        (lambda t, a, wanted: t[a < wanted].min(), "below", "*not* good enough"),
        (lambda t, a, wanted: t[a >= wanted], "shape", "One temperature"),
        (lambda t, a: 1.0, "signature", "my_temperature(temperatures, agreement, wanted)"),
    ],
)


def test_untouched_stubs_are_no_mistakes():
    def my_inputs_and_targets(x, rate, unknown, u):
        return ...  # replace this line

    def my_temperature(temperatures, agreement, wanted):
        return ...  # replace this line

    assert check_word_dropout(my_inputs_and_targets).kind == check_temperature(my_temperature).kind == "stub"
