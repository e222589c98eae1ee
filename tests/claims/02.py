"""What notebook 02 says of its own numbers."""

from torch.distributions import Categorical


def estimates_lie_within_four_standard_errors():
    assert (averages["actual error"].abs() < 4 * averages["standard error"]).all()


def a_hundred_times_as_many_samples_make_the_standard_error_ten_times_smaller():
    assert 6 < averages["standard error"].iloc[1] / averages["standard error"].iloc[2] < 15


def a_hundred_samples_give_too_small_an_estimate_and_too_small_a_standard_error():
    few = averages.loc["100 samples"]
    assert few["actual error"] < 0 and few["standard error"] < math.sqrt((math.e**2 - math.e) / 100)


def no_sample_hits_an_event_of_probability_one_in_a_thousand_million():
    exact = Normal(0.0, 1.0).cdf(torch.tensor(-6.0))  # the left tail, because 1 − cdf(6) would round
    assert rare == (0.0, 0.0) and 0.9e-9 < exact < 1.1e-9


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
    assert abs(cross_entropy - entropy_of_p - kl_of_fit) < 4 * monte_carlo(-fit.log_prob(data))[1]


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


def kl_is_infinite_from_one_box_on_and_js_stops_at_log_2():
    for k, (name, row) in enumerate(shifted.iterrows()):
        assert name == f"k = {k}" and row["KL"] == (math.inf if k else 0)
        assert abs(row["JS"] - min(k / 4, 1) * math.log(2)) < 1e-12


def the_derivative_of_kl_grows_and_that_of_js_vanishes():
    at_one = (theta - 1).abs().argmin()
    assert torch.allclose(derivatives["KL"], theta.detach() / 0.1**2, atol=1e-6)
    assert abs(derivatives["KL"][at_one] - 100) < 3
    assert 1e-5 < derivatives["JS"][at_one] < 4e-5 and derivatives["JS"].max() > 1
    assert abs(nats["JS"][at_one] - math.log(2)) < 1e-5


def with_js_theta_hardly_moves():
    assert ((ends["JS"] - 1).abs() < 1e-3).all() and (ends["JS"] < 1).all()


def with_kl_the_small_learning_rate_arrives_and_the_larger_one_diverges():
    assert abs(ends["KL"][0.005]) < 1e-3 and abs(ends["KL"][0.03]) > 3
    assert abs(1 - 0.03 / 0.1**2 + 2) < 1e-12


def both_bounds_touch_their_maximum_once_and_never_cross_it():
    assert (V <= V_max + 1e-9).all() and (elbos <= evidence + 1e-9).all()
    assert abs(V.max() - V_max) < 1e-9 and abs(a[V.argmax()] - 1) < 1e-9
    assert abs(elbos.max() - evidence) < 1e-3
    assert abs(shifts[elbos.argmax()] - slope * observed / (slope**2 + noise**2)) < 0.05
    assert (V > V_max - 1e-6).sum() == 1


def five_divergences_by_two_routes():
    assert (five["by (2.15)"] - five["own route"]).abs().max() < 1e-7
    assert five["own route"].round(3).nunique() == 5


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
    assert abs(after["KL(narrow‖wide)"] - before["KL(narrow‖wide)"]) < 1e-4


def the_error_falls_like_one_over_the_root_of_n():
    assert (measured / predicted - 1).abs().max() < 0.25


def the_logarithm_of_an_estimate_is_too_small_and_less_so_with_more_samples():
    column, error = log_means["mean of log(estimate)"], log_means["standard error"]
    assert column.is_monotonic_increasing and (column < 0.5 + 4 * error).all() and column.iloc[0] < 0.1
