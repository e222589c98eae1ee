"""Notebook 13: its equations, active units, free bits, the strong decoder, the explorer's views, and its study."""

import math

import ipywidgets
import numpy
import pytest
import torch
from torch.distributions import (
    Bernoulli,
    Categorical,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    kl_divergence,
)

from helpers.studies import study
from helpers.studies.latent_space import (
    BETAS,
    WAYS,
    curve_run,
    judged,
)
from helpers.theory import LinearGaussian, best_diagonal, exact_elbo, fit_ppca
from helpers.vae import (
    ConditionalVAE,
    PixelVAE,
    active_units,
    bernoulli_log_likelihood,
    conditional_vae_step,
    decoder_step,
    falling_beta,
    free_bits,
    gaussian_kl,
    information_and_gap,
    kl_per_dimension,
    kl_warmup,
    pixel_step,
    slerp,
)
from helpers.widgets import latent_explorer


def test_slerp_walks_the_circle_at_even_speed():
    """(13.13), by angles and lengths on the way."""
    a, b = torch.tensor([2.0, 0.0]).double(), torch.tensor([0.0, 2.0]).double()
    third = slerp(a, b, 1 / 3)
    assert torch.allclose(third, 2 * torch.tensor([math.cos(math.pi / 6), math.sin(math.pi / 6)]).double())
    assert torch.allclose(slerp(a, b, 0.0), a) and torch.allclose(slerp(a, b, 1.0), b)
    a, b = torch.randn(2, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    a, b = a / a.norm(), b / b.norm()
    way = torch.stack([slerp(a, b, t / 8) for t in range(9)])
    assert torch.allclose(way.norm(dim=1), torch.ones(9).double())
    angles = (way[1:] * way[:-1]).sum(1).acos()
    assert torch.allclose(angles, angles.mean().expand(8))


def test_slerp_is_straight_for_parallel_codes_and_refuses_opposite_ones():
    codes = torch.randn(50, 9, generator=torch.Generator().manual_seed(0))
    for a in (torch.tensor([0.3, -1.0, 2.0]), *codes, *codes.double()):  # the cosine is ±1 but for rounding
        assert torch.allclose(slerp(a, 3 * a, 0.25), 1.5 * a) and slerp(a, 3 * a, 0.25).dtype == a.dtype
        with pytest.raises(ValueError, match="opposite"):
            slerp(a, -1.7 * a, 0.5)


def test_active_units_look_at_the_variance_of_the_means_over_the_data():
    """(13.1), on units of known variance."""
    torch.manual_seed(0)
    mu = torch.randn(2000, 3, dtype=torch.float64) * torch.tensor(
        [1.0, 0.15, 0.05]
    )  # variances 1, 0.02, 0.0025
    assert active_units(mu) == 2 and active_units(mu + 5) == 2
    pair = torch.tensor([[0.08], [-0.08]])  # of the variance 2 · 0.08² by N − 1, and half of that by N
    assert active_units(pair) == 1 and active_units(pair, threshold=0.0129) == 0
    with pytest.raises(ValueError, match="N ≥ 2"):
        active_units(mu[:1])


def linear(weight=((1.5, 0.2), (0.1, 0.9), (-0.4, 0.3)), std=0.8):
    weight = torch.tensor(weight, dtype=torch.float64)
    return LinearGaussian(weight, torch.zeros(len(weight), dtype=torch.float64), std)


def test_minus_elbo_is_distortion_plus_rate():
    """(13.2), with the distortion by Monte Carlo and the ELBO in closed form."""
    torch.manual_seed(0)
    model = linear()
    x, _ = model.sample(50)
    mu, log_var = torch.randn(2, 50, 2, dtype=torch.float64)
    z = mu + (log_var / 2).exp() * torch.randn(20_000, 50, 2, dtype=torch.float64)
    draws = -model.log_likelihood(x, z).mean(1)
    rate = gaussian_kl(mu, log_var).mean()
    assert (
        draws.mean() + rate + exact_elbo(model, x, mu, log_var).mean()
    ).abs() < 5 * draws.std() / 20_000**0.5


def curve_of(beta, values, std=1.0):
    """(R, D) of the linear VAE that is best for this β, by (13.7), D with its constants."""
    lengths = (values - beta * std**2).clamp(min=0)
    rate = 0.5 * (values / (beta * std**2)).clamp(min=1).log().sum()
    left = torch.minimum(values, torch.full_like(values, beta * std**2))  # E|x − m(z)|² of each direction
    distortion = (left / (2 * std**2) + 0.5 * math.log(2 * math.pi * std**2)).sum()
    return rate, distortion, lengths


def test_the_slope_of_the_curve_is_minus_beta():
    """(13.3), by autograd along the exact curve."""
    values = torch.tensor([4.0, 2.0, 0.5, 0.25], dtype=torch.float64)
    for at in (0.1, 0.4, 1.0, 3.0):
        beta = torch.tensor(at, dtype=torch.float64, requires_grad=True)
        lived = values[values > at]
        rate = 0.5 * (lived / beta).log().sum()
        distortion = len(lived) * beta / 2
        slopes = [torch.autograd.grad(each, beta, retain_graph=True)[0] for each in (distortion, rate)]
        assert torch.isclose(slopes[0] / slopes[1], -beta)


def test_beta_is_the_variance_of_the_decoder():
    """Going deeper, I, at any encoder: both sides differ by the same constant for each x and q."""
    torch.manual_seed(0)
    model, beta = linear(), 3.0
    x, _ = model.sample(40)
    mu, log_var = torch.randn(2, 40, 2, dtype=torch.float64)
    wider = LinearGaussian(model.weight, model.bias, math.sqrt(beta) * model.std)
    left = -exact_elbo(model, x, mu, log_var) + (beta - 1) * gaussian_kl(mu, log_var)
    right = -beta * exact_elbo(wider, x, mu, log_var)
    assert (left - right).std() < 1e-10


def test_after_r_nats_a_variance_of_lambda_e_to_minus_2r_remains():
    """(13.6), on one direction: rate, squared error and slope of the linear VAE that is best at each price."""
    torch.manual_seed(0)
    x = torch.randn(400, 1, dtype=torch.float64)
    x = 2 * (x - x.mean()) / x.std(correction=0)  # λ = 4, and s = 1
    for beta in (0.25, 0.5, 1.0, 2.0, 3.0):
        model = fit_ppca(x, 1, std=beta**0.5)
        mu, log_var = best_diagonal(model, x)
        width = log_var.exp() @ model.weight.square().T
        error = ((x - model.bias - mu @ model.weight.T).square() + width).mean()
        rate = gaussian_kl(mu, log_var).mean().requires_grad_()
        distortion = 4 * torch.exp(-2 * rate) / 2
        assert torch.isclose(error / 2, distortion)
        (slope,) = torch.autograd.grad(distortion, rate)
        assert torch.isclose(slope, -4 * torch.exp(-2 * rate)) and torch.isclose(
            slope, torch.tensor(-beta).double()
        )


def test_a_direction_below_the_noise_is_dead():
    """(13.7), against the maximum of the likelihood with noise βs², and the rate of its posterior."""
    torch.manual_seed(0)
    x = torch.randn(500, 4, dtype=torch.float64)
    values = torch.tensor([4.0, 2.0, 0.5, 0.25], dtype=torch.float64)
    x = torch.linalg.qr(x - x.mean(0))[0] * (500 * values).sqrt()
    for beta in (0.1, 0.4, 1.0, 3.0, 6.0):
        model = fit_ppca(x, 4, std=beta**0.5)
        rate, _, lengths = curve_of(beta, values)
        assert torch.allclose(model.weight.square().sum(0), lengths, atol=1e-9)
        mu, log_var = best_diagonal(model, x)
        assert torch.isclose(gaussian_kl(mu, log_var).mean(), rate, atol=1e-9)
        alive = kl_per_dimension(mu, log_var) > 1e-9
        assert torch.equal(alive, values > beta) and active_units(mu) == alive.sum()


def test_the_rate_is_information_plus_gap():
    """(13.10), exactly for Gaussian posteriors, and with the mixture of N posteriors by PyTorch."""
    torch.manual_seed(0)
    model = linear(std=1.0)
    x, _ = model.sample(3000)
    mu, log_var = best_diagonal(model, x)
    mu = 0.7 * mu + 0.3  # neither the posterior nor around the prior
    eps = torch.randn_like(mu)
    information, gap = information_and_gap(mu, log_var, eps, rows=700)
    z = mu + (log_var / 2).exp() * eps
    mixture = MixtureSameFamily(
        Categorical(torch.ones(3000, dtype=torch.float64)), Independent(Normal(mu, (log_var / 2).exp()), 1)
    )
    own = Normal(mu, (log_var / 2).exp()).log_prob(z).sum(1)
    assert information == pytest.approx((own - mixture.log_prob(z)).mean().item(), abs=1e-9)
    prior = Normal(0.0, 1.0).log_prob(z).sum(1)
    assert gap == pytest.approx((mixture.log_prob(z) - prior).mean().item(), abs=1e-9)
    ratio = own - prior
    error = ratio.std() / 3000**0.5
    assert abs(information + gap - gaussian_kl(mu, log_var).mean()) < 4 * error
    between = torch.cov(mu.T, correction=0)
    noise = torch.diag(log_var[0].exp())
    exact = 0.5 * (torch.logdet(between + noise) - torch.logdet(noise))  # of a Gaussian aggregate
    assert abs(information - exact) < 0.1
    aggregate = MultivariateNormal(mu.mean(0), between + noise)
    unit = MultivariateNormal(torch.zeros(2).double(), torch.eye(2).double())
    assert abs(gap - kl_divergence(aggregate, unit)) < 0.1


def test_information_is_at_most_the_logarithm_of_n():
    """(13.11), reached by posteriors that do not overlap."""
    torch.manual_seed(0)
    for n in (7, 300):
        mu, eps = 1000 * torch.randn(n, 3), torch.randn(n, 3)
        assert information_and_gap(mu, torch.zeros(n, 3), eps)[0] == pytest.approx(math.log(n), abs=1e-3)
        information, gap = information_and_gap(torch.zeros(n, 3), torch.zeros(n, 3), eps)
        assert abs(information) < 1e-4 and abs(gap) < 1e-4
        assert information_and_gap(torch.randn(n, 3), torch.full((n, 3), -1.0), eps)[0] < math.log(n)


def pixels_and_logits(images=400):
    """Correlated black and white pixels (N, 5), and the logits of a decoder that knows their means only."""
    torch.manual_seed(1)
    common = torch.randn(images, 1, dtype=torch.float64)
    x = (
        torch.randn(images, 5, dtype=torch.float64) + common * torch.tensor([1.5, 1.0, -0.8, 0.2, 0.0]) > 0.3
    ).double()
    return x, x.mean(0).logit()


def change(x, logits, push, e, c):
    """ΔD and ΔR of the weak code μ(x) = c e(x), σ = 1, that moves the logits by z times `push`; by quadrature."""
    nodes, weights = (torch.tensor(each) for each in numpy.polynomial.hermite_e.hermegauss(30))
    z = c * e[:, None] + nodes  # (N, 30)
    losses = -Bernoulli(logits=logits + z[..., None] * push).log_prob(x[:, None].expand(-1, 30, -1)).sum(-1)
    before = -Bernoulli(logits=logits).log_prob(x).sum(-1)
    return ((losses @ weights) / weights.sum() - before).mean(), (c * e).square().mean() / 2


def test_a_weak_code_changes_distortion_and_rate_to_second_order():
    """(13.8), against the exact change."""
    x, logits = pixels_and_logits()
    v, e = torch.randn(2, 400, dtype=torch.float64)
    v, e = v[:5], (e - e.mean()) / e.std(correction=0)
    r, variances = x - logits.sigmoid(), logits.sigmoid() * (1 - logits.sigmoid())
    eps, c = 2e-4, 1e-4
    by_formula = eps * c * (r @ v * e).mean() - eps**2 / 2 * (v.square() * variances).sum()
    found, rate = change(x, logits, eps * v, e, c)
    assert (found + by_formula).abs() < 1e-2 * by_formula.abs() and torch.isclose(
        rate, torch.tensor(c**2 / 2).double()
    )


def test_a_code_pays_if_beta_is_below_the_largest_eigenvalue_of_the_correlations():
    """(13.9), on pixels with logits of their own, where both matrices are known."""
    x, logits = pixels_and_logits()
    r, variances = x - logits.sigmoid(), logits.sigmoid() * (1 - logits.sigmoid())
    values, vectors = torch.linalg.eigh(torch.corrcoef(x.T))
    best, v = values[-1], vectors[:, -1] / variances.sqrt()
    quotient = (r @ v).square().mean() / (v.square() * variances).sum()
    assert torch.isclose(quotient, best, rtol=1e-9) and best > 1.5
    others = torch.randn(200, 5, dtype=torch.float64)
    assert ((r @ others.T).square().mean(0) / (others.square() @ variances)).max() <= best
    e, g = r @ v, (r @ v).square().mean().sqrt()
    c = 1e-3
    saved, paid = change(x, logits, c * g / (v.square() * variances).sum() * v, e / g, c)
    assert -saved - 0.97 * best * paid > 0 > -saved - 1.03 * best * paid


def busy(vae):
    """Weights such that pixels and z matter, before any training."""
    with torch.no_grad():
        vae.code.weight.normal_(0, 0.5)
        vae.place.normal_(0, 0.5)
        vae.ink.normal_(-1, 0.5)
        vae.encoder[-1].weight.mul_(4)
    return vae


def test_no_pixel_sees_itself_or_what_comes_later():
    """(13.4), by the gradient of each logit, and by sampling: with the probabilities that decode returns."""
    torch.manual_seed(0)
    vae = busy(PixelVAE(latent=3, reach=2, width=8))
    x, z = torch.rand(1, 1, 28, 28, requires_grad=True), torch.randn(1, 3)
    logits = vae.decode(z, x)
    for pixel in (0, 1, 27, 28, 57, 400, 783):
        influence = torch.autograd.grad(logits[0, pixel], x, retain_graph=True)[0].flatten()
        assert influence[pixel:].abs().max() == 0
        row, column = divmod(pixel, 28)
        seen = {
            28 * r + c
            for r in range(max(0, row - 2), row + 1)
            for c in range(max(0, column - 2), min(28, column + 3))
            if 28 * r + c < pixel and (r < row or c < column)
        }
        assert set(influence.nonzero().flatten().tolist()) == seen
    z = torch.randn(3, 3)
    drawn = vae.draw(z, torch.Generator().manual_seed(1))
    ink, again = vae.decode(z, drawn).sigmoid(), torch.Generator().manual_seed(1)
    tossed = torch.stack([torch.rand(3, generator=again) < ink[:, pixel] for pixel in range(784)], 1)
    assert torch.equal(tossed.float(), drawn.flatten(1).detach()) and 0.05 < drawn.mean() < 0.95
    twice = vae.draw(z[:1].expand(4, -1), torch.Generator().manual_seed(1), blocks=2)
    assert torch.equal(twice[:2], twice[2:]) and not torch.equal(twice[0], twice[1])


def test_free_bits_are_the_kl_without_a_floor_and_never_less_than_it():
    """(13.5), at both ends."""
    torch.manual_seed(0)
    mu, log_var = torch.randn(2, 7, 3, dtype=torch.float64)
    assert torch.allclose(kl_per_dimension(mu, log_var).sum(), gaussian_kl(mu, log_var).mean(), rtol=1e-12)
    assert torch.allclose(free_bits(mu, log_var, 0.0), gaussian_kl(mu, log_var).mean(), rtol=1e-12)
    assert free_bits(torch.zeros(7, 3), torch.zeros(7, 3), 0.5) == 1.5
    for floor in (0.1, 0.6, 2.0):
        by_hand = sum(max(floor, kl.item()) for kl in kl_per_dimension(mu, log_var))
        assert free_bits(mu, log_var, floor).item() == pytest.approx(by_hand)
        assert free_bits(mu, log_var, floor) >= gaussian_kl(mu, log_var).mean() - 1e-12


def test_below_the_floor_free_bits_have_no_gradient():
    mu = torch.full((4, 2), 0.1, requires_grad=True)
    free_bits(mu, torch.zeros(4, 2), 0.5).backward()
    assert mu.grad.abs().max() == 0


# The strong decoder, and the schedules


def test_the_schedules_begin_and_end_where_they_should():
    assert [kl_warmup(done) for done in (0, 1 / 3, 2 / 3, 1.0)] == [0, pytest.approx(0.5), 1, 1]
    assert [falling_beta(done) for done in (0, 0.45, 0.9, 1.0)] == [8, pytest.approx(4.5), 1, 1]


@pytest.mark.parametrize(("beta", "floored"), [(1.0, False), (2.5, True)])
def test_pixel_step_descends_minus_elbo_and_its_floor(one_step_down, beta, floored):
    """From grey pixels, at the coins and the ε of one seed; the floor lies between the KLs of the three dimensions."""
    vae, x = busy(PixelVAE(latent=3, reach=2, width=8)), torch.rand(5, 1, 28, 28)
    torch.manual_seed(1)
    coins, eps = torch.bernoulli(x), torch.randn(5, 3)
    mu, log_var = vae.encode(coins)
    q = Normal(mu, (log_var / 2).exp())
    logits = vae.decode(q.mean + q.stddev * eps, coins)
    reconstruction = -Bernoulli(logits=logits).log_prob(coins.flatten(1)).sum(1).mean()
    kl = kl_divergence(q, Normal(0.0, 1.0)).mean(0)
    floor = kl.sort().values[:2].mean().item() if floored else 0.0
    loss = reconstruction + beta * sum(each if each > floor else floor for each in kl)
    torch.manual_seed(1)
    seen = one_step_down(vae, loss, lambda optimiser: pixel_step(vae, optimiser, x, beta, floor))
    wanted = {"loss": loss, "reconstruction": reconstruction, "kl": kl.sum()}
    assert seen.keys() == wanted.keys()
    assert all(torch.isclose(seen[name], wanted[name]) and not seen[name].requires_grad for name in wanted)


def test_decoder_step_descends_without_a_code(one_step_down):
    """−log p(x | z = 0), from grey pixels, at the coins of one seed; the encoder and the code's weights stay."""
    vae, x = busy(PixelVAE(latent=3, reach=2, width=8)), torch.rand(5, 1, 28, 28)
    torch.manual_seed(1)
    coins = torch.bernoulli(x)
    logits = vae.decode(torch.zeros(5, 3), coins)
    loss = -Bernoulli(logits=logits).log_prob(coins.flatten(1)).sum(1).mean()
    torch.manual_seed(1)
    seen = one_step_down(vae, loss, lambda optimiser: decoder_step(vae, optimiser, x))
    assert torch.isclose(seen["loss"], loss) and not seen["loss"].requires_grad


def test_the_pixels_can_start_from_the_mean_image():
    """Black and white pixels, too, get finite logits."""
    images = torch.rand(50, 1, 28, 28)
    images[:, 0, 0], images[:, 0, 1] = 0, 1
    vae = PixelVAE(latent=3, reach=2, width=8).start_from(images)
    ink = vae.ink.sigmoid()
    assert torch.allclose(ink[0, 2:], images.mean(0)[0, 2:], atol=1e-5)
    assert torch.allclose(ink[0, 0], torch.tensor(0.001)) and torch.allclose(ink[0, 1], torch.tensor(0.999))


def test_a_new_encoder_is_new_and_its_own_and_the_rest_is_a_copy():
    torch.manual_seed(0)
    vae = busy(PixelVAE(latent=3, reach=2, width=8))
    before = {name: value.clone() for name, value in vae.state_dict().items()}
    other = vae.with_new_encoder()
    for name, value in vae.state_dict().items():
        assert torch.equal(value, before[name]), name
        assert torch.equal(other.state_dict()[name], value) == (not name.startswith("encoder")), name
        assert other.state_dict()[name].data_ptr() != value.data_ptr(), name


def test_a_conditional_step_descends_minus_the_bound_on_log_p_given_y(one_step_down):
    """From grey pixels of different digits, at the coins and the ε of one seed, by torch.distributions."""
    vae = ConditionalVAE(latent=2, hidden=16)
    x, y = torch.rand(4, 1, 28, 28), torch.tensor([7, 1, 2, 7])
    torch.manual_seed(1)
    coins, eps, label = torch.bernoulli(x), torch.randn(4, 2), torch.eye(10)[y]
    mu, log_var = vae.encoder(torch.cat([coins.flatten(1), label], 1)).chunk(2, 1)
    q = Normal(mu, (log_var / 2).exp())
    logits = vae.decoder(torch.cat([q.mean + q.stddev * eps, label], 1))
    reconstruction = -Bernoulli(logits=logits).log_prob(coins.flatten(1)).sum(1).mean()
    kl = kl_divergence(q, Normal(0.0, 1.0)).sum(1).mean()
    torch.manual_seed(1)
    seen = one_step_down(
        vae, reconstruction + kl, lambda optimiser: conditional_vae_step(vae, optimiser, (x, y))
    )
    assert torch.isclose(seen["reconstruction"], reconstruction) and torch.isclose(seen["kl"], kl)


def test_the_conditional_vae_reads_the_label_in_both_networks():
    torch.manual_seed(0)
    vae = ConditionalVAE(latent=2, hidden=16)
    x, z, y = torch.rand(4, 1, 28, 28), torch.randn(4, 2), torch.tensor([0, 1, 2, 3])
    assert not torch.equal(vae.encode(x, y)[0], vae.encode(x, y.flip(0))[0])
    assert not torch.equal(vae.decode(z, y), vae.decode(z, y.flip(0)))


def test_the_conditional_bound_and_the_kl_to_the_posterior_make_log_p():
    """(13.12) with one latent dimension and every integral over z on a grid: bound + KL(q ‖ p(z|x, y)) = log p(x|y)."""
    torch.manual_seed(3)
    vae = ConditionalVAE(latent=1, hidden=16).double()
    with torch.no_grad():
        vae.encoder[-1].weight.mul_(3)  # a guess that is no prior
        x, grid = (
            torch.rand(4, 1, 28, 28).round().double(),
            torch.linspace(-30, 30, 6001, dtype=torch.float64),
        )
        for y in range(4):
            digit = torch.tensor([y])
            mu, log_var = vae.encode(x[y : y + 1], digit)
            logits = vae.decode(grid[:, None], digit.expand(len(grid)))
            log_likelihood = bernoulli_log_likelihood(x[y].flatten().expand(len(grid), 784), logits)
            log_joint = log_likelihood + Normal(0.0, 1.0).log_prob(grid)
            log_q = Normal(mu, (log_var / 2).exp()).log_prob(grid)[0]
            step = grid[1] - grid[0]
            evidence = torch.logsumexp(log_joint + step.log(), 0)
            bound = (log_q.exp() * log_likelihood).sum() * step - gaussian_kl(mu, log_var).sum()
            gap = (log_q.exp() * (log_q - (log_joint - evidence))).sum() * step
            assert gap > 0.01 and (bound + gap - evidence).abs() < 1e-6


# The explorer's views


def decode(z):
    """As dark as z1 is large below, as z2 is large above."""
    images = torch.zeros(len(z), 1, 28, 28)
    images[:, 0, 14:] = ((z[:, 0] + 3) / 6)[:, None, None]
    images[:, 0, :14] = ((z[:, 1] + 3) / 6)[:, None, None]
    return images


def ink(frame):
    """The ink of the single image, below and above."""
    page = frame.picture.image().convert("L")
    return [1 - page.getpixel((2 * 110, 2 * y)) / 255 for y in (94 + 150, 94 + 40)]


def explorer():
    ends = {
        "a": torch.tensor([3.0, 0.0, 0.0]),
        "b": torch.tensor([0.0, 3.0, 0.0]),
        "c": torch.tensor([0.0, 0.0, 1.0]),
    }
    frame = latent_explorer(decode, 3, alt="A test of the views of the explorer.", ends=ends, name="views")
    switch, plane, single, morph = frame.box.children[:4]
    return frame, switch, plane, single, morph


def shown(panels):
    return [panel.layout.display != "none" for panel in panels]


def test_the_explorer_goes_along_one_dimension():
    frame, switch, plane, single, morph = explorer()
    assert switch.options == ("plane", "one dimension", "morph") and shown((plane, single, morph)) == [
        True,
        False,
        False,
    ]
    switch.value = "one dimension"
    assert shown((plane, single, morph)) == [False, True, False]
    page = frame.picture.image().convert("L")
    for row, inks in enumerate((([0, 0.5], [1, 0.5]), ([0.5, 0], [0.5, 1]), ([0.5, 0.5], [0.5, 0.5]))):
        for column, expected in zip(
            (0, 12), inks, strict=True
        ):  # a row for each dimension, the others at rest
            x, y = 270 + 28 * column + 14, 152 + 28 * row
            found = [1 - page.getpixel((2 * x, 2 * (y + down))) / 255 for down in (21, 7)]
            assert found == pytest.approx(expected, abs=0.05)
    choice, slider = single.children
    assert choice.options == (("z₁", 0), ("z₂", 1), ("z₃", 2)) and slider.description == "z₁"
    slider.value = 3
    assert ink(frame) == pytest.approx([1, 0.5], abs=0.05)
    choice.value = 1
    assert slider.description == "z₂"
    slider.value = -3
    assert ink(frame) == pytest.approx([0.5, 0], abs=0.05)
    frame.reset()
    places = []
    while frame.advance():
        places.append(slider.value)
    assert min(places) == -3 and max(places) == 3 and places[-1] == 0 and 60 < len(places) < 150


def test_the_explorer_morphs_by_line_and_by_arc():
    frame, switch, _, _, morph = explorer()
    switch.value = "morph"
    start, end, way = morph.children[0].children
    slider = morph.children[1]
    assert isinstance(slider, ipywidgets.FloatSlider) and (start.value, end.value) == ("a", "b")
    assert ink(frame) == pytest.approx([1, 0.5], abs=0.05)
    slider.value = 0.5
    assert ink(frame) == pytest.approx([0.75, 0.75], abs=0.05)
    way.value = "sphere"
    slider.value = 0.5
    assert ink(frame) == pytest.approx([0.5 + 0.5**0.5 / 2] * 2, abs=0.05)
    end.value = "c"
    slider.value = 1
    assert ink(frame) == pytest.approx([0.5, 0.5], abs=0.05)
    frame.reset()
    places = [slider.value]
    while frame.advance():
        places.append(slider.value)
    assert places[0] == places[-1] == 0 and max(places) == 1


def test_ends_that_do_not_fit_get_a_sentence():
    with pytest.raises(ValueError, match="ends are two or more codes of 3 numbers"):
        latent_explorer(decode, 3, alt="A test of what cannot be explored.", ends={"a": torch.zeros(3)})
    with pytest.raises(ValueError, match="ends are two or more codes of 3 numbers"):
        latent_explorer(
            decode, 3, alt="A test of what cannot be explored.", ends=dict(a=torch.zeros(3), b=torch.zeros(2))
        )


# The study


def test_what_is_judged_is_the_elbo_and_its_parts():
    """Distortion as a mean of four draws by a generator of their own, KLs sorted; a decoder that is a matrix."""
    torch.manual_seed(0)
    x, weight = torch.rand(6, 1, 28, 28).round(), torch.randn(3, 784)
    mu, log_var = torch.randn(6, 3) * torch.tensor([0.02, 2.0, 0.5]), 0.3 * torch.randn(6, 3)
    state = torch.get_rng_state()
    found = judged(lambda z: z @ weight, mu, log_var, x)
    assert torch.equal(torch.get_rng_state(), state)
    noise, q = torch.Generator().manual_seed(0), Normal(mu, (log_var / 2).exp())
    z = [mu + q.stddev * torch.randn(6, 3, generator=noise) for _ in range(4)]
    likelihood = [Bernoulli(logits=each @ weight).log_prob(x.flatten(1)).sum(1).mean() for each in z]
    kl = kl_divergence(q, Normal(0.0, 1.0)).mean(0)
    distortion, rate = -sum(likelihood).item() / 4, kl.sum().item()
    assert found["distortion"] == pytest.approx(distortion, abs=0.006)
    assert found["rate"] == pytest.approx(rate, abs=6e-4)
    assert found["elbo"] == pytest.approx(-distortion - rate, abs=0.006)
    assert found["active"] == 2 and found["kl"] == pytest.approx(sorted(kl.tolist(), reverse=True), abs=6e-5)
    assert found["largest variance"] == pytest.approx(mu[:, 1].var().item(), abs=6e-5)


def test_rate_rises_and_distortion_falls_for_every_seed():
    runs = study("latent_space")["runs"]
    for seed in range(3):
        rows = [runs[f"curve, β = {beta:g}"][seed] for beta in sorted(BETAS, reverse=True)]
        rates, distortions = [row["rate"] for row in rows], [row["distortion"] for row in rows]
        assert len(rows) >= 5 and rates == sorted(rates) and distortions == sorted(distortions, reverse=True)
        for row in rows:
            assert abs(row["training rate"] - row["information"] - row["gap"]) < 0.2
            assert row["information"] <= math.log(4000) + 1e-3


def test_the_collapse_is_cured_by_the_same_decoder_at_the_same_beta():
    runs, names = study("latent_space")["runs"], ("β falls from 8 to 1", "β rises from 0 to 1", "free bits")
    for seed in range(3):
        collapsed, warm, free = (runs[name][seed] for name in names)
        assert collapsed["active"] <= 1
        assert min(warm["active"], free["active"]) >= 5
        assert min(warm["elbo"], free["elbo"]) > collapsed["elbo"] + 0.3
    assert all(WAYS[name][0](1.0) == 1.0 for name in WAYS)


def test_a_new_seed_of_the_curve_falls_into_the_spread(one_thread):
    """It trains, to see that study and code still belong together. The collapse itself is made by the notebook."""
    run, rows = curve_run(4.0, 11), study("latent_space")["runs"]["curve, β = 4"]
    for name, slack in (("rate", 0.6), ("distortion", 2.0), ("information", 0.3), ("gap", 0.6)):
        values = [row[name] for row in rows]
        assert min(values) - slack <= run[name] <= max(values) + slack, name
