"""Three seeds of the three ways to write match reports, in notebook 01: `python -m helpers.studies.three_ways`."""

import math

import torch

from helpers.data import batches, load_reports
from helpers.language import (
    LanguageModel,
    NGram,
    knowledge_base_reports,
    ngram_nll,
    ngram_sample,
    play_season,
    report_nll,
    sample_tokens,
)
from helpers.metrics import novelty, score_reports
from helpers.studies import rounded, write_study

SAMPLES, BATCH, LEARNING_RATE, SEEDS = 1000, 32, 5e-3, (0, 1, 2)
PASSES = {"network, 10 passes": 10, "network, 40 passes": 40}  # over the 4,000 training reports
ORDERS = (2, 3, 4, 6, 8)


def trained_network(tokens, size: int, passes: int, generator: torch.Generator) -> LanguageModel:
    """A language model after so many passes over the reports, the learning rate falling along a cosine."""
    model, steps = LanguageModel(size), passes * len(tokens) // BATCH
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _, batch in zip(range(steps), batches(tokens, BATCH, generator), strict=False):
        optimiser.zero_grad()
        report_nll(model, batch).mean().backward()
        optimiser.step()
        decay.step()
    return model


def three_ways(seed: int, passes: dict[str, int] = PASSES, orders: tuple = ORDERS) -> dict[str, dict]:
    """Each way, judged on 1,000 reports of its own, and by the nats a report on training and test reports.

    The nats of the knowledge base are infinite, and None here. The last row is the true grammar.
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    data = load_reports()
    grammar, size, longest = data.grammar, len(data.grammar.vocabulary), data.grammar.longest
    written, nats = {}, {}

    choices = knowledge_base_reports(play_season(generator))
    picks = torch.randint(len(choices), (SAMPLES,), generator=generator).tolist()
    kinds = torch.randint(len(choices[0]), (SAMPLES,), generator=generator).tolist()
    written["knowledge base"] = [choices[match][kind] for match, kind in zip(picks, kinds, strict=True)]
    nats["knowledge base"] = (math.inf, math.inf)
    for n in orders:
        model = NGram(n, size).fit(data.train.tokens)
        written[f"{n}-gram"] = grammar.decode(ngram_sample(model, SAMPLES, longest, generator))
        nats[f"{n}-gram"] = [ngram_nll(model, part.tokens).mean().item() for part in (data.train, data.test)]
    for name, number in passes.items():
        model = trained_network(data.train.tokens, size, number, generator)
        written[name] = grammar.decode(sample_tokens(model, SAMPLES, longest, generator))
        with torch.no_grad():
            nats[name] = [report_nll(model, part.tokens).mean().item() for part in (data.train, data.test)]
    written["true grammar"] = grammar.sample(SAMPLES, generator)
    nats["true grammar"] = [-grammar.log_prob(part.reports).mean().item() for part in (data.train, data.test)]

    rows = {}
    for name, reports in written.items():
        figures = score_reports(reports, data.train.reports, grammar)
        figures["novel"] = novelty(reports, data.train.reports)
        row = rounded(figures, 5)
        for key, value in zip(("training nats", "test nats"), nats[name], strict=True):
            row[key] = round(value, 3) if math.isfinite(value) else None
        rows[name] = row
    return rows


def main() -> None:
    torch.set_num_threads(1)
    seeds = [three_ways(seed) for seed in SEEDS]
    runs = {name: [rows[name] for rows in seeds] for name in seeds[0]}
    settings = {"samples": SAMPLES, "batch": BATCH, "learning_rate": LEARNING_RATE, "seeds": SEEDS}
    write_study("three_ways", settings | {"passes": PASSES}, runs)
    for name, rows in runs.items():
        print(name, *rows, sep="\n  ")


if __name__ == "__main__":
    main()
