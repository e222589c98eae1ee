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
    assert 0 < gap < 0.08 and 0.02 < perfect_terms.sum().item() - entropy < 0.1


def samples_by_many_steps_are_good_and_by_three_are_not():
    def quality_of(n):
        return mode_coverage(ddim(denoiser, torch.randn(2000, 2), alpha_bar, n), data)[1]

    assert quality_of(50) > 0.93 and quality_of(10) > 0.75 and quality_of(3) < 0.6
    x = ancestral(denoiser, torch.randn(2000, 2), alpha_bar, variance)
    assert mode_coverage(x, data)[1] > 0.93 and mode_coverage(x, data)[0] == 8


def guidance_gives_what_was_asked_for():
    fid = {name: row["FID"] for name, row in rows.items()}
    asked_for = {name: row["recognised as asked"] for name, row in rows.items()}
    assert asked_for["w = 1"] > 0.85 and asked_for["w = 3"] > 0.95 and asked_for["w = 0"] < 0.2
    assert fid["w = 3"] < fid["w = 1"] < fid["VAE's prior"] / 2 and fid["w = 3"] < fid["w = 8"]


def a_wrong_start_changes_proportions_and_no_single_point():
    wrong = shares["ᾱ_T = 0.60"]
    assert wrong[4] > 0.3 and wrong[0] < 0.04 and wrong.argmax() == 4
    assert all(0.1 < share < 0.15 for share in shares["ᾱ_T near 0"].tolist())
    assert alpha_bar[end].item() > 0.58 and mode_coverage(reached, moved)[1] > 0.95


def paths_of_flow_matching_bend_even_more():
    def longer(path):
        line = torch.stack(path)
        return (line.diff(dim=0).norm(dim=-1).sum() / (line[-1] - line[0]).norm(dim=-1).sum()).item()

    x = torch.randn(500, 2)
    assert 1.02 < longer(ddim_path(denoiser, x, alpha_bar, spaced(T, T))) < longer(flow_path(velocity, x, T))
    assert abs(quality["20 steps"]["DDIM"] - quality["20 steps"]["flow matching"]) < 0.15


def the_student_returns_points_between_clusters():
    with torch.no_grad():
        x = student(torch.randn(2000, 2))
    assert 0.5 < mode_coverage(x, data)[1] < 0.93 and x.norm(dim=1).median() > 1.7
    assert mode_coverage(ddim(denoiser, torch.randn(2000, 2), alpha_bar, 1), data)[1] < 0.05
