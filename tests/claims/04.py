"""What notebook 04 says of its own numbers."""

import math


def _ring_of(preset):
    return study("ring_gan")["runs"][preset]


def the_generator_finds_the_covariance_and_the_mean():
    assert covariance_error() < 0.05 and (b - m).norm() < 0.1
    assert (learned - wanted).abs().max() < 0.1


def the_losses_settle_at_log_2_and_log_4():
    late = {name: sum(curve[-200:]) / 200 for name, curve in curves.items()}
    assert abs(late["loss of G"] - math.log(2)) < 0.03 and abs(late["loss of D"] - math.log(4)) < 0.03


def the_error_of_the_covariance_goes_up_and_down_on_its_way():
    error = torch.tensor(curves["error of A Aᵀ"])
    risen = error - error.cummin(0).values
    assert risen.max() > 0.1 and error[-1] < error[0] / 5


def the_factor_on_the_learning_rate_is_one_and_then_falls_to_2_percent():
    assert decay(0.0) == decay(0.49) == 1.0 and 0.4 < decay(0.75) < 0.6 and abs(decay(1.0) - 0.02) < 1e-9


def a_detached_fake_and_a_frozen_d_each_keep_the_gradient_in_one_network():
    assert arrives["D step, detached"]["at G"] == 0 < arrives["D step, detached"]["at D"]
    assert arrives["G step, D frozen"]["at D"] == 0 < arrives["G step, D frozen"]["at G"]
    assert arrives["G step, detached"]["at G"] == 0 < arrives["G step, detached"]["at D"]
    for both in ("D step, not detached", "G step, D not frozen"):
        assert min(arrives[both].values()) > 0


def what_is_not_detached_or_not_frozen_changes_no_gradient_that_counts():
    assert abs(arrives["D step, not detached"]["at D"] - arrives["D step, detached"]["at D"]) < 1e-5
    assert abs(arrives["G step, D not frozen"]["at G"] - arrives["G step, D frozen"]["at G"]) < 1e-5


def without_detach_g_receives_a_gradient_that_makes_fakes_easier_to_recognise():
    """The step along it lowers the loss of D, and it points away from what lowers that of G."""
    toy_d.requires_grad_(True)
    d_part = discriminator_loss(toy_d(real), toy_d(toy_g(z))).mean()
    g_part = non_saturating(toy_d(toy_g(z))).mean()
    wrong, right = (
        torch.cat([part.flatten() for part in torch.autograd.grad(loss, [*toy_g.parameters()])])
        for loss in (d_part, g_part)
    )
    assert torch.cosine_similarity(wrong, right, dim=0) < -0.5


def each_step_moves_its_own_network_and_leaves_the_other_bitwise():
    def copy_of(network):
        return [p.clone() for p in network.parameters()]

    def moved(network, before):
        return any(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))

    for network, other in ((discriminator, generator), (generator, discriminator)):
        own, others, noise = copy_of(network), copy_of(other), torch.randn(64, 2)
        if network is discriminator:
            discriminator_step(generator, discriminator, d_optimiser, real_points(64), noise)
        else:
            generator_step(generator, discriminator, g_optimiser, noise)
        assert moved(network, own) and not moved(other, others)


def the_ring_is_learned_with_some_bridges():
    assert modes >= 6 and 0.5 < high_quality < 0.999


def five_seeds_cover_the_ring():
    rows = _ring_of("recommended")
    assert sum(run["modes"] >= 7 and run["good"] >= 0.5 for run in rows) >= 4


def each_of_the_two_scores_can_be_cheated():
    assert mode_coverage(data.centres[:1].repeat(1000, 1), data) == (1, 1.0)
    turn = 2 * math.pi * torch.rand(4000)
    circle, share = mode_coverage(2 * torch.stack([turn.cos(), turn.sin()], dim=1), data)
    assert circle == 8 and 0.1 < share < 0.3


def a_slow_d_makes_the_fakes_sweep_and_the_losses_do_not_show_it():
    slow, equal = balance.loc["slow D"], balance.loc["equal learning rates"]
    assert slow["mean off by"] > 3 * equal["mean off by"]
    assert slow["high-quality"] < 0.15 and slow["modes of 8"] <= 3 and equal["modes of 8"] >= 5
    assert abs(slow["loss of D"] - math.log(4)) < 0.07 and abs(slow["loss of G"] - math.log(2)) < 0.07
    for run in _ring_of("recommended"):
        assert abs(slow["loss of D"] - run["d_loss"]) < 0.06 and abs(slow["loss of G"] - run["g_loss"]) < 0.08
    history = runs["slow D"][1]
    for axis in ("mean x1", "mean x2"):  # it sweeps to both sides
        assert min(history[axis][700:]) < -0.7 and max(history[axis][700:]) > 0.7


def a_strong_d_collapses_and_its_loss_is_far_below_log_4():
    rows = _ring_of("collapses")
    assert max(run["modes"] for run in rows) <= 3
    assert sum(run["nearest_three"] >= 0.9 and run["good"] >= 0.5 for run in rows) >= 4
    assert max(run["d_loss"] for run in rows) < 1.1


def the_settings_of_the_study_are_those_of_the_text():
    settings = study("ring_gan")["settings"]
    assert settings["recommended"] == {"g_rate": 3e-3, "d_rate": 3e-3, "beta1": 0.0, "d_steps": 1}
    strong = settings["collapses"]
    assert abs(strong["d_rate"] / strong["g_rate"] - 10) < 1e-9 and strong["d_steps"] == 3
    assert strong["beta1"] == 0.5 and len(settings["seeds"]) == 5


def a_new_d_against_a_fixed_g_comes_close_to_the_best():
    assert off < 0.03 < 0.2 < off_half


def the_baseline_falls_with_the_points_and_is_that_of_the_formula_where_cells_are_full():
    assert baseline["Gaussian"][200] > 0.2 and baseline["Gaussian"][5000] < 0.04
    formula = baseline["(400 − 1) / 4n"]
    assert abs(baseline["uniform on the square"][5000] / formula[5000] - 1) < 0.3
    assert formula[200] > baseline["uniform on the square"][200]  # by three standard deviations in the mean
    assert (baseline["the ring"] < baseline["Gaussian"] / 3).all()
