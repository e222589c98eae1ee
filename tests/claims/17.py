"""What notebook 17 says of its own numbers."""

import itertools
import math
import statistics


def _study(name, key):
    return [run[key] for run in study("audio")["runs"][name]]


def row_32_is_1000_hertz_and_a_new_frame_begins_every_64_numbers():
    assert 32 * 8000 / 256 == 1000 and (WINDOW, HOP, BINS, FRAMES) == (256, 64, 128, 32)
    assert abs(x.mean()) < 0.1 and abs(x.std() - 1) < 0.1


def the_pictures_are_as_they_are_described():
    picture = log_spectrogram(shown[::2])  # kick, snare, hat, pluck
    low, high = picture[:, :32, 4:16].mean((1, 2)), picture[:, 64:, 4:16].mean((1, 2))
    assert low[0] > high[0] and high[2] > low[2] and low[3] > high[3]
    snare, hat = picture[1:3, :, 4:16].mean(2)
    assert snare[:16].max() > snare[16:].max() and hat.argmax() >= 64
    lines = picture[3, :64, 8:16].mean(1)
    assert (
        (lines[1:-1] > lines[:-2]) & (lines[1:-1] > lines[2:]) & (lines[1:-1] > 1.5)
    ).sum() >= 4  # a ladder


def s_has_come_near_the_error():
    with torch.no_grad():
        error = (vae.decode(vae.encode(x[:1000])[0]).mean - x[:1000]).square().mean().sqrt()
    assert 0.7 * error < vae.log_std.exp() < 1.4 * error


def the_kl_is_about_40_nats():
    with torch.no_grad():
        assert 33.5 < gaussian_kl(*vae.encode(x)).mean() < 48


def a_code_saves_thousands_of_nats_beside_a_kl_of_forty():
    assert 2000 < 4096 * math.log(missed["mean of the drum"] / missed["decoder"]) < 4000
    assert (sound_log_var / 2).exp().median() < 0.06 * codes.std(0).median()


def smaller_codes_would_save_about_ten_nats_of_the_kl():
    now = gaussian_kl(codes, sound_log_var).mean()
    assert 5 < now - smaller < 15
    for other in (0.9 * c, 1.1 * c):
        assert gaussian_kl(other * codes, sound_log_var + 2 * other.log()).mean() > smaller


def the_size_and_the_shape_both_matter():
    one, prior_fad = _score("one Gaussian")["FAD"], _score("prior N(0, I)")["FAD"]
    assert 5 * _score("mixture")["FAD"] < one < prior_fad / 4


def plucks_are_scattered_and_the_others_are_islands():
    spread = [codes[labels == k].std(0).norm() for k in range(4)]
    assert spread[3] > 1.5 * max(spread[:3])
    assert (codes[:150] @ directions).abs().max() < 9.5


def reconstructions_are_recognised_and_off_by_a_few_per_cent():
    assert min(row["recognised"] for row in rows.values()) > 0.98
    assert max(row["decay error"] for row in rows.values()) < 0.09
    pitch_errors = {drum: row["pitch error"] for drum, row in rows.items()}
    assert max(pitch_errors, key=pitch_errors.get) == "kick" and pitch_errors["kick"] < 0.06


def the_grain_is_gone():
    snares = new_labels == 1
    real, smooth = (
        each[snares, :, 4:12].diff(dim=1).abs().mean() for each in (log_spectrogram(new), rebuilt)
    )
    assert smooth < 0.5 * real


def _score(name):
    return score_drums(samples[name])


def the_distances_are_in_this_order():
    fad = {name: _score(name)["FAD"] for name in samples}
    assert fad["real sounds"] < 1 and fad["reconstructions"] < 4 and fad["mixture"] < 4
    assert 200 < fad["prior N(0, I)"] and fad["latent GAN"] < fad["prior N(0, I)"] / 10
    assert fad["latent GAN"] > 2 * fad["reconstructions"] and fad["latent GAN"] > fad["mixture"]


def the_fad_changes_a_little_with_the_sounds_that_are_taken():
    with torch.no_grad():
        halves = [score_drums(vae.decode(half).mean)["FAD"] for half in codes.split(2000)]
    real = [score_drums(half)["FAD"] for half in x.split(2000)]
    assert min(real) > 0 and 0 < abs(halves[0] - halves[1]) < 1.5


def the_gan_makes_all_four_drums():
    score = _score("latent GAN")
    assert min(score[drum] for drum in DRUMS) > 0.08


def the_prior_lies_between_the_islands():
    far, near = (torch.cdist(z, codes).amin(dim=1).median() for z in (prior, new_codes))
    assert near < 1 and far > 3 * near
    for k in range(4):
        assert codes[labels == k].mean(0).norm() > 2
    assert abs(sizes["prior N(0, I)"]["mean ‖z‖²"] - 8) < 1
    for name, each in sizes.items():
        if name != "prior N(0, I)":
            assert each["mean ‖z‖²"] > 16 and each["median distance to the nearest code"] < far / 2, name


def no_third_drum_is_heard_on_the_way():
    assert p[:, 1:3].max() < 0.1
    assert (
        (p[:, 0].diff() < 0.02).all() and (p[:, 3].diff() > -0.02).all() and p[0, 0] > 0.9 and p[-1, 3] > 0.9
    )


def class_probabilities_move_steadily_for_most_pairs():
    steady = []
    for i in range(0, 160, 2):
        a, b = int(labels[i]), int(labels[i + 1])
        if a == b:
            continue
        with torch.no_grad():
            path_of = drum_classifier()(vae.decode((1 - t) * codes[i] + t * codes[i + 1]).mean).softmax(dim=1)
        steady.append(bool((path_of[:, a].diff() < 0.02).all() and (path_of[:, b].diff() > -0.02).all()))
    assert sum(steady) > 0.9 * len(steady)


def lines_stand_at_multiples_of_125_hertz_with_transposed_convolutions_alone():
    from helpers.audio import line_level

    levels = {name: [line_level(untrained[name], 125.0 * k) for k in range(1, 32)] for name in untrained}
    assert statistics.median(levels["transposed"]) > 6 and min(levels["transposed"]) > 2
    assert levels["transposed"][15] > 8  # 2,000 Hz
    assert max(levels["nearest"]) < 3
    assert [int(marked.sum()) for marked in marks.values()] == [2, 6, 24]


def a_pattern_keeps_its_period_in_later_layers():
    """A constant at 125 numbers a second becomes a waveform that repeats 125 times a second: every 64 numbers."""
    net = WaveformGenerator().net
    with torch.no_grad():
        y = net[2:](torch.rand(1, 128, 1).expand(-1, -1, 32))[0]
    inside = y[640:1408]
    assert (inside[64:] - inside[:-64]).abs().max() < 1e-4 and inside.std() > 1e-3


def training_has_not_removed_the_line():
    assert min(_study("waveform GAN, transposed", "line")) > 8


def bars_of_the_mixture_are_nearer_to_the_rule():
    assert abs(rhythm_entropy() - 12.2) < 0.01
    assert nats["mixture"] < nats["prior"] - 0.6 and nats["true rule"] < nats["mixture"]
    assert abs(nats["true rule"] - 12.2) < 0.35 and nats["mixture"] < 13.8


def some_samples_of_the_prior_lie_between_the_groups():
    density = {name: rhythm_mixture.score_samples(z.double().numpy())
               for name, z in {"codes": rhythm_codes, "prior": from_prior}.items()}  # fmt: skip
    rare = sorted(density["codes"])[len(density["codes"]) // 20]
    assert (density["prior"] < rare).mean() > 0.07


def bars_of_the_mixture_are_about_as_varied_as_the_rules():
    assert abs(distinct["mixture"] / distinct["true rule"] - 1) < 0.12


def each_groove_has_a_region_of_its_own():
    """Most bars have more neighbours of their own groove than of the two others, and no groove is in doubt."""
    assert by_groove.softmax(dim=1).amax(dim=1).min() > 0.6
    near = torch.cdist(rhythm_codes[:120], rhythm_codes[:120]).topk(8, largest=False).indices[:, 1:]
    own = by_groove.argmax(dim=1)
    assert ((own[near] == own[:, None]).double().mean(dim=1) > 0.5).double().mean() > 0.8


def means_would_be_too_narrow_for_rhythms_and_not_for_sounds():
    with torch.no_grad():
        narrow = (vae.encode(x)[1] / 2).exp().median() / codes.std(0).median()
    assert narrow < 0.06 and (log_var / 2).exp().median() > 0.2 * rhythm_codes.std(0).median()


def eight_bars_are_heard_and_not_clipped():
    loop = write_bars(kit, chosen, tempo=200)
    assert abs(len(loop) - 8 * 16 * 8000 * 60 / (4 * 200)) < 1 and 0.3 < loop.abs().max() < 1
    assert chosen.shape == (8, 16, 4) and 0.1 < chosen.mean() < 0.5
    found = drum_classifier()(log_spectrogram(kit)).argmax(1)
    assert found.tolist() == [0, 1, 2, 3]


def the_pitch_jumps():
    assert hertz[0] < 250 and hertz[-1] > 365
    assert hertz.diff().max() > 0.5 * (hertz[-1] - hertz[0])
    jumps = []
    for a, b in zip((pitch < 240).nonzero()[:20, 0], (pitch > 380).nonzero()[:20, 0], strict=True):
        with torch.no_grad():
            between = vae.decode((1 - t[::10]) * codes[a] + t[::10] * codes[b]).mean
        found = heard(resynthesise(between), torch.full((5,), 3))["pitch"]
        jumps.append((found.diff().max() / (found[-1] - found[0])).item())
    assert statistics.median(jumps) > 0.6


def through_real_plucks_the_pitch_rises_evenly():
    steps = real_hertz.diff() / (real_hertz[-1] - real_hertz[0])
    assert real_hertz[0] < 250 and real_hertz[-1] > 365 and 0.15 < steps.min() and steps.max() < 0.35


def both_ladders_are_there_half_way():
    """At t = ½ the rows of both fundamentals are brighter than the row between them, and fainter than at the ends."""
    rows_of = [int((hz / 31.25).round()) for hz in (hertz[0], hertz[-1])]
    middle = glide[2, :, 8:16].mean(1)
    assert middle[rows_of[0]] < glide[0, :, 8:16].mean(1)[rows_of[0]]
    assert middle[rows_of[1]] < glide[4, :, 8:16].mean(1)[rows_of[1]]
    third = [int((3 * hz / 31.25).round()) for hz in (hertz[0], hertz[-1])]
    assert min(middle[k] for k in third) > middle.median()


def griffin_lim_converges_and_momentum_is_faster():
    plain, fast = off["momentum 0"], off["momentum 0.99"]
    assert all(b <= a + 1e-4 for a, b in itertools.pairwise(plain))
    assert fast[-2] < plain[-1] and 0.045 < fast[tried.index(30)] < 0.075


def the_study_says_what_the_page_says():
    middle = {name: statistics.median(_study(name, "FAD")) for name, each in runs.items() if "FAD" in each[0]}
    assert 2 < middle["VAE, latent GAN"] / middle["VAE, mixture"] < 3 and middle["VAE, mixture"] < 4
    assert 170 < middle["VAE, N(0, I)"] < 230
    assert 1.4 < _score("prior N(0, I)")["FAD"] / middle["VAE, N(0, I)"] < 3
    before, after = (statistics.median(_study(f"waveform GAN, transposed{when}", "line"))
                     for when in (", untrained", ""))  # fmt: skip
    assert before > 15 and after > before - 6 and max(_study("waveform GAN, nearest", "line")) < 0
    assert min(_study("waveform GAN, nearest", "kick")) > 0.95
    assert min(_study("waveform GAN, nearest", "FAD")) > max(_study("waveform GAN, transposed", "FAD"))
    assert set(study("audio")["settings"]["cpu seconds"].values()) == {60, 20, 40, 15}
