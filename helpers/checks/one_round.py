"""Check of notebook 05's last bug hunt: a round of the two players that remembers too much.

A round is judged by how it moves both networks, compared with a right one and with every wrong one in a table.
"""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from helpers.checks.frame import Answer, Feedback, Mistake, Way, gives_feedback, right
from helpers.checks.gan import IMAGE, LATENT, RATE, TinyDiscriminator, TinyGenerator, same_moves


def _d_loss(real: Tensor, fake: Tensor) -> Tensor:
    return softplus(-real).mean() + softplus(fake).mean()


def _g_loss(fake: Tensor) -> Tensor:
    return softplus(-fake).mean()


def _round(
    d_loss=_d_loss,
    g_loss=_g_loss,
    clear=("d", "g"),
    cut=True,
    noise=(0, 1),
    old_d=False,
    g_first=False,
    both=False,
    steps=(1, 1),
    exchanged=False,
):
    """A round with some of its parts changed: what is cleared, where fakes are cut off, which D the generator meets.

    Each network in `clear` is cleared before its own backward; all are for "start" and "end", before and after all.
    """

    def play(generator, discriminator, g_optimiser, d_optimiser, real, z):
        everything = nn.ModuleList([generator, discriminator])
        if exchanged:
            g_optimiser, d_optimiser = d_optimiser, g_optimiser

        def update_g():
            critic = earlier if old_d else discriminator
            loss = g_loss(critic(generator(z[noise[1]])))
            if "g" in clear:
                generator.zero_grad()
            if both:
                d_optimiser.zero_grad()
            loss.backward()
            g_optimiser.step()
            if both:
                d_optimiser.step()

        def update_d():
            fake = generator(z[noise[0]])
            loss = d_loss(discriminator(real), discriminator(fake.detach() if cut else fake))
            if "d" in clear:
                discriminator.zero_grad()
            loss.backward()
            d_optimiser.step()

        if "start" in clear:
            everything.zero_grad()
        earlier = copy.deepcopy(discriminator)
        updates = [update_d] * steps[0] + [update_g] * steps[1]
        for update in reversed(updates) if g_first else updates:
            update()
        if "end" in clear:
            everything.zero_grad()
        return 0.0

    return play


def _at_once(generator, discriminator, g_optimiser, d_optimiser, real, z):
    """Both gradients are taken before either step, and D's contains G's loss."""
    nn.ModuleList([generator, discriminator]).zero_grad()
    _d_loss(discriminator(real), discriminator(generator(z[0]).detach())).backward()
    _g_loss(discriminator(generator(z[1]))).backward()
    d_optimiser.step()
    g_optimiser.step()
    return 0.0


def _one_step_each(generator, discriminator, g_optimiser, d_optimiser, real, z, steps_on_reals=1):
    fake = generator(z[0]).detach()
    for sign, images in [(-1, real)] * steps_on_reals + [(1, fake)]:
        d_optimiser.zero_grad()
        softplus(sign * discriminator(images)).mean().backward()
        d_optimiser.step()
    g_optimiser.zero_grad()
    _g_loss(discriminator(generator(z[1]))).backward()
    g_optimiser.step()
    return 0.0


def _two_on_reals(*players_and_data):
    return _one_step_each(*players_and_data, steps_on_reals=2)


def _with_exchanged_optimisers(generator, discriminator, g_optimiser, d_optimiser, real, z):
    """As when they are handed on in the wrong order: each clears the other network, too."""
    g_optimiser.zero_grad()
    _d_loss(discriminator(real), discriminator(generator(z[0]).detach())).backward()
    g_optimiser.step()
    d_optimiser.zero_grad()
    _g_loss(discriminator(generator(z[1]))).backward()
    d_optimiser.step()
    return 0.0


PILED_D = (
    "D's step still contains what an earlier `backward` left in D's gradients. Who clears them, and when?"
)
PILED_G = (
    "G's step still contains what an earlier `backward` left in G's gradients. Who clears them, and when?"
)
LATE = (
    "You clear when all is done, so the first round takes along what was left there before. Clear, then fill."
)
EXCHANGED = "The optimisers have changed places: which one moves which network?"
ROUND_WAYS = [
    Way("right", _round()),
    Way(
        "half",
        _round(d_loss=lambda r, f: _d_loss(r, f) / 2),
        "You take half of D's loss, a usual choice too: it halves D's steps.",
        ok=True,
    ),
    Way("d_not_cleared", _round(clear=("g",)), PILED_D),
    Way("g_not_cleared", _round(clear=("d",)), PILED_G),
    Way(
        "g_not_cleared",
        _round(clear=("d",), cut=False),
        "D's `backward` runs on into G, and G's step takes that gradient along. Two lines are missing: one that cuts, "
        "or one that clears.",
    ),
    Way(
        "not_cleared",
        _round(clear=(), cut=False),
        "Nothing is cleared: each network still adds up the gradients of both losses, of this round and of all before.",
    ),
    Way(
        "not_cleared",
        _round(clear=()),
        "The fakes are cut from G, and still nothing is cleared: gradients of earlier rounds pile up in both.",
    ),
    Way(
        "g_not_cleared",
        _round(clear=("start",), cut=False),
        "Clearing at the start is not enough here: D's `backward` runs on into G in the same round. Cut it off, or "
        "clear again.",
    ),
    *(Way("cleared_late", _round(clear=("end",), cut=cut), LATE) for cut in (True, False)),
    *(Way("exchanged", _round(exchanged=True, clear=clear), EXCHANGED) for clear in (("d", "g"), ("start",))),
    Way("exchanged", _with_exchanged_optimisers, EXCHANGED),
    Way("noise", _round(noise=(0, 0)), "Both steps use `z[0]`; the generator's step has noise of its own."),
    Way("noise", _round(noise=(1, 1)), "Both steps use `z[1]`; the fakes that D sees are those of `z[0]`."),
    Way(
        "noise",
        _round(noise=(1, 0)),
        "The two noises have changed places: `z[0]` is for D's step, `z[1]` for G's.",
    ),
    Way(
        "old_d",
        _round(old_d=True),
        "G's step goes through the D of before this round. That is another order of play; here the new D is asked for.",
    ),
    Way(
        "at_once",
        _at_once,
        "Both gradients are taken before either network has moved, and D's takes G's loss along. The round is: first "
        "D, then G through the new D.",
    ),
    Way(
        "g_first",
        _round(g_first=True),
        "G moves before D here. The round is: first D, then G through the new D.",
    ),
    Way(
        "minimax",
        _round(g_loss=lambda f: -softplus(f).mean()),
        "G's update follows the minimax loss, log(1 − D). Asked for is the one that does not saturate.",
    ),
    Way(
        "g_labels",
        _round(g_loss=lambda f: softplus(f).mean()),
        "G learns to be called fake: the sign in its loss is that of D's.",
    ),
    Way(
        "d_labels",
        _round(d_loss=lambda r, f: softplus(r).mean() + softplus(-f).mean()),
        "D learns to call reals fake and fakes real: both signs in its loss are turned.",
    ),
    Way(
        "no_fakes",
        _round(d_loss=lambda r, f: softplus(-r).mean() + 0 * f.mean()),
        "D's step leaves the fakes out.",
    ),
    Way(
        "no_reals",
        _round(d_loss=lambda r, f: softplus(f).mean() + 0 * r.mean()),
        "D's step leaves the reals out.",
    ),
    Way(
        "sum",
        _round(
            d_loss=lambda r, f: softplus(-r).sum() + softplus(f).sum(), g_loss=lambda f: softplus(-f).sum()
        ),
        "Both losses are summed over the batch, so larger batches take larger steps. A mean does not.",
    ),
    Way(
        "sum",
        _round(d_loss=lambda r, f: softplus(-r).sum() + softplus(f).sum()),
        "D's loss is summed over the batch, so larger batches take larger steps. A mean does not.",
    ),
    Way(
        "sum",
        _round(g_loss=lambda f: softplus(-f).sum()),
        "G's loss is summed over the batch, so larger batches take larger steps. A mean does not.",
    ),
    Way(
        "unequal",
        _round(d_loss=lambda r, f: 2 * softplus(-r).mean() + softplus(f).mean()),
        "The reals count twice in D's loss, and the fakes once.",
    ),
    Way("twice", _round(steps=(2, 1)), "D takes two whole steps in your round. One is asked for."),
    Way("twice", _round(steps=(1, 2)), "G takes two whole steps in your round. One is asked for."),
    Way(
        "d_moved",
        _round(both=True),
        "D moves in G's step as well, down G's loss: it learns to call fakes real. Let only G's optimiser step there.",
    ),
    Way(
        "two_steps",
        _one_step_each,
        "D takes two steps here, one on reals and one on fakes. One step on both is asked.",
    ),
    Way(
        "two_steps",
        _two_on_reals,
        "D takes two steps on the same reals, and another on fakes. One step on both is asked for.",
    ),
]


def _case(batch: int, batch_norm: bool) -> tuple[nn.Module, nn.Module, Tensor, Tensor]:
    real = torch.rand(2, batch, *IMAGE) * 2 - 1  # one for each of the two rounds
    return TinyGenerator(batch_norm), TinyDiscriminator(), real, torch.randn(2, 2, batch, LATENT)


# What may be left behind by a round, and how a round that puts it right itself is told.
LEFT = {
    "left_frozen": "A network is still frozen when the round is over",
    "left_in_eval": "A network is still in evaluation mode when the round is over",
}


def _moves(play: Callable, case: tuple, optimiser=torch.optim.SGD, left: list | None = None) -> Tensor:
    """The moves (2, 2 networks' parameters) of two rounds of `optimiser`, from stale gradients in both.

    What else than parameters is changed when the first round is over goes to `left`, as a key of `LEFT`; it is raised
    as a `Mistake` if the second round stops by one.
    """
    generator, discriminator, reals, noises = copy.deepcopy(case)
    networks, left = nn.ModuleList([generator, discriminator]), [] if left is None else left
    for parameter in networks.parameters():
        stale = torch.sin(torch.arange(parameter.numel()).view_as(parameter))
        parameter.grad = 0.3 * stale.to(parameter)
    optimisers = [optimiser(network.parameters(), lr=RATE) for network in networks]
    moves = []
    for real, z in zip(reals, noises, strict=True):
        before = [each.detach().clone() for each in networks.parameters()]
        try:
            play(generator, discriminator, *optimisers, real.clone(), z.clone())
        except Mistake as found:
            if found.feedback.kind == "detached" and left:
                raise _left(left[0]) from None
            if found.feedback.kind != "none":  # nothing has to be returned
                raise
        after = [each.detach() for each in networks.parameters()]
        moves.append(torch.cat([(b - a).flatten() for a, b in zip(before, after, strict=True)]).double())
        if not all(each.requires_grad for each in networks.parameters()):
            left.append("left_frozen")
        if not all(module.training for network in (generator, discriminator) for module in network.modules()):
            left.append("left_in_eval")
    return torch.stack(moves)


def _left(kind: str) -> Mistake:
    return Mistake(kind, f"{LEFT[kind]}, and the next one suffers.")


def _adam(parameters, lr: float) -> torch.optim.Adam:
    return torch.optim.Adam(parameters, lr=lr, eps=1e-2)  # large, so that rounding is no step


@gives_feedback
def check_round(play: Callable) -> Feedback:
    """Say whether `play(generator, discriminator, g_optimiser, d_optimiser, real, z)` is one round of the two players.

    z (2, B, latent): D's step on softplus(−a_real) + softplus(a_fake) with the fakes of z[0], then G's on softplus(−a)
    of z[1] through the new D, each a mean over the batch. Compared are the moves of all parameters over two rounds of
    gradient descent, and two of Adam, that begin with stale gradients, to a relative 1e-3. What is returned does not
    matter. Raises nothing.
    """
    answer = Answer(play, "my_round(generator, discriminator, g_optimiser, d_optimiser, real, z)")
    torch.manual_seed(5)
    cases = [_case(5, batch_norm=True), _case(7, batch_norm=False)]
    left: list[str] = []
    seen = [_moves(answer, case, left=left) for case in cases]
    if not all(each.isfinite().all() for each in seen):
        raise Mistake(
            "nan", "After your round some parameters are NaN or infinite. Where can a logarithm of 0 come in?"
        )
    if left and not all(
        same_moves(each, _moves(_round(), case)) for each, case in zip(seen, cases, strict=True)
    ):
        raise _left(left[0])
    for way in ROUND_WAYS:
        if all(same_moves(each, _moves(way.answer, case)) for each, case in zip(seen, cases, strict=True)):
            if way.kind == "right" or way.ok:
                if not same_moves(_moves(answer, cases[1], _adam), _moves(way.answer, cases[1], _adam)):
                    raise Mistake(
                        "idle_step",
                        "With plain gradient descent your round is right. With Adam a network moves once more, by what "
                        "it remembers: does an optimiser step whose turn it is not?",
                    )
                remarks = [(way.kind, way.message)] if way.ok else []
                remarks += [(kind, f"{LEFT[kind]}, and yours puts that right itself.") for kind in left[:1]]
                return right("Each network moves by its own loss alone, in every round.", remarks)
            raise Mistake(way.kind, way.message)
    size = sum(each.numel() for each in cases[0][0].parameters())
    wanted = [_moves(_round(), case) for case in cases]
    for name, part in (("G", slice(0, size)), ("D", slice(size, None))):
        if not seen[0][0, part].any():
            raise Mistake(
                "still",
                f"{name} does not move in your round. Is its way cut by a `detach` or a `no_grad`, is it frozen, "
                "does its optimiser never step, or only after the gradient was cleared?",
            )
    first = all(same_moves(each[0], want[0]) for each, want in zip(seen, wanted, strict=True))
    if first:
        raise Mistake(
            "second_round", "The first round is right and the second is not: something is left over."
        )
    wrong = [
        name
        for name, part in (("G", slice(0, size)), ("D", slice(size, None)))
        if not same_moves(seen[0][0, part], wanted[0][0, part])
    ]
    raise Mistake(
        "update",
        f"{' and '.join(wrong)} moved, but not along the gradient of the loss asked for. Check, line by line, "
        "what each gradient contains when its optimiser steps.",
    )
