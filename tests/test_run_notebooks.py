"""`make run` and `make notebooks`, on tiny notebooks: what is printed, what is written, and what is left alone."""

import re

import nbformat
import pytest
import run_notebooks
from nbformat import v4


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A function that writes notebooks/NAME.ipynb from sources of code cells, under a temporary folder."""
    monkeypatch.setattr(run_notebooks, "speed_of_the_machine", lambda: "the speed")
    folder = tmp_path / "notebooks"
    folder.mkdir()

    def write(name, *sources):
        cells = [v4.new_markdown_cell("# Title"), *map(v4.new_code_cell, sources)]
        path = folder / f"{name}.ipynb"
        nbformat.write(v4.new_notebook(cells=cells), path)
        return path

    write.folder = folder
    return write


def run(course, *arguments):
    return run_notebooks.main(["--folder", str(course.folder), *arguments])


def test_a_run_prints_a_line_each_and_writes_into_build(course, capsys):
    first = course("00_first", "x = 2", "print(x)")
    course("01_second", "import os\nos.getcwd()")
    untouched = first.read_bytes()
    assert run(course) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "the speed"
    assert re.fullmatch(r"00_first +\d+\.\d s +\d+ MiB", lines[1])
    assert re.fullmatch(r"01_second +\d+\.\d s +\d+ MiB", lines[2])
    assert re.fullmatch(r"all 2 +\d+\.\d s +\d+ MiB at most", lines[3])
    assert first.read_bytes() == untouched
    build = course.folder.parent / "build"
    written = nbformat.read(build / "00_first.ipynb", as_version=4)
    assert written.cells[2].outputs[0].text == "2\n"
    assert [cell.execution_count for cell in written.cells[1:]] == [1, 2]
    in_folder = nbformat.read(build / "01_second.ipynb", as_version=4).cells[1].outputs[0]
    assert in_folder.data["text/plain"] == repr(str(course.folder)), "a notebook runs in its own folder"


def test_the_speed_of_the_machine_is_told():
    told = run_notebooks.speed_of_the_machine()
    assert re.fullmatch(
        r"Matrix products here: \d+ GFLOP/s on 1 thread(, \d+ GFLOP/s on [24] threads)?\.", told
    )


def test_in_place_writes_the_committed_form(course):
    path = course("00_first", "print(1)")
    assert run(course, "--check") == 1, "an unnormalised notebook is found"
    assert run(course, "--tidy") == 0
    assert run(course, "--check") == 0 and nbformat.read(path, as_version=4).cells[1].outputs == []
    nbformat.write(nbformat.read(path, as_version=4), path)
    assert run(course, "--in-place") == 0
    assert run(course, "--check") == 0
    assert nbformat.read(path, as_version=4).cells[1].outputs[0].text == "1\n"
    assert [p.name for p in course.folder.iterdir()] == ["00_first.ipynb"], "nothing is left beside it"


def test_the_first_error_stops_and_names_notebook_cell_and_reason(course, capsys):
    broken = course("00_broken", "x = 1", "print('so far')\nraise ValueError('x must be two')")
    course("01_never", "1")
    untouched = broken.read_bytes()
    assert run(course, "--in-place") == 1
    said = capsys.readouterr().out
    assert "00_broken.ipynb, cell [2] (number 3 of 3): ValueError: x must be two" in said
    assert "01_never" not in said
    assert broken.read_bytes() == untouched


def test_a_cell_that_is_meant_to_raise_does_not_stop(course):
    path = course("00_failure", "1 / 0")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].metadata.tags = ["raises-exception"]
    nbformat.write(notebook, path)
    assert run(course) == 0


def test_a_new_notebook_is_led_to_by_those_beside_it(course):
    links = "[← 09 Gone](09_gone.ipynb)"
    for name in ("00_first", "03_middle", "05_last"):
        path = course(name, "1")
        notebook = nbformat.read(path, as_version=4)
        notebook.cells[
            0
        ].source = f"# {name[:2]} · {name[3:]}\n\n{links}\n\nSee [notebook 03](03_middle.ipynb)."
        notebook.cells.append(v4.new_markdown_cell(f"The end.\n\n{links}"))
        nbformat.write(notebook, path)
    (course.folder / "05_last.mine-20261124-1015.ipynb").write_bytes(path.read_bytes())
    expected = {
        "00_first": "[03 middle →](03_middle.ipynb)",
        "03_middle": "[← 00 first](00_first.ipynb) · [05 last →](05_last.ipynb)",
        "05_last": "[← 03 middle](03_middle.ipynb) · [00 first](00_first.ipynb)",
    }
    assert run(course, "--tidy", "05") == 0 and run(course, "--check", "05") == 0
    assert run(course, "--check") == 1, "those beside it do not lead to it yet"
    assert run(course, "--in-place", "00") == run(course, "--tidy") == run(course, "--check") == 0
    for name, line in expected.items():
        first, _, last = nbformat.read(course.folder / f"{name}.ipynb", as_version=4).cells
        assert first.source == f"# {name[:2]} · {name[3:]}\n\n{line}\n\nSee [notebook 03](03_middle.ipynb)."
        assert last.source == f"The end.\n\n{line}"


def test_tags_outlive_a_run_and_a_tidying(course):
    path = course("00_tagged", "def f():\n    return 1")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].metadata.tags = ["written-once:helpers.theory.games"]
    nbformat.write(notebook, path)
    assert run(course, "--tidy") == run(course, "--in-place") == run(course, "--check") == 0
    assert nbformat.read(path, as_version=4).cells[1].metadata == notebook.cells[1].metadata


def test_a_dead_kernel_gets_a_sentence(course, capsys):
    course("00_hungry", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert run(course) == 1
    assert "00_hungry.ipynb, cell [1] (number 2 of 2): the kernel died" in capsys.readouterr().out


def test_a_cell_without_end_gets_a_sentence(course, capsys, monkeypatch):
    monkeypatch.setattr(run_notebooks, "CELL_SECONDS", 1)
    course("00_endless", "import time\ntime.sleep(60)")
    assert run(course) == 1
    assert "cell [1] (number 2 of 2): the cell had not ended after 1 seconds" in capsys.readouterr().out


def test_an_interrupt_leaves_the_notebook_as_it_was(course, capsys, monkeypatch):
    path = course("00_first", "1")
    untouched = path.read_bytes()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(run_notebooks.NotebookClient, "execute_cell", interrupted)
    assert run(course, "--in-place") == 130
    assert "left as it was" in capsys.readouterr().out
    assert path.read_bytes() == untouched


def test_a_failed_write_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "00_first.ipynb"
    path.write_text("old")

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(run_notebooks.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        run_notebooks.replace(path, "new")
    assert path.read_text() == "old"


def test_one_notebook_is_chosen_by_number_or_name(course, capsys):
    for name in ("04_points", "05_digits", "05_digits.mine-20261124-1015", "notes"):
        course(name, "1")
    every = run_notebooks.course_notebooks(course.folder)
    assert [path.stem for path in every] == ["04_points", "05_digits"]
    for wanted in ("5", "05", "05_digits.ipynb", "notebooks/05_digits.ipynb"):
        (chosen,) = run_notebooks.course_notebooks(course.folder, [wanted])
        assert chosen.stem == "05_digits"
    assert run(course, "77") == 1
    assert "There is no notebook 77 in notebooks/." in capsys.readouterr().out


def test_the_peak_is_the_most_that_was_ever_held(course):
    notebook = course("00_peak", "x = bytearray(300 * 2**20)\nx[::4096] = b'1' * len(x[::4096])\ndel x")
    small = course("01_small", "1")
    assert run_notebooks.execute(notebook)[2] > run_notebooks.execute(small)[2] + 250
