"""The one training loop, seeds, threads and checkpoints that every notebook shares."""

import copy
import math
import os
import pickle
import re
import sys
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm


class TrainingError(RuntimeError):
    """Training cannot go on; the sentence says why and what to try."""


class CheckpointError(RuntimeError):
    """A checkpoint could not be read; the sentence says why and what to do."""


class History(dict):
    """What was measured at each update: a name → a list of floats, one an update."""

    def __len__(self) -> int:
        """The number of updates recorded (not of names)."""
        return max((len(values) for values in self.values()), default=0)

    def __bool__(self) -> bool:
        return True

    def record(self, metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
            self.setdefault(name, []).append(value)

    def recent_mean(self, name: str, over: int = 100) -> float:
        """The mean of the last `over` values of `name`."""
        recent = self[name][-over:]
        return sum(recent) / len(recent)


def train(
    step: Callable[..., dict],
    batches: Iterable,
    steps: int,
    history: History | None = None,
    progress: bool = True,
) -> Iterator[tuple[int, dict[str, float]]]:
    """Take `steps` updates, and after each hand (t, metrics) back to the caller's own `for` loop.

    `step(batch)` makes one update and returns what it measured, a dict of numbers or one-element tensors; t counts
    from 1, or on from where `history` stopped. Models, optimisers, batches and history belong to the caller: an
    interrupt between two updates, or within one, leaves all of them usable. Raises ValueError on empty data and
    TrainingError as soon as a measured number is not finite.
    """
    history = History() if history is None else history
    start = len(history)
    source = iter(batches)
    bar = tqdm(
        total=steps, file=sys.stdout, leave=False, disable=not progress, mininterval=0.2, unit="update"
    )
    try:
        for t in range(start + 1, start + steps + 1):
            try:
                batch = next(source)
            except StopIteration:
                raise ValueError(
                    f"The batches ended after {t - 1 - start} of {steps} updates: is the data set empty? "
                    "`helpers.data.batches(x, size, generator)` never ends."
                ) from None
            metrics = _as_numbers(step(batch))
            for name, value in metrics.items():
                if not math.isfinite(value):
                    raise TrainingError(
                        f"`{name}` became {value} at update {t}: training has diverged. Build the model again and "
                        "try a smaller learning rate; the history up to here is kept."
                    )
            history.record(metrics)
            bar.update()
            yield t, metrics
    finally:
        bar.close()


def _as_numbers(measured: dict) -> dict[str, float]:
    told = type(measured).__name__
    try:
        told = {
            name: tuple(getattr(value, "shape", ())) or type(value).__name__
            for name, value in measured.items()
        }
        return {name: float(value) for name, value in measured.items()}
    except (AttributeError, TypeError, ValueError, RuntimeError):
        raise ValueError(
            'A step returns a dict of numbers or one-element tensors, such as {"loss": loss.mean().detach()}, '
            f"and this one {told}."
        ) from None


# Budgets

Budget = Callable[[Callable[[float], object]], int]  # calls update(share that is used) often; says how often


def for_cpu_seconds(seconds: float, kept: float = 0.0) -> Budget:
    """A budget of CPU time of this process, of which `kept` seconds are not spent."""

    def spend(update: Callable[[float], object]) -> int:
        begin, taken = time.process_time(), 0
        while (used := time.process_time() - begin) < seconds - kept:
            update(used / seconds)
            taken += 1
        return taken

    return spend


def for_updates(number: int) -> Budget:
    """A budget of so many updates: the same training on a fast machine and on a slow one."""

    def spend(update: Callable[[float], object]) -> int:
        for done in range(number):
            update(done / number)
        return number

    return spend


# Seeds, devices, threads


def seed_everything(seed: int) -> torch.Generator:
    """Seed PyTorch's global generator (initial weights, noise) and return one more generator, for the batches."""
    torch.manual_seed(seed)
    return torch.Generator().manual_seed(seed)


def pick_device(name: str | None = None) -> torch.device:
    """The device called `name`, or else a CUDA or Apple GPU where there is one, or else the CPU."""
    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if torch.cuda.is_available():
        available.insert(0, "cuda")
    name = name or available[0]
    kind, _, place = name.partition(":")
    places = torch.cuda.device_count() if kind == "cuda" else 1
    if kind not in available or (place and not (place.isdecimal() and int(place) < places)):
        raise ValueError(
            f'There is no device "{name}" on this machine: choose one of {", ".join(available)}.'
        )
    return torch.device(name)


def noise_like(like: Tensor | nn.Module, *shape: int, generator: torch.Generator | None = None) -> Tensor:
    """Standard normal numbers of `shape`, on the device and in the dtype of a tensor or of a network's parameters.

    They are drawn where `generator` lives, so the same seed gives the same numbers to a network on any device.
    """
    like = next(like.parameters(), torch.empty(0)) if isinstance(like, nn.Module) else like
    device = like.device if generator is None else generator.device
    return torch.randn(shape, generator=generator, device=device, dtype=like.dtype).to(like.device)


def uniform_like(like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Numbers uniform on [0, 1) of the shape of `like`, on its device, drawn where `generator` lives."""
    device = like.device if generator is None else generator.device
    dtype = like.dtype if like.is_floating_point() else torch.float32
    return torch.rand(like.shape, generator=generator, device=device, dtype=dtype).to(like.device)


@contextmanager
def mode_kept(network: nn.Module) -> Iterator[None]:
    """Whatever happens inside, an error or Stop: each part of `network` is afterwards in the mode that it was in."""
    modes = [(part, part.training) for part in network.modules()]
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def granted_cpus(environment: dict[str, str] | None = None, cgroup: Path = Path("/sys/fs/cgroup")) -> int:
    """The CPUs that this process may really use, which in a container are fewer than the machine has.

    The least of Binder's `CPU_LIMIT`, the control group's quota (version 2 `cpu.max` or version 1), the processor
    affinity, and the machine's count; at least 1.
    """
    environment = os.environ if environment is None else environment
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [float(affinity)]
    try:
        limits.append(float(environment.get("CPU_LIMIT", "")))
    except ValueError:
        pass
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
        limits.append(int(quota) / int(period))  # "max 100000" sets no limit and fails here
    except (OSError, ValueError):
        pass
    try:
        quota = int((cgroup / "cpu" / "cpu.cfs_quota_us").read_text())
        period = int((cgroup / "cpu" / "cpu.cfs_period_us").read_text())
        limits.append(quota / period)  # −1 sets no limit
    except (OSError, ValueError):
        pass
    return max(1, int(min(limit for limit in limits if limit > 0)))


def set_threads(threads: int | None = None) -> int:
    """Let PyTorch use `threads` threads, or as many as are fastest here and now (1, 2 or 4), and return the number.

    It measures one step of a small convolution, because no rule holds: a second thread made such a step 1.9 times as
    fast on an idle machine, and half as fast where another program wanted the core. Of equals the fewest are taken.
    Small dense networks ask for one thread: a step of a millisecond is too short to be shared.
    """
    if threads is None:
        granted = granted_cpus()
        times = {n: step_milliseconds(n) for n in (1, 2, 4) if n <= granted}
        threads = min(n for n, time_of_n in times.items() if time_of_n <= 1.1 * min(times.values()))
    torch.set_num_threads(threads)
    return threads


def step_milliseconds(threads: int, times: int = 9) -> float:
    """The median time of one step of a convolution, forward and backward, of the size that the course trains."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        # Fixed numbers: what is measured must not move the random numbers of a notebook.
        x, weight = torch.full((32, 16, 28, 28), 0.1), torch.full((32, 16, 4, 4), 0.1, requires_grad=True)
        found = []
        for _ in range(times + 2):  # the first two wake the threads
            begin = time.perf_counter()
            torch.nn.functional.conv2d(x, weight, stride=2, padding=1).square().mean().backward()
            found.append(1000 * (time.perf_counter() - begin))
        return sorted(found[2:])[times // 2]
    finally:
        torch.set_num_threads(before)


# Checkpoints


def _state(
    models: dict[str, nn.Module],
    optimisers: dict[str, torch.optim.Optimizer] | None,
    batches,
    generator: torch.Generator | None,
    history: History | None,
) -> dict:
    return {
        "models": {name: model.state_dict() for name, model in models.items()},
        "optimisers": {name: optimiser.state_dict() for name, optimiser in (optimisers or {}).items()},
        "kinds": {name: _kind(optimiser) for name, optimiser in (optimisers or {}).items()},
        "batches": None if batches is None else batches.state_dict(),
        "generator": None if generator is None else generator.get_state(),
        "random_state": torch.get_rng_state(),
        "history": None if history is None else {name: list(values) for name, values in history.items()},
    }


def _kind(optimiser) -> list:
    """The class of an optimiser or scheduler, and the shapes of what it trains."""
    groups = [group["params"] for group in getattr(optimiser, "param_groups", ())]
    return [type(optimiser).__name__, [[list(p.shape) for p in group] for group in groups]]


def save_checkpoint(
    path: str | Path,
    *,
    models: dict[str, nn.Module],
    optimisers: dict[str, torch.optim.Optimizer] | None = None,
    batches=None,
    generator: torch.Generator | None = None,
    history: History | None = None,
) -> Path:
    """Write everything a run needs to go on to the same numbers, in one file that is whole or not there at all.

    A learning-rate scheduler belongs to that: name it among the `optimisers`. Raises CheckpointError, and leaves an
    older file as it is, where something in it could not be read back.
    """
    return write_atomically(path, _state(models, optimisers, batches, generator, history))


def load_checkpoint(
    path: str | Path,
    *,
    models: dict[str, nn.Module],
    optimisers: dict[str, torch.optim.Optimizer] | None = None,
    batches=None,
    generator: torch.Generator | None = None,
    history: History | None = None,
) -> None:
    """Put back what `save_checkpoint` took, into objects built as they were then; no code from the file is run.

    Raises CheckpointError for a missing, truncated or foreign file, for one that asks to run code, and for a model
    or optimiser of another name, kind or shape; nothing has been changed by then.
    """
    state = read_safely(path)
    if not isinstance(state, dict) or "models" not in state:
        raise CheckpointError(f"{path} is not a checkpoint of this course: it holds no models.")
    try:
        misfit = _misfit(state, models, optimisers or {}, batches, generator, history)
    except Exception as reason:  # whatever a foreign file may hold in place of what is looked for
        misfit = f"a part of it is not what it should be, {_said(reason)}"
    if misfit:
        raise _does_not_fit(path, misfit)
    before = copy.deepcopy(_state(models, optimisers, batches, generator, None))
    try:
        _put_back(state, models, optimisers, batches, generator)
    except BaseException as reason:  # also if you interrupt the cell
        _put_back(before, models, optimisers, batches, generator)
        if isinstance(reason, Exception):
            raise _does_not_fit(path, _said(reason)) from None
        raise
    if history is not None:
        history.clear()
        history.update(state["history"])


def _does_not_fit(path: str | Path, misfit: str) -> CheckpointError:
    return CheckpointError(
        f"{path} does not fit these objects ({misfit}): build them as they were when it was saved, "
        "of the same kinds and with the sizes they had."
    )


def _misfit(state: dict, models: dict, optimisers: dict, batches, generator, history) -> str | None:
    """The first thing in which the file and these objects differ, in words."""
    for name, model in models.items():
        if name not in state["models"]:
            return f"it holds no model `{name}`, but {', '.join(state['models']) or 'none at all'}"
        saved, mine = state["models"][name], model.state_dict()
        for part in [*mine, *saved]:
            shapes = [
                tuple(getattr(each[part], "shape", ())) if part in each else None for each in (saved, mine)
            ]
            if None in shapes:
                return f"`{part}` of the model `{name}` is in {'this one' if shapes[1] else 'the file'} alone"
            if shapes[0] != shapes[1]:
                return f"`{part}` of the model `{name}` has the shape {shapes[0]} there and {shapes[1]} here"
    for name, optimiser in optimisers.items():
        if name not in state["optimisers"]:
            return f"it holds no optimiser `{name}`, but {', '.join(state['optimisers']) or 'none at all'}"
        found = _misfit_of_optimiser(state, name, optimiser)
        if found:
            return f"the optimiser `{name}` {found}"
    for name, wanted in (("batches", batches), ("generator", generator), ("history", history)):
        if wanted is not None and state.get(name) is None:
            return f"it was saved without {name}"
    if generator is not None:
        torch.Generator(generator.device).set_state(state["generator"])
    if "random_state" not in state:
        return "it holds no random state"
    torch.Generator().set_state(state["random_state"])
    if history is not None and not all(isinstance(values, list) for values in state["history"].values()):
        return "its history is none"
    return None


def _misfit_of_optimiser(state: dict, name: str, optimiser) -> str | None:
    saved, mine, (kind, shapes) = state["optimisers"][name], optimiser.state_dict(), _kind(optimiser)
    groups, my_groups = saved.get("param_groups", ()), mine.get("param_groups", ())
    kind_then, shapes_then = state.get("kinds", {}).get(name, (None, shapes))
    if (
        kind_then is None
    ):  # a file from before kinds were noted: the names of the settings tell most of them apart
        alike = zip([saved, *groups], [mine, *my_groups], strict=True)
        if any(
            here.keys() - there.keys() - {"initial_lr"} for there, here in alike
        ):  # a scheduler adds that one
            return f"lacks settings that {kind} has"
    elif kind_then != kind:
        return f"is {kind_then} there and {kind} here"
    if shapes_then != shapes or [len(group["params"]) for group in groups] != [*map(len, shapes)]:
        return "trains parameters of other shapes there"
    return None


def _put_back(state: dict, models, optimisers, batches, generator) -> None:
    for name, model in models.items():
        model.load_state_dict(state["models"][name])
    for name, optimiser in (optimisers or {}).items():
        optimiser.load_state_dict(state["optimisers"][name])
    if batches is not None:
        batches.load_state_dict(state["batches"])
    if generator is not None:
        generator.set_state(state["generator"])
    torch.set_rng_state(state["random_state"])


def write_atomically(path: str | Path, content: object) -> Path:
    """`torch.save` beside `path`, then one rename: whoever kills us, `path` holds the old file or the new one.

    NumPy's numbers are written as Python's. Raises CheckpointError where `read_safely` would refuse what was written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".unfinished")
    content = _with_plain_numbers(content)
    try:
        with unfinished.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        read_safely(unfinished)
    except (CheckpointError, pickle.PicklingError, AttributeError, TypeError):
        unfinished.unlink()
        raise CheckpointError(
            f"{path} was not written, because it could not be read back: {_stranger(content) or 'it is damaged'}. "
            "Put a tensor, a number, text, a list or a dict in its place."
        ) from None
    os.replace(unfinished, path)
    return path


def _with_plain_numbers(content: object) -> object:
    """The same with each NumPy scalar, which only code could read back, made a number of Python."""
    if isinstance(content, np.generic) or (isinstance(content, np.ndarray) and content.ndim == 0):
        return content.item()
    if isinstance(content, dict):
        inside = {_with_plain_numbers(key): _with_plain_numbers(value) for key, value in content.items()}
        content = copy.copy(content)  # the state of a model carries notes beside its tensors
        content.clear()
        content.update(inside)
    elif type(content) in (list, tuple):
        content = type(content)(map(_with_plain_numbers, content))
    return content


def _stranger(content: object, where: str = "state") -> str:
    """Where in it there is something else than tensors, plain values and plain containers, in words."""
    if type(content) in (dict, OrderedDict):
        inside = [*((key, f"a key of {where}") for key in content)]
        inside += [(value, f"{where}[{key!r}]") for key, value in content.items()]
    elif type(content) in (list, tuple, torch.Size):
        inside = [(value, f"{where}[{place}]") for place, value in enumerate(content)]
    else:
        plain = (torch.Tensor, str, bytes, bool, int, float, complex, type(None), torch.dtype)
        return "" if isinstance(content, plain) else f"{where} is of the type {type(content).__name__}"
    return next((found for each in inside if (found := _stranger(*each))), "")


def read_safely(path: str | Path) -> object:
    """Read tensors and plain containers from a file of `write_atomically` without running code from it."""
    path = Path(path)
    if not path.exists():
        raise CheckpointError(f"There is no checkpoint at {path}: save one first, or check the path.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old pickle formats, which are refused anyway
            return torch.load(path, map_location="cpu", weights_only=True)
    except (PermissionError, IsADirectoryError) as reason:
        raise CheckpointError(f"{path} could not be read ({reason.strerror}): check the path.") from reason
    except Exception as reason:  # of a damaged file any byte can be wrong
        if isinstance(reason, pickle.UnpicklingError):
            asked = re.search(r"(?:GLOBAL|class|function) ([\w.]+)", str(reason))
            raise CheckpointError(
                f"{path} was refused, because {'' if asked else 'it is damaged or '}loading it would run code from "
                f"the file{f' ({asked[1]})' if asked else ''}: only open checkpoints that you trust."
            ) from reason
        raise CheckpointError(f"{path} is damaged or cut short: load an older checkpoint.") from reason


def _said(reason: Exception) -> str:
    """What an error says, with its name where that would be no more than a key or a number."""
    words = " ".join(str(reason).split())[:200]
    return words if " " in words else f"{type(reason).__name__} {words}".strip()
