"""Judgements of samples: points by the modes they cover, digits and drums by small trained classifiers, reports by a
grammar."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import torch
from torch import Tensor, nn

from helpers.audio import expect_spectrograms, log_spectrogram
from helpers.data import DRUMS, Grammar, Mixture, door, drum_sounds, expect_images, expect_points, load_digits
from helpers.data.clips import magnify
from helpers.data.doors import ends_of
from helpers.theory import discrete_js
from helpers.video import agreement, aligned, flicker, smooth, speeds, track, turns

SHARE = 0.04  # a class counts as covered with at least this share of the samples
SURE = 0.8  # a clip counts as readable if its best class has at least this probability


@door(expect_points, "points")
@torch.no_grad()
def mode_coverage(points: Tensor, mixture: Mixture) -> tuple[int, float]:
    """How many modes the points (N, 2) cover, and the share of high-quality samples.

    A sample is of high quality within 3 standard deviations of a mode; a mode is covered if at least 2 % of the
    samples are so near to it. Source: after Srivastava et al. (2017), section 4.1.
    """
    distance, nearest = torch.cdist(points, mixture.centres.to(points)).min(dim=1)
    good = distance < 3 * mixture.std
    shares = nearest[good].bincount(minlength=len(mixture.centres)) / len(points)
    return int((shares >= 0.02).sum()), good.float().mean().item()


@torch.no_grad()
def js_from_samples(a: Tensor, b: Tensor, cells: int = 20, reach: float = 3.0) -> float:
    """The Jensen–Shannon divergence of two histograms of `cells` × `cells` on the square ±`reach`, in nats.

    a (N, 2), b (M, 2). An estimate that is too large: two samples of one and the same density already give some 0.27
    nats for 200 points each and 0.02 for 5,000. Always show that finite-sample baseline beside it. Points outside count
    at the edge.
    """
    edge = torch.linspace(-reach, reach, cells + 1)[1:-1].to(a.device)
    shares = []
    for points in (expect_points(a), expect_points(b)):
        ends_of(points, "Points")  # NaN would count in the last cell
        place = torch.bucketize(points.contiguous(), edge)  # (N, 2), 0 to cells − 1
        counts = (place[:, 0] * cells + place[:, 1]).bincount(minlength=cells**2)
        shares.append(counts.double() / len(points))
    return discrete_js(*shares).item()


class DigitClassifier(nn.Module):
    """Images (B, 1, 28, 28) in [0, 1] to 64 features, and those to the logits of ten classes."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 7 * 7, 64),
            nn.ReLU(),
        )
        self.head = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


@cache
def digit_classifier() -> DigitClassifier:
    """The frozen classifier, as `python -m helpers.studies.digit_classifier` trained it on the 4,000 digits."""
    with (resources.files("helpers") / "digit_classifier.npz").open("rb") as file:
        weights = {name: torch.from_numpy(array).float() for name, array in np.load(file).items()}
    model = DigitClassifier()
    model.load_state_dict(weights)
    return model.eval().requires_grad_(False)


def _for_the_judge(images: Tensor) -> Tensor:
    """The images where the classifier is, whatever device and dtype drew them."""
    return expect_images(images).cpu().float()


@torch.no_grad()
def digit_features(images: Tensor) -> Tensor:
    """The classifier's 64 features of images (N, 1, 28, 28) in [0, 1], (N, 64)."""
    images = _for_the_judge(images)
    return torch.cat([digit_classifier().features(part) for part in images.split(500)])


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """|m_a − m_b|² + tr(C_a + C_b − 2 (C_a C_b)^½), the squared Fréchet distance of two fitted Gaussians.

    `a` (N, d) and `b` (M, d) with N, M ≥ 2. Biased upwards for few samples: always show it beside the distance of real
    images to real images. Raises ValueError on fewer rows or unequal widths. Source: Heusel et al. (2017), eq. 6.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"Features must be (N, d) and (M, d) with N, M ≥ 2, these are {tuple(a.shape)} and {tuple(b.shape)}."
        )
    ends_of(a, "Features")
    ends_of(b, "Features")
    a, b = a.double(), b.double()
    cov_a, cov_b = torch.cov(a.T), torch.cov(b.T)
    values, vectors = torch.linalg.eigh(cov_a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T  # C_a^½
    cross = torch.linalg.eigvalsh(root @ cov_b @ root).clamp(min=0).sqrt().sum()  # tr (C_a C_b)^½
    distance = (a.mean(0) - b.mean(0)).square().sum() + cov_a.trace() + cov_b.trace() - 2 * cross
    return max(0.0, distance.item())


@torch.no_grad()
def class_shares(images: Tensor) -> Tensor:
    """The share of each of the ten classes among the images, by the frozen classifier, (10,)."""
    images = _for_the_judge(images)
    labels = torch.cat([digit_classifier()(part).argmax(1) for part in images.split(500)])
    return labels.bincount(minlength=10) / len(images)


@torch.no_grad()
def nearest_distance(images: Tensor, training: Tensor) -> Tensor:
    """The Euclidean distance of each image to the nearest training image, in pixel values, (N,)."""
    images, flat = _for_the_judge(images), _for_the_judge(training).flatten(1)
    return torch.cat([torch.cdist(part.flatten(1), flat).min(1).values for part in images.split(500)])


def laplacian_variance(images: Tensor) -> Tensor:
    """The variance of the Laplacian of each image (N, 1, H, W) over its inner pixels, (N,).

    The Laplacian is the sum of a pixel's four neighbours less four times the pixel itself: large at edges and in noise.
    """
    inner = images[..., 1:-1, 1:-1]
    up, down = images[..., :-2, 1:-1], images[..., 2:, 1:-1]
    left, right = images[..., 1:-1, :-2], images[..., 1:-1, 2:]
    return (up + down + left + right - 4 * inner).flatten(1).var(dim=1)


def sharpness(images: Tensor, real: Tensor) -> float:
    """The mean Laplacian variance of `images` (N, 1, H, W) over that of `real` (M, 1, H, W), in the same range.

    1 is as sharp as real images, less is blurred, more is noisy: nearer to 1 is better. Source: the variance of the
    Laplacian as a measure of focus, Pech-Pacheco et al. (2000).
    """
    return (laplacian_variance(images).mean() / laplacian_variance(real).mean()).item()


@dataclass(frozen=True)
class DigitScore:
    """What 2,000 generated digits are worth; `distance` means nothing without the finite-sample baseline `floor`."""

    distance: float  # Fréchet distance to the 500 held-out images
    floor: float  # the finite-sample baseline: that of 2,000 real training images
    shares: tuple[float, ...]  # of the ten classes
    nearest: (
        float  # median distance to the nearest training image ÷ the same of held-out images: 0 for copies
    )

    @property
    def classes(self) -> int:
        """The classes with at least 4 % of the samples."""
        return sum(share >= SHARE for share in self.shares)

    def __str__(self) -> str:
        return (
            f"FID {self.distance:.1f} (finite-sample baseline {self.floor:.1f}) · {self.classes} of 10 classes, "
            f"rarest {100 * min(self.shares):.1f} % · nearest {self.nearest:.2f}"
        )


@cache
def _reference(split: str) -> tuple[Tensor, float, float]:
    """Features of the held-out images, the finite-sample baseline, and how far they lie from the training images."""
    training, held_out = load_digits("train")[0], load_digits(split)[0]
    features = digit_features(held_out)
    floor = frechet_distance(digit_features(training[:2000]), features)
    return features, floor, nearest_distance(held_out, training).median().item()


def score_digits(images: Tensor, split: str = "test") -> DigitScore:
    """Judge generated images (N, 1, 28, 28) in [0, 1], 2,000 of them to be comparable, against a held-out split.

    Choose settings with split="validation"; read the test images once. A VAE is judged by its decoder's means.
    """
    features, floor, real_nearest = _reference(split)
    return DigitScore(
        distance=frechet_distance(digit_features(images), features),
        floor=floor,
        shares=tuple(class_shares(images).tolist()),
        nearest=nearest_distance(images, load_digits("train")[0]).median().item() / real_nearest,
    )


class DrumClassifier(nn.Module):
    """Standardised log spectrograms (B, 128, 32) to 32 features, and those to the logits of the four drums."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Unflatten(1, (1, 128)),
            nn.AvgPool2d((4, 2)),  # (B, 1, 32, 16): the grain of noise is averaged out, as the ear does
            nn.Conv2d(1, 8, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(16 * 8 * 4, 32),
            nn.ReLU(),
        )
        self.head = nn.Linear(32, len(DRUMS))

    def forward(self, spectrograms: Tensor) -> Tensor:
        return self.head(self.features(spectrograms))


@cache
def drum_classifier() -> DrumClassifier:
    """The frozen classifier, as `python -m helpers.studies.drum_classifier` trained it on 4,000 sounds."""
    with (resources.files("helpers") / "drum_classifier.npz").open("rb") as file:
        weights = {name: torch.from_numpy(array).float() for name, array in np.load(file).items()}
    model = DrumClassifier()
    model.load_state_dict(weights)
    return model.eval().requires_grad_(False)


HELD_OUT_DRUMS = {"validation": 2001, "test": 2002}  # the seeds of 2,000 sounds each


@cache
def _drum_reference(split: str) -> Tensor:
    """The classifier's features of the held-out sounds, (2000, 32)."""
    return drum_classifier().features(log_spectrogram(drum_sounds(2000, HELD_OUT_DRUMS[split]).sounds))


@torch.no_grad()
def score_drums(spectrograms: Tensor, split: str = "test") -> dict[str, float]:
    """The Fréchet audio distance `FAD` of spectrograms (n, 128, 32) to held-out sounds, and the share of each drum.

    The features are those of a small classifier of ours, not of VGGish: compare with figures of the same classifier
    only. Choose settings with split="validation"; read the test sounds once. Source: Kilgour et al. (2019).
    """
    features = drum_classifier().features(expect_spectrograms(spectrograms))
    drums = drum_classifier().head(features).argmax(1)
    shares = drums.bincount(minlength=len(DRUMS)) / len(drums)
    return {"FAD": frechet_distance(features, _drum_reference(split))} | dict(
        zip(DRUMS, shares.tolist(), strict=True)
    )


def score_reports(reports: Sequence[tuple], training: Sequence[tuple], grammar: Grammar) -> dict[str, float]:
    """Shares of the generated reports: grammatical, in agreement, distinct, copies of training reports; and coverage.

    Coverage is the probability, under the grammar, of the distinct reports together: Σ p(x). The other four are shares
    of all reports, so a report in agreement is a grammatical one too.
    """
    originals = set(training)
    return {
        "grammatical": grammar.is_grammatical(reports).double().mean().item(),
        "in agreement": grammar.agrees(reports).double().mean().item(),
        "distinct": len(set(reports)) / len(reports),
        "copies": sum(report in originals for report in reports) / len(reports),
        "coverage": grammar.log_prob(set(reports)).exp().sum().item(),
    }


def novelty(reports: Sequence[tuple], training: Sequence[tuple]) -> float:
    """The share of the distinct reports that are none of the training reports."""
    distinct = set(reports)
    return len(distinct - set(training)) / len(distinct)


@torch.no_grad()
def read_clips(frames: Tensor) -> Tensor:
    """p(class) in each frame of clips (n, T, 1, 32, 32), by the frozen classifier, (n, T, 10).

    It reads the patch around the centre of mass, enlarged to 28 × 28.
    """
    digits = _for_the_judge(magnify(aligned(frames).flatten(0, 1)))
    logits = torch.cat([digit_classifier()(part) for part in digits.split(500)])
    return logits.softmax(-1).unflatten(0, frames.shape[:2])


def score_clips(frames: Tensor) -> dict[str, float]:
    """Judge clips of flying digits (n, T, 1, 32, 32) by what is seen: identity, then motion.

    `readable` is the share of clips with a class of mean probability over the frames ≥ 0.8, `classes` how many of the
    ten are the most frequent label of at least 4 % of the clips, `speed` the mean step in pixels a frame, `turns` the
    mean number of bounces seen in a clip. No one of them is enough: a blob scores well on agreement and flicker, what
    rests scores well on smoothness, and two digits laid over each other are readable in a third of all cases.
    """
    probabilities, positions = read_clips(frames), track(frames)
    labels = probabilities.argmax(-1)
    shares = labels.mode(dim=1).values.bincount(minlength=10) / len(labels)
    return {
        "readable": (probabilities.mean(1).amax(-1) >= SURE).double().mean().item(),
        "classes": int((shares >= SHARE).sum()),
        "agreement": agreement(labels),
        "flicker": flicker(aligned(frames)),
        "smooth": smooth(positions),
        "speed": speeds(positions).mean().item(),
        "turns": turns(positions).sum(1).double().mean().item(),
    }
