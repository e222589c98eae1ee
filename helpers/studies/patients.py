"""Mixed records by VAE and GAN, of what use they are and whom they give away, three seeds: notebook 19's tables.

`python -m helpers.studies.patients`: a quarter of an hour on one core.
"""

from collections.abc import Callable
from functools import partial

import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from torch import Tensor

from helpers.data import batches, patients
from helpers.data.patients import COLUMNS
from helpers.data.scaling import Scaling
from helpers.gan import ema_copy, lr_factor, update_ema
from helpers.gan.records import RecordDiscriminator, RecordGenerator, record_gan_step
from helpers.privacy import (
    closer_to_training,
    closest_distance,
    correlation_error,
    marginals_only,
    outcome_auc,
    tpr_at_fpr,
)
from helpers.studies import rounded, write_study
from helpers.training import Budget, for_cpu_seconds
from helpers.vae.records import RecordVAE, record_bounds, record_vae_step

SEEDS, SECONDS, LEAK_SECONDS = (0, 1, 2), 60, 25
RECORDS, TEST, REFERENCE = 4_000, 10_000, 200_000  # in training, in the test, for the true correlations
JUDGED = 2_000  # of the 4,000 generated records, for their correlations: a sample has an error of its own, and if it
# were as large as the training set, copies of the training records would already have 1.4 times the error of real ones
MEMBERS = 200  # of a small registry, and as many others whom its generator has not seen
VISITS = [column.name for column in COLUMNS].index("visits")

# Arguments of train_vae and train_gan. Two differ in what regularises: size, floor of σ, dropout, weight decay.
VAE = {"latent": 10, "hidden": 128, "learning_rate": 4e-3, "batch": 256, "weight_decay": 0.05}
LEAKING = {"latent": 10, "hidden": 256, "layers": 2, "floor": 0.02, "batch": 50}
REGULARISED = {
    "latent": 4,
    "hidden": 64,
    "layers": 2,
    "floor": 0.1,
    "dropout": 0.3,
    "weight_decay": 0.5,
    "batch": 50,
}
GAN = {"gamma": 0.3, "batch": 256}
LEAKING_GAN = {"gamma": 0.01, "batch": 50}


def true_patients(n: int, seed: int) -> Tensor:
    """`n` true patients of a seed of their own."""
    return patients.sample(n, torch.Generator().manual_seed(seed))


def train_vae(
    records: Tensor,
    seed: int,
    budget: Budget,
    learning_rate: float = 2e-3,
    batch: int = 128,
    weight_decay: float = 0.0,
    **sizes,
) -> RecordVAE:
    """A VAE of the records, in evaluation mode; `sizes` are RecordVAE's arguments."""
    torch.manual_seed(seed)
    vae = RecordVAE(Scaling.fit(records, COLUMNS), **sizes)
    optimiser = torch.optim.AdamW(vae.parameters(), lr=learning_rate, weight_decay=weight_decay, fused=True)
    source = batches(records, batch, torch.Generator().manual_seed(seed))

    def update(done: float) -> None:
        optimiser.param_groups[0]["lr"] = learning_rate * lr_factor(done)
        record_vae_step(vae, optimiser, next(source))

    budget(update)
    return vae.eval()


def train_gan(
    records: Tensor,
    seed: int,
    budget: Budget,
    learning_rate: float = 1e-3,
    batch: int = 256,
    gamma: float = 0.3,
) -> RecordGenerator:
    """The exponential moving average of the generator of a GAN of the records."""
    torch.manual_seed(seed)
    scaling = Scaling.fit(records, COLUMNS)
    real = scaling.features(scaling.standardise(records))
    generator = RecordGenerator(scaling, most=int(records[:, VISITS].max()))
    discriminator, average = RecordDiscriminator(real.shape[1]), ema_copy(generator)
    optimisers = [
        torch.optim.Adam(player.parameters(), lr=learning_rate, betas=(0.0, 0.9), fused=True)
        for player in (generator, discriminator)
    ]
    source = batches(real, batch, torch.Generator().manual_seed(seed))

    def update(done: float) -> None:
        for optimiser in optimisers:
            optimiser.param_groups[0]["lr"] = learning_rate * lr_factor(done)
        record_gan_step(generator, discriminator, *optimisers, next(source), gamma)
        update_ema(average, generator)

    budget(update)
    return average


def usefulness(records: Tensor, test: Tensor, reference: Tensor) -> dict[str, float]:
    """AUC on real test records of two classifiers trained on `records`, their correlations, and impossible records."""
    boosting = HistGradientBoostingClassifier(
        max_iter=50, learning_rate=0.1, max_leaf_nodes=8, random_state=0
    )
    return {
        "auc": outcome_auc(records, test),
        "auc, boosting": outcome_auc(records, test, classifier=boosting),
        "correlation error": correlation_error(records[:JUDGED], reference),
        "correlation error, all": correlation_error(records, reference),
        "impossible": patients.log_prob(records).isinf().double().mean().item(),
    }


def nats(vae: RecordVAE, records: Tensor) -> dict[str, float]:
    """−ELBO and −IWAE (64 samples) of the records, and −log p exactly, means in nats a record."""
    elbo, tighter = record_bounds(vae, records, 64, torch.Generator().manual_seed(0))
    means = (-each.mean().item() for each in (elbo, tighter, patients.log_prob(records)))
    return dict(zip(("−ELBO", "−IWAE", "exact"), means, strict=True))


def density_attack(vae: RecordVAE, reference: Callable[[Tensor], Tensor], *sets: Tensor) -> dict[str, float]:
    """Members and others told apart by log p(x) of the VAE (IWAE, 256 samples) minus that of `reference`.

    Source: after van Breugel et al. (2023), who estimate the first density from samples.
    """
    scores = []
    for records in sets:
        log_p = record_bounds(vae, records, 256, torch.Generator().manual_seed(0))[1]
        scores.append(log_p.double() - reference(records))
    return tpr_at_fpr(*scores)


def distance_attack(generated: Tensor, scaling: Scaling, *sets: Tensor) -> dict[str, float]:
    """Members and others told apart by the distance to the closest generated record, for which samples are enough."""
    return tpr_at_fpr(*(-closest_distance(records, generated, scaling) for records in sets))


def patients_run(
    seed: int,
    budget: Budget | None = None,
    leak_budget: Budget | None = None,
    sizes: tuple[int, int, int, int] = (RECORDS, TEST, REFERENCE, MEMBERS),
) -> dict[str, dict]:
    """One seed of every row: name → what was measured. The test records are the same for all seeds, read only here."""
    budget, leak_budget = budget or for_cpu_seconds(SECONDS), leak_budget or for_cpu_seconds(LEAK_SECONDS)
    n, tests, references, few = sizes
    training, test, reference = (
        true_patients(n, 100 + seed),
        true_patients(tests, 20_000),
        true_patients(references, 30_000),
    )
    judged = partial(usefulness, test=test, reference=reference)
    noise = partial(torch.Generator().manual_seed, 400 + seed)

    rows = {"real": judged(training)}
    # Real records that no model has seen: the mean over ten sets of them.
    unseen = [true_patients(n, 500 + 20 * seed + i) for i in range(10)]
    for key, number in {"correlation error": JUDGED, "correlation error, all": n}.items():
        rows["real"][key] = sum(correlation_error(each[:number], reference) for each in unseen) / len(unseen)
    rows["marginals only"] = judged(marginals_only(training, noise()))
    rows["majority"] = {"auc": 0.5, "auc, boosting": 0.5}  # the same answer for every patient
    vae = train_vae(training, seed, budget, **VAE)
    gan = train_gan(training, seed, budget, **GAN)
    others = true_patients(few, 300 + seed)
    for name, maker in {"VAE": vae, "GAN": gan}.items():
        generated = maker.sample(n, noise())
        rows[name] = judged(generated)
        rows[name]["attack, samples"] = distance_attack(generated, maker.scaling, training[:few], others)
    rows["VAE"] |= nats(vae, test[:RECORDS])
    rows["VAE"]["attack"] = density_attack(vae, patients.log_prob, training[:few], others)

    members = true_patients(few, 200 + seed)
    rows["real, few"] = judged(members)
    makers = {
        "leaking VAE": train_vae(members, seed, leak_budget, **LEAKING),
        "regularised VAE": train_vae(members, seed, leak_budget, **REGULARISED),
        "leaking GAN": train_gan(members, seed, leak_budget, **LEAKING_GAN),
    }
    population = partial(record_bounds, vae, samples=256, generator=noise())
    for name, maker in makers.items():
        generated = maker.sample(n, noise())
        row = judged(generated)
        if isinstance(maker, RecordVAE):
            row |= nats(maker, test[:RECORDS]) | {"training −IWAE": nats(maker, members)["−IWAE"]}
            row["attack"] = density_attack(maker, patients.log_prob, members, others)
            row["attack, reference model"] = density_attack(
                maker, lambda x: population(x)[1], members, others
            )
        row["attack, samples"] = distance_attack(generated, maker.scaling, members, others)
        row["closer to training"] = closer_to_training(generated, members, others, maker.scaling)
        rows[name] = row
    return {name: rounded(row, 4) for name, row in rows.items()}


def main() -> None:
    torch.set_num_threads(1)
    write(seeds := [patients_run(seed) for seed in SEEDS])
    for name in seeds[0]:
        print(name, *(rows[name] for rows in seeds), sep="\n  ")


def write(seeds: list[dict[str, dict]]) -> None:
    """Write the study, from what `patients_run` gave for each of SEEDS."""
    runs = {name: [rows[name] for rows in seeds] for name in seeds[0]}
    settings = {
        "seeds": SEEDS,
        "cpu seconds": {"VAE, GAN": SECONDS, "of few patients": LEAK_SECONDS},
        "records": {
            "training": RECORDS,
            "test": TEST,
            "reference": REFERENCE,
            "judged": JUDGED,
            "members": MEMBERS,
        },
        "VAE": VAE,
        "GAN": GAN,
        "leaking VAE": LEAKING,
        "regularised VAE": REGULARISED,
        "leaking GAN": LEAKING_GAN,
        "entropy": round(patients.entropy(), 4),
        "bayes auc": round(patients.bayes_auc(), 4),
    }
    write_study("patients", settings, runs)


if __name__ == "__main__":
    main()
