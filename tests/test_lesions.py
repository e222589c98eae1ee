"""Lesions: how much of one is left is what was left of it, and the reader finds what is there."""

import pytest
import torch

from helpers.data import phantoms
from helpers.lesions import brightest_square, contrast_kept
from helpers.privacy import tpr_at_fpr
from helpers.studies import study
from helpers.studies.scans import scans_run
from helpers.training import for_updates


@pytest.fixture(scope="module")
def scans():
    return phantoms(600, torch.Generator().manual_seed(3))


@pytest.mark.parametrize("share", [1.0, 0.5, 0.0, -0.2])
def test_a_lesion_that_is_dimmed_has_that_share_of_its_contrast(scans, share):
    """(19.5)"""
    lesion = (scans.images - scans.healthy)[scans.present]
    elsewhere = 0.1 * torch.randn(lesion.shape, generator=torch.Generator().manual_seed(0)) * (lesion == 0)
    kept = contrast_kept(lesion, share * lesion + elsewhere)
    assert kept.shape == (len(lesion),) and torch.allclose(kept, torch.full_like(kept, share), atol=1e-5)


def test_it_is_the_number_that_makes_the_squared_error_least(scans):
    """(19.5)"""
    lesion = (scans.images - scans.healthy)[scans.present][:5].double()
    copied = torch.randn(lesion.shape, generator=torch.Generator().manual_seed(1)).double()
    c = contrast_kept(lesion, copied)[:, None, None, None]

    def error(c):
        return (copied - c * lesion).square().flatten(1).sum(1)

    assert (error(c) < error(c + 0.01)).all() and (error(c) < error(c - 0.01)).all()


def test_the_brightest_square_by_hand():
    image = torch.zeros(2, 1, 6, 6)
    image[0, 0, 1:4, 2:5] = 0.7  # a square of three by three
    image[0, 0, 2, 3] = 0.9
    image[1, 0, 0:2, :] = 1.0  # a bright rim of two pixels: no square fits in
    assert brightest_square(image).tolist() == pytest.approx([0.7, 0.0])


def test_the_reader_finds_most_lesions_and_is_not_fooled_by_the_rim(scans):
    found = tpr_at_fpr(*(brightest_square(each[scans.present]) for each in (scans.images, scans.healthy)))
    assert found["tpr"] > 0.9
    assert brightest_square(scans.healthy).median() < 0.5  # the rim has 0.75


def test_a_short_run_has_every_row_of_the_study(one_thread):
    few, stored = scans_run(0, for_updates(2), for_updates(2), n=200), study("scans")["runs"]
    assert {name: row.keys() for name, row in few.items()} == {
        name: rows[0].keys() for name, rows in stored.items()
    }
    assert few["scans"] == stored["scans"][0]


def test_the_study_keeps_more_with_more_latent_dimensions():
    runs = study("scans")["runs"]
    for few, some, many in zip(*(runs[f"VAE, {latent}"] for latent in (8, 16, 32)), strict=True):
        assert few["contrast kept"] < 0.25 < 0.4 < some["contrast kept"] < many["contrast kept"]
