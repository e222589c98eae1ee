"""The clock of graded cells: what computes without end is stopped, what waits for its turn is not."""

import sys

import cell_clock
import nbclient
import nbformat
import pytest
from test_lessons import ROOT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nbgrader's make target is for Unix")


def executed(monkeypatch, *sources, seconds="0.5"):
    """The outputs of some cells, run as nbgrader runs them."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "lessons"))
    monkeypatch.setenv("CELL_SECONDS", seconds)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    extension = ["--IPKernelApp.extra_extensions=cell_clock"]
    nbclient.NotebookClient(
        notebook, kernel_name="python3", allow_errors=True, extra_arguments=extension
    ).execute()
    return [cell.outputs for cell in notebook.cells]


def test_a_loop_without_end_is_stopped_and_what_follows_counts(monkeypatch):
    stubborn = (
        "while True:\n    try:\n        while True:\n            pass\n    except Exception:\n        pass"
    )
    caught = (
        "for _ in range(3):\n    try:\n        while True:\n            pass\n"
        "    except BaseException:\n        print('caught')"
    )
    outputs = executed(monkeypatch, "while True:\n    pass", stubborn, caught, "6 * 7")
    for stopped in outputs[:2]:
        assert stopped[-1].ename == "CellStopped"
        assert "had not ended after 0 seconds of computing" in stopped[-1].evalue
    assert "".join(output.text for output in outputs[2]) == 3 * "caught\n"
    assert outputs[3][0].data["text/plain"] == "42"


def test_a_cell_that_computes_nothing_may_take_its_time(monkeypatch):
    """As one does whose turn others take: the clock on the wall does not count, and each cell has its own seconds."""
    some_work = "import time\nbegin = time.process_time()\nwhile time.process_time() < begin + 0.3:\n    pass"
    waiting, *working = executed(
        monkeypatch, "import time\ntime.sleep(1.5)\nprint('done')", some_work, some_work
    )
    assert waiting[0].text == "done\n" and working == [[], []]


def test_a_slow_machine_gets_more(monkeypatch):
    assert cell_clock.measure() > 0
    limits = {}

    class Shell:
        class events:
            register = staticmethod(lambda name, call: limits.setdefault(name, call))

    set_to = []
    monkeypatch.setattr(cell_clock.signal, "setitimer", lambda which, *seconds: set_to.append(seconds[0]))
    monkeypatch.setattr(cell_clock.signal, "signal", lambda *_: None)
    for slowness in (0.5, 1.0, 4.0):
        monkeypatch.setattr(cell_clock, "measure", lambda slowness=slowness: slowness * cell_clock.FAST)
        limits.clear()
        cell_clock.load_ipython_extension(Shell)
        limits["pre_run_cell"]()
    assert set_to == [60.0, 60.0, 240.0]
