"""What notebook 04 says of its own numbers."""

import math


def _ring_of(preset):
    return study("ring_gan")["runs"][preset]


def the_generator_finds_the_covariance_and_the_mean():
    assert covariance_error() < 0.05 and (b - mu).norm() < 0.1
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


def a_detached_fake_and_a_frozen_d_stop_with_an_error():
    toy_d.requires_grad_(False)
    try:
        non_saturating(toy_d(toy_g(z).detach())).mean().backward()
    except RuntimeError as reason:
        assert "does not require grad" in str(reason)
    else:
        raise AssertionError("the fatal mistake stayed hidden")


def a_beta2_of_09_averages_about_ten_iterations():
    assert abs(1 / (1 - g_optimiser.param_groups[0]["betas"][1]) - 10) < 1e-6


def perfect_samples_are_of_high_quality_in_989_of_1000():
    modes, share = mode_coverage(data.sample(200_000), data)
    assert (
        modes == 8
        and abs(share - (1 - math.exp(-4.5))) < 0.002
        and round(100 * (1 - math.exp(-4.5)), 1) == 98.9
    )


def the_ring_is_learned_with_some_bridges():
    modes, high_quality = mode_coverage(fakes, data)
    assert modes >= 6 and 0.5 < high_quality < 0.985


def inside_the_modes_the_fakes_are_narrower_than_the_data():
    """By the mean variance of the high-quality samples of a mode."""

    def variance(points):
        distance, nearest = torch.cdist(points, data.centres).min(dim=1)
        close = distance < 3 * data.std
        groups = [points[close & (nearest == mode)] for mode in range(8)]
        return torch.stack([group.var(dim=0).mean() for group in groups if len(group) > 20]).mean()

    assert variance(fakes) < 0.8 * variance(ring_points)


def five_seeds_cover_the_ring():
    rows = _ring_of("recommended")
    assert all(run["modes"] == 8 and 0.925 < run["good"] < 0.945 for run in rows)


def each_of_the_two_scores_can_be_cheated_and_both_together_too():
    assert mode_coverage(data.centres[:1].repeat(1000, 1), data) == (1, 1.0)
    turn = 2 * math.pi * (torch.arange(100_000) + 0.5) / 100_000
    modes, share = mode_coverage(2 * torch.stack([turn.cos(), turn.sin()], dim=1), data)
    assert modes == 8 and abs(share - 0.19) < 0.005 and abs(share / 8 - 0.024) < 0.0005
    assert mode_coverage(data.centres.repeat(100, 1), data) == (8, 1.0)


def _late(history, key):
    """The values of iterations 301 to 1,000."""
    return torch.tensor(history[key][300:1000])


def a_slow_d_makes_the_fakes_sweep_far_beyond_the_ring():
    middle = torch.stack([slow_kept[t].mean(dim=0) for t in range(300, 1001, 10)])
    assert (middle.min(dim=0).values < -0.7).all() and (middle.max(dim=0).values > 0.7).all()
    assert middle.norm(dim=1).max() > 3
    assert sum(mode_coverage(slow_kept[t], data)[1] for t in range(300, 1001, 10)) / 71 < 0.1
    assert torch.stack([ring_kept[t].mean(dim=0) for t in range(300, 1001, 10)]).norm(dim=1).max() < 1


def the_losses_of_the_slow_d_are_closer_to_those_of_a_perfect_generator():
    for key, level in (("d_loss", math.log(4)), ("g_loss", math.log(2))):
        slow, good = _late(slow_history, key), _late(ring_history, key)
        assert abs(slow.mean() - level) < 0.04 and abs(slow.mean() - level) < abs(good.mean() - level) / 2
        assert slow.min() < level < slow.max()


def the_losses_of_the_slow_d_swing_in_waves_up_to_1_8():
    assert 1.6 < max(slow_history["d_loss"]) < 2.1


def in_the_plane_the_slow_d_covers_no_mode_at_the_end():
    assert mode_coverage(slow_kept[1000], data)[1] < 0.1


def the_losses_of_the_strong_d_are_far_from_those_of_a_perfect_generator():
    assert _late(strong_history, "d_loss").mean() < 0.9 and _late(strong_history, "g_loss").mean() > 1.3


def the_losses_nearly_count_the_modes():
    assert [round(math.log(1 + 8 / modes), 2) for modes in (1, 2)] == [2.20, 1.61]
    assert abs(curves_of_k["loss of G"][-1] - math.log(2)) < 1e-6
    assert abs(curves_of_k["loss of D"][-1] - math.log(4)) < 1e-6
    for run in _ring_of("recommended") + _ring_of("collapses"):
        k = run["modes"]
        assert abs(run["g_loss"] - math.log(1 + 8 / k)) < (0.25 if k == 3 else 0.1)
        assert abs(run["d_loss"] - k / 8 * math.log(1 + 8 / k) - math.log(1 + k / 8)) < 0.07


def a_strong_d_covers_one_to_three_modes_here_too():
    modes, share = mode_coverage(strong_kept[1000], data)
    assert 1 <= modes <= 3 and share > 0.5


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
    trained, half, rounded = off.values()
    assert trained < 0.02 and min(half, rounded) > 0.15


def the_baseline_falls_with_the_points_and_is_that_of_the_formula_where_cells_are_full():
    assert baseline["Gaussian"][200] > 0.2 and baseline["Gaussian"][5000] < 0.04
    formula, uniform = baseline["(k − 1) / 4n, k = 400"], baseline["uniform on the square"]
    assert abs(uniform[5000] / formula[5000] - 1) < 0.3
    assert formula[1000] < uniform[1000]  # 2.5 points in a cell
    assert formula[200] > uniform[200]  # by three standard deviations in the mean
    assert (baseline["the ring"] < baseline["Gaussian"] / 3).all()


def the_ring_fills_a_few_dozen_cells():
    cells = ((data.sample(5000) + 3) / 0.3).long()
    assert 12 < len(cells.unique(dim=0)) < 100
