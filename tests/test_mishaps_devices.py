"""Noise is made where the parameters are and in their dtype; on the CPU in float32 it is what it always was.

Where no GPU is there, PyTorch's `meta` device finds a tensor that was made on the CPU: the two cannot be mixed.
"""

import ast
from pathlib import Path

import pytest
import torch
from torch import nn

from helpers import metrics, training
from helpers.data import binarised, jitter, load_digits, ring
from helpers.gan import (
    Augmented,
    ConditionalDiscriminator,
    ConditionalGenerator,
    Discriminator,
    Generator,
    conditional_step,
    draw,
    gan_step,
    gradient_penalty,
    sample_conditional,
    shift,
    update_bn,
)
from helpers.studies.dcgan import plain_discriminator, separate_step
from helpers.training import noise_like, pick_device
from helpers.vae import (
    VAE,
    VQVAE,
    CodePrior,
    ConditionalVAE,
    PixelVAE,
    conditional_vae_step,
    decoder_step,
    elbo,
    importance_weighted_bound,
    means_of,
    pixel_step,
    prior_nll,
    prior_step,
    sample_tokens,
    tokens_of,
    vae_step,
    vqvae_step,
)
from helpers.vae_gan import Encoder, gaussian_vae_step, vae_gan_loss_weights, vae_gan_step


class Place:
    """A device and a dtype, and what is made there."""

    def __init__(self, device, dtype):
        self.device, self.dtype = device, dtype

    def network(self, make, *sizes):
        torch.manual_seed(0)
        return make(*sizes).to(self.device, self.dtype)

    def images(self, low=0.0):
        grey = load_digits("test")[0][:6]
        return (low + (1 - low) * grey).to(self.device, self.dtype)

    def labels(self):
        return torch.arange(6, device=self.device)

    def adam(self, network):
        return torch.optim.SGD(network.parameters(), 0.01)

    def z(self, *shape):
        return torch.ones(shape, device=self.device, dtype=self.dtype)


def in_gan(p, step=gan_step, make_d=Discriminator):
    g, d = p.network(Generator, 4, 8), p.network(make_d, 4)
    return step(g, d, p.adam(g), p.adam(d), p.images(-1.0))


def in_conditional_gan(p):
    g, d = p.network(ConditionalGenerator, 4, 10, 8), p.network(ConditionalDiscriminator, 10, 4)
    return conditional_step(g, d, p.adam(g), p.adam(d), (p.images(-1.0), p.labels()))


def in_vae_gan(p):
    networks = [p.network(Encoder, 4, 4), p.network(Generator, 4, 8), p.network(Discriminator, 4)]
    wires = vae_gan_loss_weights()
    named = dict(zip(wires, networks, strict=True))
    return vae_gan_step(named, {name: p.adam(each) for name, each in named.items()}, p.images(-1.0), wires)


def in_pixel_vae(p):
    encoder, decoder = p.network(Encoder, 4, 4), p.network(Generator, 4, 8)
    return gaussian_vae_step(encoder, decoder, p.adam(nn.ModuleList([encoder, decoder])), p.images(-1.0))


def stepped(make, sizes, step):
    def run(p):
        network = p.network(make, *sizes)
        return step(network, p.adam(network), p.images())

    return run


def refreshed(p):
    g = p.network(Generator, 4, 8)
    update_bn(g, 4, 2, 5)
    return g.net[2].running_mean


def conditional_vae(p):
    vae = p.network(ConditionalVAE, 3, 10, 8)
    return conditional_vae_step(vae, p.adam(vae), (p.images(), p.labels()))


def prior(p):
    network = p.network(CodePrior, 5, 8)
    k = torch.ones(3, 49, dtype=torch.long, device=p.device)
    return prior_nll(network, k), prior_step(network, p.adam(network), k)


VAE_SIZES, PIXEL = (3, 8), (3, 2, 4, 8)
WORKS = {
    "noise_like a tensor": lambda p: noise_like(p.z(2), 3, 4),
    "noise_like a network": lambda p: noise_like(p.network(nn.Linear, 2, 1), 3),
    "noise_like, a generator": lambda p: noise_like(p.z(2), 3, 4, generator=torch.Generator().manual_seed(0)),
    "gan_step": in_gan,
    "separate_step": lambda p: in_gan(p, separate_step, plain_discriminator),
    "gan_step, augmented": lambda p: in_gan(p, make_d=lambda width: Augmented(Discriminator(width))),
    "conditional_step": in_conditional_gan,
    "draw": lambda p: draw(p.network(Generator, 4, 8), 3),
    "draw, conditional": lambda p: draw(p.network(ConditionalGenerator, 4, 10, 8), 3),
    "sample_conditional": lambda p: sample_conditional(
        p.network(ConditionalGenerator, 4, 10, 8), p.labels(), p.z(6, 4)
    ),
    "shift": lambda p: shift(p.images(-1.0)),
    "jitter": lambda p: jitter(p.images()),
    "gradient_penalty": lambda p: gradient_penalty(p.network(Discriminator, 4), p.images(-1.0), p.images()),
    "vae_gan_step": in_vae_gan,
    "gaussian_vae_step": in_pixel_vae,
    "VAE.sample": lambda p: p.network(VAE, *VAE_SIZES).sample(3),
    "VAE.sample, a generator": lambda p: p.network(VAE, *VAE_SIZES).sample(3, torch.Generator()),
    "vae_step": stepped(VAE, VAE_SIZES, vae_step),
    "elbo": lambda p: elbo(p.network(VAE, *VAE_SIZES), p.images()),
    "importance_weighted_bound": lambda p: importance_weighted_bound(
        p.network(VAE, *VAE_SIZES), p.images(), 3
    ),
    "importance_weighted_bound, a generator": lambda p: importance_weighted_bound(
        p.network(VAE, *VAE_SIZES), p.images(), 3, torch.Generator()
    ),
    "conditional_vae_step": conditional_vae,
    "decoder_step": stepped(PixelVAE, PIXEL, decoder_step),
    "pixel_step": stepped(PixelVAE, PIXEL, pixel_step),
    "PixelVAE.draw": lambda p: p.network(PixelVAE, *PIXEL).draw(p.z(2, 3)),
    "prior": prior,
    "sample_tokens": lambda p: sample_tokens(p.network(CodePrior, 5, 8), 2),
}
# These look at numbers on the way, which `meta` has none of.
WITH_NUMBERS = {
    "update_bn": refreshed,
    "vqvae_step": stepped(VQVAE, (4, 2, 4), vqvae_step),
    "tokens_of and means_of": lambda p: means_of(
        p.network(VQVAE, 4, 2, 4), tokens_of(p.network(VQVAE, 4, 2, 4), p.images())
    ),
    "binarised": lambda p: binarised(p.images()),
    "mode_coverage": lambda p: torch.tensor(metrics.mode_coverage(p.z(3, 2), ring()), dtype=p.dtype),
    "js_from_samples": lambda p: torch.tensor(metrics.js_from_samples(p.z(3, 2), p.z(4, 2)), dtype=p.dtype),
    "class_shares": lambda p: metrics.class_shares(p.images()).to(p.dtype),
    "score_digits": lambda p: torch.tensor(metrics.score_digits(p.images()).shares, dtype=p.dtype),
}


def tensors(found):
    if isinstance(found, torch.Tensor):
        return [found]
    inside = found.values() if isinstance(found, dict) else found if isinstance(found, (tuple, list)) else ()
    return [tensor for each in inside for tensor in tensors(each)]


@pytest.mark.parametrize("name", WORKS)
def test_no_tensor_is_made_on_the_cpu_for_a_network_elsewhere(name):
    found = tensors(WORKS[name](Place("meta", torch.float32)))
    assert found and all(each.device.type == "meta" for each in found)


@pytest.mark.parametrize("name", WORKS | WITH_NUMBERS)
def test_a_network_of_float64_gets_numbers_of_float64(name):
    found = tensors((WORKS | WITH_NUMBERS)[name](Place("cpu", torch.float64)))
    kinds = {each.dtype for each in found if each.dtype.is_floating_point}
    assert found and kinds <= {torch.float64} and all(each.isfinite().all() for each in found)


def test_on_the_cpu_in_float32_the_numbers_are_those_of_randn():
    for generator in (None, torch.Generator()):
        torch.manual_seed(3)
        if generator is not None:
            generator.manual_seed(4)
        found = noise_like(torch.zeros(1), 5, 7, generator=generator)
        torch.manual_seed(3 if generator is None else 4)
        assert torch.equal(found, torch.randn(5, 7)) and found.dtype == torch.float32


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", WORKS | WITH_NUMBERS)
def test_on_a_gpu(name):
    (WORKS | WITH_NUMBERS)[name](Place("cuda", torch.float32))


MAKERS = {
    "randn",
    "rand",
    "randint",
    "zeros",
    "ones",
    "full",
    "empty",
    "arange",
    "linspace",
    "randperm",
    "eye",
}
# In these the tensors are data, indices for one, or settings of a view; no network is handed to them.
ON_THE_CPU = {
    "helpers/data/batching.py",
    "helpers/data/points.py",
    "helpers/data/clips.py",
    "helpers/data/days.py",
    "helpers/data/drums.py",
    "helpers/data/patients.py",
    "helpers/data/reports.py",
    "helpers/data/scans.py",
    "helpers/data/words.py",
    "helpers/bench.py",
    "helpers/plotting.py",
    "helpers/gan/augment.py",  # indices: PyTorch takes those from the CPU
    "helpers/vae/gradients.py",  # Gumbel noise is asked for by its shape
    "helpers/vae/quantiser.py",  # likewise, and the buffers of a new network
    "helpers/training.py",  # batches of a clock
    "helpers/metrics.py",  # moved to their device by hand
}


def makes_on_the_cpu(source):
    """The lines of functions, not of constructors, that make a tensor and do not say on which device."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    calls = [
        node
        for function in functions
        if function.name != "__init__"
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
    ]
    makers = {f"torch.{name}" for name in MAKERS}
    return [
        call.lineno
        for call in calls
        if ast.unparse(call.func) in makers and "device" not in {keyword.arg for keyword in call.keywords}
    ]


def test_whoever_makes_a_tensor_for_a_network_says_where():
    root = Path(training.__file__).parent
    for folder in ("data", "gan", "vae"):
        for path in [*sorted((root / folder).glob("*.py")), root / "vae_gan.py", root / "metrics.py"]:
            if str(path.relative_to(root.parent)) not in ON_THE_CPU:
                assert not makes_on_the_cpu(path.read_text(encoding="utf-8")), f"{path}: name the device"
    assert makes_on_the_cpu("def f(x):\n    return torch.randn(3)") == [2]


@pytest.mark.parametrize("name", ["cuda:99", "mps:7", "cpu:x"])
def test_a_device_that_is_not_there_is_said_at_once(name):
    with pytest.raises(ValueError, match="choose one of"):
        pick_device(name)
