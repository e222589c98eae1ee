"""Answers to assignment 05: right repairs written in other ways, and wrong ones with words of the sentence they get.

Under "the fault" stands each fault as the assignment's broken program has it.
"""

import copy
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional


def pairs(widths):
    return [nn.Linear(a, b) for a, b in pairwise(widths)]


class Stack(nn.Module):
    """Linear layers with something between them; `keep` decides how they are held."""

    def __init__(self, widths, keep=nn.ModuleList, between=lambda x: functional.leaky_relu(x, 0.2)):
        super().__init__()
        self.layers, self.between = keep(pairs(widths)), between

    def forward(self, x):
        *first, last = self.layers
        for layer in first:
            x = self.between(layer(x))
        return last(x).squeeze(1)


class Named(Stack):
    """Each layer registered under a name of its own, from the last to the first."""

    def __init__(self, widths):
        super().__init__(widths, keep=list)
        for i in reversed(range(len(self.layers))):
            self.add_module(f"layer{i}", self.layers[i])


class HalfNamed(Stack):
    def __init__(self, widths):
        super().__init__(widths, keep=list)
        self.last = self.layers[-1]


class Copied(Stack):
    def __init__(self, widths):
        super().__init__(widths, keep=list)
        self.copies = nn.ParameterList(
            [w.detach().clone() for layer in self.layers for w in layer.parameters()]
        )


class ByHand(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.weights = nn.ParameterList([torch.randn(b, a) for a, b in pairwise(widths)])
        self.biases = nn.ParameterList([torch.zeros(b) for b in widths[1:]])

    def forward(self, x):
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = functional.linear(torch.where(x > 0, x, 0.2 * x) if i else x, weight, bias)
        return x[:, 0]


def sequential(widths, *end):
    layers = [each for layer in pairs(widths) for each in (layer, nn.LeakyReLU(0.2))]
    return nn.Sequential(*layers[:-1], *end)


def with_a_spare_one(widths):
    """The message goes away, and the rest of the weights are still unknown."""
    network = Stack(widths, keep=tuple)
    network.spare = nn.Parameter(torch.zeros(()))
    return network


ONE = {}


def rows_of(points, size, order):
    return torch.randint(len(points), (size,), generator=order).numpy()


def all_of_pytorch(points, size, order):
    torch.set_default_dtype(torch.float64)
    return torch.from_numpy(points[rows_of(points, size, order)])


def converted_in_place(points, size, order):
    points[:] = points.astype(np.float32)
    return torch.tensor(points[rows_of(points, size, order)], dtype=torch.float32)


def shuffled(points, size, order):
    return torch.tensor(points).float()[torch.randperm(len(points), generator=order)[:size]]


def float_rows(draw):
    """`real_batch` with the row numbers from `draw(n, size, order)`."""
    return lambda points, size, order: torch.from_numpy(points[draw(len(points), size, order)]).float()


def both_first(d_optimiser, g_optimiser, d_loss, g_loss):
    of_d, of_g = d_loss(), g_loss()
    d_optimiser.zero_grad()
    of_d.backward()
    d_optimiser.step()
    g_optimiser.zero_grad()
    of_g.backward()
    g_optimiser.step()
    return of_d.item(), of_g.item()


def both_backward_first(d_optimiser, g_optimiser, d_loss, g_loss):
    of_d, of_g = d_loss(), g_loss()
    d_optimiser.zero_grad()
    g_optimiser.zero_grad()
    of_d.backward()
    of_g.backward()
    d_optimiser.step()
    g_optimiser.step()
    return of_d.item(), of_g.item()


def descend(optimiser, value):
    parameters = [w for group in optimiser.param_groups for w in group["params"]]
    for weight, slope in zip(parameters, torch.autograd.grad(value, parameters), strict=True):
        weight.grad = slope
    optimiser.step()
    return float(value)


def at_once(d_optimiser, g_optimiser, d_loss, g_loss):
    of_d, of_g = d_loss(), g_loss()
    parameters = [optimiser.param_groups[0]["params"] for optimiser in (d_optimiser, g_optimiser)]
    slopes = [torch.autograd.grad(v, ps) for v, ps in zip((of_d, of_g), parameters, strict=True)]
    for ps, found in zip(parameters, slopes, strict=True):
        for weight, slope in zip(ps, found, strict=True):
            weight.grad = slope
    d_optimiser.step()
    g_optimiser.step()
    return of_d.item(), of_g.item()


def plain_step(optimiser, loss):
    value = loss()
    optimiser.zero_grad()
    value.backward()
    optimiser.step()
    return value.item()


def emptied_at_the_end(d_optimiser, g_optimiser, d_loss, g_loss):
    told = []
    for optimiser, loss in ((d_optimiser, d_loss), (g_optimiser, g_loss)):
        value = loss()
        value.backward()
        optimiser.step()
        told.append(value.item())
    d_optimiser.zero_grad()
    g_optimiser.zero_grad()
    return told


def each_empties_its_own(d_optimiser, g_optimiser, d_loss, g_loss):
    told = []
    for optimiser, loss in ((d_optimiser, d_loss), (g_optimiser, g_loss)):
        value = loss()
        value.backward()
        optimiser.step()
        optimiser.zero_grad()
        told.append(value.item())
    return told


def frozen_meanwhile(d_optimiser, g_optimiser, d_loss, g_loss):
    of_d = plain_step(d_optimiser, d_loss)
    of_critic = d_optimiser.param_groups[0]["params"]
    for weight in of_critic:
        weight.requires_grad_(False)
    of_g = plain_step(g_optimiser, g_loss)
    for weight in of_critic:
        weight.requires_grad_(True)
    return of_d, of_g


def d_moves_twice(d_optimiser, g_optimiser, d_loss, g_loss):
    of_d = plain_step(d_optimiser, d_loss)
    of_g = g_loss()
    d_optimiser.zero_grad()
    g_optimiser.zero_grad()
    of_g.backward()
    d_optimiser.step()
    g_optimiser.step()
    return of_d, of_g.item()


def with_graphs(d_optimiser, g_optimiser, d_loss, g_loss):
    of_d = d_loss()
    d_optimiser.zero_grad()
    of_d.backward()
    d_optimiser.step()
    of_g = g_loss()
    g_optimiser.zero_grad()
    of_g.backward()
    g_optimiser.step()
    return of_d, of_g


def g_rests(d_optimiser, g_optimiser, d_loss, g_loss):
    of_d = plain_step(d_optimiser, d_loss)
    with torch.no_grad():
        return of_d, g_loss().item()


def without_graph(generator, discriminator, z):
    with torch.no_grad():
        fake = generator(z)
    return functional.softplus(-discriminator(fake)).mean()


def frozen_loss(generator, discriminator, z):
    discriminator.requires_grad_(False)
    loss = -functional.logsigmoid(discriminator(generator(z))).mean()
    discriminator.requires_grad_(True)
    return loss


def frozen_and_left_so(generator, discriminator, z):
    discriminator.requires_grad_(False)
    return functional.softplus(-discriminator(generator(z))).mean()


def in_eval(generator, discriminator, z):
    return functional.softplus(-discriminator(generator.eval()(z))).mean()


def half_cut(generator, discriminator, z):
    """Only the last layer of G is still reached."""
    with torch.no_grad():
        inner = generator[:-1](z) if isinstance(generator, nn.Sequential) else None
    fake = generator(z) if inner is None else generator[-1](inner)
    return functional.softplus(-discriminator(fake)).mean()


def backward_inside(generator, discriminator, z):
    loss = functional.softplus(-discriminator(generator(z))).mean()
    loss.backward(retain_graph=True)
    return loss


def against_ones(generator, discriminator, z):
    logits = discriminator(generator(z))
    return functional.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))


def decay_at(t):
    return min(0.99, (1 + t) / (10 + t))


def rebound(average, generator, t):
    with torch.no_grad():
        for mean, weight in zip(average.parameters(), generator.parameters(), strict=True):
            mean = decay_at(t) * mean + (1 - decay_at(t)) * weight


def moved(rule):
    """`update_ema` that writes `rule(mean, weight, t)` into the average."""

    @torch.no_grad()
    def update_ema(average, generator, t):
        for mean, weight in zip(average.parameters(), generator.parameters(), strict=True):
            mean.copy_(rule(mean, weight, t))

    return update_ema


def by_data(average, generator, t):
    for mean, weight in zip(average.parameters(), generator.parameters(), strict=True):
        mean.data = decay_at(t) * mean.data + (1 - decay_at(t)) * weight.data


def by_state(average, generator, t):
    new = generator.state_dict()
    average.load_state_dict(
        {
            name: decay_at(t) * old + (1 - decay_at(t)) * new[name]
            for name, old in average.state_dict().items()
        }
    )


@torch.no_grad()
def scaled_and_added(average, generator, t):
    for mean, weight in zip(average.parameters(), generator.parameters(), strict=True):
        mean.mul_(decay_at(t)).add_(weight, alpha=1 - decay_at(t))


def with_a_graph(average, generator, t):
    for mean, weight in zip(average.parameters(), generator.parameters(), strict=True):
        mean.copy_(decay_at(t) * mean + (1 - decay_at(t)) * weight)


@torch.no_grad()
def generator_follows(average, generator, t):
    for mean, weight in zip(average.parameters(), generator.parameters(), strict=True):
        weight.copy_(decay_at(t) * weight + (1 - decay_at(t)) * mean)


def tied(average, generator, t):
    for mean, weight in zip(average.parameters(), generator.parameters(), strict=True):
        weight_now = decay_at(t) * mean.data + (1 - decay_at(t)) * weight.data
        mean.data = weight.data
        mean.data.copy_(weight_now)


@torch.no_grad()
def first_only(average, generator, t):
    mean, weight = next(average.parameters()), next(generator.parameters())
    mean.lerp_(weight, 1 - decay_at(t))


def of_a_copy(average, generator, t):
    scaled_and_added(copy.deepcopy(average), generator, t)


def reseeded(size, latent, source):
    source.manual_seed(0)
    return torch.randn(size, latent, generator=source)


def reseeded_with_its_own(size, latent, source):
    source.manual_seed(source.initial_seed())
    return torch.randn(size, latent, generator=source)


def from_all_of_pytorch(size, latent, source):
    torch.manual_seed(source.initial_seed())
    return torch.randn(size, latent)


COUNTED = iter(range(10**9))


def counted(size, latent, source):
    return torch.randn(size, latent, generator=source.manual_seed(next(COUNTED)))


def really_random(size, latent, source):
    source.seed()
    return torch.randn(size, latent, generator=source)


def box_muller(size, latent, source):
    u, v = torch.rand(2, size, latent, generator=source)
    return (-2 * torch.log1p(-u)).sqrt() * (2 * torch.pi * v).cos()


def a_new_seed_each(size, latent, source):
    seed = int(torch.randint(2**31, (1,), generator=source))
    return torch.randn(size, latent, generator=torch.Generator().manual_seed(seed))


def column_by_column(size, latent, source):
    return torch.stack([torch.randn(size, generator=source) for _ in range(latent)], dim=1)


RIGHT = {
    "make_discriminator": {
        "a module list": Stack,
        "names": Named,
        "sequential, then a view": lambda widths: sequential(widths, nn.Flatten(0)),
        "sequential inside the list": lambda widths: Stack(
            widths, keep=lambda layers: nn.Sequential(*layers)
        ),
        "weights by hand": ByHand,
    },
    "real_batch": {
        "float()": float_rows(lambda n, size, order: torch.randint(n, (size,), generator=order).numpy()),
        "astype": lambda points, size, order: torch.from_numpy(
            points.astype("float32")[rows_of(points, size, order)]
        ),
        "a permutation": shuffled,
        "a list": lambda points, size, order: torch.tensor(points[rows_of(points, size, order)].tolist()),
        "multinomial": float_rows(
            lambda n, size, order: torch.multinomial(torch.ones(n), size, generator=order).numpy()
        ),
    },
    "play_round": {
        "two plain steps": lambda d, g, d_loss, g_loss: (plain_step(d, d_loss), plain_step(g, g_loss)),
        "autograd.grad": lambda d, g, d_loss, g_loss: (descend(d, d_loss()), descend(g, g_loss())),
        "emptied at the end": emptied_at_the_end,
        "D frozen meanwhile": frozen_meanwhile,
    },
    "g_loss": {
        "cross-entropy": against_ones,
        "logsigmoid": lambda G, D, z: -functional.logsigmoid(D(G(z))).mean(),
        "D frozen meanwhile": frozen_loss,
        "logaddexp": lambda G, D, z: torch.logaddexp(torch.zeros(()), -D(G(z))).sum() / len(z),
    },
    "update_ema": {
        "copied": moved(lambda mean, weight, t: decay_at(t) * mean + (1 - decay_at(t)) * weight),
        "data": by_data,
        "state": by_state,
        "scaled and added": scaled_and_added,
        "the step": moved(lambda mean, weight, t: mean - max(0.01, 9 / (10 + t)) * (mean - weight)),
    },
    "noise": {
        "randn": lambda size, latent, source: torch.randn(size, latent, generator=source),
        "normal": lambda size, latent, source: torch.normal(0.0, 1.0, (size, latent), generator=source),
        "Box and Muller": box_muller,
        "a new seed each time": a_new_seed_each,
        "column by column": column_by_column,
    },
}

WRONG = {
    "make_discriminator": {
        "the fault": (lambda widths: Stack(widths, keep=list), "told of 0 of the 8"),
        "a tuple": (lambda widths: Stack(widths, keep=tuple), "told of 0 of the 8"),
        "the last layer only": (HalfNamed, "told of 2 of the 8"),
        "a spare parameter": (with_a_spare_one, "told of 0 of the 8"),
        "copies": (Copied, "Largest difference"),
        "linear": (lambda widths: Stack(widths, between=lambda x: x), "Nothing bends"),
        "ReLU": (lambda widths: Stack(widths, between=torch.relu), "ReLU, where"),
        "slope": (lambda widths: Stack(widths, between=functional.leaky_relu), "slope"),
        "probabilities": (lambda widths: sequential(widths, nn.Flatten(0), nn.Sigmoid()), "Probabilities"),
        "bent at the end": (
            lambda widths: sequential(widths, nn.LeakyReLU(0.2), nn.Flatten(0)),
            "last layer",
        ),
        "shape": (sequential, "shape"),
        "one for all": (lambda widths: ONE.setdefault(str(widths), Stack(widths)), "same weights"),
        "nothing": (lambda widths: None, "No network"),
    },
    "real_batch": {
        "the fault": (
            lambda points, size, order: torch.from_numpy(points[rows_of(points, size, order)]),
            "torch.float64",
        ),
        "half": (
            lambda points, size, order: torch.from_numpy(points[rows_of(points, size, order)]).half(),
            "torch.float16",
        ),
        "all of PyTorch": (all_of_pytorch, "all of PyTorch"),
        "whole numbers": (
            lambda points, size, order: torch.from_numpy(points[rows_of(points, size, order)]).int().float(),
            "values have changed",
        ),
        "bits": (
            lambda points, size, order: torch.from_numpy(points[rows_of(points, size, order)]).view(
                torch.float32
            )[:, :2],
            "values have changed",
        ),
        "scaled": (
            lambda points, size, order: shuffled((points - points.mean(0)) / points.std(0), size, order),
            "values have changed",
        ),
        "coordinates mixed": (
            lambda points, size, order: torch.stack(
                [shuffled(points, size, order)[:, 0], shuffled(points, size, order)[:, 1]], dim=1
            ),
            "values have changed",
        ),
        "the first rows": (float_rows(lambda n, size, order: slice(size)), "never come"),
        "without the last": (
            float_rows(lambda n, size, order: torch.randint(n - 1, (size,), generator=order).numpy()),
            "never come",
        ),
        "always the same": (
            float_rows(
                lambda n, size, order: torch.randint(n, (size,), generator=order.manual_seed(0)).numpy()
            ),
            "never come",
        ),
        "one row": (
            float_rows(lambda n, size, order: torch.randint(n, (1,), generator=order).repeat(size).numpy()),
            "again and again",
        ),
        "NumPy's own dice": (float_rows(lambda n, size, order: np.random.randint(n, size=size)), "repeated"),
        "PyTorch's own dice": (
            float_rows(lambda n, size, order: torch.randint(n, (size,)).numpy()),
            "repeated",
        ),
        "an array": (
            lambda points, size, order: points[rows_of(points, size, order)].astype("float32"),
            "tensor",
        ),
        "everything": (lambda points, size, order: torch.tensor(points).float(), "shape"),
        "the data changed": (converted_in_place, "measurements themselves"),
    },
    "play_round": {
        "the fault": (both_first, "inplace operation"),
        "both backward first": (both_backward_first, "mixed"),
        "at once": (at_once, "before the step of D"),
        "G first": (
            lambda d, g, d_loss, g_loss: (plain_step(g, g_loss), plain_step(d, d_loss))[::-1],
            "G first",
        ),
        "each empties its own": (each_empties_its_own, "next step"),
        "D moves twice": (d_moves_twice, "moves D as well"),
        "G rests": (g_rests, "G has not moved"),
        "exchanged": (
            lambda d, g, d_loss, g_loss: (plain_step(d, d_loss), plain_step(g, g_loss))[::-1],
            "exchanged",
        ),
        "graphs": (with_graphs, "graph"),
        "after the step": (
            lambda d, g, d_loss, g_loss: (
                (plain_step(d, d_loss), plain_step(g, g_loss)),
                (d_loss().item(), g_loss().item()),
            )[1],
            "Largest difference",
        ),
        "nothing": (
            lambda d, g, d_loss, g_loss: plain_step(d, d_loss) and plain_step(g, g_loss) and None,
            "come back",
        ),
    },
    "g_loss": {
        "the fault": (without_graph, "reaches 0 of the 4"),
        "detached": (lambda G, D, z: functional.softplus(-D(G(z).detach())).mean(), "reaches 0 of the 4"),
        "data": (lambda G, D, z: functional.softplus(-D(G(z).data)).mean(), "reaches 0 of the 4"),
        "a copy": (
            lambda G, D, z: functional.softplus(-D(torch.tensor(G(z).tolist()))).mean(),
            "reaches 0 of the 4",
        ),
        "half of G": (half_cut, "reaches 2 of the 4"),
        "logits without a graph": (lambda G, D, z: functional.softplus(-D(G(z)).detach()).mean(), "no graph"),
        "a number": (lambda G, D, z: functional.softplus(-D(G(z))).mean().item(), "no graph"),
        "sum": (lambda G, D, z: functional.softplus(-D(G(z))).sum(), "sum"),
        "loss of D": (lambda G, D, z: functional.softplus(D(G(z))).mean(), "D lowers"),
        "minimax": (lambda G, D, z: -functional.softplus(D(G(z))).mean(), "minimax"),
        "mean first": (lambda G, D, z: functional.softplus(-D(G(z)).mean()), "before the logarithm"),
        "sigmoid twice": (lambda G, D, z: functional.softplus(-D(G(z)).sigmoid()).mean(), "twice"),
        "probabilities": (
            lambda G, D, z: functional.binary_cross_entropy(D(G(z)).sigmoid(), torch.ones(len(z))),
            "cut off",
        ),
        "frozen and left so": (frozen_and_left_so, "left so"),
        "eval": (in_eval, "mode"),
        "backward inside": (backward_inside, "backward"),
    },
    "update_ema": {
        "the fault": (rebound, "has not moved"),
        "a copy of the average": (of_a_copy, "has not moved"),
        "exchanged": (
            moved(lambda mean, weight, t: (1 - decay_at(t)) * mean + decay_at(t) * weight),
            "belongs to the old",
        ),
        "a copy of G": (moved(lambda mean, weight, t: weight), "nothing old is left"),
        "one decay": (moved(lambda mean, weight, t: 0.99 * mean + 0.01 * weight), "from the start"),
        "no limit": (moved(lambda mean, weight, t: mean + 9 / (10 + t) * (weight - mean)), "exceed"),
        "only added": (moved(lambda mean, weight, t: mean + (1 - decay_at(t)) * weight), "do not shrink"),
        "the other way": (generator_follows, "generator was changed"),
        "one memory": (tied, "generator was changed"),
        "the first weight": (first_only, "Largest difference"),
        "a graph": (with_a_graph, "gradients"),
    },
    "noise": {
        "the fault": (reseeded, "same vectors as the first"),
        "its own seed": (reseeded_with_its_own, "same vectors as the first"),
        "all of PyTorch seeded": (from_all_of_pytorch, "same vectors as the first"),
        "the source ignored": (lambda size, latent, source: torch.randn(size, latent), "PyTorch's own"),
        "a counter": (counted, "cannot be repeated"),
        "really random": (really_random, "cannot be repeated"),
        "one vector": (
            lambda size, latent, source: torch.randn(1, latent, generator=source).repeat(size, 1),
            "All vectors",
        ),
        "one number a vector": (
            lambda size, latent, source: torch.randn(size, 1, generator=source).repeat(1, latent),
            "columns",
        ),
        "uniform": (
            lambda size, latent, source: (torch.rand(size, latent, generator=source) - 0.5) * 12**0.5,
            "no normal",
        ),
        "in [0, 1]": (lambda size, latent, source: torch.rand(size, latent, generator=source), "Mean 0"),
        "transposed": (lambda size, latent, source: torch.randn(latent, size, generator=source), "Shape"),
        "float64": (
            lambda size, latent, source: torch.randn(size, latent, generator=source, dtype=torch.float64),
            "type",
        ),
    },
}
