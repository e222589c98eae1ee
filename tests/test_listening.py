"""Players: the bytes are a WAV file of the right samples, nothing is silent or clipped, and all is said in words."""

import base64
import re
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import pad

from helpers.audio import log_spectrogram
from helpers.data import drum_sounds
from helpers.listening import mu_law, player, spectrogram_plot, wav


@pytest.fixture(scope="module")
def sounds():
    return drum_sounds(8).sounds


def decoded(data):
    """µ-law as the standard's decoder writes it, to [−1, 1] of 16 bits."""
    byte = ~np.frombuffer(data, np.uint8).astype(int) & 255
    value = (((byte & 15) << 3) + 132 << (byte >> 4 & 7)) - 132
    return torch.from_numpy(np.where(byte & 128, -value, value) / 32124)


def chunks(file):
    """name → content of the chunks of a RIFF file."""
    assert (
        file[:4] == b"RIFF" and file[8:12] == b"WAVE" and struct.unpack("<I", file[4:8])[0] == len(file) - 8
    )
    found, place = {}, 12
    while place < len(file):
        name, size = file[place : place + 4], struct.unpack("<I", file[place + 4 : place + 8])[0]
        found[name] = file[place + 8 : place + 8 + size]
        place += 8 + size
    return found


def test_the_bytes_are_those_of_pythons_own_encoder():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        audioop = pytest.importorskip("audioop")  # left out of Python 3.13
    values = torch.arange(-32124, 32125, 4) / 32124
    theirs = audioop.lin2ulaw((32124 * values).round().short().numpy().tobytes(), 2)
    mine, theirs = (np.frombuffer(each, np.uint8).astype(int) for each in (mu_law(values), theirs))
    assert (mine == theirs).mean() > 0.99 and np.abs(
        mine - theirs
    ).max() <= 1  # one step at most, by rounding


@pytest.mark.parametrize("loudness", [0.9, 0.1, 0.01])
def test_eight_bits_sound_like_many_more(sounds, loudness):
    """Loud or soft, the error is a small part of the sound, which eight even steps could not do."""
    sound = loudness * sounds[0] / sounds[0].abs().max()
    error = decoded(mu_law(sound)) - sound
    assert error.square().mean() < 0.002 * sound.square().mean()
    even = (sound * 127).round() / 127 - sound
    assert loudness == 0.9 or error.square().mean() < even.square().mean()


def test_the_file_says_what_it_is_and_holds_the_samples(sounds):
    for sound in (sounds[0], sounds[0][:-1]):  # an odd number of bytes is filled up
        parts = chunks(wav(sound))
        assert struct.unpack("<HHIIHH", parts[b"fmt "][:16]) == (7, 1, 8000, 8000, 1, 8)
        assert struct.unpack("<I", parts[b"fact"]) == (len(sound),)
        assert parts[b"data"][: len(sound)] == mu_law(sound)
        assert (decoded(parts[b"data"][: len(sound)]) - sound).abs().max() < 0.03


def test_the_player_holds_each_sound_by_name(sounds):
    made = player({"one <kick>": sounds[0], "three": sounds[:3]}, caption="Listen & compare.")
    page = made.html()
    files = [base64.b64decode(each) for each in re.findall(r'src="data:audio/wav;base64,([^"]+)"', page)]
    assert files == [wav(sounds[0]), made.sounds["three"]]
    long = decoded(chunks(files[1])[b"data"])  # with a pause of 480 between each two
    assert len(long) == 3 * 2048 + 2 * 480
    long = pad(long, (0, 480)).view(3, -1)
    assert (long[:, :2048] - sounds[:3]).abs().max() < 0.03 and (long[:, 2048:] == 0).all()
    assert page.count("<audio controls") == 2 and 'aria-label="one &lt;kick&gt;, 0.3 s"' in page
    assert "Listen &amp; compare." in page and "http" not in page
    bundle = made._repr_mimebundle_()
    assert bundle["text/html"] == page
    assert bundle["text/plain"] == "Sounds to play: one <kick> (0.3 s); three (0.9 s). Listen & compare."


def test_every_sound_of_the_notebook_is_heard_and_none_is_clipped():
    page = (Path(__file__).parents[1] / "notebooks" / "17_audio.ipynb").read_text(encoding="utf-8")
    files = [base64.b64decode(each) for each in re.findall(r'data:audio/wav;base64,([^"\\]+)', page)]
    seconds = [struct.unpack("<I", chunks(file)[b"fact"])[0] / 8000 for file in files]
    assert len(files) > 10 and max(seconds) > 9  # eight bars
    for file in files:
        assert 0.05 < decoded(chunks(file)[b"data"]).abs().max() <= 1


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        (torch.tensor([0.0, 1.2, -0.3]), "from -0.3 to 1.2 would be clipped"),
        (torch.zeros(100), "this would be silence"),
        (torch.full((100,), 0.005), "this would be silence"),
        (torch.tensor([0.1, float("nan")]), "NaN or infinity"),
        (torch.zeros(0), r"shape \(T,\), T ≥ 1"),
        (torch.zeros(2, 2, 2), r"shape \(T,\), T ≥ 1"),
        (torch.ones(4, dtype=torch.int16), "floating-point"),
    ],
)
def test_what_would_not_be_heard_as_it_is_gets_a_sentence(samples, sentence):
    with pytest.raises(ValueError, match=sentence):
        player({"sound": samples})


def test_a_player_of_nothing():
    with pytest.raises(ValueError, match="nothing to hear"):
        player({})


def test_spectrograms_are_drawn_with_their_axes(sounds):
    picture = spectrogram_plot(log_spectrogram(sounds[:3]), ["a", "b", "c"], caption="Three.")
    assert picture.width > 400 and picture.caption == "Three." and len(picture.data) < 60_000
    assert picture.alt.startswith("3 panels") and "128 × 32" in picture.alt and "kHz" in picture.alt
    rows = spectrogram_plot(log_spectrogram(sounds[:5]), columns=3)
    assert rows.height > 1.5 * picture.height
    with pytest.raises(ValueError, match="as many titles"):
        spectrogram_plot(log_spectrogram(sounds[:3]), ["a", "b"])
