"""One training in several processes, which computes what one process would: notebook 22.

On this machine, on Windows too (the processes are spawned and meet in a file)::

    python -m helpers.scale vae gan --processes 2 --updates 50

The same by PyTorch's own launcher, here, and on each of two machines with eight GPUs (NCCL takes the place of gloo)::

    torchrun --nproc-per-node 2 -m helpers.scale vae --updates 50
    torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint HOST:29500 -m helpers.scale vae

One line of JSON for each model and batch size is printed by process 0.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from helpers.data import batches, load_digits
from helpers.gan import Discriminator, Generator, to_tanh
from helpers.gan.steps import discriminator_step, generator_step
from helpers.training import (
    History,
    load_checkpoint,
    save_checkpoint,
    seed_everything,
    train,
    write_atomically,
)
from helpers.vae import VAE, bernoulli_log_likelihood, gaussian_kl

WAIT = timedelta(minutes=5)  # for the other processes, before the run is given up


# What several processes share, and what each computes


def shard(rows: Tensor, rank: int, processes: int) -> Tensor:
    """The rows that process `rank` of `processes` computes: equal parts of (B, …) in order, (B / processes, …).

    Raises ValueError where the parts would not be equal, because then the mean of the parts' means is not the mean.
    """
    size = len(rows) // processes
    if size * processes != len(rows):
        raise ValueError(f"{len(rows)} rows make no {processes} equal parts: choose another batch size.")
    return rows[rank * size : (rank + 1) * size]


def accumulate_gradients(loss: Callable[..., Tensor], parts: int, *batch: Tensor) -> Tensor:
    """Add the gradient of the mean of `loss(*batch)` to the parameters, `parts` parts of the batch one after another.

    ∇ (1/B) Σ_i ℓ_i = Σ_k ∇ (1/B) Σ_{i in part k} ℓ_i, whatever the sizes of the parts. Only one part's activations are
    in memory at a time. `loss` maps rows (n, …) to (n,); each tensor of `batch` is (B, …). Returns the mean loss.
    """
    rows, total = len(batch[0]), 0.0
    for part in zip(*(each.chunk(parts) for each in batch), strict=True):
        mean_share = loss(*part).sum() / rows
        mean_share.backward()
        total = total + mean_share.detach()
    return total


class NegativeELBO(nn.Module):
    """−ELBO of images (B, 1, 28, 28) in [0, 1], (B,) in nats, with all noise given.

    `uniform` (B, 784) in [0, 1) binarises the pixels, `eps` (B, latent) is standard normal. As a module, because
    DistributedDataParallel has to see the forward pass.
    """

    def __init__(self, vae: VAE):
        super().__init__()
        self.vae = vae

    def forward(self, images: Tensor, uniform: Tensor, eps: Tensor) -> Tensor:
        x = (uniform < images.flatten(1)).to(images.dtype)
        mu, log_var = self.vae.encode(x.view_as(images))
        logits = self.vae.decode(mu + (log_var / 2).exp() * eps)
        return gaussian_kl(mu, log_var) - bernoulli_log_likelihood(x, logits)


def in_bfloat16(network: nn.Module) -> nn.Module:
    """Let `network`, changed in place, compute its matrix products in bfloat16; parameters and result stay as they are.

    Source: Micikevicius and others (2018), for float16.
    """
    plain = network.forward

    def forward(x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16):
            return plain(x).to(x.dtype)

    network.forward = forward
    return network


def with_group_norm(network: nn.Module, groups: int = 4) -> nn.Module:
    """`network` with each BatchNorm2d replaced, in place, by a GroupNorm, which looks at one image alone.

    Batch norm's mean and variance are those of the rows that a process holds, so they change with the number of
    processes. Source: Wu and He (2018).
    """
    for name, part in network.named_children():
        if isinstance(part, nn.BatchNorm2d):
            setattr(network, name, nn.GroupNorm(groups, part.num_features))
        else:
            with_group_norm(part, groups)
    return network


@dataclass
class Training:
    """Models, their optimisers, and two functions: `noise(size, generator)`, `update(images, *noise)`.

    `noise` gives a tuple of tensors with `size` rows each; `update` takes as many images, and returns what it measured.
    """

    models: dict[str, nn.Module]
    optimisers: dict[str, torch.optim.Optimizer]
    noise: Callable[[int, torch.Generator], tuple[Tensor, ...]]
    update: Callable[..., dict[str, Tensor]]


def vae_training(
    images: Tensor,
    wrap: Callable = lambda module: module,
    parts: int = 1,
    mixed: bool = False,
    compiled: bool = False,
) -> Training:
    """The VAE of notebook 12; `wrap` is DistributedDataParallel where several processes train it.

    Each batch is computed in `parts` parts, if `mixed` in bfloat16, if `compiled` by torch.compile, which needs a C++
    compiler and up to a minute at the first update.
    """
    vae = VAE().to(images).start_from(images)
    if compiled:  # the networks alone: the checks around them look at values, which ends a compiled part
        vae.encoder.compile()
        vae.decoder.compile()
    if mixed:
        in_bfloat16(vae.encoder)
        in_bfloat16(vae.decoder)
    loss = wrap(NegativeELBO(vae))
    optimiser = torch.optim.AdamW(vae.parameters(), 1e-3, fused=True)

    def noise(size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        uniform = torch.rand(size, 784, generator=generator)
        return uniform, torch.randn(size, vae.latent, generator=generator)

    def update(images: Tensor, uniform: Tensor, eps: Tensor) -> dict[str, Tensor]:
        optimiser.zero_grad()
        mean = accumulate_gradients(loss, parts, images, uniform, eps)
        optimiser.step()
        return {"loss": mean}

    return Training({"vae": vae}, {"vae": optimiser}, noise, update)


def gan_training(images: Tensor, wrap: Callable = lambda module: module) -> Training:
    """The GAN of notebook 05 with group norm; `wrap` is DistributedDataParallel where several processes train it.

    Each player goes through its wrapper where it is trained and without it where it is only used. D sees real and
    generated images in one batch: with batch norm under DDP, two forward passes before a backward pass can be an error
    (PyTorch's issues 22095 and 175024).
    """
    players = {"generator": with_group_norm(Generator()), "discriminator": Discriminator()}
    g, d = (player.to(images) for player in players.values())
    trained_g, trained_d = wrap(g), wrap(d)
    rates = {"generator": 2e-3, "discriminator": 1e-2}
    optimisers = {
        name: torch.optim.Adam(player.parameters(), rates[name], betas=(0.0, 0.9), fused=True)
        for name, player in players.items()
    }

    def noise(size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return tuple(torch.randn(2, size, g.latent, generator=generator))

    def update(images: Tensor, z_d: Tensor, z_g: Tensor) -> dict[str, Tensor]:
        measured = discriminator_step(g, trained_d, optimisers["discriminator"], to_tanh(images), z_d)
        return measured | generator_step(trained_g, d, optimisers["generator"], z_g)

    return Training(players, optimisers, noise, update)


TRAININGS = {"vae": vae_training, "gan": gan_training}


# A run of one process among `processes`


def over(processes: int) -> dict[str, Callable]:
    """The argument `wrap` of a training by so many processes: DistributedDataParallel where there are several."""
    return (
        {} if processes == 1 else {"wrap": lambda m: DistributedDataParallel(m, forward_sync_buffers=False)}
    )


def update_part(
    training: Training, images: Tensor, rows: Tensor, generator: torch.Generator, rank: int, processes: int
) -> dict[str, float]:
    """One update, on this process's part of the batch `rows` and of its noise, which all processes draw alike."""
    noise = [each.to(images) for each in training.noise(len(rows), generator)]  # of the whole batch
    mine, *noise = (shard(each, rank, processes) for each in (rows, *noise))
    measured = training.update(images[mine], *noise)
    return {name: float(value) for name, value in measured.items()}  # a GPU has computed them now


def train_digits(
    model: str,
    *,
    rank: int = 0,
    processes: int = 1,
    updates: int = 50,
    batch: int = 128,
    seed: int = 22,
    double: bool = False,
    full: bool = False,
    device: str | torch.device = "cpu",
    checkpoint: Path | None = None,
    every: int = 10,
    **settings,
) -> tuple[Training, dict]:
    """Train `model` on the digits and return it with what was measured, on this process's part of each batch.

    Every process draws the rows and the noise of the whole batch from the same generator and keeps its part: so the
    result does not depend on the number of processes. A run goes on from `checkpoint` where that exists, and process 0
    writes it after `every` updates; it may go on with another number of processes. On several machines, the file lies
    on a disk that they share. `settings` go to the training.
    """
    generator = seed_everything(seed)
    images = load_digits("train", full)[0].to(device, torch.float64 if double else torch.float32)
    training = TRAININGS[model](images, **over(processes), **settings)
    rows, history, milliseconds = batches(torch.arange(len(images)), batch, generator), History(), []
    kept = {"models": training.models, "optimisers": training.optimisers, "batches": rows, "history": history}
    if checkpoint is not None and Path(checkpoint).exists():
        load_checkpoint(checkpoint, **kept)

    def update(rows: Tensor) -> dict[str, float]:
        begin = time.perf_counter()
        measured = update_part(training, images, rows, generator, rank, processes)
        milliseconds.append(1000 * (time.perf_counter() - begin))
        return measured

    for t, _ in train(update, rows, max(0, updates - len(history)), history, progress=False):
        if checkpoint is not None and rank == 0 and t % every == 0:
            save_checkpoint(checkpoint, **kept)
    measured = {"model": model, "processes": processes, "batch": batch, "updates": len(history)}
    measured |= {name: mean_over_processes(values[-1], processes, device) for name, values in history.items()}
    if milliseconds:
        measured["ms"] = median(milliseconds[2:] or milliseconds)  # the first updates also reserve memory
        measured["images_per_second"] = 1000 * batch / measured["ms"]
    return training, measured


def mean_over_processes(value: float, processes: int, device: str | torch.device = "cpu") -> float:
    """The mean of a number over all processes, which is that of the whole batch, since their parts are equal."""
    if processes == 1:
        return value
    total = torch.tensor(value, dtype=torch.float64, device=device)
    dist.all_reduce(total)
    return total.item() / processes


def milliseconds_in_turn(
    model: str,
    rounds: int,
    *,
    rank: int,
    processes: int,
    batch: int = 128,
    seed: int = 22,
    full: bool = False,
    device: str | torch.device = "cpu",
) -> dict[str, float]:
    """Median milliseconds of an update by one process, by one with more threads, and by all; and of an all-reduce.

    They take turns of two updates, `rounds` times after a first one, so that another program disturbs all alike.
    While process 0 works alone, the others wait. The all-reduce averages as many numbers as the model has parameters.
    """
    generator = seed_everything(seed)
    images = load_digits("train", full)[0].to(device)
    alone, together = TRAININGS[model](images), TRAININGS[model](images, **over(processes))
    numbers = sum(p.numel() for each in alone.models.values() for p in each.parameters())
    gradients, threads = torch.zeros(numbers, device=device), torch.get_num_threads()

    def exchange() -> None:
        dist.all_reduce(gradients)
        gradients[0].item()  # a GPU has computed it now

    def update(training: Training, *part: int) -> None:
        update_part(
            training, images, torch.randint(len(images), (batch,), generator=generator), generator, *part
        )

    ways = {  # what takes its turn, and with how many threads
        "1 process": (lambda: rank or update(alone, 0, 1), threads),
        f"{processes} processes": (lambda: update(together, rank, processes), threads),
        "all-reduce": (exchange, threads),
        f"{processes} threads": (lambda: rank or update(alone, 0, 1), processes * threads),
    }
    found = {name: [] for name in ways}
    try:
        for _ in range(rounds + 1):
            for name, (act, several) in ways.items():
                # The same rows in all processes, whatever process 0 has drawn alone.
                generator.manual_seed(seed)
                torch.set_num_threads(several)
                dist.barrier()
                for _ in range(2):
                    begin = time.perf_counter()
                    act()
                    found[name].append(1000 * (time.perf_counter() - begin))
    finally:
        torch.set_num_threads(threads)
    return {"numbers": numbers} | {name: median(times[2:]) for name, times in found.items()}


# A model of the time


def all_reduce_seconds(numbers: float, processes: float, bandwidth: float, latency: float = 0.0) -> float:
    """Seconds in which N processes average M float32 numbers: 2(N − 1)/N · 4M / bandwidth + 2(N − 1) · latency.

    In a ring all-reduce each process sends and receives 2(N − 1) parts of size M/N. `bandwidth` in bytes a second,
    `latency` in seconds. Source: Patarasuk and Yuan (2009), section 3.
    """
    rounds = 2 * (processes - 1)
    return rounds * (4 * numbers / processes / bandwidth + latency)


def step_seconds(
    batch: float, processes: float, fixed: float, rate: float, communication: float = 0.0
) -> float:
    """Seconds of one update: fixed + batch/(processes · rate) + communication; `rate` in images a second of one."""
    return fixed + batch / (processes * rate) + communication


# Starting


def launch(*arguments: object) -> list[dict]:
    """Run `python -m helpers.scale` with these arguments and return its lines. Raises RuntimeError with its message."""
    command = [sys.executable, "-m", "helpers.scale", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with:\n{done.stderr[-2000:]}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def work(rank: int, processes: int, options: argparse.Namespace) -> None:
    """All that was asked for, as process `rank`, whose group exists already. Process 0 prints and writes."""
    torch.set_num_threads(options.threads)
    device = "cpu"
    if processes > 1 and dist.get_backend() == "nccl":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    weights = {}
    settings = {name: getattr(options, name) for name in ("updates", "seed", "double", "full", "every")}
    for model in options.models:
        for batch in options.batch:
            if options.in_turn:
                asked = {"batch": batch, "seed": options.seed, "full": options.full, "device": device}
                timed = milliseconds_in_turn(model, options.in_turn, rank=rank, processes=processes, **asked)
                if rank == 0:
                    print(json.dumps({"model": model, "batch": batch} | timed), flush=True)
                continue
            training, measured = train_digits(
                model,
                rank=rank,
                processes=processes,
                batch=batch,
                device=device,
                checkpoint=options.checkpoint,
                **settings,
            )
            weights |= {f"{model}.{name}": each.state_dict() for name, each in training.models.items()}
            if rank == 0:
                print(json.dumps(measured), flush=True)
    if rank == 0 and options.out is not None:
        write_atomically(options.out, weights)


def spawned(rank: int, processes: int, meeting: str, options: argparse.Namespace) -> None:
    """What each spawned process does: find the others in the file `meeting`, then work."""
    if interface := {"linux": "lo", "darwin": "lo0"}.get(sys.platform):  # nothing leaves this machine
        os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)
    store = dist.FileStore(meeting, processes)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=processes, timeout=WAIT)
    try:
        work(rank, processes, options)
    finally:
        dist.destroy_process_group()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m helpers.scale", description=__doc__.split("\n")[0])
    parser.add_argument("models", nargs="+", choices=list(TRAININGS), help="what to train, one after another")
    parser.add_argument("--processes", type=int, default=1, help="processes on this machine (1)")
    parser.add_argument("--updates", type=int, default=50, help="updates (50)")
    parser.add_argument("--batch", type=int, nargs="+", default=[128], help="rows of the whole batch (128)")
    parser.add_argument("--seed", type=int, default=22, help="seed (22)")
    parser.add_argument("--threads", type=int, default=1, help="threads of each process (1)")
    parser.add_argument("--double", action="store_true", help="compute in float64")
    parser.add_argument("--full", action="store_true", help="all digits of MNIST, fetched at the first time")
    parser.add_argument("--checkpoint", type=Path, help="file to go on from, and to write")
    parser.add_argument("--every", type=int, default=10, help="updates between two checkpoints (10)")
    parser.add_argument("--out", type=Path, help="file for the parameters at the end")
    parser.add_argument(
        "--in-turn", type=int, default=0, help="rounds in which one process and all are timed (0)"
    )
    options = parser.parse_args(arguments)
    if options.in_turn and options.processes == 1 and "RANK" not in os.environ:
        parser.error("--in-turn compares one process with several: name --processes as well")
    if options.checkpoint and len(options.models) * len(options.batch) > 1:
        parser.error("a checkpoint belongs to one run: name one model and one batch size")
    if "RANK" in os.environ:  # started by torchrun, which says who we are
        gpus = torch.cuda.device_count() >= int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        dist.init_process_group("nccl" if gpus else "gloo", timeout=WAIT)
        try:
            work(dist.get_rank(), dist.get_world_size(), options)
        finally:
            dist.destroy_process_group()
    elif options.processes == 1:
        work(0, 1, options)
    else:
        with tempfile.TemporaryDirectory() as folder:
            asked = (options.processes, str(Path(folder) / "meeting"), options)
            torch.multiprocessing.spawn(spawned, asked, nprocs=options.processes)


if __name__ == "__main__":
    main()
