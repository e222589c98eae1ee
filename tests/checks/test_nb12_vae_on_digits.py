"""The checks of notebook 12: a right loss passes in either dtype, a wrong one is called by name, and so is a scale."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from answers import folded_solutions, tests_of
from torch.distributions import Bernoulli, Independent, MultivariateNormal, Normal, kl_divergence

from helpers.checks.nb12_vae_on_digits import VAE_LOSS, check_scale_bug, check_vae_loss
from helpers.feedback import diagnose
from helpers.vae import bernoulli_log_likelihood, elbo, gaussian_kl

# The loss


def draw(mu, log_var, eps):
    return mu + (log_var / 2).exp() * eps


def bce(a, x):
    return F.binary_cross_entropy_with_logits(a, x, reduction="none")


def kl_each(mu, log_var):
    return -0.5 * (1 + log_var - mu**2 - log_var.exp())


def built(
    z=draw, r=lambda a, x: bce(a, x).sum(1), kl=lambda *q: kl_each(*q).sum(1), total=lambda r, k, b: r + b * k
):
    """The loss with parts of its own."""

    def my_vae_loss(vae, x, eps, beta=1.0):
        mu, log_var = vae.encode(x)
        a = vae.decode(z(mu, log_var, eps))
        return total(r(a, x.flatten(1)), kl(mu, log_var), beta)

    return my_vae_loss


the_loss = built()


def with_distributions(vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    q = Independent(Normal(mu, log_var.exp().sqrt()), 1)
    p = Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)
    likelihood = Independent(Bernoulli(logits=vae.decode(q.mean + q.stddev * eps)), 1)
    return beta * kl_divergence(q, p) - likelihood.log_prob(x.flatten(1))


def with_full_gaussians(vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    q = MultivariateNormal(mu, scale_tril=torch.diag_embed((log_var / 2).exp()))
    p = MultivariateNormal(torch.zeros_like(mu), torch.eye(mu.shape[1]).to(mu).expand(len(mu), -1, -1))
    a = vae.decode(mu + (q.scale_tril @ eps[..., None])[..., 0])
    log_likelihood = torch.where(x.flatten(1) > 0.5, F.logsigmoid(a), F.logsigmoid(-a)).sum(1)
    return beta * kl_divergence(q, p) - log_likelihood


def with_softplus_and_expm1(vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    a = vae.decode(mu + eps * (log_var / 2).exp())
    pixels = x.view(len(x), -1)
    kl = 0.5 * (torch.expm1(log_var) - log_var + mu**2)
    return torch.einsum("bp->b", F.softplus(a) - pixels * a) + beta * torch.einsum("bd->b", kl)


def with_logsigmoid(vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    a, x = vae.decode(torch.addcmul(mu, log_var.mul(0.5).exp(), eps)), x.flatten(1)
    log_likelihood = x * F.logsigmoid(a) + (1 - x) * F.logsigmoid(-a)
    sigma = log_var.exp().sqrt()
    kl = -sigma.log() + (sigma**2 + mu**2) / 2 - 0.5
    return -(log_likelihood.sum(-1) - beta * kl.sum(-1))


def with_harmless_guards(vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    log_var = log_var.clamp(-30, 20)
    a = vae.decode(draw(mu, log_var, eps)).view_as(x)
    kl = 0.5 * (mu.norm(dim=1) ** 2 + log_var.exp().sum(1) - log_var.sum(1) - mu.shape[1])
    return bce(a, x).mean(dim=(1, 2, 3)) * x[0].numel() + torch.as_tensor(beta) * kl.clamp(min=0)


def image_by_image(vae, x, eps, beta=1.0):
    return torch.stack([the_loss(vae, x[i : i + 1], eps[i : i + 1], beta)[0] for i in range(len(x))])


def number_by_number(vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    rows = []
    for m, lv, noise, image in zip(mu, log_var, eps, x, strict=True):
        total = 0.0
        for a, pixel in zip(vae.decode(draw(m, lv, noise)[None])[0], image.flatten(), strict=True):
            total = total + a.clamp(min=0) - a * pixel + torch.log1p(torch.exp(-a.abs()))
        for j in range(len(m)):
            total = total + beta * kl_each(m[j], lv[j])
        rows.append(total)
    return torch.stack(rows)


def in_double(vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    r = bce(vae.decode(draw(mu, log_var, eps)).double(), x.flatten(1).double()).sum(1)
    return r + beta * kl_each(mu.double(), log_var.double()).sum(1)


def permuted(vae, x, eps, beta=1.0):
    order = torch.randperm(len(x))
    return the_loss(vae, x[order], eps[order], beta)[order.argsort()]


def added_in_place(vae, x, eps, beta=1.0):
    loss = the_loss(vae, x, eps, 0.0)
    loss += beta * kl_each(*vae.encode(x)).sum(1)
    return loss


def sampled(sign, vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    q, p = Normal(mu, (log_var / 2).exp()), Normal(torch.zeros_like(mu), torch.ones_like(mu))
    z = mu + q.stddev * eps
    r = -Bernoulli(logits=vae.decode(z)).log_prob(x.flatten(1)).sum(1)
    return r + sign * beta * (q.log_prob(z) - p.log_prob(z)).sum(1)


def encodes_without_a_graph(vae, x, eps, beta=1.0):
    with torch.no_grad():
        mu, log_var = vae.encode(x)
    return bce(vae.decode(draw(mu, log_var, eps)), x.flatten(1)).sum(1) + beta * kl_each(mu, log_var).sum(1)


def z_takes_the_name_of_mu(vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    mu = mu + (log_var / 2).exp() * eps
    return bce(vae.decode(mu), x.flatten(1)).sum(1) + beta * kl_each(mu, log_var).sum(1)


def clamps_log_var(vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    log_var = log_var.clamp(-4, 3)
    return bce(vae.decode(draw(mu, log_var, eps)), x.flatten(1)).sum(1) + beta * kl_each(mu, log_var).sum(1)


def arithmetic_in_place(mu, log_var, eps):
    z = torch.exp(log_var / 2)
    z *= eps
    z += mu
    return z


def naive_logarithms(a, x):
    return -(x * a.sigmoid().log() + (1 - x) * (1 - a.sigmoid()).log()).sum(1)


def clamped(least):
    return built(
        r=lambda a, x: F.binary_cross_entropy(a.sigmoid().clamp(least, 1 - least), x, reduction="none").sum(1)
    )


RIGHT = [
    the_loss, with_distributions, with_full_gaussians, with_softplus_and_expm1, with_logsigmoid, with_harmless_guards,
    image_by_image, number_by_number, in_double, permuted, added_in_place,
    built(r=lambda a, x: F.softplus((1 - 2 * x.reshape(a.shape)) * a).sum(1)),
    built(r=lambda a, x: bce(a, x).mean(1) * a.shape[1], kl=lambda m, lv: m.shape[1] * kl_each(m, lv).mean(1)),
    lambda vae, x, eps, beta=1.0: -elbo(vae, x, eps, beta),
    lambda vae, x, eps, beta: the_loss(vae, x, eps, beta),
]  # fmt: skip
REMARKS = [
    (lambda vae, x, eps, beta=1.0: the_loss(vae, x, -eps, beta), "mirrored", "changes nothing"),
    (lambda *a: sampled(1, *a), "sampled_kl", "closed form"),
    (
        built(r=lambda a, x: F.binary_cross_entropy(a.sigmoid(), x, reduction="none").sum(1)),
        "tails",
        "cuts your loss",
    ),
]
WRONG = [
    # z
    (built(lambda mu, lv, eps: mu + (lv / 2).exp() * eps**2), "sample", "not z = μ + σ·ε"),
    (built(arithmetic_in_place), "in_place", "changed in place"),
    # the reconstruction
    (lambda vae, x, eps, beta=1.0: the_loss(vae, x.view(-1, 784), eps, beta), "sizes", "Take sizes from the tensors"),
    (built(r=naive_logarithms), "tails", "log 0"),
    (built(r=lambda a, x: -(x * a.log() + (1 - x) * (1 - a).log()).sum(1)), "nan", "logarithm of 0"),
    (built(r=lambda a, x: (a - 3 * x).abs().sum(1)), "reconstruction", "Your KL is right"),
    (clamped(1e-3), "reconstruction", "Your KL is right"),
    # the KL
    (z_takes_the_name_of_mu, "kl_of_z", "where μ belongs"),
    (built(kl=lambda m, lv: (m.abs() + lv**2).sum(1)), "kl", "Compute that one number"),
    (clamps_log_var, "limited", "The bound has none"),
    # their sum
    (lambda vae, x, eps, beta=0.0: the_loss(vae, x, eps, beta), "default", "default of `beta` is 1"),
    (built(total=lambda r, k, b: r + b**2 * k), "beta", "How does β come in"),
    (built(total=lambda r, k, b: r + k**b), "beta", "How does β come in"),
    (built(total=lambda r, k, b: r + b + k), "value", "Compute that one number"),
    (built(total=lambda r, k, b: (r + b * k) / len(r)), "batch_mean", "by the number of images"),
    (built(total=lambda r, k, b: r + b * k + (k - k.detach())), "gradient", "gradients at `vae`"),
    (built(total=lambda r, k, b: r**2 + b * k**2), "value", "Compute that one number"),
    # two mistakes
    (built(lambda m, lv, eps: m + lv.exp() * eps / 2, lambda a, x: a.abs().sum(1), lambda m, lv: m.sum(1)),
        "half_variance", "second mistake"),
    (encodes_without_a_graph, "detached", "around `vae.encode`"),
    # graphs, modes, types
    (lambda vae, x, eps, beta=1.0: the_loss(vae.eval(), x, eps, beta), "left_in_eval", "evaluation mode"),
    (lambda vae, x, eps, beta=1.0: the_loss(vae.requires_grad_(False), x, eps, beta), "left_frozen", "back to True"),
    # shapes
    (built(kl=kl_each, total=lambda r, k, b: r[:, None] + b * k), "shape", "KL over the latent dimensions"),
]  # fmt: skip
test_right, test_remarks, test_wrong = tests_of(check_vae_loss, RIGHT, REMARKS, WRONG)


def test_the_reference_is_an_elbo_of_exact_distributions(dtype):
    """Against torch.distributions, an oracle that shares no code with the check."""
    torch.manual_seed(VAE_LOSS.seed)
    for case in VAE_LOSS.cases():
        torch.testing.assert_close(VAE_LOSS.best()(case), with_distributions(*case.values()))
        mu, log_var = case.vae.encode(case.x)
        assert mu.abs().mean() > 0.3 and log_var.abs().mean() > 0.3 and case.beta != 1
        assert set(case.x.unique().tolist()) == {0.0, 1.0}


def test_no_answer_is_judged_otherwise_for_the_order_of_its_batch():
    def turned():
        return [case.but(x=case.x.flip(0), eps=case.eps.flip(0)) for case in VAE_LOSS.cases()]

    task = replace(VAE_LOSS, cases=turned)
    for answer, kind, _ in [*((loss, "right", "") for loss in RIGHT), *REMARKS, *WRONG]:
        assert diagnose(task, answer).kind == kind


def test_the_solution_in_the_notebook_passes():
    names = folded_solutions(
        "12_vae_on_digits", bernoulli_log_likelihood=bernoulli_log_likelihood, gaussian_kl=gaussian_kl
    )
    assert check_vae_loss(names["my_vae_loss"]).kind == "right"


# Find the scale

TRUTH = {"P": 784, "Q": 1 / 20, "R": 784 / 20, "S": 1 / 128}
SNIPPETS = {
    "P": lambda recon, kl: (recon.mean(1) + kl.sum(1)).mean(),
    "Q": lambda recon, kl: (recon.sum(1) + kl.mean(1)).mean(),
    "R": lambda recon, kl: recon.mean() + kl.mean(),
    "S": lambda recon, kl: recon.sum() + kl.sum(1).mean(),
}


@pytest.mark.parametrize("letter", SNIPPETS)
@pytest.mark.parametrize("pixels, latent, batch", [(784, 20, 128), (12, 4, 5)])
def test_the_scales_are_those_that_autograd_measures(letter, pixels, latent, batch):
    """β_eff from the weight that each term of the loss really has, relative to −ELBO."""
    recon = torch.rand(batch, pixels, dtype=torch.float64, requires_grad=True)
    kl = torch.rand(batch, latent, dtype=torch.float64, requires_grad=True)

    def ratio(loss):
        in_recon, in_kl = torch.autograd.grad(loss, [recon, kl])
        return (in_kl[0, 0] / in_recon[0, 0]).item()

    measured = ratio(SNIPPETS[letter](recon, kl)) / ratio((recon.sum(1) + kl.sum(1)).mean())
    feedback = check_scale_bug(dict.fromkeys("PQRS", ...) | {letter: measured}, pixels, latent, batch)
    assert feedback.kind == "unfinished"
    assert f"Right so far: snippet {letter}." in feedback.message


@pytest.mark.parametrize(
    "answers",
    [
        TRUTH,
        {"P": Fraction(784), "Q": Fraction(1, 20), "R": Fraction(784, 20), "S": Fraction(1, 128)},
        {"P": np.float64(784), "Q": 0.05, "R": 39.2, "S": 0.0078},
        {key: torch.tensor(value) for key, value in TRUTH.items()},
        {"s": 1 / 128, "r": 39, "q": 0.05, "p": 784.0},
    ],
)
def test_right_scales_pass_however_they_are_written(answers):
    feedback = check_scale_bug(answers)
    assert (feedback.ok, feedback.kind) == (True, "right"), feedback
    assert "1/128 and 784" in feedback.message


SCALES = [
    ({"P": 1 / 784}, "reciprocal", "Snippet P is upside down"), ({"Q": 20}, "reciprocal", "Snippet Q is upside down"),
    ({"R": 20 / 784}, "reciprocal", "divide the KL's weight"), ({"S": 128}, "reciprocal", "upside down"),
    ({"P": 1}, "one", "is not 1"), ({"P": 784 / 20}, "latent", "is the KL averaged"),
    ({"R": 784}, "latent", "d: is the KL averaged"), ({"R": 1 / 20}, "pixels", "is the reconstruction averaged"),
    ({"Q": 784 / 20}, "pixels", "number of pixels D"), ({"Q": 1 / 784}, "exchanged", "mixes up the two sizes"),
    ({"P": 20}, "exchanged", "mixes up the two sizes"), ({"R": 20}, "exchanged", "both or neither"),
    ({"S": 784 / 20 / 128}, "exchanged", "mixes up the two sizes"), ({"P": 784 * 128}, "batch", "cancels"),
    ({"Q": 1 / 20 / 128}, "batch", "batch size B"), ({"S": 1 / 128 / 20}, "latent", "latent dimensions d"),
    ({"R": 3.7}, "number", "no product or ratio"), ({"R": 41}, "rounded", "do not round"),
    ({"S": 0.01}, "rounded", "do not round"), ({"Q": 1 // 20}, "number", "rounds down"),
    ({"R": -39.2}, "number", "positive"), ({"R": float("nan")}, "number", "positive"),
    ({"R": True}, "number", "positive"), ({"R": "784/20"}, "type", "quotation marks"),
    ({"R": [39.2]}, "type", "a `list`"), ({"R": torch.ones(2)}, "type", "a `Tensor`"),
    ({"R": 10**400}, "number", "finite"), ({"R": 39.2j}, "type", "a `complex`"),
    ({"R": ...}, "unfinished", "Still to do: snippet R."), ({"Q": 20}, "reciprocal", "so far: snippets P, R and S."),
    ({"R": None}, "unfinished", "Right so far: snippets P, Q and S."),
    (dict.fromkeys("PQRS", ...), "stub", "Replace each `...`"),
]  # fmt: skip
OTHER_FORMS = [
    ([784, 1 / 20, 39.2, 1 / 128], "type", "`list`"), ("P", "type", "a dict"), (7, "type", "an `int`"),
    (..., "stub", "Replace each `...`"), ({"P:": 784, "beta_Q": 0.05}, "missing", "Its keys should be"),
    ({"P": 784, "Q": 0.05}, "missing", "snippets R and S"),
]  # fmt: skip


@pytest.mark.parametrize(
    "answers, kind, phrase", [(TRUTH | wrong, kind, phrase) for wrong, kind, phrase in SCALES] + OTHER_FORMS
)
def test_a_wrong_scale_is_called_by_name(answers, kind, phrase):
    feedback = check_scale_bug(answers)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message
