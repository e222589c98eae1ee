"""Explaining what was seen: out of tables of right and wrong rows, all choices with up to two faults that give it."""

import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from helpers.feedback.observe import Case, Close, Observe, Seen, Wanted, alike, copied, tensors_of
from helpers.feedback.sandbox import Answer
from helpers.feedback.says import Mistake


@dataclass(frozen=True, eq=False)
class Row:
    """One way to write one part: `f` computes it, `say` names the mistake; where `ok`, it is a remark, if anything."""

    kind: str
    f: Callable
    say: str = ""
    ok: bool = False


@dataclass(frozen=True, eq=False)
class Choice:
    """An answer made of rows: `call(case, wrap)` computes it, with each row's function wrapped by `wrap`."""

    rows: tuple[Row, ...]
    call: Callable[[Case, Callable], object]

    @property
    def wrong(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if not row.ok)

    def __call__(self, case: Case) -> object:
        return self.call(case, lambda f: f)


CLOSE = Close()
OWN_NOISE = (
    "Two calls with the same arguments gave two different results, so new noise is drawn somewhere. Use only what "
    "comes in: a result that can be repeated can be tested."
)
MOST = 10_000  # choices that are tried beyond the first rows: a second of a slow machine
TOLD = 3  # explanations that one message names
UNFIT = (Mistake, RuntimeError, ValueError, TypeError, IndexError)  # of rows whose shapes do not go together


@dataclass(frozen=True, eq=False)
class Task:
    """What a learner's function should do, and how answers go wrong.

    `usage` is the call as it is shown; `cases()` makes the inputs, from the random seed `seed`. An answer takes one row
    of each of `tables` (the first is the right one) and `compose(case, *functions)` puts them together; `ways` are
    whole other answers, f(case), one fault each. `observe` looks at a call. Right answers go through `probes`, each
    `probe(trial)` gives remarks or raises `Mistake`; unknown ones through `fallbacks`, `fallback(trial)` gives a
    `Mistake` or None, and then `witness(trial)` has the last word. `retreat(case)` is a case on which to look where an
    answer stops or is not finite. `noise` is what to say of an answer that draws its own, `said` are sentences for
    exceptions, `nothing` is true where None may be returned, and `fixed` are sizes that may stay the same in all cases.
    """

    usage: str
    cases: Callable[[], Sequence[Case]]
    tables: Sequence[Sequence[Row]]
    praise: str
    observe: Observe
    compose: Callable = lambda case, way: way(*case.values())
    ways: Sequence[Row] = ()
    close: Close | Mapping[str, Close] = CLOSE
    probes: Sequence[Callable[["Trial"], Sequence[tuple[str, str]] | None]] = ()
    fallbacks: Sequence[Callable[["Trial"], Mistake | None]] = ()
    witness: Callable[["Trial"], Mistake] | None = None
    retreat: Callable[[Case], Case] | None = None
    noise: tuple[str, str] = ("noise", OWN_NOISE)
    said: tuple[tuple[str, str, str], ...] = ()
    nothing: bool = False
    seed: int = 10
    fixed: tuple[int, ...] = ()

    def close_of(self, name: str) -> Close:
        return self.close if isinstance(self.close, Close) else self.close.get(name, Close())

    def alike(self, seen: Seen, other: Seen, names: Sequence[str] | None = None) -> bool:
        """Whether two observations agree, in all names or in those given."""
        names = other.keys() if names is None else names
        return all(name in seen and alike(seen[name], other[name], self.close_of(name)) for name in names)

    def best(self) -> Choice:
        return Choice(tuple(table[0] for table in self.tables), self._composed([t[0] for t in self.tables]))

    def _composed(self, rows: Sequence[Row]) -> Callable[[Case, Callable], object]:
        return lambda case, wrap: self.compose(case, *(wrap(row.f) for row in rows))


@dataclass
class Trial:
    """One learner's answer under a task: the cases, what was `seen` there, the `choice` of rows that it is if right."""

    task: Task
    answer: Answer
    cases: Sequence[Case]
    seen: list[Seen] | None = None
    choice: Choice | None = None

    def ask(self, case: Case) -> Seen:
        """What the learner's function gives on `case`. Raises `Mistake`."""
        return self.task.observe(lambda mine: self.answer(*mine.values()), case)

    def ours(self, case: Case, choice: Choice | None = None) -> Seen:
        """What the chosen rows, or the right ones, give on `case`."""
        return self.task.observe(choice or self.choice or self.task.best(), case)

    def rights(self) -> Iterator[list[Seen]]:
        """What each right choice gives on the cases, computed once."""
        known = self.__dict__.setdefault("known", [])
        for i, choice in enumerate(choices(self.task, 0)):
            if i == len(known):
                known.append([self.ours(case, choice) for case in self.cases])
            yield known[i]

    def fits(self, case: Case, names: Sequence[str] | None = None) -> bool:
        """Whether the answer agrees with ours on `case`; not where it stops. Raises `Mistake` where it never ends."""
        try:
            return self.task.alike(self.ask(case), self.ours(case), names)
        except Mistake as found:
            if found.feedback.kind == "slow":
                raise
            return False


def choices(task: Task, faults: int, others: bool = True) -> Iterator[Choice]:
    """Every choice with so many wrong rows, beside all rows that are ok, or the first of them if not `others`."""
    for places in itertools.combinations(range(len(task.tables)), faults):
        options = []
        for i, table in enumerate(task.tables):
            fitting = [row for row in table if row.ok != (i in places)]
            options.append(fitting if others or i in places else fitting[:1])
        for rows in itertools.product(*options):
            yield Choice(rows, task._composed(rows))
    if faults == 1:
        for way in task.ways:
            yield Choice((way,), lambda case, wrap, way=way: wrap(way.f)(case))


def _with_one_other(task: Task) -> Iterator[Choice]:
    """Every choice of two wrong rows where one more table has a row that is ok and not its first."""
    for i, table in enumerate(task.tables):
        for other in [row for row in table if row.ok][1:]:
            tables = [[other] if j == i else each for j, each in enumerate(task.tables)]
            yield from choices(replace(task, tables=tables, ways=()), 2, others=False)


class _Memo:
    """Each row's function, computed once for the same arguments: many choices share their parts."""

    def __init__(self):
        self.known: dict = {}

    def __call__(self, f: Callable) -> Callable:
        def remembered(*args):
            key = (f, *map(id, args))
            if key not in self.known:
                self.known[key] = f(*args), args  # the arguments stay alive, so that no id is used twice
            return self.known[key][0]

        return remembered


class _Table:
    """What many choices give on one case, computed once and kept: the values by their shapes, with their choices."""

    def __init__(self, task: Task, case: Case, every: Iterator[Choice]):
        self.task, self.case, self.memo = task, case, _Memo()
        self.name = next(iter(task.observe.results))
        found: dict[tuple, tuple[list, list]] = {}
        with torch.no_grad():
            for choice in every:
                try:
                    value = self._value(choice)
                except UNFIT:
                    continue
                fitting, values = found.setdefault(tuple(value.shape), ([], []))
                fitting.append(choice)
                values.append(value)
            self.known = {
                shape: (f, torch.stack(v).double().reshape(len(v), -1)) for shape, (f, v) in found.items()
            }
        self.memo.known.clear()

    def _value(self, choice: Choice) -> Tensor:
        if not isinstance(self.task.observe, Observe):
            return self.task.observe.glance(choice, self.case)
        value, wanted = choice.call(self.case, self.memo), self.task.observe.wanted
        if isinstance(value, Tensor) and isinstance(wanted, Wanted):
            return value.reshape(()) if value.numel() == 1 and wanted.shape(self.case) == () else value
        return self.task.observe.values(lambda case: value, self.case)[self.name]

    def like(self, seen: Tensor) -> list[Choice]:
        """The choices whose value is `seen`, or is not finite and has to be looked at."""
        fitting, theirs = self.known.get(tuple(seen.shape), ([], None))
        if not fitting:
            return []
        close = self.task.close_of(self.name)
        off, size = (theirs - seen.reshape(1, -1)).abs(), theirs.abs()
        size = size if close.each or not seen.numel() else size.amax(1, keepdim=True)
        same = (off <= close.relative * size + close.absolute).all(1) | ~theirs.isfinite().all(1)
        return [choice for choice, one in zip(fitting, same.tolist(), strict=True) if one]


# The last two first cases of a task, and what choices give there.
_TABLES: dict[Task, list[tuple[Case, dict]]] = {}


def _like(
    task: Task, case: Case, seen: Seen, phase: object, every: Callable[[], Iterator[Choice]]
) -> list[Choice]:
    """The choices of a phase of the search that have the values `seen` on the first case."""
    if not isinstance(task.observe, Observe) and not hasattr(task.observe, "glance"):
        return [choice for choice in every() if _agrees(task, choice, [case], [seen])]
    known = _TABLES.setdefault(task, [])
    first, tables = next((each for each in known if _equal(each[0], case)), (None, None))
    if first is None:
        first, tables = copied(case), {}
        known[:] = [(first, tables), *known[:1]]
    if phase not in tables:
        tables[phase] = _Table(task, first, every())
    return tables[phase].like(seen[tables[phase].name])


def _equal(one: Case, other: Case) -> bool:
    mine, theirs = list(tensors_of(one)), list(tensors_of(other))
    return len(mine) == len(theirs) and all(
        a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
        for a, b in zip(mine, theirs, strict=True)
    )


def _agrees(task: Task, choice: Choice, cases: Sequence[Case], seen: Sequence[Seen]) -> bool:
    try:
        # Values first: most choices fail there, and gradients take longer.
        if isinstance(task.observe, Observe):
            with torch.no_grad():
                for case, each in zip(cases[1:], seen[1:], strict=True):
                    values = task.observe.values(choice, case)
                    if not task.alike(each, Seen({name: value.double() for name, value in values.items()})):
                        return False
        return all(
            task.alike(each, task.observe(choice, case)) for case, each in zip(cases, seen, strict=True)
        )
    except UNFIT:
        return False


def explain(seen: Sequence[Seen], task: Task, cases: Sequence[Case], faults: int = 2) -> list[Choice]:
    """All choices with the fewest needed faults of each kind that give what was `seen`; the least wrong first.

    A right choice is the only explanation. A pair is left out where one of its faults alone explains the same.
    """
    found: list[Choice] = []

    def look(phase: str, every: Callable[[], Iterator[Choice]]) -> None:
        for choice in _like(task, cases[0], seen[0], phase, every):
            said = {row.say for row in choice.wrong}
            if any({row.say for row in known.wrong} <= said for known in found):
                continue
            if _agrees(task, choice, cases, seen):
                found.append(choice)
                if not choice.wrong:
                    return

    look("right", lambda: choices(task, 0))
    if found:
        return found
    look("one", lambda: choices(task, 1))
    if faults > 1:
        look("two", lambda: choices(task, 2, others=False))
    if faults > 1 and not found:
        look("two beside another", lambda: itertools.islice(_with_one_other(task), MOST))
    return found


def named(found: Sequence[Choice]) -> Mistake:
    """The mistake that `found` explanations name: "either … or …" where there are several."""
    alone: dict[str, str] = {}
    together: dict[str, str] = {}
    for choice in found:
        said = list(dict.fromkeys(row.say for row in choice.wrong))
        if len(said) == 1:
            alone.setdefault(said[0], choice.wrong[0].kind)
        else:
            together.setdefault(f"One: {said[0]} The other: {said[1]}", choice.wrong[0].kind)
    kind = next(iter([*alone.values(), *together.values()]))
    if not together and len(alone) == 1:
        return Mistake(kind, next(iter(alone)))
    if not alone and len(together) == 1:
        return Mistake(kind, f"Two mistakes meet here. {next(iter(together))}")
    told = [*alone, *(f"Two mistakes meet. {text}" for text in together)][:TOLD]
    return Mistake(kind, "Several things would give these numbers. Either: " + " Or: ".join(told))


def made_of(task: Task, choice: Choice) -> Callable:
    """The answer that a learner would have given who made exactly these choices."""
    names = list(task.cases()[0])

    def answer(*args):
        return choice(Case(zip(names, args, strict=True)))

    every = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in names]
    answer.__signature__ = inspect.Signature(every)  # so that a missing argument is seen as one
    return answer


def audit(task: Task, faults: int = 2) -> list[tuple[Choice, Choice]]:
    """For authors: the pairs of choices, with up to `faults` wrong rows each, that no case of the task tells apart.

    Left out are pairs where one holds all faults of the other, or says the same.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(task.seed)
        cases = task.cases()
    every, prints = [], []
    for wrong in range(faults + 1):
        for choice in choices(task, wrong, others=wrong == 0):
            try:
                seen = [task.observe(choice, case) for case in cases]
            except UNFIT:
                continue
            every.append((choice, seen))
            prints.append(_fingerprint(seen))
    order = sorted(range(len(every)), key=lambda i: prints[i])
    same = []
    for place, i in enumerate(order):
        for j in order[place + 1 :]:
            if prints[j][0] != prints[i][0] or prints[j][1] - prints[i][1] > 1e-2 * (1 + abs(prints[i][1])):
                break
            (a, mine), (b, theirs) = every[i], every[j]
            if set(a.wrong) <= set(b.wrong) or set(b.wrong) <= set(a.wrong):
                continue
            if {row.say for row in a.wrong} == {row.say for row in b.wrong}:
                continue
            if all(task.alike(x, y) for x, y in zip(mine, theirs, strict=True)):
                same.append((a, b))
    return same


def _fingerprint(seen: Sequence[Seen]) -> tuple[str, float]:
    """A shape and a number that are alike where observations are."""
    shapes = str([{name: tuple(value.shape) for name, value in each.items()} for each in seen])
    parts = (torch.nan_to_num(value, 0, 1, -1).clamp(-1e6, 1e6) for each in seen for value in each.values())
    return shapes, sum(float(part.sum()) for part in parts)
