"""Try a learner's function, say in a sentence what kind of mistake it makes: the engine under checks and lessons.

A `Task` says how a function is called, on which `Case`s, out of which `Row`s (ways to write a part, right and wrong)
an answer is made, and what is observed of it. `diagnose` calls the learner's function in bounded time, and explains
what was seen by all combinations of up to two wrong rows that give the same. It knows tensors, and nothing of GANs.
"""

from helpers.feedback.expectation import attempt, expect, pair
from helpers.feedback.explain import Row, Task, Trial, audit, choices, explain, made_of, named
from helpers.feedback.fallbacks import (
    beside_the_path,
    factor_said,
    own_noise,
    scaled,
    shifted,
    told,
    wrong_gradient,
)
from helpers.feedback.judge import diagnose
from helpers.feedback.moves import Did, Moves, Recorder
from helpers.feedback.observe import Case, Close, Observe, Seen, Wanted, alike, copied, unchanged
from helpers.feedback.probes import at, in_any_order, in_the_tails, other_dtype, without
from helpers.feedback.reading import numbers
from helpers.feedback.sandbox import Answer, gives_feedback
from helpers.feedback.says import Feedback, Mistake, a_or_an, right

__all__ = [
    "Answer",
    "Case",
    "Close",
    "Did",
    "Feedback",
    "Mistake",
    "Moves",
    "Observe",
    "Recorder",
    "Row",
    "Seen",
    "Task",
    "Trial",
    "Wanted",
    "a_or_an",
    "alike",
    "at",
    "attempt",
    "audit",
    "beside_the_path",
    "choices",
    "copied",
    "diagnose",
    "expect",
    "explain",
    "factor_said",
    "gives_feedback",
    "in_any_order",
    "in_the_tails",
    "made_of",
    "named",
    "numbers",
    "other_dtype",
    "own_noise",
    "pair",
    "right",
    "scaled",
    "shifted",
    "told",
    "unchanged",
    "without",
    "wrong_gradient",
]
