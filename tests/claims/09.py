"""What notebook 09 says of its own numbers."""


def _classes(x):
    return digit_classifier()(x).argmax(1)


def _within(values, target, errors=4.5):
    return (values.mean() - target).abs() < errors * values.std() / len(values) ** 0.5


# The autoencoders


def twenty_dimensions_reconstruct_far_better_than_two():
    error = {name: reconstruction_error(unseen, x_hat).mean() for name, x_hat in rebuilt.items()}
    mean_image = reconstruction_error(unseen, images.mean(0, keepdim=True)).mean()
    assert error["20"] < 0.6 * error["2"] and error["2"] < 0.8 * mean_image


def some_digits_come_back_from_two_dimensions_as_another():
    changed = {name: (_classes(x_hat) != _classes(unseen)).double().mean() for name, x_hat in rebuilt.items()}
    assert changed["2"] > 0.1 and changed["2"] > 2 * changed["20"]


def fid_more_than_doubles_with_a_fitted_gaussian_and_is_worst_from_the_standard_normal():
    assert 2 * scores["codes of images"] < scores["fitted Gaussian"] < 0.5 * scores["N(0, I)"]
    assert scores["real images"] < 0.3 * scores["codes of images"]
    assert 0.3 < confident(generated["fitted Gaussian"]) < 0.75


def the_codes_lie_several_times_further_out():
    assert codes_20.std(0).mean() > 2.5


def there_is_no_code_at_the_bottom_left():
    assert (codes < -1.5).all(1).double().mean() < 0.01


# The model that is known


def the_posterior_is_bayes_rule_at_every_place_of_the_grid():
    bayes = log_joint - exact
    places_ = torch.cartesian_prod(places, places)
    assert torch.allclose(bayes, MultivariateNormal(*small.posterior(x)).log_prob(places_), atol=1e-10)


def the_times_in_the_table_are_right():
    year = 365.25 * 24 * 3600
    assert 40**2 == 1600 and abs(40**5 / 1e8 - 1) < 0.03 and abs(40**20 / 1e32 - 1) < 0.15
    assert 40**2 / 1e6 < 0.002 and 100 < 40**5 / 1e6 < 140 and 3e18 < 40**20 / 1e6 / year < 4e18
    assert 3000 < 1e17 / 1e6 / year < 3300


def the_plain_mean_underflows_and_the_log_sum_exp_does_not():
    assert tiny.exp().mean() == 0 and abs(log_mean_exp(tiny) + 2000.3799) < 1e-3


# Naive Monte Carlo and importance sampling


def both_estimates_are_right_on_average():
    for log_w in (naive, weighted):
        assert _within((log_w - exact).exp(), 1)


def the_relative_variances_are_as_the_formulas_say():
    ratio = (naive - exact).exp()
    assert abs(ratio.var() / naive_relative_variance(small, x) - 1) < 0.1
    assert abs((weighted - exact).exp().var() / (1.5**2 / 2 - 1) - 1) < 0.1


def the_standard_deviation_halves_when_k_grows_fourfold():
    deviations = summary(naive)["standard deviation of p̂/p(x)"].to_numpy()
    ratios = deviations[:-1] / deviations[1:]
    assert (ratios > 1.8).all() and (ratios < 2.2).all()


def the_mean_logarithm_is_too_low_and_most_of_all_for_small_k():
    off = summary(naive)["mean of log p̂ − log p(x)"]
    assert off.is_monotonic_increasing and off.iloc[-1] < 0
    for K in (1, 4, 16, 64):
        error = log_mean_exp(naive.view(-1, K).T) - exact
        assert error.mean() < -4 * error.std() / len(error) ** 0.5


def importance_sampling_is_nearly_five_times_less_spread():
    ratio = (naive - exact).exp().std() / (weighted - exact).exp().std()
    assert 4.2 < ratio < 5.3 and ratio**2 > 20 - 2


def the_effective_sample_size_is_k_over_one_plus_rho():
    for log_w in (naive, weighted):
        share = effective_sample_size(log_w) / len(log_w)
        assert abs(share * (1 + (log_w - exact).exp().var()) - 1) < 0.1


# Twenty latent dimensions


def naive_estimates_stay_tens_of_nats_too_low_and_most_of_them_more_than_100():
    assert all((error < -30).all() and error.median() < -100 for error in errors.values())


def the_signs_are_there():
    assert signs["share of the largest weight"].median() > 0.9
    assert signs["effective sample size"].median() < 1.3 and signs["effective sample size"].max() < 3
    difference = signs["first half − second half, nats"].abs()
    assert 10 < difference.median() < 100
    assert signs["log₁₀ ρ"].min() > 16


def the_posterior_is_narrower_than_the_prior_in_each_dimension():
    _, cov = model.posterior(x_5)
    assert cov.diagonal().max() < 0.25
    assert (cov - torch.diag(cov.diagonal())).abs().max() < 1e-10


def ten_samples_come_within_a_nat_or_so_and_a_thousand_within_a_few_tenths():
    for K in (10, 100, 1000):
        assert by_importance[f"error, K = {K:,}"].abs().max() < 10 / K**0.5
    assert by_importance["error, K = 10"].abs().median() < 1.5
    assert 200 < ess_5.min() and ess_5.max() < 450


def the_open_tasks_formula_holds():
    u = torch.linspace(-30, 30, 60_001)
    for c, t in ((1.0, 0.5), (1.0, 1.0), (2.0, 1.0), (4.0, 1.5)):
        log_square = 2 * Normal(0.0, 1.0).log_prob(u) - Normal(t, math.sqrt(c)).log_prob(u)
        by_sum = log_square.exp().sum() * (u[1] - u[0])
        assert abs(by_sum / (c / math.sqrt(2 * c - 1) * math.exp(t**2 / (2 * c - 1))) - 1) < 1e-6


# Going deeper


def fid_sees_the_hole_and_the_classifier_is_confident_about_most_blots():
    (_, fid, _), (_, fid_of_hole, share) = holes["at the codes"], holes["in a hole"]
    assert fid_of_hole > 2 * fid and share > 0.5


def the_likelihood_depends_on_the_covariance_alone():
    cov = model.weight @ model.weight.T + model.std**2 * torch.eye(784)
    centred = digits - model.bias
    of_data = centred.T @ centred / len(digits)
    trace = torch.linalg.solve(cov, of_data).trace()
    assert abs(training + 0.5 * (784 * math.log(2 * math.pi) + torch.logdet(cov) + trace)) < 1e-6


def weights_a_little_different_are_less_likely():
    other = LinearGaussian(model.weight + 0.01 * torch.randn(784, 20), model.bias, model.std)
    assert other.log_evidence(digits).mean() < training


def samples_of_the_linear_model_are_worse_than_those_of_the_fitted_gaussian():
    assert linear_fid > 2 * scores["fitted Gaussian"]


def unseen_digits_are_less_likely():
    assert 5 < training - validation < 40 and validation > 0


def the_third_direction_dies():
    assert torch.allclose(squares[-1], torch.tensor([3.0, 1.0, 0.0]), atol=1e-4)
    assert torch.allclose(lengths[-1], torch.tensor([3.0, 1.0, 0.0]), atol=0.05)


def the_bias_of_the_logarithm_is_rho_over_2k_once_k_is_large():
    for name, r in (("naive", rho), ("importance", rho_q)):
        assert all(abs(too_low[name][j] * 2 * Ks[j] / r - 1) < 0.3 for j in (4, 5, 6))


def more_samples_raise_the_logarithm_in_every_group():
    sixteens = log_mean_exp(naive.view(-1, 16).T).view(-1, 4).mean(1)
    assert (log_mean_exp(naive.view(-1, 64).T) >= sixteens - 1e-12).all()


def a_wide_q_is_measured_well_and_a_narrow_one_is_not():
    for c, (formula, smallest, largest) in widths.iterrows():
        if c > 0.5:
            assert max(abs(smallest - formula), abs(largest - formula)) < 0.3 * formula + 1e-9
        else:
            assert math.isinf(formula) and largest > 3 * smallest
    assert abs(1.5 / math.sqrt(2) - 1.06) < 0.005 and 2.8 < (1.5 / math.sqrt(2)) ** 20 < 3.4


def each_latent_dimension_costs_nearly_a_factor_of_ten():
    median = quantiles[:, 1]
    assert (median.diff() > 0).all() and median[0] < 1
    assert 0.8 < (median[-1] - median[0]) / 19 < 1.1
