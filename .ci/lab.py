"""Open JupyterLab on the first notebook, also as root, in a container and on a machine without a screen."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIRST = "notebooks/00_start_here.ipynb"
CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")


def has_screen(platform, environ, in_container):
    """Whether a browser can open here: not through SSH, in CI or in a container, and on Linux only with a display."""
    if in_container or environ.get("CI") or environ.get("SSH_CONNECTION"):
        return False
    return platform != "linux" or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def options(extra, screen, root):
    """The arguments for JupyterLab; what the learner adds comes last and wins."""
    return [
        f"--LabApp.default_url=/lab/tree/{FIRST}",
        *([] if screen else ["--no-browser"]),
        *(["--allow-root"] if root else []),
        *extra,
    ]


def main(extra):
    in_container = any(Path(mark).exists() for mark in CONTAINER_MARKS)
    screen = has_screen(sys.platform, os.environ, in_container)
    if not screen:
        print("No screen here: open the http address printed below in a browser.", flush=True)
    print("To stop JupyterLab press Ctrl-C twice.", flush=True)
    arguments = options(extra, screen, root=os.geteuid() == 0)
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
