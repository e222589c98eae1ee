"""The watermark: its counts by hand, its z where tokens are independent, and what a paraphrase keeps."""

import math

import pytest
import torch

from helpers.data.reports import END, load_reports
from helpers.language import NGram
from helpers.watermark import (
    green_lists,
    marked,
    paraphrase,
    paraphrase_text,
    reports_in,
    texts_of,
    write_text,
    z_score,
)


@pytest.fixture(scope="module")
def data():
    return load_reports()


@pytest.fixture(scope="module")
def writer(data):
    return NGram(3, len(data.grammar.vocabulary)).fit(data.train.tokens[:800])


def test_half_of_each_row_is_green_and_the_key_decides():
    lists = green_lists(62, key=5)
    assert lists.shape == (62, 62) and lists.sum(1).tolist() == [31] * 62
    assert green_lists(60, 5, gamma=0.25).sum(1).tolist() == [15] * 60
    assert torch.equal(lists, green_lists(62, 5)) and not torch.equal(lists, green_lists(62, 6))
    assert not torch.equal(lists[0], lists[1])


def test_marking_multiplies_odds():
    """(21.6): the odds of a green token to a red one grow by e^δ, and those of two green ones stay."""
    p = torch.tensor([0.5, 0.2, 0.2, 0.1], dtype=torch.float64)
    green = torch.tensor([False, True, True, False])
    q = marked(p, green, 2.0)
    assert q.sum().item() == pytest.approx(1) and (q[1] / q[2]).item() == pytest.approx(1)
    assert (q[1] / q[0]).item() == pytest.approx(0.4 * math.exp(2))
    assert torch.allclose(marked(p, green, 0.0), p)


def test_z_by_hand():
    """(21.7): six tokens of which five are green; the token before the first is an <end>."""
    lists = torch.zeros(8, 8, dtype=torch.bool)
    lists[END, 2] = lists[2, 3] = lists[3, 4] = lists[4, 5] = lists[5, 6] = True
    assert z_score([2, 3, 4, 5, 6, 7], lists) == pytest.approx((5 - 3) / math.sqrt(6 / 4))
    assert z_score([2, 3, 4, 5, 6, 7], lists, gamma=0.25) == pytest.approx((5 - 1.5) / math.sqrt(6 * 3 / 16))


def test_z_is_standard_normal_where_tokens_are_independent():
    """(21.7) with uniform tokens from a large vocabulary, in which hardly any pair comes twice."""
    generator = torch.Generator().manual_seed(0)
    lists = green_lists(400, 1)
    z = torch.tensor(
        [z_score(torch.randint(400, (200,), generator=generator).tolist(), lists) for _ in range(1500)]
    )
    assert abs(z.mean()) < 0.1 and abs(z.std() - 1) < 0.06 and (z > 2.33).double().mean() < 0.025


def test_a_marked_text_has_more_green_tokens(data, writer):
    generator = torch.Generator().manual_seed(1)
    lists = green_lists(len(data.grammar.vocabulary), 7)
    plain, ours = (
        [z_score(write_text(writer, 150, generator, *mark), lists) for _ in range(12)]
        for mark in ((), (lists, 2.0))
    )
    assert min(ours) > max(plain)


def test_without_lists_it_writes_as_the_model_does(data, writer):
    """The first tokens of reports have the model's own distribution."""
    generator = torch.Generator().manual_seed(2)
    text = write_text(writer, 6000, generator)
    firsts = torch.tensor([b for a, b in zip([END, *text], text, strict=False) if a == END])
    shares = firsts.bincount(minlength=writer.size) / len(firsts)
    assert (shares - writer.next_token((END, END))).abs().max() < 0.08
    assert len(text) == 6000


def test_texts_and_reports_there_and_back(data):
    reports = data.test.reports[:60]
    (text,) = texts_of(reports, data.grammar, sum(len(report) + 1 for report in reports))
    assert reports_in(text, data.grammar) == reports
    assert [len(each) for each in texts_of(reports, data.grammar, 100)] == [100] * (len(text) // 100)
    assert reports_in(text[:-1], data.grammar) == reports[:-1]  # the last one is not complete


def test_a_paraphrase_keeps_the_facts_and_changes_words(data):
    generator = torch.Generator().manual_seed(3)
    grammar, changed = data.grammar, 0
    for report in data.test.reports[:60]:
        other = paraphrase(report, grammar, generator)
        before, after = grammar.parses(report)[0], grammar.parses(other)[0]
        assert all(before[name] == after[name] for name in ("home", "away", "score", "scorer"))
        assert grammar.agrees([other]).all()
        changed += other != report
    assert changed > 45
    nonsense = ("the", "the", "the")
    assert paraphrase(nonsense, grammar, generator) == nonsense
    everything = tuple(grammar.choices)
    assert paraphrase(data.test.reports[0], grammar, generator, keep=everything) == data.test.reports[0]


def test_a_paraphrased_text_is_a_text(data):
    generator = torch.Generator().manual_seed(4)
    text = texts_of(data.test.reports[:20], data.grammar, 120)[0]
    again = reports_in(paraphrase_text(text, data.grammar, generator), data.grammar)
    assert len(again) == len(reports_in(text, data.grammar)) and data.grammar.is_grammatical(again).all()
