"""Check of notebook 15: the three losses of a VAE-GAN, each of which trains its own network.

The optimisers that are handed in record the gradients they find, and move nothing. What each network receives is
compared with what it should have, and with known errors.
"""

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from helpers.feedback import Case, Close, Feedback, Mistake, Moves, Row, Task, Trial, diagnose
from helpers.feedback.fallbacks import told
from helpers.feedback.moves import Recorder
from helpers.feedback.observe import alike, multiple

NETWORKS = "encoder", "decoder", "discriminator"
CLOSE = Close(1e-3, 1e-9)


# The codes that are decoded, and the samples of the prior


def _posterior(c: Case, eps: Tensor) -> Tensor:
    mu, log_var = c.encoder(c.real)
    return mu + (log_var / 2).exp() * eps


NO_NOISE = "The code is the mean itself. A VAE-GAN decodes a sample of q, and ε is handed to you for it."
CODES = [
    Row("right", lambda c: (_posterior(c, c.eps), c.z), ok=True),
    Row("no_noise", lambda c: (c.encoder(c.real)[0], c.z), NO_NOISE),
    Row("deviation", lambda c: (_posterior(c, c.eps * (c.encoder(c.real)[1] / 2).exp()), c.z),
        "The noise is multiplied by the variance. The standard deviation belongs there."),
    Row("no_noise", lambda c: (c.eps, c.z), "The reconstruction is decoded from ε alone, so it cannot know the image."),
    Row("eps_for_z", lambda c: (_posterior(c, c.eps), c.eps),
        "The sample is decoded from ε. Which of the arguments are samples of the prior?"),
    Row("z_for_eps", lambda c: (_posterior(c, c.z), c.z),
        "The code is sampled with z for its noise. Which of the arguments is its noise?"),
]  # fmt: skip


def _terms(c: Case, code: Callable) -> dict[str, Tensor]:
    """All terms that a loss may be made of."""
    mu, log_var = c.encoder(c.real)
    again, sample = map(c.decoder, code(c))
    (f, a), (f_again, a_again), (_, a_sample) = map(c.discriminator, (c.real, again, sample))
    return dict(
        kl=0.5 * (mu.square() + log_var.exp() - 1 - log_var).sum(1).mean(),
        features=(f - f_again).square().sum(1).mean() / 2,
        pixels=(c.real - again).square().flatten(1).sum(1).mean() / 2,
        fool=(softplus(-a_again) + softplus(-a_sample)).mean() / 2,
        fool_again=softplus(-a_again).mean(),
        fool_sample=softplus(-a_sample).mean(),
        fake=(softplus(a_again) + softplus(a_sample)).mean() / 2,
        again=softplus(a_again).mean(),
        sample=softplus(a_sample).mean(),
        real=softplus(-a).mean(),
        real_as_fake=softplus(a).mean(),
    )


# The loss of each network, from its terms


def _right(name: str, t: Case, fakes: int = 1) -> Tensor:
    """The loss of a network; `fakes` = 2 sums over the two kinds of fakes, 1 averages."""
    if name == "encoder":
        return t.kl + t.features
    return t.gamma * t.features + fakes * t.fool if name == "decoder" else t.real + fakes * t.fake


def _others(name: str, but: tuple[tuple[str, ...], ...] = ()) -> list[Row]:
    """The loss of another network beside that of `name`, or in its place; and its own, turned round."""
    turned = f"The {name}'s gradient points the opposite way: its whole loss has the wrong sign."
    rows = [Row("sign", lambda t: -_right(name, t), turned)]
    for who in (each for each in NETWORKS if each != name):
        said = {
            (who,): f"The {who}'s loss stands in place of a network's own. Was its gradient cleared before that step?",
            (name, who): f"The {who}'s loss reaches other networks: `backward` fills all it passes, unless told where.",
        }  # fmt: skip
        for whose in (each for each in said if each not in but):
            for n in (1, 2)[: 1 + (whose != ("encoder",))]:  # no fakes in the encoder's
                rows.append(Row("other_loss", functools.partial(_sum, whose, n), said[whose]))
    return rows


def _sum(names: tuple[str, ...], fakes: int, t: Case) -> Tensor:
    return sum(_right(name, t, fakes) for name in names)


AVERAGED = "The features are averaged over their dimensions. A Gaussian likelihood is a sum over them."
NO_HALF = "The features' squared distance lacks its ½, which the Gaussian likelihood brings with it."
MSE = "The features are averaged over their dimensions, and the ½ is lacking. A Gaussian likelihood has a ½ and a sum."
SUMMED = "The features' distance is summed over the images too. The other terms are means over images."
PIXELS = "The reconstruction is compared pixel by pixel. Here it is compared in D's features, or the blur comes back."
TO_ENCODER = "The encoder also receives the adversarial loss. Its codes should say what the image is, not what fools D."
E_LOSSES = [
    Row("right", lambda t: t.kl + t.features, ok=True),
    Row("game_to_encoder", lambda t: t.kl + t.features + t.fool, TO_ENCODER),
    Row("game_to_encoder", lambda t: t.kl + t.gamma * t.features + t.fool,
        "The encoder is trained on the decoder's loss and the KL together. Whose task is it to fool D?"),
    Row("decoders_loss", lambda t: t.gamma * t.features + t.fool,
        "The encoder is trained on the decoder's loss. Which two terms of the three losses say what a code should be?"),
    Row("game_to_encoder", lambda t: t.fool,
        "The encoder learns from the discriminator's verdict alone, as the article's flowchart has it."),
    Row("gamma_to_encoder", lambda t: t.kl + t.gamma * t.features,
        "The encoder's reconstruction carries γ. That weight balances the two losses of another network."),
    Row("no_kl", lambda t: t.features, "No KL, or hardly any, reaches the encoder: nothing ties codes to the prior."),
    Row("only_kl", lambda t: t.kl, "Only the KL reaches the encoder. Is its code cut off by a `detach` on the way?"),
    Row("pixels", lambda t: t.kl + t.pixels, PIXELS),
    Row("mean", lambda t: t.kl + t.features / t.n, AVERAGED),
    Row("half", lambda t: t.kl + 2 * t.features, NO_HALF),
    Row("mean", lambda t: t.kl + 2 * t.features / t.n, MSE),
    Row("sum", lambda t: t.kl + t.images * t.features, SUMMED),
    Row("sum", lambda t: t.images * t.kl + t.features,
        "The KL is summed over the images too. The other term is a mean over images."),
    Row("kl_half", lambda t: 2 * t.kl + t.features, "Your KL is twice too large. Which factor stands before its sum?"),
    Row("kl_mean", lambda t: t.kl / t.latent + t.features,
        "The KL is averaged over the dimensions of the code. It is a sum over them, and a mean over images."),
    Row("kl_sign", lambda t: t.features - t.kl, "The KL has the wrong sign: it drives the codes away from the prior."),
    *_others("encoder", but=(("decoder",),)),
]  # fmt: skip
G_LOSSES = [
    Row("right", lambda t: _right("decoder", t), ok=True),
    Row("two_fakes", lambda t: _right("decoder", t, 2),
        "The decoder's adversarial loss is summed over both kinds of fakes, as in the paper; here it is their mean.",
        ok=True),
    Row("no_gamma", lambda t: t.features + t.fool,
        "The decoder's two losses meet with equal weight. Which number should balance them?"),
    Row("gamma_on_game", lambda t: t.features + t.gamma * t.fool,
        "In the decoder's loss γ weighs the adversarial term. It belongs to the other one."),
    Row("no_game", lambda t: t.gamma * t.features,
        "No adversarial loss reaches the decoder: no loss asks it to fool D. Is a fake detached that should not be?"),
    Row("no_reconstruction", lambda t: t.fool,
        "No reconstruction reaches the decoder, so it may draw anything that looks real, whatever the code says."),
    Row("no_prior", lambda t: t.gamma * t.features + t.fool_again,
        "The decoder's adversarial loss lacks the samples of the prior, yet you will sample from it later."),
    Row("only_prior", lambda t: t.gamma * t.features + t.fool_sample,
        "The decoder's adversarial loss leaves the reconstructions out; both kinds of fakes belong in it."),
    Row("helps_d", lambda t: t.gamma * t.features + t.fake,
        "The decoder is taught to have its images called fake. That is D's loss, not its own."),
    Row("minimax", lambda t: t.gamma * t.features - t.fake,
        "That is the minimax loss of the generator. Here it minimises the non-saturating −log D."),
    Row("pixels", lambda t: t.gamma * t.pixels + t.fool, PIXELS),
    Row("mean", lambda t: t.gamma * t.features / t.n + t.fool, AVERAGED),
    Row("half", lambda t: 2 * t.gamma * t.features + t.fool, NO_HALF),
    Row("mean", lambda t: 2 * t.gamma * t.features / t.n + t.fool, MSE),
    Row("sum", lambda t: t.gamma * t.images * t.features + t.fool, SUMMED),
    *_others("decoder"),
]  # fmt: skip
TO_D = "The reconstruction reaches D as well: it can make all features alike, and then they compare nothing."
D_LOSSES = [
    Row("right", lambda t: _right("discriminator", t), ok=True),
    Row("two_fakes", lambda t: _right("discriminator", t, 2),
        "In D's loss both kinds of fakes are added, so that they weigh twice as much as the reals.", ok=True),
    Row("features_to_d", lambda t: t.real + t.fake + t.features, TO_D),
    Row("features_to_d", lambda t: t.real + t.fake + t.gamma * t.features, TO_D),
    Row("fool_to_d", lambda t: t.real + t.fake + t.fool,
        "D also receives the loss that calls fakes real, which is the decoder's."),
    Row("no_prior", lambda t: t.real + t.again,
        "D never sees images decoded from the prior, so it does not learn to reject what you will sample later."),
    Row("only_prior", lambda t: t.real + t.sample, "D never sees the reconstructions as fakes."),
    Row("no_real", lambda t: t.fake,
        "D sees no real images, as in the article's flowchart: calling all of them fake costs it nothing."),
    Row("real_as_fake", lambda t: t.real_as_fake + t.fake,
        "D is told to call real images fake. Check the sign inside their softplus."),
    Row("fake_as_real", lambda t: t.real + t.fool, "D is told to call fakes real. Check the sign of their softplus."),
    Row("labels", lambda t: t.real_as_fake + t.fool, "D is told to call real images fake, and fakes real."),
    Row("no_fakes", lambda t: t.real, "D sees no fakes: calling everything real costs it nothing."),
    *_others("discriminator", but=(("discriminator", "encoder"),)),
]  # fmt: skip
LOSSES = dict(zip(NETWORKS, (E_LOSSES, G_LOSSES, D_LOSSES), strict=True))
EVERYWHERE = "Each loss reaches all networks on its way: `backward` fills them, unless told where."
ROUTES = [  # whose losses reach a network
    Row("right", lambda name: (name,), ok=True),
    Row("other_loss", lambda name: NETWORKS, EVERYWHERE),
    Row("other_loss", lambda name: NETWORKS[NETWORKS.index(name) :], EVERYWHERE),  # where its own clears it
]  # fmt: skip
CLEARED = [
    Row("right", lambda: NETWORKS, ok=True),
    Row("stale", lambda: (), "Every network still holds the gradients of the last call: `backward` adds."),
    *[
        Row("stale", lambda name=name: tuple(each for each in NETWORKS if each != name),
            f"The {name} still holds the gradient of the last call: `backward` adds.") for name in NETWORKS
    ],
]  # fmt: skip


# Who receives what


def _gradients(c: Case, code: Callable) -> dict[str, Case]:
    """The gradient of each term at each network, flat. A loss is a sum of terms, and its gradient the sum of theirs."""
    parts = [part for each in NETWORKS for part in c[each].parameters()]
    sizes = [sum(part.numel() for part in c[each].parameters()) for each in NETWORKS]
    numbers = dict(gamma=c.gamma, images=len(c.real), latent=c.z.shape[1], n=c.discriminator.head.in_features)
    known = {each: Case(numbers) for each in NETWORKS}
    with torch.enable_grad():
        for term, value in _terms(c, code).items():
            found = torch.autograd.grad(value, parts, retain_graph=True, allow_unused=True)
            found = [torch.zeros_like(p) if g is None else g for g, p in zip(found, parts, strict=True)]
            flat = torch.cat([each.flatten() for each in found])
            for each, own in zip(NETWORKS, flat.split(sizes), strict=True):
                known[each][term] = own
    return known


def _gradient(c: Case, code: Callable, loss: Callable, name: str) -> Tensor:
    """The gradient of a loss at the parameters of a network, flat."""
    known = c.once(dict)
    if code not in known:
        known[code] = _gradients(c, code)
    if (code, loss, name) not in known:
        known[code, loss, name] = loss(known[code][name])
    return known[code, loss, name]


class _Wires(Moves):
    def glance(self, choice: Callable, case: Case) -> Tensor:
        """The gradients of the first call: put together, since many choices share them."""
        *functions, _ = (row.f for row in choice.rows)
        return torch.cat(list(_received(case, *functions).values())).double()


def _received(c: Case, code: Callable, *rest: Callable) -> dict[str, Tensor]:
    """The gradient at each network, of all losses that reach it."""
    *losses, routes = rest
    of = dict(zip(NETWORKS, losses, strict=True))
    return {name: sum(_gradient(c, code, of[each], name) for each in routes(name)) for name in NETWORKS}


def _step(c: Case, *functions: Callable) -> None:
    *functions, cleared = functions
    for name, flat in _received(c, *functions).items():
        parts = list(c[name].parameters())
        for part, new in zip(parts, flat.split([part.numel() for part in parts]), strict=True):
            kept = 0 if name in cleared() or part.grad is None else part.grad
            part.grad = new.view_as(part) + kept
    for optimiser in c.optimisers:
        optimiser.step()


def _one_network(trial: Trial) -> Mistake | None:
    """The first network that receives something else, looked at alone."""
    for name, rows in LOSSES.items():
        found = [seen[f"{name} 1"] for seen in trial.seen]
        if not all(each.any() for each in found):
            return Mistake("empty", EMPTY.format(name))

        def gives(code: Row, loss: Row, name=name, found=found) -> bool:
            ours = [_gradient(case, code.f, loss.f, name).double() for case in trial.cases]
            return all(alike(each, our, CLOSE) for each, our in zip(found, ours, strict=True))

        rights = [row for row in rows if row.ok]
        if any(gives(CODES[0], row) for row in rights):
            continue
        choices = [(row, CODES[0], row) for row in rows]
        choices += [(code, code, row) for code in CODES[1:] for row in rights]
        for wrong, code, loss in choices:
            if gives(code, loss):
                return Mistake(wrong.kind, wrong.say)
        return _another(name, found[0], trial.cases[0])
    return Mistake(
        "second_call", "A first call is right, and a second one not: what is left over from the first?"
    )


EMPTY = (
    "The {}'s gradient is zero or empty when its optimiser steps. Was it cleared after `backward`, does `backward` "
    "come later, or does no loss reach it?"
)
ANOTHER = (
    "The {0}'s gradient is another one: {1} times as long as it should be, at a cosine of {2} with that. Which terms "
    "reach the {0}, and with which weights?"
)
SCALED = "The {}'s gradient has the right direction, but {} times the right length, for {} images. {}"


def _another(name: str, seen: Tensor, case: Case) -> Mistake:
    """How long the gradient of a network is, and where it points."""
    right, images = _gradient(case, CODES[0].f, LOSSES[name][0].f, name).double(), len(case.real)
    times, cosine = multiple(seen, right, CLOSE), torch.cosine_similarity(seen, right, dim=0)
    if times is None:
        return Mistake("gradient", ANOTHER.format(name, told(seen.norm() / right.norm()), told(cosine, 4)))
    summed = any(abs(times - n) < 1e-3 * n for n in (images, 1 / images))
    asked = "What is summed where a mean is wanted, or the reverse?" if summed else "Which factor is that?"
    return Mistake("scale", SCALED.format(name, told(times), images, asked))


# Small networks


class _Encoder(nn.Sequential):
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return super().forward(images).chunk(2, dim=1)


class _Discriminator(nn.Module):
    def __init__(self, features: int):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(16, features), nn.Tanh())
        self.head = nn.Linear(features, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(images)
        return features, 3 * self.head(features).squeeze(1)


def _case(batch: int, latent: int, hidden: int, features: int, gamma: float) -> Case:
    """Networks for images of 4 × 4 pixels, where no term's gradient is lost beside the others."""
    eps, z = torch.randn(2, batch, latent)
    last = nn.Linear(hidden, 16), nn.Tanh(), nn.Unflatten(1, (1, 4, 4))
    case = Case(
        encoder=_Encoder(nn.Flatten(), nn.Linear(16, hidden), nn.Tanh(), nn.Linear(hidden, 2 * latent)),
        decoder=nn.Sequential(nn.Linear(latent, hidden), nn.Tanh(), *last),
        discriminator=_Discriminator(features),
        optimisers=None, real=torch.rand(batch, 1, 4, 4) * 2 - 1, eps=eps, z=z, gamma=gamma,
    )  # fmt: skip
    with torch.no_grad():
        for layer in (case.decoder[0], case.discriminator.body[1]):
            layer.weight.mul_(2.5)
    return case


VAE_GAN = Task(
    usage="my_vae_gan_step(encoder, decoder, discriminator, optimisers, real, eps, z, gamma)",
    cases=lambda: [_case(5, 3, 6, 7, 0.3), _case(8, 2, 9, 5, 0.45)],
    tables=(CODES, *LOSSES.values(), ROUTES, CLEARED),
    compose=_step,
    observe=_Wires(
        NETWORKS, lambda made: {"optimisers": tuple(made.values())}, optimiser=Recorder,
        said={
            "moved": ("by_hand", "The {} was changed by other means than its optimiser. Let that one step."),
            "steps_missing": ("steps", "The {}'s optimiser does not step in a call. Each of the three should, once."),
            "steps_many": ("steps", "The {}'s optimiser steps more than once in a call; once is wanted."),
        }),
    praise="Each network receives the gradient of its own loss, and nothing else.",
    close=CLOSE,
    witness=_one_network,
    noise=("own_noise", "A network finds another gradient each time, though the arguments are the same. Is new noise "
           "drawn where noise was handed to you?"),
    said=(
        ("backward through the graph a second time", "second_backward",
         "A `backward` finds its graph gone, freed by an earlier one. Keep the graph, or compute it again."),
        ("modified by an inplace operation", "in_place",
         "A `backward` needs a tensor that was changed in place: by `+=`, by a method that ends in `_`, or by an "
         "optimiser that had already stepped. When may each step, and through which networks does each loss pass?"),
    ),
    nothing=True,
    seed=15,
    fixed=(4,),
)  # fmt: skip


def check_vae_gan_wiring(step: Callable) -> Feedback:
    """Say whether `step(encoder, decoder, discriminator, optimisers, real, eps, z, gamma)` gives each its own gradient.

    `discriminator(images)` returns (features, logits); `optimisers` are those of the three, in this order. What `step`
    returns does not matter. Raises nothing.
    """
    return diagnose(VAE_GAN, step)
