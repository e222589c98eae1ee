"""House rules of the notebooks."""

import re
import statistics
import subprocess
import sys
from pathlib import Path

import nbformat
import neighbours
import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
PATHS = [path for path in sorted(FOLDER.glob("[0-9][0-9]_*.ipynb")) if ".mine-" not in path.name]
NAMES = [path.stem for path in PATHS]


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose_of(cells):
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def code_of(notebook):
    return "\n".join(cell.source for cell in code_cells(notebook))


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
class TestHouseRules:
    def test_size(self, path):
        notebook = read(path)
        lengths = [len(cell.source.splitlines()) for cell in code_cells(notebook)]
        assert path.stat().st_size <= 500_000
        assert len(notebook.cells) <= 80  # of which 40 are the core
        assert max(lengths) <= 25, "a cell over 25 lines: split it"
        assert statistics.median(lengths) <= 14  # a model or a step is one idea and takes some twenty lines

    def test_executed_in_order_without_errors(self, path):
        cells = code_cells(read(path))
        assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
        for cell in cells:
            for output in cell.outputs:
                assert output.output_type != "error"
                assert output.get("name") != "stderr", f"a warning is shown: {output.get('text', '')[:200]}"

    def test_every_figure_is_described(self, path):
        figures = 0
        for cell in code_cells(read(path)):
            for output in cell.outputs:
                data = output.get("data", {})
                assert "image/png" not in data, "a figure without alternative text: use helpers.plotting"
                for image in re.findall(r"<img [^>]*>", data.get("text/html", "")):
                    alt = re.search(r'alt="([^"]*)"', image)
                    assert alt and len(alt[1]) >= 20
                    figures += 1
        assert figures >= 2

    def test_rhythm(self, path):
        prose = prose_of(read(path).cells)
        for part in (
            "What you'll do",
            "What you'll learn",
            "What you need",
            "Your turn",
            "What you can now do",
        ):
            assert part in prose
        for word in ("Predict", "failure", "Reading"):
            assert word in prose

    def test_links_lead_somewhere(self, path):
        prose = prose_of(read(path).cells)
        links = re.findall(r"\]\(([^)#]+\.ipynb)\)", prose)
        assert links and all((path.parent / link).exists() for link in links)

    def test_neighbours_at_head_and_foot(self, path):
        """That they are the right ones is part of the committed form, which `make lint` checks."""
        for cell in (read(path).cells[0], read(path).cells[-1]):
            assert len(neighbours.LINE.findall(cell.source)) == 1

    def test_one_seed(self, path):
        assert len(re.findall(r"seed_everything\(", code_of(read(path)))) == 1

    def test_every_kernel_is_told_what_to_do(self, path, tmp_path):
        """The first cell in a Python that has neither helpers nor torch: one sentence, and no import before it."""
        first = code_cells(read(path))[0].source
        script = "import sys\nsys.path = [p for p in sys.path if 'site-packages' not in p]\n" + first
        result = subprocess.run(
            [sys.executable, "-S", "-c", script], capture_output=True, text=True, cwd=tmp_path, env={}
        )
        assert result.returncode != 0
        assert "make lab" in result.stderr and "VS Code" in result.stderr and "Colab" in result.stderr
        assert "Traceback" not in result.stderr


def test_all_notebooks_begin_with_the_same_guard():
    assert len({code_cells(read(path))[0].source for path in PATHS}) == 1


SHADOWS = {
    "helpers.py": "raise ZeroDivisionError('a file of the learner was run')",
    "helpers/__init__.py": "x = 1",
}


@pytest.mark.parametrize("file", SHADOWS)
def test_a_learners_own_helpers_is_named(file, tmp_path):
    """Beside the notebook it would come before the course, and the next cell would fail with words that do not help."""
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(SHADOWS[file])
    (tmp_path / "torch.py").touch()
    guard = code_cells(read(PATHS[0]))[0].source
    command = [sys.executable, "-S", "-c", guard]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={})
    assert (
        result.returncode != 0 and f"Not the course but {tmp_path / file} is `helpers` here" in result.stderr
    )
    assert "rename it if it is yours" in result.stderr and "Traceback" not in result.stderr


def test_the_course_itself_passes_the_guard(tmp_path):
    guard, env = code_cells(read(PATHS[0]))[0].source, {"PYTHONPATH": str(FOLDER.parent)}
    (tmp_path / "helpers").mkdir()  # a folder that is no package is in nobody's way
    result = subprocess.run(
        [sys.executable, "-c", guard], capture_output=True, text=True, cwd=tmp_path, env=env
    )
    assert result.returncode == 0 and not result.stderr


def test_the_map_shows_what_exists_and_nothing_else():
    prose = prose_of(read(PATHS[0]).cells)
    diagram = re.search(r"```mermaid(.*?)```", prose, re.DOTALL)[1]
    assert sorted(set(re.findall(r'\["(\d\d)', diagram))) == [path.name[:2] for path in PATHS]


def test_the_readme_names_every_notebook():
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"notebooks/(\d\d_\w+)\.ipynb\)", readme)) == set(NAMES)
