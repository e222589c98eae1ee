"""What notebook 23 says of its own numbers."""


def one_step_and_two_by_hand():
    assert round(0.9**0.5 * 3, 2) == 2.85 and abs(0.9 * 3 - 2.7) < 1e-12
    assert abs(0.9 * 0.1 + 0.1 - (1 - 0.81)) < 1e-12
    share = 0.9**0.5 * 0.1 / 0.19
    assert round(share, 2) == 0.5 and round(share * 3 + share * 2, 1) == 2.5
    assert round(0.1 / 0.19 * 0.1, 3) == 0.053


def the_weight_is_large_at_both_ends():
    assert weight[0] > 0.5 and weight[-1] > 100 and weight[30:65].max() < 0.05
    assert weight.argmin() in range(35, 65)


def the_bound_is_near_that_of_a_perfect_network():
    gap = (terms.sum() - perfect_terms.sum()).item()
    assert 0 < gap < 0.08 and 0.02 < perfect_terms.sum().item() - entropy < 0.1 and entropy < -1


def samples_by_twenty_steps_are_good_and_one_lands_in_the_middle():
    def quality_of(n):
        return mode_coverage(ddim(denoiser, torch.randn(2000, 2), alpha_bar, n), data)[1]

    assert quality_of(20) > 0.95 and quality_of(5) < 0.9 and quality_of(1) < 0.05
    noise = torch.randn(2000, 2)
    assert ddim(denoiser, noise, alpha_bar, 1).norm(dim=1).median() < 1
    assert torch.equal(
        ddim(denoiser, noise, alpha_bar, 5), ddim_path(denoiser, noise, alpha_bar, spaced(T, 5))[-1]
    )
    x = ancestral(denoiser, torch.randn(2000, 2), alpha_bar, variance)
    assert mode_coverage(x, data)[1] > 0.93 and mode_coverage(x, data)[0] == 8


def guidance_gives_what_was_asked_for():
    fid = {name: row["FID"] for name, row in rows.items()}
    asked_for = {name: row["recognised as asked"] for name, row in rows.items()}
    assert asked_for["w = 1"] > 0.85 and asked_for["w = 3"] > 0.95 and asked_for["w = 0"] < 0.2
    assert fid["w = 3"] < fid["w = 1"] < fid["VAE's prior"] / 2 and fid["w = 3"] < fid["w = 8"]


def a_wrong_start_changes_proportions_and_no_single_point():
    right, wrong = shares.values()
    assert (
        wrong[4] > 0.3
        and wrong[0] < 0.04
        and wrong.argmax() == 4
        and min(wrong[3], wrong[5]) > 1 / 8 > max(wrong[2], wrong[6])
    )
    assert all(0.1 < share < 0.15 for share in right.tolist())
    assert alpha_bar[end].item() > 0.58 and mode_coverage(reached, moved)[1] > 0.95


def paths_of_flow_matching_bend_and_lead_to_the_data():
    assert longer > 1.1 and mode_coverage(flow_path(velocity, torch.randn(2000, 2), T)[-1], data)[1] > 0.8
    assert len(x_0) > 40 and (mean_end - data.centres).norm(dim=1).min() > 3 * data.std


def flow_matching_is_better_at_few_steps_where_networks_are_perfect():
    for n in (20, 10, 5, 3):
        row = quality[f"{n} steps"]
        assert 0 <= row["DDIM"] - row["flow matching"] < 0.15
        assert row["flow, perfect"] - row["DDIM, perfect"] > (0.05 if n < 10 else -0.01)


def the_student_returns_points_between_clusters():
    with torch.no_grad():
        x = student(torch.randn(2000, 2))
    assert 0.5 < mode_coverage(x, data)[1] < 0.93 and x.norm(dim=1).median() > 1.7
    assert mode_coverage(ddim(denoiser, torch.randn(2000, 2), alpha_bar, 1), data)[1] < 0.05
