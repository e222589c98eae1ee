"""The GAN for mixed columns: what Gumbel-softmax samples, what a step moves, and what it reached."""

import copy
from statistics import median

import pytest
import torch

from helpers.data import patients
from helpers.data.patients import COLUMNS, records_table
from helpers.data.scaling import Scaling
from helpers.gan import ema_copy, input_gradient, relativistic, update_ema
from helpers.gan.records import RecordDiscriminator, RecordGenerator, gumbel_like, record_gan_step
from helpers.privacy import correlation_error, marginals_only
from helpers.studies import study
from helpers.training import noise_like


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def records():
    return patients.sample(2000, seeded(0))


@pytest.fixture
def players(records):
    torch.manual_seed(0)
    generator = RecordGenerator(Scaling.fit(records, COLUMNS), most=12, latent=4, hidden=16)
    return generator, RecordDiscriminator(15, hidden=16)


def test_what_d_sees_is_what_the_table_gets(players):
    """The same z and Gumbel noise by both ways: straight-through samples are one-hot, as features of true records."""
    generator, _ = players
    x = generator.sample(500, seeded(1))
    source = seeded(1)
    z = noise_like(generator, 500, 4, generator=source)
    seen = generator(z, gumbel_like(generator.net(z), source))
    features = generator.scaling.features(generator.scaling.standardise(x))
    torch.testing.assert_close(seen, features, atol=1e-4, rtol=0)
    assert records_table(x).shape == (500, 10)
    assert torch.equal(x, generator.sample(500, seeded(1)))


def test_categories_come_with_their_probabilities():
    """argmax(a + Gumbel) is k with the probability softmax(a)ₖ; within four standard errors."""
    a = torch.tensor([2.0, 0.0, -1.0, 0.5])
    drawn = (a + gumbel_like(torch.empty(50_000, 4), seeded(0))).argmax(1).bincount(minlength=4) / 50_000
    p = a.softmax(0)
    assert ((drawn - p).abs() < 4 * (p * (1 - p) / 50_000).sqrt()).all()


def test_the_gradient_is_that_of_the_soft_sample(records):
    """For one categorical column: D's view of y moves the logits as softmax((a + g)/τ) would."""
    smoker = COLUMNS[2]
    scaling = Scaling.fit(records[:, 2:3], (smoker,))
    torch.manual_seed(0)
    generator = RecordGenerator(scaling, most=0, latent=4, hidden=8, tau=0.7)
    z, g, weight = (
        torch.randn(6, 4),
        gumbel_like(torch.empty(6, 3), seeded(1)),
        torch.tensor([1.0, -2.0, 0.5]),
    )
    found = torch.autograd.grad((generator(z, g) @ weight).sum(), [*generator.parameters()])
    soft = ((generator.net(z) + g) / 0.7).softmax(1)
    by_hand = torch.autograd.grad((soft @ weight).sum(), [*generator.parameters()])
    for a, b in zip(found, by_hand, strict=True):
        torch.testing.assert_close(a, b)


def test_every_column_teaches_the_generator(players):
    generator, _ = players
    last = generator.net[-1].weight
    seen = generator(torch.randn(64, 4, generator=seeded(0)), torch.zeros(64, sum(generator.sizes)))
    for i in range(seen.shape[1]):
        (gradient,) = torch.autograd.grad(seen[:, i].sum(), last, retain_graph=True)
        assert gradient.abs().sum() > 0


def test_a_step_by_hand(players, records):
    """D descends the relativistic loss and γ/2 |∇D|² on real records; then G the same loss with the roles exchanged."""
    generator, discriminator = players
    hand_g, hand_d = copy.deepcopy(generator), copy.deepcopy(discriminator)
    real = generator.scaling.features(generator.scaling.standardise(records[:30]))
    optimisers = [torch.optim.SGD(player.parameters(), 0.1) for player in players]
    torch.manual_seed(5)
    measured = record_gan_step(generator, discriminator, *optimisers, real, gamma=0.4)
    torch.manual_seed(5)
    z = torch.randn(2, 30, 4)

    def descend(player, loss):
        gradients = torch.autograd.grad(loss, [*player.parameters()])
        with torch.no_grad():
            for p, gradient in zip(player.parameters(), gradients, strict=True):
                p.sub_(0.1 * gradient)
        return loss.item()

    with torch.no_grad():
        fake = hand_g(z[0])
    slope = input_gradient(hand_d, real).square().sum(1)
    d_loss = descend(hand_d, (relativistic(hand_d(real), hand_d(fake)) + 0.2 * slope).mean())
    g_loss = descend(hand_g, relativistic(hand_d(hand_g(z[1])), hand_d(real)).mean())
    assert measured["d_loss"].item() == pytest.approx(d_loss, abs=1e-5)
    assert measured["g_loss"].item() == pytest.approx(g_loss, abs=1e-5)
    for player, by_hand in ((generator, hand_g), (discriminator, hand_d)):
        for p, q in zip(player.parameters(), by_hand.parameters(), strict=True):
            torch.testing.assert_close(p, q, atol=1e-6, rtol=1e-4)


def test_some_rounds_learn_what_marginals_do_not_tell(one_thread, records):
    scaling = Scaling.fit(records, COLUMNS)
    real = scaling.features(scaling.standardise(records))
    generator, discriminator = RecordGenerator(scaling, most=12), RecordDiscriminator(real.shape[1])
    average = ema_copy(generator)
    optimisers = [
        torch.optim.Adam(player.parameters(), 2e-3, (0.0, 0.9)) for player in (generator, discriminator)
    ]
    for rows in torch.randint(2000, (250, 128), generator=seeded(1)):
        record_gan_step(generator, discriminator, *optimisers, real[rows], gamma=0.3)
        update_ema(average, generator, decay=0.98)
    fresh = patients.sample(20_000, seeded(2))
    apart = correlation_error(marginals_only(records, seeded(3)), fresh)
    assert correlation_error(average.sample(2000, seeded(4)), fresh) < 0.7 * apart


def test_the_study_reaches_the_correlations():
    runs = study("patients")["runs"]
    error, real = (median(run["correlation error"] for run in runs[name]) for name in ("GAN", "real"))
    assert error <= 2.5 * real
