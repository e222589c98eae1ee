"""What notebook 20 says of its own numbers."""


def _runs(name, setting, measure):
    from helpers.studies.judging import runs_of

    return runs_of(name, setting, measure)


def _median(values):
    return sorted(values)[len(values) // 2]


def real_images_do_not_get_0():
    from helpers.judging import frechet_bias

    assert 7 < fids["fresh"] < 16
    assert round(64 / 500, 2) == 0.13 and round(64 * 65 / 2000, 2) == 2.08
    one = 64 / 500 + 64 * 65 / 2000
    assert round(one, 1) == 2.2 and round(2 * one, 1) == 4.4
    variances = torch.linalg.eigvalsh(torch.cov(digit_features(training).T.double())).clamp(min=1e-9)
    assert 10 < 2 * frechet_bias(variances, 500) < 17 and variances.mean() > 8, "larger, and unequal"


def the_formula_fits_but_where_n_is_hardly_larger_than_d():
    for n, value in zip((100, 300, 1000, 5000), measured, strict=True):
        ratio = value / (64 / n + 64 * 65 / (4 * n))
        assert 1.04 < ratio < 1.2 if n == 100 else abs(ratio - 1) < 0.07


def a_and_c_raise_no_alarm_by_fid_and_b_does():
    assert fids["A"] < level["FID"] and fids["C"] < level["FID"] and fids["B"] > 10 * level["FID"]
    assert 7 < fids["A"] < 16 and 9 < fids["C"] < 18 and fids["B"] > 500


def c_is_noise():
    assert entries["C"].std() > 1.2 * fresh.std()
    assert nearest(entries["C"].flatten(1), training.flatten(1)).min() > 8


def c_is_caught_by_features_that_it_was_not_tuned_to():
    assert random_fids["C"] > 10 * level["FID, random"] and random_fids["B"] > level["FID, random"]
    assert random_fids["A"] < level["FID, random"]


def gaussian_noise_passes_a_projection():
    pixels, draw = training.flatten(1).double(), torch.Generator().manual_seed(1)
    root = torch.linalg.cholesky(torch.cov(pixels.T) + 1e-8 * torch.eye(784))
    noise = pixels.mean(0) + torch.randn(500, 784, generator=draw, dtype=torch.float64) @ root.T
    images = noise.float().view(-1, 1, 28, 28)
    assert frechet_distance(random_features(images), random_features(reference)) < level["FID, random"]


def b_has_precision_and_no_recall():
    assert shares["B"]["precision"] > level["precision"] and shares["B"]["recall"] < 0.2
    assert shares["A"]["precision"] > level["precision"] and shares["A"]["recall"] > level["recall"]
    assert 0.9 < shares["fresh"]["precision"] < 1 and shares["C"]["precision"] > 0.93


def a_classifier_tells_b_and_c_and_not_a():
    import math

    sd = math.sqrt(1 / 2000)
    assert round(sd, 3) == 0.022 and round(0.5 + 1.645 * sd, 3) == 0.537
    found = {name: judged[name] for name in ("A", "B", "C")}
    assert abs(found["A"]["C2ST"] - 0.5) < 0.07 and abs(found["A"]["C2ST, pixels"] - 0.5) < 0.07
    assert found["B"]["C2ST"] > 0.9 and found["C"]["C2ST, pixels"] > 0.99
    assert rows_of_tests["C"]["on features"] > 0.53


def c_is_a_little_off_where_digits_hardly_vary():
    def off(entry):  # the difference of the means: squared, and by the covariance
        difference = (features[entry].mean(0) - of_reference.mean(0)).double()
        both = (torch.cov(features[entry].T) + torch.cov(of_reference.T)).double() / 2
        return difference.square().sum(), difference @ torch.linalg.pinv(both) @ difference

    (plain, scaled), (plain_fresh, scaled_fresh) = off("C"), off("fresh")
    assert plain < 2 * plain_fresh and scaled > 4 * scaled_fresh


def a_consists_of_copies():
    assert closer["A"] == 1 and closer["C"] == 0 and abs(closer["fresh"] - 0.5) < 0.05
    assert level["closer"] < closer["B"] < 0.65 and round(level["closer"], 2) == 0.53
    assert 0.36 < closer["fresh threes"] < 0.4


def every_cheat_is_caught_twice_and_passes_where_it_was_meant_to():
    for name in "ABC":
        assert sum(value == "alarm" for value in raised[name].values()) >= 2
    assert [metric for metric, value in raised["A"].items() if value] == ["closer", "closer, features"]
    assert raised["B"]["precision"] == "" and raised["C"]["FID"] == ""
    assert sum(value == "alarm" for value in raised["fresh"].values()) <= 2
    assert all(raised[name]["precision"] == "" for name in "ABC")
    assert raised["C"]["closer, features"] == "alarm" and raised["C"]["closer"] == ""
    assert sum(value == "alarm" for value in raised["VAE"].values()) >= 4
    count = {name: sum(value == "alarm" for value in raised[name].values()) for name in raised}
    assert abs(count["VAE"] - count["C"]) <= 1
    assert 8 * 0.05 == 0.4


def the_scoreboard_says_what_the_page_says():
    middle = {
        model: {metric: _median([run[metric] for run in runs]) for metric in SHOWN}
        for model, runs in found.items()
    }
    assert next(iter(found)) == "real" and min(middle, key=lambda model: middle[model]["FID"]) == "real"
    guided, plain = middle.pop("latent diffusion"), middle.pop("latent diffusion, w = 0")
    models = ("VAE", "VAE-GAN", "GAN", "VQ-VAE")
    assert min(models, key=lambda model: middle[model]["FID"]) == "GAN"
    assert guided["FID"] < 0.5 * middle["GAN"]["FID"] and guided["FID"] > middle["real"]["FID"]
    others = [middle[name]["precision"] for name in models[1:]]
    assert min(guided["precision"], middle["VAE"]["precision"]) > max(others) + 0.05
    assert middle["VAE"]["precision"] > 0.92 and middle["GAN"]["precision"] < 0.75
    assert (
        max(guided["recall"], middle["VAE"]["recall"])
        < min(middle[name]["recall"] for name in models[1:]) - 0.05
    )
    assert all(run["closer"] < 0.45 for name in models for run in found[name])
    assert all(run["closer"] > 0.7 for run in found["latent diffusion"])
    assert abs(plain["closer"] - 0.5) < 0.08 and plain["FID"] > 3 * guided["FID"]
    assert study("diffusion")["settings"]["chosen w"] == 3


def other_kinds_of_data():
    sharp = {name: _median(_runs("vae_gan", name, "sharpness")) for name in ("VAE", "GAN")}
    assert (round(sharp["GAN"], 2), round(sharp["VAE"], 2)) == (1.05, 0.46)
    text = {"VAE": _runs("text", "VAE", "in agreement"), "GAN": _runs("text", "short: GAN", "in agreement")}
    assert round(_median(text["VAE"]), 2) == 0.89 and round(_median(text["GAN"]), 2) == 0.46
    assert round(_median(_runs("audio", "VAE, mixture", "FAD")), 1) == 1.8
    assert round(_median(_runs("audio", "waveform GAN, transposed", "FAD"))) == 493
    assert min(_runs("video", "GAN", "readable")) > max(_runs("video", "VAE", "readable"))
    aucs = [round(_median(_runs("patients", name, "auc")), 3) for name in ("VAE", "GAN", "real")]
    assert aucs == [0.827, 0.83, 0.831]


def the_claims_of_the_article():
    assert _runs("collapse", "ring, balanced, non-saturating", "modes") == [8] * 5
    assert sorted(_runs("collapse", "ring, strong D, non-saturating", "modes")) == [1, 1, 2, 2, 3]
    assert _median(_runs("article_gan", "+ freeze D", "d_fake")) == 0.003


def diffusion_has_a_smaller_fid():
    assert round(_median(_runs("diffusion", "test, chosen w", "FID"))) == 14


def extrapolation_puts_the_ranking_right():
    few, many = (
        {name: line["mean"][place] for name, line in found_at.items()}
        for place in (ns.index(200), ns.index(2000))
    )
    assert few["narrow"] < few["shifted"] and many["shifted"] < many["narrow"]
    assert found_at["shifted"]["limit"] < found_at["narrow"]["limit"]
    assert abs(found_at["shifted"]["limit"] - 1.44) < 0.3 and abs(found_at["narrow"]["limit"] - 2.56) < 0.3
    assert abs(64 * 0.15**2 - 1.44) < 1e-9 and abs(64 * 0.2**2 - 2.56) < 1e-9


def fifteen_points_raise_recall_and_not_coverage():
    narrow_, with_outliers = four["narrow"], four["narrow, 15 outside"]
    assert narrow_["recall"] < 0.4 and with_outliers["recall"] > 0.85
    assert abs(with_outliers["coverage"] - narrow_["coverage"]) < 0.05
    assert shares["B"]["density"] > 1.05 and abs(1 - 2**-5 - 0.97) < 0.005


def mmd_says_the_same():
    assert p_values["A"] > 0.01 and p_values["B"] == p_values["C"] == 1 / 201


def bound_and_fid_disagree():
    bounds = {name: runs["bound"].median() for name, runs in of_both.items()}
    assert 25 < bounds["VAE"] - bounds["VQ-VAE"] < 35
    assert of_both["VQ-VAE"]["distance"].median() < 0.5 * of_both["VAE"]["distance"].median()


def moved_copies_hide_in_pixels_and_few_in_an_average():
    assert hidden["moved copies"]["s, pixels"] < 0.6 and hidden["moved copies"]["s, features"] > 0.65
    assert hidden["25 copies"]["s, pixels"] < 0.56 and hidden["25 copies"]["δ < 0.5"] >= 25
    assert hidden["fresh"]["δ < 0.5"] <= 2
    assert abs(hidden["moved copies"]["median δ"] - hidden["fresh"]["median δ"]) < 0.3
