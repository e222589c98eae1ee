"""What notebook 11 says of its own numbers."""


def _within(g, target, errors=4.5):
    return ((g.mean(0) - target).abs() < errors * g.std(0) / len(g) ** 0.5).all()


def a_sample_has_no_gradient():
    assert not mean_f.requires_grad


# Two estimators


def both_means_agree_with_the_exact_derivative_in_one_dimension():
    assert abs((2 - 0.5) / 0.8**2 - 2.344) < 0.001
    for each in contributions.values():
        assert abs(each.mean() - (2 - 0.5) / 0.8**2) < 4.5 * each.std() / len(each) ** 0.5


def the_score_function_scatters_far_more_and_the_baseline_takes_almost_a_half_away():
    deviation = {name: each.std().item() for name, each in contributions.items()}
    assert deviation["score function"] > 2 * 2.344 and deviation["score function"] > 4 * deviation["pathwise"]
    assert 0.5 < deviation["score function with the baseline"] / deviation["score function"] < 0.6
    assert abs(f_1d(0.5 + 0.6 * torch.randn(200_000, 1)).mean() + 2.735) < 0.02


def the_largest_contributions_come_from_the_far_left():
    largest = contributions["score function"].topk(1000).indices
    assert (eps_1d[largest, 0] < -1.5).all()


def the_table_of_two_samples():
    z = torch.tensor([1.1, -0.1])
    f, score_there, slope = f_1d(z[:, None]), (z - 0.5) / 0.6**2, (2 - z) / 0.8**2
    columns = [f, score_there, f * score_there, (f + 2.735) * score_there, slope]
    shown = [[-1.33, -4.14], [1.67, -1.67], [-2.21, 6.90], [2.34, 2.34], [1.41, 3.28]]
    assert torch.allclose(torch.stack(columns), torch.tensor(shown), atol=0.0051)
    means = torch.stack(columns).mean(1)
    assert torch.allclose(means, torch.tensor([-2.735, 0, 2.34, 2.34, 2.34]), atol=0.0051)


def both_agree_with_the_exact_gradient_of_the_elbo():
    assert _within(by_score, exact) and _within(by_path, exact)


def the_variances_differ_by_a_factor():
    assert (by_score.var(0) / by_path.var(0) > 5).all()


def no_component_ends_three_standard_errors_away():
    assert _within(by_score, exact, 3) and _within(by_path, exact, 3)


def _late(name):
    return sum(runs[name]["below"][-500:]) / 500


def the_pathwise_gradient_comes_within_hundredths_of_a_nat():
    assert _late("pathwise, 1") < 0.1


def the_score_function_is_many_times_further_away():
    assert _late("score function, 1") > 5 * _late("pathwise, 1")


def ten_samples_help_and_with_a_baseline_they_bring_it_level():
    assert (
        _late("score function, 1")
        > 3 * _late("score function, 10")
        > 6 * _late("score function, 10, baseline")
    )
    assert _late("score function, 10, baseline") < 3 * _late("pathwise, 1")


def adam_makes_the_useful_part_of_a_step_smaller_where_the_gradient_is_noisy():
    def part(g):  # of a step: the mean gradient over the root mean square
        return (g.mean(0).abs() / g.square().mean(0).sqrt())[:2]

    assert (part(by_score) < 0.5 * part(by_path)).all()


# Detached gradients


def loss_c_misses_the_gradient_of_the_entropy():
    by_autograd, by_differences = checks["loss_c"]
    assert torch.allclose(by_autograd - by_differences, torch.tensor([0.0, 0.0, 0.5, 0.5]), atol=1e-4)


def all_five_losses_have_the_right_value():
    for samples in values.values():
        assert _within(samples, at_start)


def each_mistake_has_its_symptom():
    end = {name: history["below"][-1] for name, history in broken.items()}
    assert end["loss_b"] < 0.2
    assert min(end["loss_a"], end["loss_d"], end["loss_e"]) > 30
    for name in ("loss_a", "loss_e"):
        assert abs(broken[name]["mu"][-1]) < 0.05 and abs(broken[name]["sigma"][-1] - 1) < 0.05
    assert torch.allclose(*(torch.tensor(list(broken[name]["below"])) for name in ("loss_a", "loss_e")))


def loss_c_is_close_first_and_then_its_sigma_shrinks_without_end():
    below = broken["loss_c"]["below"]
    assert min(below) < 0.5 and 0.5 < below[-1] < 3 and below[-1] > 2 * min(below)
    assert broken["loss_c"]["sigma"][-1] < 0.75 * broken["loss_b"]["sigma"][-1]
    longer = fit(loss_c, steps=2500)
    assert longer["below"][-1] > 1.3 * below[-1]
    assert longer["sigma"][-1] < 0.8 * broken["loss_c"]["sigma"][-1]


def torch_normal_looks_as_if_it_had_a_gradient():
    assert torch.normal(mu, (log_var / 2).exp()).requires_grad


def only_loss_b_agrees_with_finite_differences():
    for name, (claimed, done) in checks.items():
        assert torch.allclose(claimed, done, rtol=1e-4) == (name == "loss_b")


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


def the_best_baseline_lowers_the_variance_as_the_correlation_says():
    best, one = table.loc["best ÷ score function"], table.loc["1 − ρ²"]
    assert ((best - one).abs() < 0.05 * one).all() and (best < 1).all()
    others = table.loc["… baseline: mean of the others"]
    assert (others < 1.3 * table.loc["… best baseline"]).all()
    assert (table.loc["pathwise"] < table.loc["… best baseline"]).all()


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
    assert ((frequency - q).abs() < 3 * (q * (1 - q) / K).sqrt()).all()


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


def straight_through_follows_the_derivative_at_the_end_of_the_way_only():
    """At a small τ the soft mean is right: along each way the slopes add up to the difference. The hard one is not."""
    assert soft[0, 0] < 0.05 < hard[0, 0]
    t = torch.linspace(0, 1, 2001)
    corners = torch.eye(4)
    for i in range(4):
        for j in range(4):
            way = (1 - t)[:, None] * corners[i] + t[:, None] * corners[j]
            way.requires_grad_()
            slope = torch.autograd.grad(log_bernoulli(way).sum(), way)[0] @ (corners[j] - corners[i])
            assert torch.allclose(torch.trapezoid(slope, t), f[j] - f[i], atol=1e-4)


def float32_would_hide_what_the_check_looks_for():
    """Rounding of a loss of 39, divided by 2h."""
    assert torch.finfo(torch.float32).eps * at_start / 2 / 2e-4 > 0.01
