"""Say in one sentence what is missing before an environment is made. Written so that any Python 3 can run it."""

import sys

try:
    import ensurepip
    import venv
except ImportError:
    ensurepip = venv = None


def problem(version, has_venv):
    """The sentence for the learner, or None when an environment can be made."""
    if not (3, 11) <= tuple(version[:2]) < (3, 15):
        return (
            "This course needs Python 3.11 to 3.14, and this is Python {}.{}. "
            "If you have another one, name it: make lab PYTHON=python3.12"
        ).format(*version[:2])
    if not has_venv:
        return (
            "Python's venv module is missing. On Debian and Ubuntu `sudo apt install python3-venv` brings it; "
            "then run make again."
        )
    return None


if __name__ == "__main__":
    sys.exit(problem(sys.version_info, bool(ensurepip and venv)))
