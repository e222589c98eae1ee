"""The benchmark of losses: equal compute, equal trials, and results that a new seed confirms."""

import pytest
import torch

from helpers.data import grid
from helpers.gan import gradient_norm_squared
from helpers.plotting import Picture
from helpers.studies import study
from helpers.studies.loss_benchmark import (
    D_STEPS,
    ENTRANTS,
    ROUNDS,
    SEEDS,
    Game,
    NormalisedDiscriminator,
    benchmark_run,
    judge,
    operations,
    rounds_for,
    standings,
    summary,
    tries,
)
from helpers.theory import wasserstein_exact

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_operations_of_a_plain_round_by_hand():
    """Forwards, the same for the weights' gradients, and for the inputs' where somebody below needs them."""
    batch, d, g = 128, (2 * 64, 64 * 64, 64), (2 * 64, 64 * 64, 64 * 2)
    d_step = sum(g) + 2 * (2 * sum(d) + sum(d[1:]))  # G forwards once; D on two batches
    g_step = 2 * sum(g) + sum(g[1:]) + 2 * sum(d)
    assert operations("non-saturating", 1) == 2 * batch * (d_step + g_step)
    assert operations("non-saturating", 3) == 2 * batch * (3 * d_step + g_step)


@pytest.mark.parametrize("entrant", ENTRANTS)
def test_everybody_gets_eight_tries_and_the_same_arithmetic(entrant):
    settings = tries(entrant)
    assert len(settings) == 8 == len({tuple(each.items()) for each in settings})
    assert all(("strength" in each) == bool(ENTRANTS[entrant][3]) for each in settings)
    budget = ROUNDS * operations("non-saturating", 1)
    for d_steps in D_STEPS:
        spent = rounds_for(entrant, d_steps) * operations(entrant, d_steps)
        assert budget - operations(entrant, d_steps) < spent <= budget


@pytest.mark.parametrize("entrant", ENTRANTS)
def test_each_step_moves_its_own_player(entrant):
    game = Game(entrant, 1e-2, 1e-2, 1, strength=0.3)
    players = (game.generator, game.discriminator)
    for step, mover in ((game.d_step, 1), (game.g_step, 0)):
        before = [[p.clone() for p in player.parameters()] for player in players]
        step()
        for k, player in enumerate(players):
            same = [torch.equal(a, b) for a, b in zip(before[k], player.parameters(), strict=True)]
            assert not all(same) if k == mover else all(same)
    if game.bound == "clip":
        assert max(weight.abs().max() for weight in game.discriminator.parameters()) <= 0.3 + 1e-6


def test_what_bounds_the_slope_is_added_and_nothing_else():
    real, fake = torch.randn(2, 128, 2)
    for entrant in ENTRANTS:
        game = Game(entrant, 1e-3, 1e-3, 1, strength=0.5)
        added = game.bounded(real, fake)
        slopes = [gradient_norm_squared(game.discriminator, x) for x in (real, fake)]
        if game.bound == "r1":
            assert torch.allclose(added, 0.25 * slopes[0])
        elif game.bound == "r1 r2":
            assert torch.allclose(added, 0.25 * (slopes[0] + slopes[1]))
        elif game.bound == "penalty":
            assert added.shape == (128,) and added.max() > 0
        else:
            assert added == 0


@pytest.mark.parametrize("entrant", ENTRANTS)
def test_each_step_descends_its_own_loss(entrant):
    """By hand at the same draws: D's loss of real and fake points with what bounds its slope; G's, through that D."""
    game, strength = Game(entrant, 1.0, 1.0, 1, strength=0.3), 0.3
    d_loss, g_loss, bound, _ = ENTRANTS[entrant]
    if bound == "spectral":  # its vectors move in training mode, at each look
        game.discriminator.eval()
    for player in (game.discriminator, game.generator):
        for p in player.parameters():
            p.grad = torch.full_like(p, 7.0)  # left from before
    game.d_optimiser = torch.optim.SGD(game.discriminator.parameters(), 0.1)
    game.g_optimiser = torch.optim.SGD(game.generator.parameters(), 0.1)
    for step in (game.d_step, game.g_step):
        state, d, g = torch.get_rng_state(), game.discriminator, game.generator
        if step == game.d_step:
            real, fake = game.data.sample(128), g(torch.randn(128, 2)).detach()
            loss = (d_loss(d(real), d(fake)) + game.bounded(real, fake)).mean()
        else:
            fake_logits = d(g(torch.randn(128, 2)))
            paired = "relativistic" in entrant
            loss = g_loss(fake_logits, d(game.data.sample(128))) if paired else g_loss(fake_logits)
        weights = [*(d if step == game.d_step else g).parameters()]
        by_hand = torch.autograd.grad(loss.mean(), weights)
        expected = [p - 0.1 * gradient for p, gradient in zip(weights, by_hand, strict=True)]
        if bound == "clip" and step == game.d_step:
            expected = [each.clamp(-strength, strength) for each in expected]
        torch.set_rng_state(state)
        step()
        for p, each in zip(weights, expected, strict=True):
            assert torch.allclose(p, each, atol=1e-6)
        assert all(p.requires_grad for p in d.parameters())


def test_each_player_has_its_own_rate_and_both_fall_late():
    game = Game("hinge", 1e-3, 5e-3, 2)
    for done, factor in ((0.0, 1.0), (0.75, 0.51)):
        game.round(done)
        rates = [optimiser.param_groups[0]["lr"] for optimiser in (game.g_optimiser, game.d_optimiser)]
        assert rates == pytest.approx([1e-3 * factor, 5e-3 * factor])


def test_counting_and_judging_leave_the_runs_random_numbers_alone():
    """Counted anew, and twice the same; the fresh points to which W₁ is taken have a generator of their own."""
    points, state = grid().sample(50, torch.Generator().manual_seed(1)), torch.get_rng_state()
    operations.cache_clear()
    operations("hinge", 1)
    first = judge(points, seed=3)
    assert torch.equal(torch.get_rng_state(), state) and judge(points, seed=3) == first
    fresh = grid().sample(50, torch.Generator().manual_seed(10_003))
    assert first["w1"] == pytest.approx(wasserstein_exact(points, fresh).item(), abs=6e-4)


def test_the_normalised_discriminator_keeps_its_slope():
    d = NormalisedDiscriminator(slope=10.0)
    for weight in d.inner.parameters():
        weight.data *= 4
    for _ in range(200):
        d(torch.zeros(1, 2))  # power iteration settles
    x = 3 * torch.randn(2000, 2)
    steepest = gradient_norm_squared(d.eval(), x).max().sqrt()
    assert 1 < steepest <= 10.01
    assert torch.equal(
        d(x), 10 * d.inner(x)
    )  # the inner one's slope is at most 1, by the norms of its layers
    norms = [
        torch.linalg.svdvals(layer.weight)[0] for layer in d.inner.net if isinstance(layer, torch.nn.Linear)
    ]
    assert max(norms) < 1.001


def test_what_the_notebook_tells_of_the_benchmark():
    found = study("loss_benchmark")
    assert found["settings"]["seeds"] == list(SEEDS) and found["runs"].keys() == {
        "data against data",
        *ENTRANTS,
    }

    def mean(entrant, key, table="runs"):
        return sum(run[key] for run in found[table][entrant]) / len(SEEDS)

    for entrant in ENTRANTS:
        chosen = min(found["tries"][entrant], key=lambda run: run["w1"])
        assert (
            chosen["settings"] == found["settings"]["chosen"][entrant] and len(found["tries"][entrant]) == 8
        )
        assert mean("data against data", "w1") < mean(entrant, "w1") < 0.26
    for entrant in ("non-saturating + R1", "relativistic + R1 + R2"):
        assert mean(entrant, "w1", "equal_rounds") < 0.16 < mean("non-saturating", "w1")
    assert isinstance(standings(found), Picture)
    assert summary(found["runs"]["hinge"]).startswith("W₁  0.20 ± 0.06")


def test_a_new_seed_falls_into_the_spread(one_thread):
    """It trains, with the budget and the setting of the study: the two must still belong together."""
    found, entrant = study("loss_benchmark"), "non-saturating"
    run = benchmark_run(entrant, 11, **found["settings"]["chosen"][entrant])
    for key, slack in (("modes", 4), ("good", 0.12), ("w1", 0.08)):
        values = [each[key] for each in found["runs"][entrant]]
        assert min(values) - slack <= run[key] <= max(values) + slack
    assert run["rounds"] == found["runs"][entrant][0]["rounds"]
