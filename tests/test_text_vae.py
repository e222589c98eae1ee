"""The sentence VAE: its likelihood counted by hand, word dropout on inputs alone, padding, no look at the future."""

import math
from statistics import median

import pytest
import torch

from helpers.data import report_grammar
from helpers.studies import study
from helpers.vae import active_units, gaussian_kl, iwae_bound, log_weights
from helpers.vae.text import (
    END,
    PADDING,
    SentenceVAE,
    sentence_log_weights,
    sentence_vae_step,
    tokens_before,
    word_dropout,
    write_reports,
)


@pytest.fixture(scope="module")
def grammar():
    return report_grammar(short=True)


@pytest.fixture(scope="module")
def x(grammar):
    return grammar.encode(grammar.sample(6, torch.Generator().manual_seed(0)))


@pytest.fixture
def vae(grammar, one_thread):
    return SentenceVAE(len(grammar.vocabulary), grammar.longest, latent=3, embedding=7, hidden=9).double()


def codes(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# The likelihood


def test_the_log_likelihood_is_the_sum_of_log_softmax_by_hand(vae, x):
    """(16.1)"""
    z = codes(6, 3)
    found = vae.log_likelihood(x, z)
    for report, code, value in zip(x.tolist(), z, found, strict=True):
        written = report[: report.index(END) + 1]  # <end> counts, padding does not
        total, state, before = 0.0, None, END
        for token in written:
            logits, state = vae.decode(code[None], torch.tensor([[before]]), state)
            p = logits[0, 0].detach().exp()
            total += math.log(p[token] / p.sum())
            before = token
        assert value.item() == pytest.approx(total, abs=1e-9)


def test_the_likelihoods_of_all_texts_sum_to_one(one_thread):
    """Three kinds of token, at most three of them: every text that ends, and every text that does not."""
    vae, z = SentenceVAE(3, 3, latent=2, embedding=4, hidden=5).double(), codes(1, 2)
    # The end first, or a token and the end, or two and whatever the third is; padding is no token that is written.
    with torch.no_grad():
        vae.decode.head.bias[PADDING] = -1e9
        rows = [[1, 0, 0], [2, 1, 0], [2, 2, 1], [2, 2, 2]]
        total = vae.log_likelihood(torch.tensor(rows), z.expand(4, -1)).exp().sum()
    assert total.item() == pytest.approx(1, abs=1e-12)


def test_the_decoder_does_not_see_the_future(vae, x):
    z, inputs = codes(6, 3), tokens_before(x)
    logits, _ = vae.decode(z, inputs)
    for t in range(1, x.shape[1]):
        changed = inputs.clone()
        changed[:, t] = (changed[:, t] + 5) % 30
        others, _ = vae.decode(z, changed)
        assert torch.equal(others[:, :t], logits[:, :t]) and not torch.allclose(others[:, t], logits[:, t])


def test_what_is_read_is_what_stands_before(x):
    assert torch.equal(tokens_before(x)[:, 1:], x[:, :-1]) and (tokens_before(x)[:, 0] == END).all()


def test_the_decoder_sees_z_at_every_step(vae, x):
    """Also from a state that is the same: z does not only set where the decoder begins."""
    logits = [vae.decode(z, x[:, :1], torch.zeros(1, 6, 9).double())[0] for z in codes(2, 6, 3)]
    assert not torch.allclose(*logits)


# Padding


def test_padding_contributes_nothing(vae, x, grammar):
    shortest = min(x.tolist(), key=lambda row: row.index(END))
    cut = shortest.index(END) + 1
    assert cut < grammar.longest
    short, long = torch.tensor([shortest[:cut]]), torch.tensor([shortest])
    z = codes(1, 3)
    assert torch.allclose(vae.log_likelihood(short, z), vae.log_likelihood(long, z))
    for of_short, of_long in zip(vae.encode(short), vae.encode(long), strict=True):
        assert torch.allclose(of_short, of_long)


def test_no_gradient_comes_from_padding(vae, x):
    assert (x == PADDING).any()
    vae.log_likelihood(x, codes(6, 3)).sum().backward()
    assert vae.encode.embed.weight.grad is None  # the decoder has an embedding of its own
    assert not vae.decode.embed.weight.grad[PADDING].any() and vae.decode.embed.weight.grad[END].any()
    vae.encode(x)[0].square().sum().backward()
    assert not vae.encode.embed.weight.grad[PADDING].any() and vae.encode.embed.weight.grad[END].any()


# Word dropout


def test_word_dropout_hides_every_position_at_the_stated_rate():
    inputs = torch.arange(12).expand(20_000, -1)
    hidden = word_dropout(inputs, 0.3, unknown=99, generator=torch.Generator().manual_seed(0))
    dropped = hidden == 99
    assert torch.equal(hidden[~dropped], inputs[~dropped])
    error = math.sqrt(0.3 * 0.7 / len(inputs))
    assert ((dropped.double().mean(dim=0) - 0.3).abs() < 4 * error).all()  # the first input too
    both = (dropped[:, 3] & dropped[:, 4]).double().mean().item()  # independent of the neighbour
    assert abs(both - 0.09) < 4 * math.sqrt(0.09 * 0.91 / len(inputs))
    assert torch.equal(word_dropout(inputs, 0.0, 99), inputs) and (word_dropout(inputs, 1.0, 99) == 99).all()


def test_word_dropout_touches_no_target(vae, x):
    """With every input hidden, the loss is that of the true tokens given z and their places alone."""
    before = x.clone()
    hidden = torch.full_like(x, vae.unknown)
    eps = torch.randn(6, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    with torch.no_grad():
        mu, log_var = vae.encode(x)
        logits, _ = vae.decode(mu + (log_var / 2).exp() * eps, hidden)
        losses = -logits.log_softmax(dim=2).gather(2, x.unsqueeze(2)).squeeze(2)
        right = (losses * (x != PADDING)).sum(dim=1).mean()
    optimiser = torch.optim.SGD(vae.parameters(), 0.0)
    found = sentence_vae_step(vae, optimiser, x, dropout=1.0, generator=torch.Generator().manual_seed(5))
    assert torch.isclose(found["reconstruction"], right) and torch.equal(x, before)


# The loss and the bounds


def test_the_loss_of_a_step_is_the_negative_elbo_and_its_variants(vae, x):
    """(16.2) The learning rate is 0, so that all see the same weights."""
    optimiser = torch.optim.SGD(vae.parameters(), 0.0)

    def step(**settings):
        return sentence_vae_step(vae, optimiser, x, generator=torch.Generator().manual_seed(2), **settings)

    with torch.no_grad():
        kl = gaussian_kl(*vae.encode(x)).mean()
    plain = step()
    assert torch.isclose(plain["kl"], kl)
    assert torch.isclose(plain["loss"], plain["reconstruction"] + kl)
    assert torch.isclose(step(beta=0.25)["loss"], plain["reconstruction"] + 0.25 * kl)
    floor = 7.0  # higher than the KL of any dimension of this untrained encoder
    assert torch.isclose(step(floor=floor)["loss"], plain["reconstruction"] + 3 * floor)
    assert torch.isclose(step(floor=floor)["kl"], kl)  # what is told is the KL, not its floor


def test_a_long_gradient_is_cut(vae, x):
    optimiser = torch.optim.SGD(vae.parameters(), 1.0)
    before = [p.detach().clone() for p in vae.parameters()]
    sentence_vae_step(vae, optimiser, x, clip=0.01)
    moved = sum((p - q).square().sum() for p, q in zip(vae.parameters(), before, strict=True)).sqrt()
    assert moved.item() == pytest.approx(0.01, rel=1e-3)


def test_iwae_of_one_sample_is_the_elbo_and_more_samples_are_tighter(vae, x):
    samples, many = 64, 4000
    log_w = sentence_log_weights(vae, x, samples, torch.Generator().manual_seed(3))
    assert log_w.shape == (samples, 6)
    with torch.no_grad():
        mu, log_var = vae.encode(x)

        def reconstructions(eps):
            return torch.stack([vae.log_likelihood(x, mu + (log_var / 2).exp() * each) for each in eps])

        eps = torch.randn(samples, 6, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
        by_hand = torch.stack([log_weights(vae, x, mu, log_var, each) for each in eps])
        assert torch.allclose(log_w, by_hand)
        # the KL by its closed form instead of by the same samples: equal up to the Monte Carlo error of log p(z)/q(z|x)
        log_w = sentence_log_weights(vae, x, many, torch.Generator().manual_seed(4))
        eps = torch.randn(many, 6, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
        reconstruction = reconstructions(eps)
    estimate = reconstruction.mean(dim=0) - gaussian_kl(mu, log_var)
    error = (log_w - reconstruction).std(dim=0) / math.sqrt(many)
    assert ((iwae_bound(log_w, 1) - estimate).abs() < 4 * error).all()
    assert (iwae_bound(log_w, many) > iwae_bound(log_w, 1)).all()


def test_the_negative_elbo_is_the_nats_of_the_report_and_the_gap(grammar, x, one_thread):
    """(16.3) With one latent dimension, so that the posterior is known on a grid."""
    torch.manual_seed(3)
    vae = SentenceVAE(len(grammar.vocabulary), grammar.longest, latent=1, embedding=7, hidden=9).double()
    z = torch.linspace(-9, 9, 2001, dtype=torch.float64)
    for report in x[:2]:
        with torch.no_grad():
            vae.decode.gru.weight_ih_l0[:, 7:] = 2  # so that z matters
            mu, log_var = (each.squeeze() for each in vae.encode(report[None]))
            log_joint = vae.log_likelihood(report.expand(2001, -1), z[:, None]) + vae.log_prior(z[:, None])
            log_q = torch.distributions.Normal(mu, (log_var / 2).exp()).log_prob(z)
        log_p = torch.trapezoid(log_joint.exp(), z).log()
        gap = torch.trapezoid(log_q.exp() * (log_q - (log_joint - log_p)), z)
        elbo = torch.trapezoid(log_q.exp() * (log_joint - log_q), z)
        assert gap > 1e-4 and torch.isclose(-elbo, -log_p + gap)


def test_reports_in_parts_have_the_bounds_of_all_at_once(vae, x):
    """Where q is the same for all and z is not read, every weight is log p(x): the parts must not mix."""
    with torch.no_grad():
        vae.encode.to_code.weight.zero_()
        vae.encode.to_code.bias.zero_()  # q(z|x) = N(0, I), so log w = log p(x|z)
        vae.decode.gru.weight_ih_l0[:, 7:] = 0
    log_w = sentence_log_weights(vae, x, 3, rows=4)
    right = vae.log_likelihood(x, torch.zeros(6, 3).double()).detach()
    assert torch.allclose(log_w, right.expand(3, -1)) and active_units(vae.encode(x)[0].detach()) == 0


# Writing


def test_samples_can_be_repeated_and_leave_other_random_numbers_alone(vae, grammar):
    state = torch.get_rng_state()
    z = codes(20, 3)
    first, second = (write_reports(vae, z, 0.8, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, second) and first.shape == (20, grammar.longest)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(first, write_reports(vae, z, 0.8, torch.Generator().manual_seed(8)))


def test_tokens_come_as_often_as_the_softmax_says(vae):
    """(16.6) First tokens of one code, at two temperatures, by the χ² of their counts."""
    z, n = codes(1, 3), 4000
    with torch.no_grad():
        vae.decode.head.weight.mul_(8)
        logits = vae.decode(z, torch.tensor([[END]]))[0][0, 0]
    for temperature in (1.0, 0.5):
        written = write_reports(vae, z.expand(n, -1), temperature, torch.Generator().manual_seed(0))[:, 0]
        powers = logits.softmax(dim=0) ** (1 / temperature)
        expected = n * powers / powers.sum()
        counts = torch.bincount(written, minlength=len(expected))
        chi2 = ((counts - expected).square() / expected).sum().item()
        assert chi2 < len(expected) + 4 * math.sqrt(2 * len(expected))


def test_at_temperature_nought_the_likeliest_token_is_written(vae):
    z = codes(5, 3)
    written = write_reports(vae, z, temperature=0)
    logits, _ = vae.decode(z, tokens_before(written))
    assert torch.equal(written, logits.argmax(dim=2)) and torch.equal(
        written, write_reports(vae, z, temperature=0)
    )


def test_a_few_updates_bring_the_loss_down(grammar, one_thread):
    """Trains, because a step that moved the wrong way or one half only would pass all of the above."""
    generator = torch.Generator().manual_seed(0)
    x = grammar.encode(grammar.sample(64, generator))
    vae = SentenceVAE(len(grammar.vocabulary), grammar.longest)
    before = {name: p.detach().clone() for name, p in vae.named_parameters()}
    optimiser = torch.optim.Adam(vae.parameters(), 4e-3)
    losses = [sentence_vae_step(vae, optimiser, x, generator=generator)["loss"].item() for _ in range(40)]
    assert losses[-1] < 0.5 * losses[0]
    assert all(not torch.equal(p, before[name]) for name, p in vae.named_parameters())


# What the study found, the median of three seeds


def test_the_vae_of_the_study_uses_its_code_and_the_collapsed_one_has_the_better_elbo():
    runs = study("text")["runs"]
    working, collapsed = runs["VAE"], runs["VAE, collapsed"]
    assert median(run["-iwae"] - run["exact"] for run in working) <= 0.5
    assert median(run["active"] for run in working) >= 6 and median(run["kl"] for run in working) >= 4
    cool = [run["samples"]["0.6"] for run in working]
    assert median(each["grammatical"] for each in cool) >= 0.97
    assert median(each["in agreement"] for each in cool) >= 0.88
    for with_code, without in zip(working, collapsed, strict=True):
        assert without["kl"] < 1 and without["active"] <= 1  # nearly nothing: one unit of eight
        assert without["-elbo"] < with_code["-elbo"]


def test_in_the_ablation_free_bits_alone_keep_the_code_in_use_and_the_other_two_need_each_other():
    runs = {way.removeprefix("ablation: "): rows for way, rows in study("text")["runs"].items()}
    for name in ("KL warm-up", "word dropout"):
        for alone, both in zip(runs[name], runs["word dropout and KL warm-up"], strict=True):
            assert alone["kl"] < 1 < both["kl"] and alone["-elbo"] < both["-elbo"]
    for free, three in zip(runs["free bits"], runs["all three"], strict=True):
        assert free["active"] == three["active"] == 8
        assert 4.4 < free["kl"] < 6 and 4.4 < three["kl"] < 6
    assert all(run["updates"] == 1000 for name in ("free bits", "all three") for run in runs[name])


def test_the_language_model_of_the_study_comes_close_to_the_exact_entropy():
    assert median(run["nats"] - run["exact"] for run in study("text")["runs"]["language model"]) <= 0.35
