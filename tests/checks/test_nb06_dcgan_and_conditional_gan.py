"""Both sides of the checks of notebook 06: right answers pass, wrong ones of other hands are called by name."""

import torch
from answers import folded_solutions, tests_of
from torch import nn
from torch.nn.functional import one_hot
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from helpers.checks.nb06_dcgan_and_conditional_gan import check_average_update, check_conditional_input

# A: a label beside an image


def planes(x, y, k):
    return one_hot(y, k).to(x.dtype)[:, :, None, None].expand(-1, -1, *x.shape[2:])


def beside(x, y, k):
    return torch.cat([x, planes(x, y, k)], 1)


def by_scatter(x, y, k):
    empty = torch.zeros(len(x), k, *x.shape[2:], dtype=x.dtype)
    empty[torch.arange(len(x)), y] = 1
    return torch.cat([x, empty], 1)


def by_padding(x, y, k):
    pad = nn.functional.pad
    return pad(x, (0, 0, 0, 0, 0, k)) + pad(planes(x, y, k), (0, 0, 0, 0, x.shape[1], 0))


def adds_in_place(x, y, k):
    with torch.no_grad():
        x += 1
    return beside(x - 1, y, k)


INPUTS = [
    beside,
    by_scatter,
    by_padding,
    lambda x, y, k: torch.cat([x, torch.eye(k)[y].view(-1, k, 1, 1) * torch.ones_like(x[:, :1])], 1),
    lambda x, y, k: torch.cat([x, one_hot(y, k).to(x)[..., None, None].repeat(1, 1, *x.shape[2:])], 1),
    lambda x, y, k: torch.cat([x, *((y == c).to(x).view(-1, 1, 1, 1).expand_as(x[:, :1]) for c in range(k))], 1),
    lambda x, y, k: torch.cat([x, one_hot(y, k)[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1),
    lambda x, y, k: torch.cat([x, (0 * planes(x, y, k)).scatter(1, y.view(-1, 1, 1, 1).expand_as(x[:, :1]), 1)], 1),
    lambda x, y, k: torch.hstack([x, planes(x, y, k)]),
]  # fmt: skip
WRONG_INPUTS = [
    (lambda x, y, k: torch.cat([x, y.to(x).view(-1, 1, 1, 1).expand_as(x[:, :1])], 1), "shape", "each class"),
    (lambda x, y, k: beside(x, y, 10), "shape", "Ten classes"),
    (lambda x, y, k: beside(x, y, int(y.max()) + 1), "shape", "happen to occur"),
    (lambda x, y, k: x[:, :1] + planes(x, y, k), "shape", "is missing"),
    (lambda x, y, k: beside(x, y, k).movedim(1, -1), "shape", "before height"),
    (lambda x, y, k: beside(x[:, :1], y, k), "shape", "Only one channel"),
    (lambda x, y, k: beside(x, y.sort().values, k), "planes", "its own label"),
    (lambda x, y, k: beside(x, y, k) + torch.rand(()), "noise", "new noise"),
    (lambda x, y, k: torch.cat([x, one_hot(y, k)[..., None, None].expand(-1, -1, 28, 28)], 1), "sizes", "those of"),
    (lambda x, y, k: torch.cat([x, planes(x.mT, y, k)], 1), "sizes", "each in its place"),
    (lambda x, y, k: beside(x, y, k).long(), "dtype", "int64"),
    (lambda x, y, k: beside(x.detach(), y, k) + 0 * x.sum(), "gradient", "detach"),
    (lambda x, y, k: beside(x, y, k).detach(), "no_gradient", "detach"),
    (lambda x, y, k: beside(0.999 * x, y, k), "image", "as it came in"),
    (lambda x, y, k: torch.cat([x, planes(x, y, k) + 1e-3], 1), "planes", "its own label"),
    (lambda x, y, k: torch.cat([x, planes(x, y, k)], 2), "sizes", "dimension of the channels"),
    (lambda x, y, k: beside(x, y.clamp(max=k - 2), k - 1), "shape", "One class has no channel"),
    (lambda x, y, k: beside(x.clamp(-1, 1), y, k), "image", "as it came in"),
    (lambda x, y, k: torch.cat([x, planes(x, y, k) * torch.linspace(0, 1, x.shape[3])], 1), "uneven", "every pixel"),
    (lambda x, y, k: torch.cat([x, one_hot(y, k)], 1), "raised", "shapes"),
    (adds_in_place, "changed_input", "changes `images`"),
    (lambda x, y, k: torch.cat([x.detach(), 1 - planes(x, y, k)], 1), "inverted", "changed places"),
]  # fmt: skip
test_right_inputs, _, test_wrong_inputs = tests_of(check_conditional_input, INPUTS, wrong=WRONG_INPUTS)

# B: the moving average of weights


def both(*networks):
    """Pairs of parameters, then pairs of buffers."""
    return [
        list(zip(*(getattr(n, name)() for n in networks), strict=True)) for name in ("parameters", "buffers")
    ]


def with_buffers(blend):
    """An update that treats the parameters by `blend` and copies the buffers."""

    def update(average, model, decay):
        with torch.no_grad():
            blend(average, model, decay)
            for mean, now in both(average, model)[1]:
                mean.copy_(now)

    return update


def each_parameter(blend):
    return with_buffers(lambda a, m, d: [blend(mean, weight, d) for mean, weight in both(a, m)[0]])


by_multiplying = each_parameter(lambda mean, weight, decay: mean.mul_(decay).add_(weight, alpha=1 - decay))


def by_data(average, model, decay):
    parameters, buffers = both(average, model)
    for mean, weight in parameters:
        mean.data = decay * mean.data + (1 - decay) * weight.data
    for mean, now in buffers:
        mean.data = now.data.clone()
    return average


def by_state(average, model, decay):
    mean, now = average.state_dict(), model.state_dict()
    names = {name for name, _ in model.named_parameters()}
    blend = {name: torch.lerp(now[name], mean[name], decay) if name in names else now[name] for name in now}
    average.load_state_dict(blend)


def detached(average, model, decay):
    parameters, buffers = both(average, model)
    for mean, weight in parameters:
        mean.copy_(decay * mean + (1 - decay) * weight.detach())
    for mean, now in buffers:
        mean.copy_(now)


@torch.no_grad()
def module_by_module(average, model, decay):
    for mean, now in zip(average.modules(), model.modules(), strict=True):
        for name, parameter in mean.named_parameters(recurse=False):
            parameter.lerp_(getattr(now, name), 1 - decay)
        for name, buffer in mean.named_buffers(recurse=False):
            buffer.copy_(getattr(now, name))


def by_name_of_the_state(average, model, decay):
    now = model.state_dict()
    with torch.no_grad():
        for name, value in average.state_dict().items():  # these share memory with the network
            trained = "num" not in name and "running" not in name
            value.copy_(decay * value + (1 - decay) * now[name] if trained else now[name])


def by_vectors(average, model, decay):
    mean, now = (parameters_to_vector(each.parameters()) for each in (average, model))
    vector_to_parameters(decay * mean + (1 - decay) * now, average.parameters())


def by_foreach(average, model, decay):
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)


UPDATES = [by_multiplying, by_data, by_state, detached, module_by_module, by_name_of_the_state,
           with_buffers(by_vectors), with_buffers(by_foreach),
           each_parameter(lambda m, w, d: m.add_((1 - d) * (w - m)))]  # fmt: skip


def rebinds(average, model, decay):
    for mean, weight in both(average, model)[0]:
        mean = decay * mean + (1 - decay) * weight
    return average


def keeps_the_graph(average, model, decay):
    for mean, weight in both(average, model)[0]:
        mean.mul_(decay).add_((1 - decay) * weight)


def stops_at_integers(average, model, decay):
    for mean, now in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        mean.mul_(decay).add_(now, alpha=1 - decay)


@with_buffers
def only_linear(average, model, decay):
    for mean, now in zip(average, model, strict=True):
        if isinstance(now, nn.Linear):
            mean.weight.lerp_(now.weight, 1 - decay)
            mean.bias.lerp_(now.bias, 1 - decay)


def shares_buffers(average, model, decay):
    by_multiplying(average, model, decay)
    for mean, now in both(average, model)[1]:
        mean.data = now.data


def hands_buffers_over(average, model, decay):
    by_multiplying(average, model, decay)
    for mean, now in zip(average.modules(), model.modules(), strict=True):
        for name, buffer in now.named_buffers(recurse=False):
            setattr(mean, name, buffer)


def replaces(average, model, decay):
    now = dict(model.named_parameters())
    for name, mean in list(average.named_parameters()):
        path, _, last = name.rpartition(".")
        blend = nn.Parameter((decay * mean + (1 - decay) * now[name]).detach(), requires_grad=False)
        setattr(average.get_submodule(path), last, blend)
    with_buffers(lambda *a: None)(average, model, decay)


def into_the_state(average, model, decay):
    mean = average.state_dict()
    for name, value in model.state_dict().items():
        mean[name] = decay * mean[name] + (1 - decay) * value


WRONG_UPDATES = [
    (only_linear, "value", "met, once"),
    (shares_buffers, "shared", "moves along"),
    (hands_buffers_over, "shared", "moves along"),
    (replaces, "replaced", "that are there"),
    (lambda a, m, d: by_multiplying(a.requires_grad_(True), m, d), "graph", "no_grad"),
    (lambda a, m, d: [w.requires_grad_(True).mul_(d) for w in a.parameters()], "leaf", "no_grad"),
    (lambda a, m, d: by_multiplying(a, m.eval(), d), "model_moved", "Only its average"),
    (lambda a, m, d: by_multiplying(m, a, d), "model_moved", "Only its average"),
    (into_the_state, "unmoved", "new tensor"),
    (rebinds, "unmoved", "new tensor"),
    (lambda a, m, d: None, "unmoved", "as they were"),
    (with_buffers(rebinds), "unmoved", "as they were"),
    (stops_at_integers, "counter", "counts its batches"),
    (keeps_the_graph, "graph", "no_grad"),
    (lambda a, m, d: by_multiplying(a, m, min(d, 0.99)), "value", "With a decay of 0.995 your average has 0 of"),
    (lambda a, m, d: by_multiplying(a, m, 0.9), "value", "With a decay of 0.35 your average has 0 of"),
    (each_parameter(lambda m, w, d: m.mul_(d).add_(w, alpha=1 - d).clamp_(-1, 1)), "value", "met, once"),
]  # fmt: skip
test_right_updates, _, test_wrong_updates = tests_of(check_average_update, UPDATES, wrong=WRONG_UPDATES)


def test_the_solutions_in_the_notebook_pass():
    mine = folded_solutions("06_dcgan_and_conditional_gan", torch=torch, one_hot=one_hot)
    (update,) = (f for name, f in mine.items() if "update" in name)
    assert check_conditional_input(mine["my_conditional_input"]).kind == "right"
    assert check_average_update(update).kind == "right"
