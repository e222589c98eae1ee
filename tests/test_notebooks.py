"""House rules of the notebooks, and that what is read in them is what is tested in helpers."""

import ast
import importlib
import re
import statistics
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
PATHS = [path for path in sorted(FOLDER.glob("[0-9][0-9]_*.ipynb")) if ".mine-" not in path.name]
NAMES = [path.stem for path in PATHS]

# Each idea is defined by the notebook that introduces it, and helpers holds the same code.
WRITTEN_ONCE = {
    ("02_probability_you_need", "helpers.theory.divergences"): [
        "integral",
        "log_mixture",
        "kl",
        "js",
        "quadrature",
        "entropy",
        "discrete_kl",
        "discrete_js",
        "kl_monte_carlo",
    ],
    ("03_minimax_game", "helpers.theory.games"): [
        "value",
        "optimal_logit",
        "optimal_discriminator",
        "simultaneous",
        "alternating",
        "extragradient",
        "optimistic",
        "path",
    ],
    ("03_minimax_game", "helpers.gan.losses"): ["discriminator_loss", "non_saturating", "minimax"],
    ("05_gan_on_digits", "helpers.gan.networks"): [
        "to_tanh",
        "from_tanh",
        "Generator",
        "Discriminator",
        "draw",
    ],
    ("05_gan_on_digits", "helpers.studies.article_gan"): [
        "dense_generator",
        "dense_discriminator",
        "article_round",
        "pairs_lost",
    ],
    ("04_first_gan", "helpers.gan.networks"): ["PointGenerator", "PointDiscriminator"],
    ("04_first_gan", "helpers.gan.steps"): ["discriminator_step", "generator_step"],
    ("04_first_gan", "helpers.metrics"): ["mode_coverage"],
    ("05_gan_on_digits", "helpers.gan.steps"): ["gan_step", "schedule"],
    ("07_how_gans_fail", "helpers.theory.dirac"): [
        "sigma",
        "dirac_minimax",
        "dirac_non_saturating",
        "dirac_wasserstein",
        "dirac_simultaneous",
        "dirac_alternating",
        "dirac_path",
        "dirac_eigenvalues",
    ],
    ("07_how_gans_fail", "helpers.diagnosis"): ["signs", "diagnose"],
    ("07_how_gans_fail", "helpers.studies.logs"): ["Bounded"],
    ("08_better_games", "helpers.gan.losses"): [
        "wasserstein_critic",
        "hinge_generator",
        "least_squares_discriminator",
        "least_squares_generator",
        "relativistic",
    ],
    ("08_better_games", "helpers.gan.penalties"): ["input_gradient", "gradient_norm_squared"],
    ("08_better_games", "helpers.studies.critics"): ["train_critic"],
    ("06_dcgan_and_conditional_gan", "helpers.gan.augment"): ["shift", "Augmented"],
    ("06_dcgan_and_conditional_gan", "helpers.gan.averaging"): [
        "average_of",
        "update_average",
        "refresh_statistics",
    ],
    ("06_dcgan_and_conditional_gan", "helpers.gan.conditional"): [
        "ConditionalGenerator",
        "ConditionalDiscriminator",
        "conditional_step",
    ],
    ("06_dcgan_and_conditional_gan", "helpers.studies.dcgan"): ["plain_discriminator"],
    ("06_dcgan_and_conditional_gan", "helpers.studies.conditional_gan"): ["obedience", "within_class"],
    ("09_latent_variables", "helpers.theory.linear_gaussian"): ["LinearGaussian"],
    ("09_latent_variables", "helpers.theory.importance"): [
        "log_mean_exp",
        "effective_sample_size",
        "naive_relative_variance",
    ],
    ("09_latent_variables", "helpers.theory.ppca"): ["fit_ppca"],
    ("10_elbo", "helpers.theory.divergences"): ["normal_kl"],
    ("10_elbo", "helpers.theory.linear_gaussian"): [
        "exact_elbo",
        "kl_to_posterior",
        "best_diagonal",
    ],
    ("10_elbo", "helpers.vae.bounds"): ["gaussian_kl"],
    ("11_reparameterisation", "helpers.vae.gradients"): [
        "copies",
        "score_gradient",
        "pathwise_gradient",
        "leave_one_out",
        "best_coefficient",
        "gumbel",
        "gumbel_softmax",
        "nudge_test",
    ],
    ("12_vae_on_digits", "helpers.vae.bounds"): [
        "bernoulli_log_likelihood",
        "elbo",
        "importance_weighted_bound",
    ],
    ("12_vae_on_digits", "helpers.vae.networks"): ["VAE"],
    ("12_vae_on_digits", "helpers.vae.steps"): ["vae_step"],
    ("15_vae_meets_gan", "helpers.hybrid"): [
        "Encoder",
        "look",
        "half_square",
        "hybrid_terms",
        "wired_step",
        "vae_gan_wires",
    ],
    ("15_vae_meets_gan", "helpers.metrics"): ["laplacian_variance", "sharpness"],
    ("14_tighter_and_discrete", "helpers.vae.iwae"): ["log_weights", "grouped_bound"],
    ("14_tighter_and_discrete", "helpers.vae.quantiser"): [
        "nearest_code",
        "straight_through",
        "Quantiser",
        "follow",
    ],
    ("14_tighter_and_discrete", "helpers.vae.vqvae"): ["VQVAE", "vqvae_step"],
    ("14_tighter_and_discrete", "helpers.vae.code_prior"): ["CodePrior", "code_nats", "sample_codes"],
    ("13_the_latent_space", "helpers.vae.conditional"): ["ConditionalVAE"],
}


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def code_of(notebook):
    return "\n".join(cell.source for cell in code_cells(notebook))


class Bare(ast.NodeTransformer):
    """A syntax tree without docstrings, type hints and doors, which compute nothing: the rest is what runs."""

    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        node.returns = None
        node.decorator_list = [
            each for each in node.decorator_list if not ast.unparse(each).startswith("door(")
        ]
        if isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant):
            node.body = node.body[1:]
        return node

    visit_ClassDef = visit_FunctionDef

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_AnnAssign(self, node):
        return ast.Assign(targets=[node.target], value=node.value)


def definitions(source):
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found[node.name] = ast.dump(Bare().visit(node))
    return found


@pytest.mark.parametrize(("notebook", "module"), WRITTEN_ONCE, ids=lambda value: value.split(".")[-1])
def test_what_is_read_is_what_is_tested(notebook, module):
    taught = definitions(code_of(read(FOLDER / f"{notebook}.ipynb")))
    tested = definitions(Path(importlib.import_module(module).__file__).read_text(encoding="utf-8"))
    for name in WRITTEN_ONCE[notebook, module]:
        assert taught[name] == tested[name], f"{name} differs between {notebook} and {module}"


def test_the_comparison_sees_a_changed_sign_and_not_a_docstring():
    plain, documented = "def f(x):\n    return -x", 'def f(x: int) -> int:\n    """Negate."""\n    return -x'
    assert definitions(plain) == definitions(documented)
    assert definitions(plain) != definitions("def f(x):\n    return x")


def test_nothing_is_defined_twice_without_being_compared():
    compared = {(notebook, name) for (notebook, _), names in WRITTEN_ONCE.items() for name in names}
    public = set()
    for family in ("helpers.gan", "helpers.vae", "helpers.theory"):
        public |= set(importlib.import_module(family).__all__)
    for path in PATHS:
        for name in definitions(code_of(read(path))).keys() & public:
            assert (path.stem, name) in compared, (
                f"{path.name} defines {name} as helpers does: add it to the table"
            )


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
class TestHouseRules:
    def test_size(self, path):
        notebook = read(path)
        lengths = [len(cell.source.splitlines()) for cell in code_cells(notebook)]
        assert path.stat().st_size <= 500_000
        assert len(notebook.cells) <= 60
        assert max(lengths) <= 25, "a cell over 25 lines: split it"
        assert statistics.median(lengths) <= 9

    def test_enough_prose(self, path):
        notebook = read(path)
        prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        prose = re.sub(r"\$\$?[^$]+\$\$?|\]\([^)]*\)", " ", prose)  # formulas and addresses are not prose,
        prose = re.sub(
            r"^\|[^\n]*|^```mermaid.*?^```", " ", prose, flags=re.MULTILINE | re.DOTALL
        )  # nor tables
        lines = sum(1 for line in code_of(notebook).splitlines() if line.strip())
        assert 6 <= len(re.findall(r"[A-Za-z][\w'’-]*", prose)) / lines <= 15

    def test_executed_in_order_without_errors(self, path):
        cells = code_cells(read(path))
        assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
        for cell in cells:
            for output in cell.outputs:
                assert output.output_type != "error"
                assert output.get("name") != "stderr", f"a warning is shown: {output.get('text', '')[:200]}"

    def test_every_figure_is_described(self, path):
        figures = 0
        for cell in code_cells(read(path)):
            for output in cell.outputs:
                data = output.get("data", {})
                assert "image/png" not in data, "a figure without alternative text: use helpers.plotting"
                for image in re.findall(r"<img [^>]*>", data.get("text/html", "")):
                    alt = re.search(r'alt="([^"]*)"', image)
                    assert alt and len(alt[1]) >= 20
                    figures += 1
        assert figures >= 2

    def test_rhythm(self, path):
        prose = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
        for part in (
            "What you'll do",
            "What you'll learn",
            "What you need",
            "Your turn",
            "What you can now do",
        ):
            assert part in prose
        for word in ("Predict", "failure", "Reading"):
            assert word in prose

    def test_links_lead_somewhere(self, path):
        prose = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
        links = re.findall(r"\]\(([^)#]+\.ipynb)\)", prose)
        assert links and all((path.parent / link).exists() for link in links)

    def test_one_seed(self, path):
        assert len(re.findall(r"seed_everything\(", code_of(read(path)))) == 1

    def test_every_kernel_is_told_what_to_do(self, path, tmp_path):
        """The first cell in a Python that has neither helpers nor torch: one sentence, and no import before it."""
        first = code_cells(read(path))[0].source
        script = "import sys\nsys.path = [p for p in sys.path if 'site-packages' not in p]\n" + first
        result = subprocess.run(
            [sys.executable, "-S", "-c", script], capture_output=True, text=True, cwd=tmp_path, env={}
        )
        assert result.returncode != 0
        assert "make lab" in result.stderr and "VS Code" in result.stderr and "Colab" in result.stderr
        assert "Traceback" not in result.stderr


def test_all_notebooks_begin_with_the_same_guard():
    assert len({code_cells(read(path))[0].source for path in PATHS}) == 1


SHADOWS = {
    "helpers.py": "raise ZeroDivisionError('a file of the learner was run')",
    "helpers/__init__.py": "x = 1",
}


@pytest.mark.parametrize("file", SHADOWS)
def test_a_learners_own_helpers_is_named(file, tmp_path):
    """Beside the notebook it would come before the course, and the next cell would fail with words that do not help."""
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(SHADOWS[file])
    (tmp_path / "torch.py").touch()
    guard = code_cells(read(PATHS[0]))[0].source
    command = [sys.executable, "-S", "-c", guard]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={})
    assert (
        result.returncode != 0 and f"Not the course but {tmp_path / file} is `helpers` here" in result.stderr
    )
    assert "rename it if it is yours" in result.stderr and "Traceback" not in result.stderr


def test_the_course_itself_passes_the_guard(tmp_path):
    guard, env = code_cells(read(PATHS[0]))[0].source, {"PYTHONPATH": str(FOLDER.parent)}
    (tmp_path / "helpers").mkdir()  # a folder that is no package is in nobody's way
    result = subprocess.run(
        [sys.executable, "-c", guard], capture_output=True, text=True, cwd=tmp_path, env=env
    )
    assert result.returncode == 0 and not result.stderr


def test_the_map_shows_what_exists_and_nothing_else():
    prose = "\n".join(cell.source for cell in read(PATHS[0]).cells if cell.cell_type == "markdown")
    diagram = re.search(r"```mermaid(.*?)```", prose, re.DOTALL)[1]
    assert sorted(set(re.findall(r'\["(\d\d)', diagram))) == [path.name[:2] for path in PATHS]


def test_the_readme_names_every_notebook():
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"notebooks/(\w+)\.ipynb\)", readme)) == set(NAMES)
