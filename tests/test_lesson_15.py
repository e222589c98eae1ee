"""Assignment 15: each network's loss has a test of their own, and what the guide says of the pictures holds."""

import pytest
import torch
from test_lessons import answers, exam

LESSON = "15_project_vae_gan"
NETWORKS = ("encoder", "decoder", "discriminator")
# Wrong losses that leave the other two networks right.
ONE_WRONG = {
    "encoder": ["game to the encoder", "γ to the encoder", "no KL", "pixels to the encoder", "code detached"],
    "decoder": [
        "no γ",
        "no game",
        "no features",
        "decoder without prior",
        "minimax",
        "D's loss to the decoder",
    ],
    "discriminator": ["features to D", "fooling to D", "D without prior", "D without real", "D turned"],
}


def names():
    """What the assignment defines, with its right answers."""
    return exam(LESSON).names


def failing(step):
    """The networks whose own hidden test `step` fails."""
    right, found = names()["vae_gan_step"], set()
    names()["vae_gan_step"] = step
    try:
        for network in NETWORKS:
            cell = f"vae_gan_step-{network}-hidden"
            try:
                exec(compile(exam(LESSON).cells[cell].source, cell, "exec"), names())
            except AssertionError:
                found.add(network)
    finally:
        names()["vae_gan_step"] = right
    return found


def wrong_loss(label):
    return answers(LESSON)[1]["vae_gan_step"][label][0]


def ablated(label, seed=0):
    return names()["judged"](names()["train"]("VAE-GAN", seed, step=wrong_loss(label)), "VAE-GAN")


@pytest.mark.parametrize(
    ("network", "label"), [(network, label) for network, labels in ONE_WRONG.items() for label in labels]
)
def test_a_wrong_loss_costs_the_point_of_its_network_and_no_other(network, label):
    assert failing(wrong_loss(label)) == {network}


def test_all_into_all_costs_every_point():
    assert failing(wrong_loss("three times backward")) == set(NETWORKS)


def test_the_right_losses_cost_nothing():
    for answer in answers(LESSON)[0]["vae_gan_step"].values():
        assert failing(answer) == set()


def test_no_two_known_faults_of_a_network_look_alike():
    """Else a learner would be told of a mistake that was not made."""
    torch.manual_seed(3)
    made = names()
    crew = made["Eye"](4).double(), torch.nn.Sequential(
        torch.nn.Linear(4, 9), torch.nn.Tanh(), torch.nn.Unflatten(1, (1, 3, 3))
    ).double(), made["Nose"](5).double()  # fmt: skip
    real, eps, z = (
        2 * torch.rand(40, 1, 3, 3).double() - 1,
        torch.randn(40, 4).double(),
        torch.randn(40, 4).double(),
    )
    terms = made["parts_of"](*crew, real, eps, z, 0.6)
    terms["wild"] = -crew[2](real)[1].mean() - terms["up back"] / 2 - terms["up free"] / 2
    for (right, faults), network in zip(made["faults_of"](0.3).values(), crew, strict=True):
        slopes = [made["slope"](loss(terms), network) for loss in (right, *faults.values())]
        for place, one in enumerate(slopes):
            assert not any(made["alike"](one, other) for other in slopes[:place]), [*faults][place - 1]


def test_the_errors_that_the_guide_compares_with():
    """The grain alone, and two real pictures of one template."""
    pictures, which = names()["speckled"](4000, seed=20)
    twins = names()["templates"][which]
    again = twins * torch.where(
        torch.rand(twins.shape, generator=torch.Generator().manual_seed(0)) < 0.5, 1.0, 0.3
    )
    assert (pictures - 0.65 * twins).square().sum().item() / 4000 == pytest.approx(8.5, abs=0.2)
    assert (pictures - again).square().sum().item() / 4000 == pytest.approx(17, abs=0.4)


def test_either_judge_alone_is_content_with_the_wrong_pictures():
    made = names()
    form, sharp = made["true_to_form"], made["sharpness_ratio"]
    bare = 0.65 * made["templates"][made["which"]]
    noise = torch.rand(500, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    assert form(bare, made["templates"], made["kinds"])[0] == 1 and sharp(bare, made["validation"]) < 0.5
    assert form(noise, made["templates"], made["kinds"])[0] == 0
    assert 1.3 < sharp(noise, made["validation"]) < 1.7


def test_the_table_of_the_guide():
    mean = {
        model: {key: sum(row[key] for row in rows) / 3 for key in rows[0]}
        for model, rows in names()["runs"].items()
    }
    assert 0.2 < mean["VAE"]["sharpness"] < 0.4 < mean["VAE-GAN"]["sharpness"] < 0.8
    assert mean["VAE"]["true"] > 0.9 > mean["VAE-GAN"]["true"] > 0.5
    assert mean["VAE"]["error"] < 8.5 < mean["VAE-GAN"]["error"] < 20
    assert mean["VAE"]["kept"] > 0.95 and mean["VAE-GAN"]["kept"] > 0.5
    for seed in range(3):
        bound = names()["bound_of"](names()["trained"]["VAE", seed])
        assert bound == pytest.approx(132, abs=4)


def test_the_feature_loss_in_d_ruins_everything():
    found, right = ablated("features to D"), names()["runs"]["VAE-GAN"][0]
    assert found["true"] < 0.2 < right["true"] and found["error"] > right["error"] + 5


def test_pixels_in_place_of_features_bring_the_blur_back():
    """With σ = 0.5 for the pixels, as in the guide: 0.04/(2 · 0.1²) = 1/(2 · 0.5²)."""
    source = answers(LESSON)[1]["vae_gan_step"]["game to the encoder"][0].__globals__
    step = source["step_with"](
        encoder=lambda t, g: t["kl"] + 0.04 * t["pixels"],
        decoder=lambda t, g: 0.04 * g * t["pixels"] + t["fool"],
    )
    found = names()["judged"](names()["train"]("VAE-GAN", 0, step=step), "VAE-GAN")
    right = names()["runs"]["VAE-GAN"][0]
    assert found["sharp again"] < right["sharp again"] - 0.08 and found["error"] < right["error"] - 3


@pytest.mark.parametrize(("label", "passes"), [("one after another", True), ("flowchart", False)])
def test_the_fact_about_a_new_seed_asks_for_no_luck(label, passes):
    """Right programs that look at the fakes in another order train other networks, and must pass as well."""
    library = answers(LESSON)[0 if passes else 1]["vae_gan_step"][label]
    right, cell = names()["vae_gan_step"], "vae_gan_step-new-seed-hidden"
    names()["vae_gan_step"] = library if passes else library[0]
    try:
        exec(compile(exam(LESSON).cells[cell].source, cell, "exec"), names())
        assert passes
    except AssertionError as error:
        assert not passes and "new seed" in str(error)
    finally:
        names()["vae_gan_step"] = right
