"""Check of notebook 15: the three losses of a VAE-GAN, each wired to its own network.

The optimisers handed in only record the gradients they find, and move nothing, so the order of the updates and the way
they are written do not matter. What each network received is compared with what it should have, and with known errors.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from helpers.checks.frame import Answer, Feedback, Mistake, Way, gives_feedback, right

LATENT, FEATURES, GAMMA, SAME = 3, 7, 0.3, 1e-3


class TinyEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(16, 6), nn.Tanh(), nn.Linear(6, 2 * LATENT))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.net(images).chunk(2, dim=1)


class TinyDiscriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(16, FEATURES), nn.Tanh())
        self.head = nn.Linear(FEATURES, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(images)
        return features, 2 * self.head(features).squeeze(1)


class Recorder(torch.optim.SGD):
    """Keeps the gradients that it finds at each `step`, and moves nothing."""

    def __init__(self, network: nn.Module):
        super().__init__(network.parameters(), lr=0.0)
        self.found: list[Tensor] = []

    def step(self, closure=None):
        parts = [p for group in self.param_groups for p in group["params"]]
        self.found.append(
            torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parts])
        )


def _decoder() -> nn.Module:
    return nn.Sequential(
        nn.Linear(LATENT, 6), nn.Tanh(), nn.Linear(6, 16), nn.Tanh(), nn.Unflatten(1, (1, 4, 4))
    )


def _drawn(mu: Tensor, log_var: Tensor, eps: Tensor) -> Tensor:
    return mu + (log_var / 2).exp() * eps


def _terms(encoder, decoder, discriminator, real, eps, z, code: Callable = _drawn) -> dict[str, Tensor]:
    mu, log_var = encoder(real)
    again, sample = decoder(code(mu, log_var, eps)), decoder(z)
    (f, a), (f_again, a_again), (_, a_sample) = map(discriminator, (real, again, sample))
    return {
        "kl": 0.5 * (mu.square() + log_var.exp() - 1 - log_var).sum(1).mean(),
        "features": (f - f_again).square().sum(1).mean() / 2,
        "pixels": (real - again).square().flatten(1).sum(1).mean() / 2,
        "fool": (softplus(-a_again) + softplus(-a_sample)).mean() / 2,
        "fool_again": softplus(-a_again).mean(),
        "fool_sample": softplus(-a_sample).mean(),
        "help": (softplus(a_again) + softplus(a_sample)).mean() / 2,
        "real": softplus(-a).mean(),
        "again": softplus(a_again).mean(),
        "sample": softplus(a_sample).mean(),
    }


CODE_WAYS = [
    Way("no_noise", lambda mu, log_var, eps: mu,
        "The code is the mean itself. A VAE-GAN decodes a draw, and ε is handed to you for it."),
    Way("deviation", lambda mu, log_var, eps: mu + log_var.exp() * eps,
        "The noise is multiplied by the variance. The standard deviation belongs there."),
    Way("no_noise", lambda mu, log_var, eps: eps,
        "The reconstruction is decoded from ε alone, so it cannot know the image."),
]  # fmt: skip
AVERAGED = "The features are averaged over their dimensions. A Gaussian likelihood is a sum over them."
NO_HALF = "The features' squared distance lacks its ½, which the Gaussian likelihood brings with it."
PIXELS = "The reconstruction is compared pixel by pixel. Here D's features judge it, or the blur comes back."
E_WAYS = [
    Way("right", lambda t: t["kl"] + t["features"], ok=True),
    Way("game_to_encoder", lambda t: t["kl"] + t["features"] + t["fool"],
        "The encoder also receives the adversarial loss. Its codes should say what the image is, not what fools D."),
    Way("game_to_encoder", lambda t: t["kl"] + GAMMA * t["features"] + t["fool"],
        "The encoder is trained on the decoder's loss and the KL together. Whose business is it to fool D?"),
    Way("decoders_loss", lambda t: GAMMA * t["features"] + t["fool"],
        "The encoder is trained on the decoder's loss. Which two terms of the three losses say what a code should be?"),
    Way("game_to_encoder", lambda t: t["fool"],
        "The encoder learns from the discriminator's verdict alone, as the article's flowchart has it."),
    Way("gamma_to_encoder", lambda t: t["kl"] + GAMMA * t["features"],
        "The encoder's reconstruction carries γ. That weight balances the two losses of another network."),
    Way("no_kl", lambda t: t["features"], "No KL reaches the encoder, so nothing ties its codes to the prior."),
    Way("only_kl", lambda t: t["kl"], "Only the KL reaches the encoder. Is its code cut off by a `detach` on the way?"),
    Way("pixels", lambda t: t["kl"] + t["pixels"], PIXELS),
    Way("mean", lambda t: t["kl"] + t["features"] / FEATURES, AVERAGED),
    Way("half", lambda t: t["kl"] + 2 * t["features"], NO_HALF),
    Way("kl_mean", lambda t: t["kl"] / LATENT + t["features"],
        "The KL is averaged over the dimensions of the code. It is a sum over them, and a mean over images."),
    Way("sign", lambda t: t["features"] - t["kl"], "The KL has the wrong sign: your codes flee from the prior."),
]  # fmt: skip
G_WAYS = [
    Way("right", lambda t: GAMMA * t["features"] + t["fool"], ok=True),
    Way("two_fakes", lambda t: GAMMA * t["features"] + 2 * t["fool"],
        "You sum over both kinds of fakes, as the paper does; here they are averaged, which halves that term.",
        ok=True),
    Way("no_gamma", lambda t: t["features"] + t["fool"],
        "The decoder's two losses meet with equal weight. Which number should balance them?"),
    Way("gamma_on_game", lambda t: t["features"] + GAMMA * t["fool"],
        "In the decoder's loss γ weighs the adversarial term. It belongs to the other one."),
    Way("no_game", lambda t: GAMMA * t["features"],
        "No adversarial loss reaches the decoder: nobody asks it to fool D. Is a fake detached that should not be?"),
    Way("no_reconstruction", lambda t: t["fool"],
        "No reconstruction reaches the decoder, so it may draw anything that looks real, whatever the code says."),
    Way("no_prior", lambda t: GAMMA * t["features"] + t["fool_again"],
        "The decoder never plays with codes from the prior, yet you will draw from them later."),
    Way("only_prior", lambda t: GAMMA * t["features"] + t["fool_sample"],
        "The decoder's adversarial loss leaves the reconstructions out; both kinds of fakes play."),
    Way("helps_d", lambda t: GAMMA * t["features"] + t["help"],
        "The decoder is taught to have its images called fake. That is D's wish, not its own."),
    Way("minimax", lambda t: GAMMA * t["features"] - t["help"],
        "That is the minimax loss of the generator. Here it minimises the non-saturating −log D."),
    Way("pixels", lambda t: GAMMA * t["pixels"] + t["fool"], PIXELS),
    Way("mean", lambda t: GAMMA * t["features"] / FEATURES + t["fool"], AVERAGED),
    Way("half", lambda t: 2 * GAMMA * t["features"] + t["fool"], NO_HALF),
]  # fmt: skip
D_WAYS = [
    Way("right", lambda t: t["real"] + (t["again"] + t["sample"]) / 2, ok=True),
    Way("two_fakes", lambda t: t["real"] + t["again"] + t["sample"],
        "You sum over both kinds of fakes, as the paper does; here they are averaged: real and fake weigh the same.",
        ok=True),
    Way("features_to_d", lambda t: t["real"] + (t["again"] + t["sample"]) / 2 + t["features"],
        "The reconstruction reaches D as well: it can make all features alike, and then they judge nothing."),
    Way("features_to_d", lambda t: t["real"] + (t["again"] + t["sample"]) / 2 + GAMMA * t["features"],
        "The reconstruction reaches D as well, times γ: it can make all features alike, and then they judge nothing."),
    Way("all_to_d", lambda t: t["real"] + t["help"] + GAMMA * t["features"] + t["fool"],
        "The decoder's loss has reached D as well. Which gradients are in D when its optimiser steps?"),
    Way("all_to_d", lambda t: t["real"] + t["help"] + (1 + GAMMA) * t["features"] + t["fool"],
        "All three losses have reached D: `backward` adds to whatever lies there. Who clears it, or keeps it away?"),
    Way("fool_to_d", lambda t: t["real"] + t["help"] + t["fool"],
        "D is also moved by the wish to call fakes real, which is the decoder's."),
    Way("no_prior", lambda t: t["real"] + t["again"],
        "D never sees images decoded from the prior, so nobody judges what you will draw later."),
    Way("only_prior", lambda t: t["real"] + t["sample"], "D never sees the reconstructions as fakes."),
    Way("no_real", lambda t: (t["again"] + t["sample"]) / 2,
        "D sees no real images, as in the article's flowchart: calling all of them fake costs it nothing."),
    Way("no_fakes", lambda t: t["real"], "D sees no fakes: calling everything real costs it nothing."),
]  # fmt: skip
WAYS = {"encoder": E_WAYS, "decoder": G_WAYS, "discriminator": D_WAYS}


def _gradient(loss: Tensor, network: nn.Module) -> Tensor:
    parts = list(network.parameters())
    found = torch.autograd.grad(loss, parts, retain_graph=True, allow_unused=True)
    return torch.cat(
        [
            torch.zeros_like(p).flatten() if g is None else g.flatten()
            for p, g in zip(parts, found, strict=True)
        ]
    )


def _alike(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).norm() <= SAME * b.norm().clamp(min=1e-12))


def _got(recorder: Recorder, call: int, name: str) -> Tensor:
    """The one gradient that an optimiser found in this call; raises `Mistake` of kind "steps"."""
    times = len(recorder.found) - call
    if times != 1:
        raise Mistake("steps", f"The {name}'s optimiser stepped {times} times in one call; once is wanted.")
    return recorder.found[-1]


def _judged(name: str, networks: list[nn.Module], inputs: tuple, found: list[Tensor]) -> Way:
    """The way in which `name` was trained; raises `Mistake` where none is known."""
    network, terms = networks[list(WAYS).index(name)], _terms(*networks, *inputs)
    for way in WAYS[name]:
        if _alike(found[-1], _gradient(way.answer(terms), network)):
            return way
    best = WAYS[name][0]
    for way in CODE_WAYS:
        other = _terms(*networks, *inputs, code=way.answer)
        if _alike(found[-1], _gradient(best.answer(other), network)):
            return way
    wanted = _gradient(best.answer(terms), network)
    if len(found) > 1 and _alike(found[-1] - found[-2], wanted):
        raise Mistake("stale", f"The {name} still holds the gradient of the last call: `backward` adds.")
    cosine = torch.cosine_similarity(found[-1], wanted, dim=0).item()
    if cosine > 1 - SAME:
        times = (found[-1].norm() / wanted.norm()).item()
        raise Mistake(
            "scale",
            f"The {name}'s gradient has the right direction, but it is {times:.2f} times as long as it should be, "
            f"for {len(inputs[0])} images. What is summed where a mean is wanted, or the reverse?",
        )
    raise Mistake(
        "gradient",
        f"The {name}'s gradient is another one: its cosine with the right one is {cosine:.2f}. "
        f"Which terms reach the {name}, and with which weights?",
    )


@gives_feedback
def check_vae_gan_wiring(step: Callable) -> Feedback:
    """Say whether `step(encoder, decoder, discriminator, optimisers, real, eps, z, gamma)` gives each its own gradient.

    `discriminator(images)` returns (features, logits); `optimisers` are those of the three, in this order. What `step`
    returns does not matter. Raises nothing.
    """
    usage = "my_vae_gan_step(encoder, decoder, discriminator, optimisers, real, eps, z, gamma)"
    answer = Answer(step, usage)
    torch.manual_seed(15)
    networks = [TinyEncoder(), _decoder(), TinyDiscriminator()]
    given = copy.deepcopy(networks)
    recorders = [Recorder(network) for network in given]
    remarks: list[tuple[str, str]] = []
    for call, batch in enumerate((5, 7)):
        real = torch.rand(batch, 1, 4, 4) * 2 - 1
        eps, z = torch.randn(2, batch, LATENT)
        _play(answer, given, recorders, (real.clone(), eps.clone(), z.clone()))
        for name, network, copied, recorder in zip(WAYS, networks, given, recorders, strict=True):
            if not all(map(torch.equal, network.parameters(), copied.parameters())):
                message = f"The {name} was changed by other means than its optimiser. Let that one step."
                raise Mistake("by_hand", message)
            _got(recorder, call, name)
            way = _judged(name, networks, (real, eps, z), recorder.found)
            if not way.ok:
                raise Mistake(way.kind, way.message)
            if way.message and (way.kind, way.message) not in remarks:
                remarks.append((way.kind, way.message))
    return right("Each network receives the gradient of its own loss, and nothing else.", remarks)


def _play(answer: Answer, networks: list[nn.Module], recorders: list[Recorder], inputs: tuple) -> None:
    """One call of the learner's function, which may return nothing if it has let an optimiser step."""
    before = sum(len(recorder.found) for recorder in recorders)
    try:
        answer(*networks, tuple(recorders), *inputs, GAMMA)
    except Mistake as mistake:
        stepped = sum(len(recorder.found) for recorder in recorders) > before
        if mistake.feedback.kind != "none" or not stepped:
            raise
