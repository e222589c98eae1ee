"""One command points the Binder badge at a fork."""

import pytest
from badge import ROOT, with_badge


def test_the_badge_opens_the_first_notebook_of_the_fork():
    text = with_badge("before <!-- binder -->old<!-- /binder --> after", "someone/minimax-to-elbo")
    assert text.startswith("before <!-- binder -->[![Open in Binder](")
    assert (
        "mybinder.org/v2/gh/someone/minimax-to-elbo/HEAD?urlpath=lab/tree/notebooks/00_start_here.ipynb)"
        in text
    )
    assert text.endswith("<!-- /binder --> after")
    assert with_badge(text, "someone/minimax-to-elbo") == text


@pytest.mark.parametrize("wrong", ["", "someone", "https://github.com/a/b", "a/b/c"])
def test_a_name_of_another_form_gets_a_sentence(wrong):
    with pytest.raises(ValueError, match="owner/name"):
        with_badge("<!-- binder --><!-- /binder -->", wrong)


def test_a_readme_without_marks_gets_a_sentence():
    with pytest.raises(ValueError, match="one pair of marks"):
        with_badge("# Title", "someone/course")


def test_our_readme_has_the_marks():
    with_badge((ROOT / "README.md").read_text(encoding="utf-8"), "someone/course")
