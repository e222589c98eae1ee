"""What notebook 11 says of its own numbers."""


def _within(g, target, errors=4.5):
    return ((g.mean(0) - target).abs() < errors * g.std(0) / len(g) ** 0.5).all()


def a_sample_has_no_gradient():
    assert not mean_f.requires_grad


# Two estimators


def both_means_agree_with_the_exact_derivative_in_one_dimension():
    assert abs((2 - 0.5) / 0.8**2 - 2.344) < 0.001
    off = (in_one_dimension["mean"] - (2 - 0.5) / 0.8**2).abs()
    assert (off < 4.5 * in_one_dimension["standard error"]).all()


def the_score_function_scatters_several_times_its_mean():
    deviation = in_one_dimension["standard deviation of one sample"]
    assert deviation["score function"] > 2 * 2.344 and deviation["score function"] > 4 * deviation["pathwise"]


def both_agree_with_the_exact_gradient_of_the_elbo():
    assert _within(by_score, exact) and _within(by_path, exact)


def the_variances_differ_by_a_factor():
    assert (by_score.var(0) / by_path.var(0) > 5).all()


def the_pathwise_gradient_comes_within_hundredths_of_a_nat():
    assert late["pathwise, 1 sample"] < 0.1


def the_score_function_is_many_times_further_away():
    assert late["score, 1 sample"] > 5 * late["pathwise, 1 sample"]


def ten_samples_and_a_baseline_bring_it_level():
    assert late["score, 10 samples, baseline"] < 3 * late["pathwise, 1 sample"]


# Detached gradients


def all_five_losses_have_the_right_value():
    for samples in values.values():
        assert _within(samples, value)


def each_mistake_has_its_symptom():
    end = {name: history["below"][-1] for name, history in broken.items()}
    assert end["right"] < 0.2
    assert min(end["with_sample"], end["with_normal"], end["all_by_sample"]) > 30
    for name in ("with_sample", "with_normal"):
        assert abs(broken[name]["mu"][-1]) < 0.05 and abs(broken[name]["sigma"][-1] - 1) < 0.05


def log_q_detached_is_close_first_and_ends_about_a_nat_below_with_a_small_sigma():
    below = broken["log_q_detached"]["below"]
    assert min(below) < 0.5 and 0.5 < below[-1] < 3 and below[-1] > 2 * min(below)
    assert broken["log_q_detached"]["sigma"][-1] < 0.75 * broken["right"]["sigma"][-1]


def torch_normal_looks_as_if_it_had_a_gradient():
    assert torch.normal(mu, (log_var / 2).exp()).requires_grad


def only_right_agrees_with_finite_differences():
    for name, (claimed, done) in checks.items():
        assert torch.allclose(claimed, done, rtol=1e-4) == (name == "right")


def a_surrogate_loss_fails_the_check():
    claimed, done = gradient_check(lambda: surrogate_loss(mu, log_var), [mu, log_var])
    assert not torch.allclose(claimed, done, rtol=1e-2)


def the_formulas_of_the_open_task_hold():
    u = torch.rand(200_000) - 0.5
    z = 0.3 - 0.7 * u.sign() * torch.log(1 - 2 * u.abs())
    laplace = torch.distributions.Laplace(0.3, 0.7)
    assert abs(z.mean() - 0.3) < 0.02 and abs(z.std() / (0.7 * 2**0.5) - 1) < 0.02
    where, scale = torch.tensor(0.3, requires_grad=True), torch.tensor(0.7, requires_grad=True)
    log_q = torch.distributions.Laplace(where, scale).log_prob(z[:50]).sum()
    in_where, in_scale = torch.autograd.grad(log_q, (where, scale))
    distance = z[:50] - laplace.loc
    assert torch.allclose(in_where, (distance.sign() / 0.7).sum())
    assert torch.allclose(in_scale, ((distance.abs() / 0.7 - 1) / 0.7).sum())


# Going deeper


def the_variance_grows_like_d_squared_like_d_and_not_at_all():
    power = {name: math.log(line[-1] / line[3]) / math.log(128 / 8) for name, line in variances.items()}
    assert 1.8 < power["score function"] < 2.2 and 0.7 < power["with a baseline"] < 1.2
    assert abs(power["pathwise"]) < 0.1
    last = {name: line[-1] for name, line in variances.items()}
    assert last["score function"] > 100 * last["with a baseline"] > 10_000 * last["pathwise"]


def rough_and_jumping_integrands():
    for true, mean, variance, *_ in rough.values():
        assert abs(mean - true) < 4.5 * (variance / 1e5) ** 0.5
    assert rough["sin 8z"][4] > 40 * rough["sin 8z"][2]
    assert rough["1 if z > 0"][3:] == [0, 0] and rough["1 if z > 0"][1] > 0.35


def all_five_estimators_have_the_same_mean():
    for g in reduced.values():
        assert _within(g - kl_gradient, exact)


def the_best_coefficient_lowers_the_variance_as_the_correlation_says():
    best, one = table.loc["best ÷ score function"], table.loc["1 − ρ²"]
    assert ((best - one).abs() < 0.05 * one).all() and (best < 1).all()
    others = table.loc["… baseline: mean of the others"]
    assert (others < 1.3 * table.loc["… best coefficient"]).all()
    assert (table.loc["pathwise"] < table.loc["… best coefficient"]).all()


def the_mean_of_the_batch_shrinks_the_gradient():
    few = torch.randn(50_000, 3, 2)
    f = log_likelihood(mu.detach() + (log_var.detach() / 2).exp() * few)  # (50_000, 3)
    in_mu = few / (log_var.detach() / 2).exp()
    g = ((f - f.mean(1, keepdim=True))[..., None] * in_mu).mean(1)
    exact_mu = (exact + kl_gradient)[:2]
    assert _within(g, exact_mu * 2 / 3) and not _within(g, exact_mu)


def detaching_the_parameters_inside_log_q_keeps_the_gradient():
    mus, log_vars = (part.detach().repeat(100_000, 1).requires_grad_() for part in (mu, log_var))
    z = mus + (log_vars / 2).exp() * torch.randn(100_000, 2)
    log_q = Normal(mus.detach(), (log_vars.detach() / 2).exp()).log_prob(z).sum(1)
    bound = log_likelihood(z) + model.log_prior(z) - log_q
    assert _within(torch.cat(torch.autograd.grad(bound.sum(), (mus, log_vars)), 1), exact)


def at_the_posterior_that_gradient_has_no_variance():
    one = LinearGaussian(
        model.weight[:, :1], model.bias, model.std
    )  # one dimension: the posterior is diagonal
    mean, cov = one.posterior(x)
    mus, log_vars = (p.repeat(100, 1).requires_grad_() for p in (mean, cov.diagonal().log()[None]))
    z = mus + (log_vars / 2).exp() * torch.randn(100, 1)
    log_q = Normal(mus.detach(), (log_vars.detach() / 2).exp()).log_prob(z).sum(1)
    bound = one.log_likelihood(x, z) + one.log_prior(z) - log_q
    assert torch.cat(torch.autograd.grad(bound.sum(), (mus, log_vars)), 1).abs().max() < 1e-9


def the_largest_wins_as_often_as_the_softmax_says():
    assert ((frequency - q).abs() < 4.5 * (q * (1 - q) / K).sqrt()).all()


def ours_is_the_gumbel_softmax_of_pytorch():
    for straight in (False, True):
        torch.manual_seed(1)
        theirs = torch.nn.functional.gumbel_softmax(logits.expand(5, 4), tau=0.5, hard=straight)
        torch.manual_seed(1)
        assert torch.allclose(gumbel_softmax(logits, 0.5, gumbel((5, 4)), straight), theirs)


def a_relaxation_trades_bias_for_variance():
    assert by_choice[0] < 4.5 * by_choice[1]
    assert (soft[2:, 0] > 10 * soft[2:, 1]).all() and (hard[:, 0] > 4 * hard[:, 1]).all()
    assert soft[0, 0] < 0.3 * soft[3, 0] and soft[0, 4] > 3 * soft[3, 4]
    assert soft[2, 4] > by_choice[4] > soft[3, 4]
    assert soft[4, 2] < 0.6 and soft[4, 3] > 0.9  # at τ = 2: too short, in nearly the right direction
