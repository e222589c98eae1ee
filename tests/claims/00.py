"""What notebook 00 says of its own numbers."""

import math

from helpers.metrics import class_shares, sharpness


def the_loss_of_the_vae_fell_and_that_of_the_generator_hardly_moved():
    change = losses["last 100 steps"] / losses["steps 150 to 250"]
    assert change["VAE, minus the bound (nats)"] < 0.93
    assert 0.85 < change["GAN, generator (nats)"] < 1.15


def samples_of_the_vae_are_softer_than_those_of_the_gan():
    soft, crisp = vae.sample(500, torch.Generator().manual_seed(2)), draw(smoothed, 500, seed=2)
    assert sharpness(soft, images) < 0.8 * sharpness(crisp, images)
    assert (class_shares(crisp) > 0.02).all()


def a_nat_is_144_hundredths_of_a_bit():
    assert abs(1 / math.log(2) - 1.44) < 0.005


def the_line_is_found_and_its_loss_ends_near_the_variance_of_the_noise():
    assert abs(parameters[0].item() - 2) < 0.2 and abs(parameters[1].item() - 1) < 0.15
    assert abs(errors[-1] - 0.09) < 0.03


def the_answers_of_the_self_test_are_right():
    assert torch.zeros(32, 784).mean(dim=0).shape == (784,)
    assert (torch.randn(3, 5) @ torch.randn(5)).shape == (3,)
    die = torch.arange(1.0, 7)
    assert die.mean() == 3.5 and abs(die.square().mean() - 91 / 6) < 1e-5 and abs(91 / 6 - 15.2) < 0.05
