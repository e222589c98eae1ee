"""Check of notebook 15: the three losses of a VAE-GAN, each wired to its own network.

The optimisers handed in only record the gradients they find. They move nothing, but mark the weights as changed, so a
graph that a real optimiser would spoil is spoilt here too. What each network received is compared with what it should
have, and with known errors.
"""

import copy
import itertools
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
    """Keeps the gradients that it finds at each `step`, and writes each weight back as it was."""

    def __init__(self, network: nn.Module):
        super().__init__(network.parameters(), lr=0.0)
        self.found: list[Tensor] = []

    def step(self, closure=None):
        parts = [p for group in self.param_groups for p in group["params"]]
        self.found.append(
            torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parts])
        )
        with torch.no_grad():
            for p in parts:
                if p.grad is not None:
                    p.mul_(1)  # in place, so autograd takes it for new


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
        "real_as_fake": softplus(a).mean(),
        "again": softplus(a_again).mean(),
        "sample": softplus(a_sample).mean(),
        "images": torch.tensor(float(len(real))),
    }


CODE_WAYS = [
    Way("no_noise", lambda mu, log_var, eps: mu,
        "The code is the mean itself. A VAE-GAN decodes a draw, and ε is handed to you for it."),
    Way("deviation", lambda mu, log_var, eps: mu + log_var.exp() * eps,
        "The noise is multiplied by the variance. The standard deviation belongs there."),
    Way("no_noise", lambda mu, log_var, eps: eps,
        "The reconstruction is decoded from ε alone, so it cannot know the image."),
]  # fmt: skip
NOISES = [
    (
        "eps_for_z",
        (0, 1, 1),
        "The sample is decoded from ε. Which of the arguments are draws from the prior?",
    ),
    ("z_for_eps", (0, 2, 2), "The code is drawn with z for its noise. Which of the arguments is its noise?"),
]  # which of the inputs real, eps, z stand in their places
AVERAGED = "The features are averaged over their dimensions. A Gaussian likelihood is a sum over them."
NO_HALF = "The features' squared distance lacks its ½, which the Gaussian likelihood brings with it."
MSE = "The features are averaged over their dimensions, and the ½ is lacking. A Gaussian likelihood has a ½ and a sum."
SUMMED = "The features' distance is summed over the images too. The other terms are means over images."
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
    Way("mean", lambda t: t["kl"] + 2 * t["features"] / FEATURES, MSE),
    Way("sum", lambda t: t["kl"] + t["images"] * t["features"], SUMMED),
    Way("sum", lambda t: t["images"] * t["kl"] + t["features"],
        "The KL is summed over the images too. The other term is a mean over images."),
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
    Way("mean", lambda t: 2 * GAMMA * t["features"] / FEATURES + t["fool"], MSE),
    Way("sum", lambda t: GAMMA * t["images"] * t["features"] + t["fool"], SUMMED),
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
    Way("real_as_fake", lambda t: t["real_as_fake"] + t["help"],
        "D is told to call real images fake. Check the sign inside their softplus."),
    Way("fake_as_real", lambda t: t["real"] + t["fool"],
        "D is told to call fakes real. Check the sign inside their softplus."),
    Way("labels", lambda t: t["real_as_fake"] + t["fool"], "D is told to call real images fake, and fakes real."),
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


def _reached(network: nn.Module, terms: dict[str, Tensor], found: Tensor) -> list[str]:
    """The names of those whose right losses add up to the gradient that was found; none if no sum does."""
    parts = [[_gradient(way.answer(terms), network) for way in ways if way.ok] for ways in WAYS.values()]
    for chosen in itertools.product(*([None, *gradients] for gradients in parts)):
        names = [name for name, gradient in zip(WAYS, chosen, strict=True) if gradient is not None]
        if names and _alike(found, sum(gradient for gradient in chosen if gradient is not None)):
            return names
    return []


def _judged(name: str, networks: list[nn.Module], inputs: tuple, found: list[Tensor], again: Callable) -> Way:
    """The way in which `name` was trained; raises `Mistake` where none is known.

    `again(name)` is the gradient that it finds when the same inputs are played once more.
    """
    if not found[-1].any():
        raise Mistake(
            "empty",
            f"The {name}'s gradient is zero or empty when its optimiser steps. Was it cleared after `backward`, does "
            "`backward` come later, or does no loss reach it?",
        )
    if not found[-1].isfinite().all():
        raise Mistake(
            "nan",
            f"The {name}'s gradient is NaN or infinite. Is there a logarithm, a root or a division by 0?",
        )
    network, terms = networks[list(WAYS).index(name)], _terms(*networks, *inputs)
    for way in WAYS[name]:
        if _alike(found[-1], _gradient(way.answer(terms), network)):
            return way
    others = [(way.kind, way.message, _terms(*networks, *inputs, code=way.answer)) for way in CODE_WAYS]
    for kind, places, message in NOISES:
        others.append((kind, message, _terms(*networks, *(inputs[place] for place in places))))
    for kind, message, other in others:
        for best in WAYS[name]:
            if best.ok and _alike(found[-1], _gradient(best.answer(other), network)):
                raise Mistake(kind, message)
    wanted = _gradient(WAYS[name][0].answer(terms), network)
    if len(found) > 1 and _alike(found[-1] - found[-2], wanted):
        raise Mistake("stale", f"The {name} still holds the gradient of the last call: `backward` adds.")
    reached = _reached(network, terms, found[-1])
    if reached:
        losses = " and ".join(f"the {other}'s loss" for other in reached if other != name)
        raise Mistake(
            "other_loss",
            f"The {name} also receives {losses}: `backward` fills every network on its way, unless it is told where."
            if name in reached
            else f"The {name} receives {losses} in place of its own. Was its own gradient cleared before the step?",
        )
    if not _alike(again(name), found[-1]):
        raise Mistake(
            "own_noise",
            f"The {name} finds another gradient each time, though the arguments are the same. "
            "Is new noise drawn where noise was handed to you?",
        )
    cosine = torch.cosine_similarity(found[-1], wanted, dim=0).item()
    times = (found[-1].norm() / wanted.norm()).item()
    if cosine > 1 - SAME:
        raise Mistake(
            "scale",
            f"The {name}'s gradient has the right direction, but it is {times:.2f} times as long as it should be, "
            f"for {len(inputs[0])} images. What is summed where a mean is wanted, or the reverse?",
        )
    if cosine < SAME - 1:
        raise Mistake(
            "sign", f"The {name}'s gradient points the opposite way: its whole loss has the wrong sign."
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

    def again(name: str) -> Tensor:
        fresh = copy.deepcopy(networks)
        others = [Recorder(network) for network in fresh]
        _play(answer, fresh, others, inputs)
        return _got(others[list(WAYS).index(name)], 0, name)

    for call, batch in enumerate((5, 7)):
        real = torch.rand(batch, 1, 4, 4) * 2 - 1
        eps, z = torch.randn(2, batch, LATENT)
        inputs = real, eps, z
        _play(answer, given, recorders, inputs)
        for name, network, copied, recorder in zip(WAYS, networks, given, recorders, strict=True):
            if not all(map(torch.equal, network.parameters(), copied.parameters())):
                message = f"The {name} was changed by other means than its optimiser. Let that one step."
                raise Mistake("by_hand", message)
            _got(recorder, call, name)
            way = _judged(name, networks, inputs, recorder.found, again)
            if not way.ok:
                raise Mistake(way.kind, way.message)
            if way.message and (way.kind, way.message) not in remarks:
                remarks.append((way.kind, way.message))
    return right("Each network receives the gradient of its own loss, and nothing else.", remarks)


def _play(answer: Answer, networks: list[nn.Module], recorders: list[Recorder], inputs: tuple) -> None:
    """One call of the learner's function, which may return nothing."""
    before = sum(len(recorder.found) for recorder in recorders)
    try:
        answer(*networks, tuple(recorders), *(part.clone() for part in inputs), GAMMA)
    except Mistake as mistake:
        kind, stepped = mistake.feedback.kind, sum(len(recorder.found) for recorder in recorders) > before
        if kind == "none":
            return
        place = " (" + mistake.feedback.message.partition(" (")[2]
        if kind == "second_backward":
            message = "A `backward` finds its graph gone, freed by an earlier one. Keep the graph, or compute it again."
        elif kind == "in_place" and stepped:
            message = (
                "A `backward` passes through a network whose optimiser had already stepped, and the graph needs the "
                "weights from before. When may each optimiser step, and through which networks does each loss pass?"
            )
        else:
            raise
        raise Mistake(kind, message + place) from None
