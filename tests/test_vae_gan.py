"""VAE-GAN: which loss reaches which network, and how sharp an image is."""

import copy
import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import conv2d, logsigmoid, mse_loss

from helpers.data import load_digits
from helpers.gan import Discriminator, Generator, discriminator_loss, non_saturating, to_tanh
from helpers.metrics import digit_classifier, laplacian_variance, sharpness
from helpers.studies import study
from helpers.studies.vae_gan import RATES, adams, judge, reconstructed, set_rates, weighting_run, weightings
from helpers.vae import gaussian_kl
from helpers.vae_gan import (
    Encoder,
    features_and_logits,
    gaussian_vae_step,
    half_square,
    vae_gan_loss_weights,
    vae_gan_step,
    vae_gan_terms,
)

LATENT = 3
pytestmark = pytest.mark.usefixtures("one_thread")


NAMES = ("encoder", "decoder", "discriminator")


@pytest.fixture
def networks():
    """Small networks; in evaluation mode spectral norm's vectors rest, so that two forward passes agree."""
    torch.manual_seed(0)
    three = Encoder(LATENT, 4), Generator(LATENT, 8), Discriminator(4)
    return {name: network.eval() for name, network in zip(NAMES, three, strict=True)}


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(1)
    real = 2 * torch.rand(5, 1, 28, 28, generator=generator) - 1
    return real, torch.randn(5, LATENT, generator=generator), torch.randn(5, LATENT, generator=generator)


def gradients(loss, network):
    found = torch.autograd.grad(loss, list(network.parameters()), retain_graph=True, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(network.parameters(), found, strict=True)]


def moves(networks, inputs, loss_weights):
    """What one step with plain gradient descent of rate 1 subtracts from each parameter: its gradient."""
    after = copy.deepcopy(networks)
    optimisers = {name: torch.optim.SGD(network.parameters(), lr=1.0) for name, network in after.items()}
    real, eps, z = inputs
    vae_gan_step(after, optimisers, real, loss_weights, eps, z)
    return {
        name: [
            b.detach() - a.detach() for b, a in zip(old.parameters(), after[name].parameters(), strict=True)
        ]
        for name, old in networks.items()
    }


def assert_alike(got, wanted):
    largest = max(each.abs().max().item() for each in wanted)
    for a, b in zip(got, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3 * largest + 1e-6)


def total(terms, weights, network):
    """Σ weight · gradient, each term differentiated alone."""
    parts = [[w * g for g in gradients(terms[term], network)] for term, w in weights.items()]
    return [sum(column) for column in zip(*parts, strict=True)]


def test_each_loss_moves_exactly_its_networks(networks, inputs):
    """By a second route: the terms are differentiated one by one, and put together here, by hand."""
    terms = vae_gan_terms(*networks.values(), *inputs)
    weights = {
        "encoder": {"kl": 1.0, "features": 1.0},
        "decoder": {"features": 0.3, "fool_recon": 0.5, "fool_sample": 0.5},
        "discriminator": {"real": 1.0, "reject_recon": 0.5, "reject_sample": 0.5},
    }
    found = moves(networks, inputs, vae_gan_loss_weights(gamma=0.3))
    for name, network in networks.items():
        assert_alike(found[name], total(terms, weights[name], network))


# Where each term could go, if every weight were one
REACH = {
    "kl": ["encoder"],
    "pixels": ["encoder", "decoder"],
    "features": ["encoder", "decoder", "discriminator"],
    "real": ["discriminator"],
    "reject_recon": ["encoder", "decoder", "discriminator"],
    "fool_recon": ["encoder", "decoder", "discriminator"],
    "reject_sample": ["decoder", "discriminator"],
    "fool_sample": ["decoder", "discriminator"],
}


def test_where_each_term_could_go(networks, inputs):
    terms = vae_gan_terms(*networks.values(), *inputs)
    for name, term in terms.items():
        reached = [
            each for each, network in networks.items() if any(g.any() for g in gradients(term, network))
        ]
        assert reached == REACH[name], name


@pytest.mark.parametrize(("term", "network"), [(term, each) for term, all_ in REACH.items() for each in all_])
def test_one_term_moves_one_network(networks, inputs, term, network):
    """It moves by that term's gradient; the others stay bit for bit."""
    terms = vae_gan_terms(*networks.values(), *inputs)
    found = moves(networks, inputs, {network: {term: 2.0}})
    assert_alike(found[network], [2 * each for each in gradients(terms[term], networks[network])])
    for other in set(NAMES) - {network}:
        assert not any(each.any() for each in found[other])


def test_a_vae_and_a_gan_are_tables_of_loss_weights(networks, inputs):
    """With the right weights, the step is that of a VAE, and a round of a GAN whose players move at once."""
    real, eps, z = inputs
    vae = {"encoder": {"kl": 1.0, "pixels": 4.0}, "decoder": {"pixels": 4.0}}
    found, after = moves(networks, inputs, vae), copy.deepcopy(networks)
    both = [*after["encoder"].parameters(), *after["decoder"].parameters()]
    gaussian_vae_step(after["encoder"], after["decoder"], torch.optim.SGD(both, lr=1.0), real, 0.5, eps=eps)
    for name in ("encoder", "decoder"):
        pairs = zip(networks[name].parameters(), after[name].parameters(), strict=True)
        assert_alike(found[name], [old.detach() - new.detach() for old, new in pairs])
    gan = {"decoder": {"fool_sample": 1.0}, "discriminator": {"real": 1.0, "reject_sample": 1.0}}
    found = moves(networks, inputs, gan)
    fake_logits = networks["discriminator"](networks["decoder"](z))
    real_logits = networks["discriminator"](real)
    assert_alike(found["decoder"], gradients(non_saturating(fake_logits).mean(), networks["decoder"]))
    d_loss = discriminator_loss(real_logits, fake_logits).mean()
    assert_alike(found["discriminator"], gradients(d_loss, networks["discriminator"]))
    assert not any(each.any() for each in found["encoder"])


def test_nothing_is_drawn_from_the_prior_that_no_term_asks_for(networks, inputs):
    optimisers = {name: torch.optim.SGD(each.parameters(), lr=0.0) for name, each in networks.items()}
    state = torch.get_rng_state()
    terms = vae_gan_step(networks, optimisers, inputs[0], {"encoder": {"kl": 1.0}}, eps=inputs[1])
    assert torch.equal(torch.get_rng_state(), state) and "reject_sample" not in terms
    assert "reject_sample" in vae_gan_step(
        networks, optimisers, inputs[0], vae_gan_loss_weights(), eps=inputs[1]
    )


def test_what_was_left_in_a_network_does_not_matter(networks, inputs):
    """A gradient from before, even NaN, is cleared; a network without terms keeps what it has."""
    real, eps, z = inputs
    resting = {name: torch.optim.SGD(network.parameters(), lr=0.0) for name, network in networks.items()}
    parts = [part for network in networks.values() for part in network.parameters()]
    vae_gan_step(networks, resting, real, vae_gan_loss_weights(), eps, z)
    clean = [part.grad.clone() for part in parts]
    for part in parts:
        part.grad = torch.full_like(part, 7.0)
    vae_gan_step(networks, resting, real, vae_gan_loss_weights(), eps, z)
    assert all(torch.equal(part.grad, grad) for part, grad in zip(parts, clean, strict=True))
    vae_gan_step(networks, resting, real, {"decoder": {"pixels": 1.0}}, eps, z)
    kept = list(networks["discriminator"].parameters())
    assert all(torch.equal(part.grad, grad) for part, grad in zip(kept, clean[-len(kept) :], strict=True))


def test_the_order_of_the_loss_weights_does_not_matter(networks, inputs):
    """All gradients are taken before anybody moves."""
    loss_weights = vae_gan_loss_weights()
    backwards = dict(reversed(loss_weights.items()))
    there, back = moves(networks, inputs, loss_weights), moves(networks, inputs, backwards)
    for name in networks:
        assert_alike(back[name], there[name])


def test_the_terms_are_what_their_names_say(networks, inputs):
    encoder, decoder, discriminator = networks.values()
    real, eps, z = inputs
    mu, log_var = encoder(real)
    q, prior = Normal(mu, log_var.exp().sqrt()), Normal(torch.zeros_like(mu), torch.ones_like(mu))
    recon, sample = decoder(mu + log_var.exp().sqrt() * eps), decoder(z)
    f, f_recon = (discriminator.net[:-1](images) for images in (real, recon))
    log_d = {name: discriminator(x) for name, x in (("real", real), ("recon", recon), ("sample", sample))}
    wanted = {
        "kl": kl_divergence(q, prior).sum(1).mean(),
        "pixels": 784 * mse_loss(real, recon) / 2,
        "features": f.shape[1] * mse_loss(f, f_recon) / 2,
        "real": -logsigmoid(log_d["real"]).mean(),
        "reject_recon": -torch.log(1 - log_d["recon"].sigmoid()).mean(),
        "fool_recon": -logsigmoid(log_d["recon"]).mean(),
        "reject_sample": -torch.log(1 - log_d["sample"].sigmoid()).mean(),
        "fool_sample": -logsigmoid(log_d["sample"]).mean(),
    }
    found = vae_gan_terms(encoder, decoder, discriminator, real, eps, z)
    assert found.keys() == wanted.keys() == REACH.keys()
    for name in REACH:
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-4, atol=1e-5)


def test_looking_gives_the_logits_of_the_discriminator(networks, inputs):
    features, logits = features_and_logits(networks["discriminator"], inputs[0])
    torch.testing.assert_close(logits, networks["discriminator"](inputs[0]))
    assert features.shape == (5, 8 * 7 * 7)


def test_half_a_square_is_a_gaussian_likelihood_less_its_constant():
    """(15.1), with its constant, which is the log-density at the mean."""
    torch.manual_seed(2)
    a, b, deviation = torch.randn(4, 3).double(), torch.randn(4, 3).double(), 0.4
    normal = torch.distributions.Normal(b, deviation)
    constant = normal.log_prob(b).sum(dim=1)
    torch.testing.assert_close(half_square(a, b) / deviation**2, constant - normal.log_prob(a).sum(dim=1))


@pytest.mark.parametrize("given", [True, False])
def test_a_vae_step_descends_pixels_and_rate(networks, inputs, one_step_down, given):
    """By torch.distributions, N(decoder(z), 0.3² I) less its constant; ε is given, or drawn at the start."""
    encoder, decoder = (networks[name].double() for name in ("encoder", "decoder"))
    real, eps = (each.double() for each in inputs[:2])
    torch.manual_seed(1)
    eps = eps if given else torch.randn(5, LATENT)
    mu, log_var = encoder(real)
    q, prior = Normal(mu, log_var.exp().sqrt()), Normal(0.0, 1.0)
    log_p = Normal(decoder(q.mean + q.stddev * eps), 0.3).log_prob(real).flatten(1).sum(1)
    reconstruction = -log_p.mean() - 392 * math.log(2 * math.pi * 0.3**2)
    kl = kl_divergence(q, prior).sum(1).mean()
    torch.manual_seed(1)
    seen = one_step_down(
        torch.nn.ModuleList([encoder, decoder]),
        reconstruction + 0.7 * kl,
        lambda optimiser: gaussian_vae_step(
            encoder, decoder, optimiser, real, 0.3, 0.7, eps if given else None
        ),
    )
    assert torch.isclose(seen["reconstruction"], reconstruction) and torch.isclose(seen["kl"], kl)


def test_what_is_not_given_is_drawn_in_one_order(networks, inputs):
    """First ε, then z, and only what is missing."""
    real, eps, z = inputs
    resting = {name: torch.optim.SGD(each.parameters(), lr=0.0) for name, each in networks.items()}
    for given in ({}, {"eps": eps}, {"z": z}, {"eps": eps, "z": z}):
        torch.manual_seed(1)
        found = vae_gan_step(networks, resting, real, vae_gan_loss_weights(), **given)
        torch.manual_seed(1)
        drawn = given.get("eps") if "eps" in given else torch.randn(5, LATENT)
        drawn = drawn, given["z"] if "z" in given else torch.randn(5, LATENT)
        wanted = vae_gan_terms(*networks.values(), real, *drawn)
        assert all(torch.isclose(found[name], wanted[name]) for name in wanted)


def test_the_laplacian_is_a_convolution():
    """(15.3), by another route."""
    images = torch.rand(3, 1, 9, 7, dtype=torch.float64)
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]], dtype=torch.float64).view(1, 1, 3, 3)
    torch.testing.assert_close(laplacian_variance(images), conv2d(images, kernel).flatten(1).var(dim=1))


def test_blur_lies_below_one_and_noise_above():
    """(15.4): and it has no unit."""
    real = load_digits("validation")[0][:100]
    blurred = torch.nn.functional.avg_pool2d(real, 3, stride=1, padding=1)
    noisy = (real + 0.2 * torch.randn(real.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    assert sharpness(real, real) == 1
    strong = torch.cat([real[:99], 9 * real[99:]])  # one image of 81 times the variance counts in a mean
    variances = laplacian_variance(real)
    expected = (variances[:99].sum() + 81 * variances[99]) / variances.sum()
    assert sharpness(strong, real) == pytest.approx(expected.item(), rel=1e-5)
    assert sharpness(blurred, real) < 0.5 and sharpness(noisy, real) > 1.1
    assert sharpness(to_tanh(blurred), to_tanh(real)) == pytest.approx(sharpness(blurred, real))


# The equations of notebook 15


def test_of_all_pictures_the_mean_has_the_smallest_error():
    """(15.2), for a finite distribution and any c."""
    torch.manual_seed(3)
    x, chances = torch.randn(6, 5).double(), torch.rand(6).double()
    chances /= chances.sum()
    mean = chances @ x
    covariance = (x - mean).T @ torch.diag(chances) @ (x - mean)
    for c in (*torch.randn(4, 5).double(), mean, x[0]):
        error = chances @ (x - c).square().sum(1)
        torch.testing.assert_close(error, (c - mean).square().sum() + covariance.trace())
        assert error >= covariance.trace() - 1e-12


def test_a_sharp_draw_costs_twice_the_error_of_the_mean():
    """(15.6), over all pairs of independent draws."""
    torch.manual_seed(4)
    x, chances = torch.randn(6, 5).double(), torch.rand(6).double()
    chances /= chances.sum()
    pairs = (x[:, None] - x[None]).square().sum(2)
    spread = chances @ (x - chances @ x).square().sum(1)
    torch.testing.assert_close(chances @ pairs @ chances, 2 * spread)


def test_the_three_losses_are_the_loss_weights(networks, inputs):
    """(15.5), written out with probabilities instead of logits."""
    encoder, decoder, discriminator = networks.values()
    real, eps, z = inputs
    gamma = 0.3
    mu, log_var = encoder(real)
    recon, sample = decoder(mu + (log_var / 2).exp() * eps), decoder(z)
    d, d_recon, d_sample = (discriminator(images).sigmoid() for images in (real, recon, sample))
    f, f_recon = (features_and_logits(discriminator, images)[0] for images in (real, recon))
    likeness = (f - f_recon).square().sum(1) / 2
    kl = 0.5 * (mu.square() + log_var.exp() - 1 - log_var).sum(1)
    wanted = {
        "encoder": (kl + likeness).mean(),
        "decoder": (gamma * likeness - d_recon.log() / 2 - d_sample.log() / 2).mean(),
        "discriminator": (-d.log() - (1 - d_recon).log() / 2 - (1 - d_sample).log() / 2).mean(),
    }
    terms = vae_gan_terms(*networks.values(), *inputs)
    for name, weights in vae_gan_loss_weights(gamma).items():
        found = sum(weight * terms[term] for term, weight in weights.items())
        torch.testing.assert_close(found, wanted[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("beta", [1e-2, 1e-6])
def test_a_weight_on_the_kl_is_a_smaller_deviation(beta):
    """(15.7), and that the two losses differ by a factor, so that all their gradients are parallel."""
    torch.manual_seed(5)
    x, x_hat, mu, log_var = (t.requires_grad_() for t in torch.randn(4, 3, 7).double())
    deviation = 0.7
    weighted = half_square(x, x_hat) / deviation**2 + beta * gaussian_kl(mu, log_var)
    narrow = half_square(x, x_hat) / (beta**0.5 * deviation) ** 2 + gaussian_kl(mu, log_var)
    torch.testing.assert_close(weighted / beta, narrow)
    of_weighted = torch.autograd.grad(weighted.sum(), (x_hat, mu, log_var))
    for a, b in zip(of_weighted, torch.autograd.grad(narrow.sum(), (x_hat, mu, log_var)), strict=True):
        torch.testing.assert_close(a / beta, b)


@pytest.mark.parametrize("beta", [1.0, 1e-2, 1e-6])
def test_the_best_width_under_a_weighted_kl(beta):
    """(15.8): no slope there, and its price grows by at most ½ log 1/β, nearly all of it for a strong direction."""
    strengths, noise = torch.tensor([0.5, 4.0, 400.0]).double(), 0.8  # |w_j|², s
    log_var = (beta * noise**2 / (beta * noise**2 + strengths)).log().requires_grad_()
    reconstruction = (log_var.exp() * strengths).sum() / (2 * noise**2)  # (10.7): the part with σ_j²
    loss = reconstruction + beta * gaussian_kl(torch.zeros(1, 3).double(), log_var[None]).sum()
    (slope,) = torch.autograd.grad(loss, log_var)
    assert (slope / beta).abs().max() < 1e-9
    price = -0.5 * log_var.detach()
    at_one = -0.5 * (noise**2 / (noise**2 + strengths)).log()
    limit = 0.5 * math.log(1 / beta)
    assert (price - at_one <= limit + 1e-9).all()
    assert price[2] - at_one[2] == pytest.approx(limit, abs=0.01)
    if beta == 1e-6:
        torch.testing.assert_close(price, limit + 0.5 * (strengths / noise**2).log(), atol=1e-5, rtol=0)


# The study of notebook 15


def test_reconstructions_are_decoded_means_in_evaluation_mode(networks):
    """By hand, from images in [0, 1]; the decoder's own mode and statistics stay as they were."""
    encoder, decoder, images = networks["encoder"], networks["decoder"].train(), torch.rand(5, 1, 28, 28)
    decoder(torch.randn(50, LATENT))  # statistics that are not those of five images
    before = copy.deepcopy(decoder.state_dict())
    found = reconstructed(encoder, decoder, images)
    assert decoder.training and not found.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in decoder.state_dict().items())
    mu = encoder.net(2 * images - 1)[:, :LATENT]
    assert torch.allclose(found, (decoder.eval().net(mu) + 1) / 2)


def test_what_is_judged_of_reconstructions(monkeypatch):
    """20 images, five of them decoded as blank paper: root mean square, share of right classes, both sharpnesses."""
    real, labels = (each[:20] for each in load_digits("validation"))
    monkeypatch.setattr("helpers.studies.vae_gan.load_digits", lambda split: (real, labels))
    recon = real.clone()
    recon[:5] = 0.0
    error = (real[:5].square().sum() / real.numel()).sqrt().item()
    assert (real[:5].mean() / 4).item() != pytest.approx(error, rel=0.1)  # no mean of sizes
    drawn = load_digits("train")[0][:30]
    figures = judge(drawn, recon)
    assert figures["recon_error"] == pytest.approx(error)
    seen = digit_classifier()(recon).argmax(1)
    assert figures["recon_class"] == pytest.approx((seen == labels).sum().item() / 20)
    assert figures["recon_sharpness"] == pytest.approx(sharpness(recon, real))
    assert figures["sharpness"] == pytest.approx(sharpness(drawn, real))
    assert "recon_error" not in judge(drawn)


def test_all_rates_follow_the_schedule():
    optimisers = adams({name: torch.nn.Linear(1, 1) for name in RATES})
    set_rates(optimisers, 0.7)  # half of the way down: 1 − 0.98 · 0.3/0.6
    rates = {name: optimiser.param_groups[0]["lr"] for name, optimiser in optimisers.items()}
    assert rates == pytest.approx({name: 0.51 * rate for name, rate in RATES.items()})


def test_the_vae_gan_is_sharper_and_nearer_than_every_vae():
    runs = study("vae_gan")["runs"]
    for rival in ("VAE", "VAE, Bernoulli"):
        for vae_gan, vae in zip(runs["VAE-GAN"], runs[rival], strict=True):
            assert abs(vae_gan["sharpness"] - 1) < abs(vae["sharpness"] - 1)
            assert vae_gan["distance"] < vae["distance"]


def test_the_deviation_is_the_best_of_those_tried():
    found = study("vae_gan")
    best = min(found["tries"], key=lambda name: found["tries"][name]["distance"])
    assert best == f"s = {found['settings']['pixel_deviation']}"


def test_one_term_ruins_and_the_other_does_not_show():
    runs = study("vae_gan")["runs"]
    right, to_d, to_encoder = (
        [run["distance"] for run in runs[f"loss weights: {name}"]]
        for name in ("as it should be", "features to D", "adversarial loss to encoder")
    )
    assert min(to_d) > 2 * max(right)
    assert max(to_encoder) < 1.5 * max(right) and min(to_encoder) > 0.67 * min(right)


def test_a_new_seed_falls_into_the_spread(one_thread):
    """A seed that the study has not seen, with the loss weights of a short run."""
    runs = study("vae_gan")["runs"]["loss weights: as it should be"]
    run = weighting_run("as it should be", seed=11)
    for name, slack in (("distance", 40), ("sharpness", 0.25), ("recon_class", 0.15)):
        values = [each[name] for each in runs]
        assert min(values) - slack <= run[name] <= max(values) + slack


def test_every_weighting_differs_by_one_term():
    tables = weightings()
    right = {
        (n, term): w for n, weights in tables.pop("as it should be").items() for term, w in weights.items()
    }
    for table in tables.values():
        loss_weights = {(n, term): w for n, weights in table.items() for term, w in weights.items()}
        assert len(loss_weights) == len(right) + 1 and right.items() <= loss_weights.items()
