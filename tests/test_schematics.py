"""Schematics: one visual language, described, complete in themselves, shown where they are."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from test_notebooks import PATHS, prose_of, read

FOLDER = Path(__file__).parents[1] / "notebooks" / "schematics"
FILES = sorted(FOLDER.glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"


def style_of(path):
    return re.search(r"<style>.*?</defs>", path.read_text(encoding="utf-8"), re.S)[0]


def shown_in(path):
    return re.findall(r"!\[([^\]]+)\]\(schematics/([\w.-]+)\)", prose_of(read(path).cells))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
class TestSchematic:
    def test_it_is_complete_in_itself(self, path):
        text, root = path.read_text(encoding="utf-8"), ElementTree.parse(path).getroot()
        left, top, width, height = map(float, root.get("viewBox").split())
        assert (left, top) == (0, 0) and 300 <= width <= 760 and root.get("width") == f"{width:g}"
        assert height <= 560 and len(text) <= 16_000
        for word in ("<script", "<image", "href=", "@import", "<foreignObject"):
            assert word not in text

    def test_it_says_what_it_shows(self, path):
        root = ElementTree.parse(path).getroot()
        assert root.get("role") == "img" and root.get("aria-labelledby") == "title desc"
        assert len(root.find(f"{SVG}title").text) >= 20 and len(root.find(f"{SVG}desc").text) >= 80

    def test_it_speaks_the_common_language(self, path):
        """The same styles and arrow heads in all, no colour or size of its own, on a white card for dark pages."""
        assert style_of(path) == style_of(FILES[0])
        classes, own = set(re.findall(r"\.([a-z]+)[ ,]", style_of(path))), ElementTree.parse(path).getroot()
        body = [each for each in own.iter() if each.tag not in (f"{SVG}marker", f"{SVG}style")]
        used = {name for each in body for name in each.get("class", "").split()}
        assert used <= classes and "card" in used
        inside_markers = {id(path) for marker in own.iter(f"{SVG}marker") for path in marker}
        for each in body:
            if id(each) not in inside_markers:
                assert not {"fill", "stroke", "style", "font-size"} & set(each.keys()), ElementTree.tostring(
                    each
                )

    def test_its_words_stay_inside(self, path):
        """A rough measure: a letter is at most 0.62 of its size wide."""
        root = ElementTree.parse(path).getroot()
        width, height = map(float, root.get("viewBox").split()[2:])
        for text in root.iter(f"{SVG}text"):
            if text.get("transform"):
                continue
            names, words = text.get("class", "").split(), "".join(text.itertext())
            size = (13 if "small" in names else 15) * 0.62 * len(words)
            start = float(text.get("x")) - size * (0.5 if "mid" in names else 1 if "end" in names else 0)
            assert -4 <= start and start + size <= width + 4, f"{words!r} leaves the card"
            assert 0 < float(text.get("y")) < height


def test_every_schematic_is_shown_and_named_after_its_notebook():
    shown = {(path.name[:2], file) for path in PATHS for _, file in shown_in(path)}
    assert {file for _, file in shown} == {path.name for path in FILES}
    assert [file for number, file in shown if file[:2] != number] == []


def test_what_stands_in_its_place_describes_it():
    for path in PATHS:
        for words, file in shown_in(path):
            assert len(words) >= 20, f"{path.name}: {file} needs a description between the brackets"
