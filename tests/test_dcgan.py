"""What notebook 06 shows of convolutions, batch norm, augmentation and averages, against oracles."""

import ast
from pathlib import Path

import nbformat
import pytest
import torch
from torch import nn
from torch.nn.functional import conv1d, conv_transpose1d, conv_transpose2d, pad

from helpers.data import load_digits
from helpers.gan import (
    Augmented,
    Generator,
    ema_copy,
    gan_step,
    shift,
    to_tanh,
    update_ema,
)
from helpers.studies import study
from helpers.studies.dcgan import centre_spread, norm_run, plain_discriminator, separate_step

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "06_dcgan_and_conditional_gan.ipynb"


def taught(*names):
    """Functions as the notebook defines them."""
    code = "\n".join(c.source for c in nbformat.read(NOTEBOOK, 4).cells if c.cell_type == "code")
    nodes = [n for n in ast.parse(code).body if isinstance(n, ast.FunctionDef) and n.name in names]
    space = {"torch": torch, "nn": nn, "conv_transpose2d": conv_transpose2d}
    exec(compile(ast.Module(nodes, []), "notebook", "exec"), space)
    return [space[name] for name in names]


@pytest.mark.parametrize(("k", "s", "p"), [(4, 2, 1), (3, 1, 1), (5, 2, 2), (3, 2, 0)])
def test_a_convolution_and_its_transpose_are_the_sums_of_the_notebook(k, s, p):
    """(6.1) and (6.2), along one axis, with their sizes."""
    torch.manual_seed(0)
    w, x = torch.randn(k, dtype=torch.float64), torch.randn(11, dtype=torch.float64)
    at = dict(enumerate(x.tolist()))
    down = [
        sum(w[t].item() * at.get(s * i + t - p, 0) for t in range(k))
        for i in range((11 + 2 * p - k) // s + 1)
    ]
    found = conv1d(x.view(1, 1, -1), w.view(1, 1, -1), stride=s, padding=p).flatten()
    assert len(found) == len(down) and torch.allclose(found, torch.tensor(down, dtype=torch.float64))
    up = [
        sum(x[j].item() * w[i + p - s * j].item() for j in range(11) if 0 <= i + p - s * j < k)
        for i in range((11 - 1) * s - 2 * p + k)
    ]
    found = conv_transpose1d(x.view(1, 1, -1), w.view(1, 1, -1), stride=s, padding=p).flatten()
    assert len(found) == len(up) and torch.allclose(found, torch.tensor(up, dtype=torch.float64))


def test_batch_norm_takes_mean_and_variance_over_images_and_places():
    """(6.3), with γ and β."""
    torch.manual_seed(0)
    norm, x = nn.BatchNorm2d(3).double(), torch.randn(5, 3, 4, 6, dtype=torch.float64)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    m, v = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
    gamma, beta = norm.weight.view(-1, 1, 1), norm.bias.view(-1, 1, 1)
    assert torch.allclose(norm(x), gamma * (x - m) / (v + norm.eps).sqrt() + beta)


def test_resize_and_convolution_is_a_tied_transposed_convolution():
    """(6.6), in the plane, for several maps."""
    (tied,) = taught("tied")
    torch.manual_seed(0)
    for height, width in ((7, 7), (1, 1), (3, 10)):
        x = torch.randn(2, 3, height, width, dtype=torch.float64)
        convolution = nn.Conv2d(3, 5, 3, padding=1, bias=False).double()
        slow = convolution(nn.Upsample(scale_factor=2)(x))
        fast = conv_transpose2d(x, tied(convolution.weight), stride=2, padding=1)
        assert slow.shape == fast.shape == (2, 5, 2 * height, 2 * width)
        assert torch.allclose(slow, fast, atol=1e-12)


@pytest.mark.parametrize(
    ("kernel", "along"), [(2, {1}), (3, {1, 2}), (4, {2}), (5, {2, 3}), (6, {3}), (7, {3, 4})]
)
def test_stamps_at_a_pixel(kernel, along):
    overlaps, inside = taught("overlaps", "inside")
    counts = set(inside(overlaps(kernel)).flatten().int().tolist())
    assert counts == {a * b for a in along for b in along}


def test_the_measure_of_a_checkerboard_is_the_spectrum_at_the_nyquist_frequencies():
    parity_means, checkerboard = taught("parity_means", "checkerboard")
    checkerboard.__globals__["parity_means"] = parity_means
    torch.manual_seed(0)
    picture = torch.rand(1, 12, 12, dtype=torch.float64)
    power = torch.fft.fft2(picture[0]).abs().square()
    nyquist = power[6, 0] + power[0, 6] + power[6, 6]
    assert abs(checkerboard(picture) - (nyquist / power[0, 0]).sqrt().item()) < 1e-12
    assert checkerboard(torch.ones(1, 12, 12)) == 0


def test_shift_moves_whole_pixels_and_lets_paper_in():
    torch.manual_seed(0)
    images = torch.rand(400, 1, 6, 7) + 1  # above 1, so that paper is told from ink
    moved, seen = shift(images, most=2), set()
    padded = pad(images, [2] * 4, value=-1.0)
    for image, candidate in zip(moved, padded, strict=True):
        places = [
            (i, j)
            for i in range(5)
            for j in range(5)
            if torch.equal(image, candidate[:, i : i + 6, j : j + 7])
        ]
        assert len(places) == 1
        seen |= set(places)
    assert len(seen) == 25  # each of the 5 × 5 moves occurs
    assert torch.equal(shift(images, most=0), images)


def test_the_gradient_of_shift_is_that_of_finite_differences():
    x = torch.randn(3, 1, 6, 6, dtype=torch.float64, requires_grad=True)

    def always_the_same(x):
        torch.manual_seed(0)
        return shift(x, 2)

    assert torch.autograd.gradcheck(always_the_same, (x,))


def test_augmented_disturbs_in_training_only_and_freezes_what_is_inside():
    torch.manual_seed(0)
    inner = plain_discriminator(width=4)
    outer, images = Augmented(inner), to_tanh(load_digits("train")[0][:8])
    assert not torch.allclose(outer(images), inner(images))
    assert torch.equal(outer.eval()(images), inner(images))
    outer.requires_grad_(False)
    assert not any(p.requires_grad for p in inner.parameters())
    minus = Augmented(inner, augment=lambda x: -x)
    assert torch.equal(minus(images), inner(-images))


@pytest.mark.parametrize("augmented", [False, True])
def test_a_step_through_an_augmentation_reaches_both_players(augmented):
    torch.manual_seed(0)
    generator, inner = Generator(latent=8, width=8), plain_discriminator(width=4)
    player = Augmented(inner) if augmented else inner
    before = [[p.clone() for p in network.parameters()] for network in (generator, inner)]
    optimisers = [torch.optim.SGD(network.parameters(), lr=1e-2) for network in (generator, player)]
    gan_step(generator, player, *optimisers, to_tanh(load_digits("train")[0][:8]))
    for network, old in zip((generator, inner), before, strict=True):
        assert any(not torch.equal(p, q) for p, q in zip(network.parameters(), old, strict=True))
        assert all(p.requires_grad for p in network.parameters())


def players_after(step, batch_norm):
    torch.manual_seed(0)
    generator, discriminator = (
        Generator(latent=8, width=8),
        plain_discriminator(width=4, batch_norm=batch_norm),
    )
    optimisers = [torch.optim.SGD(network.parameters(), lr=1e-2) for network in (generator, discriminator)]
    for p in (*generator.parameters(), *discriminator.parameters()):
        p.grad = torch.full_like(p, 7.0)  # left from before
    step(generator, discriminator, *optimisers, to_tanh(load_digits("train")[0][:8]))
    return torch.cat([p.detach().flatten() for p in (*generator.parameters(), *discriminator.parameters())])


def test_one_batch_or_two_is_the_same_without_batch_norm_only():
    assert torch.allclose(players_after(gan_step, False), players_after(separate_step, False), atol=1e-6)
    assert not torch.allclose(players_after(gan_step, True), players_after(separate_step, True), atol=1e-4)


def test_an_average_weighs_a_generator_of_age_n_by_its_decay():
    """(6.5), unrolled."""
    model = nn.Linear(1, 1, bias=False)
    average, decay, values = ema_copy(model), 0.9, torch.randn(30).tolist()
    start = model.weight.item()
    for value in values:
        nn.init.constant_(model.weight, value)
        update_ema(average, model, decay)
    expected = decay**30 * start + sum(
        (1 - decay) * decay**n * value for n, value in enumerate(reversed(values))
    )
    assert abs(average.weight.item() - expected) < 1e-6


def test_the_centre_of_the_ink():
    images = torch.zeros(2, 1, 9, 9)
    images[0, 0, 2, 4] = images[1, 0, 6, 4] = 0.5  # the centres lie 4 rows and 0 columns apart
    assert abs(centre_spread(images) - (8 / 2) ** 0.5) < 1e-6
    assert (
        centre_spread(load_digits("validation")[0])
        < 0.4
        < 1.3
        < centre_spread((shift(to_tanh(load_digits("validation")[0])) + 1) / 2)
    )


def test_the_study_shows_what_the_notebook_says():
    runs = study("dcgan")["runs"]
    together, apart = runs["batch norm together"], runs["batch norm apart"]
    assert min(run["distance"] for run in together) > 3 * max(run["distance"] for run in apart)
    assert all(run["among_real"] < -5 and run["among_fakes"] > 1 for run in together)
    none, both, real = (runs[f"few, {name}"] for name in ("no", "both", "real"))
    for left, cured in zip(none, both, strict=True):
        assert left["seen"] - left["unseen"] > 5 > 1 > cured["seen"] - cured["unseen"]
        assert cured["distance"] < left["distance"] and left["nearest"] < cured["nearest"]
    assert min(run["centre_spread"] for run in real) > max(run["centre_spread"] for run in both)


def test_a_new_seed_dies_together_and_lives_apart(one_thread):
    """It trains, because this is the claim; what notebook 06 trains with 200 images is not repeated here."""
    died, lived = norm_run("together", 11, rounds=200), norm_run("apart", 11, rounds=200)
    assert died["distance"] > 600 and died["among_real"] < -5 and died["among_fakes"] > 0
    assert lived["distance"] < 0.6 * died["distance"] and abs(lived["among_real"] - lived["among_fakes"]) < 2
