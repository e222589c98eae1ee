"""The line at the head and at the foot of each notebook that leads to the one before, the map, and the one after.

It follows from the folder, so `--tidy` writes it: a new notebook changes nothing in the files beside it by hand.
"""

import re

import nbformat

LINK = r"\[[^\]]*\]\(\d\d_\w+\.ipynb\)"
LINE = re.compile(rf"^(?=.*[←→]){LINK}(?: · {LINK})*$", re.MULTILINE)


def title(path):
    """The number and the words of a notebook's heading: `# 03 · The minimax game` is 03 The minimax game."""
    heading = nbformat.read(path, as_version=4).cells[0].source.split("\n")[0]
    return f"{path.stem[:2]} {heading.split(' · ', 1)[-1].lstrip('# ').strip()}"


def line(path, course):
    """The line for `path`, which is one of the notebooks `course` in reading order."""
    place = course.index(path)
    before, after = course[max(place - 1, 0) : place], course[place + 1 : place + 2]
    links = [f"[← {title(other)}]({other.name})" for other in before]
    if course[0] not in [path, *before]:
        links.append(f"[{title(course[0])}]({course[0].name})")
    links += [f"[{title(other)} →]({other.name})" for other in after]
    return " · ".join(links)


def with_neighbours(notebook, path, course):
    """The notebook with its line under the heading of the first cell and at the end of the last, true as of today."""
    if path in course:
        here = line(path, course)
        for cell, place in ((notebook.cells[0], "head"), (notebook.cells[-1], "foot")):
            if cell.cell_type != "markdown":
                continue
            if LINE.search(cell.source):
                cell.source = LINE.sub(lambda _: here, cell.source)
            elif place == "head":
                heading, _, rest = cell.source.partition("\n")
                cell.source = f"{heading}\n\n{here}\n\n{rest.lstrip()}"
            else:
                cell.source = f"{cell.source.rstrip()}\n\n{here}"
    return notebook
