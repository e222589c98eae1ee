"""Settings of nbgrader, which reads them when it is started in this folder. `CLASS` names the folder of a class."""

import os
import sys
from pathlib import Path

COURSE = Path(__file__).resolve().parents[1]
# Relative to the course and not to here, because that is where `make assignments CLASS=...` is typed.
CLASS = COURSE / Path(os.environ.get("CLASS", "build")).expanduser()
CLASS.mkdir(parents=True, exist_ok=True)

# nbgrader calls alembic by its bare name, and that lies beside this Python.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.prefix, "bin")), os.environ.get("PATH", "")])

sys.path.insert(0, str(COURSE / "lessons"))
from cells_in_order import CellsInOrder  # noqa: E402
from grade_table import GradeTable  # noqa: E402
from nbgrader import preprocessors as nbgraders  # noqa: E402

c = get_config()  # noqa: F821 (nbgrader puts this name here)
# The sources lie here; all that is generated or handed in, and the gradebook, lie in the folder of the class.
c.CourseDirectory.root = str(CLASS)
c.CourseDirectory.source_directory = str(COURSE / "lessons")
c.CourseDirectory.ignore = ["guide.md", "__pycache__", "*.pyc", ".ipynb_checkpoints"]
c.CsvExportPlugin.to = str(CLASS / "grades.csv")
c.ExportApp.plugin_class = GradeTable
# Cells that were pasted, split or deleted are put in order before nbgrader stops at them.
c.Autograde.sanitize_preprocessors = [
    nbgraders.ClearOutput,
    CellsInOrder,
    nbgraders.DeduplicateIds,
    nbgraders.OverwriteKernelspec,
    nbgraders.OverwriteCells,
    nbgraders.CheckCellMetadata,
]
# A cell without end is stopped by the CPU time that it used (cell_clock.py); one that only waits, after half an hour.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(COURSE / "lessons"), os.environ.get("PYTHONPATH")])
)
c.Execute.extra_arguments = ["--IPKernelApp.extra_extensions=cell_clock"]
c.Execute.timeout = 1800
