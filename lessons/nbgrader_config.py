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

c = get_config()  # noqa: F821 (nbgrader puts this name here)
# The sources lie here; all that is generated or handed in, and the gradebook, lie in the folder of the class.
c.CourseDirectory.root = str(CLASS)
c.CourseDirectory.source_directory = str(COURSE / "lessons")
c.CourseDirectory.ignore = ["guide.md", "__pycache__", "*.pyc", ".ipynb_checkpoints"]
c.CsvExportPlugin.to = str(CLASS / "grades.csv")
# A test cell that a student deleted comes back, and is graded like the others.
c.OverwriteCells.add_missing_cells = True
# A cell without end is stopped by the CPU time that it used (cell_clock.py); one that only waits, after half an hour.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(COURSE / "lessons"), os.environ.get("PYTHONPATH")])
)
c.Execute.extra_arguments = ["--IPKernelApp.extra_extensions=cell_clock"]
c.Execute.timeout = 1800
