"""Match reports of fictional teams: a grammar whose log-likelihood and entropy are exact, in English and in Chinese.

A report is a handful of choices (two teams, score, verb, scorer, …), and each choice is written as a phrase. Some
depend on others: the verb on the score, the second team on the first. So the grammar is a Bayesian network over
phrases, log p(report) = Σ log p(choice | its parents), in nats.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

PAD_WORD, END_WORD = "<pad>", "<end>"  # the first two tokens of every vocabulary
PADDING, END = 0, 1  # and their numbers
REPORTS_SEED = 1863  # the year of the first rules of football
SIZES = {"train": 4000, "validation": 500, "test": 500}

Report = tuple[str, ...]  # its tokens, without <end>


@dataclass(frozen=True)
class Choice:
    """One choice: `weights(*phrases of the parents)` is {phrase: weight}, the weights whole numbers.

    p(phrase | parents) = weight / sum of the weights. Phrases may be empty: then nothing is written.
    """

    weights: Callable[..., Mapping[str, int]]
    parents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grammar:
    """A Bayesian network over phrases: `choices` in the order they are made, `text` in the order they are written.

    In `text`, the name of a choice stands for its phrase, everything else for itself. Tokens are the words of a phrase,
    or its characters where `space` is empty. p(report) is the sum over its parses; a match report has exactly one.
    Raises ValueError for a choice that is not written once, for a parent that is not chosen before its child, and
    for weights that are not whole numbers.
    """

    choices: Mapping[str, Choice]
    text: tuple[str, ...]
    space: str = " "

    def __post_init__(self):
        made: set[str] = set()
        for name, choice in self.choices.items():
            if self.text.count(name) != 1:
                raise ValueError(
                    f"The text must name each choice once, and names {name!r} {self.text.count(name)} times."
                )
            for parent in choice.parents:
                if parent not in made:
                    raise ValueError(
                        f"{name!r} depends on {parent!r}: put {parent!r} before it in the choices."
                    )
            made.add(name)
        if not self._tables:  # wrong weights are told here too, not at the first use
            raise ValueError("A grammar needs at least one choice.")

    # --- what is known exactly ----------------------------------------------------------------------------------

    def log_prob(self, reports: Iterable[Sequence[str]]) -> Tensor:
        """log p of each report, its end included, in nats, (n,) in float64; −∞ where the grammar cannot write it."""
        found = [
            sum(self._probability(parse) for parse in self.parses(report)) for report in _reports(reports)
        ]
        return torch.tensor(found, dtype=torch.float64).log()

    @cached_property
    def entropy(self) -> float:
        """H = Σ E[H(choice | its parents)] in nats per report, exact if no report has two parses."""
        total = 0.0
        for name, choice in self.choices.items():
            for values, weights in self._tables[name].items():
                entropy = math.log(sum(weights.values()))
                entropy -= sum(w * math.log(w) for w in weights.values()) / sum(weights.values())
                total += self._probability(dict(zip(choice.parents, values, strict=True))) * entropy
        return total

    def next_token(self, prefix: Sequence[str] = ()) -> Tensor:
        """p(next token | the tokens so far), over the vocabulary, (V,) in float64: the best any language model can do.

        The product of these along a report and its <end> is p(report). Raises ValueError for a prefix of no report.
        """
        number = {token: i for i, token in enumerate(self.vocabulary)}
        p = torch.zeros(len(number), dtype=torch.float64)
        for token, probability in self._continuations(_report(prefix), 0, {}):
            p[number[token]] += probability
        if not p.any():
            raise ValueError(f"No report of this grammar begins with {self.show(prefix)!r}.")
        return p / p.sum()

    def parses(self, report: Sequence[str]) -> list[dict[str, str]]:
        """All ways to read a report as {choice: phrase}, whether or not the phrases agree; none if it is no report."""
        return list(self._parses(_report(report), 0))

    def is_grammatical(self, reports: Iterable[Sequence[str]]) -> Tensor:
        """Whether each report is made of phrases in their places, whatever they say, (n,) of bool."""
        return torch.tensor([bool(self.parses(report)) for report in _reports(reports)], dtype=torch.bool)

    def agrees(self, reports: Iterable[Sequence[str]]) -> Tensor:
        """Whether each report is grammatical and contradicts itself nowhere, (n,) of bool: p(report) > 0."""
        return self.log_prob(reports).isfinite()

    def contradictions(self, report: Sequence[str]) -> tuple[str, ...]:
        """The choices that cannot stand beside what they depend on, such as ("verb",) for a win by 0–1.

        Raises ValueError for a report that is not grammatical.
        """
        parses = self.parses(report)
        if not parses:
            raise ValueError(f"{self.show(report)!r} is not grammatical: ask is_grammatical first.")
        return tuple(name for name in self.choices if parses[0][name] not in self._table(name, parses[0]))

    # --- writing ------------------------------------------------------------------------------------------------

    def sample(self, n: int, generator: torch.Generator | None = None) -> list[Report]:
        """`n` independent reports, from whole random numbers alone: the same on every machine."""
        return [self.write(self._choose(generator)) for _ in range(n)]

    def write(self, chosen: Mapping[str, str]) -> Report:
        """The tokens of the report that makes these choices, {choice: phrase}."""
        return tuple(token for part in self.text for token in self._split(chosen.get(part, part)))

    def show(self, report: Sequence[str]) -> str:
        """A report, or what a model takes for one, as text to read: *The foxes beat the herons 2–1.*"""
        text = self.space.join(report).replace(" .", ".").replace(" - ", "–")
        return re.sub(r"(?:^|(?<=\. ))[a-z]", lambda first: first.group().upper(), text)

    # --- tokens as numbers --------------------------------------------------------------------------------------

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """All tokens: <pad> and <end>, then the others, sorted."""
        return (
            PAD_WORD,
            END_WORD,
            *sorted({token for part in self._parts for tokens in part.values() for token in tokens}),
        )

    @cached_property
    def longest(self) -> int:
        """The columns of `encode`: tokens of the longest report, and one for <end>."""
        return sum(max(map(len, part.values())) for part in self._parts) + 1

    def encode(self, reports: Iterable[Sequence[str]]) -> Tensor:
        """Token numbers (n, longest) in int64: the report, <end>, then <pad>.

        Raises ValueError for an unknown token and for a report that is too long.
        """
        number = {token: i for i, token in enumerate(self.vocabulary) if token not in (PAD_WORD, END_WORD)}
        rows = []
        for report in _reports(reports):
            unknown = next((token for token in report if token not in number), None)
            if unknown is not None:
                raise ValueError(
                    f"{unknown!r} is no token of this grammar: its vocabulary holds those that are."
                )
            if len(report) >= self.longest:
                raise ValueError(
                    f"A report has at most {self.longest - 1} tokens, this one has {len(report)}."
                )
            pad, end = [0] * (self.longest - 1 - len(report)), [1]
            rows.append([number[token] for token in report] + end + pad)
        return torch.tensor(rows, dtype=torch.int64).reshape(len(rows), self.longest)

    def decode(self, tokens: Tensor) -> list[Report]:
        """Reports from token numbers (n, length): of each row, what stands before its first <end>.

        Raises ValueError for tensors of another shape, numbers that are not whole, and numbers of no token.
        """
        if (
            not isinstance(tokens, Tensor)
            or tokens.ndim != 2
            or tokens.is_floating_point()
            or tokens.is_complex()
        ):
            raise ValueError(
                "Token numbers must be whole and have the shape (n, length): use .argmax(-1) on logits."
            )
        if tokens.numel() and not (tokens.min() >= 0 and tokens.max() < len(self.vocabulary)):
            raise ValueError(
                f"Token numbers must lie in 0 … {len(self.vocabulary) - 1}: see the grammar's vocabulary."
            )
        reports = []
        for row in tokens.tolist():
            words = tuple(self.vocabulary[number] for number in row)
            reports.append(words[: words.index(END_WORD)] if END_WORD in words else words)
        return reports

    # --- inside -------------------------------------------------------------------------------------------------

    @cached_property
    def _tables(self) -> dict[str, dict[tuple[str, ...], dict[str, int]]]:
        """name -> phrases of the parents -> {phrase: weight}, without those that are never chosen."""
        tables: dict[str, dict[tuple[str, ...], dict[str, int]]] = {}
        for name, choice in self.choices.items():
            known = [
                dict.fromkeys(p for table in tables[parent].values() for p in table)
                for parent in choice.parents
            ]
            tables[name] = {}
            for values in product(*known):
                weights = {phrase: weight for phrase, weight in choice.weights(*values).items() if weight}
                if not weights or not all(isinstance(w, int) and w > 0 for w in weights.values()):
                    given = f" given {', '.join(map(repr, values))}" if values else ""
                    raise ValueError(
                        f"{name!r}{given} needs whole numbers as weights, and one of them above 0."
                    )
                tables[name][values] = weights
        return tables

    def _table(self, name: str, chosen: Mapping[str, str]) -> dict[str, int]:
        return self._tables[name][tuple(chosen[parent] for parent in self.choices[name].parents)]

    @cached_property
    def _parts(self) -> list[dict[str, Report]]:
        """The phrases that may stand in each part of the text, and their tokens."""
        parts = []
        for part in self.text:
            tables = self._tables[part].values() if part in self.choices else [(part,)]
            parts.append({phrase: self._split(phrase) for table in tables for phrase in table})
        return parts

    def _split(self, phrase: str) -> Report:
        return tuple(phrase.split() if self.space else phrase)

    def _choose(self, generator: torch.Generator | None) -> dict[str, str]:
        chosen: dict[str, str] = {}
        for name in self.choices:
            weights = self._table(name, chosen)
            left = int(torch.randint(sum(weights.values()), (), generator=generator))
            for phrase, weight in weights.items():
                left -= weight
                if left < 0:
                    chosen[name] = phrase
                    break
        return chosen

    def _parses(self, tokens: Report, part: int) -> Iterator[dict[str, str]]:
        """The readings of these tokens as the text from `part` on."""
        if part == len(self.text):
            if not tokens:
                yield {}
            return
        for phrase, written in self._parts[part].items():
            if tokens[: len(written)] == written:
                for rest in self._parses(tokens[len(written) :], part + 1):
                    yield {self.text[part]: phrase, **rest} if self.text[part] in self.choices else rest

    def _continuations(self, tokens: Report, part: int, known: dict[str, str]) -> Iterator[tuple[str, float]]:
        """Tokens that may follow these, read as the text from `part` on, each with p(known, tokens, it)."""
        if part == len(self.text):
            if not tokens:
                yield END_WORD, self._probability(known)
            return
        for phrase, written in self._parts[part].items():
            now = {**known, self.text[part]: phrase} if self.text[part] in self.choices else known
            if len(written) > len(tokens) and written[: len(tokens)] == tokens:
                yield written[len(tokens)], self._probability(now)
            elif tokens[: len(written)] == written:
                yield from self._continuations(tokens[len(written) :], part + 1, now)

    def _probability(self, known: Mapping[str, str]) -> float:
        """p(these choices have these phrases): a sum over the choices that they depend on and that are not known."""
        needed = set(known)
        for name in reversed(self.choices):
            if name in needed:
                needed.update(self.choices[name].parents)
        order = [name for name in self.choices if name in needed]

        def total(place: int, chosen: dict[str, str]) -> float:
            if place == len(order):
                return 1.0
            name = order[place]
            table = self._table(name, chosen)
            phrases = table if name not in known else [known[name]] if known[name] in table else []
            sums = (table[phrase] * total(place + 1, {**chosen, name: phrase}) for phrase in phrases)
            return sum(sums) / sum(table.values())

        return total(0, {})


def _report(report: Sequence[str]) -> Report:
    """The report as a tuple of tokens; otherwise ValueError, where characters or numbers would be read as words."""
    if isinstance(report, Tensor):
        raise ValueError("Reports are tuples of tokens, these are numbers: use grammar.decode(tokens).")
    if isinstance(report, str):
        raise ValueError(
            "A report is a tuple of tokens, this is a string: use those that grammar.sample gives."
        )
    return tuple(report)


def _reports(reports: Iterable[Sequence[str]]) -> list[Report]:
    """The same for several; a single one is refused too."""
    reports = list(reports)
    if any(isinstance(report, str) for report in reports):
        raise ValueError("Give a list of reports, each a tuple of tokens: for a single one, [report].")
    return [_report(report) for report in reports]


# --- the two languages: the same network and weights, so that both have one entropy -------------------------------

PHRASES = {  # weight, English, Chinese
    "opening": [
        (5, "", ""),
        (3, "on Saturday", "周六，"),
        (3, "on Sunday", "周日，"),
        (2, "in the rain", "雨中，"),
        (1, "in the snow", "雪中，"),
    ],
    "team": [
        (5, "foxes", "狐狸队"),
        (4, "herons", "苍鹭队"),
        (4, "badgers", "獾队"),
        (3, "otters", "水獭队"),
        (3, "ravens", "渡鸦队"),
        (2, "lynxes", "猞猁队"),
        (2, "falcons", "猎鹰队"),
        (1, "moles", "鼹鼠队"),
    ],
    "verb after a big win": [(3, "thrashed", "大胜"), (2, "crushed", "横扫"), (1, "outplayed", "完胜")],
    "verb after a narrow win": [(3, "beat", "击败"), (2, "edged", "险胜"), (1, "narrowly defeated", "小胜")],
    "verb after a draw": [(3, "drew with", "战平"), (1, "held", "逼平")],
    "verb after a loss": [(3, "lost to", "不敌"), (2, "fell to", "负于"), (1, "bowed to", "输给")],
    "place": [
        (4, "", ""),
        (3, "at home", "主场"),
        (2, "in the cup", "在杯赛中"),
        (2, "in the league", "在联赛中"),
    ],
    "scorer": [
        (4, "Ada", "阿达"),
        (3, "Ben", "阿本"),
        (3, "Chen", "小陈"),
        (2, "Dora", "朵拉"),
        (2, "Emil", "埃米尔"),
        (1, "Fay", "小菲"),
        (1, "Gus", "古斯"),
        (1, "Hana", "花子"),
    ],
    "feat of 1": [(4, "scored .", "攻入一球。")],
    "feat of 2": [(3, "scored twice .", "梅开二度。")],
    "feat of 3": [(2, "scored a hat-trick .", "上演帽子戏法。")],
    "coach after a big win": [
        (3, "", ""),
        (2, "the coach was delighted .", "教练很高兴。"),
        (1, "the coach was proud .", "教练很自豪。"),
    ],
    "coach after a narrow win": [
        (3, "", ""),
        (2, "the coach was relieved .", "教练松了一口气。"),
        (1, "the coach was proud .", "教练很自豪。"),
    ],
    "coach after a draw": [
        (3, "", ""),
        (2, "the coach was calm .", "教练很平静。"),
        (1, "the coach was silent .", "教练沉默不语。"),
    ],
    "coach after a loss": [
        (3, "", ""),
        (2, "the coach was furious .", "教练大发雷霆。"),
        (1, "the coach was silent .", "教练沉默不语。"),
    ],
}
NO_SCORER = 12  # the weight of naming none; the scorers have 17 together
HOME_GOALS, AWAY_GOALS = (5, 8, 6, 3, 1), (7, 8, 4, 2, 1)  # weights of 0, 1, 2, 3, 4 goals

LANGUAGES = {"english": (" ", " - "), "chinese": ("", "比")}  # between tokens, between goals
TEXTS = {  # (language, short)
    ("english", False): "opening the home verb the away score place . scorer coach",
    ("chinese", False): "opening home place score verb away 。 scorer coach",
    ("english", True): "home verb away score place .",
    ("chinese", True): "home place score verb away 。",
}


def report_grammar(language: str = "english", short: bool = False) -> Grammar:
    """The grammar of match reports in "english" (tokens are words) or "chinese" (tokens are characters).

    The verb and the coach's mood depend on the score, nobody scores more goals than the side that had more, no team
    plays against itself. Short reports have teams, verb, score and place only, and no article. Both languages have the
    same weights, so the same entropy, and the same seed writes translations.
    Raises ValueError for another language.
    """
    if language not in LANGUAGES:
        raise ValueError(f"There are no reports in {language!r}: choose one of {', '.join(LANGUAGES)}.")
    space, to = LANGUAGES[language]
    column = list(LANGUAGES).index(language)

    def phrases(kind: str) -> dict[str, int]:
        return {phrase[column]: weight for weight, *phrase in PHRASES[kind]}

    def away(home: str) -> dict[str, int]:
        return {team: weight for team, weight in phrases("team").items() if team != home}

    def score() -> dict[str, int]:
        return {f"{i}{to}{j}": a * b for i, a in enumerate(HOME_GOALS) for j, b in enumerate(AWAY_GOALS)}

    def goals(score: str) -> tuple[int, int]:
        home, away = score.split(to)
        return int(home), int(away)

    def result(score: str) -> str:
        home, away = goals(score)
        if home > away:
            return "a big win" if home > away + 1 else "a narrow win"
        return "a draw" if home == away else "a loss"

    def scorer(score: str) -> dict[str, int]:
        feats = [
            feat for n in (1, 2, 3) if n <= max(goals(score)) for feat in phrases(f"feat of {n}").items()
        ]
        if not feats:
            return {"": 1}
        named = {f"{name}{space}{feat}": w * v for name, w in phrases("scorer").items() for feat, v in feats}
        return {"": NO_SCORER * sum(weight for _, weight in feats), **named}

    choices = {
        "opening": Choice(lambda: phrases("opening")),
        "home": Choice(lambda: phrases("team")),
        "away": Choice(away, ("home",)),
        "score": Choice(score),
        "verb": Choice(lambda score: phrases(f"verb after {result(score)}"), ("score",)),
        "place": Choice(lambda: phrases("place")),
        "scorer": Choice(scorer, ("score",)),
        "coach": Choice(lambda score: phrases(f"coach after {result(score)}"), ("score",)),
    }
    text = tuple(TEXTS[language, short].split())
    return Grammar({name: choice for name, choice in choices.items() if name in text}, text, space)


class Split(NamedTuple):
    """`reports`, and the same as token numbers, (n, longest) in int64."""

    reports: list[Report]
    tokens: Tensor


class Reports(NamedTuple):
    """The grammar that wrote them, 4,000 reports for training, 500 for validation, 500 for testing."""

    grammar: Grammar
    train: Split
    validation: Split
    test: Split


def load_reports(language: str = "english", short: bool = False, seed: int = REPORTS_SEED) -> Reports:
    """Match reports in "english" or "chinese" as tokens and token numbers, and their grammar.

    All 5,000 are independent samples, so a test report may also be among those for training. Raises ValueError for
    another language.
    """
    grammar = report_grammar(language, short)
    generator = torch.Generator().manual_seed(seed)
    splits = {}
    for name, size in SIZES.items():
        reports = grammar.sample(size, generator)
        splits[name] = Split(reports, grammar.encode(reports))
    return Reports(grammar, **splits)
