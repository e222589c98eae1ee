"""What notebook 18 says of its own numbers."""


def _medians():
    runs = study("video")["runs"]
    return {name: pd.DataFrame(rows).median() for name, rows in runs.items()}


def clips_are_what_section_1_says():
    assert data.frames.shape == (2000, 16, 1, 32, 32)
    speed = data.velocities.norm(dim=-1)
    assert 1 <= speed.min() and speed.max() <= 3
    assert scores["real"]["readable"] > 0.8 and scores["real"]["classes"] == 10


def a_pixel_wrong_by_point_4_costs_2_nats():
    assert STD == 0.2 and round(0.4**2 / (2 * STD**2), 9) == 2


def codes_from_the_prior_often_give_a_scribble():
    from_prior = score_clips(vae.sample(200, generator=torch.Generator().manual_seed(0)))
    assert from_prior["readable"] < 0.55 < scores["VAE"]["readable"]


def independent_frames_flicker_and_jump_and_each_is_fair():
    found, real = score_clips(flickering), scores["real"]
    assert 0.2 < found["agreement"] < 0.3 and found["flicker"] > 20 * real["flicker"]
    assert 7 < found["speed"] < 9.5 and found["smooth"] < 0.2 and found["turns"] > 3 * real["turns"]
    assert found["readable"] < 0.02
    from helpers.metrics import read_clips

    sure = read_clips(flickering).amax(-1) > 0.8
    assert sure.double().mean() > 0.6


def the_worked_example_of_a_bounce():
    from helpers.data import fly

    position, _, _ = fly(torch.tensor([[22.0, 15.0]]), torch.tensor([[2.0, 0.0]]), 3)
    assert (position[0, :, 0] - torch.tensor([22.0, 23.0, 21.0])).abs().max() < 1e-6
    # What f returns: the position less the one straight on
    assert 23 - (22 + 2) == -1 and 21 - (23 + 1) == -3
    lowest, highest = test.positions.min(), test.positions.max()
    assert 7.5 <= lowest < 7.6 and 23.4 < highest <= 23.5


def the_dynamics_know_the_walls():
    vae_error, vae_last = rows["VAE"]
    assert 1 / 10 < vae_error / rows["straight on"][0] < 1 / 4
    assert 0.5 < vae_last < 1.8 and rows["straight on"][1] > 2 * rows["repeat the last frame"][1] > 10
    assert rows["straight on"][0] < rows["repeat the last frame"][0]
    assert abs(rows["empty frame"][0] / rows["straight on"][0] - 1) < 0.2
    assert rows["empty frame"][0] < rows["repeat the last frame"][0]
    assert 0.5 < vae_error / rows["simulator, last step"][0] < 2
    assert 0.8 < vae_last / rows["simulator, last step"][1] < 2.5
    for name, told in {"straight on": 0.0230, "repeat the last frame": 0.0381, "empty frame": 0.0252}.items():
        assert abs(rows[name][0] - told) < 2e-4, name
    assert round(rows["straight on"][1]) == 24 and round(rows["repeat the last frame"][1]) == 9
    assert rows["simulator"][0] < vae_error and rows["simulator"][1] < 0.01


def the_forecast_on_the_page_is_that_of_helpers():
    for mine, other in zip(vae_forecast(seen), vae.forecast(seen), strict=True):
        assert torch.equal(mine, other)


def generated_clips_have_identity_and_motion():
    real = scores["real"]
    for name in ("VAE", "GAN"):
        found = scores[name]
        assert found["agreement"] > 0.9 and found["smooth"] > 0.85 and found["readable"] > 0.5, name
        assert 0.75 < found["speed"] / real["speed"] < 1.25 and 0.7 < found["turns"] / real["turns"] < 1.3, (
            name
        )
        assert found["classes"] >= 9
        assert found["readable"] < real["readable"], name
    assert scores["VAE"]["flicker"] < real["flicker"] < scores["GAN"]["flicker"]
    assert real["flicker"] > 0 and real["agreement"] < 1


def the_worked_example_of_a_fold():
    assert abs(fold(torch.tensor(1.25)) - 0.75) < 1e-6


def a_blob_is_consistent_and_always_the_same():
    found, real = scores["end to end"], scores["real"]
    assert found["agreement"] > real["agreement"] - 0.03 and found["flicker"] < real["flicker"]
    assert found["classes"] <= 3


def the_study_says_what_the_page_says():
    m = _medians()
    assert 1 / 8 < m["VAE"]["error"] / m["straight on"]["error"] < 1 / 6 and m["VAE"]["last"] < 1.5
    assert m["GAN"]["readable"] > m["VAE"]["readable"] > m["VAE, N(0, I)"]["readable"] + 0.2
    for name in ("VAE", "GAN"):
        assert m[name]["agreement"] >= 0.93 and m[name]["smooth"] >= 0.85 and m[name]["classes"] >= 9, name
        assert m[name]["readable"] >= 0.75, name
    for column in ("speed", "turns"):
        assert 0.8 < m["GAN"][column] / m["real"][column] < 1.2
    assert 0.25 < m["end to end"]["digits"] < 0.4 and m["end to end"]["classes"] <= 4
    assert m["end to end"]["speed"] < 0.8 * m["real"]["speed"]
    assert m["end to end"]["turns"] < 0.6 * m["real"]["turns"]
    assert m["end to end"]["error"] < 0.8 * m["straight on"]["error"] < m["repeat the last frame"]["error"]
    assert m["end to end"]["readable"] < m["VAE, N(0, I)"]["readable"]
    assert m["end to end"]["flicker"] < min(m[name]["flicker"] for name in ("real", "VAE", "GAN"))


def a_step_with_a_bounce_is_harder():
    assert error[bounce].mean() > 2 * error[~bounce].mean()


def the_simulator_with_the_last_step_loses_its_place_early():
    vae_off, off = ((ahead[name][1] - true).norm(dim=-1).mean(0) for name in ("VAE", "simulator, last step"))
    assert vae_off[0] < off[0] / 2 and vae_off[4] < off[4]
    assert 0.7 < off.max() < 1.2 and vae_off[-1] > 0.75 * off[-1]


def motion_codes_move_a_flight_little():
    trained_off, untrained_off = apart["trained"], apart["untrained"]
    assert trained_off[0] < 1e-3 and trained_off[-1] < 1.5
    assert 1.5 < untrained_off[-1] < 4.3 and untrained_off[-1] > 1.5 * trained_off[-1]


def the_best_picture_for_an_uncertain_place():
    at = {
        s: [cost(s, picture) for picture in (sharp, blurred, 0 * sharp)]
        for s in (0.0, 1.0, 1.5, 2.0, 2.5, 3.5)
    }
    assert at[0.0][0] < at[0.0][1] < at[0.0][2] and at[1.0][0] < at[1.0][1]
    assert at[1.5][0] > 0.95 * at[1.5][1]
    assert at[2.5][0] < 1.05 * at[2.5][2]
    assert at[2.0][1] < at[2.0][0] < at[2.0][2] and at[3.5][1] < at[3.5][2] < at[3.5][0]
    for s in (0.0, 0.5, 1.0, 2.0, 3.0):
        assert cost_of_mean(s) < min(cost(s, picture) for picture in (sharp, blurred, 0 * sharp))
    assert cost(0.5, sharp) < cost(0.5, blurred)
