"""What notebook 14 says of its own numbers."""


def straight_through_is_the_derivative_at_the_code_and_the_true_one_is_0():
    passed_on = straight_through_gradient(h)[0]
    assert torch.allclose(passed_on, torch.tensor(at_code, dtype=torch.float64), atol=1e-6)
    assert max(map(abs, in_h)) == 0 and passed_on.abs().max() > 0.01


def the_third_step_crosses_a_border_and_f_falls_from_5_07_to_0_60():
    cells = nearest_code(torch.cat(path), codes).tolist()
    assert cells[0] == cells[1] == cells[2] != cells[3] and len(path) == 4
    before, after = (f(codes[each]).item() for each in (cells[0], cells[3]))
    assert abs(before - 5.07) < 0.005 and abs(after - 0.60) < 0.005
    steps = [(b - a)[0] for a, b in itertools.pairwise(path)]
    assert torch.allclose(steps[0], steps[1]) and torch.allclose(steps[0], steps[2])


def far_from_its_code_h_is_misled_and_f_rises_from_0_81_to_4_35():
    before, after = (other_f(codes[nearest_code(each, codes)]).item() for each in far)
    assert abs(before - 0.81) < 0.005 and abs(after - 4.35) < 0.005
    leaf = far[0].clone().requires_grad_()
    downhill = -torch.autograd.grad(other_f(leaf).sum(), leaf)[0][0]
    assert (far[1] - far[0])[0, 0] < -0.2  # left, where the way down at h is up, and half as far to the right
    assert downhill[0] > 0 and 0.5 < downhill[0] / downhill[1] < 0.6


def the_first_batch_restarts_most_codes_and_later_ones_come_some_45_steps_apart():
    assert abs(0.95**45 - 0.1) < 0.001
    restarted = codebooks["EMA and restarts"][1]["restarted"]
    assert 55 <= restarted[0] <= 64 and sum(restarted[1:40]) <= 3 and sum(restarted[40:55]) >= 20
    assert BATCH * 49 == 3136 and 3136 / 64 == 49


def the_first_restarts_do_not_help_because_the_vectors_leave_together():
    """A cloud of size 0.05 whose mean has moved by 0.7 after five steps: one code is then the nearest of all."""
    torch.set_default_dtype(torch.float32)  # as it was for section 7
    try:
        torch.manual_seed(14)
        young = VQVAE()
        adam = torch.optim.AdamW(young.parameters(), lr=LEARNING_RATE, weight_decay=0.01, fused=True)
        before = young.encode(watched).detach()
        order = batches(images, BATCH, torch.Generator().manual_seed(14))
        for _ in range(5):
            vqvae_step(young, adam, next(order))
        after = young.encode(watched).detach()
        alike = (before - before.mean(0)).square().sum(1).mean().sqrt()
        assert abs(alike - 0.05) < 0.01 and abs((after.mean(0) - before.mean(0)).norm() - 0.7) < 0.05
        assert len(nearest_code(after, young.quantiser.codes).unique()) == 1
    finally:
        torch.set_default_dtype(torch.float64)


def a_count_that_is_kept_by_0_95():
    assert abs(0.95 * 40 + 0.05 * 60 - 41) < 1e-9


def four_codes_used_equally_have_a_perplexity_of_4():
    assert abs(perplexity(torch.full((4,), 0.25)) - 4) < 1e-4


def in_the_plane_ema_alone_leaves_idle_codes_and_restarts_bring_all_into_use():
    start, alone, restarts = in_use
    assert start <= 9 and alone <= start and restarts >= 11


def the_distance_and_the_reconstruction_loss_have_fallen():
    """Just under 60 nats, where the VAE of notebook 12 ended at 71."""
    assert 50 < history.recent_mean("reconstruction", 50) < 65
    assert history["reconstruction"][0] > 400


def empty_paper_is_written_with_some_ten_tokens():
    """At positions whose 10 × 10 pixels, all that the encoder sees there, hold no ink."""
    ink = torch.nn.functional.max_pool2d(torch.nn.functional.pad(images, (3, 3, 3, 3)), 10, stride=4).flatten(
        1
    )
    shares_of_empty = code_shares(used[ink == 0], 64)
    assert shares_of_empty.topk(12).values.sum() > 0.9
    assert 5 < perplexity(shares_of_empty) < 15


def a_uniform_grid_costs_294_bits_or_203_8_nats():
    assert abs(49 * math.log2(64) - 294) < 1e-9 and abs(49 * math.log(64) - 203.8) < 0.05


def a_prediction_depends_on_earlier_tokens_alone():
    one = to_score[:1]
    grid = one.clone()
    grid[0, 20] = (grid[0, 20] + 1) % 64
    with torch.no_grad():
        changed = (prior(grid) - prior(one)).abs().sum(2)[0] > 0
    assert not changed[:21].any() and changed[21:].all()


def each_prior_needs_fewer_nats_than_the_last_and_generates_better():
    for better, worse in (("autoregressive", "independent"), ("independent", "uniform")):
        assert rates[better] < 0.9 * rates[worse]
        assert scores[better].distance < 0.8 * scores[worse].distance
    assert rates["autoregressive"] < 0.45 * rates["uniform"]
    bound = table["bound"]
    assert bound["autoregressive"] > bound["uniform"] + 100 and bound["VAE"] > bound["autoregressive"] + 10
    assert abs(bound["VAE"] + 105) < 0.5 and table["FID"]["VAE"] > 1.3 * table["FID"]["autoregressive"]
    assert abs(reconstruction - rates["uniform"] - bound["uniform"]) < 1e-3
    assert scores["autoregressive"].classes >= 9
    assert prior_history.recent_mean("nats", 50) < 0.5 * prior_history["nats"][0]


def typical_samples_are_farther_from_training_grids_than_copies_would_be():
    assert scores["autoregressive"].nearest > 1.05
    differ, pixels, share = (copies[name] for name in copies)
    assert differ["samples"] > differ["unseen digits"] and pixels["samples"] > pixels["unseen digits"]
    assert abs(pixels["samples"] - 6.3) < 0.2 and abs(pixels["unseen digits"] - 4.9) < 0.2
    assert differ["stand-ins for copies"] < 0.85 * differ["unseen digits"]
    assert pixels["stand-ins for copies"] < 0.7 * pixels["unseen digits"]
    for each in (differ, pixels):
        assert each["samples"] > 0.95 * each["unseen digits"]
    assert abs(share["stand-ins for copies"] - 50) < 1 and share["samples"] < 3
    assert abs(differ["samples"] - 25) <= 1 and abs(differ["unseen digits"] - 23) <= 1
    assert abs(differ["stand-ins for copies"] - 17) <= 1 and abs(pixels["stand-ins for copies"] - 2.9) < 0.2


def most_codes_are_dead_by_the_gradient_and_hardly_any_with_fast_codes_or_restarts():
    dead = usage["dead of 64"]
    assert dead["gradient"] > 48
    assert dead["EMA and restarts"] <= 0.2 * 64 and far_out["dead"]["gradient, fast codes"] <= 0.2 * 64
    assert usage["perplexity"]["gradient"] < 10 < usage["perplexity"]["EMA and restarts"]
    assert abs(usage["perplexity"]["gradient"] - 2.2) < 0.15
    assert dead_codes(used, 64).sum() == usage["dead of 64"]["section 4, 450 steps"] <= 1


def ema_keeps_up_and_restarts_bring_codes_back():
    """Of 49 nats EMA alone saves 41 and restarts 8; they bring the perplexity from 5 to 29."""
    dead, share, nats = (usage[name] for name in ("dead of 64", "perplexity", "nats, last 20"))
    assert abs(dead["EMA alone"] - 48) <= 3 and dead["EMA and restarts"] <= 4
    assert abs(share["EMA alone"] - 5) < 0.5 and abs(share["EMA and restarts"] - 29) < 1.5
    assert abs(nats["gradient"] - nats["EMA alone"] - 41) < 3
    assert abs(nats["EMA alone"] - nats["EMA and restarts"] - 8) < 2


def below_the_borders_are_vectors_with_fast_codes_and_hardly_any_by_the_gradient():
    below = far_out["% below"]
    assert below["gradient"] < 0.5
    assert abs(below["gradient, fast codes"] - 11) < 1.5 and abs(below["EMA alone"] - 10) < 1.5


def in_the_plane_one_code_serves_two_clouds_and_one_cloud_has_four():
    """With restarts, the last of the three runs."""
    away = torch.cdist(clouds.centres.float(), plane.codes.detach().float())
    assert (
        in_use[-1] == 12 and (away < 0.6).sum(1).tolist().count(0) == 2
    )  # two clouds have no code of their own
    assert away.argmin(1).unique().numel() == 7 and (away < 0.6).sum(1).max() == 4


def at_step_5_one_code_has_nearly_all_and_then_the_runs_part():
    slow, alone, restarts, fast = (dead for _, _, dead in codebooks.values())
    assert all(each[0] == 63 and len(each) == 30 for each in (slow, alone, fast, restarts))
    assert min(slow[3:]) > 50
    assert all(later - earlier <= 3 for earlier, later in itertools.pairwise(fast[1:])) and fast[-1] <= 12
    assert max(earlier - later for earlier, later in itertools.pairwise(fast)) < 16
    assert max(earlier - later for earlier, later in itertools.pairwise(restarts[7:12])) > 16


def the_reconstruction_falls_in_all_and_the_whole_loss_of_the_gradient_rises_again():
    """From some 600 nats to some 130; the others end lower, and their vectors lie nearer to the codes."""
    first, last = usage["nats, first"], usage["nats, last 20"]
    assert (last < 0.35 * first).all() and last["gradient"] > 1.1 * last["EMA and restarts"]
    assert far_out["−log p(x|z)"]["gradient, fast codes"] < last["gradient"] / 1.1
    assert abs(first["gradient"] - 603) < 1 and abs(last["gradient"] - 130) < 5
    lowest_of = {name: each.min() for name, each in whole.items()}
    end_of = {name: each[-20:].mean() for name, each in whole.items()}
    assert end_of.pop("gradient") > 1.2 * lowest_of["gradient"]
    assert whole["gradient"][10:20].max() > 1.3 * whole["gradient"][0]
    far_off = (torch.tensor(codebooks["gradient"][1]["quantisation"]) / 49).sqrt()
    assert far_off[10:20].max() > 2 and far_off[140:].mean() > 1.5 * far_off[80:90].mean()
    lowest = whole["gradient"].argmin().item()
    assert 50 < lowest < 110
    assert len(end_of) == 3 and all(end < 1.2 * lowest_of[name] for name, end in end_of.items())


def vectors_end_far_from_their_codes_by_the_gradient():
    away = far_out["|h − e|"]
    assert away["gradient"] > 3 * away.drop("gradient").max()
    assert abs(150 * LEARNING_RATE - 0.3) < 1e-9 and abs(0.3 * math.sqrt(8) - 0.85) < 0.005
    places = far_out[["|h|", "|e|"]]
    out = places.loc["gradient"].tolist()
    assert abs(out[0] - 2.3) < 0.15 and abs(out[1] - 0.6) < 0.1
    assert all(abs(each - 1.9) < 0.15 for each in places.loc["gradient, fast codes"].tolist())


def two_codes_at_30_positions_hide_21_nats():
    assert abs(30 * math.log(2) - 21) < 0.3


def the_study_says_the_same_over_seeds():
    dead = {name: [run["dead"] for run in runs[name]] for name in ways}
    assert min(dead["gradient"] + dead["gradient, codes from data"]) > 32
    assert max(dead["averages, restarts"]) <= 1 and max(dead["averages"]) < min(dead["gradient"])
    assert 15 <= min(dead["averages"]) and max(dead["averages"]) <= 25
    loss = {name: [run["reconstruction"] for run in runs[name]] for name in ways}
    costs = [a - b for a, b in zip(loss["gradient"], loss["averages, restarts"], strict=True)]
    assert 30 < min(costs) and max(costs) < 51
    lost = sorted(a - b for a, b in zip(loss["averages"], loss["averages, restarts"], strict=True))
    assert lost[1] < 2 and 7 < lost[2] < 8
    assert 2.5 < min(run["perplexity"] for run in runs["gradient"])
    assert max(run["perplexity"] for name in list(ways)[:2] for run in runs[name]) < 7.5


def the_vq_vae_has_the_lower_fid_and_the_worse_bound():
    vae, vq = runs["VAE"], runs["VQ-VAE"]
    assert max(run["distance"] for run in vq) < min(run["distance"] for run in vae) / 2
    assert all(run["classes"] == 10 and run["dead"] <= 0.2 * 64 for run in vq)
    assert max(run["bound"] for run in vq) < min(run["bound"] for run in vae) - 20
    assert [round(f(run["distance"] for run in vq)) for f in (min, max)] == [62, 85]
    assert [round(f(run["distance"] for run in vae)) for f in (min, max)] == [180, 188]
    assert all(71.5 < run["nats"] < 73.5 for run in vq)


def the_importance_weighted_bound_rises_and_never_passes_the_evidence():
    """L₁ ≤ L₅ ≤ L₅₀ ≤ log p(x), each paired difference by at least 4 standard errors."""
    assert (steps_up["mean difference"] > 4 * steps_up["standard error"]).all()
    means = [bounds[size].mean() for size in sizes]
    assert means == sorted(means) and means[-1] < truth.mean()
    gap = dict(zip(sizes, gaps["log p(x) − bound"], strict=True))
    assert abs(gap[1] / gap[10] - 26) < 1 and abs(gap[10] / gap[100] - 12) < 0.5
    last = steps_up.loc["log p(x) − L₅₀", "standard error"]
    errors = [((truth - bounds[size]).std() / 2000**0.5).item() for size in (100, 200)]
    assert all(0.0017 < each < 0.0022 for each in (last, *errors)) and 0.4 < errors[1] / gap[200] < 0.65


def the_snr_of_the_encoder_sinks_and_dreg_cures_it():
    means = {name: [each.mean(0).abs().mean().item() for each in row] for name, row in gradients.items()}
    noise = {name: [each.std(0).mean().item() for each in row] for name, row in gradients.items()}
    decoder, plain, dreg = (
        [signal_to_noise(each).mean().item() for each in row] for row in gradients.values()
    )
    assert abs((2 / math.pi / N) ** 0.5 - 0.018) < 0.0005
    assert plain[4] < 0.4 * plain[1] and decoder[4] > 2.5 * decoder[1] and dreg[4] > 3 * dreg[1]
    assert decoder[1] < decoder[0] < decoder[4] and plain[4] < 3 * N**-0.5 < plain[0]
    assert dreg[1:] == sorted(dreg[1:])
    assert means["decoder"][1] / means["decoder"][0] < noise["decoder"][1] / noise["decoder"][0] < 0.8
    later = torch.tensor(means["decoder"][1:])
    assert later.max() < 1.3 * later.min() and noise["decoder"][4] < 0.2 * noise["decoder"][1]
    slopes = [means["encoder, DReG"][n] / noise["encoder, DReG"][n] for n in range(1, 5)]
    assert slopes == sorted(slopes)
