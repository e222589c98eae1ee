"""The VAE for mixed columns: its likelihood is one, its nats are those of the original columns, and what it reached."""

import copy
import math
from dataclasses import replace
from statistics import median

import pytest
import torch
from scipy import stats
from torch.distributions import Categorical
from torch.nn.functional import softplus

from helpers.data import patients
from helpers.data.patients import COLUMNS, records_table
from helpers.data.scaling import Scaling
from helpers.studies import study
from helpers.vae import gaussian_kl
from helpers.vae.records import RecordVAE, record_bounds, record_vae_step

NAMES = [column.name for column in COLUMNS]
AGE, BMI, PRESSURE = (NAMES.index(name) for name in ("age", "bmi", "pressure"))


def seeded(seed):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def records():
    return patients.sample(2000, seeded(0))


@pytest.fixture
def vae(records):
    torch.manual_seed(0)
    return RecordVAE(Scaling.fit(records, COLUMNS), latent=3, hidden=16)


def constant(vae):
    """The same VAE with p(x|z) = p(x) and q(z|x) = p(z), so that −ELBO = −log p(x) whatever z."""
    with torch.no_grad():
        vae.encoder[-1].weight.zero_(), vae.encoder[-1].bias.zero_(), vae.decoder[-1].weight.zero_()
    return vae


# --- the scaling -----------------------------------------------------------------------------------------------------


def test_a_column_is_logged_where_that_makes_it_less_skewed(records):
    scaling = Scaling.fit(records, COLUMNS)
    assert [name for name, logged in zip(NAMES, scaling.logged, strict=True) if logged] == ["bmi"]
    t = scaling.standardise(records)
    kept = [column.kind != "continuous" for column in COLUMNS]
    assert torch.equal(t[:, kept], records[:, kept])
    torch.testing.assert_close(t.mean(0)[[AGE, BMI]], torch.zeros(2).double(), atol=1e-9, rtol=0)
    torch.testing.assert_close(t.std(0)[[AGE, BMI]], torch.ones(2).double())
    torch.testing.assert_close(scaling.restore(t), records)


def test_the_slope_is_that_of_autograd(records):
    scaling = Scaling.fit(records, COLUMNS)
    x = records[:20].clone().requires_grad_()
    (slope,) = torch.autograd.grad(scaling.standardise(x).sum(), x)  # each column depends on itself alone
    torch.testing.assert_close(scaling.log_slope(records[:20]), slope.log().sum(1))


def test_features_are_one_hot_and_of_the_width_that_the_networks_read(records, vae):
    features = vae.scaling.features(vae.scaling.standardise(records))
    assert features.shape == (2000, sum(vae.sizes)) and features.dtype == torch.float32
    smoker = features[:, 2:5]
    assert torch.equal(smoker.argmax(1).double(), records[:, 2]) and (smoker.sum(1) == 1).all()
    torch.testing.assert_close(features[:, -2].expm1().double(), records[:, NAMES.index("visits")])


@pytest.mark.parametrize(("name", "value"), [("bmi", 0.0), ("smoker", 3.0), ("visits", -1.0)])
def test_a_value_that_a_column_cannot_have_gets_a_sentence(vae, records, name, value):
    wrong = records[:5].clone()
    wrong[2, NAMES.index(name)] = value
    with pytest.raises(ValueError, match=f"column {name} holds values outside"):
        vae.encode(wrong)


def test_records_that_cannot_be_scaled(records):
    with pytest.raises(ValueError, match=r"shape \(B, 10\)"):
        Scaling.fit(records[:, :9], COLUMNS)
    still = records.clone()
    still[:, PRESSURE] = 120
    with pytest.raises(ValueError, match="pressure has one value only"):
        Scaling.fit(still, COLUMNS)


# --- the likelihood --------------------------------------------------------------------------------------------------

GRIDS = {
    "continuous": torch.linspace(-150, 400, 11_001, dtype=torch.float64),  # in steps of 0.05 units
    "count": torch.arange(200, dtype=torch.float64),
}


def test_the_likelihood_sums_and_integrates_to_one_in_every_column(vae, records):
    """∫ p(x|z) dxᵢ = p(x|z) / p(xᵢ|z) for a product, so that Σᵢ log p(xᵢ|z) from ten integrals is log p(x|z)."""
    vae, x, z = vae.double(), records[:1], torch.randn(1, 3, generator=seeded(1)).double()
    own, together = vae.log_likelihood(x, z).item(), 0.0
    for i, column in enumerate(COLUMNS):
        grid, step = GRIDS.get(column.kind, torch.arange(len(column.categories or "..")).double()), 1.0
        if column.kind == "continuous":
            grid, step = (grid[grid > 0] if i == BMI else grid), 0.05
        others = x.repeat(len(grid), 1)
        others[:, i] = grid
        with torch.no_grad():
            moved = vae.log_likelihood(others, z.expand(len(grid), -1))
        integral = torch.logsumexp(moved, 0).item() + math.log(step)  # log of p(x|z) / p(xᵢ|z)
        together += own - integral
    assert together == pytest.approx(own, abs=1e-6)


def test_one_record_by_scipy(vae, records):
    """(19.1), (19.2) with a decoder that ignores z, its numbers known: every column's distribution, in its units."""
    vae = constant(vae).double()
    with torch.no_grad():
        vae.decoder[-1].bias.copy_(torch.linspace(-0.7, 0.8, sum(vae.sizes)))
    a, std = vae.decoder[-1].bias.tolist(), (vae.floor + math.exp(-1.0))
    m, s = vae.scaling.mean, vae.scaling.std
    x = records[3]

    def softmax(values, k):
        return values[int(k)] - math.log(sum(map(math.exp, values)))

    by_hand = [
        stats.norm(m[0] + s[0] * a[0], s[0] * std).logpdf(x[0]),
        x[1] * a[1] - math.log1p(math.exp(a[1])),
        softmax(a[2:5], x[2]),
        softmax(a[5:9], x[3]),
        stats.lognorm(s[4] * std, scale=math.exp(m[4] + s[4] * a[9])).logpdf(x[4]),
        x[5] * a[10] - math.log1p(math.exp(a[10])),
        stats.norm(m[6] + s[6] * a[11], s[6] * std).logpdf(x[6]),
        stats.norm(m[7] + s[7] * a[12], s[7] * std).logpdf(x[7]),
        stats.poisson(math.exp(a[13])).logpmf(x[8]),
        x[9] * a[14] - softplus(torch.tensor(a[14]).double()),
    ]
    found = vae.log_likelihood(x[None], torch.randn(1, 3).double())
    assert found.item() == pytest.approx(sum(map(float, by_hand)), abs=1e-9)
    vae = vae.float()
    for bound in record_bounds(vae, x[None], 8):
        assert bound.item() == pytest.approx(sum(map(float, by_hand)), abs=1e-4)


@pytest.mark.parametrize("column", [AGE, BMI, PRESSURE])
def test_other_units_cost_the_logarithm_of_their_ratio(records, column):
    """Days for years: the densities are smaller by 365, −ELBO is larger by log 365, and nothing else happens."""
    other = records.clone()
    other[:, column] *= 365
    bounds = []
    for each in (records, other):
        torch.manual_seed(0)
        vae = RecordVAE(Scaling.fit(each, COLUMNS), latent=3, hidden=16)
        bounds.append(torch.stack(record_bounds(vae, each[:100], 4, seeded(2))))
    torch.testing.assert_close(bounds[0] - bounds[1], torch.full((2, 100), math.log(365)), atol=2e-5, rtol=0)


def test_elbo_does_not_depend_on_the_standardisation(vae, records):
    """The same q(z|x) and p(x|z) written for another mean and std: the networks differ, the nats do not."""
    continuous = torch.tensor([column.kind == "continuous" for column in COLUMNS])
    old = vae.scaling
    new = replace(old, mean=old.mean + continuous * 0.7, std=old.std * (1 + 2.0 * continuous))
    twin = copy.deepcopy(vae)
    twin.scaling, place = new, 0
    with torch.no_grad():
        twin.floor, stds = 0.0, vae.floor + vae.log_std.exp()
        for i, size in enumerate(vae.sizes):
            if continuous[i]:
                ratio, shift = (old.std / new.std)[i].float(), ((old.mean - new.mean) / new.std)[i].float()
                first, last = twin.encoder[0], twin.decoder[-1]
                first.weight[:, place] /= ratio  # t = (t′ − shift)/ratio
                first.bias -= first.weight[:, place] * shift
                last.weight[place] *= ratio  # a′ = ratio · a + shift
                last.bias[place] = ratio * last.bias[place] + shift
                twin.log_std[i] = (ratio * stds[i]).log()
            place += size
    for one, other in zip(
        *(record_bounds(each, records[:50], 4, seeded(1)) for each in (vae, twin)), strict=True
    ):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)


# --- samples, bounds, step -------------------------------------------------------------------------------------------


def test_samples_follow_the_likelihood(vae):
    """Of a decoder that ignores z: every mean within four standard errors, and a seed that gives the same patients."""
    vae, n = constant(vae), 20_000
    state = torch.get_rng_state()
    x = vae.sample(n, seeded(3))
    assert torch.equal(torch.get_rng_state(), state) and torch.equal(x, vae.sample(n, seeded(3)))
    assert records_table(x).shape == (n, 10) and x.dtype == torch.float64
    for p, t in zip(vae.decode(torch.zeros(1, 3)), vae.scaling.standardise(x).T, strict=True):
        if isinstance(p, Categorical):
            for k, share in enumerate(p.probs[0].tolist()):
                assert (t == k).double().mean().item() == pytest.approx(share, abs=2 / n**0.5)
        else:
            error = 4 * p.variance.item() ** 0.5 / n**0.5
            assert t.mean().item() == pytest.approx(p.mean.item(), abs=error)
            assert t.var().item() == pytest.approx(p.variance.item(), rel=0.1)


def test_more_samples_tighten_the_bound(vae, records):
    elbo, tighter = record_bounds(vae, records[:200], 16, seeded(0))
    assert (elbo <= tighter + 1e-4).all() and (tighter - elbo).mean() > 0.05
    mu, log_var = vae.encode(records[:200])
    eps = torch.randn(400, 200, 3, generator=seeded(1))
    with torch.no_grad():
        log_likelihood = vae.log_likelihood(records[:200], mu + (log_var / 2).exp() * eps).mean(0)
    many = record_bounds(vae, records[:200], 400, seeded(2))[0].mean()
    assert (log_likelihood - gaussian_kl(mu, log_var)).mean().item() == pytest.approx(many.item(), abs=0.1)


@pytest.mark.parametrize("beta", [1.0, 0.25])
def test_a_step_descends_the_loss_by_hand(vae, records, beta):
    twin, eps = copy.deepcopy(vae), torch.randn(40, 3, generator=seeded(1))
    measured = record_vae_step(vae, torch.optim.SGD(vae.parameters(), 0.01), records[:40], beta, eps)
    mu, log_var = twin.encode(records[:40])
    reconstruction = -twin.log_likelihood(records[:40], mu + (log_var / 2).exp() * eps).mean()
    loss = reconstruction + beta * gaussian_kl(mu, log_var).mean()
    assert measured["loss"].item() == pytest.approx(loss.item(), abs=1e-4)
    gradients = torch.autograd.grad(loss, [*twin.parameters()])
    for moved, before, gradient in zip(vae.parameters(), twin.parameters(), gradients, strict=True):
        torch.testing.assert_close(moved, before - 0.01 * gradient, atol=1e-5, rtol=1e-4)


def test_some_updates_come_near_the_entropy_and_never_below(one_thread):
    training, unseen = patients.sample(2000, seeded(1)), patients.sample(1000, seeded(2))
    vae = RecordVAE(Scaling.fit(training, COLUMNS))
    optimiser = torch.optim.Adam(vae.parameters(), lr=5e-3)
    for rows in torch.randint(2000, (500, 128), generator=seeded(3)):
        record_vae_step(vae, optimiser, training[rows])
    elbo, tighter = record_bounds(vae, unseen, 32, seeded(4))
    exact = patients.log_prob(unseen)
    above = [(exact - bound).mean().item() for bound in (elbo, tighter)]
    assert 0 < above[1] < above[0] < 0.45


def test_the_study_reaches_the_entropy():
    runs = study("patients")["runs"]
    assert median(run["−ELBO"] - run["exact"] for run in runs["VAE"]) <= 0.2
    error, real = (median(run["correlation error"] for run in runs[name]) for name in ("VAE", "real"))
    assert error <= 1.5 * real
    assert all(run["−ELBO"] >= run["−IWAE"] >= run["exact"] - 0.02 for run in runs["VAE"])
