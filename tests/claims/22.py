"""What notebook 22 says of its own numbers."""


def the_example_of_starting_time_and_images():
    assert round(1000 * step_seconds(32, 1, 0.002, 20_000), 1) == 3.6
    assert round(32 / step_seconds(32, 1, 0.002, 20_000), -2) == 8900
    assert round(1000 * step_seconds(1024, 1, 0.002, 20_000)) == 53
    assert round(1024 / step_seconds(1024, 1, 0.002, 20_000), -2) == 19200


def matrix_products_take_more_than_any_other_kind_and_not_nearly_all():
    share = shares["matrix products"] / sum(shares.values())
    assert share == max(shares.values()) / sum(shares.values()) and share < 0.9


def the_throughput_rises_with_the_batch():
    images_per_ms = ms.index / ms["1 process"]
    assert images_per_ms.iloc[0] < 0.9 * images_per_ms.iloc[1:].max()
    assert rate > 0 and fixed >= 0


def steps_and_passes():
    assert 2000 * 128 / 4000 == 64 and 400_000 / 128 == 3125 and 400_000 // 16384 == 24


def shares_of_the_four_losses():
    assert (1 + 2 + 3) / 3 == 2 and (2 + 10) / 2 == 6 and (1 + 2 + 3 + 10) / 4 == 0.75 * 2 + 0.25 * 10 == 4


def the_parts_give_the_gradient_of_the_batch():
    assert off < 1e-12 and [len(part) for part in ten[0].chunk(4)] == [3, 3, 3, 1]


def two_processes_train_what_one_does():
    assert [line["processes"] for line in lines] == [2, 2] and set(differences) == {
        "vae.vae",
        "gan.generator",
        "gan.discriminator",
    }
    assert max(differences.values()) < 1e-10
    assert any(difference > 0 for difference in differences.values())


def with_one_seed_rank_1_repeats_rank_0():
    cut, same = fakes[:16], fakes[16:]
    assert torch.equal(same[:8], same[8:]) and (cut[:8] - cut[8:]).abs().max() > 0.1


def two_processes_gain_least_with_the_small_batch():
    assert sum(p.numel() for p in vae_training(images).models["vae"].parameters()) == M == 652_824
    assert [line["numbers"] for line in timed] == [M] * len(BATCHES)
    gained = ms["1 process"] / ms["2 processes"]
    assert gained[32] < 1.1 * gained.min() and gained[32] < 0.9 * gained[2048]
    assert gained[32] < 1.7 and "(22.3)" in by_terms.columns[3]
    terms_of_32, terms_of_2048 = (
        by_terms.loc[b, "start, Adam"] + by_terms.loc[b, "all-reduce"] for b in (32, 2048)
    )
    assert terms_of_32 / by_terms.loc[32, "sum (22.3)"] > terms_of_2048 / by_terms.loc[2048, "sum (22.3)"]


def two_machines_by_a_slow_connection():
    assert round(4 * M / 1e6, 1) == 2.6 and CONNECTIONS["slow"] == (125e6, 2e-4)
    assert round(1000 * all_reduce_seconds(M, 2, *CONNECTIONS["slow"])) == 21


def a_cluster_on_paper():
    small, large = speed_ups["B = 1,024, slow"], speed_ups["B = 16,384, fast"]
    assert small[-1] < 1.6 and all_reduce_seconds(M, 64, *CONNECTIONS["slow"]) > 0.9 * seconds_on(
        64, 1024, "slow"
    )
    assert large[-1] > 0.8 * 64
    by = {(n, name): values for n, name, *values in cost}
    assert 30 < by[1, "none"][0] < 60 and by[1, "none"][1] == 1
    for name in CONNECTIONS:
        few, many = by[8, name], by[64, name]
        assert by[1, "none"][0] > few[0] > many[0] and by[1, "none"][2] <= few[2] < many[2]
        assert 1 > few[1] > many[1]
    assert round(1000 / 64) == 16


def a_killed_run_ends_where_the_unbroken_one_does():
    assert done >= 5 and done % 5 == 0 and set(resumed.values()) == {0.0}


def equal_noise_doubles_the_variance():
    assert 1.5 < relative["8 z, each twice"] < 2.7


def the_sampler_pads_ten_to_twelve():
    assert len(padded) == 12 and sorted(padded) == sorted([*range(10), 0, 1])
    assert dealt["rank 2"][-1] == 0 and dealt["rank 3"][-1] == 1
    assert abs(by_rank["all ten"] - by_rank["padded to twelve"]) > 0.1


def types_of_sixteen_bits():
    assert facts["bfloat16"].tiny == facts["float32"].tiny and facts["bfloat16"].eps > facts["float16"].eps
    assert 6.0e-5 < facts["float16"].tiny < 6.2e-5


def batch_norm_depends_on_the_part_and_group_norm_does_not():
    assert apart["batch norm"] > 0.01 and apart["group norm"] < 1e-5
