"""What notebook 00 says of its own numbers."""

import math

from helpers.metrics import sharpness


def a_fake_is_made_of_64_numbers_and_a_latent_code_holds_20_for_784_pixels():
    assert generator.latent == 64 and vae.latent == 20 and images[0].numel() == 784


def the_vae_begins_with_the_mean_image_and_the_gan_with_grey():
    vae_start, gan_start = album[0]
    assert (vae_start - images.mean(0)).abs().mean() < 0.03
    assert (gan_start - 0.5).abs().mean() < 0.05


def at_step_30_the_gan_makes_nearly_the_same_bar_and_at_step_90_different_strokes():
    spread = {t: album[t][1][:6].std(0).mean() for t in moments}
    assert spread[30] < 0.1 and spread[90] > 2 * spread[30]


def the_vae_becomes_darker_and_stays_soft_while_the_gan_becomes_crisp():
    assert album[900][0].amax(dim=(1, 2, 3)).mean() > 1.1 * album[90][0].amax(dim=(1, 2, 3)).mean()
    soft, crisp = vae.sample(500, torch.Generator().manual_seed(2)), draw(generator, 500, seed=2)
    assert sharpness(soft, images) < 0.8 * sharpness(crisp, images)


def the_loss_of_the_vae_fell_from_about_135_to_105():
    assert abs(sum(history["loss"][85:115]) / 30 - 135) < 3
    assert abs(sum(history["loss"][870:900]) / 30 - 105) < 1.5


def the_losses_of_the_gan_stayed_near_those_of_a_discriminator_that_cannot_tell():
    assert abs(math.log(2) - 0.69) < 0.005 and abs(2 * math.log(2) - 1.39) < 0.005
    for name, said in (("d_loss", 1.34), ("g_loss", 0.76)):
        early, late = sum(history[name][150:250]) / 100, sum(history[name][800:900]) / 100
        assert abs(late - said) < 0.03 and 0.9 < late / early < 1.1


def the_samples_of_the_vae_settle_and_those_of_the_gan_go_on_changing():
    of_vae, of_gan = ((album[600][model] - album[900][model]).abs().mean() for model in (0, 1))
    assert of_gan > 3 * of_vae


def a_nat_is_144_hundredths_of_a_bit():
    assert abs(1 / math.log(2) - 1.44) < 0.005


def the_line_is_found_and_its_loss_ends_near_the_variance_of_the_noise():
    assert abs(parameters[0].item() - 2) < 0.25 and abs(parameters[1].item() - 1) < 0.15
    assert abs(errors[-1] - 0.09) < 0.03


def the_answers_of_the_self_test_are_right():
    assert torch.zeros(32, 784).mean(dim=0).shape == (784,)
    assert (torch.randn(3, 5) @ torch.randn(5)).shape == (3,)
    die = torch.arange(1.0, 7)
    assert die.mean() == 3.5 and abs(die.square().mean() - 91 / 6) < 1e-5 and abs(91 / 6 - 15.2) < 0.05
