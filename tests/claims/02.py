"""What notebook 02 says of its own numbers."""

from torch.distributions import Categorical


def estimates_lie_within_four_standard_errors():
    assert (averages["actual error"].abs() < 4 * averages["standard error"]).all()


def a_hundred_times_as_many_samples_make_the_standard_error_ten_times_smaller():
    assert 6 < averages["standard error"].iloc[1] / averages["standard error"].iloc[2] < 15


def a_hundred_samples_give_too_small_an_estimate_and_too_small_a_standard_error():
    few = averages.loc["100 samples"]
    exact = math.sqrt((math.e**2 - math.e) / 100)  # σ/√n
    assert abs(exact - 0.216) < 0.0005 and abs(few["standard error"] - 0.134) < 0.0005
    assert few["actual error"] < 0 and abs(-few["actual error"] / exact - 1.7) < 0.05


def entropy_lies_between_0_and_log_n():
    for p in examples.values():
        assert -1e-12 <= entropy(torch.tensor(p)) <= math.log(len(p)) + 1e-12
    assert entropies["certain"] == 0 and abs(entropies["uniform over 8"] / math.log(2) - 3) < 1e-12


def kl_is_cross_entropy_minus_entropy():
    q = forecasts["a vague forecast"]
    kl_of_weather = costs["KL(weather‖forecast)"]["a vague forecast"]
    assert abs(-(weather * q.log()).sum() - entropy(weather) - kl_of_weather) < 1e-12
    assert abs(kl_divergence(Categorical(weather), Categorical(q)) - kl_of_weather) < 1e-6


def the_two_directions_differ_and_excluding_rain_costs_infinitely_much():
    there, back = costs["KL(weather‖forecast)"], costs["KL(forecast‖weather)"]
    assert abs(there["a vague forecast"] - back["a vague forecast"]) > 0.005
    assert there["no rain"] == math.inf and abs(back["no rain"] - 0.108) < 0.0005
    assert abs(-math.log(0.9) - 0.105) < 0.0005 and -math.log(0.9) < back["no rain"]


def the_logarithm_of_the_mean_is_larger():
    assert X.mean().log() > X.log().mean() + 0.3


def formula_grid_and_quadrature_agree_and_monte_carlo_within_four_standard_errors():
    assert (routes["formula"] - routes["grid"]).abs().max() < 1e-8
    assert ((routes["formula"] - routes["Monte Carlo"]).abs() < 4 * routes["standard error"]).all()
    assert routes["formula"]["KL(p‖q)"] > routes["formula"]["KL(q‖p)"] + 1
    for name, p, q in (("KL(p‖q)", wide, narrow), ("KL(q‖p)", narrow, wide)):
        adaptive = quadrature(_of_logs(p, q, lambda log_p, log_q: log_p.exp() * (log_p - log_q)), _BREAKS)
        assert abs(adaptive - routes["formula"][name]) < 1e-8
        assert abs(kl_divergence(p, q) - routes["formula"][name]) < 1e-12


_BREAKS = [-30, -8, -4, -2, -1, 0, 1, 2, 4, 8, 30]


def _of_logs(p, q, f):
    return lambda t: f(p.log_prob(torch.tensor(t)), q.log_prob(torch.tensor(t))).item()


def the_lowest_kl_of_p_and_q_covers_both_modes_and_peaks_between_them():
    found = best.loc["lowest KL(p‖q)"]
    assert abs(found["mean"]) < 0.15 and abs(found["σ"] - math.sqrt(2**2 + 0.6**2)) < 0.06
    peak = coarse[curves["lowest KL(p‖q)"].argmax()]
    assert abs(peak) < 0.15 and two_modes[coarse.abs().argmin()].exp() < 0.01


def the_lowest_kl_of_q_and_p_takes_one_mode_and_the_other_would_do_as_well():
    found = best.loc["lowest KL(q‖p)"]
    assert abs(abs(found["mean"]) - 2) < 0.1 and abs(found["σ"] - 0.6) < 0.06
    assert abs(found["nats"] - math.log(2)) < 0.01
    left, right = (tables["KL(q‖p)"][(means - centre).abs().argmin()].min() for centre in (-2, 2))
    assert abs(left - right) < 1e-6


def _best_mean(modes_at, divergence):
    p = log_mixture(Normal(-modes_at, 0.6).log_prob(coarse), Normal(modes_at, 0.6).log_prob(coarse))
    wider = torch.linspace(-4.5, 4.5, 91)
    q = Normal(wider[:, None, None], torch.linspace(0.3, 5, 95)[:, None]).log_prob(coarse)
    return wider[divergence(p, q).min(dim=1).values.argmin()].abs().item()


def the_open_task_has_the_answer_that_is_given():
    def forward(p, q):
        return kl(p, q, coarse)

    def reverse(p, q):
        return kl(q, p, coarse)

    def of_js(p, q):
        return js(p, q, coarse)

    assert max(_best_mean(at, forward) for at in (1.4, 2.0, 4.0)) < 0.15
    assert _best_mean(1.4, reverse) < 0.15 and _best_mean(2.0, reverse) > 1.8
    assert _best_mean(2.0, of_js) < 0.15 and _best_mean(4.0, of_js) > 3.8


def maximum_likelihood_is_the_wide_density_and_a_maximum():
    assert abs(fit.mean) < 0.19 and abs(fit.stddev - math.sqrt(2**2 + 0.6**2)) < 0.1
    parts = torch.stack([fit.mean, fit.stddev]).requires_grad_()
    (slope,) = torch.autograd.grad(Normal(*parts).log_prob(data).mean(), parts)
    assert slope.abs().max() < 1e-9


def both_sides_of_the_likelihood_equation_agree():
    entropy_of_p = -integral(two_modes.exp() * two_modes, coarse)
    cross_entropy, error = monte_carlo(-fit.log_prob(data))
    assert abs(cross_entropy - entropy_of_p - kl(two_modes, fit.log_prob(coarse), coarse)) < 4 * error


def the_fitted_density_is_the_one_with_the_lowest_kl_of_p_and_q():
    assert (fit.log_prob(coarse).exp() - curves["lowest KL(p‖q)"]).abs().max() < 0.01


def the_integrands_have_the_divergences_as_their_areas():
    for p, q, name in ((log_wide, log_narrow, "KL(p‖q)"), (log_narrow, log_wide, "KL(q‖p)")):
        inside = p.exp() * (p - q)
        assert abs(integral(inside, x) - routes["formula"][name]) < 1e-8 and inside.min() < 0
    inside = log_wide.exp() * (log_wide - log_narrow)
    assert x[inside.argmax()] < 0 and integral(inside[x < 0], x[x < 0]) > 2


def js_has_three_equal_forms_and_is_finite_where_kl_is_not():
    for q in forecasts.values():
        m = (weather + q) / 2
        by_kl = (discrete_kl(weather, m) + discrete_kl(q, m)) / 2
        left_over = (m * entropy(torch.stack([weather, q], 1) / (2 * m[:, None]))).sum()
        assert abs(by_kl - discrete_js(weather, q)) < 1e-12
        assert abs(by_kl - (math.log(2) - left_over)) < 1e-12 and 0 < by_kl < math.log(2)


def js_of_two_normal_densities_by_quadrature_and_by_samples():
    def inside(log_p, log_q):
        log_mean = log_mixture(log_p, log_q)
        return (log_p.exp() * (log_p - log_mean) + log_q.exp() * (log_q - log_mean)) / 2

    assert abs(quadrature(_of_logs(wide, narrow, inside), _BREAKS) - js_grid) < 1e-8
    assert abs(js_estimate - js_grid) < 4 * js_error


def both_kl_are_infinite_from_one_box_on_and_js_stops_at_log_2():
    for k, (name, row) in enumerate(shifted.iterrows()):
        assert name == f"k = {k}" and row["KL(p‖q)"] == row["KL(q‖p)"] == (math.inf if k else 0)
        assert abs(row["JS(p, q)"] - min(k / 4, 1) * math.log(2)) < 1e-12


def the_two_kl_of_normal_densities_with_one_sigma_are_equal():
    p, q = Normal(0.0, 0.1), Normal(0.7, 0.1)
    assert abs(kl_of_normals(p, q) - kl_of_normals(q, p)) < 1e-12


def the_derivative_of_kl_grows_and_that_of_js_vanishes():
    at_one = (theta - 1).abs().argmin()
    of_js = derivatives["JS(p, q)"]
    assert torch.allclose(derivatives[BOTH], theta.detach() / 0.1**2, atol=1e-6)
    assert abs(derivatives[BOTH][at_one] - 100) < 3
    assert 1e-5 < of_js[at_one] < 4e-5 and of_js.max() > 1
    assert abs(nats["JS(p, q)"][at_one] - math.log(2)) < 1e-5


def with_js_theta_hardly_moves():
    assert ((ends["JS(p, q)"] - 1).abs() < 1e-3).all() and (ends["JS(p, q)"] < 1).all()


def with_js_adam_would_move():
    at = torch.tensor(1.0, requires_grad=True)
    adam = torch.optim.Adam([at], lr=0.005)
    for _ in range(200):
        adam.zero_grad()
        divergences_at(at)["JS(p, q)"].backward()
        adam.step()
    assert at < 0.5


def with_kl_the_small_learning_rate_arrives_and_the_larger_one_diverges():
    assert abs(ends[BOTH][0.005]) < 1e-3 and abs(ends[BOTH][0.03]) > 3
    assert abs(1 - 0.03 / 0.1**2 + 2) < 1e-12


def the_curves_of_b_cross_at_two_points_and_those_of_a_nowhere():
    inside = {name: points.square().sum(dim=1) < 1 for name, points in on_model.items()}
    above = on_model["B"][:, 1] > 0.01
    assert inside["B"][above].diff().sum() == 2
    assert on_model["A"][:, 1].max() < 0 <= on_data[:, 1].min() + 1e-12


def js_in_cells_rises_to_log_2_as_the_cells_shrink():
    far, near = in_cells["A"], in_cells["B"]
    assert all(abs(number - math.log(2)) < 1e-9 for number in far)
    assert near[0] < 0.2 and all(b > a for a, b in pairwise(near))
    assert math.log(2) - 0.02 < near[-1] < math.log(2)
    finer = js_in_cells(on_data, on_model["B"], 1 / 1024)
    assert near[-1] < finer < math.log(2)


def both_bounds_touch_their_maximum_once_and_never_cross_it():
    assert (V <= V_max + 1e-9).all() and (elbos <= evidence + 1e-9).all()
    assert abs(V.max() - V_max) < 1e-9 and abs(a[V.argmax()] - 1) < 1e-9
    assert abs(elbos.max() - evidence) < 1e-3
    assert abs(shifts[elbos.argmax()] - slope * observed / (slope**2 + noise**2)) < 0.05
    assert (V > V_max - 1e-6).sum() == 1


def what_is_missing_to_the_maximum_is_a_kl():
    best, stated = torch.sigmoid(log_wide - log_narrow), torch.sigmoid(2 * (log_wide - log_narrow))
    inside = torch.xlogy(best, best / stated) + torch.xlogy(1 - best, (1 - best) / (1 - stated))
    inside = torch.where(inside.isfinite(), inside, 0.0)  # far out both are 0 or 1 in 64 bits
    missing = 2 * integral(log_mixture(log_wide, log_narrow).exp() * inside, x)
    assert abs(V_max - V[(a - 2).abs().argmin()] - missing) < 1e-4
    posterior = Normal(slope * observed / (slope**2 + noise**2), noise / math.sqrt(slope**2 + noise**2))
    for number in (0, 40):
        r = Normal(shifts[number], posterior.stddev)
        assert abs(evidence - elbos[number] - kl_divergence(r, posterior)) < 1e-6


def five_divergences_by_two_routes():
    mu, s = 1.5, 1.2
    crossings = torch.tensor([-7.643345820, 0.825164002])  # where p = q
    assert (standard.log_prob(crossings) - other.log_prob(crossings)).abs().max() < 1e-6
    kappa = 1 - 1 / (2 * s**2)  # p²/q falls off like exp(−κx²)
    log_m = log_mixture(standard.log_prob(x), other.log_prob(x))
    left_over = Bernoulli(logits=standard.log_prob(x) - other.log_prob(x)).entropy()
    own_route = {
        "KL(p‖q)": kl_divergence(standard, other),
        "KL(q‖p)": kl_divergence(other, standard),
        "JS(p, q)": math.log(2) - integral(log_m.exp() * left_over, x),
        "total variation": (standard.cdf(crossings) - other.cdf(crossings)).diff().abs(),
        "chi-squared": s / math.sqrt(2 * kappa) * math.exp(mu**2 / (2 * s**2) + mu**2 / (4 * kappa * s**4))
        - 1,
    }
    assert all(abs(float(number) - five[name]) < 1e-7 for name, number in own_route.items())
    assert five.round(3).nunique() == 5


def the_five_functions_touch_zero_at_one_and_punish_as_is_said():
    drawn = {name: f(ratio) + added.get(name, 0.0) * (ratio - 1) for name, f in f_of.items()}
    assert all(
        values.min() > -1e-12 and values[ratio.sub(1).abs().argmin()] < 0.01 for values in drawn.values()
    )
    order = sorted(drawn, key=lambda name: -drawn[name][-1])
    assert order[:2] == ["chi-squared", "KL(p‖q)"] and order[-1] == "JS(p, q)"
    at_zero = {name: values[0] for name, values in drawn.items()}
    assert max(at_zero, key=at_zero.get) == "KL(q‖p)" and at_zero["KL(q‖p)"] > 3


def the_log_normal_density_is_that_of_the_samples_and_peaks_at_one_over_e():
    inside = Normal(0.0, 1.0).cdf(torch.tensor(edges).log()).diff() * 10  # the mean height of each bar
    assert (torch.tensor(heights) - inside).abs().max() < 0.05
    assert abs(y[density_of_y.argmax()] - math.exp(-1)) < 0.01


def the_bent_density_is_that_of_autograd_and_sums_to_one():
    for point in torch.randn(5, 2):
        jacobian = torch.autograd.functional.jacobian(bend, point)
        by_autograd = Normal(0.0, 1.0).log_prob(point).sum() - jacobian.det().abs().log()
        assert torch.allclose(log_bent(bend(point)), by_autograd, atol=1e-12)
    across, up = torch.linspace(-6, 6, 301), torch.linspace(-40, 60, 2001)
    plane = torch.cartesian_prod(across, up).reshape(301, 2001, 2)
    for extra, expected in ((0, 1), (plane[..., 0] / 2, math.exp(1 / 8))):  # with |det J|, and without it
        mass = torch.trapezoid(torch.trapezoid((log_bent(plane) + extra).exp(), up), across)
        assert abs(mass - expected) < 1e-4


def the_entropy_of_a_normal_density_is_negative_for_a_small_sigma():
    for sigma in (0.1, 2.0):
        density = Normal(0.5, sigma)
        log_density = density.log_prob(x)
        formula = 0.5 * math.log(2 * math.pi * sigma**2) + 0.5
        assert abs(-integral(log_density.exp() * log_density, x) - formula) < 1e-9
        mean, error = monte_carlo(-density.log_prob(density.sample((100_000,))))
        assert abs(mean - formula) < 4 * error and (formula < 0) == (sigma < 0.2)


def a_map_changes_the_entropy_by_the_mean_of_log_det_and_leaves_kl():
    before, after = under_map["of x"], under_map["of y = exp(x)"]
    assert abs(after["H of narrow"] - before["H of narrow"] - 1.2) < 1e-4
    assert abs(after["KL(wide‖narrow)"] - before["KL(wide‖narrow)"]) < 1e-4


def the_error_falls_like_one_over_the_root_of_n():
    assert (measured / predicted - 1).abs().max() < 0.25


def the_logarithm_of_an_estimate_is_too_small_and_less_so_with_more_samples():
    column, error = log_means["mean of log(estimate)"], log_means["standard error"]
    assert column.is_monotonic_increasing and (column < 0.5 + 4 * error).all() and column.iloc[0] < 0.1
