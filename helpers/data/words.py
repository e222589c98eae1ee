"""Real words, letter by letter: first names from the package `names`, four-character phrases from `pypinyin`.

Extras of the course: `pip install names pypinyin` (1.6 MB). Both packages are under the MIT licence; the names are
those of the United States Census of 1990, in the public domain. The packages' files are read, and none of their code
is run.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import torch
from torch import Tensor

from helpers.data.reports import END, END_WORD, PAD_WORD, PADDING

SPLIT_SEED = 1990
CHARACTERS = 600  # of the phrases: those in use most often


@dataclass(frozen=True)
class Words:
    """Words for training and for testing, no word in both, and the characters they are made of, as token numbers.

    `vocabulary` is <pad>, <end>, then the characters, sorted; `longest` counts the <end>.
    """

    train: tuple[str, ...]
    test: tuple[str, ...]
    vocabulary: tuple[str, ...]
    longest: int

    def encode(self, words: Iterable[str]) -> Tensor:
        """Token numbers (n, longest) in int64: the word, <end>, then <pad>.

        Raises ValueError for an unknown character and for a word that is too long.
        """
        number = {character: i for i, character in enumerate(self.vocabulary)}
        rows = []
        for word in words:
            unknown = next((character for character in word if character not in number), None)
            if unknown is not None:
                raise ValueError(
                    f"{unknown!r} in {word!r} is no character of these words: see their vocabulary."
                )
            if len(word) >= self.longest:
                raise ValueError(
                    f"A word has at most {self.longest - 1} characters, {word!r} has {len(word)}."
                )
            padding = [PADDING] * (self.longest - 1 - len(word))
            rows.append([number[character] for character in word] + [END] + padding)
        return torch.tensor(rows, dtype=torch.int64).reshape(len(rows), self.longest)

    def decode(self, tokens: Tensor) -> list[str]:
        """Words from token numbers (n, length): of each row, what stands before its first <end>."""
        rows = [row[: row.index(END)] if END in row else row for row in tokens.tolist()]
        return ["".join(self.vocabulary[number] for number in row if number != PADDING) for row in rows]


@cache
def load_names() -> Words:
    """First names in use in the United States in 1990, in small letters but for the first, a tenth of them for testing.

    Raises ModuleNotFoundError with the line to type where the package `names` (MIT) is missing.
    """
    folder = _folder("names")
    found = set()
    for file in ("dist.female.first", "dist.male.first"):
        lines = (folder / file).read_text(encoding="ascii").splitlines()
        found |= {line.split()[0].capitalize() for line in lines if line.strip()}
    return _split(sorted(found))


@cache
def load_phrases() -> Words:
    """Chinese phrases of four characters, of the 600 characters in use most often in them, a tenth of them for testing.

    Many are idioms (成语), but not all. Raises ModuleNotFoundError with the line to type where the package `pypinyin`
    (MIT) is missing.
    """
    text = (_folder("pypinyin") / "phrases_dict.json").read_text(encoding="utf-8")
    every = [
        phrase for phrase in json.loads(text) if len(phrase) == 4 and all("一" <= c <= "鿿" for c in phrase)
    ]
    counts = Counter("".join(every))
    usual = set(sorted(counts, key=lambda character: (-counts[character], character))[:CHARACTERS])
    return _split(sorted(phrase for phrase in every if set(phrase) <= usual))


def _folder(package: str) -> Path:
    """Where a package is installed. Nothing of it is run, and a file of the same name elsewhere does not count."""
    try:
        return Path(str(distribution(package).locate_file(package)))
    except PackageNotFoundError:
        raise ModuleNotFoundError(
            f"These words are an extra of the course: `%pip install {package}` in a cell fetches them (1 MB)."
        ) from None


def _split(words: list[str]) -> Words:
    order = torch.randperm(len(words), generator=torch.Generator().manual_seed(SPLIT_SEED)).tolist()
    held_out = set(order[: len(words) // 10])
    train = tuple(words[i] for i in order if i not in held_out)
    vocabulary = (PAD_WORD, END_WORD, *sorted(set("".join(words))))
    return Words(train, tuple(words[i] for i in sorted(held_out)), vocabulary, max(map(len, words)) + 1)
