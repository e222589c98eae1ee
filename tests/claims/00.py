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


def the_loss_of_the_vae_fell_from_212_to_102_while_its_kl_rose_by_26():
    loss, reconstruction, kl = (history[name] for name in ("loss", "reconstruction", "kl"))
    assert abs(loss[0] - 212) < 2 and abs(loss[899] - 102) < 2
    assert abs(reconstruction[0] - reconstruction[899] - 135) < 2.5 and abs(kl[899] - kl[0] - 26) < 1
    assert kl[0] < 0.2
    assert all(abs(loss[t] - reconstruction[t] - kl[t]) < 0.01 for t in (0, 29, 89, 299, 899))
    assert abs(sum(loss[870:900]) / 30 - 104) < 1.5
    assert torch.tensor(loss[800:900]).std() < 5  # batches differ by a few nats


def a_model_that_gives_all_black_and_white_images_the_same_probability_has_minus_543():
    assert abs(784 * math.log(2) - 543) < 0.5


def the_loss_of_g_for_two_probabilities_by_hand():
    assert abs(-math.log(0.1) - 2.30) < 0.005 and abs(-math.log(0.9) - 0.11) < 0.005
    a = torch.linspace(-5, 5, 11)
    assert torch.allclose(1 - a.sigmoid(), (-a).sigmoid(), atol=1e-6)


def the_losses_of_the_gan_stayed_near_those_of_a_discriminator_that_cannot_tell():
    assert abs(math.log(2) - 0.69) < 0.005 and abs(2 * math.log(2) - 1.39) < 0.005
    for name, said in (("d_loss", 1.35), ("g_loss", 0.75)):
        early, late = sum(history[name][150:250]) / 100, sum(history[name][800:900]) / 100
        assert abs(late - said) < 0.03 and 0.9 < late / early < 1.1
    of_g = torch.tensor(history["g_loss"])
    assert abs(of_g[150:250].mean() - of_g[800:900].mean() - 0.04) < 0.025
    assert all(max(history[name][:100]) > 2.5 for name in ("d_loss", "g_loss"))  # spikes beyond the figure
    assert all(max(history[name][150:900]) < 2.5 for name in ("d_loss", "g_loss"))
    assert sum(history["d_loss"][20:50]) / 30 < 0.9 and sum(history["g_loss"][20:50]) / 30 > 1.3


def the_pictures_of_the_gan_become_cleaner_from_step_150_and_from_step_300_to_step_900():
    stray = {t: torch.nn.functional.pad(album[t][1], [-3] * 4).sum() for t in (150, 300, 900)}  # ink inside
    stray = {t: (album[t][1].sum() - inside) / album[t][1].sum() for t, inside in stray.items()}
    assert stray[900] < 0.7 * stray[300] and stray[900] < 0.7 * stray[150]


def the_discriminator_can_hardly_tell_at_step_900():
    with torch.no_grad():
        real, fake = discriminator(to_tanh(images[:500])), discriminator(generator(torch.randn(500, 64)))
    assert all(abs(answer.sigmoid().mean() - 0.5) < 0.2 for answer in (real, fake))
    assert abs(real.sigmoid().mean() - fake.sigmoid().mean()) < 0.1


def the_optimiser_of_g_holds_no_weights_of_d():
    held = {id(p) for group in g_optimiser.param_groups for p in group["params"]}
    assert held == {id(p) for p in generator.parameters()}
    assert not held & {id(p) for p in discriminator.parameters()}


def the_samples_of_the_vae_settle_and_those_of_the_gan_go_on_changing():
    of_vae, of_gan = ((album[600][model] - album[900][model]).abs().mean() for model in (0, 1))
    assert of_gan > 3 * of_vae


def a_nat_is_144_hundredths_of_a_bit():
    assert abs(1 / math.log(2) - 1.44) < 0.005


def the_line_is_found_and_its_loss_ends_near_the_variance_of_the_noise():
    assert abs(parameters[0].item() - 2) < 0.25 and abs(parameters[1].item() - 1) < 0.15
    assert abs(errors[-1] - 0.09) < 0.03 and abs(0.09 * 38 / 40 - 0.086) < 0.001


def the_answers_of_the_self_test_are_right():
    assert torch.zeros(32, 784).mean(dim=0).shape == (784,)
    assert (torch.randn(3, 5) @ torch.randn(5)).shape == (3,)
    die = torch.arange(1.0, 7)
    assert die.mean() == 3.5 and abs(die.square().mean() - 91 / 6) < 1e-5 and abs(91 / 6 - 15.2) < 0.05
