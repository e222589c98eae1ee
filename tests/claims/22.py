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
    assert speeds["1 thread"][0] < 0.9 * max(speeds["1 thread"][1:])
    assert rate > 0 and fixed >= 0


def shares_of_the_four_losses():
    assert (1 + 2 + 3) / 3 == 2 and (2 + 10) / 2 == 6 and (1 + 2 + 3 + 10) / 4 == 0.75 * 2 + 0.25 * 10 == 4


def only_the_mean_of_means_is_wrong():
    assert off["divided by all images"] < 1e-12 and off["mean of the parts' means"] > 0.05
    assert [len(part) for part in ten[0].chunk(4)] == [3, 3, 3, 1]


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
    assert sum(p.numel() for p in training.models["vae"].parameters()) == 652_824
    assert [line["numbers"] for line in two] == [652_824] * 3
    by_formula = [row[-1] for row in rows]
    assert by_formula == sorted(by_formula)
    if granted_cpus() > 1:
        assert rows[0][4] < 1.7


def a_cluster_on_paper():
    slow, fast = (f"B = 1,024, {name} connection" for name in CONNECTIONS)
    assert speed_ups[slow][-1] < 1 and all(each <= 1 for each in speed_ups[slow])
    assert 4 * M == 80e6 and speed_ups["B = 16,384, fast connection"][-1] > 0.8 * 64
    assert speed_ups[fast][-1] < speed_ups["B = 16,384, fast connection"][-1]
    hours, machine_hours = ([row[k] for row in cost if row[1] == "slow"] for k in (2, 4))
    assert hours == sorted(hours, reverse=True) and machine_hours == sorted(machine_hours)
    for n, _, time_taken, efficiency, paid in cost:
        assert abs(paid - n * time_taken) < 1e-9 and abs(paid * efficiency - cost[0][2]) < 1e-9
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
