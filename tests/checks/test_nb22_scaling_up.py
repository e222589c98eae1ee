"""Both sides of the checks of notebook 22: each right way to slice noise or scale a loss; and the mistakes, by name."""

import pytest
import torch
from answers import folded_solutions, tests_of

from helpers.checks import check_accumulated, check_noise
from helpers.scale import shard

SOLUTIONS = folded_solutions("22_scaling_up", torch=torch)

# A: the noise of one process


def drawn(rows, latent, seed):
    return torch.randn(rows, latent, generator=torch.Generator().manual_seed(seed))


def by_chunks(batch, latent, seed, rank, processes):
    return drawn(batch, latent, seed).chunk(processes)[rank]


def by_shard(batch, latent, seed, rank, processes):
    return shard(drawn(batch, latent, seed), rank, processes)


def by_view(batch, latent, seed, rank, processes):
    return drawn(batch, latent, seed).view(processes, -1, latent)[rank]


def by_the_global_generator(batch, latent, seed, rank, processes):
    torch.manual_seed(seed)
    return torch.randn((batch, latent)).narrow(0, rank * batch // processes, batch // processes)


def only_its_part(batch, latent, seed, rank, processes):
    return drawn(batch // processes, latent, seed)


def a_seed_of_its_own(batch, latent, seed, rank, processes):
    return drawn(batch // processes, latent, seed + rank)


test_right_a, test_remarks_a, test_wrong_a = tests_of(
    check_noise,
    right=[SOLUTIONS["my_noise"], by_chunks, by_shard, by_view, by_the_global_generator],
    remarks=[(lambda b, d, s, r, n: drawn(b, d, s)[r::n], "strided", "in the same way")],
    wrong=[
        (only_its_part, "own_part", "failure of section 5"),
        (a_seed_of_its_own, "own_seed", "independent"),
        (lambda b, d, s, r, n: drawn(b, d, s), "shape", "whole batch"),
        (lambda b, d, s, r, n: drawn(b, d, s)[: b // n], "first", "whatever `rank` is"),
        (lambda b, d, s, r, n: drawn(b, d, s + r).chunk(n)[r], "seed_by_rank", "seed of its own"),
        (lambda b, d, s, r, n: drawn(b, d, 0).chunk(n)[r], "fixed_seed", "does not depend on `seed`"),
        (lambda b, d, s, r, n: drawn(b, d, s).chunk(n)[n - 1 - r], "reversed", "from the end"),
        (lambda b, d, s, r, n: drawn(b, d, s).chunk(n)[r - 1], "before", "rank before"),
        (lambda b, d, s, r, n: drawn(b, d, s)[r : r + b // n], "by_rank_rows", "overlap"),
        (lambda b, d, s, r, n: torch.rand(b, d, generator=torch.Generator().manual_seed(s)).chunk(n)[r],
         "uniform", "randn"),
        (lambda b, d, s, r, n: torch.randn(b // n, d), "noise", "a generator that you seed"),
        (lambda b, d, s, r: drawn(b, d, s), "signature", "my_noise(batch, latent, seed, rank, processes)"),
    ],
)  # fmt: skip


# B: the scale of each part


def by_loop(losses, sizes):
    found, start = [], 0
    for size in sizes:
        found.append(sum(losses[start : start + size]) / sum(sizes))
        start += size
    return torch.stack(found)


def by_shares(losses, sizes):
    return torch.stack([len(part) / len(losses) * part.mean() for part in torch.split(losses, sizes)])


def by_sums(losses, sizes):
    ends = torch.tensor(sizes).cumsum(0)
    sums = torch.cat([torch.zeros_like(losses[:1]), losses.cumsum(0)])
    return (sums[ends] - sums[ends - torch.tensor(sizes)]) / losses.numel()


def parts(f):
    return lambda losses, sizes: torch.stack([f(p, losses, sizes) for p in losses.split(sizes)])


test_right_b, _, test_wrong_b = tests_of(
    check_accumulated,
    right=[SOLUTIONS["my_accumulated"], by_loop, by_shares, by_sums],
    wrong=[
        (parts(lambda p, losses, sizes: p.mean()), "mean", "too large"),
        (parts(lambda p, losses, sizes: p.mean() / len(sizes)), "mean_of_means", "mean of means"),
        (parts(lambda p, losses, sizes: p.sum()), "sum", "do not divide"),
        (parts(lambda p, losses, sizes: p.sum() / len(sizes)), "by_parts", "number of *parts*"),
        (parts(lambda p, losses, sizes: p.mean() / len(losses)), "twice", "divided once more"),
        (parts(lambda p, losses, sizes: p.sum() / sizes[0] / len(sizes)), "first_size", "first part"),
        (lambda losses, sizes: losses.mean(), "shape", "whole batch"),
        (lambda losses, sizes: by_loop(losses, sizes).cumsum(0), "running", "running sums"),
        (lambda losses: losses, "signature", "my_accumulated(losses, sizes)"),
    ],
)


@pytest.mark.parametrize("check", [check_noise, check_accumulated])
def test_untouched_stubs_are_no_mistakes(check):
    def my_noise(batch, latent, seed, rank, processes):
        return ...  # replace this line

    def my_accumulated(losses, sizes):
        return ...  # replace this line

    assert check(my_noise if check is check_noise else my_accumulated).kind == "stub"
