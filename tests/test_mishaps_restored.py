"""What a function changes for a while is afterwards as it was, also where it fails in the middle."""

import ast
import contextlib
import copy
import sys
from pathlib import Path

import pytest
import run_notebooks
import torch
from torch import nn

from helpers import bench, training
from helpers.data import batches, binarised, jitter, load_digits
from helpers.gan import (
    ConditionalDiscriminator,
    ConditionalGenerator,
    Discriminator,
    Generator,
    PointDiscriminator,
    PointGenerator,
    conditional_step,
    draw,
    ema_copy,
    gan_step,
    generator_step,
    sample_conditional,
    update_bn,
    update_ema,
)
from helpers.studies import latent_space, loss_benchmark, vae_gan
from helpers.training import mode_kept, set_threads, step_milliseconds
from helpers.vae import (
    VAE,
    VQVAE,
    CodePrior,
    ConditionalVAE,
    PixelVAE,
    gradient_check,
    importance_weighted_bound,
    means_of,
    sample_tokens,
    tokens_of,
)
from helpers.vae_gan import Encoder, vae_gan_loss_weights, vae_gan_step
from helpers.widgets import GanLab

STOPS = [KeyboardInterrupt, RuntimeError]


class Failing(nn.Module):
    """A layer that passes everything on until it is told to fail, at its first call from then on or a later one."""

    def __init__(self):
        super().__init__()
        self.failure, self.calls = None, 0

    def forward(self, x):
        if self.failure is not None:
            self.calls -= 1
            if self.calls <= 0:
                raise self.failure
        return x


def with_failing(network, name="net"):
    setattr(network, name, nn.Sequential(*getattr(network, name), Failing()))
    return network


def state_of(*networks):
    """All that may be changed for a while: modes, momentum, who learns, buffers, and what belongs to PyTorch."""
    told = []
    for network in networks:
        for part in network.modules():
            told.append((part.training, getattr(part, "momentum", None)))
        told += [p.requires_grad for p in network.parameters()]
        told += [buffer.clone().numpy().tobytes() for buffer in network.buffers()]
    told += [torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()]
    return told


def mixed(network):
    """One part in evaluation mode, the rest not: a caller's own choice, such as a frozen batch norm."""
    network.train()
    next(part for part in network.modules() if not list(part.children())).eval()
    return network


def g():
    return mixed(with_failing(Generator(4, 8)))


def asked():
    return mixed(with_failing(ConditionalGenerator(4, width=8)))


def d():
    return with_failing(Discriminator(4))


def told():
    network = ConditionalDiscriminator(width=4)
    network.features.append(Failing())
    return network


def adams(*networks):
    return [torch.optim.Adam(network.parameters(), 1e-3) for network in networks]


def reals(n=6):
    return 2 * load_digits("test")[0][:n] - 1


LABELS = torch.arange(6)
# name → the networks, the call, and at which pass through a failing layer it fails
CASES = {
    "draw": ([g], lambda g: draw(g, 3), 1),
    "sample_conditional": ([asked], lambda g: sample_conditional(g, LABELS, torch.randn(6, 4)), 1),
    "update_bn": ([g], lambda g: update_bn(g, 4, 3, 5), 2),
    "update_bn, asked": ([asked], lambda g: update_bn(g, 4, 3, 5), 1),
    "generator_step": ([d, g], lambda d, g: generator_step(g, d, adams(g)[0], torch.randn(5, 4)), 1),
    "gan_step": ([d, g], lambda d, g: gan_step(g, d, *adams(g, d), reals()), 2),
    "conditional_step": (
        [told, asked],
        lambda d, g: conditional_step(g, d, *adams(g, d), (reals(), LABELS)),
        2,
    ),
    "reconstructed": ([g], lambda g: vae_gan.reconstructed(Encoder(4), g, load_digits("test")[0][:5]), 1),
}
STATISTICS_MOVE = {"generator_step", "gan_step", "conditional_step"}  # as in any pass in training mode


def armed(networks, failure, calls):
    layers = [part for network in networks for part in network.modules() if isinstance(part, Failing)]
    layers[0].failure, layers[0].calls = failure, calls
    return layers[0]


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("case", CASES)
def test_networks_are_as_they_were_after_a_failure_in_the_middle(case, stop, one_thread):
    makers, call, passes = CASES[case]
    networks = [make() for make in makers]
    call(*networks)  # it works
    before = state_of(*networks)
    armed(networks, stop, passes)
    with pytest.raises(stop):
        call(*networks)
    after = state_of(*networks)
    if case in STATISTICS_MOVE:
        before, after = ([each for each in part if not isinstance(each, bytes)] for part in (before, after))
    assert after == before
    armed(networks, None, 0)
    call(*networks)  # and works again


def test_a_label_that_does_not_exist_leaves_the_generator_in_training(one_thread):
    generator = asked()
    before = state_of(generator)
    with pytest.raises((ValueError, RuntimeError)):
        sample_conditional(generator, torch.tensor([10]), torch.randn(1, 4))
    assert state_of(generator) == before and generator.training


@pytest.mark.parametrize("stop", STOPS)
def test_modes_are_kept_part_by_part(stop):
    network = mixed(Generator(4, 8))
    before = state_of(network)
    with contextlib.suppress(stop), mode_kept(network):
        network.eval()
        raise stop
    assert state_of(network) == before


@pytest.mark.parametrize("stop", STOPS)
def test_the_nudge_test_leaves_each_number_where_it_was(stop):
    weights = [torch.ones(3, dtype=torch.float64, requires_grad=True)]
    for passes in range(1, 8):
        calls = [0]

        def loss(calls=calls, passes=passes):
            calls[0] += 1
            if calls[0] == passes:
                raise stop
            return (weights[0] * torch.randn(3, dtype=torch.float64)).sum()

        state = torch.get_rng_state()
        with pytest.raises(stop):
            gradient_check(loss, weights)
        assert torch.equal(weights[0], torch.ones(3, dtype=torch.float64))
        assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("stop", STOPS)
def test_a_game_of_the_benchmark_thaws_its_discriminator(stop):
    game = loss_benchmark.Game("relativistic", 1e-3, 1e-3, 1)
    game.discriminator.net.append(Failing())
    before = state_of(game.discriminator)
    armed([game.discriminator], stop, 2)
    with pytest.raises(stop):
        game.g_step()
    assert state_of(game.discriminator) == before


@pytest.mark.parametrize("stop", STOPS)
def test_threads_are_put_back_where_measuring_stops(monkeypatch, stop):
    def stopped(*_, **__):
        raise stop

    before = torch.get_num_threads()
    other = 1 if before > 1 else 2
    monkeypatch.setattr(torch.nn.functional, "conv2d", stopped)
    with pytest.raises(stop):
        step_milliseconds(other)
    assert torch.get_num_threads() == before
    with pytest.raises(stop):
        set_threads()
    assert torch.get_num_threads() == before
    monkeypatch.setattr(training, "granted_cpus", lambda: 2)
    monkeypatch.setattr(training, "step_milliseconds", {1: 5.0, 2: 1.0}.get)
    monkeypatch.setattr(
        bench, "matrix_speed", lambda: 1.0 if torch.get_num_threads() == before else stopped()
    )
    with pytest.raises(stop):
        run_notebooks.speed_of_the_machine()
    assert torch.get_num_threads() == before


def test_random_numbers_are_put_back_where_a_lab_or_a_count_fails(monkeypatch):
    """Both seed PyTorch's own generator for a while."""

    def stopped(*_, **__):
        raise KeyboardInterrupt

    state = torch.get_rng_state()
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules[GanLab.__module__], "PointDiscriminator", stopped)
        with pytest.raises(KeyboardInterrupt):
            GanLab()
    with monkeypatch.context() as patch:
        patch.setattr(loss_benchmark.Game, "g_step", stopped)
        with pytest.raises(KeyboardInterrupt):
            loss_benchmark.operations.__wrapped__("hinge", 1)
    assert torch.equal(torch.get_rng_state(), state)


# Every other public function that is handed a network: it changes no mode, no momentum, nobody's leave to learn.
UNTOUCHED = {
    "update_ema": (lambda: [ema_copy(Generator(4, 8)), Generator(4, 8)], update_ema),
    "sample": (lambda: [VAE(3, 8)], lambda vae: vae.sample(2)),
    "importance_weighted_bound": (
        lambda: [VAE(3, 8)],
        lambda vae: importance_weighted_bound(vae, load_digits("test")[0][:2], 3),
    ),
    "codes": (
        lambda: [VQVAE(4, 2, 4)],
        lambda vqvae: means_of(vqvae, tokens_of(vqvae, load_digits("test")[0][:2])),
    ),
    "sample_tokens": (lambda: [CodePrior(4, 8)], lambda prior: sample_tokens(prior, 2)),
    "PixelVAE.draw": (lambda: [PixelVAE(3, 2, 4, 8)], lambda vae: vae.draw(torch.randn(1, 3))),
    "vae_gan_step": (
        lambda: [Encoder(4, 4), Generator(4, 8), Discriminator(4)],
        lambda *networks: vae_gan_step(
            dict(zip(("encoder", "decoder", "discriminator"), networks, strict=True)),
            dict(zip(("encoder", "decoder", "discriminator"), adams(*networks), strict=True)),
            reals(),
            vae_gan_loss_weights(),
        ),
    ),
    "judged_pixels": (lambda: [PixelVAE(3, 2, 4, 8)], latent_space.judged_pixels),
    "mode of a conditional VAE": (
        lambda: [ConditionalVAE(3, hidden=8)],
        lambda vae: vae.encode(load_digits("test")[0][:2], torch.tensor([1, 2])),
    ),
    "points": (
        lambda: [PointGenerator(), PointDiscriminator()],
        lambda g, d: gan_step_on_points(g, d),
    ),
}


def gan_step_on_points(g, d):
    generator_step(g, d, adams(g)[0], torch.randn(5, 2))


@pytest.mark.parametrize("name", UNTOUCHED)
def test_what_needs_no_other_state_sets_none(name, one_thread):
    make, call = UNTOUCHED[name]
    networks = [mixed(network) for network in make()]
    statistics = [] if name == "update_ema" else networks[:1]

    def state():
        return [each for each in state_of(*networks) if not isinstance(each, bytes)] + state_of(*statistics)[
            :1
        ]

    before = state()
    call(*networks)
    assert state() == before


def test_data_functions_leave_random_numbers_and_images_alone():
    images = load_digits("test")[0][:4]
    before, state = copy.deepcopy(images), torch.get_rng_state()
    binarised(images)
    assert torch.equal(torch.get_rng_state(), state)
    jitter(images)
    next(batches(images, 2, torch.Generator()))
    assert torch.equal(images, before)


# What is changed for a while is put back by `finally` or `with`; what is meant to stay changed is named here.
TOLD = {
    "eval",
    "train",
    "requires_grad_",
    "set_default_dtype",
    "set_num_threads",
    "manual_seed",
    "set_rng_state",
}
ON_PURPOSE = {
    "ema_copy": "the copy is new",
    "digit_classifier": "the network is new",
    "drum_classifier": "the network is new",
    "load": "the network is new",
    "value": "gradient_check calls it inside fork_rng",
    "update_bn": "a copy of the network",
    "train_vae": "the average is new",
    "diagnose": "gives_feedback puts random states back",
    "own_noise": "inside diagnose",
    "_by_a_seed": "inside diagnose",
    "_many_dimensions": "inside diagnose",
    "seed_everything": "it says so",
    "set_threads": "it says so",
    "_put_back": "it says so, and load_checkpoint puts back what was before",
    "main": "a program of its own",
    "vae_figures": "a program of its own",
    "work": "a process of its own",
}


def unguarded(source):
    """The functions that change such a state outside of `with` and of a `try` that has a `finally`, with the line."""

    def guards(node):
        return isinstance(node, ast.With) or (isinstance(node, ast.Try) and bool(node.finalbody))

    def changes(node):
        if isinstance(node, (ast.Assign, ast.AugAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            return any(isinstance(t, ast.Attribute) and t.attr in ("training", "momentum") for t in targets)
        if not (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TOLD
        ):
            return False
        new_leaf = node.func.attr == "requires_grad_" and not node.args
        return not new_leaf and not ast.unparse(node.func.value).startswith("torch.Generator")

    def visit(node, function, guarded):
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            function, guarded = getattr(node, "name", function), False
        if changes(node) and not guarded:
            yield function, node.lineno
        for _, value in ast.iter_fields(node):
            children = [c for c in (value if isinstance(value, list) else [value]) if isinstance(c, ast.AST)]
            for child, after in zip(children, [*children[1:], None][: len(children)], strict=True):
                # The line just before a `try` belongs to it: first frozen, then try, finally thawed.
                yield from visit(child, function, guarded or guards(node) or guards(after))

    return list(visit(ast.parse(source), "", False))


def test_nobody_changes_such_a_state_without_putting_it_back():
    root = Path(training.__file__).parent
    for path in sorted(root.rglob("*.py")):
        # A study is a program of its own: each run begins with its own seed.
        if "checks" not in path.parts and path.parent.name != "studies":
            for function, line in unguarded(path.read_text(encoding="utf-8")):
                assert function in ON_PURPOSE, (
                    f"{path.relative_to(root)}, line {line}: {function} changes a state and does not put it back "
                    "where it fails. Use `with mode_kept(network)` or try/finally."
                )


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("g.eval()\n    y = g(z)\n    g.train(True)", 2),
        ("with mode_kept(g):\n        return g.eval()(z)", 0),
        ("d.requires_grad_(False)\n    try:\n        d(z)\n    finally:\n        d.requires_grad_(True)", 0),
        ("d.requires_grad_(False)\n    d(z)\n    d.requires_grad_(True)", 2),
        ("x = torch.ones(3).requires_grad_()", 0),
        ("norm.momentum = None", 1),
        ("torch.manual_seed(0)", 1),
        ("noise = torch.Generator().manual_seed(0)", 0),
    ],
)
def test_a_state_left_behind_would_be_found(body, found):
    assert len(unguarded(f"def f(g, d, z):\n    {body}\n")) == found
