"""VAE: each term against torch.distributions, the bounds against an exact model, the file against attacks."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence
from torch.nn.functional import binary_cross_entropy_with_logits

from helpers.training import CheckpointError
from helpers.vae import (
    VAE,
    bernoulli_log_likelihood,
    elbo,
    gaussian_kl,
    importance_weighted_bound,
    load,
    save,
    vae_step,
)


@pytest.fixture
def guess():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 7, 3, generator=generator, dtype=torch.float64) * 2


def test_gaussian_kl_against_pytorch(guess):
    """(12.2)."""
    mu, log_var = guess
    oracle = kl_divergence(Normal(mu, (log_var / 2).exp()), Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(gaussian_kl(mu, log_var), oracle, rtol=1e-12)


def test_gaussian_kl_against_monte_carlo(guess):
    mu, log_var = guess[0][0], guess[1][0]
    q = Normal(mu, (log_var / 2).exp())
    torch.manual_seed(0)
    z = q.sample((200_000,))
    terms = (q.log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum(1)
    error = terms.std() / len(terms) ** 0.5
    assert (gaussian_kl(mu[None], log_var[None]) - terms.mean()).abs() < 4 * error


def test_gaussian_kl_is_zero_at_the_prior_and_even_in_mu(guess):
    mu, log_var = guess
    assert torch.equal(gaussian_kl(torch.zeros(2, 5), torch.zeros(2, 5)), torch.zeros(2))
    assert torch.equal(gaussian_kl(mu, log_var), gaussian_kl(-mu, log_var))


def test_bernoulli_log_likelihood_against_pytorch():
    """(12.3)."""
    torch.manual_seed(0)
    logits = 20 * torch.randn(4, 30, dtype=torch.float64)
    x = torch.bernoulli(torch.full((4, 30), 0.4, dtype=torch.float64))
    assert torch.allclose(
        bernoulli_log_likelihood(x, logits), Bernoulli(logits=logits).log_prob(x).sum(1), rtol=1e-12
    )


class CoinModel:
    """z ~ N(0, 1) in one dimension, one pixel with logit w·z + b, and a deliberately poor q: log p(x) by quadrature."""

    latent = 1
    w, b = 2.0, -0.5

    def encode(self, x):
        x = x.flatten(1)
        return 0.7 * (1 - 2 * x), torch.full_like(x, -0.3)  # the wrong side of zero

    def decode(self, z):
        return self.w * z + self.b

    def exact(self):
        z = torch.linspace(-12, 12, 20_001, dtype=torch.float64)
        density = Normal(0.0, 1.0).log_prob(z).exp() * (self.w * z + self.b).sigmoid()
        return (density.sum() * (z[1] - z[0])).log()


def test_bounds_are_ordered_on_an_exact_model():
    """(12.1), (12.6): ELBO ≤ L_8 ≤ L_512 ≤ log p(x), which quadrature gives."""
    model, x = CoinModel(), torch.ones(4000, 1, 1, 1, dtype=torch.float64)
    torch.manual_seed(0)
    exact = model.exact()
    one, eight = elbo(model, x), importance_weighted_bound(model, x, 8, rows=4000)
    many = importance_weighted_bound(model, x[:400], 512, rows=100)
    for lower, higher in ((one, eight), (eight, many)):
        error = (lower.var() / len(lower) + higher.var() / len(higher)).sqrt()
        assert higher.mean() - lower.mean() > 4 * error
    error = many.std() / len(many) ** 0.5
    assert exact - 0.05 < many.mean() < exact + 4 * error


def test_one_importance_sample_is_the_elbo_estimate():
    model, x = CoinModel(), torch.ones(50_000, 1, 1, 1, dtype=torch.float64)
    torch.manual_seed(0)
    a, b = elbo(model, x), importance_weighted_bound(model, x, 1, rows=50_000)
    assert (a.mean() - b.mean()).abs() < 4 * (a.var() / len(a) + b.var() / len(b)).sqrt()


def test_each_image_has_a_bound_of_its_own(double):
    """Grey images that differ, in parts that do not come out even: log (1/K) Σ p(x|z) p(z)/q(z|x), one by one."""
    vae, x = VAE(latent=3, hidden=8), torch.rand(5, 1, 28, 28)
    state = torch.get_rng_state()
    bound = importance_weighted_bound(vae, x, 6, torch.Generator().manual_seed(1), rows=2)
    assert torch.equal(torch.get_rng_state(), state)
    noise, by_hand = torch.Generator().manual_seed(1), []
    for part in (x[:2], x[2:4], x[4:]):
        eps = torch.randn(6, len(part), 3, generator=noise)
        for i, image in enumerate(part):
            mu, log_var = vae.encode(image[None])
            q = Normal(mu, (log_var / 2).exp())
            z = q.mean + q.stddev * eps[:, i]
            log_p = -binary_cross_entropy_with_logits(
                vae.decode(z), image.flatten().expand(6, 784), reduction="none"
            )
            log_w = log_p.sum(1) + (Normal(0.0, 1.0).log_prob(z) - q.log_prob(z)).sum(1)
            by_hand.append(torch.logsumexp(log_w, 0) - math.log(6))
    assert torch.allclose(bound, torch.stack(by_hand), rtol=1e-12)
    assert (bound - bound.flip(0)).abs()[[0, 1]].min() > 0.1  # no two alike


def test_beta_weighs_the_kl_alone():
    torch.manual_seed(0)
    vae, x, eps = VAE(latent=4, hidden=8), torch.rand(3, 1, 28, 28), torch.randn(3, 4)
    kl = gaussian_kl(*vae.encode(x))
    assert torch.allclose(elbo(vae, x, eps) - elbo(vae, x, eps, beta=3.0), 2 * kl, atol=1e-3)


def test_reconstruction_and_kl_together_against_pytorch():
    """(12.1), (12.4): the whole ELBO of a network in float64, from torch.distributions alone, to 1e-9."""
    torch.manual_seed(1)
    vae, eps = VAE(latent=5, hidden=16).double(), torch.randn(6, 5, dtype=torch.float64)
    x = torch.bernoulli(torch.full((6, 1, 28, 28), 0.3, dtype=torch.float64))
    mu, log_var = vae.encode(x)
    q, prior = Normal(mu, (log_var / 2).exp()), Normal(torch.zeros_like(mu), 1.0)
    reconstruction = Bernoulli(logits=vae.decode(mu + q.stddev * eps)).log_prob(x.flatten(1)).sum(1)
    oracle = reconstruction - kl_divergence(q, prior).sum(1)
    assert (elbo(vae, x, eps) - oracle).abs().max() < 1e-9


def test_the_shapes_that_the_course_promises():
    vae = VAE(latent=4, hidden=8)
    mu, log_var = vae.encode(torch.rand(3, 1, 28, 28))
    assert mu.shape == log_var.shape == (3, 4) and vae.decode(mu).shape == (3, 784)
    assert vae.sample(5).shape == (5, 1, 28, 28)


def test_samples_are_means_at_the_noise_of_their_generator():
    torch.manual_seed(0)
    vae, state = VAE(latent=4, hidden=8), torch.get_rng_state()
    samples = vae.sample(5, torch.Generator().manual_seed(3))
    assert torch.equal(torch.get_rng_state(), state)
    z = torch.randn(5, 4, generator=torch.Generator().manual_seed(3))
    ink = 1 / (1 + (-vae.decode(z)).exp())
    assert torch.allclose(samples, ink.view(5, 1, 28, 28)) and not samples.requires_grad


def test_the_decoder_can_start_from_the_mean_image():
    """Black and white pixels, too, get finite logits."""
    images = torch.rand(50, 1, 28, 28)
    images[:, 0, 0], images[:, 0, 1] = 0, 1
    vae = VAE(latent=4, hidden=8).start_from(images)
    ink = vae.decoder[-1].bias.sigmoid().view(28, 28)
    assert torch.allclose(ink[2:], images.mean(0)[0, 2:], atol=1e-5)
    assert torch.allclose(ink[0], torch.tensor(0.001)) and torch.allclose(ink[1], torch.tensor(0.999))


@pytest.mark.parametrize("given", [True, False])
def test_a_step_tosses_the_coins_and_descends_minus_elbo_there(one_step_down, given):
    """(12.5): from grey pixels, ε given or sampled after them; the loss by torch.distributions, in nats an image."""
    vae, x, eps = VAE(latent=4, hidden=8), torch.rand(3, 1, 28, 28), torch.randn(3, 4)
    torch.manual_seed(1)
    coins = torch.bernoulli(x)
    eps = eps if given else torch.randn(3, 4)
    mu, log_var = vae.encode(coins)
    q = Normal(mu, (log_var / 2).exp())
    likelihood = Bernoulli(logits=vae.decode(q.mean + q.stddev * eps)).log_prob(coins.flatten(1))
    reconstruction, kl = -likelihood.sum(1).mean(), kl_divergence(q, Normal(0.0, 1.0)).sum(1).mean()
    torch.manual_seed(1)
    seen = one_step_down(
        vae,
        reconstruction + 2 * kl,
        lambda optimiser: vae_step(vae, optimiser, x, beta=2.0, eps=eps if given else None),
    )
    wanted = {"loss": reconstruction + 2 * kl, "reconstruction": reconstruction, "kl": kl}
    assert seen.keys() == wanted.keys()
    assert all(torch.isclose(seen[name], wanted[name]) and not seen[name].requires_grad for name in wanted)


def test_every_parameter_of_encoder_and_decoder_learns():
    torch.manual_seed(0)
    vae = VAE(latent=4, hidden=8)
    vae_step(vae, torch.optim.SGD(vae.parameters(), 0.0), torch.rand(3, 1, 28, 28))
    assert all(p.grad.abs().sum() > 0 for p in vae.parameters())


def test_a_vae_comes_back_from_its_file(tmp_path):
    torch.manual_seed(0)
    vae, x = VAE(latent=3, hidden=9), torch.rand(2, 1, 28, 28)
    again = load(save(vae, tmp_path / "vae.pt"))
    assert torch.equal(again.decode(again.encode(x)[0]), vae.decode(vae.encode(x)[0])) and not again.training


def test_a_foreign_file_is_refused(tmp_path):
    other = {"sizes": {"latent": 3, "hidden": 9}, "weights": VAE(latent=2, hidden=9).state_dict()}
    for content in ({"weights": {}}, [1, 2], {"sizes": {"depth": 3}, "weights": {}}, other):
        torch.save(content, tmp_path / "foreign.pt")
        with pytest.raises(CheckpointError, match="does not hold a VAE"):
            load(tmp_path / "foreign.pt")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load(tmp_path / "none.pt")


def test_the_bound_of_an_untrained_vae_is_finite_and_bad():
    vae = VAE(latent=3, hidden=9)
    bound = elbo(vae, torch.ones(2, 1, 28, 28))
    assert torch.isfinite(bound).all() and bound.max() < -784 * math.log(2) / 2
