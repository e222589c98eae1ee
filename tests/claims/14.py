"""What notebook 14 says of its own numbers."""


def straight_through_is_the_derivative_at_the_code_and_the_true_one_is_0():
    assert torch.allclose(passed_on[0], torch.tensor(at_code, dtype=torch.float64), atol=1e-6)
    assert max(map(abs, in_h)) == 0 and passed_on.abs().max() > 0.01


def in_the_plane_few_codes_are_in_use_at_the_start_and_all_at_the_end():
    assert in_use[0] < in_use[1] and in_use[1] >= 10
    assert in_use[0] <= 9


def the_distance_and_the_reconstruction_loss_have_fallen():
    """Just under 60 nats, where the VAE of notebook 12 ended at 71."""
    assert 50 < history.recent_mean("reconstruction", 50) < 65
    assert history["reconstruction"][0] > 400


def the_empty_paper_uses_few_tokens():
    edge = used.view(-1, 7, 7)[:, :, [0, 6]].flatten()
    assert code_shares(edge, 64).topk(8).values.sum() > 0.7


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
    assert scores["autoregressive"].classes >= 9
    assert prior_history.recent_mean("nats", 50) < 0.5 * prior_history["nats"][0]


def hardly_any_sample_is_closer_to_a_training_image_than_all_unseen_images_are():
    assert scores["autoregressive"].nearest > 1.05 and abs(ratio - scores["autoregressive"].nearest) < 0.01
    assert closer <= 0.005 * len(generated) and ratio > 1.05


def most_codes_are_dead_by_the_gradient_and_hardly_any_with_fast_codes_or_restarts():
    dead = usage["dead of 64"]
    assert dead["gradient"] > 32
    assert dead["EMA and restarts"] <= 0.2 * 64 and dead["gradient, fast codes"] <= 0.2 * 64
    assert usage["perplexity"]["gradient"] < 10 < usage["perplexity"].drop("gradient").min()
    assert dead_codes(used, 64).sum() <= 0.2 * 64


def the_loss_falls_in_all_and_vectors_stay_far_from_their_codes_by_the_gradient():
    """From some 600 nats to some 117; the others end lower, and their vectors lie nearer to the codes."""
    first, last = usage["−log p(x|z), first step"], usage["last 20 steps"]
    assert (last < 0.35 * first).all() and last["gradient"] > 1.1 * last.drop("gradient").max()
    assert 450 < first["gradient"] < 700 and 90 < last["gradient"] < 140
    assert usage["|h − e|²"]["gradient"] > 3 * usage["|h − e|²"].drop("gradient").max()
    assert 1.2 < math.sqrt(usage["|h − e|²"]["gradient"] / 49) < 3


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
    assert max(run["distance"] for run in vq) < min(run["distance"] for run in vae)
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
    gaps = steps_up["gap of the lower one"]
    assert 8 < gaps["L₅₀ − L₅"] / gaps["log p(x) − L₅₀"] < 25


def the_snr_of_the_encoder_sinks_and_dreg_cures_it():
    decoder, plain, dreg = snr.values()
    assert plain[4] < 0.4 * plain[1] and decoder[4] > 2.5 * decoder[1] and dreg[4] > 3 * dreg[1]
    assert decoder[1] < decoder[0] < decoder[4] and plain[4] < 3 * N**-0.5 < plain[0]
    assert dreg[1:] == sorted(dreg[1:])
