"""What notebook 16 says of its own numbers."""


def _of(name, temperature):
    return curves[name].loc[temperature]


def _parsed(lines):
    """The reports of a walk as tokens again: those that are grammatical."""
    known = {grammar.show(report): report for report in grammar.decode(write_reports(cured, _path(), 0))}
    return [known[line] for line in lines if grammar.parses(known[line])]


def _path():
    mu, _ = cured.encode(data.test.tokens[[A, B]])
    t = torch.linspace(0, 1, 6)[:, None]
    return (1 - t) * mu[0] + t * mu[1]


def sixty_two_tokens_and_27_in_a_report():
    assert size == 62 and longest == 27


def the_plain_vae_has_an_empty_code_and_nearly_the_nats_of_the_grammar():
    assert table["plain"]["KL to prior"] < 0.2 and table["plain"]["active units"] == 0
    assert 0.05 < table["plain"]["−ELBO"] - exact < 0.6


def its_walk_is_one_sentence():
    assert len(set(walk(plain, A, B))) == 1


def the_cured_vae_uses_all_dimensions_and_has_a_worse_elbo_but_nearly_the_same_iwae():
    with_code, without = table["cured"], table["plain"]
    assert with_code["KL to prior"] > 4 and with_code["active units"] == 8
    assert 0.5 < kls["cured"].min() and kls["cured"].max() < 0.9  # about the free bits, and hardly more
    lost, remains = with_code["−ELBO"] - without["−ELBO"], with_code["−IWAE"] - without["−IWAE"]
    assert 0.5 < lost < 1.7 and remains < 0.5 * lost
    assert 3 < without["reconstruction"] - with_code["reconstruction"] < 5  # about 4 nats
    for row in table.values():
        assert abs(row["reconstruction"] + row["KL to prior"] - row["−ELBO"]) < 1e-6


def so_says_the_ablation():
    row = {way.removeprefix("study: "): each for way, each in table.items()}
    assert study("text")["settings"]["ablation"]["updates"] == 1000
    kl = {way: each["KL to prior"] for way, each in row.items()}
    assert kl["KL warm-up"] < 0.6 and kl["word dropout"] < 0.6
    assert abs(kl["free bits"] - kl["all three"]) < 0.4 and 4.6 < kl["free bits"] < 5.4
    assert row["free bits"]["−ELBO"] < row["all three"]["−ELBO"]
    assert row["word dropout"]["active units"] == 6 and 0.15 < kl["word dropout"] < 0.25
    for way in ("KL warm-up", "word dropout"):
        for other in ("word dropout and KL warm-up", "free bits", "all three"):
            assert row[way]["−ELBO"] < row[other]["−ELBO"]


def a_dimension_that_becomes_empty_again_gains_nothing():
    mu = torch.zeros(4, 8)
    empty, used = free_bits(mu, mu, 0.6), free_bits(mu + 1.0, mu, 0.6)  # KL 0 and KL 0.5 in each dimension
    assert torch.allclose(empty, used) and abs(empty.item() - 8 * 0.6) < 1e-5


def the_walk_of_the_cured_vae_changes_and_is_grammatical():
    lines = walk(cured, A, B)
    assert len(set(lines)) >= 3 and len(_parsed(lines)) >= 5


def samples_of_the_prior_are_grammatical_in_the_study():
    found = [run["samples"]["0.6"] for run in runs["VAE"]]
    assert all(each["grammatical"] > 0.99 and each["in agreement"] > 0.9 for each in found)
    assert median(each["in agreement"] for each in found) > 0.94


def its_ends_are_not_the_reports():
    """The code holds about 5 of 13.5 nats; of all test reports few come back whole."""
    with torch.no_grad():
        mu, _ = cured.encode(data.test.tokens[:200])
    back = grammar.decode(write_reports(cured, mu, 0))
    assert sum(a == b for a, b in zip(back, data.test.reports, strict=False)) < 60
    assert 4 < table["cured"]["KL to prior"] < 6.5 and 13.25 < grammar.entropy < 13.75
    assert grammar.show(data.test.reports[A]) != walk(cured, A, B)[0]


def the_worked_temperature():
    assert round(0.8**2 / (0.8**2 + 0.2**2), 2) == 0.94 and round(0.64 + 0.04, 2) == 0.68


def the_noise_of_the_picture_makes_the_second_token_win():
    logits, noisy = torch.tensor([2.1, 1.9, 0.3]), torch.tensor([1.7, 2.6, -0.4])
    assert logits.argmax() == 0 and noisy.argmax() == 1 and (noisy - logits).abs().max() < 1


def most_are_grammatical_and_no_more_than_about_half_of_these_in_agreement():
    assert 0.5 < live["grammatical"] < 0.86
    assert 0.3 < live["in agreement"] / live["grammatical"] < 0.55


def the_gan_of_the_study_does_better():
    assert round(100 * minute["grammatical"]) == 87 and round(100 * minute["in agreement"]) == 46
    assert live["grammatical"] < minute["grammatical"] and live["in agreement"] < minute["in agreement"]
    assert all(2.8 < run["updates"] / STEPS < 3.8 for run in runs["short: GAN"])


def the_gan_mixes_phrases():
    """Most samples that are not grammatical have two words side by side that no training report has."""
    known = {(report[i], report[i + 1]) for report in short.train.reports for i in range(len(report) - 1)}
    wrong = [report for report in samples if not short.grammar.parses(report)]
    new = [r for r in wrong if any((r[i], r[i + 1]) not in known for i in range(len(r) - 1))]
    assert len(wrong) > 20 and len(new) > 0.6 * len(wrong)
    assert ("in", "at") not in known and {("in", "the"), ("at", "home")} < known


def the_language_model_is_better_at_every_diversity_that_both_have():
    ours, theirs = curves["GAN"], curves["language model"]
    x, y = (list(theirs[column]) for column in ("distinct", "in agreement"))
    compared = 0
    for point in ours.itertuples(index=False, name=None):
        distinct, agreement = point[list(ours).index("distinct")], point[list(ours).index("in agreement")]
        for i in range(len(x) - 1):
            if x[i] <= distinct <= x[i + 1]:
                share = (distinct - x[i]) / (x[i + 1] - x[i])
                assert (1 - share) * y[i] + share * y[i + 1] > agreement + 0.1
                compared += 1
    assert compared >= 5
    assert (
        _of("language model", "1")["in agreement"] > 0.9
        and abs(_of("language model", "1")["distinct"] - truth["distinct"]) < 0.02
    )
    assert (
        0.42 < _of("GAN", "0.8")["in agreement"] < 0.55
        and abs(_of("GAN", "0.8")["distinct"] - truth["distinct"]) < 0.02
    )
    assert 0.5 < _of("GAN", "0.4")["in agreement"] < 0.65 and _of("GAN", "0.4")["distinct"] < 0.75
    assert live["in agreement"] < _of("GAN", "1")["in agreement"] + 0.05


def the_gan_had_three_times_as_long():
    seconds = study("text")["settings"]["seconds"]
    assert seconds["a model"] == 3 * seconds["short: language model"]
    assert seconds["pre-training"] == 5 and seconds["tuning"] == 20


def likelihood_gains_and_the_game_loses():
    before, game, more = (
        both_ways[name]
        for name in ("pre-trained", "pre-trained, then adversarial", "pre-trained, then likelihood")
    )
    assert round(before["in agreement"]) == 85 and round(more["in agreement"]) == 95
    assert round(game["in agreement"]) == 82 and game["nats above exact"] > before["nats above exact"]
    assert more["nats above exact"] < before["nats above exact"]
    assert abs(game["grammatical"] - before["grammatical"]) < 1.5
    for old, adversarial, likely in zip(
        *(runs[f"short: {name}"] for name in list(both_ways)[:3]), strict=True
    ):
        assert adversarial["samples"]["1"]["in agreement"] < old["samples"]["1"]["in agreement"]
        assert old["samples"]["1"]["in agreement"] < likely["samples"]["1"]["in agreement"]
        assert likely["nats"] < old["nats"] < adversarial["nats"]
        assert adversarial["updates"] < likely["updates"]
        at_08, at_1 = adversarial["samples"]["0.8"], likely["samples"]["1"]
        assert (
            at_08["distinct"] < at_1["distinct"] < adversarial["samples"]["1"]["distinct"]
            and at_08["in agreement"] < at_1["in agreement"]
        )
    at_08 = pd.DataFrame(
        [run["samples"]["0.8"] for run in runs["short: pre-trained, then adversarial"]]
    ).median()
    assert round(100 * at_08["distinct"]) == 88 and round(100 * at_08["in agreement"]) == 90
    assert round(game["distinct"]) > round(more["distinct"]) == 90


def one_dimension_usually_changes_several_parts():
    changed = []
    for j in range(cured.latent):
        z = codes[0].repeat(2, 1)
        z[0, j], z[1, j] = -2.5, 2.5
        one, other = grammar.decode(write_reports(cured, z, 0))
        changed.append(len(set(one) ^ set(other)))
    assert sum(n > 2 for n in changed) > cured.latent / 2


def real_words_are_mostly_new_and_a_few_names_are_real():
    if "names" in novel:
        assert novel["names"] > 0.75 and (columns["new and real names"].fillna("") != "").sum() >= 1
        assert 4500 < len(load_names().train) + len(load_names().test) < 5500
    if "phrases" in novel:
        assert novel["phrases"] > 0.95 and len(columns["new and real phrases"]) <= 6
        data_of = load_phrases()
        assert 4600 < len(data_of.train) + len(data_of.test) < 4700 and 4150 < len(data_of.train) < 4250
