"""A watermark in generated text: tokens of a secret list are made likelier, and counted later.

Source: Kirchenbauer et al. (2023), *A watermark for large language models*. Tokens are numbers, as `Grammar.encode`
makes them; a text is a list of them, reports one after the other, each with its <end>.
"""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from helpers.data.reports import END, Grammar, Report
from helpers.language import NGram


def green_lists(size: int, key: int, gamma: float = 0.5) -> Tensor:
    """Row v: which tokens are green after the token v, (V, V) of bool, γ V of them, from the secret `key`."""
    numbers = torch.rand(size, size, generator=torch.Generator().manual_seed(key))
    return numbers.argsort(dim=1).argsort(dim=1) < gamma * size


def marked(p: Tensor, green: Tensor, delta: float) -> Tensor:
    """p'(w) ∝ p(w) exp(δ · 1[w is green]), (V,) from (V,)."""
    p = p * torch.exp(delta * green)
    return p / p.sum()


def z_score(text: Sequence[int], lists: Tensor, gamma: float = 0.5) -> float:
    """(g − γT)/√(T γ (1 − γ)) of the g green tokens among the T of a text; an <end> stands before the first."""
    tokens = torch.tensor([END, *text])
    found = lists[tokens[:-1], tokens[1:]].sum().item()
    t = len(text)
    return (found - gamma * t) / math.sqrt(t * gamma * (1 - gamma))


def write_text(
    model: NGram,
    length: int,
    generator: torch.Generator | None = None,
    lists: Tensor | None = None,
    delta: float = 0.0,
) -> list[int]:
    """`length` tokens of an n-gram model, reports one after the other; with green `lists` each token is marked."""
    text: list[int] = []
    context = (END,) * (model.n - 1)
    while len(text) < length:
        p = model.next_token(context)
        if lists is not None:
            p = marked(p, lists[text[-1] if text else END], delta)
        token = int(torch.multinomial(p, 1, generator=generator))
        text.append(token)
        if token == END:
            context = (END,) * (model.n - 1)  # a report knows nothing of the one before
        elif context:
            context = (*context, token)[1:]
    return text


def texts_of(reports: Iterable[Report], grammar: Grammar, length: int) -> list[list[int]]:
    """Reports one after the other, cut into texts of `length` tokens; what is left over is not used."""
    number = {token: i for i, token in enumerate(grammar.vocabulary)}
    tokens = [each for report in reports for each in [*(number[token] for token in report), END]]
    return [tokens[start : start + length] for start in range(0, len(tokens) - length + 1, length)]


def reports_in(text: Sequence[int], grammar: Grammar) -> list[Report]:
    """The complete reports of a text, those that an <end> follows."""
    reports, report = [], []
    for token in text:
        if token == END:
            reports.append(tuple(report))
            report = []
        else:
            report.append(grammar.vocabulary[token])
    return reports


FACTS = ("home", "away", "score", "scorer")


def paraphrase(
    report: Report, grammar: Grammar, generator: torch.Generator | None = None, keep: Sequence[str] = FACTS
) -> Report:
    """The report with the same facts in other words: every choice but those in `keep` is made anew.

    What the grammar cannot read stays as it is.
    """
    parses = grammar.parses(report)
    if not parses:
        return report
    chosen: dict[str, str] = {}
    for name, choice in grammar.choices.items():
        if name in keep:
            chosen[name] = parses[0][name]
        else:
            weights = choice.weights(*(chosen[parent] for parent in choice.parents))
            numbers = torch.tensor([float(weight) for weight in weights.values()])
            chosen[name] = list(weights)[int(torch.multinomial(numbers, 1, generator=generator))]
    return grammar.write(chosen)


def paraphrase_text(
    text: Sequence[int], grammar: Grammar, generator: torch.Generator | None = None
) -> list[int]:
    """The complete reports of a text, each paraphrased, as tokens again."""
    reports = [paraphrase(report, grammar, generator) for report in reports_in(text, grammar)]
    return [token for (token,) in texts_of(reports, grammar, 1)]
