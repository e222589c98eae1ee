"""Say in one sentence what is missing before an environment is made. Written so that any Python 3 can run it."""

import platform
import sys

try:
    import ensurepip
    import venv
except ImportError:
    ensurepip = venv = None


def problem(version, has_venv, intel_mac=False):
    """The sentence for the learner, or None when an environment can be made."""
    if intel_mac:
        return (
            "This course needs PyTorch 2.13, and PyTorch has made no packages for Intel Macs since 2.3. "
            "Take Binder (see README.md) or another computer; on a Mac with an Apple chip, "
            "name a Python that is made for it: make lab PYTHON=/opt/homebrew/bin/python3"
        )
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
    is_intel_mac = sys.platform == "darwin" and platform.machine() == "x86_64"
    sys.exit(problem(sys.version_info, bool(ensurepip and venv), is_intel_mac))
