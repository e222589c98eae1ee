"""What notebook 13 says of its own numbers."""

import math
from itertools import pairwise


def the_line_passes_through_shorter_codes_and_greyer_images():
    grey, clear = between["half-grey pixels"], between["clearly a digit"]
    assert grey["arc"] < grey["straight line"] < grey["pixels"]
    assert clear["straight line"] < clear["arc"] < clear["ends"]
    lengths = between["mean |z|"]
    assert lengths["straight line"] < lengths["arc"] - 0.5 and abs(math.sqrt(10) - 3.2) < 0.05


def all_ten_units_are_active_at_almost_two_nats_each():
    assert active_units(mu) == 10 and units["KL, nats"].min() > 0.8
    assert 1.5 < units["KL, nats"].mean() < 2.1


def the_run_here_agrees_with_the_study():
    theirs = curve_runs[1]["rate"]
    assert theirs.min() - 1 < units["KL, nats"].sum() < theirs.max() + 1


def the_curve_is_monotone_for_every_seed():
    for seed in range(3):
        rates, distortions = (
            [curve_runs[beta][name][seed] for beta in betas] for name in ("rate", "distortion")
        )
        assert rates == sorted(rates) and distortions == sorted(distortions, reverse=True)


def the_nats_bought_lie_between_the_betas():
    for left, right in pairwise(betas):
        assert right < curve.loc[right, "nats bought by one"] < left


def the_elbo_is_largest_at_one_and_the_samples_are_best_at_two():
    assert curve["elbo"].idxmax() == 1 and curve["distance"].idxmin() == 2
    assert curve_runs[2]["distance"].max() < curve_runs[1]["distance"].min()


def the_first_nat_of_the_dense_decoder_lies_between_10_and_64():
    assert 28 < first_nat < 37


def beta_64_collapses_and_beta_10_does_not():
    assert trials[10]["active"] >= 1 and trials[10]["rate"] > 2
    assert trials[64]["active"] == 0 and trials[64]["rate"] < 0.1


def above_the_first_nat_all_reconstructions_are_the_mean_image():
    apart = {
        name: (row - row.mean(0)).square().sum((1, 2, 3)).mean().item()
        for name, row in zip(row_titles, rows, strict=True)
    }
    assert apart["β = 64"] < 0.02 * apart["β = 10"] < apart["β = 1"]
    assert (rows[-1].mean(0) - images.mean(0)).abs().mean() < 0.03


def without_z_the_strong_decoder_is_better_than_the_vae():
    assert alone > curve.loc[1, "elbo"] + 10


def falling_beta_collapses_and_rising_beta_does_not():
    falls, rises = report.loc["β falls"], report.loc["β rises"]
    assert falls["active"] <= 1 and rises["active"] >= 5 and rises["elbo"] > falls["elbo"] + 0.2
    assert falls["cost of shuffling"] < 0.3 < 1 < rises["cost of shuffling"]
    assert falls["elbo"] > alone - 1  # "the ELBO looks fine"
    assert sum(kls["β falls"][-20:]) / 20 < 0.1


def the_collapse_can_be_seen():
    """The mean samples of ten codes are alike after a collapse, and the means of all codes lie in one place."""
    apart = [(each - each.mean(0)).square().sum((1, 2, 3)).mean().item() for each in averages]
    assert apart[1] > 2 * apart[0]
    scatter = {name: model.encode(validation)[0].detach().var(0).max() for name, model in both.items()}
    assert scatter["β falls"] < 0.03 < 0.1 < scatter["β rises"]


def both_cures_hold_for_every_seed():
    falls, rises, free = (cures[name] for name in ("β falls", "β rises", "free bits"))
    assert falls["active"].max() <= 1 and min(rises["active"].min(), free["active"].min()) == 10
    for cured in (rises, free):
        gain = cured["elbo"] - falls["elbo"]
        assert gain.min() > 0.3 and gain.max() < 1


def the_first_nat_of_the_strong_decoder_is_worth_far_less():
    assert 2 < strong_first_nat < 8 < first_nat


def the_average_nat_does_not_decide():
    """Without a code the best decoder draws the mean image; the average is below 10, and there is no collapse at 10."""
    mean_image = images.mean(0).flatten().clamp(0.001, 0.999).logit().expand(len(validation), -1)
    without = -bernoulli_log_likelihood(validation.flatten(1), mean_image).mean().item()
    average_nat = (without - curve.loc[1, "distortion"]) / curve.loc[1, "rate"]
    assert 5 < average_nat < 7 and trials[10]["active"] >= 1


def a_direction_dies_where_its_eigenvalue_is_not_above_beta():
    for beta, (weight, rates) in solutions.items():
        lengths = torch.linalg.svdvals(weight).square()
        assert torch.allclose(lengths, (eigenvalues - beta).clamp(min=0), atol=1e-3)
        assert torch.allclose(rates, 0.5 * (eigenvalues / beta).clamp(min=1).log(), atol=1e-3)
    assert [(eigenvalues > beta).sum().item() for beta in solutions] == [4, 3, 2, 1, 0]


def information_and_gap_are_right_where_both_are_known():
    model = LinearGaussian(torch.diag(torch.tensor([1.5, 0.8])), torch.zeros(2), std=1.0)
    x, _ = model.sample(4000, torch.Generator().manual_seed(1))
    mean, cov = model.posterior(x)
    found_information, found_gap = information_and_gap(
        mean, cov.diagonal().log().expand_as(mean), torch.randn(4000, 2)
    )
    exact = 0.5 * (1 + model.weight.square().sum(0)).log().sum().item()
    assert abs(found_information - exact) < 0.06 and abs(found_gap) < 0.06


def the_information_is_almost_log_n_for_beta_up_to_one():
    assert abs(math.log(4000) - 8.29) < 0.005
    assert abs(train_rate - information - marginal) < 0.2 and information > 8
    for beta, row in curve.iterrows():
        assert abs(row["training rate"] - row["information"] - row["gap"]) < 0.1
        assert row["information"] < 8.295
        if beta <= 1:
            assert abs(row["gap"] - (row["training rate"] - math.log(4000))) < 0.1
    assert curve.loc[4, "information"] < 7.2


def beta_one_all_the_way_is_half_of_a_collapse():
    plain, early = schedules["β = 1"], schedules["β falls, early"]
    assert plain["active"].min() == 10 and abs(plain["rate"].mean() - 0.7) < 0.1
    assert (plain["elbo"] < schedules["β rises"]["elbo"]).all()
    assert early["active"].min() >= 5 and early["rate"].max() < 0.3


def asked_for_a_digit_the_conditional_vae_mostly_draws_it():
    assert min(from_prior, from_unseen) > 0.7
