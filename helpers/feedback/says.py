"""What is said to a learner: feedback, and the mistake that ends a check."""

import html
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, repr=False)
class Feedback:
    """What a check says: `ok`, the `kind` of mistake in a word ("right" if none), and one to three sentences."""

    ok: bool
    kind: str
    message: str

    @property
    def verdict(self) -> str:
        """The first words, which carry the result without any colour."""
        return "Right." if self.ok else "Not started:" if self.kind == "stub" else "Not yet:"

    def __repr__(self) -> str:
        return textwrap.fill(
            f"{self.verdict} {self.message}", width=100, break_long_words=False, break_on_hyphens=False
        )

    def _repr_html_(self) -> str:
        message = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(self.message, quote=False))
        edge = "#009E73" if self.ok else "#999999" if self.kind == "stub" else "#E69F00"
        # Ink is inherited and the ground is a thin grey, so the box suits a light and a dark page.
        return (
            f'<div style="border-left: 4px solid {edge}; background: rgba(128, 128, 128, 0.12); color: inherit; '
            'padding: 0.6em 0.9em; margin: 0.4em 0; max-width: 46em; line-height: 1.5; overflow-wrap: anywhere">'
            f"<strong>{self.verdict}</strong> {message}</div>"
        )


class Mistake(Exception):
    """Ends a check: what was found is in `feedback`."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.feedback = Feedback(False, kind, message)


def right(praise: str, remarks: Sequence[tuple[str, str]] = ()) -> Feedback:
    """Feedback on a right answer; `remarks` are (kind, message), and the first gives the feedback its kind."""
    said = [praise, *(f"A remark: {message}" for _, message in remarks)]
    return Feedback(True, remarks[0][0] if remarks else "right", " ".join(said))


def a_or_an(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} `{name}`"
