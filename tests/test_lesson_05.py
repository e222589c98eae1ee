"""Assignment 05: each fault has a hidden test of its own, silent ones are silent, and each shows its symptom."""

import math

import pytest
import torch
from test_lessons import answers, exam

LESSON = "05_debugging_a_gan"
LOUD = ["make_discriminator", "real_batch", "play_round"]
SILENT = ["g_loss", "update_ema", "noise"]


def part(name):
    return exam(LESSON).names["broken"][name]


def failing(kind, replaced):
    """The functions whose tests of this kind fail, when those in `replaced` stand in place of the right answers."""
    names, cells = exam(LESSON).names, exam(LESSON).cells
    right = {name: names[name] for name in replaced}
    names.update(replaced)
    found = set()
    try:
        for name in LOUD + SILENT:
            try:
                exec(compile(cells[f"{name}-{kind}"].source, name, "exec"), names)
            except AssertionError:
                found.add(name)
    finally:
        names.update(right)
    return found


def game(*faults, seed=0):
    """The program with these faults left in it."""
    names = exam(LESSON).names
    parts = {name: names[name] for name in LOUD + SILENT} | {name: part(name) for name in faults}
    return names["run"](parts, seed)


def ends(result):
    return [sum(result.losses[player][-100:]) / 100 for player in "DG"]


def on_track(network):
    return exam(LESSON).names["quality"](exam(LESSON).names["draw"](network))


def same(network, other):
    return all(map(torch.equal, network.parameters(), other.parameters()))


@pytest.mark.parametrize("fault", LOUD + SILENT)
def test_one_fault_fails_its_own_hidden_test_and_no_other(fault):
    assert failing("hidden", {fault: part(fault)}) == {fault}


@pytest.mark.parametrize("mended", LOUD + SILENT)
def test_one_repair_passes_its_tests_while_five_faults_are_left(mended):
    others = {name: part(name) for name in LOUD + SILENT if name != mended}
    assert failing("hidden", others) == others.keys()


def test_the_right_answers_fail_nothing():
    assert failing("hidden", {}) == failing("visible", {}) == set()


def test_the_visible_tests_see_what_crashes_and_not_what_is_silent():
    assert failing("visible", {name: part(name) for name in LOUD + SILENT}) == set(LOUD)


def test_the_library_of_wrong_answers_begins_with_the_fault_itself():
    """So that the sentence for it is tested."""
    assert all(next(iter(entries)) == "the fault" for entries in answers(LESSON)[1].values())


@pytest.mark.parametrize(
    ("fault", "kind", "words", "place"),
    [
        ("make_discriminator", ValueError, "empty parameter list", "train_gan"),
        ("real_batch", RuntimeError, "same dtype", "d_loss"),
        ("play_round", RuntimeError, "inplace operation", "play_round"),
    ],
)
def test_a_loud_fault_stops_the_program_where_the_guide_says(fault, kind, words, place):
    """Alone, and with all the faults that the student has not met yet."""
    later = (LOUD + SILENT)[(LOUD + SILENT).index(fault) :]
    for faults in ([fault], later):
        error = game(*faults)
        assert type(error) is kind and words in str(error)
        passed, trace = [], error.__traceback__
        while trace:
            passed.append(trace.tb_frame.f_code.co_name)
            trace = trace.tb_next
        ours = [
            name for name in passed if name in ("train_gan", "d_loss", "g_loss", "play_round", "real_batch")
        ]
        assert ours[-1] == place


@pytest.mark.parametrize("seed", [0, 1])
def test_question_4_nothing_of_G_moves_and_D_wins(seed):
    stuck = game("g_loss", "update_ema", "noise", seed=seed)
    assert same(stuck.generator, stuck.untrained)
    of_d, of_g = ends(stuck)
    assert of_d < 0.01 and of_g > 10


@pytest.mark.parametrize("seed", [0, 1])
def test_question_5_G_has_learned_and_the_average_does_not_show_it(seed):
    calm = game("update_ema", "noise", seed=seed)
    assert same(calm.average, calm.untrained) and not same(calm.generator, calm.untrained)
    assert ends(calm) == pytest.approx([math.log(4), math.log(2)], abs=0.03)
    assert on_track(calm.average) == (0, 0.0)
    covered, share = on_track(calm.generator)
    assert covered >= 10 and share > 0.3


@pytest.mark.parametrize("seed", [0, 1])
def test_question_6_the_fakes_of_the_game_are_good_and_those_of_new_noise_are_not(seed):
    pleased = game("noise", seed=seed)
    of_d, of_g = ends(pleased)
    assert abs(of_d - math.log(4)) < 0.02 and abs(of_g - math.log(2)) < 0.02
    z = part("noise")(64, 4, torch.Generator())
    with torch.no_grad():
        assert exam(LESSON).names["quality"](pleased.average(z))[1] > 0.85
    assert 0.25 < on_track(pleased.average)[1] < 0.6


@pytest.mark.parametrize("seed", [0, 1])
def test_the_repaired_program_draws_the_track_and_G_has_the_worse_loss(seed):
    result = game(seed=seed)
    covered, share = on_track(result.average)
    assert covered == 12 and share > 0.8
    of_d, of_g = ends(result)
    assert of_d < math.log(4) and of_g > math.log(2)


def test_the_docstring_of_a_broken_function_is_that_of_the_answer():
    """The docstrings are what the faults are measured by."""
    for name in LOUD + SILENT:
        assert part(name).__doc__ == exam(LESSON).names[name].__doc__


def fresh_judge(generator, noise_of):
    """Where the loss of a new D ends (nats) that is trained against this generator held still."""
    names = exam(LESSON).names
    torch.manual_seed(3)
    judge, points = names["make_discriminator"]([2, 64, 64, 1]), torch.tensor(names["measured"]).float()
    optimiser, losses = torch.optim.Adam(judge.parameters(), 3e-3), []
    for _ in range(600):
        loss = names["d_loss"](generator, judge, points[torch.randint(len(points), (64,))], noise_of())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return sum(losses[-100:]) / 100


def test_the_guide_is_right_that_a_fresh_discriminator_sees_what_that_of_the_game_was_not_shown():
    pleased = game("noise")
    of_the_game = part("noise")(64, 4, torch.Generator())
    assert fresh_judge(pleased.average, lambda: torch.randn(64, 4)) < 1.28
    assert fresh_judge(pleased.average, lambda: of_the_game) > 1.36
