"""The frame of the checks: whatever a learner's function does, a sentence comes soon, and nothing is disturbed."""

import _thread
import ast
import functools
import inspect
import random
import re
import signal
import threading
import time

import nbclient
import nbformat
import numpy as np
import pytest
import torch

import helpers.checks
from helpers.checks import better_games as better_games_checks
from helpers.checks import bound as bound_checks
from helpers.checks import check_discriminator_step, check_generator_step, check_scale_bug, check_vae_loss
from helpers.checks import coverage as coverage_checks
from helpers.checks import debugging as debugging_checks
from helpers.checks import diagnosis as diagnosis_checks
from helpers.checks import divergence as divergence_checks
from helpers.checks import evidence as evidence_checks
from helpers.checks import frame as frame_checks
from helpers.checks import game as game_checks
from helpers.checks import gan as gan_checks
from helpers.checks import gradients as gradient_checks
from helpers.checks import images as image_checks
from helpers.checks import latent_space as latent_space_checks
from helpers.checks import tighter as tighter_checks
from helpers.checks import vae as vae_checks
from helpers.checks import vae_gan as vae_gan_checks
from helpers.checks.frame import Answer, Feedback, Mistake, gives_feedback, number, tensor

CHECKS = [check_discriminator_step, check_generator_step, check_vae_loss]


def named(check, body):
    """A learner's function with the argument names that `check` asks for, which does `body(*args)`."""
    if check is check_discriminator_step:
        return lambda generator, discriminator, d_optimiser, real, z: body(z)
    if check is check_generator_step:
        return lambda generator, discriminator, g_optimiser, z: body(z)
    return lambda vae, x, eps, beta=1.0: body(eps)


def kind_of(function, *args, seconds=5.0) -> Feedback:
    """The feedback of a check that only calls `function`."""

    @gives_feedback
    def check():
        Answer(function, "my_function(x)", seconds)(*args)
        return Feedback(True, "right", "Fine.")

    return check()


# How it looks


def test_the_verdict_is_in_the_words_not_in_the_colour():
    for feedback, verdict in [
        (Feedback(True, "right", "All of it."), "Right."),
        (Feedback(False, "shape", "Sum it."), "Not yet:"),
        (Feedback(False, "stub", "Begin."), "Not started:"),
    ]:
        assert repr(feedback) == f"{verdict} {feedback.message}"
        assert f"<strong>{verdict}</strong>" in feedback._repr_html_()


def test_the_box_shows_code_as_code_and_markup_as_text():
    box = Feedback(False, "raised", "Line 3, `a < b`, stopped with <b>& more")._repr_html_()
    assert "<code>a &lt; b</code>" in box
    assert "&lt;b&gt;&amp; more" in box


def test_the_box_brings_no_ink_of_its_own():
    box = Feedback(False, "shape", "Sum it.")._repr_html_()
    assert "color: inherit" in box  # black on white or white on black, as the page has it
    assert "background: rgba(128, 128, 128, 0.12)" in box


def test_long_messages_are_wrapped_in_a_terminal():
    lines = repr(Feedback(False, "shape", "word " * 80)).splitlines()
    assert len(lines) > 3
    assert max(map(len, lines)) <= 100


def all_messages() -> list[str]:
    tables = [*vae_checks.TABLES, gan_checks.D_WAYS, gan_checks.G_WAYS]
    tables += [game_checks.POINT_WAYS, game_checks.VALUE_WAYS, game_checks.STEP_WAYS]
    tables += [divergence_checks.KL_WAYS, divergence_checks.JS_WAYS]
    tables += [*bound_checks.KL_TABLES, *bound_checks.ELBO_TABLES]
    tables += [debugging_checks.DOOR_WAYS, debugging_checks.ENTROPY_WAYS, debugging_checks.ROUND_WAYS]
    tables += [
        better_games_checks.PENALTY_WAYS,
        better_games_checks.HINGE_WAYS,
        better_games_checks.LINE_WAYS,
    ]
    tables += [image_checks.LABEL_WAYS, image_checks.AVERAGE_WAYS, coverage_checks.COVERAGE_WAYS]
    tables += [diagnosis_checks.SIGNS]
    tables += [*gradient_checks.SCORE_TABLES, gradient_checks.SCORE_EXTRAS]
    tables += [*gradient_checks.PATH_TABLES, gradient_checks.PATH_EXTRAS]
    tables += [*vae_gan_checks.WAYS.values(), vae_gan_checks.CODE_WAYS]
    tables += [latent_space_checks.UNIT_WAYS, latent_space_checks.BIT_WAYS, latent_space_checks.SLERP_WAYS]
    tables += [*evidence_checks.TABLES, evidence_checks.OTHERS]
    tables += [*tighter_checks.BOUND_TABLES, tighter_checks.NUMBER_WAYS, tighter_checks.CODE_WAYS]
    return sorted({row.message for table in tables for row in table if row.message})


def test_messages_are_one_to_three_sentences():
    messages = all_messages()
    assert len(messages) > 60
    for message in messages:
        sentences = [part for part in message.replace("? ", ". ").split(". ") if part]
        assert 1 <= len(sentences) <= 3, message
        assert len(message) <= 260, message
        assert message[-1] in ".?)", message
        symbols = ("β", "λ", "μ", "z", "q", "log ", "`")  # a sentence may begin with a formula
        assert message[0].isupper() or message.startswith(symbols), message


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


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_greets_an_untouched_stub(check):
    assert check(named(check, lambda x: ...)).kind == "stub"
    assert check(...).kind == "stub"


@pytest.mark.parametrize("stub, given", [(half_written, torch.ones(2)), (half_written_and_silent, [])])
def test_a_blank_that_is_left_is_named_by_its_line(stub, given):
    feedback = kind_of(stub, given)
    line = stub.__code__.co_firstlineno + (2 if stub is half_written else 1)
    assert feedback.kind == "unfinished"
    assert f"line {line}." in feedback.message


def test_dots_that_index_a_tensor_are_no_blank():
    feedback = kind_of(dots_as_an_index, torch.ones(2, 2))
    assert feedback.kind == "raised"
    assert "AttributeError" in feedback.message


# Not called as agreed


def test_a_result_in_place_of_the_function():
    feedback = check_vae_loss(torch.ones(5))
    assert feedback.kind == "signature"
    assert "the function itself" in feedback.message


def test_other_arguments_than_agreed():
    feedback = check_vae_loss(lambda vae, x: x)
    assert feedback.kind == "signature"
    assert "`my_vae_loss(vae, x, eps, beta)`" in feedback.message
    assert "`(vae, x)`" in feedback.message


def test_a_type_error_inside_the_function_is_no_wrong_signature():
    def calls_it_wrongly(x):
        return len(x, x)

    assert kind_of(calls_it_wrongly, 1).kind == "raised"


def test_partial_functions_methods_and_objects_are_functions():
    class Doubler:
        def __call__(self, x):
            return 2 * x

        def broken(self, x):
            return x.nothing

    assert kind_of(Doubler(), 1).ok
    assert kind_of(functools.partial(max, 3), 1).ok
    assert "`return x.nothing`" in kind_of(Doubler().broken, 1).message
    assert "`return x.nothing`" in kind_of(functools.partial(Doubler.broken, None), 1).message


# Stopped by an exception


def divides(x):
    y = x - 1
    return x / y


def test_an_exception_is_told_with_its_line():
    feedback = kind_of(divides, 1)
    assert feedback.kind == "raised"
    line = divides.__code__.co_firstlineno + 2
    assert (
        f"Line {line}, `return x / y`, stopped with ZeroDivisionError: division by zero." in feedback.message
    )


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


@pytest.mark.parametrize(
    "broken, kind, phrase",
    [
        (
            lambda x: torch.nn.functional.binary_cross_entropy(3 * torch.ones(2), torch.ones(2)),
            "logits",
            "was given logits",
        ),
        (lambda x: torch.ones(2).sum().backward(), "detached", "nothing to train"),
        (
            lambda x: torch.nn.functional.binary_cross_entropy_with_logits(torch.ones(2, 1), torch.ones(2)),
            "raised",
            "different shapes",
        ),
        (lambda x: torch.ones(2) + torch.ones(3), "raised", "different shapes"),
    ],
)
def test_what_pytorch_says_is_put_into_words(broken, kind, phrase):
    feedback = kind_of(broken, 1)
    assert feedback.kind == kind
    assert phrase in feedback.message


def test_a_graph_walked_back_twice_or_changed_is_put_into_words():
    def twice(x):
        loss = (torch.ones(2, requires_grad=True) ** 2).sum()
        loss.backward()
        loss.backward()

    def in_place(x):
        a = torch.ones(2, requires_grad=True) * 1
        b = a**2
        a += 1
        b.sum().backward()

    assert kind_of(twice, 1).kind == "second_backward"
    assert kind_of(in_place, 1).kind == "in_place"


# Something unusable returned


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    "body, kind, phrase",
    [
        (lambda noise: None, "none", "`return`"),
        (lambda noise: "0.3", "type", "a `str`"),
        (lambda noise: (noise, noise), "type", "a `tuple`"),
        (lambda noise: (each for each in noise), "type", "a `generator`"),
        (lambda noise: noise, "shape", ""),
        (lambda noise: noise[:, 0] * float("nan"), "nan", "NaN"),
        (lambda noise: noise.undefined, "raised", "AttributeError"),
    ],
)
def test_every_check_says_what_is_unusable(check, body, kind, phrase):
    if kind == "nan" and check is not check_vae_loss:
        feedback = check(named(check, lambda noise: body(noise).sum()))
    elif kind == "type" and check is not check_vae_loss and phrase == "a `str`":
        feedback = check(named(check, lambda noise: "a lot"))
    else:
        feedback = check(named(check, body))
    assert (feedback.ok, feedback.kind) == (False, kind)
    assert phrase in feedback.message


def test_shapes_are_told_in_symbols_and_numbers():
    with pytest.raises(Mistake) as found:
        tensor(torch.ones(5, 3), (5,), "(B,)", {(5, 3): "Sum over the dimensions."})
    assert (
        found.value.feedback.message
        == "The shape should be (B,) = (5,), but yours is (5, 3). Sum over the dimensions."
    )


@pytest.mark.parametrize(
    "value",
    [
        0.5,
        np.float32(0.5),
        torch.tensor(0.5),
        torch.tensor([0.5]),
        {"d_loss": 0.5, "d_real": 2},
        {"loss": 0.5},
    ],
)
def test_a_loss_may_come_in_many_wrappings(value):
    assert number(value, "d_loss") == 0.5


@pytest.mark.parametrize("value", [{}, {"real_loss": 1, "fake_loss": 2}, {"d_loss": "much"}])
def test_a_dict_without_a_loss_is_a_wrong_type(value):
    with pytest.raises(Mistake) as found:
        number(value, "d_loss")
    assert found.value.feedback.kind == "type"


# Without end


def spins(*_):
    while True:
        pass


def test_a_loop_without_end_is_answered():
    feedback = check_vae_loss(lambda vae, x, eps, beta: spins())
    assert feedback.kind == "slow"
    assert "had not finished after 5 seconds" in feedback.message
    assert "was stopped" in feedback.message


def test_a_loop_that_catches_everything_is_answered(monkeypatch):
    monkeypatch.setattr(Answer.__init__, "__defaults__", (0.3,))  # seconds
    over = threading.Event()

    def swallows(generator, discriminator, g_optimiser, z):
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
        feedback = check_generator_step(swallows)
    finally:
        over.set()
    assert feedback.kind == "slow"


def test_a_long_sleep_is_answered(monkeypatch):
    monkeypatch.setattr(Answer.__init__, "__defaults__", (0.3,))  # seconds
    feedback = check_discriminator_step(
        lambda generator, discriminator, d_optimiser, real, z: time.sleep(600)
    )
    assert feedback.kind == "slow"
    assert "restart the kernel" in feedback.message


def test_the_calls_share_one_limit():
    calls = []

    def works_once():
        calls.append(1)
        return sum(k for k in range(1_000_000)) if len(calls) == 1 else spins()

    answer = Answer(works_once, "my_function()", seconds=100.0)
    assert answer() > 0
    assert 50 < answer.seconds < 100
    answer.seconds = 0.2  # what other calls have left
    with pytest.raises(Mistake) as found:
        answer()
    assert found.value.feedback.kind == "slow"


def test_a_stopped_loop_is_really_gone():
    ended = threading.Event()

    def spins_until_stopped(x):
        try:
            spins()
        finally:
            ended.set()

    assert kind_of(spins_until_stopped, 1, seconds=0.2).kind == "slow"
    assert ended.is_set()


def test_a_loop_that_catches_every_usual_exception_is_stopped():
    def stubborn(x):
        while True:
            try:
                spins()
            except Exception:
                pass

    feedback = kind_of(stubborn, 1, seconds=0.2)
    assert feedback.kind == "slow"
    assert "was stopped" in feedback.message


def test_the_learner_may_interrupt():
    ended = threading.Event()

    def spins_until_stopped(vae, x, eps, beta=1.0):
        try:
            spins()
        finally:
            ended.set()

    # A shell starts what runs in the background with interrupts ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(0.3, _thread.interrupt_main).start()
        with pytest.raises(KeyboardInterrupt):
            check_vae_loss(spins_until_stopped)
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.is_set()  # it does not go on behind the learner's back


def test_endless_printing_is_cut(capsys):
    def chatters(x):
        while True:
            print("and on and on")

    assert kind_of(chatters, 1, seconds=0.3).kind == "slow"
    printed = capsys.readouterr().out
    assert 1000 < len(printed) < 3000
    assert "left out" in printed


def test_one_huge_print_is_cut(capsys):
    assert kind_of(lambda x: print("long" * 1_000_000) or x, 1).ok
    assert len(capsys.readouterr().out) < 3000


def test_a_few_prints_are_shown(capsys):
    assert kind_of(lambda x: print("here", x) or x, 1).ok
    assert capsys.readouterr().out == "here 1\n"


# Nothing disturbed


@pytest.mark.parametrize("check", CHECKS)
def test_random_states_and_threads_stay_as_they_were(check):
    def draws(noise):
        return torch.rand(()) + random.random() + np.random.rand()

    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        check(named(check, draws))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.array_equal(np.random.get_state()[1], states[2])


def test_a_scale_answer_disturbs_nothing_either():
    state = torch.get_rng_state()
    check_scale_bug({"P": ..., "Q": ..., "R": ..., "S": ...})
    assert torch.equal(torch.get_rng_state(), state)


# In a notebook


def test_in_a_real_kernel():
    cells = [
        "from helpers.checks import check_vae_loss",
        "def my_vae_loss(vae, x, eps, beta=1.0):\n    mu, log_var = vae.encode(x)\n    return mu.nothing\n"
        "check_vae_loss(my_vae_loss)",
        "def my_vae_loss(vae, x, eps, beta=1.0):\n    # your lines\n    ...\ncheck_vae_loss(my_vae_loss)",
        "def my_vae_loss(vae, x, eps, beta=1.0):\n    while True:\n        print('again')\ncheck_vae_loss(my_vae_loss)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    results = [
        [out for out in cell.outputs if out.output_type == "execute_result"] for cell in notebook.cells
    ]
    texts = [" ".join(result[0]["data"]["text/plain"].split()) if result else "" for result in results]
    assert texts[1].startswith("Not yet: Line 3, `return mu.nothing`, stopped with AttributeError:")
    assert texts[2].startswith("Not started: ")
    assert texts[3].startswith("Not yet: Your function had not finished")
    assert "<strong>Not yet:</strong>" in results[3][0]["data"]["text/html"]
    printed = "".join(out.text for out in notebook.cells[3].outputs if out.output_type == "stream")
    assert "again" in printed
    assert len(printed) < 3000


def test_docstrings_are_whole_sentences():
    """A tool that wraps long strings once left quotation marks inside them."""
    for module in (frame_checks, gan_checks, vae_checks):
        source = inspect.getsource(module)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                assert not re.search(r'\s"\n\s*"', ast.get_docstring(node) or ""), ast.get_docstring(node)


# What can happen to any function, in every check that takes one


@pytest.mark.parametrize(
    "name", sorted({*helpers.checks.__all__} - {"Feedback", "check_diagnoses", "check_scale_bug"})
)
def test_every_check_tells_what_can_happen_to_any_function(name, monkeypatch):
    def stub(*_):
        return ...

    def stops(*_):
        raise RuntimeError("Hands are full.")

    def loops(*_):
        while True:
            time.sleep(0.01)

    check = getattr(helpers.checks, name)
    assert check(stub).kind == "stub" and check(...).kind == "stub" and check(3).kind == "signature"
    assert check(stops).kind == "raised"
    monkeypatch.setattr(Answer.__init__, "__defaults__", (0.2,))  # seconds
    assert check(loops).kind == "slow"
