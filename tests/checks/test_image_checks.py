"""Both sides of the checks of notebook 06: right answers pass, each wrong one is called by its name."""

import pytest
import torch
from folded_solutions import folded_solutions
from torch import nn
from torch.nn.functional import one_hot

from helpers.checks import check_average_update, check_conditional_input
from helpers.checks import images as checks
from helpers.gan import update_ema

# A: a label beside an image


def planes(x, y, k):
    return one_hot(y, k).to(x.dtype)[:, :, None, None].expand(-1, -1, *x.shape[2:])


def by_scatter(x, y, k):
    empty = torch.zeros(len(x), k, *x.shape[2:], dtype=x.dtype)
    empty[torch.arange(len(x)), y] = 1
    return torch.cat([x, empty], 1)


def one_by_one(x, y, k):
    return torch.stack(
        [
            torch.cat(
                [image, torch.stack([torch.full(image.shape[1:], float(c == label)) for c in range(k)])]
            )
            for image, label in zip(x, y.tolist(), strict=True)
        ]
    )


LABEL_RIGHT = {
    "expanded": lambda x, y, k: torch.cat([x, planes(x, y, k)], dim=1),
    "scattered": by_scatter,
    "one by one": one_by_one,
    "identity": lambda x, y, k: torch.cat(
        [x, torch.eye(k)[y].view(-1, k, 1, 1) * torch.ones_like(x[:, :1])], 1
    ),
    "repeated": lambda x, y, k: torch.cat(
        [x, one_hot(y, k).to(x)[..., None, None].repeat(1, 1, *x.shape[2:])], 1
    ),
    "compared": lambda x, y, k: torch.cat(
        [
            x,
            (torch.arange(k)[None, :, None, None] == y[:, None, None, None])
            .to(x)
            .expand(-1, -1, *x.shape[2:]),
        ],
        1,
    ),
    "whole numbers": lambda x, y, k: torch.cat(
        [x, one_hot(y, k)[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1
    ),
    "scattered along": lambda x, y, k: torch.cat(
        [x, torch.zeros(len(x), k, *x.shape[2:]).scatter(1, y.view(-1, 1, 1, 1).expand_as(x[:, :1]), 1)], 1
    ),
    "stacked": lambda x, y, k: torch.hstack([x, planes(x, y, k)]),
    "broadcast": lambda x, y, k: torch.cat(
        [x, torch.broadcast_to(planes(x, y, k), (len(x), k, *x.shape[2:]))], 1
    ),
}


def adds_in_place(x, y, k):
    with torch.no_grad():
        x += 1
    return torch.cat([x - 1, planes(x, y, k)], 1)


LABEL_WRONG = [
    (lambda x, y, k: torch.cat([planes(x, y, k), x], 1), "planes_first", "image first"),
    (lambda x, y, k: torch.cat([x, planes(x, y[:1].expand(len(y)), k)], 1), "first_label", "first label"),
    (lambda x, y, k: torch.cat([x, planes(x, (y + 1) % k, k)], 1), "shifted", "from 0"),
    (lambda x, y, k: torch.cat([x, planes(x, (y - 1) % k, k)], 1), "shifted", "from 0"),
    (lambda x, y, k: torch.cat([x, 1 - planes(x, y, k)], 1), "inverted", "changed places"),
    (lambda x, y, k: torch.cat([x, 2 * planes(x, y, k) - 1], 1), "signs", "0 and 1"),
    (
        lambda x, y, k: torch.cat([x, y.to(x).view(-1, 1, 1, 1).expand(-1, k, *x.shape[2:])], 1),
        "number",
        "no order",
    ),
    (lambda x, y, k: torch.cat([x, planes(x, y, k) * y.view(-1, 1, 1, 1)], 1), "weighted", "class 0"),
    (lambda x, y, k: torch.cat([x, 0 * planes(x, y, k)], 1), "empty", "does not arrive"),
    (lambda x, y, k: torch.cat([x, planes(x, y, k) / x[0, 0].numel()], 1), "normalised", "spread"),
    (
        lambda x, y, k: torch.cat([x, y.to(x).view(-1, 1, 1, 1).expand(-1, 1, *x.shape[2:])], 1),
        "shape",
        "each class",
    ),
    (lambda x, y, k: torch.cat([x, planes(x, y, 10)], 1), "shape", "Ten classes"),
    (lambda x, y, k: torch.cat([x, planes(x, y, int(y.max()) + 1)], 1), "shape", "happen to occur"),
    (lambda x, y, k: x[:, :1] + planes(x, y, k), "shape", "added"),
    (lambda x, y, k: torch.cat([x, planes(x, y, k)], 1).movedim(1, -1), "shape", "before height"),
    (lambda x, y, k: torch.cat([x, planes(x, y, k)], 1).mT, "shape", "Height and width"),
    (lambda x, y, k: torch.cat([x[:, :1], planes(x, y, k)], 1), "shape", "Only one channel"),
    (lambda x, y, k: torch.cat([x, x]), "shape", "more images"),
    (
        lambda x, y, k: torch.cat([x, (y.to(x) / k).view(-1, 1, 1, 1).expand(-1, k, *x.shape[2:])], 1),
        "number",
        "no order",
    ),
    (lambda x, y, k: torch.cat([x, planes(x, k - 1 - y, k)], 1), "reversed", "from the end"),
    (
        lambda x, y, k: torch.cat(
            [x, (torch.arange(k) <= y[:, None]).to(x)[..., None, None].expand(-1, -1, *x.shape[2:])], 1
        ),
        "staircase",
        "means one",
    ),
    (
        lambda x, y, k: torch.cat(
            [x, one_hot(y, k).T.reshape(len(x), k, 1, 1).to(x).expand(-1, -1, *x.shape[2:])], 1
        ),
        "wrong_axis",
        "wrong axis",
    ),
    (
        lambda x, y, k: torch.cat(
            [x, nn.Embedding(k, k)(y)[..., None, None].expand(-1, -1, *x.shape[2:])], 1
        ),
        "planes",
        "one plane",
    ),
    (
        lambda x, y, k: torch.cat([x, one_hot(y, k)[..., None, None].expand(-1, -1, 28, 28)], 1),
        "sizes",
        "from the images",
    ),
    (lambda x, y, k: torch.cat([x, planes(x.mT, y, k)], 1), "sizes", "each in its place"),
    (lambda x, y, k: torch.cat([x, planes(x, y, k)], 1).long(), "dtype", "int64"),
    (lambda x, y, k: torch.cat([x.detach(), planes(x, y, k) + 0 * x.sum()], 1), "detached", "gradient"),
    (lambda x, y, k: torch.cat([x, planes(x, y, k)], 1).detach(), "detached", "gradient"),
    (lambda x, y, k: torch.cat([x, planes(x, y, k)], 1).half(), "dtype", "float16"),
    (lambda x, y, k: torch.cat([2 * x, planes(x, y, k)], 1), "image", "as it came in"),
    (lambda x, y, k: torch.cat([x, torch.rand(len(x), k, *x.shape[2:])], 1), "uneven", "every pixel"),
    (lambda x, y, k: torch.cat([x, one_hot(y, k)], 1), "raised", "shapes"),
    (adds_in_place, "changed_input", "changes the images"),
    (lambda x, y, k: (x, planes(x, y, k)), "type", "tensor"),
    (lambda x, y, k: None, "none", "return"),
]

# B: the running average of weights


@torch.no_grad()
def by_multiplying(average, model, decay):
    for mean, weight in zip(average.parameters(), model.parameters(), strict=True):
        mean.mul_(decay).add_(weight, alpha=1 - decay)
    for mean, now in zip(average.buffers(), model.buffers(), strict=True):
        mean.copy_(now)


def by_data(average, model, decay):
    for mean, weight in zip(average.parameters(), model.parameters(), strict=True):
        mean.data = decay * mean.data + (1 - decay) * weight.data
    for mean, now in zip(average.buffers(), model.buffers(), strict=True):
        mean.data = now.data.clone()
    return average


def by_state(average, model, decay):
    mean, now = average.state_dict(), model.state_dict()
    names = {name for name, _ in model.named_parameters()}
    average.load_state_dict(
        {name: torch.lerp(now[name], mean[name], decay) if name in names else now[name] for name in now}
    )


def by_name(average, model, decay):
    now = dict(model.named_parameters())
    with torch.no_grad():
        for name, mean in average.named_parameters():
            mean += (1 - decay) * (now[name] - mean)
        for name, mean in average.named_buffers():
            mean.copy_(dict(model.named_buffers())[name])


def detached(average, model, decay):
    for mean, weight in zip(average.parameters(), model.parameters(), strict=True):
        mean.copy_(decay * mean + (1 - decay) * weight.detach())
    for mean, now in zip(average.buffers(), model.buffers(), strict=True):
        mean.copy_(now)


def by_foreach(average, model, decay):
    with torch.no_grad():
        torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)
        for mean, now in zip(average.buffers(), model.buffers(), strict=True):
            mean.copy_(now)


@torch.no_grad()
def module_by_module(average, model, decay):
    for mean, now in zip(average.modules(), model.modules(), strict=True):
        for name, parameter in mean.named_parameters(recurse=False):
            parameter.lerp_(getattr(now, name), 1 - decay)
        for name, buffer in mean.named_buffers(recurse=False):
            buffer.copy_(getattr(now, name))


def layer_by_layer_with_a_blend(average, model, decay):
    now = model.state_dict()
    with torch.no_grad():
        for name, value in average.state_dict().items():  # these share memory with the network
            trained = "num" not in name and "running" not in name
            value.copy_(decay * value + (1 - decay) * now[name] if trained else now[name])


AVERAGE_RIGHT = [
    layer_by_layer_with_a_blend,
    update_ema,
    by_multiplying,
    by_data,
    by_state,
    by_name,
    detached,
    by_foreach,
    module_by_module,
]


def rebinds(average, model, decay):
    for mean, weight in zip(average.parameters(), model.parameters(), strict=True):
        mean = decay * mean + (1 - decay) * weight
    return average


def keeps_the_graph(average, model, decay):
    for mean, weight in zip(average.parameters(), model.parameters(), strict=True):
        mean.mul_(decay).add_((1 - decay) * weight)


def averages_all(average, model, decay):
    mean, now = average.state_dict(), model.state_dict()
    average.load_state_dict({name: (decay * mean[name] + (1 - decay) * now[name]) for name in now})


def moves_the_model(average, model, decay):
    by_multiplying(average, model, decay)
    with torch.no_grad():
        for mean, weight in zip(average.parameters(), model.parameters(), strict=True):
            weight.copy_(mean)


@torch.no_grad()
def only_the_first(average, model, decay):
    next(average.parameters()).lerp_(next(model.parameters()), 1 - decay)


def stops_at_integers(average, model, decay):
    for mean, now in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        mean.lerp_(now, 1 - decay)


def only_linear(average, model, decay):
    with torch.no_grad():
        for mean, now in zip(average, model, strict=True):
            if isinstance(now, nn.Linear):
                mean.weight.lerp_(now.weight, 1 - decay)
                mean.bias.lerp_(now.bias, 1 - decay)
        for mean, now in zip(average.buffers(), model.buffers(), strict=True):
            mean.copy_(now)


def shares_buffers(average, model, decay):
    with torch.no_grad():
        for mean, weight in zip(average.parameters(), model.parameters(), strict=True):
            mean.lerp_(weight, 1 - decay)
    for mean, now in zip(average.buffers(), model.buffers(), strict=True):
        mean.data = now.data


def hands_buffers_over(average, model, decay):
    shares_buffers(average, model, decay)
    for mean, now in zip(average.modules(), model.modules(), strict=True):
        for name, buffer in now.named_buffers(recurse=False):
            setattr(mean, name, buffer)


def replaces(average, model, decay):
    now = dict(model.named_parameters())
    for name, mean in list(average.named_parameters()):
        *path, last = name.split(".")
        blend = nn.Parameter((decay * mean + (1 - decay) * now[name]).detach(), requires_grad=False)
        setattr(average.get_submodule(".".join(path)), last, blend)
    for mean, buffer in zip(average.buffers(), model.buffers(), strict=True):
        mean.copy_(buffer)


def on_a_leaf(average, model, decay):
    for mean, weight in zip(average.parameters(), model.parameters(), strict=True):
        mean.requires_grad_(True).mul_(decay).add_(weight, alpha=1 - decay)


def leaves_the_model_in_eval(average, model, decay):
    by_multiplying(average, model.eval(), decay)


def into_the_state(average, model, decay):
    mean = average.state_dict()
    for name, value in model.state_dict().items():
        mean[name] = decay * mean[name] + (1 - decay) * value


AVERAGE_WRONG = [
    (only_linear, "value", "met, once"),
    (shares_buffers, "shared", "moves along"),
    (hands_buffers_over, "shared", "moves along"),
    (replaces, "replaced", "that are there"),
    (on_a_leaf, "leaf", "no_grad"),
    (leaves_the_model_in_eval, "model_moved", "Only its average"),
    (into_the_state, "unmoved", "new tensor"),
    (lambda average, model, decay: by_multiplying(model, average, decay), "model_moved", "Only its average"),
    (
        checks._blend(checks._usual, lambda mean, now, decay: now if now.is_floating_point() else mean),
        "no_counter",
        "counts",
    ),
    (
        checks._blend(checks._usual, lambda mean, now, decay: mean if now.is_floating_point() else now),
        "no_statistics",
        "stay as they were",
    ),
    (
        lambda *a: [by_multiplying(*a), by_multiplying(*a)],
        "squared",
        "twice as fast",
    ),
    (checks._blend(lambda m, w, d: (1 - d) * m + d * w), "swapped", "changed places"),
    (checks._blend(lambda m, w, d: w), "copied", "copy"),
    (checks._blend(lambda m, w, d: (m + w) / 2), "half", "the same"),
    (checks._blend(lambda m, w, d: d * m + w), "sum", "add up to 1"),
    (checks._blend(lambda m, w, d: m + (1 - d) * w), "sum", "add up to 1"),
    (checks._blend(lambda m, w, d: d * m), "shrinks", "shrinks"),
    (checks._blend(lambda m, w, d: m - (1 - d) * (w - m)), "sign", "sign"),
    (checks._blend(checks._usual, lambda mean, now, decay: mean), "no_buffers", "running statistics"),
    (averages_all, "averaged_buffers", "copied"),
    (stops_at_integers, "raised", "stopped"),
    (checks._blend(lambda m, w, d: d**2 * m + (1 - d**2) * w), "squared", "once in a call"),
    (rebinds, "unmoved", "in"),
    (lambda average, model, decay: None, ("stub", "unmoved"), "t"),
    (keeps_the_graph, "graph", "no_grad"),
    (moves_the_model, "model_moved", "Only its average"),
    (only_the_first, "value", "met, once"),
    (lambda average, model, decay: average.load_state_dict(model.state_dict()), "copied", "copy"),
]


@pytest.mark.parametrize("name", LABEL_RIGHT)
def test_right_inputs_pass(name, dtype):
    assert check_conditional_input(LABEL_RIGHT[name]).kind == "right", check_conditional_input(
        LABEL_RIGHT[name]
    )


@pytest.mark.parametrize("update", AVERAGE_RIGHT)
def test_right_averages_pass(update, dtype):
    assert check_average_update(update).kind == "right", check_average_update(update)


@pytest.mark.parametrize(("answer", "kind", "phrase"), LABEL_WRONG)
def test_wrong_inputs_are_called_by_name(answer, kind, phrase, dtype):
    feedback = check_conditional_input(answer)
    assert not feedback.ok and feedback.kind == kind and phrase in feedback.message, feedback


@pytest.mark.parametrize(("answer", "kind", "phrase"), AVERAGE_WRONG)
def test_wrong_averages_are_called_by_name(answer, kind, phrase, dtype):
    feedback = check_average_update(answer)
    kinds = kind if isinstance(kind, tuple) else (kind,)
    assert not feedback.ok and feedback.kind in kinds and phrase in feedback.message, feedback


def test_the_cases_tell_every_two_ways_apart():
    torch.manual_seed(6)
    models = [checks._model(batches) for batches in checks.COUNTS]
    ways = [checks._averages(way.answer, 0.9, models) for way in checks.AVERAGE_WAYS]
    for k, one in enumerate(ways):
        assert not any(torch.allclose(one, other, atol=1e-3) for other in ways[:k]), checks.AVERAGE_WAYS[
            k
        ].kind


def test_the_solutions_in_the_notebook_pass():
    mine = folded_solutions("06_dcgan_and_conditional_gan", torch=torch, one_hot=one_hot)
    assert check_conditional_input(mine["my_conditional_input"]).kind == "right"
    assert check_average_update(mine["my_update_average"]).kind == "right"
