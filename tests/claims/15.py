"""What notebook 15 says of its own numbers."""


def noise_is_sharpest_and_blur_lies_below_1():
    assert S["real"] == 1 and 1.05 < S["with noise"] < 1.5 and S["noise alone"] > 3
    assert S["blurred"] < 0.2 and S["mean of two"] < 0.8


def a_sharp_image_costs_twice_the_error_of_the_mean():
    both = torch.stack([to_left, to_right])  # x is one of the two, each with probability 1/2
    of_mean = (both - shifted_mean).square().flatten(2).sum(2).mean()
    of_sample = (both[:, None] - both[None]).square().flatten(3).sum(3).mean()  # all four pairs
    assert torch.isclose(of_sample, 2 * of_mean)


def the_chart_does_not_reconstruct_until_a_loss_asks_for_it():
    for name in ("as drawn", "real images to D"):
        assert scores[name]["again_class"] < 0.3
        networks_ = charts[name][0]
        copies_ = reconstructed(networks_["encoder"], networks_["decoder"], unseen)
        assert copies_.std(0).mean() < 0.5 * unseen.std(0).mean()  # all inputs become (nearly) the same image
    assert scores["and a reconstruction loss"]["again_class"] > 0.8
    assert min(scores[name]["distance"] for name in charts) > 120


def as_drawn_d_calls_everything_fake():
    assert charts["as drawn"][1].recent_mean("again", 20) < 0.05


def the_third_decoder_meets_codes_in_the_prior_that_it_has_not_seen():
    with torch.no_grad():
        mu, _ = charts["and a reconstruction loss"][0]["encoder"](to_tanh(images))
    of_prior = torch.cdist(torch.randn(1000, 20), mu).min(1).values.median()
    of_codes = torch.cdist(mu[:1000], mu[1000:]).min(1).values.median()
    assert not 0.67 < of_prior / of_codes < 1.5


def the_vae_reconstructs_well_and_everything_is_soft():
    assert scores["VAE"]["again_class"] > 0.85
    assert max(scores["VAE"]["sharpness"], scores["VAE"]["again_sharpness"]) < 0.7


def the_vae_gan_is_sharper_nearer_by_fid_and_less_faithful():
    ours, theirs = scores["VAE-GAN"], scores["VAE"]
    assert 0.7 < ours["sharpness"] < 1.3 and abs(ours["sharpness"] - 1) < abs(theirs["sharpness"] - 1)
    assert ours["distance"] < theirs["distance"]
    assert ours["again_error"] > theirs["again_error"] and ours["again_class"] < theirs["again_class"]


def with_features_in_the_loss_of_d_both_losses_go_to_0_and_nothing_is_kept():
    term = {name: sum(broken_history[name][80:120]) / 40 for name in ("features", "kl")}
    assert term["features"] < 1 and term["kl"] < 0.5
    assert sum(history["features"][80:120]) / 40 > 5
    assert scores["features to D"]["again_class"] < 0.3
    with torch.no_grad():
        f, _ = features_and_logits(broken["discriminator"].eval(), to_tanh(unseen))
        healthy, _ = features_and_logits(copy.deepcopy(vae_gan["discriminator"]).eval(), to_tanh(unseen))
    assert f.std(0).mean() < 0.1 * healthy.std(0).mean()


def it_ruins_every_run_of_the_study():
    ruined = [row["distance"] for row in found["runs"]["loss weights: features to D"]]
    right = [row["distance"] for row in found["runs"]["loss weights: as it should be"]]
    assert len(ruined) == len(right) == 3 and min(ruined) > 400 and max(right) < 200


def the_adversarial_loss_in_the_encoder_has_no_measurable_effect():
    for key in ("distance", "sharpness", "again_error", "again_class"):
        right, other = (
            [row[key] for row in found["runs"][f"loss weights: {name}"]]
            for name in ("as it should be", "game to encoder")
        )
        assert max(min(right), min(other)) < min(max(right), max(other))  # the runs overlap


def against_both_vaes_the_vae_gan_wins_in_every_run():
    ours = found["runs"]["VAE-GAN"]
    for rival in ("VAE", "VAE, Bernoulli"):
        for one in ours:
            for other in found["runs"][rival]:
                assert abs(one["sharpness"] - 1) < abs(other["sharpness"] - 1)
                assert one["distance"] < other["distance"]
    assert 0.4 < means["VAE-GAN"]["distance"] / means["VAE"]["distance"] < 0.6


def against_the_gan_it_does_not():
    assert max(columns["distance"]["GAN"]) < min(columns["distance"]["VAE-GAN"])
    assert all(abs(value - 1) < 0.12 for name in ("GAN", "VAE-GAN") for value in columns["sharpness"][name])


def its_reconstructions_are_sharp_and_less_faithful():
    assert abs(means["VAE-GAN"]["again_sharpness"] - 1) < 0.1
    assert means["VAE-GAN"]["again_error"] > means["VAE"]["again_error"]
    assert means["VAE-GAN"]["again_class"] < means["VAE"]["again_class"]


def the_four_models_had_about_30_cpu_seconds():
    assert all(25 < row["seconds"] < 36 for name in MODELS for row in found["runs"][name])


def nineteen_of_24_routes_are_open_and_eight_are_used():
    assert int((routes > 0).sum().sum()) == 19 and routes.size == 24
    assert sum(map(len, used.values())) == 8
    assert routes.loc["features", "discriminator"] > 0 and routes.loc["fool_again", "encoder"] > 0
    assert 0 < routes.loc["sample", "encoder"] < 0.1 * routes.loc["sample", "decoder"]


def sample_reaches_the_encoder_through_batch_normalisation_alone():
    assert gradient_norm(terms["sample"], before["encoder"]) == 0  # in evaluation mode


def each_network_moves_along_its_own_loss():
    assert max(routing_error.values()) < 1e-3


def noisy_samples_of_the_vae_are_no_longer_blurred_and_bad_digits():
    assert objection["decoder's means"]["S"] < 0.7 < 2 < objection["samples of p(x|z)"]["S"]
    assert objection["samples of p(x|z)"]["FID"] > 2 * objection["decoder's means"]["FID"]


def no_pixel_deviation_of_four_comes_near_1():
    tries = found["tries"]
    assert min(tries, key=lambda name: tries[name]["distance"]) == f"σ = {S_PIXEL}" and len(tries) == 4
    assert all(row["sharpness"] < 0.7 for row in tries.values())
    smaller = [tries[f"σ = {s}"] for s in (0.3, 0.5)]
    assert all(row["sharpness"] > tries["σ = 0.7"]["sharpness"] for row in smaller)


def in_features_a_sharp_image_is_less_than_twice_as_dear():
    assert abs(cost_ratio["pixels"] - 2) < 1e-4 and 1 < cost_ratio["features"] < 1.8


def a_tiny_kl_grows_by_at_most_seven_nats_a_dimension():
    assert abs(at_most - 6.908) < 1e-3
    growth = narrowness.iloc[-1] - narrowness.iloc[0]
    assert (growth <= at_most).all() and growth.iloc[1] > at_most - 0.01


def the_first_stage_has_narrow_posteriors_and_a_large_kl():
    tiny, usual = posterior["KL × 10⁻⁶"], posterior["VAE"]
    assert tiny["KL (nats)"] > 2 * usual["KL (nats)"]
    assert 0 < tiny["½ log 1/σ²"] - usual["½ log 1/σ²"] < math.log(0.7 / 0.001)


def a_fitted_gaussian_brings_the_decoder_most_of_the_way_back():
    from_prior, fitted, from_codes = second_stage.values()
    assert from_prior > fitted > from_codes
    assert from_prior - fitted > fitted - from_codes


def one_place_of_the_map_sees_ten_rows():
    assert len(seen_rows) == 10
