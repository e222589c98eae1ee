"""Scans: what is said of body, lesion and noise is true of the images."""

import math

import pytest
import torch

from helpers.data import phantoms


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def clean():
    return phantoms(400, seeded(2), noise=0)


def discs(scans):
    """The lesions' discs, from the images alone: (image − healthy) / (0.4 + contrast − healthy)."""
    level = 0.4 + scans.contrast[:, None, None]
    image, healthy = scans.images[:, 0].double(), scans.healthy[:, 0].double()
    return (image - healthy) / (level - healthy)


def test_scans_are_images(clean):
    scans = phantoms(200, seeded(0))
    assert (
        scans.images.shape == scans.healthy.shape == (200, 1, 32, 32) and scans.images.dtype == torch.float32
    )
    for each in (clean.images, scans.images, scans.healthy):
        assert 0 <= each.min() and each.max() <= 1


def test_a_lesion_is_where_and_what_it_is_said_to_be(clean):
    here = clean.present
    disc, (y, x) = discs(clean)[here], torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    area = disc.sum((1, 2))
    centre = torch.stack([(disc * x).sum((1, 2)), (disc * y).sum((1, 2))], dim=1) / area[:, None]
    assert (centre - clean.position[here]).abs().max() < 0.06  # pixels
    assert (area / (math.pi * clean.radius[here] ** 2) - 1).abs().max() < 0.06
    assert (clean.images[here].amax((1, 2, 3)) > 0.6 - 1e-6).all()
    middle = clean.position[here].round().long()
    found = clean.images[here, 0][torch.arange(len(middle)), middle[:, 1], middle[:, 0]]
    assert (found - 0.4 - clean.contrast[here]).abs().max() < 1e-5


def test_a_lesion_lies_inside_the_rim(clean):
    """No pixel that the lesion changes was rim or air before: all were tissue or organ, or between the two."""
    changed = discs(clean)[clean.present] > 1e-6
    before = clean.healthy[clean.present, 0][changed]
    assert 0.2 - 1e-6 < before.min() and before.max() < 0.4 + 1e-6


def test_lesions_are_uniform_in_the_area_that_they_may_have(clean):
    """By the middle and the axes of each body, which the scan shows: a uniform ellipse has the covariance a²/4."""
    here = clean.present
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    at = torch.stack([x, y], -1).reshape(-1, 2).double()
    body = (clean.healthy[here].flatten(1) > 0.13).double()  # all that is not air
    body = body / body.sum(1, keepdim=True)
    middle = body @ at
    covariance = torch.einsum("np,pi,pj->nij", body, at, at) - middle[:, :, None] * middle[:, None, :]
    along, axes = torch.linalg.eigh(covariance)
    half = 2 * along.sqrt()
    place = torch.einsum("nij,ni->nj", axes, clean.position[here] - middle)
    share = (
        place / (half - 1.8 - clean.radius[here, None] - 1)
    ).square()  # each of mean 1/4, if uniform in the area
    error = share.std(0) / len(share) ** 0.5
    assert ((share.mean(0) - 0.25).abs() < 4 * error).all() and (error < 0.03).all()


def test_half_have_a_lesion_and_the_others_are_healthy():
    scans = phantoms(1_000, seeded(3))
    assert abs(scans.present.double().mean() - 0.5) < 3 * 0.5 / 1_000**0.5
    absent = ~scans.present
    assert torch.equal(scans.images[absent], scans.healthy[absent])
    assert scans.position[absent].isnan().all() and not scans.position[scans.present].isnan().any()
    assert not scans.radius[absent].any() and not scans.contrast[absent].any()
    radius, contrast = scans.radius[scans.present], scans.contrast[scans.present]
    for values, low, high in ((radius, 1.5, 3), (contrast, 0.2, 0.4)):
        assert low <= values.min() and values.max() <= high
        assert abs(values.mean() - (low + high) / 2) < 3 * (high - low) / 12**0.5 / len(values) ** 0.5


def test_noise_is_gaussian_and_of_the_size_that_is_asked_for():
    noisy, clean = phantoms(100, seeded(6), noise=0.015), phantoms(100, seeded(6), noise=0)
    noise = (noisy.images - clean.images).flatten()
    assert noise.std() == pytest.approx(0.015, rel=0.01) and abs(noise.mean()) < 2e-4
    assert torch.equal(noisy.radius, clean.radius)
    same = torch.isclose(noisy.images - noisy.healthy, clean.images - clean.healthy, atol=1e-6)
    assert same.all()


def test_a_body_has_a_rim_and_organs_and_they_differ(clean):
    healthy = clean.healthy
    assert (healthy[:, :, 0, 0] == healthy[0, 0, 0, 0]).all() and (healthy[:, 0, [0, -1]] < 0.1).all()  # air
    share = [((healthy - level).abs() < 0.02).double().mean() for level in (0.06, 0.75, 0.4, 0.2)]
    assert min(share) > 0.03
    assert len({image.numpy().tobytes() for image in healthy}) == len(healthy)


def test_a_seed_gives_the_same_scans():
    first, second = phantoms(5, seeded(1)), phantoms(5, seeded(1))
    assert torch.equal(first.images, second.images) and torch.equal(first.radius, second.radius)
    assert not torch.equal(first.images, phantoms(5, seeded(2)).images)


@pytest.mark.parametrize("noise", [-0.1, 0.5, math.nan])
def test_noise_that_leaves_no_image(noise):
    with pytest.raises(ValueError, match=r"from 0 to 0\.1"):
        phantoms(3, noise=noise)
