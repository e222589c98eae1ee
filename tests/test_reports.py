"""Match reports: the likelihood sums to one, the entropy is that of the samples, and every report has one parse."""

import math
from dataclasses import replace
from functools import cache
from itertools import product

import pytest
import torch

from helpers.data.reports import END_WORD, PAD_WORD, PHRASES, Choice, Grammar, load_reports, report_grammar

BOTH = pytest.mark.parametrize("language", ["english", "chinese"])
ALL = pytest.mark.parametrize(
    ("language", "short"), list(product(["english", "chinese"], [False, True])), ids=lambda each: str(each)
)
REPORT = "on Sunday the foxes beat the herons 2 - 1 in the cup . Ada scored twice . the coach was proud ."
CHINESE = "周六，狐狸队主场3比1大胜苍鹭队。阿达梅开二度。教练很高兴。"


def samples(grammar, n, seed=0):
    return grammar.sample(n, torch.Generator().manual_seed(seed))


def everything(grammar):
    """All reports that can be written, by brute force over the choices, agreeing or not: {report: p}."""
    found = {}
    weights = {name: cache(choice.weights) for name, choice in grammar.choices.items()}
    phrases = {name: list(grammar._parts[grammar.text.index(name)]) for name in grammar.choices}
    for values in product(*phrases.values()):
        chosen = dict(zip(phrases, values, strict=True))
        p = 1.0
        for name, choice in grammar.choices.items():
            table = weights[name](*(chosen[parent] for parent in choice.parents))
            p *= table.get(chosen[name], 0) / sum(table.values())
        report = grammar.write(chosen)
        assert report not in found  # two ways to write one report
        found[report] = p
    return found


@pytest.fixture(scope="module")
def short():
    grammar = report_grammar(short=True)
    return grammar, everything(grammar)


# The likelihood


def test_the_probability_of_a_report_counted_by_hand():
    grammar = report_grammar()
    report = ["the", "foxes", "beat", "the", "herons", "2", "-", "1", "."]
    teams, score, no_scorer = 5 / 24 * 4 / 19, 6 * 8 / (23 * 22), 12 / (12 + 17)
    p = 5 / 14 * teams * score * 3 / 6 * 4 / 11 * no_scorer * 3 / 6
    assert grammar.log_prob([report]).item() == pytest.approx(math.log(p), abs=1e-12)
    of_a_scorer = 4 / 29 * 3 / (4 + 3)  # Ada; of two feats that two goals allow, the second
    p *= 3 / 5 * 2 / 4 * of_a_scorer / no_scorer * 1 / 3  # Sunday, cup, twice, proud, for nothing each time
    assert grammar.log_prob([REPORT.split()]).item() == pytest.approx(math.log(p), abs=1e-12)


def test_brute_force_over_all_short_reports(short):
    """It sums to one, has the entropy, gives every report its probability; none can be made in two ways."""
    grammar, every = short
    p = torch.tensor(list(every.values()), dtype=torch.float64)
    assert p.sum().item() == pytest.approx(1, abs=1e-12)
    assert grammar.entropy == pytest.approx(-torch.special.xlogy(p, p).sum().item(), abs=1e-12)
    some = list(every)[::7]
    assert torch.allclose(grammar.log_prob(some).exp(), p[::7], atol=0, rtol=1e-12)
    assert (p == 0).any()


@ALL
def test_the_entropy_is_that_of_the_samples(language, short):
    grammar = report_grammar(language, short)
    information = -grammar.log_prob(samples(grammar, 3000))
    assert abs(information.mean() - grammar.entropy) < 3 * information.std() / len(information) ** 0.5


def test_samples_are_as_frequent_as_they_are_probable(short):
    grammar, every = short
    written = samples(grammar, 10_000)
    for report in sorted(every, key=every.get)[-20:]:
        expected = every[report] * len(written)
        assert abs(written.count(report) - expected) < 4.5 * expected**0.5


def test_both_languages_have_one_entropy_for_they_are_one_network():
    for short in (False, True):
        english, chinese = report_grammar("english", short), report_grammar("chinese", short)
        assert english.entropy == pytest.approx(chinese.entropy, abs=1e-12)


@pytest.mark.parametrize(
    ("language", "short", "tokens", "lengths", "entropy"),
    [
        ("english", False, (60, 72), (9, 26), (13, 14)),
        ("chinese", False, (90, 110), (11, 37), (13, 14)),
        ("english", True, (35, 39), (7, 11), (8.7, 9.3)),
        ("chinese", True, (45, 55), (11, 16), (8.7, 9.3)),
    ],
)
def test_sizes_are_those_that_the_models_are_made_for(language, short, tokens, lengths, entropy):
    grammar = report_grammar(language, short)
    assert tokens[0] <= len(grammar.vocabulary) <= tokens[1]
    assert entropy[0] < grammar.entropy < entropy[1]
    assert min(map(len, samples(grammar, 3000))) == lengths[0] and grammar.longest == lengths[1] + 1


# One token after the other


@ALL
def test_next_tokens_multiply_to_the_probability_of_the_report(language, short):
    grammar = report_grammar(language, short)
    for report in samples(grammar, 15, seed=1):
        total = 0.0
        for end, token in enumerate([*report, END_WORD]):
            p = grammar.next_token(report[:end])
            assert p.sum().item() == pytest.approx(1, abs=1e-12)
            total += p[grammar.vocabulary.index(token)].log().item()
        assert total == pytest.approx(grammar.log_prob([report]).item(), abs=1e-10)


@pytest.mark.parametrize(
    "prefix",
    ["", "foxes", "foxes lost", "herons drew with foxes", "moles beat otters 3 - 2", "moles held otters 3 -"],
)
def test_a_next_token_is_a_sum_over_all_reports_that_begin_so(short, prefix):
    grammar, every = short
    begun = tuple(prefix.split())
    expected = torch.zeros(len(grammar.vocabulary), dtype=torch.float64)
    for report, p in every.items():
        if report[: len(begun)] == begun:
            expected[grammar.vocabulary.index(report[len(begun)])] += p
    assert torch.allclose(grammar.next_token(begun), expected / expected.sum(), atol=1e-14)


def test_after_a_prefix_of_no_report_there_is_no_next_token():
    with pytest.raises(ValueError, match="No report of this grammar begins with 'Foxes beat herons 0'"):
        report_grammar(short=True).next_token(["foxes", "beat", "herons", "0"])


# Parsing


@ALL
def test_every_report_has_exactly_one_parse_which_writes_it_again(language, short):
    grammar = report_grammar(language, short)
    for report in set(samples(grammar, 2000)):
        (parse,) = grammar.parses(report)
        assert grammar.write(parse) == report


@BOTH
def test_so_has_every_mixture_of_phrases(language):
    """Also of phrases that never go together: a report that contradicts itself is read in one way."""
    grammar = report_grammar(language)
    parses = [grammar.parses(report)[0] for report in samples(grammar, 1000, seed=2)]
    for n in range(len(parses)):
        mixed = {name: parses[(n + k) % len(parses)][name] for k, name in enumerate(grammar.choices)}
        assert grammar.parses(grammar.write(mixed)) == [mixed]


@BOTH
def test_samples_agree(language):
    grammar = report_grammar(language)
    written = samples(grammar, 500)
    assert grammar.is_grammatical(written).all() and grammar.agrees(written).all()
    assert not any(grammar.contradictions(report) for report in written[:50])


@BOTH
def test_choices_drawn_independently_are_grammatical_and_mostly_contradict(language):
    """Each of the four choices that hang together from a report of its own: grammar holds, agreement in 15 %."""
    grammar = report_grammar(language)
    parses = [grammar.parses(report)[0] for report in samples(grammar, 1500, seed=3)]
    mixed = []
    for n, parse in enumerate(parses):
        others = {name: parses[n - k][name] for k, name in enumerate(("verb", "scorer", "coach"), start=1)}
        mixed.append(grammar.write({**parse, **others}))
    assert grammar.is_grammatical(mixed).all()
    assert 0.05 < grammar.agrees(mixed).double().mean() < 0.5
    for report, agree in zip(mixed[:200], grammar.agrees(mixed), strict=False):
        assert bool(grammar.contradictions(report)) != bool(agree)


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("beat", "lost to", "verb"),
        ("2 - 1", "2 - 2", "verb coach"),
        ("2 - 1", "1 - 0", "scorer"),
        ("twice", "a hat-trick", "scorer"),
        ("proud", "furious", "coach"),
        ("herons", "foxes", "away"),
        ("Ada scored twice . ", "", ""),
        ("beat", "narrowly defeated", ""),
    ],
)
def test_what_contradicts_is_named(old, new, wrong):
    grammar = report_grammar()
    report = REPORT.replace(old, new).split()
    assert grammar.contradictions(report) == tuple(wrong.split())
    assert grammar.agrees([report]).item() == (not wrong) and grammar.is_grammatical([report]).item()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("beat", ""),
        ("the coach was proud .", "the coach was proud"),
        ("the coach was proud .", "the coach was proud . the coach was proud ."),
        ("Ada scored twice", "Ada"),  # a scorer without a feat
        ("Ada scored twice", "scored twice"),
        ("in the cup", "in in the cup"),
        ("cup", "rain"),
        ("2 - 1", "2 1"),
        ("2 - 1", "5 - 1"),
        ("foxes", "wolves"),
        (REPORT, ""),
        ("proud .", f"proud . {PAD_WORD}"),
    ],
)
def test_what_is_no_report_is_refused(old, new):
    grammar = report_grammar()
    report = REPORT.replace(old, new)
    assert not grammar.is_grammatical([report.split()]).item()
    assert grammar.log_prob([report.split()]).item() == -math.inf
    with pytest.raises(ValueError, match="is not grammatical"):
        grammar.contradictions(report.split())


# The data


@BOTH
def test_5000_reports_in_three_splits_and_as_numbers(language):
    data = load_reports(language)
    assert [len(split.reports) for split in data[1:]] == [4000, 500, 500]
    for split in data[1:]:
        assert (
            split.tokens.shape == (len(split.reports), data.grammar.longest)
            and split.tokens.dtype == torch.int64
        )
        assert data.grammar.decode(split.tokens) == split.reports
    assert len(set(data.train.reports)) > 3900
    assert data.train.reports[:500] != data.test.reports != data.validation.reports


def test_numbers_are_the_report_its_end_and_nothing():
    grammar = report_grammar()
    row = grammar.encode([REPORT.split()])[0].tolist()
    words = [grammar.vocabulary[number] for number in row]
    assert words == [*REPORT.split(), END_WORD] + [PAD_WORD] * (grammar.longest - 1 - len(REPORT.split()))
    assert grammar.vocabulary[:2] == (PAD_WORD, END_WORD) and len(set(grammar.vocabulary)) == len(
        grammar.vocabulary
    )
    assert grammar.decode(torch.tensor([[5, 6, 7]])) == [grammar.vocabulary[5:8]]  # a model that never ends
    assert grammar.encode([]).shape == (0, grammar.longest) and grammar.decode(grammar.encode([])) == []


def test_the_same_seed_writes_the_same_reports_on_every_machine():
    state = torch.get_rng_state()
    data = load_reports()
    assert torch.equal(data.train.tokens, load_reports().train.tokens)
    assert not torch.equal(data.train.tokens, load_reports(seed=1).train.tokens)
    assert torch.equal(torch.get_rng_state(), state)
    # Written on Linux: another machine, or another PyTorch, that writes something else is found here.
    first = [data.grammar.show(report) for report in data.train.reports[:3]]
    assert first == [
        "The ravens thrashed the otters 4–0. Ben scored.",
        "The herons drew with the falcons 0–0 at home. The coach was silent.",
        "In the rain the foxes fell to the ravens 0–2. Ada scored. The coach was furious.",
    ]


def test_the_same_seed_writes_translations():
    english, chinese = report_grammar("english"), report_grammar("chinese")
    dictionary = {}
    for ours, theirs in zip(samples(english, 1500), samples(chinese, 1500), strict=True):
        (mine,), (yours,) = english.parses(ours), chinese.parses(theirs)
        for name in english.choices:
            assert dictionary.setdefault((name, mine[name]), yours[name]) == yours[name]
    assert len({(name, theirs) for (name, _), theirs in dictionary.items()}) == len(dictionary)
    assert dictionary["score", "2 - 1"] == "2比1" and dictionary["verb", "held"] == "逼平"


def test_reports_are_shown_as_one_would_print_them():
    english, chinese = report_grammar("english"), report_grammar("chinese")
    assert english.show(REPORT.split()) == (
        "On Sunday the foxes beat the herons 2–1 in the cup. Ada scored twice. The coach was proud."
    )
    assert english.show(("beat", "the", PAD_WORD)) == "Beat the <pad>" and english.show(()) == ""
    assert chinese.show(tuple(CHINESE)) == CHINESE and chinese.agrees([tuple(CHINESE)]).item()


def test_no_phrase_has_two_meanings_where_it_stands():
    """What makes the grammar unambiguous: in each kind of phrase no two are alike, in either language."""
    for rows in PHRASES.values():
        assert (
            len({english for _, english, _ in rows}) == len({chinese for _, _, chinese in rows}) == len(rows)
        )


# Rules of one's own


def test_a_rule_of_ones_own():
    grammar = report_grammar()
    lucky = Choice(lambda verb: {"": 1, **({"luckily": 1} if verb == "edged" else {})}, ("verb",))
    text = ("luck", *grammar.text)
    longer = replace(grammar, choices={**grammar.choices, "luck": lucky}, text=text)
    assert longer.log_prob([REPORT.split()]).item() == grammar.log_prob([REPORT.split()]).item()
    assert longer.contradictions(["luckily", *REPORT.split()]) == ("luck",)
    edged = grammar._probability({"verb": "edged"})
    assert longer.entropy == pytest.approx(grammar.entropy + edged * math.log(2), abs=1e-12)
    assert longer.next_token()[longer.vocabulary.index("luckily")].item() == pytest.approx(
        edged / 2, abs=1e-12
    )


def test_an_ambiguous_grammar_sums_over_its_parses():
    maybe = Choice(lambda: {"": 1, "very": 2})
    grammar = Grammar({"first": maybe, "second": maybe}, ("first", "second", "good"))
    reports = [("good",), ("very", "good"), ("very", "very", "good")]
    assert torch.allclose(grammar.log_prob(reports).exp(), torch.tensor([1.0, 4.0, 4.0]).double() / 9)
    assert len(grammar.parses(reports[1])) == 2
    chain = [grammar.next_token(reports[1][:n]) for n in range(3)]
    p = [chain[n][grammar.vocabulary.index(token)] for n, token in enumerate(("very", "good", END_WORD))]
    assert math.prod(p).item() == pytest.approx(4 / 9)


ONE = Choice(lambda: {"a": 1})


@pytest.mark.parametrize(
    ("choices", "text", "sentence"),
    [
        ({}, ("a",), "at least one choice"),
        ({"x": ONE}, ("a",), "names 'x' 0 times"),
        ({"x": ONE}, ("x", "x"), "names 'x' 2 times"),
        ({"x": Choice(lambda y: {"a": 1}, ("y",)), "y": ONE}, ("x", "y"), "put 'y' before it"),
        ({"x": Choice(lambda: {"a": 0.5})}, ("x",), "'x' needs whole numbers"),
        ({"x": Choice(lambda: {"a": -1, "b": 2})}, ("x",), "'x' needs whole numbers"),
        ({"y": ONE, "x": Choice(lambda y: {"a": 0}, ("y",))}, ("x", "y"), "'x' given 'a' needs"),
    ],
)
def test_rules_that_are_none(choices, text, sentence):
    with pytest.raises(ValueError, match=sentence):
        Grammar(choices, text)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda g: load_reports("french"), "'french': choose one of english, chinese"),
        (lambda g: g.encode([("the", "wolves")]), "'wolves' is no token"),
        (lambda g: g.encode([("the", END_WORD)]), "'<end>' is no token"),
        (lambda g: g.encode([["the"] * 27]), "at most 26 tokens, this one has 27"),
        (lambda g: g.log_prob(REPORT), r"\[report\]"),
        (lambda g: g.log_prob(REPORT.split()), r"\[report\]"),
        (lambda g: g.log_prob([REPORT]), r"\[report\]"),
        (lambda g: g.agrees(g.encode([REPORT.split()])), "decode"),
        (lambda g: g.is_grammatical(list(g.encode([REPORT.split()]))), "decode"),
        (lambda g: g.parses(REPORT), "this is a string"),
        (lambda g: g.next_token("the"), "this is a string"),
        (lambda g: g.decode(torch.zeros(1, 3, 62)), "argmax"),
        (lambda g: g.decode(torch.zeros(1, 3)), "argmax"),
        (lambda g: g.decode(torch.tensor([1, 2])), r"\(n, length\)"),
        (lambda g: g.decode(torch.tensor([[62]])), "0 … 61"),
        (lambda g: g.decode(torch.tensor([[-1]])), "0 … 61"),
    ],
)
def test_reports_that_are_none(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(report_grammar())
