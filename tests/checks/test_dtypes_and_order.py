"""No answer of notebooks 05 and 12 is judged otherwise in float32, in float64, or for the order of its batch."""

import pytest
import test_gan_checks as gan_answers
import test_vae_checks as vae_answers

from helpers.checks import check_discriminator_step, check_generator_step, check_vae_loss
from helpers.checks import gan as gan_checks
from helpers.checks import vae as vae_checks

D_REMARKS = [
    (gan_answers.d_averages_the_terms, "half"),
    (gan_answers.d_averages_one_forward, "half"),
    (gan_answers.d_on_clamped_probabilities, "tails"),
    (gan_answers.d_with_a_small_constant, "tails"),
]
VAE_REMARKS = [
    (vae_answers.mirrored, "mirrored"),
    (vae_answers.with_a_sampled_kl, "sampled_kl"),
    (vae_answers.with_clamped_probabilities, "tails"),
]
LIBRARIES = {
    "discriminator": (
        check_discriminator_step,
        [(step, "right") for step in gan_answers.D_RIGHT] + D_REMARKS,
        gan_answers.D_WRONG,
    ),
    "generator": (
        check_generator_step,
        [*gan_answers.G_RIGHT, (gan_answers.g_in_double, "opponent_gradients")],
        gan_answers.G_WRONG,
    ),
    "vae": (
        check_vae_loss,
        [(loss, "right") for loss in vae_answers.RIGHT] + VAE_REMARKS,
        vae_answers.WRONG,
    ),
}


@pytest.fixture(params=["as they come", "reversed", "rolled"])
def order(request, monkeypatch):
    """The order of the rows in every batch that a check makes."""
    orders = {
        "as they come": lambda rows: rows,
        "reversed": lambda rows: rows.flip(0),
        "rolled": lambda rows: rows.roll(2, dims=0),
    }
    put = orders[request.param]
    gan_case, vae_case = gan_checks._case, vae_checks._case

    def reordered_gan_case(*args, **kwargs):
        case = gan_case(*args, **kwargs)
        return case._replace(real=put(case.real), z=put(case.z))

    def reordered_vae_case(*args, **kwargs):
        case = vae_case(*args, **kwargs)
        return case._replace(x=put(case.x), eps=put(case.eps))

    monkeypatch.setattr(gan_checks, "_case", reordered_gan_case)
    monkeypatch.setattr(vae_checks, "_case", reordered_vae_case)
    return request.param


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_right_answer_is_never_refused(library, dtype, order):
    check, right, _ = LIBRARIES[library]
    for answer, kind in right:
        feedback = check(answer)
        assert (feedback.ok, feedback.kind) == (True, kind), (answer, feedback)


@pytest.mark.parametrize("order", ["reversed"], indirect=True)
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_wrong_answer_keeps_its_name(library, order):
    check, _, wrong = LIBRARIES[library]
    for answer, kind, phrase in wrong:
        feedback = check(answer)
        assert (feedback.ok, feedback.kind) == (False, kind), (answer, feedback)
        assert phrase in feedback.message
