"""Give a notebook back as the course committed it, and keep the learner's own version beside it: fresh.py 03"""

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class NotDone(Exception):
    """Nothing was changed, and the sentence says why."""


def git(root, *arguments):
    """What git answers, as bytes; NotDone where git or the repository is missing."""
    try:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=True).stdout
    except FileNotFoundError:
        raise NotDone("git is not installed, so the original notebook cannot be looked up.") from None
    except subprocess.CalledProcessError as error:
        raise NotDone(f"git says: {error.stderr.decode(errors='replace').strip()}") from None


def expect_clone(root):
    """Raise where the folder is no clone: a downloaded zip holds no history to take the original from."""
    try:
        top = git(root, "rev-parse", "--show-toplevel").decode().strip()
    except NotDone as reason:
        if "not a git repository" not in str(reason):
            raise
        top = ""
    if not top or Path(top).resolve() != root.resolve():
        raise NotDone(
            "This folder is not a git clone (a downloaded zip?), so the original is not here: "
            "download the course once more and copy the notebook from there."
        )


def committed_name(root, wanted):
    """The path in git of the one notebook whose name begins like `wanted`: 3, 03 or 03_minimax_game.ipynb."""
    listed = git(root, "ls-tree", "-r", "--name-only", "HEAD", "notebooks/").decode().splitlines()
    names = [name for name in listed if name.endswith(".ipynb")]
    beginning = Path(wanted).name
    beginning = beginning.zfill(2) if beginning.isdigit() else beginning
    found = [name for name in names if Path(name).name.startswith(beginning)]
    if len(found) != 1:
        known = ", ".join(Path(name).name[:2] for name in names)
        raise NotDone(f"There is no notebook {wanted}. Those of the course: {known}.")
    return found[0]


def unused(path, moment):
    """A name beside `path` that says whose it is and from when, and that nothing has yet."""
    name = f"{path.stem}.mine-{moment:%Y%m%d-%H%M}"
    candidates = [name, *(f"{name}-{i}" for i in range(2, 100))]
    return next(kept for c in candidates if not (kept := path.with_name(f"{c}.ipynb")).exists())


def fresh(root, wanted, moment):
    """Restore the notebook and return the sentences for the learner."""
    if not wanted:
        raise NotDone("Which notebook? Name its number, for example: make fresh NB=03")
    expect_clone(root)
    name = committed_name(root, wanted)
    path = root / name
    original = git(root, "show", f"HEAD:{name}")
    if not path.exists():
        kept = None
    elif path.read_bytes() == original:
        return f"{name} is as the course gave it: nothing to do."
    else:
        kept = unused(path, moment)
        kept.write_bytes(path.read_bytes())
    restored = path.with_name(f".{path.name}.unfinished")
    restored.write_bytes(original)
    os.replace(restored, path)
    if kept is None:
        return f"{name} was missing and is back."
    return (
        f"{name} is fresh again. Yours is kept as notebooks/{kept.name}.\n"
        "Is it open in JupyterLab? Then choose File > Reload Notebook from Disk."
    )


if __name__ == "__main__":
    try:
        print(fresh(ROOT, " ".join(sys.argv[1:]), datetime.now()))
    except NotDone as reason:
        sys.exit(str(reason))
