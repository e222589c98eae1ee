"""Both sides of the checks of notebook 12: every right way to write the loss passes, every wrong one is named."""

import copy
import itertools
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from folded_solutions import folded_solutions
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from helpers.checks import check_scale_bug, check_vae_loss
from helpers.checks import vae as checks
from helpers.checks.frame import Answer, Mistake
from helpers.vae import bernoulli_log_likelihood, elbo, gaussian_kl

# Right


def with_cross_entropy(vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    std = torch.exp(0.5 * log_var)
    logits = vae.decode(mu + std * eps)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x.flatten(1), reduction="none").sum(dim=1)
    kl = -0.5 * torch.sum(1 + log_var - mu.pow(2) - log_var.exp(), dim=1)
    return reconstruction + beta * kl


def with_distributions(vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    q = Independent(Normal(mu, log_var.exp().sqrt()), 1)
    p = Independent(Normal(torch.zeros_like(mu), torch.ones_like(mu)), 1)
    likelihood = Independent(Bernoulli(logits=vae.decode(q.mean + q.stddev * eps)), 1)
    return beta * kl_divergence(q, p) - likelihood.log_prob(x.flatten(1))


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


def with_signed_logits(vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    a = vae.decode(mu + (log_var / 2).exp() * eps)
    reconstruction = F.softplus((1 - 2 * x.reshape(a.shape)) * a).sum(1)
    return reconstruction + beta * 0.5 * (mu.square() + log_var.exp() - 1 - log_var).sum(1)


def with_means_times_sizes(vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    a = vae.decode(mu + (log_var / 2).exp() * eps)
    r = F.binary_cross_entropy_with_logits(a, x.flatten(1), reduction="none").mean(1) * a.shape[1]
    return r + beta * mu.shape[1] * 0.5 * (mu**2 + log_var.exp() - 1 - log_var).mean(1)


def image_by_image(vae, x, eps, beta=1.0):
    return torch.stack(
        [with_cross_entropy(vae, x[i : i + 1], eps[i : i + 1], beta)[0] for i in range(len(x))]
    )


def in_double(vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    logits = vae.decode(mu + (log_var / 2).exp() * eps).double()
    mu, log_var = mu.double(), log_var.double()
    r = F.binary_cross_entropy_with_logits(logits, x.flatten(1).double(), reduction="none").sum(1)
    return r + beta * 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)


def permuted(vae, x, eps, beta=1.0):
    order = torch.randperm(len(x))
    return with_cross_entropy(vae, x[order], eps[order], beta)[order.argsort()]


def without_a_default(vae, x, eps, beta):
    return with_cross_entropy(vae, x, eps, beta)


def by_the_course(vae, x, eps, beta=1.0):
    return -elbo(vae, x, eps, beta)


RIGHT = [
    with_cross_entropy,
    with_distributions,
    with_softplus_and_expm1,
    with_logsigmoid,
    with_signed_logits,
    with_means_times_sizes,
    image_by_image,
    in_double,
    permuted,
    by_the_course,
    without_a_default,
]


@pytest.mark.parametrize("loss", RIGHT)
def test_a_right_loss_passes(loss, dtype):
    feedback = check_vae_loss(loss)
    assert (feedback.ok, feedback.kind) == (True, "right"), feedback


# … right, with a remark


def mirrored(vae, x, eps, beta=1.0):
    return with_cross_entropy(vae, x, -eps, beta)


def with_a_sampled_kl(vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    q = Normal(mu, (log_var / 2).exp())
    z = mu + q.stddev * eps
    p = Normal(torch.zeros_like(mu), torch.ones_like(mu))
    r = -Bernoulli(logits=vae.decode(z)).log_prob(x.flatten(1)).sum(1)
    return r + beta * (q.log_prob(z) - p.log_prob(z)).sum(1)


def with_clamped_probabilities(vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    p = vae.decode(mu + (log_var / 2).exp() * eps).sigmoid()
    r = F.binary_cross_entropy(p, x.flatten(1), reduction="none").sum(1)
    return r + beta * 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)


@pytest.mark.parametrize(
    "loss, kind, phrase",
    [
        (mirrored, "mirrored", "changes nothing"),
        (with_a_sampled_kl, "sampled_kl", "closed form"),
        (with_clamped_probabilities, "tails", "cuts your loss off"),
    ],
)
def test_a_loss_passes_with_a_remark(loss, kind, phrase, dtype):
    feedback = check_vae_loss(loss)
    assert (feedback.ok, feedback.kind) == (True, kind), feedback
    assert phrase in feedback.message
    assert "A remark: " in feedback.message


# … wrong


def loss_from(sample=None, reconstruction=None, kl=None, total=None):
    """The loss with one part or more replaced: sample(mu, log_var, eps), reconstruction(a, x), kl(mu, log_var)."""

    def my_vae_loss(vae, x, eps, beta=1.0):
        mu, log_var = vae.encode(x)
        z = (sample or (lambda mu, lv, eps: mu + (lv / 2).exp() * eps))(mu, log_var, eps)
        a, pixels = vae.decode(z), x.flatten(1)
        r = (reconstruction or (lambda a, x: (F.softplus(a) - x * a).sum(1)))(a, pixels)
        k = (kl or (lambda mu, lv: -0.5 * (1 + lv - mu**2 - lv.exp()).sum(1)))(mu, log_var)
        return (total or (lambda r, k, beta: r + beta * k))(r, k, beta)

    return my_vae_loss


bce = F.binary_cross_entropy_with_logits


def changes_the_images(vae, x, eps, beta=1.0):
    x.clamp_(0.01, 0.99)
    return with_cross_entropy(vae, x, eps, beta)


def goes_backward(vae, x, eps, beta=1.0):
    loss = with_cross_entropy(vae, x, eps, beta)
    loss.mean().backward()
    return loss


def without_a_graph(vae, x, eps, beta=1.0):
    with torch.no_grad():
        return with_cross_entropy(vae, x, eps, beta)


def half_without_a_graph(vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    a = vae.decode(mu + (log_var / 2).exp() * eps)
    kl = -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum(1)
    return (F.softplus(a) - x.flatten(1) * a).sum(1) + beta * kl.detach()


def with_own_noise(vae, x, eps, beta=1.0):
    return with_cross_entropy(vae, x, torch.randn_like(eps), beta)


def unflattened(vae, x, eps, beta=1.0):
    mu, _ = vae.encode(x)
    return bce(vae.decode(mu), x, reduction="none").sum(1)


def naive_kl(mu, lv):
    return -0.5 * (1 + lv - mu**2 - lv.exp())


def sampled_the_wrong_way(vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    q, p = Normal(mu, (log_var / 2).exp()), Normal(torch.zeros_like(mu), torch.ones_like(mu))
    z = mu + q.stddev * eps
    r = -Bernoulli(logits=vae.decode(z)).log_prob(x.flatten(1)).sum(1)
    return r + beta * (p.log_prob(z) - q.log_prob(z)).sum(1)


def z_takes_the_name_of_mu(vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    mu = mu + (log_var / 2).exp() * eps
    return bce(vae.decode(mu), x.flatten(1), reduction="none").sum(1) + beta * naive_kl(mu, log_var).sum(1)


def clamps_log_var(vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    log_var = log_var.clamp(-4, 3)
    a = vae.decode(mu + (log_var / 2).exp() * eps)
    return bce(a, x.flatten(1), reduction="none").sum(1) + beta * naive_kl(mu, log_var).sum(1)


def with_another_default(vae, x, eps, beta=0.0):
    return with_cross_entropy(vae, x, eps, beta)


def leaves_eval(vae, x, eps, beta=1.0):
    return with_cross_entropy(vae.eval(), x, eps, beta)


def arithmetic_in_place(vae, x, eps, beta=1.0):
    mu, log_var = vae.encode(x)
    z = torch.exp(log_var / 2)
    z *= eps
    z += mu
    return bce(vae.decode(z), x.flatten(1), reduction="none").sum(1) + beta * naive_kl(mu, log_var).sum(1)


def leaves_frozen(vae, x, eps, beta=1.0):
    return with_cross_entropy(vae.requires_grad_(False), x, eps, beta)


def outputs_exchanged(vae, x, eps, beta=1.0):
    log_var, mu = vae.encode(x)
    a = vae.decode(mu + (log_var / 2).exp() * eps)
    return bce(a, x.flatten(1), reduction="none").sum(1) + beta * naive_kl(mu, log_var).sum(1)


def with_a_size_of_the_notebook(vae, x, eps, beta=1.0):
    return with_cross_entropy(vae, x.view(-1, 784), eps, beta)


WRONG = [
    # the sample
    (loss_from(lambda mu, lv, eps: mu), "no_sampling", "nothing is sampled"),
    (
        loss_from(lambda mu, lv, eps: mu + lv.exp() * eps),
        "variance_for_deviation",
        "multiplied by the variance",
    ),
    (loss_from(lambda mu, lv, eps: mu + lv * eps), "log_for_deviation", "`log_var` itself"),
    (loss_from(lambda mu, lv, eps: mu + eps), "unit_deviation", "standard deviation 1"),
    (loss_from(lambda mu, lv, eps: eps), "prior", "drawn from the prior"),
    (loss_from(lambda mu, lv, eps: (lv / 2).exp() * eps), "no_mean", "Where does μ"),
    (loss_from(lambda mu, lv, eps: mu + (lv / 2).exp()), "no_noise", "same shift every time"),
    (loss_from(lambda mu, lv, eps: mu + (lv / 2).exp() * eps[0]), "one_noise_for_all", "whole batch"),
    (
        loss_from(lambda mu, lv, eps: (mu + (lv / 2).exp() * eps).detach()),
        "detached",
        "no longer reaches the encoder",
    ),
    (loss_from(lambda mu, lv, eps: mu + ((lv / 2).exp() * eps).detach()), "detached_noise", "σ is cut"),
    (with_own_noise, "noise", "new noise"),
    (loss_from(lambda mu, lv, eps: mu + 0.5 * lv.exp() * eps), "half_variance", "half the variance"),
    (loss_from(lambda mu, lv, eps: mu + (-0.5 * lv).exp() * eps), "inverse_deviation", "divided by σ"),
    (loss_from(lambda mu, lv, eps: mu + 0.5 * lv * eps), "log_for_deviation", "by log σ"),
    (loss_from(lambda mu, lv, eps: mu * eps + (lv / 2).exp()), "exchanged_roles", "changed places"),
    (loss_from(lambda mu, lv, eps: (mu + (lv / 2).exp()) * eps), "brackets", "multiplies μ too"),
    (loss_from(lambda mu, lv, eps: mu + (lv / 2).exp() * eps**2), "sample", "not z = μ + σ·ε"),
    (
        loss_from(
            lambda mu, lv, eps: mu + 0.5 * lv.exp() * eps,
            lambda a, x: a.abs().sum(1),
            lambda mu, lv: mu.sum(1),
        ),
        "half_variance",
        "second mistake",
    ),
    (outputs_exchanged, "outputs_exchanged", "in the other order"),
    # the reconstruction
    (
        loss_from(reconstruction=lambda a, x: bce(a, x, reduction="none").mean(1)),
        "pixel_mean",
        "mean over the pixels",
    ),
    (loss_from(reconstruction=lambda a, x: bce(a, x)), "batch_mean", "all pixels of all images"),
    (
        loss_from(reconstruction=lambda a, x: bce(a, x, reduction="sum")),
        "batch_sum",
        "summed over the whole batch",
    ),
    (
        loss_from(reconstruction=lambda a, x: bce(a, x, reduction="none").sum(1).mean()),
        "batch_average",
        "the step takes the mean",
    ),
    (
        loss_from(reconstruction=lambda a, x: bce(a.sigmoid(), x, reduction="none").sum(1)),
        "sigmoid_twice",
        "applied twice",
    ),
    (
        loss_from(reconstruction=lambda a, x: (x * a - F.softplus(a)).sum(1)),
        "reconstruction_sign",
        "wrong sign",
    ),
    (loss_from(reconstruction=lambda a, x: -(x * F.logsigmoid(a)).sum(1)), "one_sided", "white pixels"),
    (loss_from(reconstruction=lambda a, x: (F.softplus(a) - (1 - x) * a).sum(1)), "inverted", "exchanged"),
    (loss_from(reconstruction=lambda a, x: (a.sigmoid() - x).pow(2).sum(1)), "squares", "2σ² = 1"),
    (loss_from(reconstruction=lambda a, x: 0.5 * (a.sigmoid() - x).pow(2).sum(1)), "squares", "σ = 1"),
    (loss_from(reconstruction=lambda a, x: (a - x).pow(2).sum(1)), "squares_of_logits", "pixels with logits"),
    (loss_from(reconstruction=lambda a, x: F.mse_loss(a.sigmoid(), x)), "squares", "pixels and images"),
    (
        loss_from(reconstruction=lambda a, x: F.cross_entropy(a, x, reduction="none")),
        "classes",
        "compares classes",
    ),
    (
        loss_from(reconstruction=lambda a, x: -bernoulli_log_likelihood(a, x)),
        "arguments_exchanged",
        "changed places",
    ),
    (loss_from(reconstruction=lambda a, x: 784 * bce(a, x, reduction="none").mean(1)), "sizes", "by 784"),
    (with_a_size_of_the_notebook, "sizes", "Take sizes from the tensors"),
    (
        loss_from(reconstruction=lambda a, x: F.binary_cross_entropy(3 * a, x, reduction="none").sum(1)),
        "logits",
        "given logits",
    ),
    (
        loss_from(
            reconstruction=lambda a, x: -(x * a.sigmoid().log() + (1 - x) * (1 - a.sigmoid()).log()).sum(1)
        ),
        "tails",
        "log 0",
    ),
    (
        loss_from(reconstruction=lambda a, x: -(x * a.log() + (1 - x) * (1 - a).log()).sum(1)),
        "nan",
        "logarithm of 0",
    ),
    (unflattened, "raised", "flatten"),
    (changes_the_images, "changed_input", "changes the images"),
    # the KL
    (loss_from(kl=lambda mu, lv: 2 * naive_kl(mu, lv).sum(1)), "kl_half", "½ in front"),
    (loss_from(kl=lambda mu, lv: 0.5 * naive_kl(mu, lv).sum(1)), "kl_half_twice", "half as large"),
    (loss_from(kl=lambda mu, lv: -0.5 * (lv - mu**2 - lv.exp()).sum(1)), "kl_not_zero", "1 is missing"),
    (loss_from(kl=lambda mu, lv: 0.5 * (1 - lv + mu**2 + lv.exp()).sum(1)), "kl_not_zero", "wrong sign"),
    (
        loss_from(kl=lambda mu, lv: -0.5 * (1 + 2 * lv - mu**2 - (2 * lv).exp()).sum(1)),
        "kl_deviation",
        "as log σ",
    ),
    (loss_from(kl=lambda mu, lv: naive_kl(mu, lv / 2).sum(1)), "kl_root", "where the variance belongs"),
    (loss_from(kl=lambda mu, lv: naive_kl(mu, lv).mean(1)), "kl_mean", "β depends on the latent size"),
    (loss_from(kl=lambda mu, lv: naive_kl(mu, lv).sum()), "kl_batch_sum", "every image pays"),
    (loss_from(kl=lambda mu, lv: naive_kl(mu, lv).sum(1).mean()), "kl_batch_mean", "averaged over the batch"),
    (
        loss_from(kl=lambda mu, lv: naive_kl(mu, lv).mean()),
        "kl_batch_mean",
        "over the latent dimensions only",
    ),
    (loss_from(kl=lambda mu, lv: -naive_kl(mu, lv).sum(1)), "kl_sign", "never negative"),
    (
        loss_from(
            kl=lambda mu, lv: kl_divergence(Normal(0.0, 1.0), Normal(mu, (lv / 2).exp())).sum(1),
        ),
        "kl_reversed",
        "KL(p‖q)",
    ),
    (loss_from(kl=lambda mu, lv: naive_kl(0 * mu, lv).sum(1)), "kl_no_mean", "forgets μ"),
    (loss_from(kl=lambda mu, lv: 0.5 * mu.square().sum(1)), "kl_no_variance", "only counts μ"),
    (
        loss_from(kl=lambda mu, lv: 0.5 * (mu**2 + lv.exp() - 1 + lv).sum(1)),
        "kl_log_var_sign",
        "sign of `log_var`",
    ),
    (half_without_a_graph, "gradient", "gradients are not"),
    (loss_from(kl=lambda mu, lv: (mu.abs() + lv**2).sum(1)), "kl", "by hand"),
    (sampled_the_wrong_way, "kl_sign", "in this order"),
    (z_takes_the_name_of_mu, "kl_of_z", "where μ belongs"),
    (
        loss_from(kl=lambda mu, lv: -0.5 * (1 + lv - mu - lv.exp()).sum(1)),
        "kl_mean_not_squared",
        "not squared",
    ),
    (
        loss_from(kl=lambda mu, lv: -0.5 * (1 + lv - mu**2 - (lv / 2).exp()).sum(1)),
        "kl_deviation_not_squared",
        "σ where σ² belongs",
    ),
    (
        loss_from(kl=lambda mu, lv: -0.5 * (1 + lv - mu**2 - lv.exp() ** 2).sum(1)),
        "kl_variance_squared",
        "squared once more",
    ),
    (
        loss_from(kl=lambda mu, lv: -0.5 * (1 + lv / 2 - mu**2 - lv.exp()).sum(1)),
        "kl_log_deviation",
        "where log σ² belongs",
    ),
    (loss_from(kl=lambda mu, lv: naive_kl(mu, lv).sum(1).clamp(min=1.0)), "limited", "Free bits"),
    (loss_from(kl=lambda mu, lv: naive_kl(mu, lv).clamp(min=0.02).sum(1)), "limited", "Free bits"),
    (clamps_log_var, "limited", "The bound has none"),
    (loss_from(kl=lambda mu, lv: naive_kl(mu, lv).sum(0)), "raised", "different shapes"),
    # the sum
    (loss_from(total=lambda r, k, beta: -(r + beta * k)), "elbo", "the ELBO itself"),
    (
        loss_from(total=lambda r, k, beta: beta * r + k),
        "beta_on_reconstruction",
        "β multiplies your reconstruction",
    ),
    (loss_from(total=lambda r, k, beta: beta * (r + k)), "beta_on_both", "whole loss"),
    (loss_from(total=lambda r, k, beta: r + k), "beta_ignored", "whatever β is"),
    (loss_from(total=lambda r, k, beta: r + k / beta), "beta_divides", "divide the KL"),
    (loss_from(total=lambda r, k, beta: r + k + beta * k), "kl_twice", "once without β"),
    (with_another_default, "default", "default of `beta` is 1"),
    (leaves_eval, "left_in_eval", "evaluation mode"),
    (arithmetic_in_place, "in_place", "changed in place"),
    (leaves_frozen, "left_frozen", "back to True"),
    (loss_from(total=lambda r, k, beta: (r, k)), "type", "the sum, not its parts"),
    (loss_from(total=lambda r, k, beta: r), "kl_missing", "KL is missing"),
    (loss_from(total=lambda r, k, beta: beta * k), "reconstruction_missing", "reconstruction is missing"),
    (loss_from(total=lambda r, k, beta: (r + beta * k) / 2), "halved", "half of −ELBO"),
    (loss_from(total=lambda r, k, beta: (r + beta * k).mean()), "shape", "whole batch"),
    (loss_from(total=lambda r, k, beta: (r + beta * k)[:, None]), "shape", "one too many"),
    (loss_from(total=lambda r, k, beta: r[:, None] + beta * k), "shape", "grew to (B, B)"),
    (
        loss_from(reconstruction=lambda a, x: bce(a, x, reduction="none"), kl=lambda mu, lv: 0),
        "shape",
        "pixels",
    ),
    (loss_from(total=lambda r, k, beta: (r + beta * k) / 12), "scale", "0.0833 times"),
    (
        loss_from(reconstruction=lambda a, x: (a - 3 * x).abs().sum(1)),
        "reconstruction",
        "log 2",
    ),
    (loss_from(total=lambda r, k, beta: r**2 + beta * k**2), "value", "Neither"),
    (without_a_graph, "no_gradient", "cut from the graph"),
    (goes_backward, "backward", "Return the loss"),
]


@pytest.mark.parametrize("loss, kind, phrase", WRONG, ids=[f"{row[1]}-{n}" for n, row in enumerate(WRONG)])
def test_a_wrong_loss_is_called_by_name(loss, kind, phrase):
    feedback = check_vae_loss(loss)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message


def test_every_row_of_the_tables_has_its_wrong_answer():
    asked = {kind for _, kind, _ in WRONG}
    rows = {part.kind for table in checks.TABLES for part in table if not part.ok}
    assert rows <= asked


def test_of_two_mistakes_one_is_named_and_the_other_announced():
    both = loss_from(kl=lambda mu, lv: naive_kl(mu, lv).mean(1), total=lambda r, k, beta: -(r + beta * k))
    feedback = check_vae_loss(both)
    assert feedback.kind == "kl_mean"
    assert "second mistake" in feedback.message


# The tables, and what the check leaves alone


def test_no_two_parts_can_be_taken_for_each_other(dtype):
    torch.manual_seed(12)
    cases = [checks._case(batch, beta) for batch, beta in checks.BATCHES]
    singles = [
        parts for parts in itertools.product(*checks.TABLES) if sum(p.kind != "right" for p in parts) <= 1
    ]
    names = ["/".join(p.kind for p in parts) for parts in singles]
    seen = [[checks._outcome(*checks._explained(parts, case)) for case in cases] for parts in singles]

    def apart(one, two):
        scale = torch.minimum(one.abs().max(), two.abs().max())
        return ((one - two).abs().max() / scale).item()

    for (a, first), (b, second) in itertools.combinations(zip(names, seen, strict=True), 2):
        furthest = max(
            max(apart(one.value, two.value), apart(one.gradient, two.gradient))
            for one, two in zip(first, second, strict=True)
        )
        assert furthest > 10 * checks.SAME, (a, b, furthest)


def test_inputs_are_designed_to_separate():
    torch.manual_seed(12)
    sizes = [batch for batch, _ in checks.BATCHES] + [checks.LATENT, torch.Size(checks.PIXELS).numel()]
    assert len(set(sizes)) == len(sizes) and min(sizes) >= 3
    for batch, beta in checks.BATCHES:
        case = checks._case(batch, beta)
        mu, log_var = case.vae.encode(case.x)
        assert beta != 1
        assert mu.abs().mean() > 0.3 and log_var.abs().mean() > 0.3
        assert set(case.x.unique().tolist()) == {0.0, 1.0}


def test_the_input_of_a_call_is_a_copy():
    torch.manual_seed(12)
    case = checks._case(5, 2.5)
    kept = copy.deepcopy(case)

    def vandal(vae, x, eps, beta):
        loss = with_cross_entropy(vae, x, eps, beta)
        with torch.no_grad():
            vae.mu.weight.zero_()
            eps.zero_()
        return loss

    with pytest.raises(Mistake) as found:
        checks._ask(Answer(vandal, "my_vae_loss(vae, x, eps, beta)"), case)
    assert found.value.feedback.kind == "changed_input"
    assert torch.equal(case.vae.mu.weight, kept.vae.mu.weight)
    assert torch.equal(case.eps, kept.eps)


def test_the_same_answer_gets_the_same_feedback():
    torch.manual_seed(1)
    first = check_vae_loss(with_clamped_probabilities)
    torch.manual_seed(2)
    assert check_vae_loss(with_clamped_probabilities) == first


def test_the_reference_is_an_elbo_of_exact_distributions():
    """Against torch.distributions, an oracle that shares no code with the check."""
    torch.manual_seed(3)
    case = checks._case(5, 2.5)
    value, _ = checks._explained(checks.RIGHT, case)
    torch.testing.assert_close(value, with_distributions(*case))


# Find the scale

PIXELS, LATENT, BATCH = 784, 20, 128
TRUTH = {"P": 784, "Q": 1 / 20, "R": 784 / 20, "S": 1 / 128}


def snippet_p(recon, kl):
    return (recon.mean(1) + kl.sum(1)).mean()


def snippet_q(recon, kl):
    return (recon.sum(1) + kl.mean(1)).mean()


def snippet_r(recon, kl):
    return recon.mean() + kl.mean()


def snippet_s(recon, kl):
    return recon.sum() + kl.sum(1).mean()


@pytest.mark.parametrize(
    "letter, snippet", [("P", snippet_p), ("Q", snippet_q), ("R", snippet_r), ("S", snippet_s)]
)
@pytest.mark.parametrize("pixels, latent, batch", [(784, 20, 128), (12, 4, 5)])
def test_the_scales_are_those_that_autograd_measures(letter, snippet, pixels, latent, batch):
    """β_eff from the weight that each term of the loss really has, relative to −ELBO."""
    recon = torch.rand(batch, pixels, dtype=torch.float64, requires_grad=True)
    kl = torch.rand(batch, latent, dtype=torch.float64, requires_grad=True)

    def ratio(loss):
        in_recon, in_kl = torch.autograd.grad(loss, [recon, kl])
        return (in_kl[0, 0] / in_recon[0, 0]).item()

    measured = ratio(snippet(recon, kl)) / ratio((recon.sum(1) + kl.sum(1)).mean())
    others = {other: ... for other in "PQRS" if other != letter}
    feedback = check_scale_bug({letter: measured} | others, pixels, latent, batch)
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


@pytest.mark.parametrize(
    "wrong, kind, phrase",
    [
        ({"P": 1 / 784}, "reciprocal", "Snippet P is upside down"),
        ({"Q": 20}, "reciprocal", "Snippet Q is upside down"),
        ({"R": 20 / 784}, "reciprocal", "divide the KL's weight"),
        ({"S": 128}, "reciprocal", "upside down"),
        ({"P": 1}, "one", "is not 1"),
        ({"P": 784 / 20}, "latent", "is the KL averaged"),
        ({"R": 784}, "latent", "d: is the KL averaged"),
        ({"R": 1 / 20}, "pixels", "is the reconstruction averaged"),
        ({"Q": 784 / 20}, "pixels", "number of pixels D"),
        ({"Q": 1 / 784}, "exchanged", "mixes up the two sizes"),
        ({"P": 20}, "exchanged", "mixes up the two sizes"),
        ({"P": 784 * 128}, "batch", "cancels"),
        ({"Q": 1 / 20 / 128}, "batch", "batch size B"),
        ({"S": 1 / 128 / 20}, "latent", "latent dimensions d"),
        ({"R": 3.7}, "number", "no product or ratio"),
        ({"R": 20}, "exchanged", "both or neither"),
        ({"S": 784 / 20 / 128}, "exchanged", "mixes up the two sizes"),
        ({"R": 41}, "rounded", "do not round"),
        ({"S": 0.01}, "rounded", "do not round"),
        ({"Q": 1 // 20}, "number", "rounds down"),
        ({"R": -39.2}, "number", "positive"),
        ({"R": float("nan")}, "number", "positive"),
        ({"R": True}, "number", "positive"),
        ({"R": "784/20"}, "type", "quotation marks"),
        ({"R": [39.2]}, "type", "a `list`"),
        ({"R": torch.ones(2)}, "type", "a `Tensor`"),
        ({"R": 10**400}, "number", "finite"),
        ({"R": 39.2j}, "type", "a `complex`"),
        ({"R": ...}, "unfinished", "Still to do: snippet R."),
        ({"R": None}, "unfinished", "Right so far: snippets P, Q and S."),
        ({"P": ..., "Q": ..., "R": ..., "S": ...}, "stub", "Replace each `...`"),
    ],
)
def test_a_wrong_scale_is_called_by_name(wrong, kind, phrase):
    feedback = check_scale_bug(TRUTH | wrong)
    assert (feedback.ok, feedback.kind) == (False, kind), feedback
    assert phrase in feedback.message


@pytest.mark.parametrize(
    "answers, kind, phrase",
    [
        ([784, 1 / 20, 39.2, 1 / 128], "type", "`list`"),
        ("P", "type", "a dict"),
        (7, "type", "an `int`"),
        (..., "stub", "Replace each `...`"),
        ({"P:": 784, "beta_Q": 0.05}, "missing", "Its keys should be"),
        ({"P": 784, "Q": 0.05}, "missing", "snippets R and S"),
    ],
)
def test_an_answer_of_another_form_is_told_so(answers, kind, phrase):
    feedback = check_scale_bug(answers)
    assert (feedback.ok, feedback.kind) == (False, kind)
    assert phrase in feedback.message


def test_a_wrong_letter_does_not_hide_the_right_ones():
    feedback = check_scale_bug(TRUTH | {"Q": 20})
    assert "Right so far: snippets P, R and S." in feedback.message


def test_the_solution_in_the_notebook_passes():
    names = folded_solutions(
        "12_vae_on_digits", bernoulli_log_likelihood=bernoulli_log_likelihood, gaussian_kl=gaussian_kl
    )
    assert check_vae_loss(names["my_vae_loss"]).kind == "right"


def test_a_beta_of_ones_own_is_a_beta_ignored():
    def with_its_own_beta(vae, x, eps, beta=1.0):
        return with_cross_entropy(vae, x, eps, 4.0)

    feedback = check_vae_loss(with_its_own_beta)
    assert (feedback.ok, feedback.kind) == (False, "beta_ignored")
    assert "whatever β is" in feedback.message


@pytest.mark.parametrize(
    "finish, phrase",
    [
        (lambda r, kl, beta: r + beta * kl.sum(1, keepdim=True), "pixels of an image"),
        (lambda r, kl, beta: r.sum(1, keepdim=True) + beta * kl, "KL over the latent dimensions"),
        (lambda r, kl, beta: (r.sum(1) + beta * kl.sum(1))[:, None], "one too many"),
        (lambda r, kl, beta: r.sum(1, keepdim=True) + beta * kl.sum(1), "grew to (B, B)"),
        (lambda r, kl, beta: r.sum(0) + beta * kl.sum(), "kept the pixels"),
        (lambda r, kl, beta: r.sum() + beta * kl.sum(0), "kept the latent dimensions"),
        (lambda r, kl, beta: r.sum() + beta * kl.sum(), "whole batch"),
        (lambda r, kl, beta: (r.mean() + beta * kl.mean())[None], "whole batch"),
    ],
)
def test_a_wrong_shape_is_told_with_what_it_usually_means(finish, phrase):
    def loss(vae, x, eps, beta=1.0):
        mu, log_var = vae.encode(x)
        logits = vae.decode(mu + (log_var / 2).exp() * eps)
        ce = torch.nn.functional.binary_cross_entropy_with_logits(logits, x.flatten(1), reduction="none")
        return finish(ce, 0.5 * (mu**2 + log_var.exp() - 1 - log_var), beta)

    feedback = check_vae_loss(loss)
    assert (feedback.ok, feedback.kind) == (False, "shape"), feedback
    assert "(B,) = (5,)" in feedback.message
    assert phrase in feedback.message


def test_no_verdict_hangs_on_the_seed_of_the_check(monkeypatch):
    seed = torch.manual_seed
    monkeypatch.setattr(torch, "manual_seed", lambda number: seed(number + 231))
    for loss in RIGHT:
        assert check_vae_loss(loss).kind == "right", loss
    for loss, kind, _ in WRONG:
        feedback = check_vae_loss(loss)
        assert (feedback.ok, feedback.kind) == (False, kind), feedback


def test_a_notebook_in_no_grad_mode_gets_the_same_answer():
    with torch.no_grad():
        assert check_vae_loss(with_cross_entropy).kind == "right"
