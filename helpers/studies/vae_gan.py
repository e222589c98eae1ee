"""VAE, GAN and VAE-GAN with one and the same decoder, three seeds each: `python -m helpers.studies.vae_gan`.

Eight minutes on one core. The standard deviation s of the VAE's pixels is chosen first, by the distance to the
validation images. With `picture` behind the name of the module: only vae_gan.png, ten samples of each, in two minutes.
"""

import copy
import sys
import time

import torch
from torch import Tensor, nn

from helpers.data import batches, load_digits
from helpers.gan import Discriminator, Generator, draw, from_tanh, gan_step, lr_factor, to_tanh
from helpers.metrics import digit_classifier, score_digits, sharpness
from helpers.plotting import image_grid
from helpers.studies import RESULTS, rounded, study, write_study
from helpers.vae import VAE, vae_step
from helpers.vae_gan import Encoder, gaussian_vae_step, vae_gan_loss_weights, vae_gan_step

SEEDS, LATENT, WIDTH, BATCH = (0, 1, 2), 20, 40, 32
STEPS = {"VAE": 5000, "VAE, Bernoulli": 4000, "GAN": 1800, "VAE-GAN": 950}
RATES = {"encoder": 2e-3, "decoder": 2e-3, "discriminator": 1e-2}
DEVIATIONS, TRY_STEPS = (0.3, 0.5, 0.7, 1.0), 1500
GAMMA = 0.1
WEIGHTING_STEPS = 250


def players(latent: int = LATENT) -> dict[str, nn.Module]:
    """New networks; the decoder is the generator of notebook 05 in all models but the Bernoulli VAE."""
    networks = (Encoder(latent), Generator(latent, WIDTH), Discriminator())
    return dict(zip(RATES, networks, strict=True))


def adams(networks: dict[str, nn.Module], betas=(0.0, 0.9)) -> dict[str, torch.optim.Optimizer]:
    """An Adam for each network, by default without momentum, as in notebook 05."""
    return {
        name: torch.optim.Adam(network.parameters(), RATES[name], betas=betas, fused=True)
        for name, network in networks.items()
    }


def set_rates(optimisers: dict[str, torch.optim.Optimizer], done: float) -> None:
    """All rates by the course's schedule when the share `done` of the training is over."""
    for name, optimiser in optimisers.items():
        for group in optimiser.param_groups:
            group["lr"] = RATES[name] * lr_factor(done)


def start(seed: int, batch: int = BATCH):
    """The run's seed, and its source of real images in [−1, 1]."""
    torch.manual_seed(seed)
    return batches(to_tanh(load_digits("train")[0]), batch, torch.Generator().manual_seed(seed))


def train_vae(seed: int, deviation: float, steps: int) -> dict[str, nn.Module]:
    """The VAE with p(x|z) = N(decoder(z), s²I), s = `deviation`: one optimiser for one objective."""
    source, networks = start(seed), players()
    both = nn.ModuleList([networks["encoder"], networks["decoder"]])
    optimisers = adams({"encoder": both}, betas=(0.9, 0.999))
    for t in range(steps):
        set_rates(optimisers, t / steps)
        gaussian_vae_step(
            networks["encoder"], networks["decoder"], optimisers["encoder"], next(source), deviation
        )
    return networks


def train_gan(seed: int, steps: int) -> dict[str, nn.Module]:
    """The GAN of notebook 05, with z as long as the others' codes."""
    source, networks = start(seed), players()
    optimisers = adams(networks)
    for t in range(steps):
        set_rates(optimisers, t / steps)
        names = ("decoder", "discriminator")
        gan_step(*(networks[name] for name in names), *(optimisers[name] for name in names), next(source))
    return networks


def train_vae_gan(seed: int, loss_weights: dict[str, dict[str, float]], steps: int) -> dict[str, nn.Module]:
    """Any model that a table of loss weights describes; the VAE-GAN's is `vae_gan_loss_weights()`."""
    source, networks = start(seed), players()
    optimisers = adams(networks)
    for t in range(steps):
        set_rates(optimisers, t / steps)
        vae_gan_step(networks, optimisers, next(source), loss_weights)
    return networks


def train_bernoulli(seed: int, steps: int) -> VAE:
    """The VAE of notebook 12, with its own networks, optimiser and schedule, on black-and-white images."""
    torch.manual_seed(seed)
    images = load_digits("train")[0]
    source, vae = batches(images, 128, torch.Generator().manual_seed(seed)), VAE().start_from(images)
    optimiser = torch.optim.AdamW(vae.parameters(), lr=3e-3, weight_decay=0.1, fused=True)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, eta_min=6e-5)
    for _ in range(steps):
        vae_step(vae, optimiser, next(source))
        cosine.step()
    return vae


@torch.no_grad()
def judge(drawn: Tensor, recon: Tensor | None = None) -> dict[str, float]:
    """What 2,000 drawings, and the reconstructions of the validation images, are worth; images in [0, 1].

    distance, classes, nearest and sharpness of the drawings; of the reconstructions the sharpness, the root of the
    mean squared error of a pixel, and the share that the frozen classifier puts into the class of the original.
    """
    real, labels = load_digits("validation")
    score = score_digits(drawn, "validation")
    figures = {"distance": score.distance, "classes": score.classes, "nearest": score.nearest}
    figures |= {"sharpness": sharpness(drawn, real)}
    if recon is not None:
        figures |= {"recon_sharpness": sharpness(recon, real)}
        figures |= {"recon_error": (recon - real).square().mean().sqrt().item()}
        figures |= {"recon_class": (digit_classifier()(recon).argmax(1) == labels).float().mean().item()}
    return figures


@torch.no_grad()
def reconstructed(encoder: nn.Module, decoder: nn.Module, images: Tensor) -> Tensor:
    """What the decoder makes of the mean of q(z|x), (N, 1, 28, 28) in [0, 1], in evaluation mode."""
    decoder = copy.deepcopy(decoder).eval()
    return from_tanh(decoder(encoder(to_tanh(images))[0])).clamp(0, 1)


def judged(networks: dict[str, nn.Module], has_encoder: bool = True) -> dict[str, float]:
    """`judge` on the drawings of a model of `players`, and on its reconstructions if it has an encoder."""
    real = load_digits("validation")[0]
    recon = reconstructed(networks["encoder"], networks["decoder"], real) if has_encoder else None
    return judge(draw(networks["decoder"], 2000, seed=1), recon)


def trained(setting: str, seed: int, deviation: float, steps: int) -> VAE | dict[str, nn.Module]:
    """What "VAE", "VAE, Bernoulli", "GAN" or "VAE-GAN" has become after `steps` updates."""
    if setting == "VAE, Bernoulli":
        return train_bernoulli(seed, steps)
    if setting == "VAE":
        return train_vae(seed, deviation, steps)
    if setting == "GAN":
        return train_gan(seed, steps)
    return train_vae_gan(seed, vae_gan_loss_weights(GAMMA), steps)


def sampled(model: VAE | dict[str, nn.Module], n: int = 2000) -> Tensor:
    """Samples of a model of `trained`, (n, 1, 28, 28) in [0, 1]."""
    if isinstance(model, VAE):
        return model.sample(n, torch.Generator().manual_seed(1))
    return draw(model["decoder"], n, seed=1)


def vae_gan_run(
    setting: str, seed: int, deviation: float = 0.5, steps: int | None = None
) -> dict[str, float]:
    """One run of "VAE", "VAE, Bernoulli", "GAN" or "VAE-GAN" on the 4,000 digits, with its CPU-seconds of training."""
    begin = time.process_time()
    model = trained(setting, seed, deviation, steps or STEPS[setting])
    seconds = time.process_time() - begin
    if setting == "VAE, Bernoulli":
        with torch.no_grad():
            recon = model.decode(model.encode(load_digits("validation")[0])[0]).sigmoid().view(-1, 1, 28, 28)
        figures = judge(sampled(model), recon)
    else:
        figures = judged(model, has_encoder=setting != "GAN")
    return rounded({"seconds": seconds} | figures, 3)


def weightings() -> dict[str, dict[str, dict[str, float]]]:
    """The VAE-GAN's table of loss weights, and two with one term too many."""
    right = vae_gan_loss_weights(GAMMA)
    to_d = right["discriminator"] | {"features": 1.0}
    to_encoder = right["encoder"] | {"fool_recon": 0.5}
    return {
        "as it should be": right,
        "features to D": right | {"discriminator": to_d},
        "adversarial loss to encoder": right | {"encoder": to_encoder},
    }


def weighting_run(setting: str, seed: int, steps: int = WEIGHTING_STEPS) -> dict[str, float]:
    """One short run with one of `weightings()`."""
    return rounded(judged(train_vae_gan(seed, weightings()[setting], steps)), 3)


def draw_picture(deviation: float, columns: int = 10) -> None:
    """vae_gan.png, which section 6 of the notebook shows: the first samples of each model, of the first seed."""
    rows = [sampled(trained(name, SEEDS[0], deviation, steps))[:columns] for name, steps in STEPS.items()]
    picture = image_grid(torch.cat(rows), columns=columns, row_titles=list(STEPS))
    (RESULTS / "vae_gan.png").write_bytes(picture.data)


def main() -> None:
    torch.set_num_threads(1)
    if sys.argv[1:] == ["picture"]:
        return draw_picture(study("vae_gan")["settings"]["pixel_deviation"])
    tries = {}
    for deviation in DEVIATIONS:
        tries[deviation] = rounded(judged(train_vae(SEEDS[0], deviation, TRY_STEPS)), 3)
    deviation = min(tries, key=lambda each: tries[each]["distance"])
    runs = {setting: [vae_gan_run(setting, seed, deviation) for seed in SEEDS] for setting in STEPS}
    runs |= {f"loss weights: {name}": [weighting_run(name, seed) for seed in SEEDS] for name in weightings()}
    write_results(tries, deviation, runs)
    draw_picture(deviation)


def write_results(tries: dict, deviation: float, runs: dict) -> None:
    settings = {"seeds": SEEDS, "latent": LATENT, "width": WIDTH, "batch": BATCH, "rates": RATES}
    settings |= {"steps": STEPS, "weighting_steps": WEIGHTING_STEPS, "try_steps": TRY_STEPS}
    settings |= {"pixel_deviation": deviation, "gamma": GAMMA}
    write_study("vae_gan", settings, runs, tries={f"s = {each}": row for each, row in tries.items()})
    for name, rows in runs.items():
        print(name, *rows, sep="\n  ")


if __name__ == "__main__":
    main()
