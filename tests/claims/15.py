"""What notebook 15 says of its own numbers."""

from helpers.metrics import digit_classifier


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
        assert scores[name]["recon_class"] < 0.3
        networks_ = charts[name][0]
        copies_ = reconstructed(networks_["encoder"], networks_["decoder"], unseen)
        assert copies_.std(0).mean() < 0.5 * unseen.std(0).mean()  # all inputs become (nearly) the same image
    assert scores["reconstruction loss"]["recon_class"] > 0.8
    assert min(scores[name]["distance"] for name in charts) > 120
    first, second, third = (scores[name]["distance"] for name in charts)
    assert 0.7 < first / second < 1.4 and 2 * third < min(first, second)


def the_weight_of_the_pixels_brings_them_to_the_size_of_the_adversarial_loss():
    log = charts["reconstruction loss"][1]
    assert 35 < log.recent_mean("pixels", 100) < 75 and 0.5 < log.recent_mean("fool_recon", 100) < 1.2


def samples_of_the_first_two_versions_are_not_their_reconstructions():
    for name in ("as drawn", "real images to D"):
        networks_ = charts[name][0]
        copies_ = reconstructed(networks_["encoder"], networks_["decoder"], unseen[:200]).mean(0)
        assert (copies_ - draw(networks_["decoder"], 200, seed=3).mean(0)).abs().mean() > 0.05


def a_loss_table_shows_the_weights():
    table = loss_table(*charts, "VAE-GAN", "features to D")
    assert table.loc["reconstruction loss", "encoder"] == "pixels"
    assert table.loc["VAE-GAN", "decoder"] == "0.1 features + 0.5 fool_recon + 0.5 fool_sample"
    assert table.loc["features to D", "discriminator"].endswith(" + features")
    assert table.map(len).max().max() <= pd.get_option("display.max_colwidth")


def one_black_or_white_pixel_costs_a_quarter_or_a_half():
    pixel = torch.tensor([0.0, 1.0])
    assert (pixel - 0.5).square().mean() == 0.25 and pixel.square().mean() == 0.5


def as_drawn_d_calls_everything_fake():
    assert charts["as drawn"][1].recent_mean("reject_recon", 20) < 0.05


def the_third_decoder_meets_codes_in_the_prior_that_it_has_not_seen():
    with torch.no_grad():
        mu, _ = charts["reconstruction loss"][0]["encoder"](to_tanh(images))
    of_prior = torch.cdist(torch.randn(1000, 20), mu).min(1).values.median()
    of_codes = torch.cdist(mu[:1000], mu[1000:]).min(1).values.median()
    assert not 0.67 < of_prior / of_codes < 1.5


def the_vae_reconstructs_well_and_everything_is_soft():
    assert scores["VAE"]["recon_class"] > 0.85
    assert max(scores["VAE"]["sharpness"], scores["VAE"]["recon_sharpness"]) < 0.5
    assert abs(scores["VAE"]["sharpness"] - 0.34) < 0.02 and abs(scores["VAE"]["recon_error"] - 0.11) < 0.01


def with_more_updates_the_vae_is_sharper_and_still_soft():
    assert found["settings"]["steps"]["VAE"] == 5000 > VAE_STEPS
    ours = scores["VAE"]
    assert round(means["VAE"]["sharpness"], 2) == 0.46 > ours["sharpness"]
    assert round(means["VAE"]["recon_sharpness"], 2) == 0.57 > ours["recon_sharpness"]


def by_fid_the_vae_is_close_to_version_3():
    assert 0.7 < scores["VAE"]["distance"] / scores["reconstruction loss"]["distance"] < 1.2
    assert 5 <= VAE_STEPS / updates["reconstruction loss"] < 6


def the_vae_gan_is_sharper_nearer_by_fid_and_less_faithful():
    ours, theirs = scores["VAE-GAN"], scores["VAE"]
    assert 0.7 < ours["sharpness"] < 1.3 and abs(ours["sharpness"] - 1) < abs(theirs["sharpness"] - 1)
    assert ours["distance"] < theirs["distance"]
    assert ours["recon_error"] > theirs["recon_error"] and ours["recon_class"] < theirs["recon_class"]


def of_the_five_chosen_images_the_vae_keeps_the_class_and_the_vae_gan_does_not():
    of_vae, of_vae_gan = (digit_classifier()(each[changed_class]).argmax(1) for each in recons)
    assert len(changed_class) == 5 and len(shown) == 10
    assert (of_vae == labels[changed_class]).all() and (of_vae_gan != labels[changed_class]).all()


def the_kl_of_the_vae_gan_is_the_smaller_one():
    assert scores["VAE-GAN"]["kl"] < 0.7 * scores["VAE"]["kl"]
    assert 9 < scores["VAE-GAN"]["kl"] < 15 and 25 < scores["VAE"]["kl"] < 31


def the_vae_gan_has_half_the_updates_and_each_costs_about_five_times_as_much():
    assert 0.45 < VAE_GAN_STEPS / VAE_STEPS < 0.55
    steps_, runs_ = found["settings"]["steps"], {name: means[name]["seconds"] for name in ("VAE", "VAE-GAN")}
    ratio = runs_["VAE-GAN"] / steps_["VAE-GAN"] / (runs_["VAE"] / steps_["VAE"])
    assert 4.5 < ratio < 5.5 and 2.3 < ratio * VAE_GAN_STEPS / VAE_STEPS < 2.8


def gamma_brings_the_feature_error_nearer_to_the_adversarial_loss():
    fooling = (history.recent_mean("fool_recon", 300) + history.recent_mean("fool_sample", 300)) / 2
    features = history.recent_mean("features", 300)
    assert 10 < features < 30 and 0.5 < fooling < 1.5 and 0.1 * features < 4 * fooling


def with_features_in_the_loss_of_d_both_losses_go_to_0_and_nothing_is_kept():
    term = {name: sum(features_to_d_history[name][80:120]) / 40 for name in ("features", "kl")}
    assert term["features"] < 1 and term["kl"] < 0.5
    assert sum(history["features"][80:120]) / 40 > 5
    assert scores["features to D"]["recon_class"] < 0.3
    with torch.no_grad():
        f, _ = features_and_logits(features_to_d["discriminator"].eval(), to_tanh(unseen))
        healthy, _ = features_and_logits(copy.deepcopy(vae_gan["discriminator"]).eval(), to_tanh(unseen))
    assert f.std(0).mean() < 0.1 * healthy.std(0).mean()


def the_table_of_section_5_shows_where_the_features_went():
    early_, wrong, late = (in_features.loc[name] for name in models)
    assert wrong["f(x) from its mean"] < 0.1 * min(early_["f(x) from its mean"], late["f(x) from its mean"])
    assert wrong["f(x) from its mean"] < (2 * wrong["feature loss"]) ** 0.5 < 0.5  # |f(x) − f(x̂)|
    assert wrong["feature loss"] < 0.2 and wrong["KL"] < 0.1
    assert 4 < early_["f(x) from its mean"] < 6 and 1 < early_["KL"] < 4 and early_["feature loss"] > 10
    assert 9 < late["KL"] < 15 and 15 < late["feature loss"] < 25


def only_the_first_feature_losses_leave_the_axes():
    for log in logs.values():
        assert max(log["kl"][:EARLY]) < 8 and max(log["features"][12:EARLY]) < 60


def ds_own_terms_stay_close_to_2_log_2_and_the_right_d_gets_lower():
    late = {name: sum(values[80:]) / 40 for name, values in own_losses.items()}
    assert 1.2 < late["features to D"] < 1.02 * late["2 log 2"] and 0.85 < late["VAE-GAN"] < 1.15
    first = {name: sum(values[:8]) / 8 for name, values in own_losses.items()}
    assert first["VAE-GAN"] > first["features to D"]


def with_the_features_d_orders_nearly_all_pairs_by_small_differences():
    early_, wrong, late = (told_apart.loc[name] for name in models)
    assert wrong["AUC"] > 0.98 and wrong["AUC"] > late["AUC"] and min(early_["AUC"], late["AUC"]) > 0.7
    for name in models:
        row = told_apart.loc[name]
        assert row["mean, real"] > row["mean, fakes"]
    assert wrong["mean, real"] - wrong["mean, fakes"] < 0.12
    early_, wrong, _ = (torch.stack([*answered[name].values()]) for name in models)
    assert (wrong - 0.5).abs().mean() < 0.15 and wrong.std() < 0.6 * early_.std()
    assert scores["VAE-GAN"]["distance"] < 0.3 * scores["features to D"]["distance"]


def d_answers_each_image_alone():
    assert not any("BatchNorm" in type(part).__name__ for part in features_to_d["discriminator"].modules())
    d, x = copy.deepcopy(features_to_d["discriminator"]).eval(), to_tanh(unseen[:8])
    with torch.no_grad():
        assert torch.allclose(d(x)[:1], d(x[:1]), atol=1e-5)


def codes_near_0_decode_to_a_grey_that_no_sampled_code_gives():
    encoder, decoder = features_to_d["encoder"], copy.deepcopy(features_to_d["decoder"]).eval()
    with torch.no_grad():
        mu, log_var = encoder(to_tanh(unseen))
        sampled = mu + (log_var / 2).exp() * torch.randn(mu.shape)
        of_mu, of_sampled, of_0 = (
            from_tanh(decoder(z)).clamp(0, 1).mean() for z in (mu, sampled, torch.zeros(1, 20))
        )
    of_prior = draw(features_to_d["decoder"], 500, seed=3).mean()
    assert mu.square().mean() < 0.01 and (log_var.exp().mean() - 1).abs() < 0.1
    assert (sampled.norm(dim=1).mean() / math.sqrt(20) - 1).abs() < 0.1 and sampled.norm(dim=1).min() > 1
    assert abs(of_mu - of_0) < 0.02 and abs(of_sampled - of_prior) < 0.3 * abs(of_mu - of_prior)


def it_ruins_every_run_of_the_study():
    ruined = [row["distance"] for row in found["runs"]["loss weights: features to D"]]
    right = [row["distance"] for row in found["runs"]["loss weights: as it should be"]]
    assert [round(min(right)), round(max(right))] == [126, 139] and len(right) == 3
    assert [round(min(ruined)), round(max(ruined))] == [824, 1235] and len(ruined) == 3


def the_updates_of_the_study_are_as_stated():
    assert found["settings"]["weighting_steps"] == 250 and found["settings"]["try_steps"] == 1500
    stated = {"VAE": 5000, "VAE, Bernoulli": 4000, "GAN": 1800, "VAE-GAN": 950}
    assert found["settings"]["steps"] == stated


def the_adversarial_loss_in_the_encoder_has_no_measurable_effect():
    for key in ("distance", "sharpness", "recon_error", "recon_class"):
        right, other = (
            [row[key] for row in found["runs"][f"loss weights: {name}"]]
            for name in ("as it should be", "adversarial loss to encoder")
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
    assert abs(means["VAE-GAN"]["recon_sharpness"] - 1) < 0.1
    assert means["VAE-GAN"]["recon_error"] > means["VAE"]["recon_error"]
    assert means["VAE-GAN"]["recon_class"] < means["VAE"]["recon_class"]


def the_four_models_had_about_30_cpu_seconds():
    assert all(25 < row["seconds"] < 36 for name in MODELS for row in found["runs"][name])


def nineteen_of_24_routes_are_open_and_eight_are_used():
    assert int((routes > 0).sum().sum()) == 19 and routes.size == 24
    assert sum(map(len, used.values())) == 8
    assert routes.loc["features", "discriminator"] > 0 and routes.loc["fool_recon", "encoder"] > 0
    assert 0 < routes.loc["reject_sample", "encoder"] < 0.1 * routes.loc["reject_sample", "decoder"]
    assert 1000 < routes.loc["pixels", "decoder"] / routes.loc["fool_recon", "decoder"] < 4000


def sample_reaches_the_encoder_through_batch_normalisation_alone():
    assert gradient_norm(terms["reject_sample"], before["encoder"]) == 0  # in evaluation mode


def each_network_moves_along_its_own_loss():
    assert max(routing_error.values()) < 1e-3


def noisy_samples_of_the_vae_are_no_longer_blurred_and_bad_digits():
    assert objection["decoder's means"]["S"] < 0.7 < 2 < objection["samples of p(x|z)"]["S"]
    assert objection["samples of p(x|z)"]["FID"] > 2 * objection["decoder's means"]["FID"]


def no_pixel_deviation_of_four_comes_near_1():
    tries = found["tries"]
    assert min(tries, key=lambda name: tries[name]["distance"]) == f"s = {s}" == "s = 0.7" and len(tries) == 4
    assert all(row["sharpness"] < 0.7 for row in tries.values())
    smaller = [tries[f"s = {s}"] for s in (0.3, 0.5)]
    assert all(row["sharpness"] > tries["s = 0.7"]["sharpness"] for row in smaller)


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


def the_codes_of_the_first_stage_are_larger_than_those_of_section_2_and_of_the_prior():
    size = {name: row["½ μ²"] for name, row in posterior.items()}
    assert 1.6 < size["KL × 10⁻⁶"] < 2.4 and size["KL × 10⁻⁶"] > 1.3 * size["section 2, no KL"] > 1.3 * 0.5


def a_fitted_gaussian_brings_the_decoder_most_of_the_way_back():
    from_prior, fitted, from_codes = second_stage.values()
    assert from_prior > fitted > from_codes
    assert from_prior - fitted > fitted - from_codes


def one_place_of_the_map_sees_ten_rows():
    assert len(seen_rows) == 10
