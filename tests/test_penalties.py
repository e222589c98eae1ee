"""Slope penalties against critics whose slope is known, and trained critics against exact W₁."""

import copy
import functools
import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal
from torch.nn.utils.parametrizations import spectral_norm

from helpers.gan import Discriminator, gradient_norm_squared, gradient_penalty, input_gradient
from helpers.studies.critics import (
    between,
    blobs,
    critic,
    critic_value,
    operator_norm,
    ring_and_centre,
    steepest,
    train_critic,
)
from helpers.theory import wasserstein_exact

pytestmark = pytest.mark.usefixtures("one_thread")


def random_numbers(seed=0):
    return torch.Generator().manual_seed(seed)


def flat(x):
    return x.flatten(1)


SHAPES = pytest.mark.parametrize("shape", [(1,), (5,), (1, 6, 4), (3, 2, 2, 2)], ids=str)


@SHAPES
def test_a_linear_critic_has_its_slope_everywhere(shape):
    a = torch.randn(math.prod(shape), dtype=torch.float64) / 3
    real, fake = torch.randn(2, 7, *shape, dtype=torch.float64)

    def linear(x):
        return flat(x) @ a + 2

    assert torch.allclose(gradient_penalty(linear, real, fake), (a.norm() - 1).square().expand(7))
    assert torch.allclose(gradient_norm_squared(linear, real), a.square().sum().expand(7))
    assert torch.allclose(input_gradient(linear, real), a.view(shape).expand(7, *shape))


@SHAPES
def test_the_slope_is_taken_between_real_and_fake(shape):
    """D = |x|²/2 has slope |x|, so the penalty tells where it was taken; with real = 0, x = (1 − ε) fake."""
    n = 4000
    fake = torch.nn.functional.normalize(flat(torch.randn(n, *shape).double())).view(n, *shape)
    penalty = gradient_penalty(
        lambda x: flat(x).square().sum(1) / 2, torch.zeros_like(fake), fake, random_numbers()
    )
    eps = penalty.sqrt()  # |1 − ε| − 1, squared, is ε²
    assert 0 <= eps.min() < 0.01 and 0.99 < eps.max() <= 1
    assert torch.allclose(eps, torch.rand(n, generator=random_numbers(), dtype=torch.float64))
    for power in (1, 2, 3, 4):  # the moments of a uniform number, four standard errors
        error = math.sqrt(1 / (2 * power + 1) - 1 / (power + 1) ** 2) / math.sqrt(n)
        assert abs(eps.pow(power).mean() - 1 / (power + 1)) < 4 * error
    # one ε a sample: no two alike, in no order
    assert len(eps.unique()) > n / 2 and abs(torch.corrcoef(torch.stack([eps[1:], eps[:-1]]))[0, 1]) < 0.07


def test_one_number_moves_a_whole_sample():
    """All pixels of a sample are mixed alike: x stays on the segment, where this D has slope |1 − 2t|·|b − a|."""
    real, fake = torch.randn(2, 50, 3, 4, 4).double()
    direction, along = flat(fake - real), []

    def on_the_segment(x):
        t = ((flat(x) - flat(real)) * direction).sum(1) / direction.square().sum(1)
        along.append(flat(x) - flat(real) - t[:, None] * direction)
        return t

    gradient_penalty(on_the_segment, real, fake)
    assert along[0].abs().max() < 1e-12


def curved(dimensions):
    return nn.Sequential(nn.Linear(dimensions, 9), nn.Tanh(), nn.Linear(9, 1), nn.Flatten(0)).double()


def test_slopes_by_finite_differences():
    net, x, h = curved(4), torch.randn(6, 4).double(), 1e-6
    with torch.no_grad():
        slopes = [(net(x + h * unit) - net(x - h * unit)) / (2 * h) for unit in torch.eye(4).double()]
    oracle = torch.stack(slopes, dim=1)
    assert torch.allclose(input_gradient(net, x), oracle, atol=1e-8)
    assert torch.allclose(gradient_norm_squared(net, x), oracle.square().sum(1), atol=1e-8)
    # with real = fake the mixture is x, whatever ε
    assert torch.allclose(gradient_penalty(net, x, x), (oracle.norm(dim=1) - 1).square(), atol=1e-8)


def test_a_second_backward_pass_reaches_the_parameters():
    """d penalty/d weight by finite differences: what the optimiser of D is fed."""
    net, x, h = curved(3), torch.randn(5, 3).double(), 1e-6
    for penalty in (lambda: gradient_penalty(net, x, x).mean(), lambda: gradient_norm_squared(net, x).mean()):
        net.zero_grad()
        penalty().backward()
        weight = net[0].weight
        with torch.no_grad():
            for index in ((0, 0), (4, 2), (8, 1)):
                weight[index] += h
                up = penalty_value(penalty)
                weight[index] -= 2 * h
                down = penalty_value(penalty)
                weight[index] += h
                assert abs((up - down) / (2 * h) - weight.grad[index]) < 1e-7
        assert net[0].weight.grad.abs().min() > 0


def penalty_value(penalty):
    with torch.enable_grad():
        return penalty().item()


def test_the_generator_is_not_reached_and_data_stay_as_they_are():
    g, net = nn.Linear(2, 3).double(), curved(3)
    fake, real = g(torch.randn(5, 2).double()), torch.randn(5, 3).double()
    before = real.clone(), fake.detach().clone()
    (gradient_penalty(net, real, fake) + gradient_norm_squared(net, fake)).sum().backward()
    assert all(p.grad is None for p in g.parameters())
    assert torch.equal(real, before[0]) and not real.requires_grad and torch.equal(fake.detach(), before[1])


def test_a_flat_critic_is_penalised_without_nan():
    net = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))
    nn.init.zeros_(net[0].weight)
    penalty = gradient_penalty(net, torch.randn(4, 3), torch.randn(4, 3))
    penalty.sum().backward()
    assert torch.equal(penalty, torch.ones(4)) and net[0].weight.grad.isfinite().all()


def test_a_sample_does_not_feel_the_others_and_images_work():
    d = Discriminator(width=4).eval()
    images = torch.rand(6, 1, 28, 28)
    together = gradient_norm_squared(d, images)
    alone = torch.cat([gradient_norm_squared(d, image[None]) for image in images])
    assert together.shape == (6,) and torch.allclose(together, alone, rtol=1e-4)
    assert gradient_penalty(d, images, images.flip(0)).shape == (6,)


def test_logits_of_shape_b_by_1_are_the_same():
    net, x = curved(3), torch.randn(5, 3).double()
    assert torch.equal(gradient_norm_squared(net[:3], x), gradient_norm_squared(net, x))


def test_random_numbers_can_be_given_and_shapes_must_agree():
    net, real, fake = curved(3), *torch.randn(2, 5, 3).double()
    first, again = (gradient_penalty(net, real, fake, random_numbers(1)) for _ in range(2))
    state = torch.get_rng_state()
    assert torch.equal(first, again)
    assert not torch.equal(first, gradient_penalty(net, real, fake, random_numbers(2)))
    assert torch.equal(state, torch.get_rng_state())
    with pytest.raises(ValueError, match="equal shapes"):
        gradient_penalty(net, real, fake[:1])


# Trained critics against exact W₁

SEEDS = range(3)
APART = [1.0, 2.0, 4.0]


@functools.cache
def trained(problem, seed, **settings):
    """A critic, its two samples, and where to ask for its slope."""
    real, fake = ring_and_centre(seed) if problem == "ring" else blobs(problem, seed)
    net = train_critic(critic(2, seed), real, fake, random_numbers(seed), **settings)
    return net, real, fake, between(real, fake, random_numbers(100 + seed))


def ratio(problem, seed, **settings):
    """The critic's value over exact W₁."""
    net, real, fake, _ = trained(problem, seed, **settings)
    return critic_value(net, real, fake) / wasserstein_exact(real, fake).item()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("problem", [*APART, "ring"])
def test_a_strong_penalty_comes_within_5_percent(problem, seed):
    steps = {"steps": 1000} if problem == "ring" else {}
    assert abs(ratio(problem, seed, penalty=100, **steps) - 1) < 0.05


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("distance", APART)
@pytest.mark.parametrize("penalty", [10, 100])
def test_a_soft_penalty_overshoots_by_w_over_2_lambda(distance, penalty, seed):
    """Two far points and slope s: sW − λ(s − 1)² is largest at s = 1 + W/2λ. Within a tenth of that surplus."""
    surplus = ratio(distance, seed, penalty=penalty) - 1
    assert abs(surplus / (distance / (2 * penalty)) - 1) < 0.1


def test_the_best_slope_of_the_soft_penalty_by_search():
    slope = torch.linspace(0, 3, 300_001, dtype=torch.float64)
    for w, penalty in ((1.0, 10), (4.0, 10), (4.0, 100)):
        best = slope[(slope * w - penalty * (slope - 1).square()).argmax()]
        assert abs(best - (1 + w / (2 * penalty))) < 1e-5


def on_a_line(mean, std, n=512):
    """Two bells on a line, `mean` apart, each at n quantiles."""
    x = Normal(0.0, std).icdf((torch.arange(n) + 0.5) / n)[:, None]
    return x + mean, x.clone()


def turned(net, real, fake, wrong):
    """The critic, its last layer's sign such that its value at the start is negative if `wrong`, else positive."""
    if (critic_value(net, real, fake) < 0) != wrong:
        with torch.no_grad():
            net[-2].weight.neg_()
    return net


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("penalty", [10, 100])
def test_on_a_line_a_critic_that_starts_the_wrong_way_never_turns_round(penalty, seed):
    """From slope s < 0 the nearest top of sW − λ(|s| − 1)² is s = −(1 − W/2λ), if W < 2λ: there is no way past 0."""
    w = 2.0
    real, fake = on_a_line(w, 0.05)
    for wrong, expected in ((True, -w * (1 - w / (2 * penalty))), (False, w * (1 + w / (2 * penalty)))):
        net = turned(critic(1, seed), real, fake, wrong)
        train_critic(net, real, fake, random_numbers(seed), penalty=penalty)
        assert abs(critic_value(net, real, fake) / expected - 1) < 0.02


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("problem", [*APART, "ring"])
def test_a_penalised_critic_is_steeper_than_1_somewhere(problem, seed):
    """Also with λ = 100: the penalty is a wish. For λ = 10 the slope is at least that of the ramp, 1 + W/2λ."""
    steps = {"steps": 1000} if problem == "ring" else {}
    net, *_, where = trained(problem, seed, penalty=100, **steps)
    assert steepest(net, where) > 1.002
    if problem != "ring":
        net, *_, where = trained(problem, seed, penalty=10)
        assert steepest(net, where) > 1 + 0.95 * problem / 20


@pytest.mark.parametrize("seed", SEEDS)
def test_clipping_falls_short_of_a_cone(seed):
    """A ring around its centre, whose perfect critic is |x|: with the same network, data and steps, and divided by the
    steepest slope found, clipping stays 8 % below W₁ at every limit tried, and the penalty does not."""
    for clip in (0.01, 0.1, 1.0):
        net, *_, where = trained("ring", seed, clip=clip, steps=1000)
        assert 0 < ratio("ring", seed, clip=clip, steps=1000) / steepest(net, where) < 0.92
        assert max(weight.abs().max() for weight in net.parameters()) <= clip * (1 + 1e-6)
    net, *_, where = trained("ring", seed, penalty=100, steps=1000)
    assert ratio("ring", seed, penalty=100, steps=1000) / steepest(net, where) > 0.95


@pytest.mark.parametrize(("penalty", "clip"), [(10.0, None), (0.0, 0.02)])
def test_training_a_critic_by_hand(penalty, clip):
    """Two steps at the same draws: E f(fake) − E f(real) + λ E(|∇f| − 1)², or both ends clipped; then its value."""
    real, fake = blobs(1.0, 0)
    net, noise = critic(2, 0), random_numbers(3)
    twin = train_critic(copy.deepcopy(net), real, fake, random_numbers(3), penalty, clip, steps=2, batch=16)
    optimiser = torch.optim.Adam(net.parameters(), 2e-3, betas=(0.5, 0.9))
    for rate in (2e-3, 1e-3):
        optimiser.param_groups[0]["lr"] = rate
        a, b = (x[torch.randint(512, (16,), generator=noise)] for x in (real, fake))
        loss = (net(b) - net(a)).mean()
        if penalty:
            eps = torch.rand(16, generator=noise)[:, None]
            x = (eps * a + (1 - eps) * b).requires_grad_()
            (slope,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
            loss = loss + penalty * (slope.norm(dim=1) - 1).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if clip is not None:
            for weight in net.parameters():
                weight.data.clamp_(-clip, clip)
    for p, q in zip(net.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(p, q, atol=1e-6)
    if clip is not None:
        assert min(p.min().item() for p in twin.parameters()) == pytest.approx(-clip)
    assert critic_value(twin, real, fake) == pytest.approx((twin(real).mean() - twin(fake).mean()).item())


def test_training_a_critic_leaves_the_rest_alone():
    real, fake = blobs(1.0, 0)
    before, state = (real.clone(), fake.clone()), torch.get_rng_state()
    net = critic(2, 0)
    twin = copy.deepcopy(net)
    train_critic(net, real, fake, random_numbers(), penalty=10, steps=3)
    train_critic(twin, real, fake, random_numbers(), penalty=10, steps=3)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), twin.parameters(), strict=True))
    assert torch.equal(real, before[0]) and torch.equal(fake, before[1])
    assert torch.equal(state, torch.get_rng_state())


def test_problems_and_places_are_drawn_with_their_generators_alone():
    """Twice the same and PyTorch's own generator unmoved; two blobs are apart by what is asked, along (0.6, 0.8)."""
    state = torch.get_rng_state()
    for make in (lambda: blobs(3.0, 5), lambda: ring_and_centre(5)):
        (real, fake), again = make(), make()
        assert torch.equal(real, again[0]) and torch.equal(fake, again[1])
        where, a_second_time = (between(real, fake, random_numbers(1), n=40) for _ in range(2))
        assert torch.equal(where, a_second_time)
    assert torch.equal(torch.get_rng_state(), state)
    real, fake = blobs(3.0, 5, n=4000)
    assert torch.allclose(real.mean(0) - fake.mean(0), torch.tensor([1.8, 2.4]), atol=0.01)
    assert torch.allclose(real.std(0), torch.full((2,), 0.05), rtol=0.05)


def test_places_between_lie_on_the_ways_from_one_sample_to_the_other():
    real, fake = torch.tensor([[1.0, 0.0], [1.0, 1.0]]), torch.tensor([[-1.0, 0.0]])
    where = between(real, fake, random_numbers(), n=3000)
    assert torch.equal(where[:3], torch.cat([real, fake]))
    share = (where[3:, 0] + 1) / 2  # of the way to a real point
    assert torch.allclose((where[3:, 1] / share).round(), where[3:, 1] / share, atol=1e-3)
    assert abs(share.mean() - 0.5) < 0.03 and share.min() < 0.01 and share.max() > 0.99


# A normalised kernel is not a normalised convolution


def as_matrix(layer, shape):
    """The matrix of a linear layer, one column for each pixel of the input."""
    with torch.no_grad():
        units = torch.eye(math.prod(shape)).view(-1, *shape)
        return (layer(units) - layer(torch.zeros(1, *shape))).flatten(1).T


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(5, 3), (5,)),
        (nn.Conv2d(2, 3, 3, padding=1), (2, 7, 7)),
        (nn.Conv2d(1, 4, 4, stride=2, padding=1), (1, 8, 8)),
        (nn.ConvTranspose2d(2, 1, 4, stride=2, padding=1), (2, 4, 4)),
    ],
    ids=["dense", "conv", "strided", "transposed"],
)
def test_power_iteration_finds_the_largest_singular_value(layer, shape):
    oracle, state = torch.linalg.svdvals(as_matrix(layer, shape))[0].item(), torch.get_rng_state()
    assert abs(operator_norm(layer, shape) / oracle - 1) < 1e-3
    assert torch.equal(torch.get_rng_state(), state)


def normalised(layer):
    """PyTorch's spectral norm after its power iteration has settled."""
    layer = spectral_norm(layer, n_power_iterations=50)
    layer.weight  # noqa: B018 (each look in training mode is a round of power iteration)
    return layer.eval()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_spectrally_normalised_convolution_may_stretch_by_almost_3(seed):
    """The reshaped kernel has norm 1; on images a 3 × 3 one may have up to 3, and an even blur does.

    With zeros around n × n images the blur's norm is (1 + 2 cos(π/(n + 1)))²/3, from the known eigenvalues of a band.
    """
    torch.manual_seed(seed)
    dense = normalised(nn.Linear(30, 20))
    assert abs(operator_norm(dense, (30,)) - 1) < 1e-3
    usual = normalised(nn.Conv2d(8, 8, 3, padding=1))
    blur = nn.Conv2d(1, 1, 3, padding=1)
    nn.init.constant_(blur.weight, 0.1)
    blur = normalised(blur)
    for layer in (usual, blur):
        assert abs(torch.linalg.matrix_norm(layer.weight.flatten(1), 2) - 1) < 1e-3
    assert abs(operator_norm(blur, (1, 28, 28)) - (1 + 2 * math.cos(math.pi / 29)) ** 2 / 3) < 1e-3
    assert 1.2 < operator_norm(usual, (8, 28, 28)) < 3
