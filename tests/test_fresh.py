"""`make fresh NB=…` gives the committed notebook back and never loses the learner's."""

import subprocess
from datetime import datetime

import pytest
from fresh import NotDone, fresh

MOMENT = datetime(2026, 11, 24, 10, 15)


def git(folder, *arguments):
    who = ["-c", "user.name=Learner", "-c", "user.email=learner@example.org"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path):
    """A course with two notebooks, not yet in git."""
    (tmp_path / "notebooks").mkdir()
    for name in ("03_minimax_game", "13_the_latent_space"):
        (tmp_path / f"notebooks/{name}.ipynb").write_text(f"original {name}\n")
    return tmp_path


@pytest.fixture
def clone(folder):
    git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "course")
    return folder


@pytest.mark.parametrize(
    "wanted", ["03", "3", "03_minimax", "03_minimax_game.ipynb", "notebooks/03_minimax_game.ipynb"]
)
def test_the_committed_notebook_comes_back_and_the_learners_is_kept(clone, wanted):
    path = clone / "notebooks/03_minimax_game.ipynb"
    path.write_text("mine\n")
    said = fresh(clone, wanted, MOMENT)
    kept = clone / "notebooks/03_minimax_game.mine-20261124-1015.ipynb"
    assert path.read_text() == "original 03_minimax_game\n"
    assert kept.read_text() == "mine\n"
    assert kept.name in said
    assert len(list((clone / "notebooks").iterdir())) == 3


def test_twice_in_a_minute_loses_nothing(clone):
    path = clone / "notebooks/03_minimax_game.ipynb"
    for mine in ("first", "second"):
        path.write_text(mine)
        fresh(clone, "03", MOMENT)
    kept = sorted(p.read_text() for p in path.parent.glob("*.mine-*"))
    assert kept == ["first", "second"]


def test_a_deleted_notebook_comes_back(clone):
    path = clone / "notebooks/03_minimax_game.ipynb"
    path.unlink()
    assert "is back" in fresh(clone, "03", MOMENT)
    assert path.read_text() == "original 03_minimax_game\n"


def test_an_unchanged_notebook_is_left_alone(clone):
    assert "nothing to do" in fresh(clone, "03", MOMENT)
    assert not list((clone / "notebooks").glob("*.mine-*"))


def test_no_number_gets_an_example(clone):
    with pytest.raises(NotDone, match="make fresh NB=03"):
        fresh(clone, "", MOMENT)


@pytest.mark.parametrize("wanted", ["77", "readme", "_"])
def test_an_unknown_notebook_gets_the_list(clone, wanted):
    with pytest.raises(NotDone, match=rf"no notebook {wanted}\. Those of the course: 03, 13\."):
        fresh(clone, wanted, MOMENT)


def test_a_downloaded_zip_gets_a_sentence(folder):
    with pytest.raises(NotDone, match="not a git clone"):
        fresh(folder, "03", MOMENT)


def test_a_zip_unpacked_inside_another_repository_gets_the_same(clone):
    inner = clone / "course"
    (inner / "notebooks").mkdir(parents=True)
    with pytest.raises(NotDone, match="not a git clone"):
        fresh(inner, "03", MOMENT)


def test_a_machine_without_git_gets_a_sentence(clone, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotDone, match="git is not installed"):
        fresh(clone, "03", MOMENT)


def test_git_does_not_see_the_learners_copy(clone):
    from fresh import ROOT

    (clone / ".gitignore").write_text((ROOT / ".gitignore").read_text())
    git(clone, "add", ".gitignore")
    git(clone, "commit", "-m", "ignore")
    (clone / "notebooks/03_minimax_game.ipynb").write_text("mine\n")
    fresh(clone, "03", MOMENT)
    status = subprocess.run(
        ["git", "status", "--short"], cwd=clone, capture_output=True, text=True, check=True
    )
    assert status.stdout == ""
