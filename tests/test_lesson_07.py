"""Assignment 07: how its patients were made, that each illness has a test of its own, and that the cure cures.

Run as a program it plays the games anew and writes the patients into the assignment, about a minute on one core.
"""

import base64
import json
import math
import random
import re
import sys
import textwrap
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import torch
from test_lessons import answers, exam, nbgrader_cells, source
from torch import nn
from torch.nn.functional import softplus

from helpers.data import Mixture
from helpers.metrics import mode_coverage

LESSON = "07_diagnosis"
ASSIGNMENT = Path(__file__).resolve().parents[1] / "lessons" / LESSON / "assignment.ipynb"

# --- how the patients were made ----------------------------------------------------------------------------------

TURN = torch.arange(6) * (math.pi / 3)
DATA = Mixture(
    torch.cat([torch.zeros(1, 2), 2 * torch.stack([TURN.cos(), TURN.sin()], dim=1)]), std=0.12
)  # seven clouds
RECORDS, POINTS, BATCH, LATENT = 12, 100, 64, 3


@dataclass(frozen=True)
class Recipe:
    """What may differ between two games; rates are multiplied by a factor of each patient's own."""

    g_rate: float = 2e-3
    d_rate: float = 2e-3
    momentum: float = 0.0
    d_steps: int = 1
    rounds: int = 1800
    calm: bool = True  # the rates fall to 2 % in the second half
    adam: bool = True  # else plain gradient descent
    wasserstein: bool = False  # else the non-saturating game
    z_scale: float = 1.0  # what z is multiplied by before it enters G
    frozen: bool = True  # D stays as it is while G learns
    d_kind: str = "full"  # or "linear", "one eye" (it sees x₁ only), "clipped" (weights at most 0.03 in size)


# A kind → its recipes, which its patients take in turn.
RECIPES = {
    "healthy": [Recipe(rounds=2400)],
    "mode collapse": [
        Recipe(g_rate=1e-3, d_rate=1e-2, momentum=0.5, d_steps=3),
        Recipe(g_rate=1e-3, d_rate=1e-2, momentum=0.5, d_steps=2),
    ],
    "z ignored": [
        Recipe(g_rate=1e-3, d_rate=1e-2, momentum=0.5, d_steps=2, z_scale=0.003),
        Recipe(d_rate=5e-4, z_scale=0.0),
        Recipe(z_scale=0.0),
    ],
    "blind D": [Recipe(d_kind="one eye"), Recipe(d_kind="clipped"), Recipe(d_kind="linear")],
    "bribed D": [Recipe(g_rate=3e-3, d_rate=1e-3, frozen=False)],
    "diverged": [
        Recipe(g_rate=0.02, d_rate=0.04, wasserstein=True, adam=False, calm=False),
        Recipe(g_rate=0.4, d_rate=0.4, calm=False),
    ],
    "unclear": [
        Recipe(g_rate=2e-5, d_rate=2e-3, z_scale=8.0),
        Recipe(g_rate=1e-3, d_rate=1e-2, momentum=0.5, d_steps=3, rounds=300),
    ],
}


class Maker(nn.Module):
    def __init__(self, z_scale):
        super().__init__()
        self.z_scale = z_scale
        first, second = nn.Linear(LATENT, 48), nn.Linear(48, 48)
        self.net = nn.Sequential(first, nn.LeakyReLU(0.2), second, nn.LeakyReLU(0.2), nn.Linear(48, 2))

    def forward(self, z):
        return self.net(self.z_scale * z)


class Judge(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        layers = [nn.Linear(2, 48), nn.LeakyReLU(0.2), nn.Linear(48, 48), nn.LeakyReLU(0.2), nn.Linear(48, 1)]
        self.net = nn.Linear(2, 1) if kind == "linear" else nn.Sequential(*layers)

    def forward(self, points):
        if self.kind == "one eye":
            points = points * torch.tensor([1.0, 0.0])
        return self.net(points).squeeze(1)


def play(recipe, seed):
    """(log, generator, discriminator) of a game. The log holds means over the rounds since the record before."""
    torch.manual_seed(seed)
    maker, judge = Maker(recipe.z_scale), Judge(recipe.d_kind)
    trained = [*maker.parameters(), *([] if recipe.frozen else judge.parameters())]
    if recipe.adam:
        g = torch.optim.Adam(trained, recipe.g_rate, betas=(recipe.momentum, 0.9))
        d = torch.optim.Adam(judge.parameters(), recipe.d_rate, betas=(recipe.momentum, 0.9))
    else:
        g, d = torch.optim.SGD(trained, recipe.g_rate), torch.optim.SGD(judge.parameters(), recipe.d_rate)
    log, window = {name: [] for name in ("round", "d_loss", "g_loss", "real", "fake")}, []
    for t in range(1, recipe.rounds + 1):
        factor = min(1.0, 2 * 0.98 * (1 - t / recipe.rounds) + 0.02) if recipe.calm else 1.0
        g.param_groups[0]["lr"], d.param_groups[0]["lr"] = recipe.g_rate * factor, recipe.d_rate * factor
        for _ in range(recipe.d_steps):
            fake = maker(torch.randn(BATCH, LATENT)).detach()
            on_real, on_fake = judge(DATA.sample(BATCH)), judge(fake)
            d_loss = on_fake - on_real if recipe.wasserstein else softplus(-on_real) + softplus(on_fake)
            d.zero_grad()
            d_loss.mean().backward()
            d.step()
            if recipe.d_kind == "clipped":
                with torch.no_grad():
                    for weight in judge.parameters():
                        weight.clamp_(-0.03, 0.03)
        logits = judge(maker(torch.randn(BATCH, LATENT)))
        g_loss = -logits if recipe.wasserstein else softplus(-logits)
        g.zero_grad()
        g_loss.mean().backward()
        g.step()
        window.append([each.mean().item() for each in (d_loss, g_loss, on_real, on_fake)])
        if t % (recipe.rounds // RECORDS) == 0:
            means = [sum(column) / len(window) for column in zip(*window, strict=True)]
            for name, value in zip(log, [t, *means], strict=True):
                log[name].append(value if name == "round" else float(f"{value:.3g}"))
            window.clear()
    return log, maker, judge


@torch.no_grad()
def sure_of(kind, maker, judge):
    """Whether the game really went as it is meant to, judged by the networks on 3,000 new points and not by the log."""
    fake, real = maker(torch.randn(3000, LATENT)), DATA.sample(3000)
    on_real, on_fake = judge(real), judge(fake)
    if kind == "diverged":
        return not on_fake.isfinite().all() or on_fake.abs().mean().item() > 1000
    modes, good = mode_coverage(fake, DATA)
    told = (on_real.sigmoid().mean() - on_fake.sigmoid().mean()).abs().item()  # 0: D says the same to both
    seen = (
        (on_real > 0).float().mean().item() + (on_fake < 0).float().mean().item()
    ) / 2  # D's right answers
    width = (fake - fake.mean(dim=0)).norm(dim=1).max().item()  # of fakes from 3,000 different z
    return {
        "healthy": modes >= 6 and good >= 0.75,
        "mode collapse": 1 <= modes <= 3 and good >= 0.8 and width > 0.2,
        "z ignored": width < 0.05,
        "blind D": told < 0.06 and good < 0.3 and width > 0.5,
        "bribed D": (on_fake > 0).float().mean().item() > 0.9 and good < 0.1,
        "unclear": seen > 0.85 and good < 0.35 and width > 0.5,
    }[kind]


def made(kind, seed):
    """A patient: the log and POINTS of the last fakes. A seed whose game did not go as meant is passed over."""
    while True:
        draw = random.Random(f"{kind} {seed}")
        recipe = RECIPES[kind][seed % len(RECIPES[kind])]
        g_rate, d_rate = (rate * 2 ** draw.uniform(-0.3, 0.3) for rate in (recipe.g_rate, recipe.d_rate))
        log, maker, judge = play(replace(recipe, g_rate=g_rate, d_rate=d_rate), seed)
        if sure_of(kind, maker, judge):
            with torch.no_grad():
                points = maker(torch.randn(POINTS, LATENT))
            return {"log": log, "points": [[round(value, 2) for value in point] for point in points.tolist()]}
        print(f"{kind}: seed {seed} passed over", file=sys.stderr)
        seed += 60  # the same recipe, since 60 is a multiple of 1, 2 and 3


# The kinds and seeds of the ward, in the order of its letters, and the seeds of each kind in the exam.
WARD = {
    "A": ("blind D", 1),
    "B": ("mode collapse", 1),
    "C": ("healthy", 0),
    "D": ("diverged", 1),
    "E": ("z ignored", 0),
    "F": ("unclear", 0),
    "G": ("z ignored", 1),
    "H": ("healthy", 1),
    "I": ("diverged", 0),
    "J": ("bribed D", 0),
    "K": ("mode collapse", 2),
    "L": ("blind D", 0),
}
EXAM_SEEDS = (30, 31, 32)


def packed(patients):
    text = base64.b64encode(zlib.compress(json.dumps(patients, separators=(",", ":")).encode(), 9)).decode()
    return "\n".join(textwrap.wrap(text, 100))


def checksum(names):
    import hashlib

    return hashlib.pbkdf2_hmac("sha256", " ".join(names).encode(), b"ward", 300_000).hex()[:16]


def write_patients():
    """Play the games and put what came of them into the assignment."""
    notebook = nbformat.read(ASSIGNMENT, as_version=4)
    cells = nbgrader_cells(notebook)
    names = exam_names()
    parts = {
        ("ward", "WARD"): packed([made(*how) for how in WARD.values()]),
        ("diagnose-hidden", "EXAM"): packed([made(kind, seed) for kind in names for seed in EXAM_SEEDS]),
    }
    for (cell, name), text in parts.items():
        cells[cell].source = re.sub(
            rf'{name} = """.*?"""', f'{name} = """\n{text}\n"""', cells[cell].source, flags=re.DOTALL
        )
    seal = checksum([kind for kind, _ in WARD.values()])
    cells["envelope"].source = re.sub(r'SEAL = ".*?"', f'SEAL = "{seal}"', cells["envelope"].source)
    ASSIGNMENT.write_text(nbformat.writes(notebook).rstrip("\n") + "\n", encoding="utf-8")


def exam_names():
    return ("diverged", "z ignored", "bribed D", "blind D", "mode collapse", "healthy", "unclear")


if __name__ == "__main__":
    torch.set_num_threads(1)
    write_patients()
