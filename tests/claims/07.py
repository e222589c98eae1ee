"""What notebook 07 says of its own numbers."""


def _late(kind, name):
    return logs[kind][name][-8:]


# The lab, and what D tells G


def in_the_lab_a_slower_d_prevents_and_does_not_cure():
    from helpers.metrics import mode_coverage
    from helpers.widgets.gan_lab import GanLab

    for seed in (0, 1):
        covered = {}
        for change_at in (0, 400):
            lab = GanLab(preset="collapses", seed=seed)
            for t in range(600):
                if t == change_at:
                    lab.set_rates(1e-3, 1e-3)
                lab.round()
            covered[change_at], _ = mode_coverage(lab.fakes(4000), lab.data)
        assert covered[0] >= 5 and covered[400] <= 3, covered


def _agreement(arrows):
    """The length and the angle in degrees of the mean of arrows of length 1."""
    mean = arrows.mean(dim=0)
    return mean.norm().item(), math.degrees(math.atan2(mean[1], mean[0]))


def _turned(one, other):
    return abs((one - other + 180) % 360 - 180)


def nearly_all_arrows_agree_in_three_panels():
    def share(arrows):  # of the arrows that lie within 45 degrees of their mean
        towards = torch.nn.functional.normalize(arrows.mean(dim=0), dim=0)
        return (arrows @ towards > math.cos(math.pi / 4)).double().mean()

    shares = {key: share(arrows) for key, arrows in told.items() if key[0] != "R1"}
    agree = {("strong D", 20), ("slow D", 20), ("slow D", 40)}
    assert all(shares[key] >= 0.85 for key in agree) and all(
        shares[key] <= 0.8 for key in shares.keys() - agree
    )
    assert _turned(_agreement(told["slow D", 20])[1], _agreement(told["slow D", 40])[1]) > 60


def eight_other_seeds_show_the_plateau_and_the_turning_slope():
    def early(kind, seed, stop):
        _, g, d = keep_log(replace(recipes[kind], lr_decay=False), seed=seed, rounds=stop)
        z = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
        return d, g(z).detach().requires_grad_()

    for seed in range(8):
        d, fakes = early("mode collapse", seed, 40)
        far = torch.cdist(data.centres, fakes.detach()).min(dim=1).values > 0.6
        assert (d(data.centres[far]).sigmoid() > 0.97).all()
        angles = []
        for stop in (20, 40):
            d, fakes = early("oscillation", seed, stop)
            (gradient,) = torch.autograd.grad(non_saturating(d(fakes)).sum(), fakes)
            agree, angle = _agreement(-torch.nn.functional.normalize(gradient, dim=1))
            assert agree > 0.7
            angles.append(angle)
        assert _turned(*angles) > 30, (seed, angles)


# The five trainings and their signs


def the_five_trainings_went_as_they_are_named():
    modes = {kind: median(_late(kind, "modes")) for kind in logs}
    good = {kind: median(_late(kind, "good")) for kind in logs}
    assert modes["healthy"] >= 7 and good["healthy"] > 0.5
    assert modes["mode collapse"] <= 4 and good["mode collapse"] > 0.5
    assert modes["oscillation"] <= 2 and good["oscillation"] < 0.2
    assert modes["range too small"] <= 4 and good["vanishing gradient"] < 0.05
    assert [diagnose(logs[kind], largest_of_data) for kind in logs] == list(logs)


def the_healthy_and_the_oscillating_losses_are_near_those_of_a_perfect_generator():
    for kind in ("healthy", "oscillation"):
        row = losses.loc[kind]
        assert abs(row["loss of D"] - math.log(4)) < 0.1 and abs(row["loss of G"] - math.log(2)) < 0.1
    assert (losses.loc["healthy"] - losses.loc["oscillation"]).abs().max() < 0.1


def the_unnamed_rows_are_named_in_this_order():
    order = ["vanishing gradient", "oscillation", "healthy", "range too small", "mode collapse"]
    assert list(losses.index) == order


def three_signs_each_set_one_row_apart():
    for each_log in (logs, *({kind: entries[n] for kind, entries in validation.items()} for n in range(4))):
        rows = pd.DataFrame({kind: signs(log, largest_of_data) for kind, log in each_log.items()}).T
        others = {kind: rows.drop(index=kind) for kind in rows.index}
        assert others["vanishing gradient"]["gradient"].min() > 1e6 * rows["gradient"]["vanishing gradient"]
        assert rows["reach moved"]["range too small"] == 0 < others["range too small"]["reach moved"].min()
        assert others["oscillation"]["wander"].max() < rows["wander"]["oscillation"] / 3


def _validation(kind, name):
    return [signs(log, largest_of_data)[name] for log in validation[kind]]


def losses_do_not_separate():
    both = {kind: [logs[kind], *validation[kind]] for kind in recipes}
    for name, width in (("loss of D", 0.1), ("loss of G", 0.12)):
        near = [numbers_of(log)[name] for kind in ("healthy", "oscillation") for log in both[kind]]
        assert max(near) - min(near) < width
        collapsed, bounded = (
            [numbers_of(log)[name] for log in both[kind]] for kind in ("mode collapse", "range too small")
        )
        assert any(min(collapsed) <= value <= max(collapsed) for value in bounded)


def high_quality_on_few_modes_is_only_found_in_collapse_and_with_a_bound():
    for kind in recipes:
        pairs = zip(_validation(kind, "good"), _validation(kind, "modes"), strict=True)
        both = [good >= 0.5 and modes < 6 for good, modes in pairs]
        assert any(both) == (kind in ("mode collapse", "range too small"))


def thresholds_lie_in_gaps_and_reach_does_not():
    for name in ("gradient", "reach moved", "wander", "modes"):
        values = torch.tensor(
            [signs(log, largest_of_data)[name] for logs in validation.values() for log in logs]
        )
        (place,) = thresholds[name]
        below, above = values[values < place].max(), values[values >= place].min()
        assert above > 2 * below or (name == "modes" and above - below >= 3)
    assert min(_validation("mode collapse", "reach")) < 0.9 < max(_validation("mode collapse", "reach"))


def the_mean_circles_with_a_slow_d_and_rests_with_a_fast_one():
    slow_path, fast_path = means.values()
    assert len(slow_path) == 60 and fast_path.norm(dim=1).max() < 0.4
    angle = torch.atan2(slow_path[:, 1], slow_path[:, 0])
    turns = ((angle.diff() + math.pi) % (2 * math.pi) - math.pi).sum().abs() / (2 * math.pi)
    assert slow_path.norm(dim=1).min() > 1 and abs(300 / turns - 60) < 6


# Vanishing gradients


def the_derivatives_are_those_of_the_formula():
    logits = torch.linspace(-20, 20, 401, dtype=torch.float64, requires_grad=True)
    for loss, sign in ((saturating, 1), (non_saturating, -1)):
        (derivative,) = torch.autograd.grad(loss(logits).sum(), logits)
        assert (derivative + (sign * logits).sigmoid()).abs().max() < 1e-6


def at_minus_ten_the_ratio_is_22_000():
    assert abs(math.exp(10) - 22_000) < 100


def with_the_other_loss_the_gradient_comes_back_and_three_modes():
    assert compared["saturating"]["gradient"] < 1e-8 < 1 < compared["non-saturating"]["gradient"]
    assert compared["non-saturating"]["modes"] == 3 and compared["saturating"]["modes"] == 0


def of_the_recipe_that_vanishes_adam_hides_a_part():
    log, _, _ = keep_log(replace(recipes["vanishing gradient"], g_adam=True, g_rate=3e-3), seed=9)
    assert signs(log, largest_of_data)["gradient"] > 1


def the_ratio_holds_for_every_parameter():
    assert at_parameters["relative error of (7.2)"].max() < 1e-10
    assert at_parameters["logit"].min() < -1  # not a comparison of equals
    assert sum(p.numel() for p in generator.parameters()) == 4482


def the_sizes_at_minus_ten_are_those_of_the_text():
    assert abs(1 / (1 + math.exp(10)) - 0.000045) < 1e-6 and 1 / (1 + math.exp(-10)) > 0.9999


def only_the_saturating_loss_with_gradient_descent_stands_still():
    stuck, moving, rescued = (path[-1].item() for path in travelled.values())
    assert 1e-9 < stuck < 1e-7 and 1.8 < moving < 2.2 and 1.8 < rescued < 2.2
    assert 30 < travelled["non-saturating, SGD"].max() < 45 and travelled["saturating, Adam"].max() > 10


def the_gradient_of_section_3_lies_below_the_constant_of_adam():
    assert signs(logs["vanishing gradient"], largest_of_data)["gradient"] < 5e-9


# Collapse and oscillation over seeds


def _modes(name):
    return [run["modes"] for run in collapse[name]]


def _quality(name):
    return median(run["good"] for run in collapse[name])


def r1_prevents_the_collapse_and_does_nothing_for_a_slow_d():
    plain, treated = "ring, strong D, non-saturating", "ring, strong D, R1"
    assert max(_modes(plain)) < 7 and min(_modes(treated)) >= 7
    assert round(_quality(plain), 2) == 0.95 and round(_quality(treated), 2) == 0.85
    assert min(_modes("ring, strong D, one D step")) > max(_modes(plain))
    assert max(_modes("ring, slow D")) <= 2 and max(_modes("ring, slow D, R1")) <= 2
    assert (
        min(_modes("ring, slow D, equal rates")) >= 6 and min(_modes("ring, balanced, non-saturating")) >= 7
    )


def with_r1_the_quality_falls_as_with_one_d_step():
    assert round(_quality("ring, strong D, one D step"), 2) == 0.85


def r1_acts_where_d_is_flat():
    for stop in (20, 40):
        before, after = (measured_slopes[f"{way} R1, iteration {stop}"] for way in ("without", "with"))
        assert before["median slope of D"] < 0.01 < 0.04 < after["median slope of D"]
        assert 10.5 < before["median slope of a"] < 11.5
        assert 9 < before["median slope of a"] / after["median slope of a"] < 13
        assert before["mean penalty"] > 5 and after["mean penalty"] < 0.2
        assert _agreement(told["R1", stop])[0] < 0.7  # to several modes
    _, _, d = keep_log(replace(recipes["mode collapse"], lr_decay=False), seed=9, rounds=20)
    assert torch.allclose(strong_d(0.0, 20)[1](data.centres), d(data.centres), atol=1e-3)  # the same training


def at_eight_other_seeds_r1_makes_the_logit_flatter():
    real_points = data.sample(500, torch.Generator().manual_seed(0))
    for seed in range(8):
        for gamma in (0.0, 0.1):
            torch.manual_seed(seed)
            g, d = PointGenerator(), PointDiscriminator()
            g_optimiser = torch.optim.Adam(g.parameters(), 1e-3, betas=(0.5, 0.9))
            d_optimiser = torch.optim.Adam(d.parameters(), 1e-2, betas=(0.5, 0.9))
            for _ in range(20):
                for _ in range(3):
                    z, points = torch.randn(128, 2), data.sample(128)
                    discriminator_step(g, d, d_optimiser, points, z, partial(with_r1, d, points, gamma))
                generator_step(g, d, g_optimiser, torch.randn(128, 2), non_saturating)
            penalty = slopes_at(d, real_points)["mean penalty"]
            assert penalty < 0.3 if gamma else penalty > 2, (seed, gamma, penalty)


def the_healthy_row_has_the_healthy_recipe():
    balanced, healthy = study("collapse")["settings"]["ring, balanced, non-saturating"], recipes["healthy"]
    for key in ("g_rate", "d_rate", "beta1", "d_steps"):
        assert balanced[key] == getattr(healthy, key)


def the_lab_has_the_recipe_of_mode_collapse():
    from helpers.gan import PRESETS

    for key in ("g_rate", "d_rate", "beta1", "d_steps"):
        assert getattr(PRESETS["collapses"], key) == getattr(recipes["mode collapse"], key)


def the_settings_of_the_study_are_those_of_the_text():
    settings_of = study("collapse")["settings"]
    strong_d, slow_d = settings_of["ring, strong D, R1"], settings_of["ring, slow D"]
    assert strong_d["gamma"] == 0.1 and strong_d["d_steps"] == 3
    assert math.isclose(strong_d["d_rate"], 10 * strong_d["g_rate"])
    assert math.isclose(slow_d["g_rate"], 10 * slow_d["d_rate"])


def each_remedy_changes_one_setting():
    settings_of = study("collapse")["settings"]
    for failing, remedies in (
        ("ring, strong D, non-saturating", ("ring, strong D, R1", "ring, strong D, one D step")),
        ("ring, slow D", ("ring, slow D, R1", "ring, slow D, equal rates")),
    ):
        for name in remedies:
            before, after = settings_of[failing], settings_of[name]
            assert sum(before[key] != after[key] for key in before) == 1, name
    assert settings_of["ring, slow D, equal rates"]["d_rate"] == settings_of["ring, slow D"]["g_rate"]


def the_two_losses_have_the_gradients_of_the_two_kls():
    for row in kl_gradients.values():
        assert abs(row["gradient of the loss"] - row["gradient of the KL"]) < 1e-6


def the_setting_decides_more_than_the_loss():
    balanced = [covered for name, each in modes_of.items() if name.startswith("balanced") for covered in each]
    strong_d = {name: each for name, each in modes_of.items() if name.startswith("strong")}
    assert min(balanced) >= 7 and modes_of["balanced, reverse KL"] == [8] * 5
    assert max(strong_d["strong D, forward KL"]) <= 2
    kept = [name for name, each in strong_d.items() for covered in each if covered == 8]
    assert kept == ["strong D, reverse KL"] and sum(len(each) for each in strong_d.values()) == 20


# The range


def the_largest_coordinate_stands_at_the_bound():
    assert (
        1.38 < min(_late("range too small", "largest")) <= max(_late("range too small", "largest")) <= 1.405
    )


def a_bound_of_14_reaches_the_diagonal_modes_and_no_other():
    inside = data.centres.clamp(-1.4, 1.4)  # the points of the square nearest to each mode
    near = (inside - data.centres).norm(dim=1) < 3 * data.std
    assert near.tolist() == [False, True] * 4
    assert (data.centres[1] - 1.41).abs().max() < 0.005
    good = median(_late("range too small", "good"))
    assert good > 0.5 and median(_late("range too small", "modes")) == 3  # as in a collapse
    assert ends["bound 1.4"]["modes"][-1] == 3


def below_131_no_mode_is_reached_and_two_dots_show_it():
    assert abs(2**0.5 - 3 * data.std / 2**0.5 - 1.31) < 0.005
    for entry in content["runs"]["range too small"][:4]:
        out_of_reach = entry["recipe"]["bound"] < 1.31
        row = numbers_of(entry["log"])
        assert out_of_reach == (row["loss of D"] < 0.01) == (row["modes"] == 0)
    assert sum(entry["recipe"]["bound"] < 1.31 for entry in content["runs"]["range too small"][:4]) == 2


def a_few_fakes_outside_the_corners_supply_the_gradient():
    _, g, d = live["range too small"]
    fakes = g(torch.randn(128, 2, generator=torch.Generator().manual_seed(0)))
    parts = [
        torch.autograd.grad(loss, [*g.parameters()], retain_graph=True) for loss in non_saturating(d(fakes))
    ]
    each = torch.stack([torch.cat([part.flatten() for part in gradient]) for gradient in parts])
    corner = (fakes.abs() > 1.39).all(dim=1)
    assert corner.float().mean() > 0.9 and each[corner].norm(dim=1).median() == 0
    assert each[corner].sum(dim=0).norm() < 0.1 * each[~corner].sum(dim=0).norm()


def just_inside_the_bound_the_derivative_is_seventy_times_smaller():
    middle, inside = (1.4 * (1 - (x / 1.4) ** 2) for x in (0, 1.39))
    assert middle == 1.4 and round(inside, 2) == 0.02 and abs(middle / inside - 70) < 1


def a_wider_range_brings_the_modes_back():
    assert ends["bound 2.4"]["modes"][-1] >= 6 and ends["bound 1.4"]["modes"][-1] <= 4


# The rule


def the_rule_names_all_validation_logs_and_19_of_20_test_logs():
    for kind, each_log in validation.items():
        assert [diagnose(log, largest_of_data) for log in each_log] == [kind] * 4
    wrong = [(kind, name) for kind, name in named if kind != name]
    assert len(named) == 20 and wrong == [("range too small", "vanishing gradient")]


def validation_and_test_logs_have_the_ranges_of_the_table():
    for group, (low, high), bounds in (
        (slice(0, 4), (0.75, 1.33), (0.9, 1.7)),
        (slice(4, 8), (0.5, 2), (0.8, 1.9)),
    ):
        for kind, entries in content["runs"].items():
            for entry in entries[group]:
                for name in ("g_rate", "d_rate"):
                    assert low <= entry["recipe"][name] / getattr(RECIPES[kind], name) <= high + 0.01
                if kind == "range too small":
                    assert bounds[0] <= entry["recipe"]["bound"] <= bounds[1]


def in_the_log_that_is_missed_no_gradient_passes_and_the_mean_lies_in_a_corner():
    (missed,) = [
        log for log in test["range too small"] if diagnose(log, largest_of_data) != "range too small"
    ]
    assert max(missed["g_gradient"][-8:]) == 0
    # A mean this close to the corner leaves no room for many fakes elsewhere.
    for x_mean, y_mean, largest in zip(*(missed[name][-8:] for name in ("x", "y", "largest")), strict=True):
        assert min(abs(x_mean), abs(y_mean)) > 0.98 * largest


def the_gap_of_reach_moved_is_from_0_to_004():
    others = min(min(_validation(kind, "reach moved")) for kind in recipes if kind != "range too small")
    assert max(_validation("range too small", "reach moved")) == 0 and round(others, 2) == 0.04


def no_stranger_is_called_healthy_and_two_get_a_wrong_name():
    assert "healthy" not in set(unknown["named"])
    assert list(unknown["named"]).count("oscillation") == 2


def the_first_and_the_third_stranger_end_with_d_near_095():
    assert (
        all(abs(unknown["d_fake"].iloc[n] - 0.95) < 0.03 for n in (0, 2))
        and abs(unknown["d_fake"].iloc[1] - 0.5) < 0.1
    )
    ends_of_oscillation = [log["d_fake"][-1] for log in validation["oscillation"] + test["oscillation"]]
    assert len(ends_of_oscillation) == 8 and max(abs(value - 0.5) for value in ends_of_oscillation) < 0.05


# The smallest GAN


def minimax_and_wasserstein_circle_simultaneous_steps_grow_and_non_saturating_shrinks():
    assert all(abs(radius[name][-30:].mean() - 1) < 0.15 for name in ("minimax", "Wasserstein"))
    assert radius["minimax, simultaneous"][-1] > 1.5 and 0.2 < radius["non-saturating"][-1] < 0.9
    s = paths["minimax, simultaneous"].prod(dim=1).sigmoid()
    grown = radius["minimax, simultaneous"][:-1] * (1 + 0.2**2 * s[:-1] ** 2).sqrt()
    assert torch.allclose(radius["minimax, simultaneous"][1:], grown)


def the_factors_are_those_of_the_formulas():
    for way, (g, d, gamma) in ways.items():
        complex_roots = gamma**2 * d < 4 * 0.25 * g
        assert complex_roots == (way != "R1, D ×30")
        assert (abs(alternating[way] - measured[way]) < 1e-5) == complex_roots, way
        assert abs(simultaneous[way] - measured[way]) < 1e-3


def three_times_as_fast_is_best_of_the_four():
    with_r1 = {way: value for way, value in measured.items() if way.startswith("R1")}
    assert min(with_r1, key=with_r1.get) == "R1, D ×3" and max(with_r1, key=with_r1.get) == "R1, D ÷10"


def without_r1_the_distance_swings_between_1_and_the_root_of_3():
    distance = damped["no R1, D ×3"].norm(dim=1) / 0.01
    assert distance.min() > 0.98 and abs(distance.max() - math.sqrt(3)) < 0.02
    assert simultaneous["no R1, D ×3"] > 1  # simultaneous steps grow


def alternating_steps_shrink_by_the_root_of_one_minus_gamma_h():
    for way, (g, d, gamma) in ways.items():
        if gamma**2 * d < 4 * 0.25 * g:  # complex roots
            path = dirac_path(dirac_alternating, dirac_minimax, (0.01, 0.0), 1500, g, d, gamma)
            assert abs(factor_of(path) - math.sqrt(1 - gamma * d)) < 1e-4, way
