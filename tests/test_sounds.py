"""Models of sounds: the dense VAE, the GAN on its codes, waveform GANs and the lines they leave, what scores them."""

import cmath
import copy
import math
from itertools import product
from statistics import median

import pytest
import torch
from scipy import stats
from sklearn.mixture import GaussianMixture
from torch import nn
from torch.distributions import Normal

from helpers.audio import (
    LOG_MEAN,
    LOG_STD,
    line_level,
    log_spectrogram,
    magnitude,
    mean_spectrum,
    mel_filters,
    resynthesise,
    stft,
)
from helpers.data import drum_sounds, rhythm_entropy
from helpers.gan.latent import LatentDiscriminator, LatentGenerator
from helpers.gan.records import record_gan_step
from helpers.gan.waveform import WaveformDiscriminator, WaveformGenerator, upsampling
from helpers.metrics import HELD_OUT_DRUMS, drum_classifier, frechet_distance, score_drums
from helpers.studies import study
from helpers.studies.audio import codes_of, mixture_codes, train_vae
from helpers.theory import log_mean_exp
from helpers.training import for_updates
from helpers.vae import gaussian_kl
from helpers.vae.dense import DenseVAE
from helpers.vae.iwae import log_weights
from helpers.vae.records import record_vae_step


@pytest.fixture(scope="module")
def data():
    return drum_sounds(200)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


# --- spectrograms ----------------------------------------------------------------------------------------------------


def test_one_number_of_the_transform_by_hand(data):
    """(17.1), for one frequency and one frame, as a sum over 256 samples."""
    x, k, m = data.sounds[3].double(), 9, 5
    total = 0j
    for j in range(256):
        w = math.sin(math.pi * j / 256) ** 2
        total += w * x[64 * m + j - 128].item() * cmath.exp(-2j * math.pi * k * j / 256)
    assert abs(stft(x[None])[0, k, m].item() - total) < 1e-9


def test_a_tone_stands_at_its_frequency_and_its_logarithm_adds_up():
    """(17.2): a sine at 1,000 Hz is loudest in row 1000/31.25 = 32, and twice as loud is log 2 more, but for 0.01."""
    t = torch.arange(2048) / 8000
    sines = torch.stack([torch.sin(2 * math.pi * 1000 * t), 0.5 * torch.sin(2 * math.pi * 1000 * t)])
    x = log_spectrogram(sines)
    assert (x[:, :, 4:28].argmax(1) == 32).all()
    step = (x[0, 32, 16] - x[1, 32, 16]).item() * LOG_STD
    assert step == pytest.approx(math.log(2), abs=1e-3)
    by_hand = ((stft(sines).abs() + 0.01).log() - LOG_MEAN) / LOG_STD
    torch.testing.assert_close(x, by_hand)


def test_resynthesised_sounds_are_never_too_loud(data):
    x = log_spectrogram(data.sounds[:6])
    sounds = resynthesise(torch.cat([x, x + 1.5]))
    assert sounds.abs().max() <= 1 and (sounds[6:].abs().amax(1) > 0.999).all()
    again = log_spectrogram(sounds[:6])
    assert (again - x).abs().mean() < 0.25


def test_a_line_is_measured_in_decibels():
    """A sine in noise: its level above the noise is known."""
    noise, t = torch.randn(400, 2048, generator=seeded(0)), torch.arange(2048) / 8000
    assert abs(line_level(noise, 2000)) < 1.5
    amplitude = 0.5
    above = 10 * math.log10(1 + amplitude**2 * 2048 / 4)  # |FFT|² of a sine, (A n/2)², against n of the noise
    sounds = noise + amplitude * torch.sin(2 * math.pi * 2000 * t)
    assert line_level(sounds, 2000) == pytest.approx(above, abs=0.7) and abs(line_level(sounds, 1000)) < 1.5
    frequencies, level = mean_spectrum(sounds)
    assert frequencies[level.argmax()] == 2000 and level.max() == 0
    with pytest.raises(ValueError, match="between 0 and 4000 Hz"):
        line_level(noise, 4000)


def test_log_mel_by_numpy(data):
    """The exercise's formula, with the energies of a filter added up one by one."""
    filters, s = mel_filters(8), stft(data.sounds[:1]).abs()
    power = sum(filters[3, k] * s[0, k, 2] ** 2 for k in range(128))
    assert ((filters @ s**2 + 0.001).log()[0, 3, 2] - (power + 0.001).log()).abs() < 1e-5


# --- the VAE ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def vae():
    torch.manual_seed(0)
    return DenseVAE((4, 3), latent=2, hidden=(7, 5)).double()


def test_the_gaussian_likelihood_by_scipy(vae):
    """(17.3): the sum over all numbers of log N(x; f(z), s²), which is squared error and a constant."""
    x, z = (
        torch.randn(5, 4, 3, generator=seeded(1)).double(),
        torch.randn(6, 5, 2, generator=seeded(2)).double(),
    )
    with torch.no_grad():
        vae.log_std.fill_(-0.7)
        f = vae.decode(z).mean
        mine = vae.log_likelihood(x, z)
    theirs = stats.norm.logpdf(x, f, math.exp(-0.7)).sum((-2, -1))
    assert mine.shape == (6, 5) and torch.allclose(mine, torch.from_numpy(theirs))
    squares = (x - f).square().sum((-2, -1)) / (2 * math.exp(-1.4))
    assert torch.allclose(mine, -squares - 12 * (-0.7 + math.log(2 * math.pi) / 2))


def test_the_best_spread_is_the_root_mean_square_error(vae):
    """∂/∂log s of the likelihood is 0 where s² is the mean squared error."""
    x, z = (
        torch.randn(50, 4, 3, generator=seeded(1)).double(),
        torch.randn(50, 2, generator=seeded(2)).double(),
    )
    with torch.no_grad():
        vae.log_std.copy_((x - vae.decode(z).mean).square().mean().log() / 2)
    (slope,) = torch.autograd.grad(vae.log_likelihood(x, z).sum(), vae.log_std)
    assert slope.abs() < 1e-9


def test_the_bernoulli_likelihood_sums_to_one():
    vae = DenseVAE((2, 3), latent=2, hidden=(4,), binary=True).double()
    every = torch.tensor(list(product([0.0, 1.0], repeat=6))).double().view(-1, 2, 3)
    z = torch.randn(1, 2, generator=seeded(0)).double().expand(64, -1)
    assert vae.log_likelihood(every, z).exp().sum().item() == pytest.approx(1)
    assert not vae.log_std.requires_grad


def test_sizes_and_the_first_step(one_thread):
    vae = DenseVAE((128, 32), latent=8, hidden=(384, 192))
    assert [layer.out_features for layer in vae.encoder if isinstance(layer, nn.Linear)] == [384, 192, 16]
    assert [layer.out_features for layer in vae.decoder if isinstance(layer, nn.Linear)] == [192, 384, 4096]
    x = torch.randn(6, 128, 32, generator=seeded(0))
    eps = torch.randn(6, 8, generator=seeded(1))
    mu, log_var = vae.encode(x)
    by_hand = (
        gaussian_kl(mu, log_var)
        - Normal(vae.decode(mu + (log_var / 2).exp() * eps).mean, 1.0).log_prob(x).sum((1, 2))
    ).mean()
    optimiser = torch.optim.SGD(vae.parameters(), 1e-6)
    assert torch.isclose(record_vae_step(vae, optimiser, x, eps=eps)["loss"], by_hand)
    again = record_vae_step(vae, optimiser, x, eps=eps)["loss"]
    assert again < by_hand


def test_weights_of_a_linear_decoder_give_the_exact_evidence():
    """A DenseVAE without hidden layers is probabilistic PCA, whose log p(x) is a Gaussian's."""
    torch.manual_seed(0)
    vae = DenseVAE((3, 2), latent=2, hidden=()).double()
    x = torch.randn(5, 3, 2).double()
    weight, bias = vae.decoder[0].weight, vae.decoder[0].bias
    covariance = weight @ weight.T + vae.log_std.exp() ** 2 * torch.eye(6).double()
    exact = torch.distributions.MultivariateNormal(bias, covariance).log_prob(x.flatten(1))
    with torch.no_grad():
        mu, log_var = torch.zeros(5, 2).double(), torch.full((5, 2), 0.3).double()  # wider than any posterior
        log_w = log_weights(vae, x, mu, log_var, torch.randn(20_000, *mu.shape).double())
    torch.testing.assert_close(log_mean_exp(log_w), exact.detach(), atol=0.1, rtol=0)


# --- densities of the codes ------------------------------------------------------------------------------------------


def test_the_mean_and_covariance_of_the_aggregate_posterior():
    """(17.4): a mixture of the q(z|x), so its covariance is the mean variance and the covariance of the means."""
    mu = torch.randn(50, 2, generator=seeded(0)).double() * torch.tensor([2.0, 0.5])
    std = 0.1 + torch.rand(50, 2, generator=seeded(1)).double()
    which = torch.randint(50, (400_000,), generator=seeded(2))
    z = mu[which] + std[which] * torch.randn(400_000, 2, generator=seeded(3)).double()
    centred = mu - mu.mean(0)
    covariance = std.square().mean(0).diag() + centred.T @ centred / 50
    torch.testing.assert_close(z.mean(0), mu.mean(0), atol=0.01, rtol=0)
    torch.testing.assert_close(torch.cov(z.T), covariance, atol=0.03, rtol=0.01)


def test_the_mixture_is_the_weighted_sum_of_its_gaussians():
    """(17.5), scikit-learn's score against scipy's densities, and its samples against both."""
    codes = torch.cat(
        [torch.randn(300, 2, generator=seeded(0)), 4 + 0.3 * torch.randn(300, 2, generator=seeded(1))]
    )
    mixture = GaussianMixture(2, random_state=0).fit(codes.double().numpy())
    at = codes[::60].double().numpy()
    density = sum(
        weight * stats.multivariate_normal(mean, covariance).pdf(at)
        for weight, mean, covariance in zip(
            mixture.weights_, mixture.means_, mixture.covariances_, strict=True
        )
    )
    assert torch.allclose(torch.tensor(mixture.score_samples(at)), torch.tensor(density).log())
    drawn = mixture_codes(codes, 4000, components=2)
    assert drawn.shape == (4000, 2) and torch.allclose(drawn.mean(0), codes.mean(0), atol=0.15)
    assert abs((drawn[:, 0] > 2.5).float().mean() - 0.5) < 0.05
    half = drawn[:2000, 0] > 2.5
    assert 0.4 < half.float().mean() < 0.6  # in random order, not one Gaussian after the other


def test_a_line_between_two_codes():
    """(17.7): the ends at t = 0 and t = 1, even steps between."""
    a, b = torch.tensor([1.0, 2.0]), torch.tensor([3.0, -2.0])
    z = torch.stack([(1 - t) * a + t * b for t in torch.linspace(0, 1, 5)])
    assert torch.equal(z[0], a) and torch.equal(z[-1], b)
    assert torch.allclose(z.diff(dim=0), (b - a) / 4)


# --- GANs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("players", "shape"),
    [
        ((lambda: LatentGenerator(5, latent=3, hidden=8), lambda: LatentDiscriminator(5, hidden=8)), (5,)),
        ((lambda: WaveformGenerator(4, 2), lambda: WaveformDiscriminator(2)), (2048,)),
        ((lambda: WaveformGenerator(4, 2, nearest=True), lambda: WaveformDiscriminator(2)), (2048,)),
    ],
)
def test_a_step_of_either_player_leaves_the_other_alone(players, shape, one_thread):
    torch.manual_seed(0)
    generator, discriminator = (make() for make in players)
    real = torch.rand(6, *shape) - 0.5
    assert generator(torch.randn(6, generator.latent)).shape == real.shape
    assert discriminator(real).shape == (6,)
    for moving, resting, rates in (
        (generator, discriminator, (0.1, 0.0)),
        (discriminator, generator, (0.0, 0.1)),
    ):
        before, still = copy.deepcopy(moving.state_dict()), copy.deepcopy(resting.state_dict())
        optimisers = [
            torch.optim.SGD(net.parameters(), rate)
            for net, rate in zip((generator, discriminator), rates, strict=True)
        ]
        record_gan_step(generator, discriminator, *optimisers, real, 0.2)
        assert all(torch.equal(value, resting.state_dict()[name]) for name, value in still.items())
        assert any(not torch.equal(value, moving.state_dict()[name]) for name, value in before.items())


def test_a_constant_comes_out_with_period_four():
    """(17.6): y[n] = c Σ w[4k + r], r the place in the period, for any kernel; equal sums, and the line is gone."""
    c = 0.7
    torch.manual_seed(0)
    layer = upsampling(1, 1).double()
    with torch.no_grad():
        layer.bias.zero_()
        y = layer(torch.full((1, 1, 60), c).double())[0, 0, 40:-40]
    weights = layer.weight[0, 0]
    # A place n of the output receives w[n + 10 − 4 i] from the input i.
    sums = torch.stack([weights[(n + 10) % 4 :: 4].sum() for n in range(40, 44)])
    assert torch.allclose(y, c * sums.repeat(len(y) // 4))
    assert sums.std() > 0.01
    even = nn.ConvTranspose1d(1, 1, 24, stride=4, padding=10, bias=False).double()
    with torch.no_grad():
        even.weight.fill_(0.1)
        flat = even(torch.ones(1, 1, 60).double())[0, 0, 40:-40]
        even25 = nn.ConvTranspose1d(1, 1, 25, stride=4, bias=False).double()
        even25.weight.fill_(0.1)
        ringing = even25(torch.ones(1, 1, 60).double())[0, 0, 40:-40]
    assert torch.allclose(flat, flat[:1].expand_as(flat)) and ringing.std() > 0.01


def test_repeated_samples_and_a_convolution_keep_a_constant_constant():
    torch.manual_seed(0)
    with torch.no_grad():
        y = upsampling(1, 1, nearest=True)(torch.full((1, 1, 60), 0.7))[0, 0, 40:-40]
    assert y.std() < 1e-6


@pytest.mark.parametrize(("nearest", "low", "high"), [(False, 10, 60), (True, -60, 6)])
def test_untrained_generators_already_have_the_line_or_have_it_not(nearest, low, high, one_thread):
    levels = []
    for seed in range(3):
        torch.manual_seed(seed)
        generator = WaveformGenerator(nearest=nearest)
        with torch.no_grad():
            levels.append(line_level(generator(torch.randn(64, 32)), 2000))
    assert low < min(levels) and max(levels) < high, levels


# --- the score -------------------------------------------------------------------------------------------------------


def test_the_classifier_knows_the_drums(data):
    assert (drum_classifier()(log_spectrogram(data.sounds)).argmax(1) == data.labels).all()
    assert not any(p.requires_grad for p in drum_classifier().parameters())


def test_the_distance_is_near_zero_for_new_sounds_and_large_for_less(data):
    real = log_spectrogram(drum_sounds(1000, 5).sounds)
    score = score_drums(real, "validation")
    assert score["FAD"] < 1.5 and all(0.24 < score[name] < 0.26 for name in ("kick", "snare", "hat", "pluck"))
    assert score_drums(real[:, :, :1].expand(-1, -1, 32))["FAD"] > 50
    one = log_spectrogram(data.sounds[data.labels == 2])
    alone = score_drums(one)
    assert alone["hat"] == 1 and alone["FAD"] > 50
    features = drum_classifier().features
    held_out = log_spectrogram(drum_sounds(2000, HELD_OUT_DRUMS["validation"]).sounds)
    assert score["FAD"] == pytest.approx(frechet_distance(features(real), features(held_out)), rel=1e-6)


# --- what the study found --------------------------------------------------------------------------------------------


def runs(name, key):
    return [run[key] for run in study("audio")["runs"][name]]


def test_reconstructions_keep_class_pitch_and_decay():
    assert median(runs("VAE, reconstructions", "recognised")) >= 0.98
    for name, most in (("pitch", 0.03), ("decay", 0.10)):
        for drum in ("kick", "snare", "hat", "pluck"):
            assert median(run[drum] for run in runs("VAE, reconstructions", name)) <= most, (name, drum)


def test_the_prior_fails_and_two_densities_cure_it():
    real = median(runs("real", "FAD"))
    assert median(runs("VAE, N(0, I)", "FAD")) > 100 * real
    assert median(runs("VAE, mixture", "FAD")) <= 12 * real
    assert median(runs("VAE, latent GAN", "FAD")) <= 100 * real
    for run in study("audio")["runs"]["VAE, latent GAN"]:
        assert min(run[drum] for drum in ("kick", "snare", "hat", "pluck")) >= 0.10


def test_the_line_is_there_with_transposed_convolutions_alone():
    assert min(runs("waveform GAN, transposed", "line")) > 10
    assert max(runs("real", "line")) < 4


def test_rhythms_are_near_the_exact_entropy():
    for run in study("audio")["runs"]["rhythm VAE"]:
        assert run["exact"] <= run["−IWAE"] + 0.05 and run["−IWAE"] < run["exact"] + 0.3
        assert abs(run["exact"] - rhythm_entropy()) < 0.3


def test_a_vae_of_a_few_updates_is_reproducible(data, one_thread):
    x = log_spectrogram(data.sounds[:100])
    settings = {"latent": 3, "hidden": (8,), "learning_rate": 1e-3, "batch": 20}
    one, other = (train_vae(x, 0, for_updates(3), **settings) for _ in range(2))
    assert torch.equal(codes_of(one, x), codes_of(other, x)) and codes_of(one, x).shape == (100, 3)
    assert magnitude(one.decode(codes_of(one, x)).mean).shape == (100, 128, 32)
