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
    assert real < 0.3 * scores["codes of images"]
    assert 0.3 < confident(generated["fitted Gaussian"]) < 0.75


def the_codes_lie_several_times_further_out():
    assert codes_20.std(0).mean() > 2.5


def there_is_no_code_at_the_bottom_left():
    assert (codes < -1.5).all(1).double().mean() < 0.01
    framed = grid[empty]
    assert len(framed) >= 6 and (framed < 0.3).all(1).double().mean() > 0.8


def most_framed_places_are_blots_and_the_top_between_zeros_and_twos_is_not():
    blots = two.decode(centre + scale * grid[empty]).mean((1, 2, 3))
    top = grid[(grid[:, 1] > 1.9) & (grid[:, 0].abs() < 0.5)]
    fine = two.decode(centre + scale * top).mean((1, 2, 3))
    assert fine.max() < 0.2 and (blots > 0.25).double().mean() > 0.5
    assert ((codes[:, 0].abs() < 0.5) & (codes[:, 1] > 1.5)).double().mean() < 0.01  # few codes there


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


def the_lottery_and_the_small_numbers_are_right():
    assert 0.985 < (1 - 1e-6) ** 10_000 < 0.995
    assert (4 / 1) ** 0.5 == 2 and abs((4 / 100) ** 0.5 - 1 / 5) < 1e-9
    assert abs(7**20 / 1e17 - 1) < 0.25
    tiny_model = LinearGaussian(torch.ones(1, 1), torch.zeros(1), 1.0)
    mean, cov_ = tiny_model.posterior(torch.tensor([2.0]))
    assert mean.item() == 1 and cov_.item() == 0.5
    evidence = Normal(0.0, math.sqrt(2)).log_prob(torch.tensor(2.0))
    assert abs(tiny_model.log_evidence(torch.tensor([2.0])) - evidence) < 1e-9


def both_estimates_are_right_on_average():
    for log_w in (naive, weighted):
        assert _within((log_w - exact).exp(), 1)


def the_relative_variances_are_as_the_formulas_say():
    ratio = (naive - exact).exp()
    assert abs(ratio.var() / naive_relative_variance(small, x) - 1) < 0.1
    assert abs((weighted - exact).exp().var() / (1.5**2 / 2 - 1) - 1) < 0.1


def the_standard_deviation_halves_when_k_grows_fourfold():
    deviations = summary(naive)["p̂/p(x): standard deviation"].to_numpy()
    ratios = deviations[:-1] / deviations[1:]
    assert (ratios > 1.8).all() and (ratios < 2.2).all()


def the_mean_logarithm_is_too_low_and_most_of_all_for_small_k():
    off = summary(naive)["log p̂ − log p(x): mean"]
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
    rho_seen = (naive - exact).exp().var()
    assert abs(rho_seen**0.5 - 1.67) < 0.02 and abs(1 / (1 + rho_seen) - 0.26) < 0.005
    assert abs(1000 / (1 + ((1.5 / math.sqrt(2)) ** 20 - 1)) - ess_5.mean()) < 60


# Twenty latent dimensions


def naive_estimates_stay_tens_of_nats_too_low_and_most_of_them_more_than_100():
    for K in (100, 1000, 10_000, 50_000):
        error = log_mean_exp(log_w_prior[:K]) - exact_5
        assert (error < -30).all() and error.median() < -100


def the_signs_are_there():
    assert signs["effective sample size"].median() < 1.3 and signs["effective sample size"].max() < 3
    assert 10 < signs["first half − second half, nats"].abs().median() < 100
    assert signs["log₁₀ ρ"].min() > 17


def the_posterior_is_narrower_than_the_prior_in_each_dimension():
    stds = cov.diagonal().sqrt()
    assert 0.065 < stds.min() and stds.max() < 0.205
    assert (cov - torch.diag(cov.diagonal())).abs().max() < 1e-10


def ten_samples_come_within_a_nat_or_so_and_a_thousand_within_a_few_tenths():
    error = {K: (log_mean_exp(log_w_q[:K]) - exact_5).abs() for K in (10, 1000)}
    assert error[10].max() < 10 / 10**0.5 and error[10].median() < 1.5 and error[1000].max() < 10 / 1000**0.5
    assert 200 < ess_5.min() and ess_5.max() < 450


def in_the_open_task_the_best_width_grows_and_then_stays():  # means over forty plots
    found = {}
    std = cov.diagonal().sqrt()
    for t in (0.0, 0.5, 1.0):
        for c in (1.0, 1.5, 3.0):
            shifted = Normal(mu + t * std, (math.sqrt(c) * std).expand_as(mu))
            errors = []
            for _ in range(40):
                z_ = shifted.sample((1000,))
                log_w = model.log_likelihood(x_5, z_) + model.log_prior(z_) - shifted.log_prob(z_).sum(-1)
                errors.append((log_mean_exp(log_w) - exact_5).abs().mean())
            found[t, c] = torch.stack(errors).mean()
    assert found[0.0, 1.0] < 1e-6 < min(found[0.0, 1.5], found[0.0, 3.0])
    assert found[0.5, 1.5] < found[0.5, 1.0] < found[0.5, 3.0]
    assert found[1.0, 1.5] < found[1.0, 3.0] < found[1.0, 1.0]


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


def each_latent_dimension_costs_a_factor_of_about_nine():
    median = quantiles[:, 1]
    assert (median.diff() > 0).all()
    assert 8 < 10 ** ((median[-1] - median[0]) / 19) < 9.5
    one = 10 ** log10_rho[0]
    assert 6.5 < one.median() < 7.8 and 0.01 < (one > 200).double().mean() < 0.03


def the_classifier_is_surer_of_blots_than_of_digits():
    assert holes["in a hole"][2] > holes["at the codes"][2] + 0.05


def the_posterior_of_one_number_is_half_way():
    prior, likelihood = -(z_line**2) / 2, -((2 - z_line) ** 2) / 2
    log_posterior = Normal(1.0, 0.5**0.5).log_prob(z_line)
    assert (prior + likelihood - log_posterior).std() < 1e-5
