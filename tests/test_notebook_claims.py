"""That a claim which does not hold is found, named and shown."""

import pytest
from notebook_claims import FOLDER, cell_for, claims_of, hold
from test_notebooks import PATHS


@pytest.fixture
def claims(tmp_path):
    def write(text):
        (tmp_path / "10.py").write_text(text)
        return tmp_path / "10.py"

    return write


def test_claims_see_the_names_of_the_notebook(claims, capsys):
    hold(claims("def x_is_two():\n    assert x == 2\n\n\ndef _helper():\n    assert False\n"), {"x": 2})
    assert capsys.readouterr().out == "1 claims hold\n"


@pytest.mark.parametrize("x", [3, None])
def test_a_claim_that_fails_is_named_with_its_line(claims, x):
    text = "def x_is_two():\n    assert x + 0 == 2\n\n\ndef y_is_one():\n    assert y == 1\n"
    with pytest.raises(AssertionError, match=r"1 of 2 claims fail: x_is_two.*line 2: assert x \+ 0 == 2"):
        hold(claims(text), {"x": x, "y": 1})


def test_a_file_without_claims_is_no_proof(claims):
    with pytest.raises(AssertionError, match="no claim"):
        hold(claims("x = 1\n"), {"helper": print})


def test_what_a_claim_sets_is_not_left_in_the_notebook(claims):
    names = {"x": 2}
    hold(claims("x = 3\n\n\ndef x_is_three():\n    assert x == 3\n"), names)
    assert names == {"x": 2}


def test_the_cell_runs_in_any_folder(claims, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = {"x": 1}
    with pytest.raises(AssertionError, match="x_is_two"):
        exec(cell_for(claims("def x_is_two():\n    assert x == 2\n")), names)


def test_every_file_of_claims_belongs_to_a_notebook():
    files = sorted(FOLDER.glob("*.py"))
    assert {claims_of(path.name) for path in PATHS} - {None} == set(files)
