"""What notebook 08 says of its own numbers."""

from functools import partial


def js_stops_at_log_2_and_w1_goes_on():
    assert torch.allclose(js, shifts.clamp(max=1) * torch.log(torch.tensor(2.0)))
    assert torch.allclose(w1, shifts)


def sorting_is_the_least_of_all_plans():
    assert len(orders) == 5040 and torch.isclose(every_plan.min(), wasserstein_1d(left, right))


def the_plan_sends_many_fakes_to_a_mode_that_is_not_the_nearest():
    assert 10 < elsewhere < 40
    assert nearest < cloud_w1 < 2


def three_computations_of_w1_agree():
    assert abs(least_work - value_of_u) < 1e-6 and abs(least_work - area) < 1e-6


def the_critic_is_a_valley_with_walls_of_slope_1():
    assert torch.allclose(slope_of_u[clear], difference[clear].sign(), atol=1e-6)
    assert slope_of_u[0] < 0 < slope_of_u[-1] and (slope_of_u.sign()[clear].diff() != 0).sum() == 1


def the_bias_of_a_trained_critic_is_as_predicted():
    for row in one_run.values():
        assert abs(row["value / W₁ − 1 (%)"] / row["predicted (%)"] - 1) < 0.2
        assert row["largest slope found"] > 1.002


def in_the_study_too_at_three_distances():
    for penalty, distance, measured, predicted, least, _ in bias:
        assert abs(measured / predicted - 1) < 0.1 and least > 1
        runs = critic_runs[f"blobs {distance} apart, penalty {penalty}"]
        assert len(runs) == 5 and all(abs((run["ratio"] - 1) * 100 / predicted - 1) < 0.2 for run in runs)


def nearly_all_clipped_weights_are_at_the_limit():
    assert at_limit > 0.8


def the_clipped_critic_falls_short_in_some_directions_and_the_penalised_one_is_nearly_the_cone():
    assert rise["penalty, λ = 10"].min() > 1.6
    assert rise["clipping, c = 0.1"].min() < 1.3 and rise["clipping, c = 0.1"].max() < 2.05
    assert found["clipping, c = 0.1"]["value / (W₁ · slope)"] < 0.85
    assert found["penalty, λ = 10"]["value / (W₁ · slope)"] > 0.9


def clipping_finds_six_to_seven_tenths_and_a_penalty_98_percent():
    for name in names:
        part = mean(run["normalised"] for run in critic_runs[f"ring, {name}"])
        assert 0.55 < part < 0.75 if "clip" in name else 0.975 < part < 0.995
        assert all((run["normalised"] < 0.92) == ("clip" in name) for run in critic_runs[f"ring, {name}"])


def the_clipped_value_runs_from_a_thousandth_to_hundreds():
    values = [mean(run["ratio"] for run in critic_runs[f"ring, {name}"]) for name in names if "clip" in name]
    assert values == sorted(values) and values[0] < 0.002 and values[-1] > 200


def plan_and_potentials_certify_each_other():
    assert abs(plan_cost - dual_value) < 1e-8 and violation < 1e-8 and abs(plan_cost - cloud_w1) < 1e-8


def a_dense_layer_keeps_the_norm_and_a_convolution_stretches_by_almost_3():
    assert abs(stretch["dense"] - 1) < 0.01 and abs(stretch["blur"] - 2.977) < 0.01


def where_the_four_small_games_end():
    radii = paths["no bound"].norm(dim=1)
    assert radii.min() > 0.95 and radii.max() < 1.05
    assert paths["R1"][-1].norm() < 1e-6
    assert (paths["penalty, λ = 2"][-1] - torch.tensor([-4.0, 0.0])).norm() < 1e-3
    late = paths["penalty, λ = 0.5"][-1000:]
    assert late.norm(dim=1).min() > 0.4 and (late[:, 1].sign().diff() != 0).sum() > 2


def for_a_small_penalty_the_path_circles_and_for_a_large_one_it_rests():
    for strength in (1.2, 3.0):
        assert (penalised_path(strength)[-1] - torch.tensor([-2 * strength, 0.0])).norm() < 0.05
    for strength in (0.2, 0.8):
        assert (penalised_path(strength)[-1000:, 1].sign().diff() != 0).sum() > 2


def the_best_outputs_are_the_log_ratio_the_share_and_the_sign():
    expected = log_ratio, log_ratio.sigmoid(), log_ratio.sign()
    for one, other_one in zip(best_output.values(), expected, strict=True):
        assert (one - other_one).abs().max() < 0.02


def only_least_squares_pushes_a_good_fake_back():
    for name, each in received.items():
        assert (each[a > 1.5] < 0).all() == (name == "least squares")
    assert (received["hinge, Wasserstein"] == 1).all()


def _runs(name):
    return "runs", name


def by_w1_no_two_losses_differ_at_equal_compute():
    losses = list(benchmark["tries"])
    assert not any(clearly_less(_runs(one), _runs(two)) for one in losses for two in losses)
    assert all(0.15 < fresh[name] < 0.26 for name in losses)


def by_quality_three_plain_losses_are_better_than_four_others():
    less = partial(clearly_less, key="good")
    worse = (
        "hinge + spectral norm",
        "Wasserstein, clipped",
        "Wasserstein, penalty",
        "relativistic + R1 + R2",
    )
    for better in ("non-saturating", "least squares", "hinge"):
        assert all(less(_runs(name), _runs(better)) for name in worse)


def at_equal_iterations_r1_beats_three_of_four_plain_losses():
    plain = ("non-saturating", "least squares", "hinge", "relativistic")
    for regularised in (r1, r3):
        wins = [name for name in plain if clearly_less(regularised, _runs(name))]
        assert len(wins) == 3 and "hinge" not in wins
    assert not clearly_less(r1, r3) and not clearly_less(r3, r1)


def pairing_adds_nothing_measurable():
    plain = _runs("non-saturating"), _runs("relativistic")
    for one, two in (plain, plain[::-1], (r1, r3), (r3, r1)):
        assert not clearly_less(one, two) and not clearly_less(one, two, "good")


def every_choice_is_at_an_edge_of_the_grid():
    chosen_settings = benchmark["settings"]["chosen"]
    assert len(chosen_settings) == 9 and {each["d_steps"] for each in chosen_settings.values()} == {1}
    for name, runs in benchmark["tries"].items():
        strengths = {run["settings"].get("strength") for run in runs}
        assert strengths == {None} or len(strengths) == 2, name


def seven_of_nine_get_worse_on_fresh_seeds():
    assert sum(fresh[name] > trial[name] for name in trial) == 7
    best = min(trial, key=trial.get)
    assert best == "Wasserstein, penalty" and 3 <= sorted(fresh.values()).index(fresh[best]) <= 6


def in_the_game_the_critic_is_below_w1_and_at_times_below_0():
    assert chosen["strength"] == 1
    assert critic_says[:10].mean() < 0.5 * exact_w1[:10].mean()
    assert critic_says.min() < 0
    assert critic_says[-10:].mean() < exact_w1[-10:].mean() < 3 * baseline
