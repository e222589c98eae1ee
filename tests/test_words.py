"""Names and phrases: read from the packages' files, none of their code run, the same split everywhere."""

import sys
from importlib import metadata

import pytest
import torch

from helpers.data import words
from helpers.data.words import load_names, load_phrases


@pytest.mark.parametrize(("load", "least"), [(load_names, 5000), (load_phrases, 4000)])
def test_no_word_is_in_both_parts_and_all_come_back_from_their_numbers(load, least):
    data = load()
    every = [*data.train, *data.test]
    assert len(every) == len(set(every)) > least and len(data.test) == len(every) // 10
    tokens = data.encode(every)
    assert tokens.dtype == torch.int64 and tokens.shape == (len(every), data.longest)
    assert data.decode(tokens) == every
    assert {*tokens.unique().tolist(), words.PADDING} == set(range(len(data.vocabulary)))
    load.cache_clear()
    assert load() == data


def test_names_are_names_and_phrases_have_four_characters_of_the_usual_ones():
    data = load_names()
    assert {"Mary", "James"} <= {*data.train, *data.test}
    assert all(name.isalpha() and name == name.capitalize() for name in data.train)
    phrases = load_phrases()
    assert all(len(phrase) == 4 for phrase in phrases.train) and phrases.longest == 5
    assert len(phrases.vocabulary) == words.CHARACTERS + 2
    assert "不以为然" in {*phrases.train, *phrases.test}


def test_the_packages_are_read_and_not_run():
    for load in (load_names, load_phrases):
        load.cache_clear()
        load()
    assert "names" not in sys.modules and "pypinyin" not in sys.modules


def test_what_is_wrong_is_named(monkeypatch):
    data = load_names()
    with pytest.raises(ValueError, match="no character"):
        data.encode(["Zoë"])
    with pytest.raises(ValueError, match="at most"):
        data.encode(["a" * data.longest])

    def missing(package):
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(words, "distribution", missing)
    for load, package in ((load_names, "names"), (load_phrases, "pypinyin")):
        load.cache_clear()
        with pytest.raises(ModuleNotFoundError, match=f"pip install {package}"):
            load()
