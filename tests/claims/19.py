"""What notebook 19 says of its own numbers."""


def _runs(name):
    return study("patients")["runs"][name]


def _medians(name, key):
    values = sorted(pd.json_normalize(_runs(name))[key])
    return values[len(values) // 2]


def entropy_and_best_auc_are_as_said():
    assert round(patients.entropy(), 2) == 16.90 and round(patients.bayes_auc(), 3) == 0.832


def four_columns_by_hand():
    import math

    age = -0.5 * 0.4**2 - math.log(0.5 * math.sqrt(2 * math.pi)) - math.log(14)
    current = 0.4 - math.log(1 + math.exp(-0.7) + math.exp(0.4))
    none = -math.log(1 + math.exp(-2))
    visits = 0.7 * 3 - math.exp(0.7) - math.log(6)
    assert (
        abs(four["log-likelihood"].astype(float) - torch.tensor([age, current, none, visits]).numpy()).max()
        < 1e-4
    )
    assert round(-none, 2) == 0.13 and four["log-likelihood"].astype(float).idxmin() == "age"
    assert round(math.log(12), 2) == 2.48  # ages in months
    assert (62 - 55) / 14 == 0.5


def the_vae_is_a_tenth_of_a_nat_above_the_truth():
    gap = (exact - elbo).mean().item()
    assert 0.03 < gap < 0.2
    assert (elbo <= tighter + 1e-4).all() and (exact - tighter).mean().item() < gap
    assert abs(exact.mean().item() + patients.entropy()) < 0.15


def age_and_pressure_go_together_and_shuffling_ends_it():
    def r(records):
        return torch.corrcoef(records[:, [0, 6]].double().T)[0, 1].item()

    assert r(made["real"]) > 0.35 and abs(r(made["marginals only"])) < 0.08
    assert all(abs(r(made[name]) - r(made["real"])) < 0.1 for name in ("VAE", "GAN"))


def synthetic_records_are_of_use_and_marginals_are_not():
    auc = {name: use(records)["AUC on real"] for name, records in made.items()}
    assert all(auc["real"] - auc[name] < 0.012 for name in ("VAE", "GAN"))
    assert 0.25 < auc["marginals only"] < 0.75 and auc["real"] > 0.8
    shuffles = [marginals_only(training, torch.Generator().manual_seed(seed)) for seed in range(6)]
    others_give = sorted(outcome_auc(each, test) for each in shuffles)
    assert 0.2 < others_give[0] < 0.4 and 0.6 < others_give[-1] < 0.8
    error = {name: use(records)["correlation error"] for name, records in made.items()}
    assert 0.005 < error["real"] < 0.03 and error["marginals only"] > 4 * max(error["VAE"], error["GAN"])
    assert max(error["VAE"], error["GAN"]) < 2.5 * error["real"]


def two_hundred_others_allow_ten():
    s = scores_of(vae, others)
    threshold = s.sort(descending=True).values[10]
    assert len(s) == 200 and (s > threshold).sum() == 10
    assert (16 + 184 / 2 + 200 / 2) / 400 == 0.52 and 0.08 + 0.92 / 2 == 0.54
    assert round(0.05 * (10_000 - 200)) == 490  # false accusations, more than the 200 members


def scores_of_members_and_others_look_alike():
    inside = torch.cat([*scores.values()]).abs() < 1.6
    assert inside.double().mean() > 0.97 and (scores["others"] > tau).sum() == 10
    assert abs(scores["members"].median() - scores["others"].median()) < 0.15


def on_the_vae_of_4_000_the_attack_is_near_5_per_cent():
    assert attack["tpr"] < 0.15 and attack["low"] < 0.09


def the_large_one_gives_nearly_all_away_and_the_other_few():
    large, small = (compared[f"{name} VAE"] for name in ("large", "regularised"))
    assert large["TPR"] > 0.85 and small["TPR"] < 0.25
    assert large["test nats"] > small["test nats"] + 2
    assert small["interval from"] < small["TPR"] < small["to"]


def rare_members_have_the_highest_scores():
    points = seen_by_attacker(members, makers["large VAE"])
    assert points.sum(1).std() < 0.7 * points[:, 0].std()  # log of the model varies less than log p
    assert torch.corrcoef(points.T)[0, 1] < -0.6
    assert points[points[:, 0] < -19, 1].mean() > points[points[:, 0] > -16, 1].mean() + 1


def the_study_says_what_the_page_says():
    assert _medians("leaking VAE", "attack.tpr") >= 0.9 and _medians("regularised VAE", "attack.tpr") <= 0.12
    aucs = {name: sorted(round(run["auc"], 2) for run in _runs(name)) for name in NAMES}
    assert aucs["leaking VAE"] == [0.78, 0.82, 0.82] and set(aucs["regularised VAE"]) <= {0.80, 0.81}
    better = [
        a["auc"] > b["auc"] for a, b in zip(_runs("leaking VAE"), _runs("regularised VAE"), strict=True)
    ]
    assert True in better and False in better
    assert [run["attack"]["tpr"] for run in _runs("regularised VAE")] == [0.1, 0.16, 0.095]
    assert all(0.1 <= run["attack, samples"]["tpr"] <= 0.22 for run in _runs("leaking GAN"))
    assert _medians("leaking VAE", "−IWAE") > 20 and _medians("regularised VAE", "−IWAE") < 18


def longer_training_on_4_000_leaks_a_little():
    assert [round(200 * run["attack"]["tpr"]) for run in _runs("VAE")] == [17, 17, 17] and 51 / 600 == 0.085
    by_accident = 11 / 201  # Beta(11, 190): the share of members above the eleventh highest of 200 others
    of_threshold = (by_accident * (1 - by_accident) / 202 / 3) ** 0.5
    of_members = (by_accident * (1 - by_accident) / 600) ** 0.5
    assert round(by_accident, 3) == 0.055
    error = (of_threshold**2 + of_members**2) ** 0.5
    assert round(error, 3) == 0.013 and round((0.085 - by_accident) / error, 1) == 2.3


def another_model_of_the_population_is_enough():
    for run in _runs("leaking VAE"):
        assert abs(run["attack, reference model"]["tpr"] - run["attack"]["tpr"]) < 0.03
        assert 0.35 < run["attack, samples"]["tpr"] < 0.48
    regularised = [
        sum(run[key]["tpr"] for run in _runs("regularised VAE")) / 3
        for key in ("attack", "attack, reference model")
    ]
    assert abs(regularised[0] - regularised[1]) < 0.02
    for name in ("VAE", "GAN"):
        assert _medians(name, "correlation error") < 1.35 * _medians("real", "correlation error")
    seen, repeated = (_medians(name, "correlation error") for name in ("real, few", "leaking VAE"))
    assert 0.9 < repeated / seen < 1.3
    assert abs(_runs("VAE")[0]["exact"] - 16.93) < 0.005


def twenty_copies_are_hidden_in_an_average_and_found_one_by_one():
    assert hidden["all copies"]["closer to training"] > 0.99
    assert abs(hidden["20 copies"]["closer to training"] - hidden["GAN"]["closer to training"]) < 0.006
    share = hidden["GAN"]["closer to training"]
    assert 2 < (share - 0.5) / 0.0079 < 5
    assert 0.001 < hidden["20 copies"]["closer to training"] - share < 0.004
    assert round((0.25 / 4000) ** 0.5, 3) == 0.008
    assert 0.1 <= hidden["20 copies"]["TPR at 0 % FPR"] <= 0.16 and 0.1 > 2 * hidden["GAN"]["TPR at 0 % FPR"]
    assert abs(hidden["all copies"]["AUC on real"] - use(made["real"])["AUC on real"]) < 1e-6


def the_bound_of_differential_privacy():
    import math

    assert round(0.05 * math.exp(1), 3) == 0.136 and 0.05 * math.exp(8) > 100


def the_lesions_are_gone_and_the_reader_finds_them_in_scans():
    assert kept.mean() < 0.2 and sensitivity["reconstructions"] < 0.2 and sensitivity["scans"] > 0.9
    error = (copies - unseen.images).square().mean().sqrt().item()
    assert error < 0.07  # the rest is there
    size = (unseen.images - unseen.healthy)[ill].abs().gt(0.05).flatten(1).sum(1).double()
    assert 14 < size.mean() < 27  # of 1,024 pixels


def more_latent_dimensions_keep_more_of_a_lesion_than_the_pixel_error_tells():
    few_d, many_d = by_latent["8 latent dimensions"], by_latent["32 latent dimensions"]
    assert 4 < many_d["contrast kept"] / few_d["contrast kept"] < 6
    assert few_d["sensitivity"] < 0.2 and 0.85 < many_d["sensitivity"] < 0.92
    assert round(few_d["pixel error"], 3) == 0.045 and round(many_d["pixel error"], 3) == 0.031
    assert all(
        run["small lesions"] < run["large lesions"] for d in (8, 16, 32) for run in of_scans[f"VAE, {d}"]
    )
    assert all(run["called ill"] > 0.9 for run in of_scans["GAN"])
    assert few_d["contrast kept"] > kept.mean()


def most_samples_look_ill_to_the_reader():
    threshold = brightest_square(unseen.healthy[ill]).sort(descending=True).values[int(0.05 * ill.sum())]
    assert (brightest_square(sampled) > threshold).double().mean() > 0.8
    assert 0.44 < (brightest_square(unseen.images) > threshold).double().mean() < 0.56
