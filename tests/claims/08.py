"""What notebook 08 says of its own numbers."""


def js_stops_at_log_2_and_w1_goes_on():
    assert torch.allclose(js, shifts.clamp(max=1) * torch.log(torch.tensor(2.0)))
    assert torch.allclose(w1, shifts)


def sorting_is_the_least_of_all_plans():
    assert len(orders) == 5040 and torch.isclose(every_plan.min(), wasserstein_1d(left, right))


def the_plan_sends_many_fakes_to_a_mode_that_is_not_the_nearest():
    assert 10 < elsewhere.sum() < 40
    nearest = cost.min(dim=0).values.mean()
    assert nearest < wasserstein_exact(ring_points, cloud) < 2


def only_w1_notices_a_forgotten_mode():
    w1_of_it, to_the_nearest = two_distances["one mode forgotten"].values()
    assert w1_of_it > 0.2 and to_the_nearest < 0.1 and to_the_nearest < w1_of_it / 5
    assert (torch.cdist(forgetful, ring().centres.double()).argmin(dim=1) != 0).all()


def the_two_plans_of_the_picture_cost_7_and_3():
    places_p, places_q = torch.tensor([0.0, 3.0]), torch.tensor([1.0, 5.0])
    assert (places_p - places_q.flip(0)).abs().sum() == 7 and (places_p - places_q).abs().sum() == 3
    assert wasserstein_1d(places_p, places_q) == 1.5


def three_computations_of_w1_agree():
    assert abs(least_work - value_of_u) < 1e-6 and abs(least_work - area) < 1e-6


def the_critic_is_a_valley_with_walls_of_slope_1():
    assert torch.allclose(slope_of_u[clear], difference[clear].sign(), atol=1e-6)
    assert slope_of_u[0] < 0 < slope_of_u[-1] and (slope_of_u.sign()[clear].diff() != 0).sum() == 1
    assert abs(x[u.argmin()] + 0.4) < 0.1


def the_critic_trains_a_generator_outwards_on_all_sides():
    assert list(game_w1) == list(SNAPSHOTS) and game_w1[0] > 1.8
    values = list(game_w1.values())
    assert values == sorted(values, reverse=True) and values[-1] < values[0] / 4
    for points in (snapshots[SNAPSHOTS[-1]], snapshots[SNAPSHOTS[-2]]):
        nearest_of_ring = torch.cdist(points, data.centres).argmin(dim=1)
        assert (nearest_of_ring.bincount(minlength=8) > 10).all(), "no side is left out"
    assert snapshots[0].norm(dim=1).max() < 1
    last = snapshots[SNAPSHOTS[-1]]
    near_ring = (last.norm(dim=1) - 2).abs() < 0.4
    between_modes = near_ring & (torch.cdist(last, data.centres).min(dim=1).values > 0.4)
    assert near_ring.float().mean() > 0.9 and between_modes.float().mean() > 0.1
    assert data_level < game_w1[SNAPSHOTS[-1]] < ring_level


def the_bias_of_a_trained_critic_is_as_predicted():
    for strength, row in one_run.items():
        assert abs(row["value / W₁ − 1 (%)"] / (100 * pile_w1 / (2 * strength)) - 1) < 0.2
        assert row["largest slope found"] > 1.002


def in_the_study_too_at_three_distances():
    assert len(bias) == 6
    for (penalty, distance), measured in bias.items():
        predicted = 100 * distance / (2 * penalty)
        assert len(measured) == 5 and all(abs(each / predicted - 1) < 0.2 for each in measured)
        assert max(measured) - min(measured) < 0.5, "the five dots lie on top of each other"
        assert min(slopes[penalty, distance]) > 1
    assert sum(map(len, slopes.values())) == 30


def nearly_all_clipped_weights_are_at_the_limit():
    assert at_limit > 0.8


def the_clipped_critic_falls_short_in_some_directions_and_the_penalised_one_is_nearly_the_cone():
    angle = torch.arange(361.0).deg2rad()
    around = 2 * torch.stack([angle.cos(), angle.sin()], dim=1)
    with torch.no_grad():
        rise = {n: (net(around) - net(torch.zeros(1, 2))) / slope for n, (net, slope) in trained.items()}
    assert rise["penalty, λ = 10"].min() > 1.6
    assert rise["clipping, c = 0.1"].min() < 1.3 and rise["clipping, c = 0.1"].max() < 2.05
    assert found["clipping, c = 0.1"]["value / (W₁ · slope)"] < 0.85
    assert found["penalty, λ = 10"]["value / (W₁ · slope)"] > 0.9


def the_bias_on_the_ring_is_as_predicted():
    assert abs(1 + ring_w1 / 20 - 1.097) < 0.0006
    assert abs(found["penalty, λ = 10"]["value / W₁"] - 1.098) < 0.0006


def clipping_finds_six_to_seven_tenths_and_a_penalty_98_percent():
    for name in names:
        part = mean(run["normalised"] for run in critic_runs[f"ring, {name}"])
        assert 0.55 < part < 0.75 if "clip" in name else 0.975 < part < 0.995
        assert all((run["normalised"] < 0.92) == ("clip" in name) for run in critic_runs[f"ring, {name}"])


def the_clipped_value_runs_from_a_thousandth_to_hundreds():
    values = [mean(run["ratio"] for run in critic_runs[f"ring, {name}"]) for name in names if "clip" in name]
    assert values == sorted(values) and values[0] < 0.002 and values[-1] > 200
    for c, value in zip((0.01, 0.03, 0.1, 0.3, 1.0), values, strict=True):
        assert 750 < value / c**3 < 1050, "it grows like the cube of c"


def plan_and_potentials_certify_each_other():
    assert (
        abs(plan_cost - dual_value) < 1e-8
        and violation < 1e-8
        and abs(plan_cost - wasserstein_exact(ring_points, cloud)) < 1e-8
    )


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
    assert most < 23
    assert all(0.15 < fresh[name] < 0.26 for name in losses)


def by_quality_three_plain_losses_are_better_than_four_others():
    worse = (
        "hinge + spectral norm",
        "Wasserstein, clipped",
        "Wasserstein, penalty",
        "relativistic + R1 + R2",
    )
    for better in ("non-saturating", "least squares", "hinge"):
        assert all(wins(_runs(better), _runs(name), "good") >= 23 for name in worse)
        assert (wins(_runs(better), _runs("non-saturating + R1"), "good") >= 23) == (
            better == "non-saturating"
        )
    for beaten in set(losses) - set(columns):  # the columns that the table leaves out lose nowhere
        assert max(wins(_runs(name), _runs(beaten), "good") for name in losses) < 23


def few_covered_modes_need_not_be_empty_modes():
    runs = benchmark["runs"]["relativistic + R1 + R2"]
    quality = mean(run["good"] for run in runs)
    assert abs(quality - 0.46) < 0.005 and abs(quality / 25 - 0.018) < 0.0005
    assert abs(mean(run["modes"] for run in runs) - 10) < 0.5


def in_the_game_of_part_vii_no_mode_is_empty():
    assert last_scores["modes"] < 20 and shares.min() > 0.01
    runs_of_it = benchmark["runs"]["Wasserstein, penalty"]
    assert all(run["good"] > last_scores["good"] for run in runs_of_it), "a sixth run, none of the five"


def at_equal_iterations_r1_beats_three_of_four_plain_losses():
    for regularised in (r1, r3):
        beaten = [name for name in plain if wins(regularised, _runs(name)) >= 23]
        assert len(beaten) == 3 and "hinge" not in beaten
    assert (wins(r1, r3), wins(r3, r1)) == (7, 17), "one of the 25 pairs is a tie"


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
