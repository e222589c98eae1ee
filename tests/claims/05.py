"""What notebook 05 says of its own numbers."""

import math


def noise_and_plain_grey_lie_near_1000_or_above_and_real_images_below_10():
    assert scale["FID"]["baseline: training images"] < 10
    assert 900 < scale["FID"]["noise"] < scale["FID"]["plain grey"] < 2000
    assert scale["classes"]["baseline: training images"] == 10


def the_letters_and_grids_are_those_of_the_folded_answer():
    assert letters == {"A": "β₁ = 0.9", "B": "fixed", "C": "D not frozen", "D": "learning rate 0.0001"}
    assert random.Random(5).sample("ABCD", 4) == ["C", "D", "B", "A"]


def the_lowest_loss_is_that_of_the_unfrozen_d_whose_fakes_get_about_one_half():
    assert table["generator's loss"].idxmin() == "D not frozen"
    assert table["generator's loss"]["fixed"] > 3 * table["generator's loss"]["D not frozen"]
    assert abs(table["D(fake)"]["D not frozen"] - 0.5) < 0.15


def the_best_pictures_are_those_of_the_fixed_program():
    assert table["FID"].idxmin() == "fixed" and table["FID"]["D not frozen"] > 1.4 * table["FID"]["fixed"]
    unfrozen, noise, real = (
        table["FID"]["D not frozen"],
        *scale["FID"][["noise", "baseline: training images"]],
    )
    assert abs(noise - unfrozen) < abs(unfrozen - real)


def four_bugs_lose_every_pair_one_just_passes_and_two_are_not_measurable():
    lost = ablation["pairs lost of 25"]
    ruinous = ["D not frozen", "Adam: learning rate 0.0001", "Adam: β₁ = 0.9"]
    assert all(lost[name] == 25 for name in [*ruinous, "plain ReLU"])
    assert all(ablation["lowest FID"][name] > 800 for name in ruinous)
    assert lost["tanh, data from 0 to 1"] == 23
    assert all(2 < lost[name] < 23 for name in ("two steps on reals", "ReLU at the end of G"))
    assert set(ablation["verdict"]) == {"worse", "not measurable"} and len(ablation) == 7


def on_the_ladder_nothing_clear_happens_before_beta_1():
    medians = [sorted(fids[name])[2] for name in rungs]
    assert all(1000 < each < 1200 for each in medians[:5])
    assert 550 < medians[5] < 650 and 400 < sorted(fixed)[2] < 450


def without_freezing_most_of_the_fall_is_due_to_d_and_g_contributes_little():
    by_g, by_d = falls["fall due to the new G"], falls["fall due to the new D"]
    assert by_d["fixed"] == 0 and by_d["D not frozen"] > 1.3 * by_g["D not frozen"]
    assert by_g["fixed"] > 5 * by_g["D not frozen"]


def the_losses_stand_still_near_the_values_of_one_half():
    for name, at_half in (("g_loss", math.log(2)), ("d_loss", 2 * math.log(2))):
        early, late = sum(history[name][150:250]) / 100, history.recent_mean(name, 100)
        assert abs(late - early) < 0.15 * early and abs(late - at_half) < 0.15


def meanwhile_the_fid_falls_to_about_half():
    early, late = score(old_samples), score(samples)
    assert 0.3 * early["FID"] < late["FID"] < 0.7 * early["FID"] and late["classes"] >= 9


def the_later_d_tells_old_fakes_apart_more_often_and_new_ones_are_harder():
    before, old_fakes, new_fakes = auc.values()
    assert old_fakes > before + 0.08 and old_fakes > new_fakes + 0.08


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
