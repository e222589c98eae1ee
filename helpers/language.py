"""Models that write reports: a knowledge base with templates, n-grams by counting, a recurrent language model.

Reports are token numbers (B, T) as `Grammar.encode` makes them: the tokens of a report, an <end>, then padding. What
stands before the first token of a report is an <end>, that of the report before.
"""

from collections import Counter, defaultdict
from itertools import permutations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from helpers.data.reports import AWAY_GOALS, END, HOME_GOALS, PADDING, PHRASES, Report

# --- a knowledge base: facts, rules, templates --------------------------------------------------------------------

RULES = [  # (if, then)
    (lambda known: known["home_goals"] - known["away_goals"] > 1, {"result": "big win"}),
    (lambda known: known["home_goals"] - known["away_goals"] == 1, {"result": "narrow win"}),
    (lambda known: known["home_goals"] == known["away_goals"], {"result": "draw"}),
    (lambda known: known["home_goals"] < known["away_goals"], {"result": "loss"}),
    (lambda known: known["result"] == "big win", {"verb": "thrashed", "mood": "delighted"}),
    (lambda known: known["result"] == "narrow win", {"verb": "beat", "mood": "relieved"}),
    (lambda known: known["result"] == "draw", {"verb": "drew with", "mood": "calm"}),
    (lambda known: known["result"] == "loss", {"verb": "lost to", "mood": "furious"}),
]
TEMPLATES = [
    "the {home} {verb} the {away} {home_goals} - {away_goals} .",
    "the {home} {verb} the {away} {home_goals} - {away_goals} . the coach was {mood} .",
]


def infer(facts: dict) -> dict:
    """The facts {home, away, home_goals, away_goals}, and all that the rules conclude from them, each in its turn."""
    known = dict(facts)
    for condition, conclusion in RULES:
        if condition(known):
            known |= conclusion
    return known


def fill(template: str, known: dict) -> Report:
    """The tokens of a template whose gaps are filled with what is known."""
    return tuple(template.format(**known).split())


def play_season(generator: torch.Generator | None = None) -> list[dict]:
    """The facts of 56 matches: each of the eight teams is host to each other once, goals as often as in the grammar."""
    teams = [team for _, team, _ in PHRASES["team"]]

    def goals(weights: tuple[int, ...]) -> int:
        left = int(torch.randint(sum(weights), (), generator=generator))
        return next(n for n in range(len(weights)) if left < sum(weights[: n + 1]))

    return [
        {"home": home, "away": away, "home_goals": goals(HOME_GOALS), "away_goals": goals(AWAY_GOALS)}
        for home, away in permutations(teams, 2)
    ]


def knowledge_base_reports(season: list[dict]) -> list[list[Report]]:
    """All that the knowledge base may write: for each match one report of each template."""
    return [[fill(template, infer(facts)) for template in TEMPLATES] for facts in season]


# --- n-grams ------------------------------------------------------------------------------------------------------


class NGram:
    """p(next token | the n − 1 before it), from counts: the shorter context's answer counts as one more observation.

    p(w | c) = (count(c, w) + p(w | c without its first token)) / (count(c) + 1), and 1/V below the empty context.
    """

    def __init__(self, n: int, size: int):
        self.n, self.size = n, size
        self.counts = defaultdict(Counter)  # context -> how often each token came after it
        self.cache = {}

    def fit(self, tokens: Tensor) -> "NGram":
        """Count in token numbers (B, T)."""
        for row in tokens.tolist():
            report = [END] * (self.n - 1) + [token for token in row if token != PADDING]
            for t in range(self.n - 1, len(report)):
                for length in range(self.n):  # contexts of 0, 1, …, n − 1 tokens
                    self.counts[tuple(report[t - length : t])][report[t]] += 1
        return self

    def next_token(self, context: tuple[int, ...]) -> Tensor:
        """The distribution (V,) of the next token, in float64."""
        if context not in self.cache:
            shorter = self.next_token(context[1:]) if context else torch.ones(self.size) / self.size
            seen = torch.zeros(self.size, dtype=torch.float64)
            for token, count in self.counts.get(context, {}).items():
                seen[token] = count
            self.cache[context] = (seen + shorter) / (seen.sum() + 1)
        return self.cache[context]


def ngram_nll(model: NGram, tokens: Tensor) -> Tensor:
    """−log p of each report under an n-gram model, its <end> included, in nats, (B,) in float64 from (B, T)."""
    found = []
    for row in tokens.tolist():
        context, total = (END,) * (model.n - 1), 0.0
        for token in [token for token in row if token != PADDING]:
            total -= model.next_token(context)[token].log()
            context = (*context, token)[1:] if context else ()
        found.append(total)
    return torch.stack(found)


def ngram_sample(model: NGram, n: int, longest: int, generator: torch.Generator | None = None) -> Tensor:
    """`n` reports as token numbers (n, longest), each up to its <end>, then padding."""
    written = torch.full((n, longest), PADDING)
    for row in written:  # one report
        context = (END,) * (model.n - 1)
        for t in range(longest):
            row[t] = torch.multinomial(model.next_token(context), 1, generator=generator)
            if row[t] == END:
                break
            context = (*context, int(row[t]))[1:]
    return written


# --- a recurrent network ------------------------------------------------------------------------------------------


class LanguageModel(nn.Module):
    """Tokens (B, T) to the logits (B, T, V) of the token after each of them, and the hidden state after the last."""

    def __init__(self, size: int, embedding: int = 64, hidden: int = 128):
        super().__init__()
        self.embed = nn.Embedding(size, embedding)
        self.gru = nn.GRU(embedding, hidden, batch_first=True)
        self.head = nn.Linear(hidden, size)

    def forward(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        hidden, state = self.gru(self.embed(tokens), state)  # (B, T, hidden)
        return self.head(hidden), state


def report_nll(model: LanguageModel, tokens: Tensor) -> Tensor:
    """−log p of each report, its <end> included, in nats, (B,) from (B, T), by teacher forcing."""
    inputs = pad(tokens[:, :-1], (1, 0), value=END)  # END in front, and without the last token
    logits, _ = model(inputs)
    # mT: to (B, V, T). "none": one loss for each place. ignore_index: none where there is only padding.
    losses = cross_entropy(logits.mT, tokens, reduction="none", ignore_index=PADDING)
    return losses.sum(dim=1)


@torch.no_grad()
def sample_tokens(
    model: LanguageModel, n: int, longest: int, generator: torch.Generator | None = None
) -> Tensor:
    """`n` reports, token by token, (n, longest); what comes after an <end> is to be cut off, as `decode` does."""
    token, state, written = torch.full((n, 1), END), None, []
    for _ in range(longest):
        logits, state = model(token, state)
        token = torch.multinomial(logits[:, -1].softmax(dim=-1), 1, generator=generator)
        written.append(token)
    return torch.cat(written, dim=1)
