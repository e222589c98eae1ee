"""Execute the notebooks in order, each in a fresh kernel, a line each: wall seconds and the kernel's peak memory.

    run_notebooks.py [--in-place | --check | --tidy] [NUMBER or part of a name ...]

Without an option the executed notebooks go to build/. --in-place replaces the notebooks themselves: that is what is
committed. --check runs nothing and compares each with its committed form, --tidy brings it there. The first error
stops everything and names notebook, cell and reason; a notebook is written only after all its cells have run.
"""

import argparse
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from neighbours import with_neighbours
from notebook_form import as_text, normalise

ROOT = Path(__file__).resolve().parents[1]
CELL_SECONDS = 600


class Stopped(Exception):
    """A notebook that did not run through, with the sentence that says where and why."""


def course_notebooks(folder, wanted=()):
    """The course's notebooks in reading order: numbered, without learners' own copies."""
    found = [path for path in sorted(folder.glob("[0-9][0-9]_*.ipynb")) if ".mine-" not in path.name]
    if not wanted:
        return found
    names = [Path(name).name.removesuffix(".ipynb") for name in wanted]
    names = [name.zfill(2) if name.isdigit() else name for name in names]
    for name in names:
        if not any(path.stem.startswith(name) for path in found):
            raise Stopped(f"There is no notebook {name} in {folder.name}/.")
    return [path for path in found if any(path.stem.startswith(name) for name in names)]


def execute(path):
    """Run one notebook from a fresh kernel; return it executed, with its seconds and the kernel's peak in MiB."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=CELL_SECONDS,
        record_timing=False,
        extra_arguments=["--log-level=CRITICAL"],
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.reset_execution_trackers()
    start = time.perf_counter()
    with client.setup_kernel():
        for number, cell in enumerate(notebook.cells):
            try:
                client.execute_cell(cell, number)
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                raise Stopped(f"{path.name}, {_place(notebook, number)}: {_reason(error)}") from error
        seconds = time.perf_counter() - start
        peak = peak_mib(client.km.provisioner.pid)
    return notebook, seconds, peak


def speed_of_the_machine():
    """What the times below are worth: the speed of matrix products on one thread, and on as many as notebooks take."""
    import torch

    from helpers.bench import matrix_speed
    from helpers.training import set_threads

    speeds, before = {}, torch.get_num_threads()
    try:
        for threads in sorted({1, set_threads()}):
            torch.set_num_threads(threads)
            speeds[threads] = f"{matrix_speed() / 1e9:.0f} GFLOP/s on {threads} thread{'s' * (threads > 1)}"
    finally:
        torch.set_num_threads(before)
    return f"Matrix products here: {', '.join(speeds.values())}."


def peak_mib(pid):
    """The most memory the process ever held, in MiB, or None where the system does not tell (only Linux does)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else None


def replace(path, text):
    """Write all of the file or nothing of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, path)


def run(paths, target=None):
    """Execute all, each into the folder `target` or in place, and print what each took."""
    all_seconds, peaks = 0.0, []
    width = max(len(path.stem) for path in paths)
    print(speed_of_the_machine())
    for path in paths:
        print(f"{path.stem:<{width}}", end="  ", flush=True)
        try:
            notebook, seconds, peak = execute(path)
        except BaseException:
            print("stopped", flush=True)
            raise
        replace((target or path.parent) / path.name, committed(notebook, path))
        print(f"{seconds:6.1f} s  {_memory(peak)}", flush=True)
        all_seconds += seconds
        peaks.append(peak or 0)
    if len(paths) > 1:
        print(f"{'all ' + str(len(paths)):<{width}}  {all_seconds:6.1f} s  {_memory(max(peaks))} at most")


def check(paths):
    """Raise for the first notebook whose file is not in its committed form."""
    for path in paths:
        if path.read_text(encoding="utf-8") != committed(nbformat.read(path, as_version=4), path):
            raise Stopped(
                f"{path.name} is not in its committed form: run `make notebooks NB={path.stem[:2]}`, or "
                "`.venv/bin/python .ci/run_notebooks.py --tidy` to keep the outputs that it has."
            )


def tidy(paths):
    """Bring each notebook into its committed form, with the outputs that it has, and name those that changed."""
    for path in paths:
        text = committed(nbformat.read(path, as_version=4), path)
        if path.read_text(encoding="utf-8") != text:
            replace(path, text)
            print(f"{path.name} is now in its committed form.")


def committed(notebook, path):
    """The text of the file as it is committed: nothing of the moment, and links to the notebooks beside it."""
    return as_text(normalise(with_neighbours(notebook, path, course_notebooks(path.parent))))


def _memory(mib):
    return f"{mib:5.0f} MiB" if mib else "  n/a (memory is measured on Linux)"


def _place(notebook, number):
    """Both numbers a reader can look for: the one in brackets beside the cell, and the cell's place in the file."""
    code = [cell for cell in notebook.cells[: number + 1] if cell.cell_type == "code" and cell.source.strip()]
    return f"cell [{len(code)}] (number {number + 1} of {len(notebook.cells)})"


def _reason(error):
    if isinstance(error, DeadKernelError):
        return "the kernel died without a message, most likely for want of memory."
    if isinstance(error, CellTimeoutError):
        return f"the cell had not ended after {CELL_SECONDS} seconds."
    return " ".join(f"{error.ename}: {error.evalue}".split())[:500]


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("notebooks", nargs="*", help="numbers or beginnings of names; all without")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--in-place", action="store_true", help="replace the notebooks themselves")
    form.add_argument("--check", action="store_true", help="run nothing, compare with the committed form")
    form.add_argument("--tidy", action="store_true", help="run nothing, bring them into the committed form")
    parser.add_argument("--folder", type=Path, default=ROOT / "notebooks", help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    try:
        paths = course_notebooks(chosen.folder, chosen.notebooks)
        if not paths:
            raise Stopped(f"There are no notebooks in {chosen.folder}.")
        if chosen.check:
            check(paths)
        elif chosen.tidy:
            tidy(paths)
        else:
            run(paths, None if chosen.in_place else chosen.folder.parent / "build")
    except Stopped as stop:
        print(stop)
        return 1
    except KeyboardInterrupt:
        print("Interrupted: the notebook that was running is left as it was.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
