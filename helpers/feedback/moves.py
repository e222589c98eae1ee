"""What a function that trains does: how networks move under our optimisers, what it returns, what it leaves behind."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from helpers.feedback.observe import CHANGED, FROZEN, IN_EVAL, Case, Seen, copied, finite, nan_mistake
from helpers.feedback.reading import number
from helpers.feedback.says import Mistake

SAID = {  # effects that are mistakes wherever they are seen, with kind and sentence; `{}` is what they are about
    "moved": ("moved", "Your function changes the {}, which it should leave as it is."),
    "frozen": ("left_frozen", FROZEN),
    "eval": ("left_in_eval", IN_EVAL),
    "changed": ("changed_input", CHANGED.replace("{}", "`{}`, which")),
    "by_hand": ("own_optimiser", "The {} moves, but not by the optimiser that comes in. Let that one step."),
}
NOT_FINITE = (
    "When your function is over, some parameters are NaN or infinite. Where can a logarithm of 0 come in?"
)
LAYERS = "Your function changes the layers of a network. Leave them as they come."


def descent(parameters: Iterable[Tensor]) -> torch.optim.Optimizer:
    """Plain gradient descent, whose moves show size and sign of a gradient; Adam would hide the size."""
    return torch.optim.SGD(parameters, lr=0.1)


class Recorder(torch.optim.SGD):
    """Adds up the gradients that it finds at each `step`, and moves nothing, so the order of steps does not matter."""

    def __init__(self, parameters: Iterable[Tensor]):
        super().__init__(parameters, lr=0.0)
        self.found = torch.zeros_like(_flat(self.param_groups[0]["params"]))

    @torch.no_grad()
    def step(self, closure=None):
        own = self.param_groups[0]["params"]
        self.found = self.found + _gradients(own)
        for each in (p for p in own if p.grad is not None):
            each.mul_(1)  # in place, so a graph that a real optimiser would spoil is spoilt here too


class Did(Seen):
    """The moves that were seen, the numbers `returned`, and `effects`: pairs of a word and what it is about."""

    effects: frozenset[tuple[str, str]] = frozenset()
    returned: Tensor | None = None

    def has(self, effect: str, about: str | None = None) -> bool:
        return any(word == effect and about in (None, other) for word, other in self.effects)


@dataclass(frozen=True, eq=False)
class Moves:
    """How the networks that `trains` names move, when a function is called some times on one copy of a case.

    `given` puts their optimisers, {network: optimiser}, into arguments (the case has None there); `stale` are networks
    that begin with old gradients. Seen are "moves", all in the first call, and those of a network in a call, as in
    "generator 1"; with `optimiser=Recorder` the gradients at its steps. `returned` is the name of the number that
    should come back, "" where anything may.

    Effects: "moved" (by no optimiser of ours), "by_hand" (without its own), "frozen", "eval", "changed" (an argument),
    "gradients" (new ones are left), "reached" (by a gradient), "steps_missing", "steps_many". Those in `SAID` are
    raised, with what `said` has in its place; those in `later` only if a call stops after they came about. Then `look`
    says whether anything else is a mistake whatever the task's rows give.
    """

    trains: Sequence[str]
    given: Callable[[Mapping[str, torch.optim.Optimizer]], Mapping[str, object]]
    returned: str = ""
    stale: tuple[str, ...] = ()
    said: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    later: tuple[str, ...] = ()
    look: Callable[[Did], Mistake | None] = lambda did: None
    calls: int = 2
    optimiser: Callable[[Iterable[Tensor]], torch.optim.Optimizer] = descent

    @property
    def results(self) -> Mapping[str, None]:
        every = [f"{name} {k + 1}" for k in range(self.calls) for name in self.trains]
        return dict.fromkeys(["moves", *every])

    def glance(self, call: Callable[[Case], object], case: Case) -> Tensor:
        """The "moves" alone, on networks that are put back and used again: a cheap first filter of many choices."""
        play, kept = case.once(self._bench)
        with torch.no_grad():
            for tensor, value, trains, gradient in kept:
                tensor.requires_grad_(trains).grad = None if gradient is None else gradient.clone()
                tensor.copy_(value)
        with torch.enable_grad():
            return torch.cat(play(call)[0])

    def _bench(self, case: Case) -> tuple["_Play", list[tuple]]:
        """A play whose networks no learner's function meets, and what puts them back."""
        play = _Play(self, copied(case))
        every = [t for each in play.networks.values() for t in each.state_dict(keep_vars=True).values()]
        return play, [(t, t.detach().clone(), t.requires_grad, t.grad) for t in every]

    def __call__(self, call: Callable[[Case], object], case: Case) -> Did:
        """What `call` does on a copy of `case`. Raises `Mistake`."""
        play, did, returned = _Play(self, copied(case)), Did(), []
        play.watch()
        for k in range(self.calls):
            try:
                moves, value = play(call)
                returned += [number(value, self.returned)] if self.returned else []
            except Mistake:
                self._judge(play.effects(case, k) if k else ())
                raise
            did.setdefault("moves", torch.cat(moves))
            did.update({f"{name} {k + 1}": each for name, each in zip(self.trains, moves, strict=True)})
        did.effects = play.effects(case, self.calls)
        did.returned = torch.tensor(returned, dtype=torch.float64)
        self._judge(did.effects, self.later)
        if not did.returned.isfinite().all():
            raise nan_mistake(Seen(returned=did.returned))
        if not finite(did):
            raise Mistake("nan", NOT_FINITE)
        if found := self.look(did):
            raise found
        return did

    def _judge(self, effects: Iterable[tuple[str, str]], but: Sequence[str] = ()) -> None:
        for effect, (kind, say) in {**SAID, **self.said}.items():
            for word, about in sorted(effects):
                if word == effect and effect not in but:
                    raise Mistake(kind, say.format(about))


class _Play:
    """Calls of a function on the same arguments, with optimisers in their places."""

    def __init__(self, observe: Moves, mine: Case):
        for each in (p for name in observe.stale for p in mine[name].parameters()):
            each.grad = 0.3 * torch.cos(torch.arange(each.numel()).view_as(each)).to(each)
        self.made = {name: observe.optimiser(mine[name].parameters()) for name in observe.trains}
        self.mine = mine.but(**observe.given(self.made))
        self.networks = _networks(mine)

    def __call__(self, call: Callable[[Case], object]) -> tuple[list[Tensor], object]:
        before = self._places()
        value = call(self.mine)
        after = self._places()
        if [each.shape for each in before] != [each.shape for each in after]:
            raise Mistake("layers", LAYERS)
        return [b - a for a, b in zip(before, after, strict=True)], value

    def _places(self) -> list[Tensor]:
        made = self.made.items()
        return [
            o.found if isinstance(o, Recorder) else _flat(self.networks[name].parameters())
            for name, o in made
        ]

    def watch(self) -> None:
        """From now on, count steps and note whom a gradient reaches."""
        self.steps, self.found = [], set()
        self.old = {name: _gradients(network.parameters()) for name, network in self.networks.items()}
        for name, network in self.networks.items():
            for each in (p for p in network.parameters() if p.requires_grad):
                each.register_hook(lambda _, name=name: self.found.add(("reached", name)))
        for name, made in self.made.items():
            made.register_step_post_hook(lambda *_, name=name: self.steps.append(name))

    def effects(self, case: Case, calls: int) -> frozenset[tuple[str, str]]:
        effects = dict.fromkeys(self.found, True)
        for name, network in self.networks.items():
            parts = list(zip(case[name].parameters(), network.parameters(), strict=False))
            modes = zip(case[name].modules(), network.modules(), strict=False)
            moved, left = any(not _same(a, b) for a, b in parts), _gradients(network.parameters())
            own = name in self.made and not isinstance(self.made[name], Recorder)
            steps = self.steps.count(name) - calls * (name in self.made)
            effects["moved", name] = moved and not own
            effects["by_hand", name] = moved and own and steps < 0
            effects["frozen", name] = any(a.requires_grad and not b.requires_grad for a, b in parts)
            effects["eval", name] = any(a.training and not b.training for a, b in modes)
            effects["gradients", name] = bool(left.any()) and not _same(left, self.old[name])
            effects["steps_missing", name], effects["steps_many", name] = steps < 0, steps > 0
        for name, value in case.items():
            effects["changed", name] = isinstance(value, Tensor) and not _same(value, self.mine[name])
        return frozenset(effect for effect, there in effects.items() if there)


def _networks(case: Case) -> dict[str, nn.Module]:
    return {name: value for name, value in case.items() if isinstance(value, nn.Module)}


def _same(one: Tensor, other: Tensor) -> bool:
    return one.dtype == other.dtype and one.shape == other.shape and torch.equal(one, other)


def _flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([each.detach().flatten() for each in tensors]).double()


def _gradients(parameters: Iterable[Tensor]) -> Tensor:
    return _flat(torch.zeros_like(p) if p.grad is None else p.grad for p in parameters)
