"""What notebook 12 says of its own numbers."""

_EARLY, _LATE = slice(15, 30), slice(-50, None)


def both_terms_move_at_once_and_the_kl_goes_up():
    assert history["kl"][0] < 5 < 15 < history.recent_mean("kl")
    assert history["kl"][9] > history["kl"][0] + 2
    assert history["reconstruction"][9] < history["reconstruction"][0] - 10


def an_image_spends_some_27_nats_and_saves_some_135():
    assert 24 < history.recent_mean("kl") < 30
    saved = history["reconstruction"][0] - history.recent_mean("reconstruction")
    assert 120 < saved < 150
    assert 4.3 < saved / history.recent_mean("kl") < 6  # about 5 nats for each nat of KL, on average


def the_loss_at_the_end_is_the_sum_and_about_the_elbo_of_the_training_images():
    assert abs(last["loss"] - last["reconstruction"] - last["kl"]) < 0.1
    assert abs(last["loss"] + scores["VAE, training images"].mean()) < 3


def by_update_30_the_ten_codes_give_different_images():
    spread = {t: pictures.std(0).mean() for t, pictures in watched.items()}
    assert spread[30] > 2 * spread[0]


def the_numbers_by_hand():
    mu, log_var = torch.tensor([[2.0]]), torch.tensor([[0.2]]).log() * 2
    assert abs(gaussian_kl(mu, log_var).item() - 3.13) < 0.005
    a = torch.tensor([[9.0]]).log()
    assert abs(a.item() - 2.2) < 0.01 and abs(softplus(a).item() - 2.3) < 0.01
    for pixel, value in ((1.0, 0.9), (0.0, 0.1)):
        wanted = torch.tensor(value).log()
        assert torch.allclose(bernoulli_log_likelihood(torch.tensor([[pixel]]), a), wanted)
    weights = torch.tensor([[1.0, 1], [1, 3], [3, 1], [3, 3]])  # of (12.6), K = 1 and 2
    assert abs(weights.log().mean() - 0.55) < 0.005 and abs(weights.mean(1).log().mean() - 0.62) < 0.005


def the_code_is_worth_about_a_hundred_nats():
    without, with_code = (scores[name].mean() for name in ("no code: the mean image", "VAE, test images"))
    assert without < -180 < -115 < with_code
    assert 80 < with_code - without < 120


def the_training_images_score_several_nats_higher():
    gap = scores["VAE, training images"].mean() - scores["VAE, test images"].mean()
    assert 3 < gap < 15


def two_dimensions_explain_the_digits_much_worse():
    assert mean_elbo(flat_vae, validation).mean() < mean_elbo(vae, validation).mean() - 30


def many_digits_have_a_region_of_their_own():
    """By the majority of the ten nearest codes: far more often right than by chance."""
    with torch.no_grad():
        codes = flat_vae.encode(images[:700])[0]
    near = torch.cdist(codes, codes).topk(11, largest=False).indices[:, 1:]
    right = labels[near].mode(1).values == labels[:700]
    shares = torch.stack([right[labels[:700] == digit].float().mean() for digit in range(10)])
    assert right.float().mean() > 0.45 and (shares > 0.6).sum() >= 3


def zeros_ones_and_sevens_stand_apart_and_fours_and_nines_share_a_region():
    with torch.no_grad():
        codes = flat_vae.encode(images[:700])[0]
    near = labels[torch.cdist(codes, codes).topk(11, largest=False).indices[:, 1:]]
    share = torch.stack(
        [(near[labels[:700] == digit] == other).float().mean() for digit in range(10) for other in range(10)]
    )
    share = share.view(10, 10)  # of the neighbours of a digit, how many are each other digit
    assert min(share[digit, digit] for digit in (0, 1, 7)) > 0.6
    others = share - torch.diag(share.diagonal())
    assert others[4].argmax() == 9 and others[9].argmax() in (4, 7) and others[9, 4] > 0.15


def the_dashed_circle_holds_86_percent_of_the_prior():
    assert abs(1 - torch.exp(torch.tensor(-2.0)) - 0.86) < 0.006


def one_over_d_reconstructs_best_and_one_samples_best_and_has_the_best_bound():
    assert table["reconstruction error"].idxmin() == "0.05"
    assert table["ELBO"].idxmax() == table["FID, z from the prior"].idxmin() == "1"
    assert table["FID, z from the prior"]["0.05"] > 1.2 * table["FID, z from the prior"]["1"]


def the_last_two_have_collapsed_onto_the_prior_and_return_the_mean_image():
    with torch.no_grad():
        for name in ("39.2", "784"):
            model = models[name][0]
            mu, log_var = model.encode(binarised(images[:2000]))
            assert table["KL"][name] < 0.1 and mu.var(0).mean() < 0.05
            assert (log_var.exp().mean() - 1).abs() < 0.05
            assert (decoded(model, noise) - images.mean(0)).abs().mean() < 0.02


def the_decoder_of_one_over_d_is_very_good_on_codes_of_the_encoder():
    from_q, from_prior = table["FID, z from q(z|x)"], table["FID, z from the prior"]
    assert from_q["0.05"] < 0.3 * from_prior["0.05"] and from_q["0.05"] < from_q["1"] < 0.6 * from_prior["1"]


def a_sample_from_the_prior_lies_some_8_standard_deviations_from_the_nearest_mean():
    found = {}
    with torch.no_grad():
        for name in ("0.05", "1", "39.2"):
            mu, log_var = models[name][0].encode(binarised(images))
            found[name] = distance_to_nearest(torch.randn(200, 20), mu, (log_var / 2).exp()).median()
    assert 6.5 < found["0.05"] < 10 and 1.5 < found["1"] < 3.5 and found["39.2"] < 1.2


def with_one_over_d_the_posteriors_are_narrow_and_far_apart():
    with torch.no_grad():
        parts = {}
        for name in ("0.05", "1"):
            mu, log_var = models[name][0].encode(binarised(images[:2000]))
            parts[name] = mu.var(0).mean(), log_var.exp().mean()
    (between, within), (between_1, within_1) = parts.values()
    assert between > 1.5 and within < 0.2 and within < within_1
    assert 0.8 < between_1 + within_1 < 1.4


def the_importance_weighted_bound_is_tighter_by_far_more_than_its_error():
    assert gain.mean() > 4 * gain.std() / len(gain) ** 0.5
    assert 2 < gain.mean() < 9


def the_amortisation_gap_is_larger_on_images_that_the_encoder_has_not_seen():
    train_gap, validation_gap = gaps["amortisation gap"]
    assert 0.5 < train_gap < 3.5 and 1.5 < validation_gap < 6 and validation_gap > train_gap + 0.5
    assert validation_gap > gaps["approximation gap, about"]["validation images"] > 0.3
    assert gaps["approximation gap, about"]["training images"] > 0.3


def the_two_ways_to_compute_the_elbo_agree():
    assert (plain.mean() - closed.mean()).abs() < 4 * standard_error


def the_first_nat_saves_at_most_about_32():
    assert 30 < eigenvalues[-1] < 34.5 and betas["39.2"] > eigenvalues[-1]
    sampled = binarised(images).flatten(1)[:, inked]
    some = sampled.var(0) > 0  # not by the formula: correlations of one binarisation
    largest = torch.linalg.eigvalsh(torch.corrcoef(sampled[:, some].T))[-1]
    assert (largest - eigenvalues[-1]).abs() < 1


def the_first_nat_saves_n_nats_of_n_equal_pixels():
    """By quadrature, for one pixel: with w = 2m the mean log-probability rises by m²/2, which is the KL."""
    m, z = 0.02, torch.linspace(-9, 9, 4001, dtype=torch.float64)
    density = torch.exp(-0.5 * (z - m) ** 2)
    density /= density.sum()  # of z for a black image; the white one mirrors it
    change = (density * (2 * m * z - softplus(2 * m * z))).sum() + torch.tensor(2.0).log()
    assert abs(change / (m**2 / 2) - 1) < 0.01
    assert abs(torch.linalg.eigvalsh(torch.ones(5, 5))[-1] - 5) < 1e-4


def the_first_nat_is_right_and_the_average_nat_is_not():
    """Below the threshold the KL grows again after its first fall, above it goes on falling."""
    kl = {beta: torch.tensor([float(value) for value in values]) for beta, values in runs.items()}
    early, late = ({beta: values[part].mean() for beta, values in kl.items()} for part in (_EARLY, _LATE))
    assert late[10.0] > 1 and late[20.0] > 0.1 and late[39.2] < 0.02
    assert late[10.0] > 3 * late[20.0] and late[10.0] > 2 * early[10.0]
    assert late[20.0] > 1.5 * early[20.0] and late[39.2] < 0.7 * early[39.2]


def without_binarisation_the_samples_and_the_kl_stay():
    kl, bug_kl = greys_table["KL"]["black and white"], greys_table["KL"]["grey, the bug"]
    fids = greys_table["FID"]
    assert abs(bug_kl - kl) < 4
    assert abs(fids["grey, the bug"] - fids["black and white"]) < 80


def the_bug_reports_a_little_less_and_never_more_than_a_perfect_copy():
    reported_nats = greys_table["reported, nats"]
    assert reported_nats["grey, the bug"] < reported_nats["black and white"] - 0.5
    assert reported_nats["grey, the bug"] < copied < -40 and abs(copied + 46.5) < 0.1
    assert reported_nats["grey, continuous Bernoulli"] > 1000


def about_81_percent_of_the_pixels_are_white_and_worth_1750_nats():
    white = (unseen == 0).float().mean()
    assert 0.79 < white < 0.83
    at_16 = continuous_bernoulli(torch.zeros(1, 1), torch.full((1, 1), -16.0)).item()
    assert abs(at_16 - 2.77) < 0.01
    assert continuous_bernoulli(torch.zeros(1, 1), torch.full((1, 1), -60.0)).item() < 2.9
    assert 1680 < white * 784 * at_16 < 1820
    assert abs(ContinuousBernoulli(logits=torch.tensor(-16.0)).mean - 1 / 16) < 0.001
