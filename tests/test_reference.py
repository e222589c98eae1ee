"""The reference page holds what the notebooks hold: each equation, each term, with links that lead there."""

import re

import pytest
import reference
from reference import prose_of
from test_notebooks import FOLDER, PATHS, read

TERMS = reference.glossary_terms()
PAGE = FOLDER / "reference.ipynb"


def text():
    return "\n".join(cell.source for cell in read(PAGE).cells)


def test_it_is_what_the_script_makes_of_today():
    assert PAGE.read_text(encoding="utf-8") == reference.page(), "run `.venv/bin/python .ci/reference.py`"


def test_every_numbered_equation_is_in_it_once():
    listed = re.findall(r"^\((\d+\.\d+)\) \[", text(), re.MULTILINE)
    numbered = [number for path in PATHS for number in re.findall(r"\\tag\{([\d.]+)\}", prose_of(path))]
    assert listed == numbered and len(numbered) > 50


def test_links_lead_to_headings_that_exist():
    for name, anchor in re.findall(r"\]\((\d\d_\w+\.ipynb)#([^)]+)\)", text()):
        headings = re.findall(r"^#{1,3} (.*)$", prose_of(FOLDER / name), re.MULTILINE)
        assert anchor in {reference.anchor(heading.strip()) for heading in headings}, f"{name}#{anchor}"


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term["en"])
def test_a_term_is_one_plain_sentence_and_taught_somewhere(term):
    assert re.search(r"[\u4e00-\u9fff]|[A-Za-z]-?[A-Za-z]", term["zh"]) and 20 <= len(term["says"]) <= 200
    assert term["says"].endswith(".")
    path = reference.taught_in(term, PATHS)
    assert path is not None
    words = prose_of(path).lower()
    assert any(name.lower() in words for name in (term["en"], *term.get("also", ()))), path.name


def test_no_term_stands_twice():
    names = [name.lower() for term in TERMS for name in (term["en"], *term.get("also", ()))]
    assert sorted(names) == sorted(set(names))


def test_chinese_beside_a_term_is_that_of_the_glossary():
    """`<abbr title="先验">prior</abbr>` in a notebook and 先验 in the glossary."""
    known = {name.lower(): term["zh"] for term in TERMS for name in (term["en"], *term.get("also", ()))}
    for path in PATHS:
        for chinese, shown in re.findall(r'<abbr title="([^"]+)">([^<]+)</abbr>', prose_of(path)):
            name = re.sub(r"[*()]", "", shown).strip().lower()
            for each in (name, name.removesuffix("s")):
                assert known.get(each, chinese) == chinese, (
                    f"{path.name}: {shown} is {known[each]} in the glossary"
                )


def test_formulas_keep_what_they_say():
    found = reference.equations_of("# A\n\n## B *c*\n$$x = 1,\n\\tag{3.1}$$\ntext\n### D\n$$y \\tag{3.2}$$")
    assert found == [("3.1", "x = 1,", "B *c*"), ("3.2", "y", "D")]
    assert reference.anchor("4 · What *D* is") == "4-·-What-D-is"
