"""What notebook 03 says of its own numbers."""


def an_undecided_discriminator_scores_minus_log_4_and_a_rough_idea_scores_better():
    assert abs(undecided + math.log(4)) < 1e-9 and falling > undecided + 0.1


def the_optimum_at_one_x_is_a_maximum_and_the_only_one():
    alpha, beta = 0.24, 0.09
    d = torch.tensor(alpha / (alpha + beta), requires_grad=True)
    f = alpha * torch.log(d) + beta * torch.log(1 - d)
    (first,) = torch.autograd.grad(f, d, create_graph=True)
    (second,) = torch.autograd.grad(first, d)
    assert abs(first) < 1e-12 and second < 0
    others = torch.linspace(0.001, 0.999, 999)
    assert abs(others[(alpha * others.log() + beta * (1 - others).log()).argmax()] - d) < 1e-3


def the_example_worked_by_hand_is_right():
    def f(d, alpha=0.3, beta=0.1):
        return alpha * math.log(d) + beta * math.log(1 - d)

    for d, said in ((0.5, -0.277), (0.9, -0.262), (0.75, -0.225)):
        assert abs(f(d) - said) < 6e-4
    assert abs(math.log(0.3 / 0.1) - 1.10) < 0.005 and abs(1 / (1 + math.exp(-1.10)) - 0.75) < 0.001
    p, q = torch.tensor([0.8, 0.2]), torch.tensor([0.4, 0.6])
    m, best_d = (p + q) / 2, p / (p + q)
    assert torch.allclose(best_d, torch.tensor([2 / 3, 1 / 4])) and torch.allclose(
        m, torch.tensor([0.6, 0.4])
    )
    real, fakes = (p * best_d.log()).sum(), (q * (1 - best_d).log()).sum()
    assert abs(real + 0.6016) < 6e-5 and abs(fakes + 0.6121) < 6e-5 and abs(real + fakes + 1.2137) < 6e-5
    halves = (p * (p / m).log()).sum(), (q * (q / m).log()).sum()
    assert abs(halves[0] - 0.0915) < 6e-5 and abs(halves[1] - 0.0811) < 6e-5
    assert abs(sum(halves) - 0.1726) < 6e-5 and abs(sum(halves) - math.log(4) - (real + fakes)) < 1e-12


def left_of_the_peak_the_optimal_discriminator_still_rises():
    assert (D_star[x < -1].diff() <= 0).all() and D_star[(x + 2).abs().argmin()] > D_star[
        (x + 1).abs().argmin()
    ]


def at_mean_minus_1_the_first_curve_is_lowest_but_above_minus_log_4():
    first = next(iter(curves.values()))
    assert first.argmin() == 0 and abs(first[0] + 1.276) < 6e-4


def the_form_with_logarithms_is_finite_where_the_ratio_is_not():
    far = torch.tensor([45.0])
    there_p, there_q = Normal(-1.0, 1.0).log_prob(far), Normal(1.5, 0.6).log_prob(far)
    assert (there_p.exp() / (there_p.exp() + there_q.exp())).isnan().all()
    assert optimal_discriminator(there_p, there_q).isfinite().all()


def the_optimal_discriminator_is_a_half_where_the_densities_cross():
    crossings = x[1:][(D_star[1:] - 0.5).sign() != (D_star[:-1] - 0.5).sign()]
    assert len(crossings) == 2
    assert abs(crossings[0] - 0.4) < 0.06 and abs(crossings[1] - 5.4) < 0.06
    assert D_star[x > 8].min() > 0.99 and log_p[x > 5.4].max().exp() < 1e-6


def the_value_of_the_best_is_the_ceiling():
    half = (kl(log_p, log_mixture(log_p, log_q), x) + kl(log_q, log_mixture(log_p, log_q), x)) / 2
    assert abs(best - ceiling) < 1e-9 and abs(2 * half - math.log(4) - ceiling) < 1e-12


def the_lowest_ceiling_is_where_q_is_p():
    places = torch.linspace(-8, 6, 141)
    ceilings = 2 * js(log_p, Normal(places[:, None], 1.0).log_prob(x), x) - math.log(4)
    assert abs(places[ceilings.argmin()] + 1) < 1e-9 and abs(ceilings.min() + math.log(4)) < 1e-9


def the_best_straight_line_is_flat_although_the_generator_is_bad():
    assert abs(w[i]) < 1e-9 and abs(c[j]) < 1e-9
    # Beyond ±12 a normal density with σ = 3 keeps 6e-5 of its mass.
    assert abs(scores.max() + math.log(4)) < 1e-4
    assert js(log_data, log_wide, x) > 0.1 and best_of_all > scores.max() + 0.2
    line = torch.zeros(2, requires_grad=True)  # on a grid that holds all of the wide density
    both = [Normal(0.0, sigma).log_prob(fine) for sigma in (1.0, 3.0)]
    (slope_of_v,) = torch.autograd.grad(value(line[0] * fine + line[1], *both, fine), line)
    assert slope_of_v.abs().max() < 1e-6


def from_samples_the_network_finds_the_optimal_discriminator():
    where = log_mixture(log_p, log_q).exp()

    def error(D):
        return integral(where * (D - D_star).abs(), x)

    assert error(torch.full_like(x, 0.5)) > 0.2 and error(learned["2,000 steps"]) < 0.01
    assert error(learned["10 steps"]) > 2 * error(learned["2,000 steps"])


def far_right_the_network_is_wrong():
    assert (learned["2,000 steps"] - D_star)[x > 7].abs().min() > 0.5


def against_the_best_discriminator_g_descends_js_and_against_a_poor_one_not():
    of_js, of_v, poor = (torch.tensor(gradients[name]) for name in ("2·JS", "V, with D*", "V, with a poor D"))
    assert torch.allclose(of_js, of_v, atol=1e-8) and (poor.abs() < of_js.abs() / 2).all()
    assert torch.cosine_similarity(poor, of_js, dim=0) < 0.999


def the_curve_of_a_fixed_discriminator_lies_below_and_touches_where_it_is_the_best():
    ceilings = 2 * js(log_p, log_moved, x) - math.log(4)
    below = ceilings - value(fixed, log_p, log_moved, x)
    assert below.min() > -1e-9 and abs(moved[below.argmin()] - 1.5) < 1e-9
    poor = value(fixed / 10, log_p, log_moved, x)
    assert (ceilings - poor)[abs(moved - 1.5) < 0.5].min() > 0.2
    assert (poor[1:] - poor[:-1]).abs().max() < (ceilings[1:] - ceilings[:-1]).abs().max()


def beyond_3_the_bound_falls_while_js_grows():
    right = moved > 3.2
    lowered, grown = value(fixed, log_p, log_moved, x)[right], js(log_p, log_moved, x)[right]
    assert (lowered.diff() < 0).all() and (grown.diff() > 0).all()


def the_smallest_gan_plays_the_bilinear_game_near_0():
    at, knob = torch.tensor([0.05, -0.08, 0.1]), torch.tensor([0.1, 0.07, -0.06])
    v = logsigmoid(torch.zeros(3)) + logsigmoid(2 * at * knob)  # real points at 0; 1 - D of the fakes
    assert torch.allclose(v, -math.log(4) + at * knob, atol=1e-4)


def the_logit_agrees_only_where_both_have_samples():
    of_net, true = net(x[:, None]).squeeze(1).detach(), optimal_logit(log_p, log_q)
    assert (of_net - true)[(x > -0.5) & (x < 2.5)].abs().max() < 0.3
    left = (x > -5) & (x < -3)
    assert true[left].min() > 20 and 12 < of_net[left].min() and of_net[left].max() < 16
    assert of_net[left].sigmoid().min() > 0.9999
    right = (x > 5.4) & (x < 8)
    assert (true[right] > 0).all() and (of_net[right] < 0).all()


def at_a_confident_discriminator_the_saturating_loss_is_flat_and_the_other_is_not():
    flat, steep = (slope[0].item() for slope in slopes.values())
    assert a[0] == -10 and abs(flat + 0.00005) < 5e-6 and abs(steep + 0.99995) < 5e-6
    for slope, formula in zip(slopes.values(), (-a.sigmoid(), a.sigmoid() - 1), strict=True):
        assert torch.allclose(slope, formula.detach())


def _distance(name):
    return paths[name].norm(dim=1)


def simultaneous_steps_spiral_outwards_and_alternating_ones_circle():
    t = torch.arange(T + 1.0)
    assert torch.allclose(_distance("simultaneous"), (1 + ETA**2) ** (t / 2))
    assert abs(_distance("simultaneous")[60] - 3.24) < 0.005 and abs(math.sqrt(1 + ETA**2) - 1.0198) < 5e-5
    p = paths["alternating"]
    ellipse = p.square().sum(1) - ETA * p.prod(dim=1)
    assert torch.allclose(ellipse, ellipse[:1].expand(T + 1))
    assert (_distance("alternating") - 1).abs().max() < 0.2


def one_turn_of_the_spiral_grows_by_e_to_pi_eta():
    for eta in (0.2, 0.1, 0.05):
        turn = 2 * math.pi / math.atan(eta)  # steps
        assert abs((1 + eta**2) ** (turn / 2) / math.exp(math.pi * eta) - 1) < 0.02


def the_step_is_at_a_right_angle_and_extragradient_shrinks_the_radius_first():
    point = torch.tensor([0.3, -1.7])
    turned = torch.stack([-point[1], point[0]])
    assert point @ turned == 0
    plain, ahead = (
        torch.tensor(step([tuple(point.tolist())], 0.6)) for step in (simultaneous, extragradient)
    )
    assert torch.allclose(plain, point + 0.6 * turned)
    assert torch.allclose(ahead, (1 - 0.36) * point + 0.6 * turned)


def extragradient_converges():
    t = torch.arange(T + 1.0)
    assert torch.allclose(_distance("extragradient"), (1 - ETA**2 + ETA**4) ** (t / 2))
    assert abs(_distance("extragradient")[60] - 0.31) < 0.005 and _distance("extragradient")[-1] < 0.1


def _factors(lam, eta=0.2):
    """The largest absolute eigenvalue of the open task's two maps."""
    both = torch.tensor([[1, -eta], [eta, 1 - eta * lam]])
    in_turn = torch.tensor([[1, -eta], [eta, 1 - eta * lam - eta**2]])
    return [torch.linalg.eigvals(m).abs().max().item() for m in (both, in_turn)]


def the_open_task_has_the_answer_that_is_given():
    assert _factors(0.19)[0] > 1 > _factors(0.21)[0] and _factors(0.01)[1] < 1 < _factors(0.0)[1] + 1e-9
    assert _factors(3.0)[0] > _factors(2.0)[0] + 0.01 and _factors(3.0)[1] > _factors(1.8)[1] + 0.01


def the_two_sides_agree_to_six_decimals():
    assert (sides["V(D*)"] - sides["2·JS − log 4"]).abs().max() < 5e-7
    assert abs(sides["V(D*)"]["hardly any overlap"]) < 1e-6


def the_gap_is_twice_the_mean_of_a_kl():
    assert abs(gap - twice_mean) < 1e-6 < gap


def the_non_saturating_gradient_is_that_of_another_divergence():
    first, second, third, of_js = (torch.tensor(each) for each in of_loss.values())
    assert torch.allclose(first, second, atol=1e-8) and torch.allclose(first, third, atol=1e-8)
    assert not torch.allclose(first, of_js, atol=0.1)


def _place(p, divergence):
    table = divergence(p, log_single)
    return means[table.min(dim=1).values.argmin()].item()


def the_minimax_game_covers_and_the_other_takes_one_mode():
    def minimax(p, q):
        return js(p, q, coarse)

    over_both, on_one = (means[best_sigma.argmin()].item() for best_sigma in lowest.values())
    assert over_both == 0 and abs(on_one - 2) < 0.06
    widths = [sigmas[table.argmin() % len(sigmas)].item() for table in goals.values()]
    assert abs(widths[0] - 2.075) < 0.02 and abs(widths[1] - 0.6) < 0.02
    for curve in lowest.values():  # a second minimum, at the other place
        inner = (curve[1:-1] <= curve[:-2]) & (curve[1:-1] <= curve[2:])
        assert inner.sum() + (curve[0] < curve[1]) == 2
    apart = log_mixture(Normal(-3.0, 0.6).log_prob(coarse), Normal(3.0, 0.6).log_prob(coarse))
    assert _place(apart, minimax) > 2.8


def the_average_of_alternating_steps_arrives_and_that_of_simultaneous_ones_does_not():
    telescoped = paths["alternating"][1:, 1] / (ETA * count[:, 0])  # y₀ is 0
    assert torch.allclose(mean_of["alternating"][:, 0], telescoped)
    assert mean_of["alternating"][-1].norm() < 0.1 < 1 < mean_of["simultaneous"][-1].norm()


def a_root_of_optimism_is_on_the_circle_at_one_over_the_root_of_three():
    rho, eta = torch.polar(torch.tensor(1.0), torch.tensor(math.pi / 3)), 1 / math.sqrt(3)
    assert (rho**2 - (1 + 2j * eta) * rho + 1j * eta).abs() < 1e-12


def optimism_converges_below_one_over_the_root_of_three():
    assert distances["optimistic steps themselves"][-1] < 0.1
    for eta, arrives in ((0.56, True), (0.6, False)):
        assert (path(optimistic, (1.0, 0.0), eta, 400)[-1].norm() < 0.1) == arrives
