"""The table of marks, in which nothing looks like an earned zero that is none.

nbgrader's own writes 0.0 for whoever handed nothing in, for a submission at which the grading stopped, and for an
untouched notebook beside a solved one. Here such a line has no points and a reason, and each is printed by name.
"""

import csv
from pathlib import Path

import nbformat
from nbgrader.api import MissingEntry
from nbgrader.plugins import CsvExportPlugin

COLUMNS = [
    *("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email"),
    *("raw_score", "late_submission_penalty", "score", "max_score", "reason"),
]


class GradeTable(CsvExportPlugin):
    """`nbgrader export` with this plugin: nbgrader's columns, and the reason why points are missing."""

    def export(self, gradebook):
        rows = [row for row in table(gradebook, self.parent.coursedir) if self._wanted(row)]
        with open(self.to or "grades.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        told = [row for row in rows if row["reason"]]
        print(f"{self.to or 'grades.csv'}: {len(rows)} lines, {len(told)} of them with something to look at")
        for row in told:
            print(f"  {row['assignment']}, {row['student_id']}: {row['reason']}")

    def _wanted(self, row):
        """Whether the line was asked for: `--student` and `--assignment` choose some."""
        asked = [(self.student, row["student_id"]), (self.assignment, row["assignment"])]
        return all(not some or one in map(str, some) for some, one in asked)


def table(gradebook, coursedir):
    """A dict for each student and each assignment that somebody handed in."""
    known = {student.id: student for student in gradebook.students}
    names = {assignment.name for assignment in gradebook.assignments}
    submitted = Path(coursedir.format_path(coursedir.submitted_directory, ".", "."))
    folders = [path for path in submitted.glob("*/*") if path.is_dir()]
    for assignment in gradebook.assignments:
        handed_in = {path.parent.name for path in folders if path.name == assignment.name}
        if not handed_in and not assignment.submissions:
            continue
        for student in sorted(known.keys() | {path.parent.name for path in folders}):
            strays = [p.name for p in folders if p.parent.name == student and p.name not in names]
            points = _points(gradebook, assignment, student)
            reason = why_no_points(coursedir, assignment, student, points, strays)
            if reason:
                points = {}
            elif points.get("waits"):
                reason = f"to be marked by hand: {', '.join(points['waits'])}; the points are those so far"
            person = known.get(student)
            yield {
                "assignment": assignment.name,
                "duedate": assignment.duedate or "",
                "student_id": student,
                **{key: getattr(person, key, None) or "" for key in ("last_name", "first_name", "email")},
                "max_score": assignment.max_score,
                **{key: value for key, value in points.items() if key != "waits"},
                "reason": reason or "",
            }


def _points(gradebook, assignment, student):
    """What the gradebook holds, whatever it is worth; nothing where nbgrader never began."""
    try:
        submission = gradebook.find_submission(assignment.name, student)
    except MissingEntry:
        return {}
    penalty = submission.late_submission_penalty or 0.0
    grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
    return {
        "timestamp": submission.timestamp or "",
        "raw_score": submission.score,
        "late_submission_penalty": penalty,
        "score": max(0.0, submission.score - penalty),
        "waits": [grade.name for grade in grades if grade.needs_manual_grade],
    }


def why_no_points(coursedir, assignment, student, points, strays=()):
    """The sentence that says why what the gradebook holds is no mark, or None where it is one."""
    submitted = Path(coursedir.format_path(coursedir.submitted_directory, student, assignment.name))
    graded = Path(coursedir.format_path(coursedir.autograded_directory, student, assignment.name))
    released = Path(coursedir.format_path(coursedir.release_directory, ".", assignment.name))
    if not submitted.is_dir() and not graded.is_dir():
        beside = f", but there is {', '.join(strays)}, which is no assignment" if strays else ""
        return f"nothing was handed in{beside}"
    asked_for = [f"{notebook.name}.ipynb" for notebook in assignment.notebooks]
    others = [path for path in sorted(submitted.glob("*.ipynb")) if path.name not in asked_for]
    for name in asked_for:
        if submitted.is_dir() and not (submitted / name).is_file():
            return f"there is no {name} in what was handed in" + (f", but {_names(others)}" if others else "")
        if not points:
            return "not graded yet: run autograde"
        if not (graded / name).is_file():
            return "the grading stopped, and what autograde printed says why: mend the notebook and grade it again"
        if not submitted.is_dir():
            continue
        if (submitted / name).stat().st_mtime > (graded / name).stat().st_mtime:
            return "handed in again after it was graded: run autograde with --force"
        own = written_in(submitted / name, released / name)
        rivals = [path for path in others if is_copy(path) and written_in(path, released / name) - own]
        if rivals:
            return f"{name} was graded, but something else is written in {_names(rivals)}: which is meant?"
        if not own:
            beside = f", and beside it lies {_names(others)}" if others else ""
            return f"nothing is written in {name}{beside}"
    return None


def written_in(path, released):
    """The texts of the cells that are not as they were released."""
    given = {cell.source.strip() for cell in _cells(released)}
    return {cell.source.strip() for cell in _cells(path)} - given - {""}


def is_copy(path):
    """Whether a notebook holds cells of an assignment, as one for scribbling does not."""
    return any("nbgrader" in cell.metadata for cell in _cells(path))


def _cells(path):
    """Of a notebook that may not be there, or may not be one."""
    try:
        return nbformat.read(path, as_version=4).cells
    except Exception:
        return []


def _names(paths):
    return ", ".join(path.name for path in paths)
