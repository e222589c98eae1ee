"""Each displayed equation of the theory notebooks is named by a test: a table that this file itself keeps complete."""

import importlib
import re
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"

# The tag of an equation → the test that executes it, and with what.
PROVED = {
    "02_probability_you_need": {
        "2.1": "test_probability.test_an_expectation_is_a_sum_or_an_integral",
        "2.2": "test_probability.test_a_mean_of_draws_is_right_on_average_and_its_deviation_falls_like_the_root",
        "2.3": "test_probability.test_entropy_is_the_mean_surprise",
        "2.4": "test_probability.test_entropy_of_a_bell",
        "2.5": "test_probability.test_jensen",
        "2.6": "test_probability.test_kl_is_cross_entropy_minus_entropy",
        "2.7": "test_probability.test_kl_is_never_negative",
        "2.8": "test_probability.test_kl_of_two_bells",
        "2.9": "test_probability.test_likelihood_is_a_kl_less_the_entropy_of_the_data",
        "2.10": "test_probability.test_maximum_likelihood_is_minimum_kl",
        "2.11": "test_probability.test_the_most_likely_bell",
        "2.12": "test_probability.test_js_is_two_kls_to_the_mixture",
        "2.13": "test_probability.test_js_is_what_one_x_tells_about_the_coin",
        "2.14": "test_probability.test_change_of_variables",
        "2.15": "test_probability.test_a_map_changes_entropy_and_not_kl",
        "2.16": "test_probability.test_shifted_intervals",
        "2.17": "test_probability.test_slopes_of_two_narrow_bells",
        "2.18": "test_probability.test_five_divergences_by_one_formula",
        "2.19": "test_probability.test_no_discriminator_passes_twice_js_minus_log_4",
        "2.20": "test_probability.test_no_guess_passes_the_evidence",
        "2.21": "test_probability.test_one_is_lowered_and_the_other_raised",
    },
    "03_minimax_game": {
        "3.1": "test_minimax_theory.test_value_is_the_mean_pay_of_samples",
        "3.2": "test_minimax_theory.test_minimax_is_reached_by_the_best_generator_alone",
        "3.3": "test_minimax_theory.test_logarithms_of_d_by_softplus",
        "3.4": "test_minimax_theory.test_value_is_an_integral_of_densities",
        "3.5": "test_minimax_theory.test_one_point_has_one_peak",
        "3.6": "test_minimax_theory.test_the_best_discriminator_beats_its_neighbours",
        "3.7": "test_minimax_theory.test_value_at_the_best_is_twice_js_minus_log_4",
        "3.8": "test_minimax_theory.test_value_at_the_best_is_twice_js_minus_log_4",
        "3.9": "test_minimax_theory.test_value_at_the_best_is_twice_js_minus_log_4",
        "3.10": "test_minimax_theory.test_what_another_discriminator_misses",
        "3.11": "test_minimax_theory.test_minimax_is_reached_by_the_best_generator_alone",
        "3.12": "test_minimax_theory.test_against_the_best_discriminator_g_descends_js",
        "3.13": "test_minimax_theory.test_the_non_saturating_game_descends_another_divergence",
        "3.14": "test_minimax_theory.test_simultaneous_steps_spiral_out",
        "3.15": "test_minimax_theory.test_alternating_steps_stay_on_an_ellipse",
        "3.16": "test_minimax_theory.test_averages_of_alternating_steps_converge_and_of_simultaneous_ones_do_not",
        "3.17": "test_minimax_theory.test_extragradient_converges",
    },
    "07_how_gans_fail": {
        "7.1": "test_gan_failures.test_the_pull_on_a_logit",
        "7.2": "test_gan_failures.test_the_ratio_at_the_parameters_is_e_to_the_logit",
        "7.3": "test_gan_failures.test_two_losses_descend_the_two_kls",
        "7.4": "test_gan_failures.test_the_flow_is_that_of_the_losses",
        "7.5": "test_gan_failures.test_the_radius_along_the_flow",
        "7.6": "test_gan_failures.test_simultaneous_steps_push_out",
        "7.7": "test_gan_failures.test_eigenvalues_of_the_simulated_path",
        "7.8": "test_gan_failures.test_the_multiplier_of_alternating_steps",
        "7.9": "test_gan_failures.test_the_slope_of_a_bounded_output",
    },
    "08_better_games": {
        "8.1": "test_better_games.test_js_of_two_intervals_stops_and_w1_goes_on",
        "8.2": "test_better_games.test_the_cheapest_plan_of_two_and_two",
        "8.3": "test_better_games.test_on_a_line_sorting_beats_every_permutation",
        "8.4": "test_better_games.test_the_prices_solve_the_dual_programme",
        "8.5": "test_better_games.test_no_allowed_prices_earn_more_than_any_plan_costs",
        "8.6": "test_better_games.test_the_prices_are_one_function_of_slope_1_that_no_other_beats",
        "8.7": "test_better_games.test_on_a_line_the_critic_follows_the_cumulatives",
        "8.8": "test_better_games.test_the_wasserstein_game_is_the_formula_with_its_sign_turned",
        "8.9": "test_better_games.test_the_perfect_critic_has_slope_1_along_the_best_ways",
        "8.10": "test_better_games.test_the_gradient_penalty_by_finite_differences",
        "8.11": "test_better_games.test_the_bias_of_the_soft_penalty",
        "8.12": "test_better_games.test_a_chain_of_dense_layers_is_no_steeper_than_the_product_of_its_norms",
        "8.13": "test_better_games.test_the_norm_of_the_blur",
        "8.14": "test_better_games.test_least_squares",
        "8.15": "test_better_games.test_hinge",
        "8.16": "test_better_games.test_relativistic",
        "8.17": "test_better_games.test_r1_and_r2_are_squared_slopes",
    },
    "09_latent_variables": {
        "9.1": "test_importance.test_the_evidence_is_a_mean_over_the_prior",
        "9.2": "test_importance.test_draws_of_the_model_have_its_mean_and_covariance",
        "9.3": "test_importance.test_the_posterior_is_the_normalised_joint",
        "9.4": "test_importance.test_the_likelihood_of_data_depends_on_their_covariance_alone",
        "9.5": "test_importance.test_the_most_likely_model",
        "9.6": "test_importance.test_a_direction_below_the_noise_dies",
        "9.7": "test_importance.test_the_naive_estimate_is_unbiased_and_its_variance_falls_like_one_over_k",
        "9.8": "test_importance.test_the_bias_of_the_logarithm",
        "9.9": "test_importance.test_more_draws_raise_the_mean_logarithm_in_every_group",
        "9.10": "test_importance.test_the_relative_variance_of_a_naive_draw",
        "9.11": "test_importance.test_every_guess_is_unbiased",
        "9.12": "test_importance.test_the_relative_variance_of_a_stretched_posterior",
        "9.13": "test_importance.test_the_effective_sample_size",
    },
    "10_elbo": {
        "10.1": "test_elbo_theory.test_samples_of_the_model_have_its_mean_and_covariance",
        "10.2": "test_elbo_theory.test_evidence_is_the_integral_over_z",
        "10.3": "test_elbo_theory.test_posterior_obeys_bayes_rule",
        "10.4": "test_elbo_theory.test_jensen_bounds_the_logarithm_of_the_mean",
        "10.5": "test_elbo_theory.test_elbo_plus_gap_is_the_evidence",
        "10.6": "test_elbo_theory.test_the_forms_of_the_elbo_agree",
        "10.7": "test_elbo_theory.test_the_two_means_of_the_rate",
        "10.8": "test_elbo_theory.test_gaussian_kl_against_pytorch_and_monte_carlo",
        "10.9": "test_elbo_theory.test_derivatives_of_the_rate",
        "10.10": "test_elbo_theory.test_reconstruction_in_closed_form",
        "10.11": "test_elbo_theory.test_divergence_of_two_gaussians",
        "10.12": "test_elbo_theory.test_the_best_diagonal_guess",
        "10.13": "test_elbo_theory.test_m_step_and_e_step",
        "10.14": "test_elbo_theory.test_the_divergence_of_the_joints",
        "10.15": "test_elbo_theory.test_posteriors_fill_the_prior_together",
        "10.16": "test_elbo_theory.test_beta_is_another_noise_of_the_decoder",
        "10.17": "test_elbo_theory.test_reparameterised_gradients_are_right_on_average",
        "10.18": "test_elbo_theory.test_the_article_taken_literally",
    },
    "11_reparameterisation": {
        "11.1": "test_gradients.test_a_mean_over_q_is_an_integral",
        "11.2": "test_gradients.test_the_score_function_gives_the_gradient_of_the_integral",
        "11.3": "test_gradients.test_the_score_has_mean_zero_and_a_baseline_keeps_the_mean",
        "11.4": "test_gradients.test_the_score_of_a_gaussian_by_hand",
        "11.5": "test_gradients.test_the_map_bends_the_noise_into_q",
        "11.6": "test_gradients.test_the_path_gives_the_gradient_of_the_integral",
        "11.7": "test_gradients.test_the_gradient_of_the_elbo_less_that_of_the_rate",
        "11.8": "test_gradients.test_a_reward_that_depends_on_the_parameters_adds_its_own_gradient",
        "11.9": "test_gradients.test_the_variance_of_a_linear_reward",
        "11.10": "test_gradients.test_the_parabola_of_a_control_variate",
        "11.11": "test_gradients.test_the_best_baseline_is_a_mean_weighted_by_the_square_of_the_score",
        "11.12": "test_gradients.test_leaving_the_draw_out_keeps_the_mean_and_leaving_it_in_shrinks_it",
        "11.13": "test_gradients.test_the_gradient_of_a_mean_over_choices",
        "11.14": "test_gradients.test_gumbel_noise_has_a_double_exponential",
        "11.15": "test_gradients.test_the_largest_of_logits_with_gumbel_noise_is_a_draw_from_the_softmax",
        "11.16": "test_gradients.test_temperature_goes_from_a_choice_to_a_mixture",
        "11.17": "test_gradients.test_gumbel_softmax_is_that_of_pytorch",
        "11.18": "test_gradients.test_a_nudge_finds_every_cut",
    },
    "15_vae_meets_gan": {
        "15.1": "test_vae_gan.test_the_laplacian_is_a_convolution",
        "15.2": "test_vae_gan.test_blur_lies_below_one_and_noise_above",
        "15.3": "test_vae_gan.test_half_a_square_is_a_gaussian_likelihood_less_its_constant",
        "15.4": "test_vae_gan.test_of_all_pictures_the_mean_has_the_smallest_error",
        "15.5": "test_vae_gan.test_a_sharp_draw_costs_twice_the_error_of_the_mean",
        "15.6": "test_vae_gan.test_the_three_losses_are_the_loss_weights",
        "15.7": "test_vae_gan.test_a_weight_on_the_kl_is_a_smaller_deviation",
        "15.8": "test_vae_gan.test_the_best_width_under_a_weighted_kl",
    },
    "14_tighter_and_discrete": {
        "14.1": "test_iwae.test_one_draw_is_the_elbo_and_many_come_to_the_evidence",
        "14.2": "test_iwae.test_a_mean_is_the_mean_of_the_means_of_its_groups",
        "14.3": "test_iwae.test_more_draws_tighten_the_bound_and_never_pass_the_evidence",
        "14.4": "test_iwae.test_the_gradient_is_a_weighted_mean_of_gradients",
        "14.5": "test_iwae.test_the_encoders_signal_sinks_into_the_noise_and_the_decoders_rises",
        "14.6": "test_iwae.test_the_second_form_of_the_gradient_has_the_same_mean_and_a_signal_that_rises",
        "14.7": "test_vqvae.test_the_nearest_code_by_looking_at_each",
        "14.8": "test_vqvae.test_straight_through_is_the_code_with_the_gradient_of_a_shift",
        "14.9": "test_vqvae.test_the_three_terms_reach_whom_they_should",
        "14.10": "test_vqvae.test_averages_are_one_step_of_k_means",
        "14.11": "test_vqvae.test_the_bound_of_a_discrete_guess",
        "14.12": "test_vqvae.test_the_rate_is_a_sum_of_surprises_and_294_bits_without_knowledge",
        "14.13": "test_vqvae.test_shares_dead_codes_and_perplexity_by_hand",
    },
    "13_the_latent_space": {
        "13.1": "test_latent_space.test_slerp_walks_the_circle_at_even_speed",
        "13.2": "test_latent_space.test_active_units_look_at_the_variance_of_the_means_over_the_data",
        "13.3": "test_latent_space.test_minus_elbo_is_distortion_plus_rate",
        "13.4": "test_latent_space.test_the_slope_of_the_curve_is_minus_beta",
        "13.5": "test_latent_space.test_beta_is_the_variance_of_the_decoder",
        "13.6": "test_latent_space.test_a_direction_below_the_noise_is_dead",
        "13.7": "test_latent_space.test_the_rate_is_information_plus_gap",
        "13.8": "test_latent_space.test_information_is_at_most_the_logarithm_of_n",
        "13.9": "test_latent_space.test_no_pixel_sees_itself_or_what_comes_later",
        "13.10": "test_latent_space.test_free_bits_are_the_kl_without_a_floor_and_never_less_than_it",
        "13.11": "test_latent_space.test_the_conditional_bound_and_the_kl_to_the_posterior_make_log_p",
    },
}


def displayed(notebook):
    """The equations between double dollars, in order."""
    cells = nbformat.read(FOLDER / f"{notebook}.ipynb", as_version=4).cells
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return re.findall(r"\$\$(.+?)\$\$", prose, re.DOTALL)


@pytest.mark.parametrize("notebook", PROVED)
def test_every_displayed_equation_has_a_number_and_a_test(notebook):
    tags = [re.findall(r"\\tag\{([\d.]+)\}", equation) for equation in displayed(notebook)]
    assert all(len(tag) == 1 for tag in tags), "a displayed equation without its \\tag, or with two"
    assert [tag[0] for tag in tags] == list(PROVED[notebook]), "the table and the notebook differ"


@pytest.mark.parametrize("notebook", PROVED)
def test_the_prose_refers_only_to_equations_that_exist(notebook):
    cells = nbformat.read(FOLDER / f"{notebook}.ipynb", as_version=4).cells
    number = str(int(notebook[:2]))
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert set(re.findall(rf"\(({number}\.\d+)\)", prose)) <= set(PROVED[notebook])


@pytest.mark.parametrize("name", sorted({name for table in PROVED.values() for name in table.values()}))
def test_the_named_tests_exist_and_say_which_equation_they_execute(name):
    module, function = name.split(".")
    test = getattr(importlib.import_module(module), function)
    assert callable(test) and test.__doc__
    for table in PROVED.values():
        for tag in (tag for tag, proof in table.items() if proof == name):
            assert f"({tag})" in test.__doc__, f"{name} does not name ({tag})"
