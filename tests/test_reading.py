"""What a page asks of its reader: a core that fits in an hour, a picture before the first formula, the field's words.

The core ends where "Going deeper" begins. Minutes of reading are words / 75 + 2 an equation + lines of code / 10 + half
a minute a figure, and the notebook's head states them, to the next five.
"""

import json
import re

import pytest
from test_notebooks import PATHS, prose_of, read

LIMITS = {"words": 2000, "equations": 10, "lines": 200, "cells": 40}
# Words of this house that stand for words of the field, or for no good sentence. In Python's regular expressions.
HOME_MADE = (
    r"bells?|bell curves?|drawings?|by chance|coin[- ]toss(?:es)?|coins?|surprise|guess(?:es)?|out of reach"
    r"|upright|tilted|latent numbers|nudge test|bill|aggregate gap|foreign codes?|sure of itself|fool_again"
    r"|wires?|digit Fréchet|calm(?:er|s)? ?down|calmer|learn(?:s|t|ed)? by heart|obedience|blind D|company"
    r"|put aside|null level|good points|league|[Ww]hoever|shall|Mind|[Nn]obody|the judge|rulers?"
)


def split(notebook):
    """The cells of the core, and those that go deeper."""
    heads = [
        n for n, cell in enumerate(notebook.cells) if re.match(r"#{1,3} .*going deeper", cell.source, re.I)
    ]
    cut = heads[0] if heads else len(notebook.cells)
    return notebook.cells[:cut], notebook.cells[cut:]


def plain(prose):
    """Without formulas, code, elements and addresses."""
    return re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$|<[^>]+>|`[^`]*`|\]\([^)]*\)", " ", prose, flags=re.S)


def code_of(cells):
    shown = [
        c for c in cells if c.cell_type == "code" and not c.metadata.get("jupyter", {}).get("source_hidden")
    ]
    return [
        line
        for c in shown
        for line in c.source.splitlines()
        if line.strip() and not line.strip().startswith("#")
    ]


def measure(cells):
    prose = prose_of(cells)
    outputs = [json.dumps(output) for c in cells if c.cell_type == "code" for output in c.outputs]
    figures = sum("<img" in output for output in outputs) + len(re.findall(r"!\[|```mermaid|<img ", prose))
    found = {
        "words": len(re.findall(r"[A-Za-zÀ-ÿ'’]+", plain(prose))),
        "equations": prose.count("$$") // 2,
        "lines": len(code_of(cells)),
        "cells": len(cells),
    }
    minutes = found["words"] / 75 + 2 * found["equations"] + found["lines"] / 10 + figures / 2
    return found | {"minutes": minutes}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
class TestForAFirstReader:
    def test_the_core_fits_in_an_hour(self, path):
        core, deeper = split(read(path))
        found = measure(core)
        assert deeper, "what is for the few stands under a heading Going deeper"
        assert {name: found[name] for name, limit in LIMITS.items() if found[name] > limit} == {}

    def test_the_minutes_are_honest(self, path):
        stated = re.search(
            r"\*\*Time\.\*\* (?:About )?(\d+) minutes for the core", read(path).cells[0].source
        )
        assert stated, "the first cell says: **Time.** 55 minutes for the core and 30 for the exercises. …"
        assert abs(int(stated[1]) - measure(split(read(path))[0])["minutes"]) <= 5

    def test_a_picture_comes_before_the_first_formula(self, path):
        prose = prose_of(read(path).cells)
        picture = re.search(r"\]\(schematics/|```mermaid", prose)
        assert picture, "no schematic"
        assert "$$" not in prose[: picture.start()]

    def test_claims_are_tested_elsewhere(self, path):
        """An assert stays on the page only where the identity itself is the lesson."""
        for part in split(read(path)):
            assert sum(line.strip().startswith("assert ") for line in code_of(part)) <= 3

    def test_the_words_are_those_of_the_field(self, path):
        prose = plain(prose_of(read(path).cells))
        assert re.findall(rf"\b(?:{HOME_MADE})\b", prose) == []

    def test_its_parts_come_in_order(self, path):
        prose = prose_of(read(path).cells)
        parts = (
            "**What you'll do.**",
            "**Time.**",
            "In three sentences",
            "Your turn",
            "What you can now do",
            "# Going deeper",
        )
        places = [prose.find(part) for part in parts]
        assert -1 not in places and places == sorted(places), dict(zip(parts, places, strict=True))

    def test_set_up_is_folded(self, path):
        first = next(cell for cell in read(path).cells if cell.cell_type == "code")
        assert first.metadata.jupyter.source_hidden and {"setup", "hide-input"} <= set(first.metadata.tags)

    def test_a_prediction_comes_before_its_figure(self, path):
        """What answers it is folded, or stands after the next code cell."""
        for cell in read(path).cells:
            if cell.cell_type == "markdown" and "**Predict" in cell.source:
                after = cell.source.split("**Predict", 1)[1]
                assert "What you should see:" not in after.split("<details>")[0]
