"""What notebook 05 says of its own numbers."""

import inspect
import math


def noise_and_plain_grey_lie_above_1000_and_real_images_below_10():
    assert scale["FID"]["training images"] < 10
    assert 1000 < scale["FID"]["noise"] < score(grey)["FID"] < 2000
    assert scale["classes"]["training images"] == 10


def noise_activates_the_features_about_as_strongly_as_digits_and_plain_grey_hardly():
    size = {name: digit_features(each).mean(0).norm().item() for name, each in _rows_of_section_2().items()}
    assert 0.8 < size["noise"] / size["digits"] < 1.25 and size["grey"] < 0.2 * size["digits"]


def _rows_of_section_2():
    held = load_digits("validation")[0]
    return {"noise": torch.rand(2000, 1, 28, 28), "grey": grey, "digits": held}


def the_fixed_settings_are_those_of_the_table_in_section_3():
    fixed_settings = settings["fixed"].map(lambda value: getattr(value, "__name__", value)).to_dict()
    assert fixed_settings == {
        "frozen": True,
        "real_steps": 1,
        "output": "Tanh",
        "low": -1.0,
        "rate": 1e-3,
        "beta1": 0.5,
        "slope": 0.2,
    }


def the_samples_of_adam_as_printed_have_no_variety_and_those_of_beta_1_are_pale_as_well():
    for name in ("noise", "plain grey", "Adam: β₁ = 0.9", "Adam: learning rate 0.0001"):
        assert terms[name]["tr C₂"] < 25 and terms[name]["second term"] > 550
    noise, pale = terms["noise"], terms["Adam: β₁ = 0.9"]
    assert scale["FID"]["noise"] < table["FID"]["Adam: β₁ = 0.9"]
    assert pale["‖m₂‖"] < 0.4 * noise["‖m₂‖"] and pale["first term"] > noise["first term"]
    assert noise["first term"] < terms["plain grey"]["first term"]
    without_variety = ("noise", "plain grey", "Adam: β₁ = 0.9", "Adam: learning rate 0.0001")
    assert all(615 < terms[name]["second term"] < 725 for name in without_variety)
    for term, more in (("first term", 55), ("second term", 86)):
        assert abs(pale[term] - noise[term] - more) < 8
    slow, fewer = terms["Adam: learning rate 0.0001"], terms["Adam: learning rate 0.0001"]["tr C₂"]
    assert slow["first term"] < noise["first term"] - 40 and slow["second term"] > noise["second term"] + 40
    assert abs(slow["FID"] - noise["FID"]) < 40 and max(fewer, pale["tr C₂"]) < noise["tr C₂"]
    repeated = terms["one real image, repeated"]
    assert repeated["FID"] > noise["FID"]
    assert repeated["tr C₂"] < 1e-3 and abs(repeated["second term"] - 760) < 1


def four_bugs_show_no_clear_sign_in_the_loss_and_a_ruined_plain_relu_is_plain_grey():
    for name in ("two steps on reals", "ReLU at the end of G", "tanh, data from 0 to 1", "plain ReLU"):
        assert all(1 < run["g_loss"] < 4.5 and 0.02 < run["d_fake"] < 0.4 for run in runs[name])
    assert pictured["plain ReLU"].std(0).mean() < 0.06
    assert all(pictured[name].std(0).mean() > 0.06 for name in ["fixed", *bugs[1:4]])


def the_fixed_program_and_the_good_gan_have_the_losses_of_section_6():
    assert abs(table["generator's loss"]["fixed"] - 2.6) < 0.4 and abs(table["D(fake)"]["fixed"] - 0.1) < 0.04
    low, near_half = (report(history, samples)[name] for name in ("generator's loss", "D(fake)"))
    assert low < 0.4 * table["generator's loss"]["fixed"] and abs(near_half - 0.5) < 0.08
    assert all(table["D(fake)"][name] < 0.05 for name in ("Adam: learning rate 0.0001", "Adam: β₁ = 0.9"))


def the_two_lines_of_section_4_are_those_of_article_players():
    source = inspect.getsource(article_players)
    assert "stacked = [*generator.parameters(), *([] if frozen else discriminator.parameters())]" in source
    assert "torch.optim.Adam(stacked, rate, betas)" in source


def one_feature_with_means_1_and_4_and_deviations_2_and_3_has_an_fid_of_10():
    z = torch.randn(50_000, 2, dtype=torch.float64)
    a, b = z * torch.tensor([2, 1]) + torch.tensor([1, 0]), z * torch.tensor([3, 1]) + torch.tensor([4, 0])
    assert abs(frechet_distance(a, b) - 10) < 0.1  # the second feature is the same in both


def with_diagonal_matrices_the_fid_is_the_sum_over_the_features():
    z = torch.randn(50_000, 2, dtype=torch.float64)
    a, b = z * torch.tensor([2, 1]) + torch.tensor([1, 0]), z * torch.tensor([3, 4]) + torch.tensor([4, 2])
    assert abs(frechet_distance(a, b) - (10 + 4 + 9)) < 0.3


def the_loud_bugs_raise_what_the_folded_answer_says():
    attempts = {
        "unflatten: Provided sizes [28, 28, 1] don't multiply up to the size of dim 1 (1024)": lambda: (
            nn.Unflatten(1, (28, 28, 1))(torch.zeros(32, 1024))
        ),
        "Target size (torch.Size([1])) must be the same as input size (torch.Size([32, 1]))": lambda: (
            nn.functional.binary_cross_entropy_with_logits(torch.zeros(32, 1), torch.tensor([1.0]))
        ),
    }
    for message, attempt in attempts.items():
        try:
            attempt()
        except (RuntimeError, ValueError) as error:
            assert message in str(error)
        else:
            raise AssertionError(message)


def the_curves_and_grids_are_those_of_the_folded_answer():
    in_order = ["Adam: β₁ = 0.9", "fixed", "D not frozen", "Adam: learning rate 0.0001"]
    assert [curves[name] for name in names] == in_order
    assert order == ["curve 3", "curve 4", "curve 2", "curve 1"]


def the_lowest_loss_is_that_of_the_unfrozen_d_whose_fakes_get_about_one_half():
    assert table["generator's loss"].idxmin() == "D not frozen"
    assert table["generator's loss"]["fixed"] > 3 * table["generator's loss"]["D not frozen"]
    assert abs(table["D(fake)"]["D not frozen"] - 0.5) < 0.15


def the_fixed_program_has_the_best_fid_and_the_three_others_are_ruined():
    assert table["FID"].idxmin() == "fixed" and table["FID"]["fixed"] < 500
    assert (table["FID"].drop("fixed") > 800).all()


def four_bugs_lose_every_pair_one_just_passes_and_two_are_not_measurable():
    lost = dict(zip(bugs, pairs_lost, strict=True))
    ruinous = ["D not frozen", "Adam: learning rate 0.0001", "Adam: β₁ = 0.9"]
    assert all(lost[name] == 25 for name in [*ruinous, "plain ReLU"])
    assert [name for name in bugs if min(fids[name]) > 800] == ruinous and max(fixed) < 800
    assert lost["tanh, data from 0 to 1"] == 23
    assert all(2 < lost[name] < 23 for name in ("two steps on reals", "ReLU at the end of G"))
    assert verdict.count("worse") == 5 and len(verdict) == 7
    assert sum(each > 800 for each in fids["plain ReLU"]) == 1


def the_ten_runs_of_data_from_0_to_1_lie_in_the_order_of_the_dots():
    both_kinds = [(fid, "○") for fid in fixed] + [(fid, "●") for fid in fids["tanh, data from 0 to 1"]]
    assert "".join(dot for _, dot in sorted(both_kinds)) == "○○○○●●○●●●"


def a_bug_without_effect_loses_25_pairs_in_1_choice_24_in_1_23_in_2_and_22_in_3_of_252():
    assert [counts.count(u) for u in (25, 24, 23, 22)] == [1, 1, 2, 3] and len(counts) == 252
    assert abs(4 / 252 - 0.016) < 5e-4 and abs(7 / 252 - 0.028) < 5e-4


def no_stored_run_lies_between_640_and_880():
    narrow = [fid for name, values in fids.items() if "full width" not in name for fid in values]
    assert not any(640 < fid < 880 for fid in [*narrow, *fixed])


def the_program_as_printed_is_ruined_and_draws_nearly_one_image():
    assert all(run["distance"] > 1000 and run["classes"] <= 2 for run in runs["as printed"])
    printed = article_gan.pictured_samples()["as printed"]
    assert printed.std(0).mean() < 0.06


def on_the_ladder_every_run_is_ruined_before_beta_1():
    assert all(min(fids[name]) > 800 for name in rungs[:5])
    medians = [sorted(fids[name])[2] for name in rungs]
    assert all(1000 < each < 1200 for each in medians[:5])
    assert 550 < medians[5] < 650 and 400 < sorted(fixed)[2] < 450
    assert 0.08 < 1 - medians[4] / medians[3] < 0.13
    assert "freeze" in rungs[1] and medians[1] >= medians[0]  # no gain
    assert fids[rungs[5]] == fids["plain ReLU"] and len(rungs) == 6 and len(bugs) == 7


def without_freezing_the_new_d_takes_the_loss_to_nearly_0_and_the_new_g_brings_a_third_of_the_fall():
    by_g, by_d = losses["before"] - losses["only G new"], losses["before"] - losses["only D new"]
    assert by_d["fixed"] == 0 and by_d["D not frozen"] > 1.3 * by_g["D not frozen"]
    assert (
        losses["only D new"]["D not frozen"] < 0.02
        and 0.2 < by_g["D not frozen"] / by_d["D not frozen"] < 0.45
    )
    assert losses["before"]["D not frozen"] < 0.5 * table["generator's loss"]["D not frozen"]
    assert by_g["fixed"] > 5 * abs(by_g["D not frozen"])
    assert (losses["both new"] < losses["before"]).all()


def before_lies_within_the_variation_of_the_single_steps():
    last = results["fixed"][0]["g_loss"][-100:]
    assert max(last) > losses["before"]["fixed"] > table["generator's loss"]["fixed"]


def the_rungs_are_named_as_in_section_5():
    assert [*rungs, list(ladder())[-1]] == [
        "as printed",
        "+ freeze D",
        "+ one step on reals",
        "+ tanh, data from −1 to 1",
        "+ Adam: learning rate 0.001",
        "+ Adam: β₁ = 0.5",
        "+ leaky ReLU",
    ]


def ten_steps_against_a_standing_d_lower_the_loss_but_not_the_fid():
    assert fid_of_ten.loc["fixed", "new G"] > fid_of_ten.loc["fixed", "old G"] + 40
    assert losses["only G new"]["fixed"] < 0.1 and losses["before"]["fixed"] > 2.5


def without_freezing_d_of_fakes_swings_between_about_0_55_and_0_85():
    by_d, by_g = (sum(swings["D not frozen"][start::2]) / 10 for start in (0, 1))
    assert abs(by_d - 0.55) < 0.07 and abs(by_g - 0.85) < 0.07
    assert max(swings["D not frozen"][::2]) < min(swings["D not frozen"][1::2])


def the_losses_stand_still_near_the_values_of_one_half():
    for name, at_half in (("g_loss", math.log(2)), ("d_loss", 2 * math.log(2))):
        early, late = sum(history[name][150:250]) / 100, history.recent_mean(name, 100)
        assert abs(late - early) < 0.15 * early and abs(late - at_half) < 0.15


def meanwhile_the_fid_falls_to_less_than_half():
    early, late = score(old_samples), score(samples)
    assert 0.3 * early["FID"] < late["FID"] < 0.5 * early["FID"] and late["classes"] >= 9


def the_later_d_tells_old_fakes_apart_more_often_and_new_ones_are_harder():
    before, old_fakes, new_fakes = auc.values()
    assert old_fakes > 0.95 and old_fakes > before + 0.08 and old_fakes > new_fakes + 0.08


def at_the_end_d_is_near_one_half_on_average_and_most_logits_are_in_the_right_order():
    assert all(abs(history.recent_mean(name, 100) - 0.5) < 0.05 for name in ("d_real", "d_fake"))
    first, _, last = auc.values()
    assert last > first + 0.02 and last > 0.65
    gap = spread["real images"]["mean"] - spread["fakes"]["mean"]
    assert abs(spread["fakes"]["mean"] + 0.12) < 0.06 and abs(spread["real images"]["mean"] - 0.05) < 0.06
    assert all(values["standard deviation"] < gap < 0.3 for values in spread.values())


def both_losses_of_the_broken_step_swing_ever_wider():
    torch.manual_seed(0)
    networks, losses = article_players(), []
    reals = batches(to_tanh(images), 32, torch.Generator().manual_seed(0))
    for _ in range(600):
        losses.append([loss.item() for loss in broken_round(*networks, next(reals), torch.randn(2, 32, 100))])
    losses = torch.tensor(losses)
    assert (losses[-100:].amax(0) > 3 * losses[50:150].amax(0)).all()


def a_run_of_the_study_takes_about_six_seconds():
    seconds = sorted(run["seconds"] for run in runs["repaired"])
    assert 4 < seconds[2] < 9


def fewer_images_give_a_larger_fid():
    assert by_number["mean FID"].is_monotonic_decreasing
    assert by_number["mean FID"][125] > 2 * by_number["mean FID"][2000]


def false_alarms_come_in_about_3_of_100_studies_and_effects_of_one_sigma_are_missed():
    assert (
        len(counts) == 252 and abs(false_alarm - 8 / 252) < 1e-12 and abs(7 * false_alarm / 2 - 0.11) < 0.005
    )
    assert power[0] < 0.025 and power[1] < 0.4 and power[3] > 0.9


def images_that_the_classifier_has_not_seen_give_a_slightly_larger_fid():
    assert 0 < seen_or_not["mean"]["validation"] - seen_or_not["mean"]["training"] < 10


def at_full_width_the_leaky_relu_helps_and_both_are_better_than_narrow():
    assert mann_whitney_u(*wide.values()) == 25
    for name, narrow in (("plain ReLU", fids["plain ReLU"]), ("repaired", fixed)):
        assert sorted(wide[name])[2] < sorted(narrow)[2]


def samples_lie_farther_from_the_training_images_than_new_real_ones():
    assert (quartiles["samples of G"] > quartiles["validation images"]).all()


def an_untrained_generator_returns_nearly_uniform_grey():
    fresh = draw(Generator(), 64)
    assert abs(fresh.mean() - 0.5) < 0.02 and fresh.std() < 0.1


def the_learning_rate_decays_from_40_percent_to_2_percent():
    assert (
        lr_factor(0.005) == lr_factor(0.399) == 1
        and abs(lr_factor(1.0) - 0.02) < 1e-9
        and lr_factor(0.001) < 1
    )
