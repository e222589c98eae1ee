"""Write notebooks/reference.ipynb: symbols, cheat sheets and glossary, and every numbered equation of the course.

The words stand in .ci/reference/: page.md, with cells separated by %%%%, and glossary.toml. The equations, and where a
term is taught, are read in the notebooks. A test fails where the file is not what this would write.
"""

import functools
import re
import tomllib
from pathlib import Path

import nbformat
from notebook_form import as_text, normalise
from run_notebooks import ROOT, course_notebooks, replace

SOURCE = Path(__file__).with_name("reference")
TARGET = ROOT / "notebooks" / "reference.ipynb"


@functools.cache
def prose_of(path):
    notebook = nbformat.read(path, as_version=4)
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def equations_of(prose):
    """(number, formula, heading above it) of each numbered equation."""
    found, heading = [], ""
    for line_or_formula in re.split(r"(^#{1,3} [^\n]*$|\$\$.+?\$\$)", prose, flags=re.MULTILINE | re.DOTALL):
        if line_or_formula.startswith("#"):
            heading = line_or_formula.lstrip("# ").strip()
        elif number := re.search(r"\\tag\{([\d.]+)\}", line_or_formula):
            formula = line_or_formula[2:-2].replace(number[0], "")
            found.append((number[1], " ".join(formula.split()).rstrip(), heading))
    return found


def anchor(heading):
    """The part behind # of a link to a heading, as JupyterLab makes it."""
    return re.sub(r"[*`$]", "", heading).replace(" ", "-").replace("(", "%28").replace(")", "%29")


def equations(course):
    """A Markdown list for each notebook that numbers equations."""
    parts = []
    for path in course:
        prose = prose_of(path)
        found = equations_of(prose)
        if found:
            title = prose.split("\n", 1)[0].lstrip("# ")
            rows = [
                f"({number}) [{heading}]({path.name}#{anchor(heading)})\n\n$${formula}$$"
                for number, formula, heading in found
            ]
            parts.append(f"### {title}\n\n" + "\n\n".join(rows))
    return parts


def taught_in(term, course):
    """The first notebook that prints the term, or one of its other names, in bold; else the one that it names."""
    names = "|".join(re.escape(name) for name in (term["en"], *term.get("also", ())))
    bold = re.compile(rf"\*\*(?:{names})s?\*\*", re.IGNORECASE)
    for path in course:
        if bold.search(prose_of(path)):
            return path
    return next((path for path in course if path.name.startswith(term.get("in", "?"))), None)


def glossary_terms():
    return tomllib.loads((SOURCE / "glossary.toml").read_text(encoding="utf-8"))["term"]


def glossary(course):
    """One table, in alphabetical order."""
    rows = ["| term | 中文 | meaning | taught in |", "|---|---|---|---|"]
    for term in sorted(glossary_terms(), key=lambda term: term["en"].lower().lstrip("β-")):
        names = f"**{term['en']}**" + "".join(f"<br>{name}" for name in term.get("also", ()))
        path = taught_in(term, course)
        link = f"[{path.name[:2]}]({path.name})" if path else ""
        rows.append(f"| {names} | {term['zh']} | {term['says'].replace('|', chr(92) + '|')} | {link} |")
    return "\n".join(rows)


def page():
    """The text of the notebook."""
    course = course_notebooks(ROOT / "notebooks")
    cells = []
    for source in (SOURCE / "page.md").read_text(encoding="utf-8").split("\n%%%%\n"):
        if "EQUATIONS" in source:
            cells += [source.replace("EQUATIONS", "").strip(), *equations(course)]
        else:
            cells.append(source.replace("GLOSSARY", glossary(course)).strip())
    notebook = nbformat.v4.new_notebook()
    for number, source in enumerate(cells):
        cell = nbformat.v4.new_markdown_cell(source)
        cell.id = f"reference-{number}"
        notebook.cells.append(cell)
    return as_text(normalise(notebook))


if __name__ == "__main__":
    replace(TARGET, page())
