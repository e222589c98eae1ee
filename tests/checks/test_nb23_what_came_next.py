"""Both sides of the checks of notebook 23: ways to write the noise-prediction loss and a DDIM step, and mistakes."""

import math

import pytest
import torch
from answers import folded_solutions, tests_of

from helpers.checks import check_ddim_step, check_noise_loss
from helpers.diffusion import ddim_step, noise_loss

SOLUTIONS = folded_solutions("23_what_came_next", torch=torch)

# A: the noise-prediction loss


def by_rows(network, x, t, eps, alpha_bar):
    losses = []
    for n in range(len(x)):
        kept = alpha_bar[t[n]].item()
        x_t = math.sqrt(kept) * x[n : n + 1] + math.sqrt(1 - kept) * eps[n : n + 1]
        eps_hat = (x_t - math.sqrt(kept) * network(x_t, t[n : n + 1])) / math.sqrt(1 - kept)
        losses.append(((eps[n : n + 1] - eps_hat) ** 2).sum())
    return torch.stack(losses)


def by_the_error_of_the_data(network, x, t, eps, alpha_bar):
    """The same by ε − ε̂ = −√(ᾱ/(1 − ᾱ)) (x_0 − x̂_0)."""
    kept = alpha_bar[t].reshape([len(x)] + [1] * (x.dim() - 1))
    clean = network(kept**0.5 * x + (1 - kept) ** 0.5 * eps, t)
    return torch.sum((kept / (1 - kept) * (x - clean).pow(2)).reshape(len(x), -1), dim=-1)


def by_the_course(network, x, t, eps, alpha_bar):
    def noise(x_t, t):
        kept = alpha_bar[t].view(-1, *[1] * (x.ndim - 1))
        return (x_t - kept.sqrt() * network(x_t, t)) / (1 - kept).sqrt()

    return noise_loss(noise, x, t, eps, alpha_bar)


def with_slips(
    share=lambda a, t: a[t],
    jump=lambda x, e, k: k.sqrt() * x + (1 - k).sqrt() * e,
    back=lambda y, c, k: (y - k.sqrt() * c) / (1 - k).sqrt(),
    score=lambda d: d.square().flatten(1).sum(1),
):
    def answer(network, x, t, eps, alpha_bar):
        k = share(alpha_bar, t).view(-1, *[1] * (x.ndim - 1))
        x_t = jump(x, eps, k)
        return score(eps - back(x_t, network(x_t, t), k))

    return answer


def without_a_graph(network, x, t, eps, alpha_bar):
    with torch.no_grad():
        return by_the_course(network, x, t, eps, alpha_bar)


test_right_a, _, test_wrong_a = tests_of(
    check_noise_loss,
    right=[SOLUTIONS["my_loss"], by_rows, by_the_error_of_the_data, by_the_course],
    wrong=[
        (with_slips(jump=lambda x, e, k: k.sqrt() * x + (1 - k) * e), "noise_root", "which is its variance"),
        (with_slips(share=lambda a, t: a[t - 1]), "one_step_early", "one step earlier"),
        (with_slips(share=lambda a, t: a[t] / a[t - 1]), "single_step", "product of all steps"),
        (with_slips(jump=lambda x, e, k: k * x + (1 - k).sqrt() * e), "data_root", "its root belongs"),
        (
            with_slips(jump=lambda x, e, k: k.sqrt() * x + (1 - k.sqrt()) * e),
            "root_inside",
            "around the whole",
        ),
        (with_slips(back=lambda y, c, k: y - k.sqrt() * c), "undivided", "to the end"),
        (with_slips(back=lambda y, c, k: (y - k.sqrt() * c) / (1 - k)), "by_variance", "divide by its root"),
        (with_slips(back=lambda y, c, k: (y - c) / (1 - k).sqrt()), "clean_unshrunk", "shrunk by √ᾱ_t"),
        (with_slips(back=lambda y, c, k: c), "clean_as_noise", "returns x̂_0"),
        (with_slips(score=lambda d: d.square().flatten(1).mean(1)), "mean", "their sum"),
        (with_slips(score=lambda d: d.flatten(1).norm(dim=1)), "root", "Asked for is its square"),
        (with_slips(score=lambda d: d.square().flatten(1).sum(1) / 2), "half", "no factor ½"),
        (with_slips(score=lambda d: d.square().sum()), "shape", "each row keeps its number"),
        (with_slips(score=lambda d: d.square()), "shape", "Sum the squares"),
        (
            with_slips(
                jump=lambda x, e, k: k.sqrt() * x + (1 - k) * e, score=lambda d: d.square().flatten(1).mean(1)
            ),
            "noise_root",
            "Two mistakes",
        ),
        (without_a_graph, "no_gradient", "graph"),
        (lambda network, x, t: x, "signature", "my_loss(network, x, t, eps, alpha_bar)"),
    ],
)


# B: one DDIM step


def by_both_factors(x, eps_hat, kept, kept_next):
    """x_s = √(ᾱ_s/ᾱ_t) x_t + (√(1 − ᾱ_s) − √(ᾱ_s (1 − ᾱ_t)/ᾱ_t)) ε̂."""
    grow = (kept_next / kept) ** 0.5
    return grow * x + ((1 - kept_next) ** 0.5 - grow * (1 - kept) ** 0.5) * eps_hat


def by_numbers(x, eps_hat, kept, kept_next):
    a, b = math.sqrt(float(kept)), math.sqrt(1 - float(kept))
    clean = [
        [(p - b * e) / a for p, e in zip(*rows, strict=True)]
        for rows in zip(x.tolist(), eps_hat.tolist(), strict=True)
    ]
    return math.sqrt(kept_next) * torch.tensor(clean) + math.sqrt(1 - float(kept_next)) * eps_hat


def no_root(x, eps_hat, kept, kept_next):
    return kept_next**0.5 * (x - (1 - kept) * eps_hat) / kept**0.5 + (1 - kept_next) ** 0.5 * eps_hat


def old_noise(x, eps_hat, kept, kept_next):
    return kept_next**0.5 * (x - (1 - kept) ** 0.5 * eps_hat) / kept**0.5 + (1 - kept) ** 0.5 * eps_hat


def fresh_noise(x, eps_hat, kept, kept_next):
    clean = (x - (1 - kept) ** 0.5 * eps_hat) / kept**0.5
    return kept_next**0.5 * clean + (1 - kept_next) ** 0.5 * torch.randn_like(x)


def undivided(x, eps_hat, kept, kept_next):
    return kept_next**0.5 * (x - (1 - kept) ** 0.5 * eps_hat) + (1 - kept_next) ** 0.5 * eps_hat


test_right_b, _, test_wrong_b = tests_of(
    check_ddim_step,
    right=[SOLUTIONS["my_ddim_step"], ddim_step, by_both_factors, by_numbers],
    wrong=[
        (no_root, "noise_root", "a root is missing"),
        (old_noise, "stays", "Step s has less noise"),
        (fresh_noise, "noise", "fresh noise"),
        (undivided, "undivided", "division by √ᾱ_t"),
        (lambda x, e, k, n: ddim_step(x, e, n, k), "backwards", "changed places"),
        (lambda x, e, k, n: (x - (1 - k) ** 0.5 * e) / k**0.5, "only_clean", "all the way in one step"),
        (lambda x, e, k, n: ddim_step(x, -e, k, n), "sign", "Two mistakes"),
        (lambda x, e, k, n: ddim_step(x, e, k, n).mean(), "shape", "Each point stays"),
        (lambda x, e: x, "signature", "my_ddim_step(x, eps_hat, kept, kept_next)"),
    ],
)


@pytest.mark.parametrize(
    ("check", "name"), [(check_noise_loss, "my_loss"), (check_ddim_step, "my_ddim_step")]
)
def test_untouched_stubs_are_no_mistakes(check, name):
    usage = {"my_loss": "network, x, t, eps, alpha_bar", "my_ddim_step": "x, eps_hat, kept, kept_next"}[name]
    names = {}
    exec(f"def {name}({usage}):\n    return ...  # replace this line\n", names)
    assert check(names[name]).kind == "stub"
