"""What would give a wrong number without a word, or an error that does not help, is refused by a sentence."""

import inspect
import re

import pytest
import torch
from torch import nn

import helpers.gan
import helpers.vae
from helpers import metrics, vae_gan
from helpers.data import (
    batches,
    binarised,
    door,
    expect_images,
    expect_labels,
    jitter,
    load_digits,
    ring,
)
from helpers.gan import (
    ConditionalDiscriminator,
    ConditionalGenerator,
    Discriminator,
    Generator,
    conditional_step,
    discriminator_loss,
    gan_step,
    hinge_discriminator,
    least_squares_discriminator,
    relativistic,
    sample_conditional,
    shift,
    wasserstein_critic,
)
from helpers.plotting import history_plot, hstack, scatter_plot
from helpers.training import train
from helpers.vae import (
    VAE,
    VQVAE,
    ConditionalVAE,
    PixelVAE,
    active_units,
    bernoulli_log_likelihood,
    code_shares,
    conditional_vae_step,
    decoder_step,
    elbo,
    free_bits,
    gaussian_kl,
    importance_weighted_bound,
    information_and_gap,
    kl_per_dimension,
    perplexity,
    pixel_step,
    slerp,
    vae_step,
    vqvae_step,
)
from helpers.vae_gan import (
    Encoder,
    gaussian_vae_step,
    half_square,
    vae_gan_loss_weights,
    vae_gan_step,
    vae_gan_terms,
)

ALT = "A picture that nobody will see, because it is refused."
GREY, LABELS = load_digits("test")[0][:6], load_digits("test")[1][:6]
SIGNED, NOT_A_NUMBER = 2 * GREY - 1, torch.where(GREY > 0.9, torch.nan, GREY)
BYTES = (255 * GREY).to(torch.uint8)


def sgd(*networks):
    return [torch.optim.SGD(network.parameters(), 0.1) for network in networks]


def stepped(step, make, x, *more):
    network = make()
    return step(network, *sgd(network), x, *more)


def game(real, step=gan_step):
    g, d = Generator(4, 8), Discriminator(4)
    return step(g, d, *sgd(g, d), real)


def asked(real, labels):
    g, d = ConditionalGenerator(4, 10, 8), ConditionalDiscriminator(10, 4)
    return conditional_step(g, d, *sgd(g, d), (real, labels))


def parts():
    return {"encoder": Encoder(4, 4), "decoder": Generator(4, 8), "discriminator": Discriminator(4)}


def wired(real, wires=None, networks=None):
    networks = networks or parts()
    optimisers = {name: sgd(network)[0] for name, network in networks.items()}
    return vae_gan_step(networks, optimisers, real, wires or vae_gan_loss_weights())


def pixels(real):
    return gaussian_vae_step(parts()["encoder"], parts()["decoder"], None, real)


def looped(measured):
    return list(train(lambda _: measured, iter(range(3)), 2, progress=False))


class Coins:
    """A model of somebody else, without a door of its own."""

    def encode(self, x):
        return torch.zeros(len(x), 2), torch.zeros(len(x), 2)

    def decode(self, z):
        return torch.zeros(len(z), 784)


VAES = {
    "vae_step": (vae_step, lambda: VAE(3, 8)),
    "vqvae_step": (vqvae_step, lambda: VQVAE(4, 2, 4)),
    "decoder_step": (decoder_step, lambda: PixelVAE(3, 2, 4, 8)),
    "pixel_step": (pixel_step, lambda: PixelVAE(3, 2, 4, 8)),
    "elbo": (lambda vae, _, x: elbo(vae, x), lambda: VAE(3, 8)),
    "importance_weighted_bound": (lambda vae, _, x: importance_weighted_bound(vae, x, 2), lambda: VAE(3, 8)),
    "start_from": (lambda vae, _, x: vae.start_from(x), lambda: VAE(3, 8)),
    "PixelVAE.start_from": (lambda vae, _, x: vae.start_from(x), lambda: PixelVAE(3, 2, 4, 8)),
    "conditional_vae_step": (
        lambda vae, optimiser, x: conditional_vae_step(vae, optimiser, (x, LABELS)),
        lambda: ConditionalVAE(3, hidden=8),
    ),
}
# What may happen to images in [0, 1], and what is said then.
UNIT_IMAGES = {
    "from a tanh": (SIGNED, "(x + 1) / 2"),
    "as bytes": (BYTES, ".float() / 255"),
    "as large as bytes": (255 * GREY, "x / 255"),
    "not a number": (NOT_A_NUMBER, "NaN or infinity"),
    "infinite": (GREY / 0, "NaN or infinity"),
    "float64": (GREY.double(), "torch.float64 on cpu and the network is torch.float32"),
    "flat": (GREY.flatten(1), "images.view(-1, 1, 28, 28)"),
    "without a channel": (GREY[:, 0], "images.view(-1, 1, 28, 28)"),
    "of colour": (GREY.repeat(1, 3, 1, 1), "make colours grey"),
    "of another size": (torch.zeros(49, 1, 32, 32), "interpolate"),
    "none": (GREY[:0], "at least one"),
    "an array": (GREY.numpy(), "torch.as_tensor"),
}
SIGNED_IMAGES = {
    "in [0, 1]": (GREY, "to_tanh(x)"),
    "as bytes": (BYTES, ".float() / 255"),
    "as large as bytes": (255 * GREY, "to_tanh(x / 255)"),
    "not a number": (2 * NOT_A_NUMBER - 1, "NaN or infinity"),
    "float64": (SIGNED.double(), "torch.float64 on cpu and the network is torch.float32"),
    "flat": (SIGNED.flatten(1), "(B, 1, 28, 28)"),
    "none": (SIGNED[:0], "B ≥ 1"),
}
GANS = {
    "gan_step": game,
    "vae_gan_step": wired,
    "vae_gan_terms": lambda real: vae_gan_terms(*parts().values(), real, torch.zeros(6, 4)),
    "gaussian_vae_step": pixels,
    "conditional_step": lambda real: asked(real, LABELS[: len(real)]),
}
WRONG_LABELS = {
    "int32": (LABELS.int(), "labels.long()"),
    "bytes": (LABELS.to(torch.uint8), "labels.long()"),
    "floats": (LABELS.float(), "whole numbers"),
    "ten": (LABELS + 5 * LABELS.max(), "0 … 9"),
    "negative": (LABELS - 10, "0 … 9"),
    "too few": (LABELS[:3], "one label for each"),
    "one-hot": (nn.functional.one_hot(LABELS, 10), "shape (N,)"),
    "a list": (LABELS.tolist(), "tensor"),
}
READS_LABELS = {
    "conditional_step": lambda y: asked(SIGNED, y),
    "conditional_vae_step": lambda y: stepped(
        conditional_vae_step, lambda: ConditionalVAE(3, hidden=8), (GREY, y)
    ),
    "ConditionalVAE.encode": lambda y: ConditionalVAE(3, hidden=8).encode(GREY, y),
    "ConditionalVAE.decode": lambda y: ConditionalVAE(3, hidden=8).decode(torch.zeros(6, 3), y),
    "ConditionalGenerator": lambda y: ConditionalGenerator(4, 10, 8)(torch.zeros(6, 4), y),
    "sample_conditional": lambda y: sample_conditional(ConditionalGenerator(4, 10, 8), y, torch.zeros(6, 4)),
    "expect_labels": lambda y: expect_labels(y, 6),
}
LOSSES = [
    discriminator_loss,
    hinge_discriminator,
    least_squares_discriminator,
    wasserstein_critic,
    relativistic,
]
ROW, COLUMN = torch.zeros(6), torch.zeros(6, 1)
MU, LOG_VAR = torch.zeros(2, 3), torch.ones(2, 3)
STEP = "A step returns a dict of numbers"

# (call, a part of the sentence)
CALLS = {
    f"{name}, images {kind}": (lambda f=f, x=x: stepped(*f, x), said)
    for name, f in VAES.items()
    for kind, (x, said) in UNIT_IMAGES.items()
}
CALLS |= {
    f"{f.__name__}, images {kind}": (lambda f=f, x=x: f(x), said)
    for f in (
        expect_images,
        binarised,
        jitter,
        metrics.digit_features,
        metrics.class_shares,
        metrics.score_digits,
    )
    for kind, (x, said) in UNIT_IMAGES.items()
    if kind != "float64"
}
CALLS |= {
    f"{name}, images {kind}": (lambda f=f, x=x: f(x), said)
    for name, f in GANS.items()
    for kind, (x, said) in SIGNED_IMAGES.items()
}
CALLS |= {
    f"{name}, labels {kind}": (lambda f=f, y=y: f(y), said)
    for name, f in READS_LABELS.items()
    for kind, (y, said) in WRONG_LABELS.items()
}
CALLS |= {f"{f.__name__}, a column": (lambda f=f: f(ROW, COLUMN), "(B, 1) for (B,)") for f in LOSSES}
CALLS |= {f"{f.__name__}, one fake": (lambda f=f: f(ROW, ROW[:1]), "equal shapes") for f in LOSSES}
for f in (gaussian_kl, kl_per_dimension, lambda a, b: free_bits(a, b, 0.1)):
    name = getattr(f, "__name__", "") if f.__name__ != "<lambda>" else "free_bits"
    CALLS |= {
        f"{name}, one variance": (lambda f=f: f(MU, LOG_VAR[:, :1]), "equal shapes"),
        f"{name}, one row": (lambda f=f: f(MU[0], LOG_VAR[0]), "x[None]"),
        f"{name}, images": (lambda f=f: f(GREY, GREY), ".flatten(1)"),
    }
CALLS |= {
    "likelihood of images": (lambda: bernoulli_log_likelihood(GREY, GREY), ".flatten(1)"),
    "likelihood of one image": (lambda: bernoulli_log_likelihood(GREY[:1].flatten(1), MU), "equal shapes"),
    "bound of another model": (lambda: elbo(Coins(), SIGNED), "(x + 1) / 2"),
    "bound of another model on NaN": (lambda: importance_weighted_bound(Coins(), NOT_A_NUMBER), "NaN"),
    "information, one noise": (lambda: information_and_gap(MU, LOG_VAR, MU[:1]), "equal shapes"),
    "active units of NaN": (lambda: active_units(torch.full((3, 2), torch.nan)), "NaN"),
    "slerp from nowhere": (lambda: slerp(torch.zeros(3), torch.ones(3), 0.5), "go straight"),
    "slerp of rows": (lambda: slerp(MU, LOG_VAR, 0.5), "two vectors"),
    "shares of a number too large": (lambda: code_shares(torch.tensor([1, 5]), 5), "0 to 4"),
    "shares of nothing": (lambda: code_shares(torch.zeros(0).long(), 5), "one or more"),
    "perplexity of counts": (lambda: perplexity(torch.tensor([1.0, 2.0])), "divide counts by their sum"),
    "squares of a mean": (lambda: half_square(GREY, GREY[:1]), "equal shapes"),
    "shift of colours": (lambda: shift(SIGNED.repeat(1, 3, 1, 1)), "x.flatten(0, 1).unsqueeze(1)"),
    "shift of an image": (lambda: shift(SIGNED[0]), "one channel"),
    "loss weights of nobody": (
        lambda: wired(SIGNED, {"critic": {"real": 1.0}}),
        "with loss weights for critic",
    ),
    "networks in another order": (
        lambda: wired(SIGNED, networks=dict(reversed(parts().items()))),
        "in this order",
    ),
    "labels forgotten": (
        lambda: stepped(conditional_vae_step, lambda: ConditionalVAE(3, hidden=8), GREY),
        "labels)",
    ),
    "labels forgotten, GAN": (
        lambda: conditional_step(ConditionalGenerator(), ConditionalDiscriminator(), None, None, SIGNED),
        "batches((images, labels), size, generator)",
    ),
    "modes of images": (lambda: metrics.mode_coverage(GREY, ring()), "(N, 2)"),
    "divergence of NaN": (
        lambda: metrics.js_from_samples(torch.full((3, 2), torch.nan), torch.zeros(3, 2)),
        "NaN",
    ),
    "divergence in space": (lambda: metrics.js_from_samples(torch.zeros(3, 3), torch.zeros(3, 3)), "(N, 2)"),
    "distance of NaN": (
        lambda: metrics.frechet_distance(torch.full((3, 2), torch.nan), torch.zeros(3, 2)),
        "NaN",
    ),
    "batches of a list": (
        lambda: batches([GREY, LABELS], 4, torch.Generator()),
        "batches((x, y), size, generator)",
    ),
    "batches of an array": (
        lambda: batches(GREY.numpy(), 4, torch.Generator()),
        "a tensor or a tuple of tensors",
    ),
    "batches by a seed": (lambda: batches(GREY, 4, 0), "torch.Generator().manual_seed(0)"),
    "batches of half a row": (lambda: batches(GREY, 2.5, torch.Generator()), "use 1 to 6"),
    "a step that returns nothing": (lambda: looped(None), STEP),
    "a step that returns a loss": (lambda: looped(torch.ones(())), STEP),
    "a step that returns a batch": (lambda: looped({"loss": torch.ones(3)}), r"{'loss': (3,)}"),
    "a step that returns words": (lambda: looped({"loss": "low"}), r"{'loss': 'str'}"),
    "a curve that began late": (
        lambda: history_plot({"loss": [1.0] * 500, "late": [2.0]}, ["late"], alt=ALT),
        "'late' has 1 values and the history 500 updates",
    ),
    "a mean of no neighbours": (
        lambda: history_plot({"loss": [1.0]}, ["loss"], alt=ALT, smooth=0),
        "smooth=1",
    ),
    "points that cannot be seen": (lambda: scatter_plot([[0.0, torch.nan]], alt=ALT), "NaN or infinite"),
    "nothing beside nothing": (lambda: hstack(), "at least one picture"),
}


@pytest.mark.parametrize("name", CALLS)
def test_it_is_refused_by_a_sentence_that_says_what_to_do(name):
    call, said = CALLS[name]
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        call()
    sentence = str(caught.value)
    assert sentence.endswith(".") and len(sentence.split()) >= 8 and "nan to nan" not in sentence


RIGHT = {
    "points": lambda: metrics.mode_coverage(torch.zeros(3, 2), ring()),
    "a game that diverged": lambda: metrics.mode_coverage(torch.full((3, 2), torch.nan), ring()),
    "float64": lambda: vae_step(v := VAE(3, 8).double(), sgd(v)[0], GREY.double()),
    "a black page": lambda: game(torch.full_like(SIGNED, -1.0)),
    "zeros": lambda: game(torch.zeros_like(SIGNED)),
    "rounded a little": lambda: game(SIGNED * 1.0005),
    "by names": lambda: gaussian_kl(log_var=LOG_VAR, mu=MU),
    "without labels": lambda: ConditionalGenerator(4, 10, 8)(torch.zeros(6, 4)),
    "a late start for all": lambda: history_plot({"loss": [1.0, 2.0], "kl": [0.0, 1.0]}, ["kl"], alt=ALT),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes(name):
    RIGHT[name]()


def play(networks, real):
    g, d = networks
    gan_step(g, d, *sgd(g, d), real)


STEPS = {
    name: (lambda make=make: [make()], lambda n, x, s=step: s(*n, sgd(*n)[0], x))
    for name, (step, make) in VAES.items()
}
STEPS["gan_step"] = (lambda: [Generator(4, 8), Discriminator(4)], play)
STEPS["vae_gan_step"] = (
    lambda: [*parts().values()],
    lambda networks, x: wired(x, networks=dict(zip(vae_gan_loss_weights(), networks, strict=True))),
)


@pytest.mark.parametrize("name", STEPS)
def test_by_the_time_it_is_refused_nothing_has_changed(name):
    """Neither a parameter, a statistic nor a random number: it is as if the wrong call had never been."""
    make, call = STEPS[name]
    networks = make()

    def state():
        kept = [each.clone() for network in networks for each in network.state_dict().values()]
        return [*kept, torch.get_rng_state()]

    before = state()
    with pytest.raises(ValueError, match=r"Images|Pixels"):
        call(networks, 255 * GREY)
    assert all(torch.equal(a, b) for a, b in zip(before, state(), strict=True))


def test_a_door_finds_its_arguments_by_place_and_by_name_and_keeps_the_function():
    met = []

    @door(lambda b, a: met.append((a, b)), "b", "a")
    def f(a, b=2, *, c=3):
        """What it does."""
        return a, b, c

    assert (f(1), f(1, 5), f(b=7, a=6, c=8)) == ((1, 2, 3), (1, 5, 3), (6, 7, 8))
    assert met == [(1, 5), (6, 7)] and f.__doc__ == "What it does."
    assert list(inspect.signature(f).parameters) == ["a", "b", "c"]


# Every public step of a network on images has a door, or is named here with the reason.
DOORLESS = {
    "discriminator_step": "points too",
    "generator_step": "reads noise alone",
    "prior_step": "reads codes",
    "conditional_vae_step": "goes through vae_step",
}


def test_every_step_has_a_door():
    for family in (helpers.gan, helpers.vae, vae_gan):
        for name in getattr(family, "__all__", dir(family)):
            if name.endswith("_step") and name not in DOORLESS:
                source = inspect.getsource(getattr(family, name))
                assert "@door(" in source or "expect_" in source, f"{name} takes whatever it is given"
