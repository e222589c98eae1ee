"""Feedback on learners' answers: every correct way of writing one is accepted, a mistake is called by its name.

One file a notebook, found by its number: its tables, its tasks, and its public `check_…` functions.
"""

import importlib
import pkgutil

from helpers.feedback import Feedback, Task

__all__ = ["Feedback"]


def _files() -> list:
    names = sorted(each.name for each in pkgutil.iter_modules(__path__) if each.name.startswith("nb"))
    return [importlib.import_module(f"{__name__}.{name}") for name in names]


def tasks() -> dict[str, Task]:
    """Every task of the course, by the number of its notebook and its name, as "10.ELBO"."""
    return {
        f"{file.__name__.rpartition('.nb')[2][:2]}.{name}": value
        for file in _files()
        for name, value in vars(file).items()
        if isinstance(value, Task)
    }


for _file in _files():
    for _name, _check in vars(_file).items():
        if _name.startswith("check_"):
            globals()[_name] = _check
            __all__.append(_name)
