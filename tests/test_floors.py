"""Imports in helpers lead only downward; which floors there are stands in the docstring of helpers/__init__.py."""

import ast
import json
import re
from pathlib import Path

import pytest

HELPERS = Path(__file__).resolve().parents[1] / "helpers"
OF_A_NOTEBOOK = re.compile(
    r"checks/nb\d\d_\w+\.py"
)  # these share by checks/shared.py and know nothing of each other


def read_floors(text):
    """room -> floor, from lines such as `    2½ gan, vae    what they hold`."""
    found = {}
    for floor, half, rooms in re.findall(r"^ {4}(\d)(½?) +(\w+(?:, \w+)*)(?: {2}|$)", text, re.MULTILINE):
        for room in rooms.split(", "):
            assert room not in found, f"{room} stands on two floors"
            found[room] = int(floor) + 0.5 * bool(half)
    return found


FLOORS = read_floors(ast.get_docstring(ast.parse((HELPERS / "__init__.py").read_text(encoding="utf-8"))))


def imported(source, package):
    """All that a file imports, as helpers.room.module.name; `package` is the file's own, such as helpers.gan."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def wrong_imports(helpers):
    """Sentences about every import under `helpers` that leads upward, sideways, or from one notebook's checks away."""
    wrong = []
    for path in sorted(helpers.rglob("*.py")):
        file = path.relative_to(helpers)
        own = file.parts[0].removesuffix(".py")
        if own != "__init__" and own not in FLOORS:
            wrong.append(f"{file} stands on no floor: give {own} its place in helpers/__init__.py")
            continue
        floor = FLOORS.get(own, 0)  # helpers/__init__.py itself lies below all
        package = ".".join(["helpers", *file.parts[:-1]])
        for name in imported(path.read_text(encoding="utf-8"), package):
            course, room, *rest = [*name.split("."), "", ""]
            if course != "helpers" or not room or room.startswith("__"):
                continue
            if room != own and FLOORS.get(room, 9) >= floor:
                wrong.append(f"{file} imports {name}, which does not lie below it")
            if room == own and OF_A_NOTEBOOK.fullmatch(file.as_posix()) and rest[0] != "shared":
                wrong.append(f"{file} imports {name}: what two notebooks need lies in checks/shared.py")
    return wrong


def test_helpers_import_only_downward():
    assert wrong_imports(HELPERS) == []


def test_the_table_can_be_read():
    assert FLOORS["training"] < FLOORS["gan"] < FLOORS["metrics"] < FLOORS["checks"] < FLOORS["studies"]
    assert FLOORS["feedback"] == FLOORS["theory"] == FLOORS["data"] == 1
    assert read_floors("Floors::\n\n    3  top        all\n    2½ both, two  no, none\n    2  bare\n") == {
        "top": 3,
        "both": 2.5,
        "two": 2.5,
        "bare": 2,
    }


@pytest.fixture
def file_with(tmp_path):
    """Makes helpers of one file, and gives the sentences about it."""

    def write(file, text):
        path = tmp_path / "helpers" / file
        path.parent.mkdir(parents=True)
        path.write_text(text)
        return wrong_imports(tmp_path / "helpers")

    return write


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("gan/steps.py", "from helpers.vae import elbo"),
        ("gan/steps.py", "from helpers import plotting"),
        ("vae/bounds.py", "from ..gan import losses"),
        ("vae/bounds.py", "def f():\n    import helpers.metrics"),
        ("plotting.py", "from . import widgets"),
        ("data/digits.py", "from helpers.training import train"),
        ("feedback/frame.py", "from helpers.theory import dirac"),
        ("feedback/frame.py", "from ..training import train"),
        ("feedback/parts/words.py", "from ...checks import shared"),
        ("__init__.py", "from helpers.data import load_digits"),
        ("utils.py", ""),
        ("checks/nb05_gan_on_digits.py", "from helpers.checks.nb04_first_gan import rounds"),
        ("checks/nb05_gan_on_digits.py", "from helpers.checks import check_round"),
        ("checks/nb05_gan_on_digits.py", "from . import nb04_first_gan"),
        ("checks/nb05_gan_on_digits.py", "from .frame import Feedback"),
        ("checks/nb05_gan_on_digits.py", "from helpers import checks"),
        ("checks/nb05_gan_on_digits.py", "from helpers.studies import article_gan"),
    ],
)
def test_an_import_upward_or_sideways_is_found(file_with, file, line):
    assert len(file_with(file, line)) == 1


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("gan/steps.py", "from helpers.gan.losses import hinge\nfrom helpers.training import train"),
        ("gan/steps.py", "from . import losses\nfrom .networks import Generator\nfrom ..data import batches"),
        ("vae_gan.py", "from helpers import gan, vae"),
        ("metrics.py", "import torch\nfrom helpers.data.digits import load_digits"),
        (
            "feedback/frame.py",
            "import torch\nfrom helpers.feedback.words import a_or_an\nfrom . import words",
        ),
        ("checks/nb05_gan_on_digits.py", "from helpers.checks.shared import rounds\nfrom . import shared"),
        ("checks/nb05_gan_on_digits.py", "from helpers.feedback import right\nfrom ..gan import losses"),
        ("checks/shared.py", "from helpers.checks.frame import Feedback"),
        ("checks/__init__.py", "from helpers.checks.nb04_first_gan import check_generator_step"),
        ("training.py", "import helpers\nfrom helpers import __version__"),
    ],
)
def test_an_import_downward_is_none_of_them(file_with, file, line):
    assert file_with(file, line) == []


ASSIGNMENTS = sorted(HELPERS.parent.glob("lessons/*/assignment.ipynb"))


@pytest.mark.parametrize("path", ASSIGNMENTS, ids=lambda path: path.parent.name)
def test_an_assignment_takes_its_machinery_from_the_engine(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert re.search(r"^from helpers\.feedback import .*\bexpect\b", code, re.MULTILINE)
    assert not re.search(r"^def (expect|attempt|pair)\(", code, re.MULTILINE)
