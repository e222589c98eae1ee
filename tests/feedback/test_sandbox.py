"""The sandbox: whatever a learner's function does, a sentence comes soon, and nothing is disturbed."""

import _thread
import functools
import random
import signal
import threading
import time

import nbclient
import nbformat
import numpy as np
import pytest
import torch

from helpers.feedback import Answer, Feedback, Mistake, gives_feedback
from helpers.feedback.sandbox import SECONDS


def kind_of(function, *args, seconds=SECONDS) -> Feedback:
    """The feedback of a check that only calls `function`."""

    @gives_feedback
    def check():
        Answer(function, "my_function(x)", seconds)(*args)
        return Feedback(True, "right", "Fine.")

    return check()


# How it looks


@pytest.mark.parametrize(
    ("feedback", "verdict"),
    [
        (Feedback(True, "right", "All of it."), "Right."),
        (Feedback(False, "shape", "Sum it."), "Not yet:"),
        (Feedback(False, "stub", "Begin."), "Not started:"),
    ],
)
def test_the_verdict_is_in_the_words_not_in_the_colour(feedback, verdict):
    assert repr(feedback) == f"{verdict} {feedback.message}"
    assert f"<strong>{verdict}</strong>" in feedback._repr_html_()


def test_the_box_shows_code_as_code_markup_as_text_and_brings_no_ink():
    box = Feedback(False, "raised", "Line 3, `a < b`, stopped with <b>& more")._repr_html_()
    assert "<code>a &lt; b</code>" in box and "&lt;b&gt;&amp; more" in box
    assert "color: inherit" in box and "background: rgba(128, 128, 128, 0.12)" in box


def test_long_messages_are_wrapped_in_a_terminal():
    lines = repr(Feedback(False, "shape", "word " * 80)).splitlines()
    assert len(lines) > 3 and max(map(len, lines)) <= 100


# Nothing written yet


def empty(x): ...


def empty_with_a_docstring(x):
    """What it will do."""
    ...


def empty_with_pass(x):
    pass


def returns_dots(x):
    return ...


def half_written(x):
    mean = x[..., 0]
    total = ...  # your line
    return mean + total


def half_written_and_silent(x):
    total = ...  # your line
    x.append(total)


def dots_as_an_index(x):
    return x[..., 0].undefined


@pytest.mark.parametrize("stub", [empty, empty_with_a_docstring, empty_with_pass, returns_dots, ...])
def test_an_untouched_stub_is_not_started(stub):
    feedback = kind_of(stub, 1)
    assert (feedback.ok, feedback.kind) == (False, "stub")
    assert repr(feedback).startswith("Not started: ")


@pytest.mark.parametrize(
    ("stub", "given", "below"), [(half_written, torch.ones(2), 2), (half_written_and_silent, [], 1)]
)
def test_a_blank_that_is_left_is_named_by_its_line(stub, given, below):
    feedback = kind_of(stub, given)
    assert feedback.kind == "unfinished"
    assert f"line {stub.__code__.co_firstlineno + below}." in feedback.message


def test_dots_that_index_a_tensor_are_no_blank():
    feedback = kind_of(dots_as_an_index, torch.ones(2, 2))
    assert feedback.kind == "raised" and "AttributeError" in feedback.message


def test_nothing_may_be_returned_where_the_function_acts():
    assert Answer(lambda x: None, "my_function(x)", nothing=True)(1) is None
    with pytest.raises(Mistake) as found:
        Answer(lambda x: None, "my_function(x)")(1)
    assert found.value.feedback.kind == "none"


# Not called as agreed


def test_what_is_called_otherwise_is_told_how():
    assert "the function itself" in kind_of(torch.ones(5)).message
    feedback = kind_of(lambda a, b: a, 1)
    assert feedback.kind == "signature"
    assert "`my_function(x)`" in feedback.message and "`(a, b)`" in feedback.message


def test_a_type_error_inside_the_function_is_no_wrong_signature():
    assert kind_of(lambda x: len(x, x), 1).kind == "raised"


def test_partial_functions_methods_and_objects_are_functions():
    class Doubler:
        def __call__(self, x):
            return 2 * x

        def broken(self, x):
            return x.nothing

    assert kind_of(Doubler(), 1).ok and kind_of(functools.partial(max, 3), 1).ok
    assert "`return x.nothing`" in kind_of(Doubler().broken, 1).message
    assert "`return x.nothing`" in kind_of(functools.partial(Doubler.broken, None), 1).message


# Stopped by an exception


def divides(x):
    y = x - 1
    return x / y


def test_an_exception_is_told_with_its_line():
    line = divides.__code__.co_firstlineno + 2
    message = kind_of(divides, 1).message
    assert f"Line {line}, `return x / y`, stopped with ZeroDivisionError: division by zero." in message


@pytest.mark.parametrize("error", [SystemExit, RecursionError("deep"), AssertionError, BaseException("odd")])
def test_no_exception_comes_through(error):
    def stops(x):
        raise error

    feedback = kind_of(stops, 1)
    assert feedback.kind == "raised"
    assert (error if isinstance(error, type) else type(error)).__name__ in feedback.message


def test_a_long_exception_is_cut():
    def shouts(x):
        raise ValueError("loud " * 10_000)

    assert len(kind_of(shouts, 1).message) < 500


def twice(x):
    loss = (torch.ones(2, requires_grad=True) ** 2).sum()
    loss.backward()
    loss.backward()


def in_place(x):
    a = torch.ones(2, requires_grad=True) * 1
    b = a**2
    a += 1
    b.sum().backward()


@pytest.mark.parametrize(
    ("broken", "kind", "phrase"),
    [
        (lambda x: torch.nn.functional.binary_cross_entropy(3 * x, x), "logits", "was given logits"),
        (lambda x: x.sum().backward(), "detached", "nothing to train"),
        (lambda x: torch.nn.functional.binary_cross_entropy_with_logits(x[:, None], x), "raised", "different shapes"),
        (lambda x: x + torch.ones(3), "raised", "different shapes"),
        (twice, "second_backward", "walked back twice"),
        (in_place, "in_place", "changed in place"),
    ],
)  # fmt: skip
def test_what_pytorch_says_is_put_into_words(broken, kind, phrase):
    feedback = kind_of(broken, torch.ones(2))
    assert feedback.kind == kind and phrase in feedback.message


def test_a_task_may_say_it_in_its_own_words():
    answer = Answer(
        lambda x: x.nothing, "my_function(x)", said=(("no attribute 'nothing'", "odd", "That is odd."),)
    )
    with pytest.raises(Mistake) as found:
        answer(1)
    assert found.value.feedback.kind == "odd" and found.value.feedback.message.startswith("That is odd.")


# Without end


def spins(*_):
    while True:
        pass


def test_a_loop_without_end_is_answered():
    feedback = kind_of(spins, 1)
    assert feedback.kind == "slow"
    assert "had not finished after 5 seconds" in feedback.message and "was stopped" in feedback.message


def test_a_loop_that_catches_everything_is_answered():
    over = threading.Event()

    def swallows(x):
        while not over.is_set():
            try:
                while not over.is_set():
                    try:
                        time.sleep(0.001)
                    except BaseException:
                        pass
            except BaseException:
                pass

    try:
        assert kind_of(swallows, 1, seconds=0.3).kind == "slow"
    finally:
        over.set()


def test_a_long_sleep_is_answered():
    feedback = kind_of(lambda x: time.sleep(600), 1, seconds=0.3)
    assert feedback.kind == "slow" and "restart the kernel" in feedback.message


def test_the_calls_share_one_limit():
    calls = []

    def works_once():
        calls.append(1)
        return sum(k for k in range(1_000_000)) if len(calls) == 1 else spins()

    answer = Answer(works_once, "my_function()", seconds=100.0)
    assert answer() > 0 and 50 < answer.seconds < 100
    answer.seconds = 0.2  # what other calls have left
    with pytest.raises(Mistake) as found:
        answer()
    assert found.value.feedback.kind == "slow"


@pytest.mark.parametrize("caught", [(), Exception])
def test_a_stopped_loop_is_really_gone(caught):
    ended = threading.Event()

    def stubborn(x):
        try:
            while True:
                try:
                    spins()
                except caught:
                    pass
        finally:
            ended.set()

    feedback = kind_of(stubborn, 1, seconds=0.2)
    assert feedback.kind == "slow" and "was stopped" in feedback.message
    assert ended.is_set()


def test_the_learner_may_interrupt():
    ended = threading.Event()

    def spins_until_stopped(x):
        try:
            spins()
        finally:
            ended.set()

    # A shell starts what runs in the background with interrupts ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(0.3, _thread.interrupt_main).start()
        with pytest.raises(KeyboardInterrupt):
            kind_of(spins_until_stopped, 1)
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.is_set()  # it does not go on behind the learner's back


# Printing


def test_endless_printing_is_cut(capsys):
    def chatters(x):
        while True:
            print("and on and on")

    assert kind_of(chatters, 1, seconds=0.3).kind == "slow"
    printed = capsys.readouterr().out
    assert 1000 < len(printed) < 3000 and "left out" in printed


def test_a_few_prints_are_shown_and_a_huge_one_is_cut(capsys):
    assert kind_of(lambda x: print("here", x) or x, 1).ok
    assert capsys.readouterr().out == "here 1\n"
    assert kind_of(lambda x: print("long" * 1_000_000) or x, 1).ok
    assert len(capsys.readouterr().out) < 3000


# Nothing disturbed


def test_random_states_threads_and_modes_stay_as_they_were():
    def draws(x):
        torch.manual_seed(1)
        random.seed(1)
        np.random.seed(1)
        return torch.rand(()) + random.random() + np.random.rand()

    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with torch.no_grad():
            assert kind_of(draws, 1).ok
            assert not torch.is_grad_enabled()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.array_equal(np.random.get_state()[1], states[2])


def test_in_a_real_kernel():
    cells = [
        "from helpers.checks import check_gaussian_kl",
        "def my_kl(mu, log_var):\n    # the first line\n    return mu.nothing\ncheck_gaussian_kl(my_kl)",
        "def my_kl(mu, log_var):\n    # your lines\n    ...\ncheck_gaussian_kl(my_kl)",
        "def my_kl(mu, log_var):\n    while True:\n        print('again')\ncheck_gaussian_kl(my_kl)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    nbclient.NotebookClient(notebook, timeout=1500, kernel_name="python3").execute()
    results = [
        [out for out in cell.outputs if out.output_type == "execute_result"] for cell in notebook.cells
    ]
    texts = [" ".join(result[0]["data"]["text/plain"].split()) if result else "" for result in results]
    assert texts[1].startswith("Not yet: Line 3, `return mu.nothing`, stopped with AttributeError:")
    assert texts[2].startswith("Not started: ")
    assert texts[3].startswith("Not yet: Your function had not finished")
    assert "<strong>Not yet:</strong>" in results[3][0]["data"]["text/html"]
    printed = "".join(out.text for out in notebook.cells[3].outputs if out.output_type == "stream")
    assert "again" in printed and len(printed) < 3000
