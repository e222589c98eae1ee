"""What the browser runs, nbval does not run again."""

import pytest
from jupyterlab import find_chromium


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the cells of every notebook that a chosen test runs in the browser, if there is one."""
    if find_chromium() is None:
        return
    in_browser = {mark.args[0] for item in items for mark in item.iter_markers("runs")}
    once, again = [], []
    for item in items:
        (again if item.path.suffix == ".ipynb" and item.path.stem in in_browser else once).append(item)
    if again:
        config.hook.pytest_deselected(items=again)
        items[:] = once
