"""Answers to assignment 15: right ones written in other ways, and wrong ones with words of the sentence they get."""

import math

import numpy as np
import torch
from torch.distributions import Independent, Normal, kl_divergence
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    conv2d,
    mse_loss,
    normalize,
    one_hot,
    relu,
    softplus,
)

from helpers.gan import hinge_discriminator, hinge_generator
from helpers.metrics import sharpness
from helpers.vae import gaussian_kl

# --- M1a: sharpness ----------------------------------------------------------------------------------------------


def across(x):
    return x[..., :, 1:] - x[..., :, :-1]


def down(x):
    return x[..., 1:, :] - x[..., :-1, :]


def energy(x):
    """The edge energy of each image, (N,)."""
    return across(x).square().flatten(1).sum(1) + down(x).square().flatten(1).sum(1)


def by_means(images, real):
    """Square images have as many pairs in one direction as in the other, so means do as well."""
    edges = [across(x).square().mean() + down(x).square().mean() for x in (images, real)]
    return edges[0] / edges[1]


def by_convolution(images, real):
    kernels = torch.tensor([[-1.0, 1.0]])
    found = []
    for x in (images, real):
        one = conv2d(x, kernels.to(x).view(1, 1, 1, 2)).square().sum()
        two = conv2d(x, kernels.to(x).view(1, 1, 2, 1)).square().sum()
        found.append((one + two) / x.shape[0])
    return found[0] / found[1]


def by_numpy(images, real):
    sums = [
        sum((np.diff(x.numpy(), axis=axis) ** 2).sum() for axis in (2, 3)) / len(x) for x in (images, real)
    ]
    return float(sums[0] / sums[1])


def ratio_of(measure):
    return lambda images, real: (measure(images).mean() / measure(real).mean()).item()


def in_place(images, real):
    images -= images.mean()  # changes the caller's images, and not the ratio
    return by_means(images, real)


def wrapped(x):
    return ((x.roll(-1, 3) - x).square() + (x.roll(-1, 2) - x).square()).flatten(1).sum(1)


SHARP_RIGHT = {
    "a ratio of means": ratio_of(energy),
    "means over pixels": by_means,
    "convolutions": by_convolution,
    "NumPy": by_numpy,
    "half the energies": ratio_of(lambda x: energy(x) / 2),
}
SHARP_WRONG = {
    "absolute values": (
        ratio_of(lambda x: across(x).abs().flatten(1).sum(1) + down(x).abs().flatten(1).sum(1)),
        "absolute differences",
    ),
    "upside down": (lambda images, real: by_means(real, images), "upside down"),
    "root": (lambda images, real: by_means(images, real).sqrt(), "root of the ratio"),
    "mean of roots": (ratio_of(lambda x: energy(x).sqrt()), "mean of the roots"),
    "side by side": (ratio_of(lambda x: across(x).square().flatten(1).sum(1)), "side by side"),
    "above": (ratio_of(lambda x: down(x).square().flatten(1).sum(1)), "one above the other"),
    "wrapped": (ratio_of(wrapped), "wraps around"),
    "sums": (lambda images, real: energy(images).sum() / energy(real).sum(), "sum over the images"),
    "mean of ratios": (
        lambda images, real: (
            (energy(images) / energy(real)[:1]).mean()
            if len(images) != len(real)
            else (energy(images) / energy(real)).mean()
        ),
        "mean of the ratios",
    ),
    "Laplacian": (sharpness, "Laplacian's variance"),
    "contrast": (ratio_of(lambda x: x.flatten(1).var(1)), "contrast"),
    "energy alone": (lambda images, real: energy(images).mean(), "not divided"),
    "median": (lambda images, real: energy(images).median() / energy(real).median(), "median"),
    "distance to 1": (lambda images, real: (by_means(images, real) - 1).abs(), "distance to 1"),
    "difference": (lambda images, real: energy(images).mean() - energy(real).mean(), "not their ratio"),
    "along the batch": (
        lambda images, real: images.diff(dim=0).square().sum() / real.diff(dim=0).square().sum(),
        "along the batch",
    ),
    "images changed": (in_place, "images themselves were changed"),
    "no return": (lambda images, real: None, "nothing came back"),
}

# --- M1b: true to form -------------------------------------------------------------------------------------------


def fits(images, templates):
    """The fit of each image to each template, (N, T)."""
    return (normalize(images.flatten(1)) @ normalize(templates.flatten(1)).T).square()


def by_kind(score, kinds, least, divide=None):
    fit, best = score.max(1)
    hits = fit >= least
    table = torch.stack(
        [(hits & (kinds[best] == kind)).float().sum() for kind in range(int(kinds.max()) + 1)]
    )
    return hits.float().mean(), table / (divide or len(score))


def by_normalising(images, templates, kinds, least=0.7):
    return by_kind(fits(images, templates), kinds, least)


def by_loop(images, templates, kinds, least=0.7):
    tally = [0] * (int(kinds.max()) + 1)
    for x in images.double():
        if not x.any():
            continue
        scores = [
            float((x * t).sum() ** 2 / (x.square().sum() * t.square().sum())) for t in templates.double()
        ]
        if max(scores) >= least:
            tally[int(kinds[scores.index(max(scores))])] += 1
    return sum(tally) / len(images), [each / len(images) for each in tally]


def by_projection(images, templates, kinds, least=0.7):
    """By the other formula: what is left after the best brightness of each template."""
    x, t = images.flatten(1)[:, None].double(), templates.flatten(1)[None].double()
    brightness = (x * t).sum(2, keepdim=True) / t.square().sum(2, keepdim=True)
    left = (x - brightness * t).square().sum(2) / x.square().sum(2)
    score = (1 - left).nan_to_num(0)
    fit, best = score.max(1)
    votes = one_hot(kinds[best], int(kinds.max()) + 1) * (fit >= least)[:, None]
    return votes.double().sum(1).mean(), votes.double().mean(0)


def scored(score):
    """Like the right answer, with another score (N, T)."""
    return lambda images, templates, kinds, least=0.7: by_kind(score(images, templates), kinds, least)


def centred(images, templates):
    x, t = images.flatten(1), templates.flatten(1)
    return fits(x - x.mean(1, keepdim=True), t - t.mean(1, keepdim=True))


def by_distance(images, templates, kinds, least=0.7):
    best = torch.cdist(images.flatten(1), templates.flatten(1).to(images)).argmin(1, keepdim=True)
    score = fits(images, templates)
    return by_kind(torch.zeros_like(score).scatter(1, best, score.gather(1, best)), kinds, least)


def of_those(images, templates, kinds, least=0.7):
    share, table = by_normalising(images, templates, kinds, least)
    return share, table / share.clamp(min=1e-9)


def without_threshold(images, templates, kinds, least=0.7):
    share, _ = by_normalising(images, templates, kinds, least)
    return share, by_normalising(images, templates, kinds, -1.0)[1]


def only_present(images, templates, kinds, least=0.7):
    share, table = by_normalising(images, templates, kinds, least)
    return share, table[table > 0]


def divided_by_zero(images, templates, kinds, least=0.7):
    x, t = images.flatten(1), templates.flatten(1)
    away = (x @ t.T).square() / (x.square().sum(1, keepdim=True) * t.square().sum(1))
    fit, best = away.max(1)
    hits = ~(fit < least)  # NaN is not below anything
    table = kinds[best[hits]].bincount(minlength=int(kinds.max()) + 1) / len(x)
    return hits.float().mean(), table


def strictly(images, templates, kinds, least=0.7):
    return by_kind((fits(images.double(), templates.double()) - 1e-9), kinds, least)


FORM_RIGHT = {
    "unit vectors": by_normalising,
    "a loop": by_loop,
    "what is left": by_projection,
    "cosine similarity": scored(
        lambda x, t: torch.cosine_similarity(x.flatten(1)[:, None], t.flatten(1)[None], dim=2).square()
    ),
}
FORM_WRONG = {
    "not squared": (scored(lambda x, t: fits(x, t).sqrt()), "squared"),
    "centred": (scored(centred), "centred"),
    "long templates": (
        scored(lambda x, t: (normalize(x.flatten(1)) @ t.flatten(1).T).square()),
        "templates have no unit length",
    ),
    "dark images": (
        scored(lambda x, t: (x.flatten(1) @ normalize(t.flatten(1)).T).square()),
        "images have no unit length",
    ),
    "no lengths": (scored(lambda x, t: (x.flatten(1) @ t.flatten(1).T).square()), "neither"),
    "0.7 always": (
        lambda images, templates, kinds, least=0.7: by_normalising(images, templates, kinds),
        "`least` is not used",
    ),
    "smallest distance": (by_distance, "fixed brightness"),
    "mean fit": (
        lambda images, templates, kinds, least=0.7: (
            fits(images, templates).max(1).values.mean(),
            by_normalising(images, templates, kinds, least)[1],
        ),
        "mean fit",
    ),
    "the others": (
        lambda images, templates, kinds, least=0.7: (
            1 - by_normalising(images, templates, kinds, least)[0],
            by_normalising(images, templates, kinds, least)[1],
        ),
        "below the threshold",
    ),
    "shares of the good": (of_those, "shares of those"),
    "counts": (
        lambda images, templates, kinds, least=0.7: by_kind(fits(images, templates), kinds, least, divide=1),
        "counts",
    ),
    "all are counted": (without_threshold, "not true to form are counted"),
    "a kind left out": (only_present, "also for a kind that never occurs"),
    "templates, not kinds": (
        lambda images, templates, kinds, least=0.7: by_normalising(
            images, templates, torch.arange(len(templates)), least
        ),
        "one entry for each kind",
    ),
    "black is good": (divided_by_zero, "the share"),
    "strictly above": (strictly, "equality counts"),
    "one number": (
        lambda images, templates, kinds, least=0.7: by_normalising(images, templates, kinds, least)[0],
        "A pair is asked for",
    ),
}

# --- M2: the bound -----------------------------------------------------------------------------------------------


def vae_parts(encoder, decoder, real, eps, deviation=0.5, code=None):
    """(−log p(x|z), KL) of each picture; `code(mu, log_var, eps)` gives another z."""
    mu, log_var = encoder(real)
    z = code(mu, log_var, eps) if code else mu + (log_var / 2).exp() * eps
    fit = Independent(Normal(decoder(z), deviation), 3).log_prob(real)
    return -fit, gaussian_kl(mu, log_var)


def by_distributions(encoder, decoder, real, eps, deviation=0.5):
    mu, log_var = encoder(real)
    q = Independent(Normal(mu, (log_var / 2).exp()), 1)
    p = Independent(Normal(torch.zeros_like(mu), 1.0), 1)
    drawn = mu + q.base_dist.scale * eps
    return kl_divergence(q, p) - Normal(decoder(drawn), deviation).log_prob(real).sum((1, 2, 3))


def by_squares(encoder, decoder, real, eps, deviation=0.5):
    mu, log_var = encoder(real)
    z = torch.addcmul(mu, log_var.mul(0.5).exp(), eps)
    squares = mse_loss(decoder(z), real, reduction="none").sum(dim=(1, 2, 3))
    pixels = real[0].numel()
    return (
        0.5 * squares / deviation**2
        + pixels * (math.log(deviation) + 0.5 * math.log(2 * math.pi))
        - 0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(dim=1)
    )


def summed(change, **more):
    """What `change(−log p, KL, pixels, deviation)` makes of the two terms."""

    def answer(encoder, decoder, real, eps, deviation=0.5):
        reconstruction, kl = vae_parts(encoder, decoder, real, eps, deviation, **more)
        return change(reconstruction, kl, real[0].numel(), deviation)

    return answer


def constant(pixels, deviation):
    return pixels / 2 * math.log(2 * math.pi * deviation**2)


def entropy_loss(encoder, decoder, real, eps, deviation=0.5):
    mu, log_var = encoder(real)
    logits = decoder(mu + (log_var / 2).exp() * eps)
    crossed = binary_cross_entropy_with_logits(logits, real, reduction="none").flatten(1).sum(1)
    return crossed + gaussian_kl(mu, log_var)


def detached_code(encoder, decoder, real, eps, deviation=0.5):
    mu, log_var = encoder(real)
    z = (mu + (log_var / 2).exp() * eps).detach()
    return gaussian_kl(mu, log_var) - Independent(Normal(decoder(z), deviation), 3).log_prob(real)


VAE_RIGHT = {
    "distributions": by_distributions,
    "squares": by_squares,
    "two parts": summed(lambda r, kl, n, s: r + kl),
    "a column": summed(lambda r, kl, n, s: torch.stack([r, kl], dim=1).sum(1)),
}
VAE_WRONG = {
    "no constant": (
        summed(lambda r, kl, n, s: r - constant(n, s) + kl),
        "constant of the Gaussian is missing",
    ),
    "ELBO": (summed(lambda r, kl, n, s: -r - kl), "this is the ELBO"),
    "minus KL": (summed(lambda r, kl, n, s: r - kl), "KL is subtracted"),
    "no KL": (summed(lambda r, kl, n, s: r), "KL is missing"),
    "only KL": (summed(lambda r, kl, n, s: kl), "reconstruction is missing"),
    "mean KL": (summed(lambda r, kl, n, s: r + kl / 3), "mean over its dimensions"),
    "mean pixels": (summed(lambda r, kl, n, s: r / n + kl), "mean over the pixels"),
    "mean squares": (
        summed(lambda r, kl, n, s: (r - constant(n, s)) / n + constant(n, s) + kl),
        "the constant is not",
    ),
    "no variance": (
        summed(lambda r, kl, n, s: (r - constant(n, s)) * 2 * s**2 + kl),
        "without 1/(2σ²)",
    ),
    "no half": (
        summed(lambda r, kl, n, s: 2 * (r - constant(n, s)) + constant(n, s) + kl),
        "½ of the squared",
    ),
    "variance": (
        lambda e, d, real, eps, deviation=0.5: by_distributions(e, d, real, eps, math.sqrt(deviation)),
        "taken as the variance",
    ),
    "always 0.5": (lambda e, d, real, eps, deviation=0.5: by_distributions(e, d, real, eps), "not used"),
    "no noise": (summed(lambda r, kl, n, s: r + kl, code=lambda mu, lv, eps: mu), "z is μ"),
    "log σ": (summed(lambda r, kl, n, s: r + kl, code=lambda mu, lv, eps: mu + lv.exp() * eps), "as log σ"),
    "prior": (summed(lambda r, kl, n, s: r + kl, code=lambda mu, lv, eps: eps), "from the prior"),
    "twice the KL": (summed(lambda r, kl, n, s: r + 2 * kl), "½ of the KL"),
    "no −1": (summed(lambda r, kl, n, s: r + kl + 1.5), "−1 is missing"),
    "one number": (summed(lambda r, kl, n, s: (r + kl).mean()), "One number came back"),
    "cross-entropy": (entropy_loss, "cross-entropy"),
    "detached": (detached_code, "does not reach the encoder"),
    "no graph": (summed(lambda r, kl, n, s: (r + kl).detach()), "does not reach the encoder"),
}

# --- M3: the losses ----------------------------------------------------------------------------------------------

PLAYERS = ("encoder", "decoder", "discriminator")


def one_loss(encoder, decoder, discriminator, real, eps, z, deviation):
    """All terms, with their graphs."""
    mu, log_var = encoder(real)
    again, free = decoder(mu + (log_var / 2).exp() * eps), decoder(z)
    f, a = discriminator(real)
    f_again, a_again = discriminator(again)
    f_free, a_free = discriminator(free)
    return {
        "kl": gaussian_kl(mu, log_var).mean(),
        "kl mean": gaussian_kl(mu, log_var).mean() / mu.shape[1],
        "feat": (f - f_again).square().sum(1).mean() / (2 * deviation**2),
        "feat mean": (f - f_again).square().mean() / (2 * deviation**2),
        "feat free": (f - f_free).square().sum(1).mean() / (2 * deviation**2),
        "pixels": (real - again).square().flatten(1).sum(1).mean() / (2 * deviation**2),
        "no width": (f - f_again).square().sum(1).mean() / 2,
        "code mean": (f - discriminator(decoder(mu))[0]).square().sum(1).mean() / (2 * deviation**2),
        "fool": -(a_again + a_free).mean() / 2,
        "fool again": -a_again.mean(),
        "fool free": -a_free.mean(),
        "soft": (softplus(-a_again) + softplus(-a_free)).mean() / 2,
        "real": relu(1 - a).mean(),
        "again": relu(1 + a_again).mean(),
        "free": relu(1 + a_free).mean(),
        "help": (relu(1 + a_again) + relu(1 + a_free)).mean() / 2,
        "again real": relu(1 - a_again).mean(),
        "log": (softplus(-a) + softplus(a_again) / 2 + softplus(a_free) / 2).mean(),
    }


E = {"encoder": lambda t, g: t["kl"] + t["feat"]}
G = {"decoder": lambda t, g: g * t["feat"] + t["fool"]}
D = {"discriminator": lambda t, g: t["real"] + t["help"]}


def step_with(**losses):
    """A step in which some networks lower another loss(terms, gamma), the others their own."""
    losses = E | G | D | losses

    def step(encoder, decoder, discriminator, optimisers, real, eps, z, gamma, deviation):
        players = dict(zip(PLAYERS, (encoder, decoder, discriminator), strict=True))
        terms = one_loss(*players.values(), real, eps, z, deviation)
        for name, player in players.items():
            weights = list(player.parameters())
            loss = losses[name](terms, gamma)
            found = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
            for weight, gradient in zip(weights, found, strict=True):
                weight.grad = gradient
        for name in players:
            optimisers[name].step()

    return step


def one_after_another(encoder, decoder, discriminator, optimisers, real, eps, z, gamma, deviation):
    """Each network with a graph of its own, D first, with the fakes detached and the gradients cleared."""

    def clear():
        for optimiser in optimisers.values():
            optimiser.zero_grad()

    def code():
        mu, log_var = encoder(real)
        return mu + (log_var / 2).exp() * eps, gaussian_kl(mu, log_var).mean()

    clear()
    again, free = decoder(code()[0]).detach(), decoder(z).detach()
    a, b, c = (discriminator(each)[1] for each in (real, again, free))
    (hinge_discriminator(a, b).mean() / 2 + hinge_discriminator(a, c).mean() / 2).backward()
    optimisers["discriminator"].step()
    clear()
    again, free = decoder(code()[0].detach()), decoder(z)
    (f, _), (f_again, b), (_, c) = map(discriminator, (real, again, free))
    feature = ((f - f_again) ** 2).sum(1).mean() / (2 * deviation**2)
    (gamma * feature + (hinge_generator(b) + hinge_generator(c)).mean() / 2).backward()
    optimisers["decoder"].step()
    clear()
    drawn, kl = code()
    feature = ((discriminator(real)[0] - discriminator(decoder(drawn))[0]) ** 2).sum(1).mean()
    (kl + feature / (2 * deviation**2)).backward()
    optimisers["encoder"].step()


def with_frozen(encoder, decoder, discriminator, optimisers, real, eps, z, gamma, deviation):
    """By freezing who does not learn, and thawing everybody at the end."""
    players = dict(zip(PLAYERS, (encoder, decoder, discriminator), strict=True))
    losses = E | G | D
    for name in reversed(PLAYERS):
        for other, player in players.items():
            player.requires_grad_(other == name)
        loss = losses[name](one_loss(*players.values(), real, eps, z, deviation), gamma)
        optimisers[name].zero_grad(set_to_none=False)
        loss.backward()
        optimisers[name].step()
    for player in players.values():
        player.requires_grad_(True)


def backward_everything(clear=(), order=("discriminator", "encoder", "decoder")):
    """`backward` of all three losses into all networks; `clear` names the losses before which gradients are cleared."""

    def step(encoder, decoder, discriminator, optimisers, real, eps, z, gamma, deviation):
        terms = one_loss(encoder, decoder, discriminator, real, eps, z, deviation)
        for optimiser in optimisers.values():
            optimiser.zero_grad()
        for name in order:
            if name in clear:
                optimisers[name].zero_grad()
            (E | G | D)[name](terms, gamma).backward(retain_graph=True)
        for name in PLAYERS:
            optimisers[name].step()

    return step


def stale(encoder, decoder, discriminator, optimisers, real, eps, z, gamma, deviation):
    players = dict(zip(PLAYERS, (encoder, decoder, discriminator), strict=True))
    terms = one_loss(*players.values(), real, eps, z, deviation)
    for name, player in players.items():
        (E | G | D)[name](terms, gamma).backward(inputs=list(player.parameters()), retain_graph=True)
    for name in PLAYERS:
        optimisers[name].step()


def detached_code_step(encoder, decoder, discriminator, optimisers, real, eps, z, gamma, deviation):
    """The code is cut off, so the encoder hears only the KL."""

    def deaf(pictures):
        mu, log_var = encoder(pictures)
        heard.append(gaussian_kl(mu, log_var).mean())
        return mu.detach(), log_var.detach()

    heard = []
    terms = one_loss(deaf, decoder, discriminator, real, eps, z, deviation)
    losses = {
        "encoder": heard[0],
        "decoder": G["decoder"](terms, gamma),
        "discriminator": terms["real"] + terms["help"],
    }
    players = dict(zip(PLAYERS, (encoder, decoder, discriminator), strict=True))
    for name, player in players.items():
        optimisers[name].zero_grad()
        losses[name].backward(inputs=list(player.parameters()), retain_graph=True)
    for name in PLAYERS:
        optimisers[name].step()


def two_steps(*inputs):
    one_after_another(*inputs)
    inputs[3]["decoder"].step()


def left_frozen(*inputs):
    one_after_another(*inputs)
    inputs[2].requires_grad_(False)


def by_hand(*inputs):
    step_with()(*inputs)
    with torch.no_grad():
        for weight in inputs[2].parameters():
            weight.clamp_(-0.05, 0.05)


def changed_batch(*inputs):
    step_with()(*inputs)
    inputs[4].clamp_(-0.5, 0.5)


def encoder_forgotten(encoder, decoder, discriminator, optimisers, *inputs):
    class Rest:
        def step(self):
            pass

    step_with()(encoder, decoder, discriminator, optimisers | {"encoder": Rest()}, *inputs)


def stepping_too_early(encoder, decoder, discriminator, optimisers, real, eps, z, gamma, deviation):
    """The weights change, and then the old graph is used."""
    players = dict(zip(PLAYERS, (encoder, decoder, discriminator), strict=True))
    terms = one_loss(*players.values(), real, eps, z, deviation)
    for name in reversed(PLAYERS):
        optimisers[name].zero_grad()
        (E | G | D)[name](terms, gamma).backward(inputs=list(players[name].parameters()), retain_graph=True)
        optimisers[name].step()


STEP_RIGHT = {
    "autograd.grad": step_with(),
    "one after another": one_after_another,
    "frozen and thawed": with_frozen,
    "D's terms apart": step_with(discriminator=lambda t, g: t["real"] + 0.5 * t["again"] + 0.5 * t["free"]),
}
STEP_WRONG = {
    # the encoder
    "game to the encoder": (
        step_with(encoder=lambda t, g: t["kl"] + t["feat"] + t["fool"]),
        "encoder receives the game as well",
    ),
    "verdict to the encoder": (
        step_with(encoder=lambda t, g: t["kl"] + t["feat"] + t["fool again"] / 2),
        "encoder receives the game as well",
    ),
    "decoder's loss to the encoder": (
        step_with(encoder=lambda t, g: t["kl"] + g * t["feat"] + t["fool"]),
        "the decoder's whole loss",
    ),
    "flowchart": (step_with(encoder=lambda t, g: t["fool"]), "article's flowchart"),
    "γ to the encoder": (
        step_with(encoder=lambda t, g: t["kl"] + g * t["feat"]),
        "balances the losses of another",
    ),
    "γ on the KL": (step_with(encoder=lambda t, g: g * t["kl"] + t["feat"]), "γ on its KL"),
    "no KL": (step_with(encoder=lambda t, g: t["feat"]), "no KL"),
    "KL turned": (step_with(encoder=lambda t, g: t["feat"] - t["kl"]), "wrong sign at its KL"),
    "mean KL": (step_with(encoder=lambda t, g: t["kl mean"] + t["feat"]), "mean of the KL"),
    "mean features": (step_with(encoder=lambda t, g: t["kl"] + t["feat mean"]), "mean over the features"),
    "no σ": (step_with(encoder=lambda t, g: t["kl"] + t["no width"]), "no σ_f"),
    "no half": (step_with(encoder=lambda t, g: t["kl"] + 2 * t["feat"]), "½ of the feature loss"),
    "no noise": (step_with(encoder=lambda t, g: t["kl"] + t["code mean"]), "noise is not used"),
    "pixels to the encoder": (step_with(encoder=lambda t, g: t["kl"] + t["pixels"]), "pixel by pixel"),
    "code detached": (detached_code_step, "only the KL"),
    "encoder forgotten": (encoder_forgotten, "made 0 steps"),
    # the decoder
    "no γ": (step_with(decoder=lambda t, g: t["feat"] + t["fool"]), "no γ"),
    "γ on the game": (step_with(decoder=lambda t, g: t["feat"] + g * t["fool"]), "γ on the game"),
    "no game": (step_with(decoder=lambda t, g: g * t["feat"]), "nobody asks it to fool D"),
    "no features": (step_with(decoder=lambda t, g: t["fool"]), "no feature loss"),
    "decoder without prior": (
        step_with(decoder=lambda t, g: g * t["feat"] + t["fool again"]),
        "codes from the prior",
    ),
    "decoder without reconstructions": (
        step_with(decoder=lambda t, g: g * t["feat"] + t["fool free"]),
        "never plays with the reconstructions",
    ),
    "decoder sums": (
        step_with(decoder=lambda t, g: g * t["feat"] + 2 * t["fool"]),
        "decoder sums over both kinds",
    ),
    "decoder helps D": (step_with(decoder=lambda t, g: g * t["feat"] + t["help"]), "called fake"),
    "decoder turned": (step_with(decoder=lambda t, g: g * t["feat"] - t["fool"]), "D's wish"),
    "minimax": (step_with(decoder=lambda t, g: g * t["feat"] - t["help"]), "minimax"),
    "non-saturating": (
        step_with(decoder=lambda t, g: g * t["feat"] + t["soft"]),
        "non-saturating game of notebook 04",
    ),
    "pixels to the decoder": (step_with(decoder=lambda t, g: g * t["pixels"] + t["fool"]), "pixel by pixel"),
    "features of samples": (step_with(decoder=lambda t, g: g * t["feat free"] + t["fool"]), "no pairs"),
    "D's loss to the decoder": (
        step_with(decoder=lambda t, g: g * t["feat"] + t["fool"] + t["help"]),
        "also receives D's loss",
    ),
    # the discriminator
    "features to D": (
        step_with(discriminator=lambda t, g: t["real"] + t["help"] + t["feat"]),
        "make all features alike",
    ),
    "γ features to D": (
        step_with(discriminator=lambda t, g: t["real"] + t["help"] + g * t["feat"]),
        "times γ",
    ),
    "decoder's loss to D": (
        step_with(discriminator=lambda t, g: t["real"] + t["help"] + g * t["feat"] + t["fool"]),
        "receives the decoder's loss as well",
    ),
    "fooling to D": (
        step_with(discriminator=lambda t, g: t["real"] + t["help"] + t["fool"]),
        "wish to call fakes real",
    ),
    "D without prior": (step_with(discriminator=lambda t, g: t["real"] + t["again"]), "never sees samples"),
    "D without reconstructions": (
        step_with(discriminator=lambda t, g: t["real"] + t["free"]),
        "never sees reconstructions",
    ),
    "D without real": (step_with(discriminator=lambda t, g: t["help"]), "no real pictures"),
    "D without fakes": (step_with(discriminator=lambda t, g: t["real"]), "sees no fakes"),
    "D sums": (
        step_with(discriminator=lambda t, g: t["real"] + 2 * t["help"]),
        "discriminator sums over both kinds",
    ),
    "reconstructions are real": (
        step_with(discriminator=lambda t, g: t["real"] + t["again real"] + t["free"]),
        "discriminator",
    ),
    "cross-entropy": (step_with(discriminator=lambda t, g: t["log"]), "cross-entropy"),
    "D turned": (step_with(discriminator=lambda t, g: -t["real"] - t["help"]), "trained to be fooled"),
    # how it is done
    "three times backward": (backward_everything(), "encoder receives all three losses"),
    "backward, the encoder cleared": (
        backward_everything(clear=("encoder", "decoder"), order=("discriminator", "decoder", "encoder")),
        "The decoder",
    ),
    "nothing cleared": (stale, "the call before"),
    "two steps": (two_steps, "made 2 steps"),
    "left frozen": (left_frozen, "comes back frozen"),
    "weights clipped": (by_hand, "other means"),
    "batch changed": (changed_batch, "were changed"),
    "stepping too early": (stepping_too_early, "stops with RuntimeError"),
}

# --- M4: seed by seed --------------------------------------------------------------------------------------------


def differences(a, b):
    return np.asarray(a) - np.asarray(b)


def by_lists(a, b):
    d = [x - y for x, y in zip(a, b, strict=True)]
    mean = sum(d) / len(d)
    return mean, math.sqrt(sum((each - mean) ** 2 for each in d) / (len(d) - 1) / len(d))


def by_arrays(a, b):
    d = differences(a, b)
    return d.mean(), d.std(ddof=1) / np.sqrt(len(d))


def by_covariance(a, b):
    """var(a − b) = var a + var b − 2 cov(a, b)."""
    both = np.cov(a, b)
    return np.mean(a) - np.mean(b), np.sqrt((both[0, 0] + both[1, 1] - 2 * both[0, 1]) / len(a))


def error_by(rule):
    return lambda a, b: (
        differences(a, b).mean(),
        rule(np.asarray(a), np.asarray(b), differences(a, b), len(a)),
    )


def mean_by(rule):
    return lambda a, b: (rule(np.asarray(a), np.asarray(b)), by_arrays(a, b)[1])


PAIRED_RIGHT = {"lists": by_lists, "arrays": by_arrays, "covariance": by_covariance}
PAIRED_WRONG = {
    "sign": (lambda a, b: by_arrays(b, a), "sign is turned"),
    "absolute": (mean_by(lambda a, b: abs(a - b).mean()), "absolute value"),
    "sum": (mean_by(lambda a, b: (a - b).sum()), "sum, not the mean"),
    "ratio": (mean_by(lambda a, b: a.mean() / b.mean()), "ratio"),
    "s": (error_by(lambda a, b, d, n: d.std(ddof=1)), "s itself"),
    "n": (error_by(lambda a, b, d, n: d.std() / n**0.5), "by n, not by n − 1"),
    "no root of n": (error_by(lambda a, b, d, n: d.std(ddof=1) / n), "not by √n"),
    "variance": (error_by(lambda a, b, d, n: d.var(ddof=1) / n), "take the root"),
    "unpaired": (
        error_by(lambda a, b, d, n: math.sqrt(a.var(ddof=1) / n + b.var(ddof=1) / n)),
        "not paired: the two variances",
    ),
    "deviations added": (
        error_by(lambda a, b, d, n: (a.std(ddof=1) + b.std(ddof=1)) / n**0.5),
        "two deviations",
    ),
    "one model": (error_by(lambda a, b, d, n: a.std(ddof=1) / n**0.5), "one model alone"),
    "difference of errors": (
        error_by(lambda a, b, d, n: abs(a.std(ddof=1) - b.std(ddof=1)) / n**0.5),
        "difference of the two errors",
    ),
}

RIGHT = {
    "sharpness_ratio": SHARP_RIGHT,
    "true_to_form": FORM_RIGHT,
    "vae_loss": VAE_RIGHT,
    "vae_gan_step": STEP_RIGHT,
    "paired": PAIRED_RIGHT,
}
WRONG = {
    "sharpness_ratio": SHARP_WRONG,
    "true_to_form": FORM_WRONG,
    "vae_loss": VAE_WRONG,
    "vae_gan_step": STEP_WRONG,
    "paired": PAIRED_WRONG,
}
