"""What notebook 21 says of its own numbers."""


def prices_of_the_first_page():
    assert round(cost_of_accepted(0.5, 0.01, 0.2), 2) == 0.42
    assert abs(0.21 / 1.2 - 0.175) < 1e-12 and round(1.01 / 1.2, 2) == 0.84


def twenty_cards_decide_at_twenty_cents_and_not_at_one_euro():
    assert form.inspection.accepted() == (0, 0)  # so the expert's verdicts counted
    assert 14 <= k <= 18 and of_twenty[0] > 0.175 + 0.05
    assert of_twenty[0] < 1.01 / 1.2 < of_twenty[1]


def the_inspector_accepts_too_few_and_the_correction_helps():
    assert abs(0.8 * 0.6 + 0.2 * 0.4 - 0.56) < 1e-12
    assert of_day["accepted"] < of_day["truly good"] - 0.05
    assert of_day["from"] <= of_day["truly good"] <= of_day["to"]
    assert abs(of_day["corrected"] - of_day["truly good"]) < of_day["truly good"] - of_day["accepted"]
    assert 0.05 < of_day["slip through"] < 0.2
    by_hand = (accepted & ~truth).double().sum() / accepted.sum()
    assert abs(by_hand - of_day["slip through"]) < 0.08


def the_order_of_the_five_ways():
    cheap, person = ways["the inspector, then a person"], ways["a person"]
    assert cheap < person < ways["the inspector"] < ways["by hand"] < ways["no review"]


def the_window_amplifies_the_imbalance_as_good_cards_rise():
    assert len(fours) == 360 and len(nines) == 40 and as_nines[1][0] in range(1, 5)
    rows = [in_window[tau] for tau in (1.0, 0.7, 0.5, 0.3)]
    assert rows[0]["corrected"] < 0.085 and rows[0]["to"] < 0.1
    assert all(row["corrected"] < 0.03 for row in rows[2:])
    assert [row["read as nines"] for row in rows] == sorted(
        (row["read as nines"] for row in rows), reverse=True
    )
    assert rows[-1]["read as nines"] < 0.015
    good_ones = [ordered[tau]["good cards"] for tau in (1.0, 0.7, 0.5, 0.3)]
    assert good_ones == sorted(good_ones) and good_ones[-1] > good_ones[0] + 0.1


def nines_turn_into_fours_near_the_middle():
    read = [is_nine(cards_of(window, tau * z)) for tau in (1.0, 0.3)]
    assert read[0].tolist() == [True] * 5 + [False] * 10 and read[1].sum() <= 2


def only_conditioning_keeps_one_half():
    balanced_only = nines_made["balanced batches"]
    assert balanced_only[-1] > 0.25 and balanced_only[0] < balanced_only[-1] - 0.15
    assert all(abs(each - 0.5) < 0.1 for each in nines_made["balanced batches and conditioning"])
    assert max(nines_made["past orders"]) < 0.1


def the_formula_accuses_more_than_half_of_the_unmarked():
    assert (Z["unmarked"] > 2.33).double().mean() > 0.5
    others = [
        torch.tensor([z_score(text, green_lists(size, key)) for text in people[:60]]).mean()
        for key in range(1, 7)
    ]
    assert min(others) < -1.5 < 1.5 < max(others)
    e = math.exp(2)
    assert round(e / (e + 1), 2) == 0.88 and len(people) > 1500


def the_watermark_is_found_at_200_tokens():
    """At least 95 % of the marked texts at 1 % false alarms, calibrated on unmarked texts."""
    assert detected["marked"][-1] >= 0.95 and 0 < detected["false alarms"][-1] < 0.025
    assert detected["marked"][0] < 0.5
    assert 0.4 < detected["marked, then paraphrased"][-1] < detected["marked"][-1] - 0.05


def the_n_gram_lets_a_team_play_itself_without_a_mark():
    parses = [grammar.parses(report) for text in plain for report in reports_in(text, grammar)]
    assert sum(parse[0]["home"] == parse[0]["away"] for parse in parses if parse) > 20


def the_mark_makes_reports_worse():
    assert judged["marked"]["in agreement"] < judged["without mark"]["in agreement"] - 0.05 < 0.3


def a_posterior_sample_has_twice_the_error():
    ratio = restored["squared error"]["posterior sample"] / restored["squared error"]["posterior mean"]
    assert abs(ratio - 2) < 0.04
    assert abs(restored["sharpness"]["posterior sample"] - 1) < 0.05
    assert restored["sharpness"]["posterior mean"] < 0.4


def with_a_vae_twice_on_its_own_threes_and_not_on_real_ones():
    own, real = (tables[name]["squared error"] for name in ("drawn by the VAE", "real"))
    assert 1.7 < own["VAE, sample"] / own["VAE, mean"] < 2.3
    assert real["VAE, sample"] / real["VAE, mean"] < 1.25
    assert real["Gaussian, mean"] < real["VAE, mean"]
    blurred = tables["real"]["sharpness"]
    assert max(blurred["VAE, mean"], blurred["VAE, sample"]) < 0.5


def ten_examples_halve_the_standard_deviation():
    spread = {n: row["standard deviation"] for n, row in taste.items()}
    assert spread[10] < 0.6 * spread[1] and spread[30] < spread[5]
    assert all(of_anybody + 0.01 < row["ink, mean"] < goal for row in taste.values())


def ninety_of_a_hundred_intervals_contain_the_truth():
    names = ("as in the audit", "temperature 0.5", "only 1 to 5")
    inside = [hundred[name]["of 100 intervals contain it"] for name in names]
    assert inside[0] >= 90 > min(inside[1:]) and max(inside[1:]) < 95
    assert all(hundred[name]["corrected"] > hundred[name]["truly good"] + 0.01 for name in names[1:])
