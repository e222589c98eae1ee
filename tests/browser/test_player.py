"""The players of a page in Chromium: each sound is decoded as it was, and plays to its end when pressed."""

import os

import pytest
import torch
from jupyterlab import FLAGS, find_chromium
from playwright.sync_api import sync_playwright

from helpers.data import drum_sounds
from helpers.listening import PAUSE, player

pytestmark = pytest.mark.browser

PLAY = """async audio => {
    const file = await (await fetch(audio.src)).arrayBuffer();
    const context = new OfflineAudioContext(1, 1, 8000);
    const sound = (await context.decodeAudioData(file)).getChannelData(0);
    const waiting = audio.paused && !audio.autoplay;
    const ended = new Promise(resolve => { audio.onended = resolve; });
    await audio.play();
    await ended;
    return {waiting, sound: Array.from(sound), length: audio.duration, error: audio.error?.message || null};
}"""


def test_the_sounds_of_a_player_are_decoded_and_played():
    if find_chromium() is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium")
        pytest.skip("no Chromium: `apt-get install chromium` on Debian, or set CHROMIUM=/path/to/it")
    sounds = drum_sounds(3).sounds
    given = {"one": sounds[0], "three": sounds}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = browser.new_page()
        page.set_content(player(given, caption="Three drums.").html())
        assert (
            page.get_by_text("Three drums.").is_visible() and page.get_by_label("three, 0.9 s").is_visible()
        )
        found = [audio.evaluate(PLAY) for audio in page.locator("audio").all()]
        browser.close()
    pause = torch.zeros(round(PAUSE * 8000))
    lined = [sounds[0], torch.cat([sounds[0], pause, sounds[1], pause, sounds[2]])]
    for heard, wanted in zip(found, lined, strict=True):
        sound = torch.tensor(heard["sound"])
        assert heard["waiting"] and heard["error"] is None
        assert heard["length"] == pytest.approx(len(wanted) / 8000, abs=0.01)
        assert len(sound) == len(wanted) and (sound - 0.98 * wanted).abs().max() < 0.05
        assert 0.05 < sound.abs().max() < 1
