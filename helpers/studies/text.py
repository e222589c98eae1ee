"""Match reports by a sentence VAE, a language model and a text GAN, three seeds each: `python -m helpers.studies.text`.

A minute of CPU time a model, and 1,000 updates for each row of the ablation: thirty minutes in all on one core. The
ablation alone, beside the rows that stand: `python -m helpers.studies.text ablation`. The settings were chosen with
seed 0, by validation reports and by samples; what is written here is measured on test reports, and on 1,000 samples a
temperature.
"""

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from helpers.data import Grammar, batches, load_reports
from helpers.data.reports import PADDING, Report, Reports
from helpers.gan import ema_copy, lr_factor, update_ema
from helpers.gan.records import gumbel_like
from helpers.gan.text import (
    RecurrentGenerator,
    TextDiscriminator,
    TextGenerator,
    sample_reports,
    text_gan_step,
)
from helpers.language import LanguageModel, report_nll, sample_tokens
from helpers.metrics import score_reports
from helpers.studies import rounded, study, write_study
from helpers.training import Budget, for_cpu_seconds, for_updates
from helpers.vae import active_units, gaussian_kl, gumbel_softmax, iwae_bound, kl_warmup
from helpers.vae.text import (
    SentenceVAE,
    sentence_log_weights,
    sentence_vae_step,
    tokens_before,
    word_dropout,
    write_reports,
)

SEEDS, SECONDS, SAMPLES = (0, 1, 2), 60.0, 1000
TEMPERATURES = (0.4, 0.6, 0.8, 1.0, 1.2, 1.5)

VAE_BATCH, VAE_RATE = 64, 4e-3
WARMUP, FREE_BITS, WORD_DROPOUT = 0.3, 0.6, 0.3  # a share of the training, nats a dimension, a probability
# name → β at the fraction `done` of the training, free bits, word dropout
WAYS = {
    "VAE": (partial(kl_warmup, until=WARMUP), FREE_BITS, WORD_DROPOUT),
    "VAE, collapsed": (lambda done: 1.0, 0.0, WORD_DROPOUT),  # neither warm-up nor free bits
}
ABLATION_UPDATES = 1000
ABLATION = {
    "word dropout": (lambda done: 1.0, 0.0, WORD_DROPOUT),
    "KL warm-up": (partial(kl_warmup, until=WARMUP), 0.0, 0.0),
    "free bits": (lambda done: 1.0, FREE_BITS, 0.0),
    "word dropout and KL warm-up": (partial(kl_warmup, until=WARMUP), 0.0, WORD_DROPOUT),
    "all three": (partial(kl_warmup, until=WARMUP), FREE_BITS, WORD_DROPOUT),
}

LANGUAGE_BATCH, LANGUAGE_RATE, LANGUAGE_DECAY, LANGUAGE_DROPOUT = 64, 5e-3, 0.3, 0.15
SHORT_SECONDS = 20.0  # of the language model on short reports: a third of what the GAN has

GAN_BATCH, GAN_RATE, GAMMA, LAZY, EMA = 128, 1e-3, 0.1, 4, 0.99
TAU = (1.5, 0.5)  # from the first update to the last
PRE_SECONDS, TUNING_SECONDS, TUNING_RATE = 5.0, 20.0, 5e-4


def cosine(done: float, start: float = 0.0) -> float:
    """The factor on the learning rate: 1 up to the fraction `start` of the training, then along a cosine to 2 %."""
    return 1.0 if done < start else 0.02 + 0.49 * (1 + math.cos(math.pi * (done - start) / (1 - start)))


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    optimiser.param_groups[0]["lr"] = rate


# Judging


def trigrams(reports: Sequence[Report]) -> Iterator[tuple[str, ...]]:
    """Three neighbouring tokens each, of all the reports."""
    return (report[i : i + 3] for report in reports for i in range(len(report) - 2))


def trigram_coverage(reports: Sequence[Report], held_out: Sequence[Report]) -> float:
    """The share of the held-out reports' trigrams, each as often as it stands there, that the reports contain.

    A measure of diversity that faulty trigrams do not raise, unlike the number of different ones.
    """
    known, found = set(trigrams(reports)), list(trigrams(held_out))
    return sum(trigram in known for trigram in found) / len(found)


def judged(tokens: Tensor, data: Reports) -> dict[str, float]:
    """Quality and diversity of samples (n, longest): what `score_reports` says, and the coverage of trigrams."""
    reports = data.grammar.decode(tokens)
    figures = score_reports(reports, data.train.reports, data.grammar)
    figures["trigrams"] = trigram_coverage(reports, data.test.reports)
    return rounded(figures, 4)


def sweep(sample: Callable[[float, torch.Generator], Tensor], data: Reports) -> dict[str, dict[str, float]]:
    """temperature → what `judged` says of the samples that `sample(temperature, generator)` gives."""
    return {
        f"{temperature:g}": judged(sample(temperature, torch.Generator().manual_seed(1)), data)
        for temperature in TEMPERATURES
    }


def exact_nats(grammar: Grammar, reports: Sequence[Report]) -> float:
    """−log p of the reports under the grammar that wrote them, their mean, in nats: no model does better on many."""
    return round(-grammar.log_prob(reports).mean().item(), 3)


# The sentence VAE


def trained_vae(way: str, seed: int, budget: Budget) -> tuple[SentenceVAE, int]:
    """A VAE of the full reports, trained in one of WAYS or ABLATION until `budget` is spent; its number of updates."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    data, (beta, floor, dropout) = load_reports(), (WAYS | ABLATION)[way]
    vae = SentenceVAE(len(data.grammar.vocabulary), data.grammar.longest)
    optimiser = torch.optim.Adam(vae.parameters(), VAE_RATE, fused=True)
    source = batches(data.train.tokens, VAE_BATCH, generator)

    def update(done: float) -> None:
        set_rate(optimiser, VAE_RATE * cosine(done, 0.5))
        sentence_vae_step(vae, optimiser, next(source), beta(done), floor, dropout)

    return vae, budget(update)


@torch.no_grad()
def bounds(vae: SentenceVAE, data: Reports) -> dict[str, float]:
    """−ELBO and −IWAE with 64 samples on the test reports, in nats; the KL; active units."""
    log_w = sentence_log_weights(vae, data.test.tokens, 64, torch.Generator().manual_seed(0))
    mu, log_var = vae.encode(data.test.tokens)
    return {
        "-elbo": round(-iwae_bound(log_w, 1).mean().item(), 3),
        "-iwae": round(-iwae_bound(log_w, 64).mean().item(), 3),
        "exact": exact_nats(data.grammar, data.test.reports),
        "kl": round(gaussian_kl(mu, log_var).mean().item(), 3),
        "active": active_units(mu),
    }


@torch.no_grad()
def judged_vae(vae: SentenceVAE, data: Reports) -> dict:
    """What `bounds` says, and samples by temperature."""

    def sample(temperature: float, generator: torch.Generator) -> Tensor:
        return write_reports(
            vae, torch.randn(SAMPLES, vae.latent, generator=generator), temperature, generator
        )

    return bounds(vae, data) | {"samples": sweep(sample, data)}


def vae_run(way: str, seed: int, budget: Budget) -> dict:
    vae, updates = trained_vae(way, seed, budget)
    return {"updates": updates} | judged_vae(vae, load_reports())


def ablation_runs(seed: int, updates: int = ABLATION_UPDATES) -> dict[str, dict]:
    """What `bounds` says after so many updates with each cure alone, with two, and with all three."""
    rows = {}
    for way in ABLATION:
        vae, _ = trained_vae(way, seed, for_updates(updates))
        rows[f"ablation: {way}"] = {"updates": updates} | bounds(vae, load_reports())
    return rows


# The language model


def at_temperature(model: LanguageModel, temperature: float) -> Callable:
    """The model with its logits divided by the temperature, for `sample_tokens`."""

    def cooled(tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        logits, state = model(tokens, state)
        return logits / temperature, state

    return cooled


def learn_likelihood(model: LanguageModel, source: Iterator[Tensor], budget: Budget, rate: float) -> int:
    """Maximum likelihood until `budget` is spent, the learning rate falling along a cosine; the number of updates.

    With word dropout here too (a hidden token is <pad>, which is never read otherwise): without it the model overfits,
    and its distance from the exact nats of the validation reports rose from 0.43 after 17 s to 0.66 after 34 s.
    """
    optimiser = torch.optim.AdamW(model.parameters(), rate, weight_decay=LANGUAGE_DECAY, fused=True)

    def update(done: float) -> None:
        set_rate(optimiser, rate * cosine(done))
        x = next(source)
        logits, _ = model(word_dropout(tokens_before(x), LANGUAGE_DROPOUT, PADDING))
        loss = cross_entropy(logits.mT, x, reduction="sum", ignore_index=PADDING) / len(x)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return budget(update)


@torch.no_grad()
def judged_language(model: LanguageModel, data: Reports) -> dict:
    """−log p of training and test reports, in nats, and samples by temperature."""

    def sample(temperature: float, generator: torch.Generator) -> Tensor:
        return sample_tokens(at_temperature(model, temperature), SAMPLES, data.grammar.longest, generator)

    return {
        "training nats": round(report_nll(model, data.train.tokens).mean().item(), 3),
        "nats": round(report_nll(model, data.test.tokens).mean().item(), 3),
        "exact": exact_nats(data.grammar, data.test.reports),
        "samples": sweep(sample, data),
    }


def language_run(short: bool, seed: int, budget: Budget) -> dict:
    torch.manual_seed(seed)
    data = load_reports(short=short)
    model = LanguageModel(len(data.grammar.vocabulary))
    source = batches(data.train.tokens, LANGUAGE_BATCH, torch.Generator().manual_seed(seed))
    return {"updates": learn_likelihood(model, source, budget, LANGUAGE_RATE)} | judged_language(model, data)


# The GAN, on short reports


def straight_through(tau: float, generator: torch.Generator | None = None) -> Callable[[Tensor], Tensor]:
    """Logits (…, n) to one-hot samples of their softmax, with the gradient of Gumbel-softmax at temperature τ."""

    def relax(logits: Tensor) -> Tensor:
        return gumbel_softmax(logits, tau, gumbel_like(logits, generator), hard=True)

    return relax


def play(generator: nn.Module, data: Reports, source: Iterator[Tensor], budget: Budget, rate: float) -> tuple:
    """The adversarial game of a generator until `budget` is spent: its running average, the number of updates."""
    size = len(data.grammar.vocabulary)
    discriminator, average = TextDiscriminator(size, data.grammar.longest), ema_copy(generator)
    g_optimiser = torch.optim.Adam(generator.parameters(), rate, (0.0, 0.9), fused=True)
    d_optimiser = torch.optim.Adam(discriminator.parameters(), GAN_RATE, (0.0, 0.9), fused=True)
    taken = 0

    def update(done: float) -> None:
        nonlocal taken
        set_rate(g_optimiser, rate * lr_factor(done))
        set_rate(d_optimiser, GAN_RATE * lr_factor(done))
        real = one_hot(next(source), size).float()
        z = torch.randn(len(real), generator.latent)
        relax = straight_through(TAU[0] + (TAU[1] - TAU[0]) * done)
        gamma = 0.0 if taken % LAZY else LAZY * GAMMA
        text_gan_step(generator, discriminator, g_optimiser, d_optimiser, real, z, relax, gamma)
        update_ema(average, generator, EMA)
        taken += 1

    return average, budget(update)


def gan_run(seed: int, budget: Budget) -> dict:
    torch.manual_seed(seed)
    data = load_reports(short=True)
    source = batches(data.train.tokens, GAN_BATCH, torch.Generator().manual_seed(seed))
    generator = TextGenerator(len(data.grammar.vocabulary), data.grammar.longest)
    average, updates = play(generator, data, source, budget, GAN_RATE)
    samples = sweep(
        lambda temperature, generator: sample_reports(average, SAMPLES, temperature, generator), data
    )
    return {"updates": updates, "samples": samples}


def tuning_runs(seed: int, before: Budget, budget: Budget) -> dict[str, dict]:
    """A language model after a short training; and from there, for equal times, the GAN's game or likelihood again."""
    torch.manual_seed(seed)
    data = load_reports(short=True)
    source = batches(data.train.tokens, GAN_BATCH, torch.Generator().manual_seed(seed))
    model = LanguageModel(len(data.grammar.vocabulary))
    updates = learn_likelihood(model, source, before, LANGUAGE_RATE)
    rows = {"pre-trained": {"updates": updates} | judged_language(model, data)}
    twin = ema_copy(model).requires_grad_(True)
    average, updates = play(RecurrentGenerator(twin, data.grammar.longest), data, source, budget, TUNING_RATE)
    rows["pre-trained, then adversarial"] = {"updates": updates} | judged_language(average.model, data)
    updates = learn_likelihood(model, source, budget, LANGUAGE_RATE)
    rows["pre-trained, then likelihood"] = {"updates": updates} | judged_language(model, data)
    return rows


def text_runs(seed: int, budget_of: Callable[[float], Budget] = for_cpu_seconds) -> dict[str, dict]:
    """All rows of one seed; `budget_of(seconds)` is what a training gets."""
    full, short = load_reports(), load_reports(short=True)
    rows = {way: vae_run(way, seed, budget_of(SECONDS)) for way in WAYS}
    rows["language model"] = language_run(False, seed, budget_of(SECONDS))
    rows["short: language model"] = language_run(True, seed, budget_of(SHORT_SECONDS))
    rows["short: GAN"] = gan_run(seed, budget_of(SECONDS))
    tuned = tuning_runs(seed, budget_of(PRE_SECONDS), budget_of(TUNING_SECONDS))
    rows |= {f"short: {name}": row for name, row in tuned.items()}
    rows |= ablation_runs(seed)
    for name, data in (("true grammar", full), ("short: true grammar", short)):
        reports = data.grammar.sample(SAMPLES, torch.Generator().manual_seed(100 + seed))
        rows[name] = {"entropy": round(data.grammar.entropy, 3)} | judged(data.grammar.encode(reports), data)
    return rows


def write(seeds: Sequence[dict[str, dict]]) -> None:
    """notebooks/results/text.json from the rows of each seed."""
    seconds = {"a model": SECONDS, "short: language model": SHORT_SECONDS}
    seconds |= {"pre-training": PRE_SECONDS, "tuning": TUNING_SECONDS}
    settings = {"seeds": SEEDS, "seconds": seconds, "samples": SAMPLES, "temperatures": TEMPERATURES}
    settings["VAE"] = {"batch": VAE_BATCH, "learning rate": VAE_RATE, "warm-up": WARMUP}
    settings["VAE"] |= {"free bits": FREE_BITS, "word dropout": WORD_DROPOUT}
    settings["language model"] = {"batch": LANGUAGE_BATCH, "learning rate": LANGUAGE_RATE}
    settings["language model"] |= {"weight decay": LANGUAGE_DECAY, "word dropout": LANGUAGE_DROPOUT}
    settings["GAN"] = {
        "batch": GAN_BATCH,
        "learning rate": GAN_RATE,
        "gamma": GAMMA,
        "every": LAZY,
        "tau": TAU,
    }
    settings["GAN"] |= {"EMA": EMA, "learning rate of tuning": TUNING_RATE}
    settings["ablation"] = {"updates": ABLATION_UPDATES}
    write_study("text", settings, {name: [rows[name] for rows in seeds] for name in seeds[0]})


def write_ablation(seeds: Sequence[dict[str, dict]]) -> None:
    """The rows of the ablation into notebooks/results/text.json, where all others stay as they are."""
    there = study("text")
    settings = there["settings"] | {"ablation": {"updates": ABLATION_UPDATES}}
    write_study("text", settings, there["runs"] | {name: [rows[name] for rows in seeds] for name in seeds[0]})


def main() -> None:
    torch.set_num_threads(1)
    if sys.argv[1:] == ["ablation"]:
        write_ablation([ablation_runs(seed) for seed in SEEDS])
    else:
        write([text_runs(seed) for seed in SEEDS])


if __name__ == "__main__":
    main()
