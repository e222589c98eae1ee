"""Notebook 14, the core: the quantiser and its codebook, the bound of a discrete q, an autoregressive prior."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.distributions import Bernoulli, Categorical, kl_divergence
from torch.nn.functional import one_hot

from helpers.studies import study
from helpers.studies import vqvae as vqvae_study
from helpers.studies.vqvae import CODEBOOKS, SEEDS, codebook_run, cosine, take, vae_samples, vqvae_run
from helpers.training import for_updates
from helpers.vae import (
    VQVAE,
    CodePrior,
    Quantiser,
    bernoulli_log_likelihood,
    code_shares,
    dead_codes,
    means_of,
    nearest_code,
    perplexity,
    prior_nll,
    prior_step,
    sample_tokens,
    straight_through,
    tokens_of,
    update_codebook_ema,
    vqvae_step,
)


def test_the_nearest_code_by_looking_at_each(double):
    """(14.1)"""
    h, codes = torch.randn(50, 3), torch.randn(7, 3)
    by_hand = [min(range(7), key=lambda k, row=row: (row - codes[k]).square().sum().item()) for row in h]
    assert nearest_code(h, codes).tolist() == by_hand
    assert nearest_code(codes, codes).tolist() == list(range(7))


def test_straight_through_is_the_code_with_the_gradient_of_a_shift(double):
    """(14.2): against finite differences of f(e + δ); the true slope in h is 0 where the choice does not change."""
    h, codes = torch.randn(6, 3), torch.randn(9, 3)
    curve = torch.randn(3, 3)

    def f(z):
        return (torch.sin(z @ curve).sum(1) * torch.arange(1.0, 7.0)).sum()

    leaf = h.clone().requires_grad_()
    book = codes.clone().requires_grad_()
    e = book[nearest_code(leaf, book)]
    z = straight_through(leaf, e)
    assert torch.allclose(z, e)
    in_h, in_codes = torch.autograd.grad(f(z), (leaf, book), materialize_grads=True)
    assert in_codes.abs().max() == 0
    fixed, step = codes[nearest_code(h, codes)], 1e-5
    for i in range(6):
        for j in range(3):
            delta = torch.zeros_like(h)
            delta[i, j] = step
            shifted = (f(fixed + delta) - f(fixed - delta)) / (2 * step)
            true = f(codes[nearest_code(h + delta, codes)]) - f(codes[nearest_code(h - delta, codes)])
            assert torch.isclose(in_h[i, j], shifted, atol=1e-8) and true == 0


def test_the_three_terms_reach_whom_they_should(double):
    """(14.3): likelihood → encoder and decoder; |sg(h) − e|² → codes alone; c |h − sg(e)|² → encoder alone."""
    vqvae = VQVAE(size=8, dim=3, width=4)
    x = torch.bernoulli(torch.rand(5, 1, 28, 28))
    h = vqvae.encode(x)
    z, _, e = vqvae.quantiser(h)
    likelihood = bernoulli_log_likelihood(x.flatten(1), vqvae.decode(z)).mean()
    codebook, commitment = (h.detach() - e).square().sum() / 5, (h - e.detach()).square().sum() / 5
    parts = {"encoder": vqvae.encoder.parameters(), "decoder": vqvae.decoder.parameters()}
    parts = {name: list(each) for name, each in parts.items()} | {"codes": [vqvae.quantiser.codes]}
    expected = {"encoder": (1, 0, 1), "decoder": (1, 0, 0), "codes": (0, 1, 0)}
    for name, weights in parts.items():
        for term, reached in zip((likelihood, codebook, commitment), expected[name], strict=True):
            grads = torch.autograd.grad(term, weights, retain_graph=True, allow_unused=True)
            moved = sum(g.abs().sum().item() for g in grads if g is not None)
            assert (moved > 0) == bool(reached), name


def at_the_coins_of_seed_1(vqvae, x):
    """h, k and e where grey pixels are tossed from seed 1, and there −log p(x|z), the mean of the images."""
    torch.manual_seed(1)
    coins = torch.bernoulli(x)
    h = vqvae.encode(coins)
    k = torch.cdist(h, vqvae.quantiser.codes).argmin(1)
    e = vqvae.quantiser.codes[k]
    logits = vqvae.decode(h + (e - h).detach())
    torch.manual_seed(1)
    return h, k, e, -Bernoulli(logits=logits).log_prob(coins.flatten(1)).sum(1).mean()


def test_a_step_descends_the_three_terms_at_new_coins(one_step_down):
    """(14.3), from grey pixels: −log p(x|z) + ¼ |h − sg(e)|² + |sg(h) − e|², means over the images."""
    vqvae, x = VQVAE(size=8, dim=3, width=4), torch.rand(5, 1, 28, 28)
    h, _, e, reconstruction = at_the_coins_of_seed_1(vqvae, x)
    commitment, codebook = (h - e.detach()).square().sum() / 5, (h.detach() - e).square().sum() / 5
    seen = one_step_down(
        vqvae,
        reconstruction + 0.25 * commitment + codebook,
        lambda optimiser: vqvae_step(vqvae, optimiser, x, ema=False),
    )
    assert torch.isclose(seen["reconstruction"], reconstruction)
    assert torch.isclose(seen["quantisation"], commitment) and seen["restarted"] == 0


@pytest.mark.parametrize("restart", [False, True])
def test_a_step_by_averages_descends_two_terms_and_then_the_codes_follow(one_step_down, restart):
    """No gradient reaches the codes; they, their counts and sums become what `update_codebook_ema` makes of h and k."""
    vqvae, x = VQVAE(size=8, dim=3, width=4), torch.rand(5, 1, 28, 28)
    vqvae.quantiser.counts.copy_(torch.tensor([0.1] * 4 + [30.0] * 4))  # four codes that were hardly used
    twin = copy.deepcopy(vqvae.quantiser)
    h, k, e, reconstruction = at_the_coins_of_seed_1(vqvae, x)
    seen = one_step_down(
        nn.ModuleList([vqvae.encoder, vqvae.decoder]),
        reconstruction + 0.6 * (h - e.detach()).square().sum() / 5,
        lambda optimiser: vqvae_step(vqvae, optimiser, x, restart=restart, commitment=0.6),
    )
    torch.manual_seed(1)
    torch.bernoulli(x)  # the coins come first, then the vectors on which dead codes are put
    assert seen["restarted"] == update_codebook_ema(twin, h.detach(), k, restart=restart)
    assert (0 < seen["restarted"] < 8) is restart and vqvae.quantiser.codes.grad is None
    for name, number in twin.state_dict().items():
        assert torch.equal(vqvae.quantiser.state_dict()[name], number), name


def test_averages_are_one_step_of_k_means(double):
    """(14.4): with decay 0 each code goes to the mean of its vectors; with decay m, counts and sums are averaged."""
    quantiser, h = Quantiser(5, 3), torch.randn(400, 3)
    k = nearest_code(h, quantiser.codes)
    update_codebook_ema(quantiser, h, k, decay=0.0, restart=False)
    means = torch.stack([h[k == j].mean(0) for j in range(5)])
    assert torch.allclose(quantiser.codes, means)
    before = (h - means[k]).square().sum()
    assert (h - means[nearest_code(h, means)]).square().sum() < before  # and the next assignment improves it

    counts, sums = quantiser.counts.clone(), quantiser.sums.clone()
    other = torch.randn(300, 3) + 1
    k = nearest_code(other, quantiser.codes)
    update_codebook_ema(quantiser, other, k, decay=0.8, restart=False)
    picked = one_hot(k, 5).double()
    counts, sums = 0.8 * counts + 0.2 * picked.sum(0), 0.8 * sums + 0.2 * picked.T @ other
    assert torch.allclose(quantiser.codes, sums / counts[:, None])


def test_many_steps_of_averages_find_the_clusters(double):
    centres = torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 4.0], [0.0, -4.0]])
    quantiser = Quantiser(4, 2)
    for _ in range(60):
        h = centres[torch.randint(4, (200,))] + 0.1 * torch.randn(200, 2)
        update_codebook_ema(quantiser, h, nearest_code(h, quantiser.codes), decay=0.8)
    assert torch.cdist(centres, quantiser.codes).min(1).values.max() < 0.15


def test_a_dead_code_is_put_on_a_vector_and_without_restart_it_stays(double):
    quantiser, h = Quantiser(4, 2), 0.1 * torch.randn(100, 2)
    with torch.no_grad():
        quantiser.codes[3] = 50.0
        quantiser.sums.copy_(quantiser.codes)
    for restart in (False, True):
        restarted = 0
        for _ in range(80):
            restarted += update_codebook_ema(quantiser, h, nearest_code(h, quantiser.codes), restart=restart)
        alive = (quantiser.codes[3].abs() < 1).all()
        assert bool(alive) is restart and (restarted > 0) is restart
    assert quantiser.codes.isfinite().all()


def test_a_restarted_code_counts_as_if_it_had_its_equal_share(double):
    """By hand, with the decay 0.95 that is not given: 5 % of the batch, then dead codes on vectors of the batch."""
    quantiser, h, k = Quantiser(4, 2), torch.randn(80, 2), torch.tensor([0] * 40 + [1] * 39 + [2])
    quantiser.counts.copy_(torch.tensor([10.0, 20.0, 2.1, 1.9]))  # dead below 80/(10 · 4) = 2
    sums = 0.95 * quantiser.sums + 0.05 * torch.stack([h[k == j].sum(0) for j in range(4)])
    torch.manual_seed(2)
    assert update_codebook_ema(quantiser, h, k) == 1
    torch.manual_seed(2)
    chosen = h[torch.randint(80, (1,))]
    assert torch.allclose(quantiser.counts, torch.tensor([11.5, 20.95, 2.045, 80 / 4]))
    assert torch.allclose(quantiser.sums, torch.cat([sums[:3], 20 * chosen]))
    assert torch.allclose(quantiser.codes, torch.cat([sums[:3] / quantiser.counts[:3, None], chosen]))


def test_a_code_without_any_vectors_stays_a_number(double):
    quantiser, h = Quantiser(3, 2), torch.randn(10, 2)
    update_codebook_ema(quantiser, h, torch.zeros(10, dtype=torch.long), decay=0.0, restart=False)
    assert torch.allclose(quantiser.codes, torch.cat([h.mean(0)[None], torch.zeros(2, 2)]))


def test_shares_dead_codes_and_perplexity_by_hand():
    """(14.7)"""
    k = torch.tensor([[0] * 60, [1] * 39 + [2] * 20 + [3]])
    shares = code_shares(k, 5)
    assert torch.allclose(shares, torch.tensor([60, 39, 20, 1, 0]) / 120)
    assert dead_codes(k, 5).tolist() == [False, False, False, True, True]  # 1/120 < 1/50
    by_hand = math.exp(-sum(s * math.log(s) for s in shares.tolist() if s))
    assert math.isclose(perplexity(shares).item(), by_hand, rel_tol=1e-5)
    assert math.isclose(perplexity(torch.full((64,), 1 / 64)).item(), 64, rel_tol=1e-5)
    assert perplexity(torch.tensor([1.0, 0.0])).item() == 1


def test_the_bound_of_a_discrete_guess(double):
    """(14.5): below the exact log p(x) for every choice; the KL of a one-hot q is −log p(k)."""
    prior, likelihood = torch.randn(6).softmax(0), 3 * torch.randn(6)
    evidence = torch.logsumexp(likelihood + prior.log(), 0)
    for k in range(6):
        q = one_hot(torch.tensor(k), 6).double()
        kl = kl_divergence(Categorical(probs=q), Categorical(probs=prior))
        assert torch.allclose(kl, -prior[k].log())
        bound = (q * likelihood).sum() - kl
        assert bound <= evidence
        assert torch.allclose(
            evidence - bound, -torch.log_softmax(likelihood + prior.log(), 0)[k]
        )  # gap: KL(q‖p(k|x))


def test_the_rate_is_a_sum_of_surprises_and_294_bits_without_knowledge(double):
    """(14.6)"""
    prior, k = CodePrior(size=6, hidden=8, positions=12, row=4), torch.randint(6, (3, 12))
    with torch.no_grad():
        for i in range(3):
            surprise = 0.0
            for place in range(12):
                hidden_future = k[i : i + 1].clone()
                hidden_future[:, place:] = torch.randint(6, (1, 12 - place))
                p = prior(hidden_future)[0, place].softmax(0)  # may depend on what came before only
                surprise -= p[k[i, place]].log()
            assert torch.allclose(prior_nll(prior, k)[i], surprise)
        for part in prior.parameters():
            part.zero_()
        assert torch.allclose(prior_nll(prior, k), torch.full((3,), 12 * math.log(6)))
    assert math.isclose(49 * math.log(64) / math.log(2), 294)


def influence(prior, k):
    """Which code moves which logits when another is put in its place: (i, j) for the logits at i, the code at j."""
    seen = torch.zeros(prior.positions, prior.positions, dtype=torch.bool)
    with torch.no_grad():
        logits = prior(k[None])[0]
        for place in range(prior.positions):
            other = k.clone()
            other[place] = (k[place] + 1) % prior.size
            seen[:, place] = (prior(other[None])[0] - logits).abs().amax(1) > 1e-12
    return seen


def test_each_position_sees_the_token_before_it_and_the_one_above(double):
    """All before it through the hidden state; i − 1 and i − row, no others, where that forgets at once."""
    prior = CodePrior(size=5, hidden=8, positions=12, row=4)
    k = torch.randint(5, (12,))
    places = torch.arange(12)
    back = places[:, None] - places
    assert torch.equal(influence(prior, k), back > 0)
    with torch.no_grad():
        prior.gru.weight_hh_l0.zero_()
        prior.gru.bias_ih_l0[8:16] = -1e4  # the gate that would let the old state through
    assert torch.equal(influence(prior, k), (back == 1) | (back == 4))
    before, above = prior.shifted(k[None])[0].sub(prior.position).split(32, dim=1)
    none = torch.full((4,), 5)  # before the first code, and above the first row: the word for "no code"
    assert torch.allclose(before, prior.before(torch.cat([none[:1], k[:-1]])))
    assert torch.allclose(above, prior.above(torch.cat([none, k[:-4]])))
    alike = prior(torch.full((1, 12), 2))[
        0, 5:
    ].detach()  # the same neighbours everywhere: the place still counts
    assert torch.cdist(alike, alike).add(torch.eye(7)).min() > 1e-6


def test_codes_are_drawn_from_the_prior_itself(double):
    """All 3⁴ grids: their drawn shares against their probabilities, which sum to 1."""
    prior = CodePrior(size=3, hidden=8, positions=4, row=2)
    with torch.no_grad():
        for part in prior.parameters():
            part.mul_(3)
        grids = torch.cartesian_prod(*[torch.arange(3)] * 4)
        p = (-prior_nll(prior, grids)).exp()
    assert torch.allclose(p.sum(), torch.ones(()))
    drawn = sample_tokens(prior, 40_000, torch.Generator().manual_seed(1))
    assert drawn.shape == (40_000, 4) and drawn.max() == 2
    place = (drawn * torch.tensor([27, 9, 3, 1])).sum(1)
    shares = place.bincount(minlength=81) / 40_000
    error = (p * (1 - p) / 40_000).sqrt()
    assert ((shares - p).abs() < 4.5 * error).all() and p.max() > 5 / 81
    again = sample_tokens(prior, 40_000, torch.Generator().manual_seed(1))
    assert torch.equal(drawn, again)


def test_the_grid_is_written_row_by_row(double):
    """A patch of the image moves only the codes at its place; the decoder paints it there."""
    vqvae = VQVAE(size=8, dim=3, width=4)
    x = torch.zeros(1, 1, 28, 28)
    touched = x.clone()
    touched[..., 8:12, 20:24] = 1  # row 2, column 5 of the grid
    moved = (vqvae.encode(touched) - vqvae.encode(x)).abs().sum(1).view(7, 7) > 1e-12
    rows, columns = moved.nonzero().T
    assert moved[2, 5] and rows.float().mean().round() == 2 and columns.float().mean().round() == 5
    assert moved.sum() <= 9
    z = torch.zeros(49, 3)
    other = z.clone()
    other[2 * 7 + 5] = 1
    painted = (vqvae.decode(other) - vqvae.decode(z)).abs().view(28, 28)
    assert painted[8:12, 20:24].sum() > 0 and painted[:, :8].sum() == 0 and painted[20:].sum() == 0


def test_codes_and_means_in_parts_are_those_of_the_whole():
    torch.manual_seed(0)
    vqvae, x = VQVAE(size=8, dim=3, width=4), torch.rand(300, 1, 28, 28)
    k = tokens_of(vqvae, x)
    assert k.shape == (300, 49) and torch.equal(k[280:], tokens_of(vqvae, x[280:]))
    drawn = means_of(vqvae, k)
    assert drawn.shape == x.shape and 0 <= drawn.min() and drawn.max() <= 1
    z = vqvae.quantiser.codes[k[7]]
    assert torch.allclose(vqvae.decode(z).sigmoid().view(28, 28), drawn[7, 0], atol=1e-6)


def test_a_step_of_the_prior_descends_the_mean_surprise(one_step_down):
    """(14.6), by PyTorch's Categorical, in nats an image."""
    prior, k = CodePrior(size=6, hidden=8, positions=12, row=4), torch.randint(6, (3, 12))
    nats = -Categorical(logits=prior(k)).log_prob(k).sum(1).mean()
    seen = one_step_down(prior, nats, lambda optimiser: prior_step(prior, optimiser, k))
    assert torch.isclose(seen["nats"], nats)


# The study


def test_a_budget_is_spent_along_a_cosine():
    """From 1 to a fiftieth, halfway through at 0.51."""
    assert [cosine(done) for done in (0, 1 / 3, 0.5, 1)] == pytest.approx([1, 0.755, 0.51, 0.02])
    optimiser, rates = torch.optim.SGD([torch.zeros(1)], 9.0), []
    steps = take(for_updates(8), optimiser, 3.0, lambda: rates.append(optimiser.param_groups[0]["lr"]))
    assert steps == 8 and rates == pytest.approx([3 * cosine(n / 8) for n in range(8)])


def test_the_study_shows_what_was_asked_for():
    """After the same 30 CPU-seconds the VQ-VAE with its prior is never behind, draws ten classes, keeps its codes."""
    content = study("vqvae")
    runs = content["runs"]
    assert content["settings"]["cpu_seconds"] == 30 and len(SEEDS) == 3
    assert max(run["distance"] for run in runs["VQ-VAE"]) <= min(run["distance"] for run in runs["VAE"])
    assert all(run["classes"] == 10 and run["dead"] <= 0.2 * 64 for run in runs["VQ-VAE"])
    for made in ("gradient", "gradient, codes from data"):
        assert min(run["dead"] for run in runs[made]) > 0.5 * 64
    assert max(run["dead"] for run in runs["averages, restarts"]) <= 0.2 * 64


def test_the_saved_samples_look_like_digits():
    """Sixteen different images, mostly paper, with some ink, no ink in their corners."""
    saved = vae_samples()
    assert saved.shape == (16, 1, 28, 28) and saved.dtype == torch.float32
    assert 0 <= saved.min() < 0.02 and 0.9 < saved.max() <= 1 and 0.05 < saved.mean() < 0.25
    assert saved[..., :2, :2].max() < 0.1 and torch.pdist(saved.flatten(1)).min() > 1


def test_the_picture_is_read_as_it_was_written(monkeypatch, tmp_path):
    """Without training: sixteen samples of a VAE after one update, but for the 256 levels of a PNG."""
    monkeypatch.setattr(vqvae_study, "RESULTS", tmp_path)
    monkeypatch.setattr(vqvae_study, "for_updates", lambda steps: for_updates(1))
    vqvae_study.draw_picture()
    vae, _ = vqvae_study.trained_vae(SEEDS[0], for_updates(1))
    expected = vae.sample(16, torch.Generator().manual_seed(3)).view(16, 1, 28, 28)
    assert (vae_samples() - expected).abs().max() < 0.01


@pytest.mark.parametrize("setting", ["gradient", "averages, restarts"])
def test_a_new_seed_of_a_codebook_falls_into_the_spread(setting, one_thread):
    assert setting in CODEBOOKS
    run, runs = codebook_run(setting, 11), study("vqvae")["runs"][setting]
    for name, slack in (("dead", 8), ("perplexity", 15), ("reconstruction", 25)):
        values = [each[name] for each in runs]
        assert min(values) - slack <= run[name] <= max(values) + slack


def test_a_new_seed_of_the_vq_vae_keeps_its_codes_and_draws_ten_classes(one_thread):
    """Half of the study's updates of the codes, a fifth of the prior's: enough to see that the recipe works."""
    run = vqvae_run(11, for_updates(200), for_updates(250))
    assert run["classes"] >= 9 and run["dead"] <= 0.2 * 64
    assert run["nats"] < 100 and run["distance"] < 400  # before: some 205 and 1,000
