"""The files that set the course up agree with each other and with what is installed, and missing things are named."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import check_python
import lab
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from rattler import MatchSpec

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA_NAMES = {"torch": "pytorch-cpu", "matplotlib": "matplotlib-base"}


def names(requirements):
    return {canonicalize_name(Requirement(r).name) for r in requirements}


def constraints():
    """name -> exact version, from constraints.txt"""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"==[^*]+", str(pin.specifier)) for pin in pins), "every pin is one exact version"
    found = {canonicalize_name(pin.name): str(pin.specifier)[2:] for pin in pins}
    assert len(found) == len(pins), "no package is pinned twice"
    return found


def conda_requirements():
    """The lines of environment.yml as name -> version, without Python and pip themselves."""
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    pairs = dict(line.partition("=")[::2] for line in environment["dependencies"] if isinstance(line, str))
    assert pairs.pop("python") == "3.11"
    assert pairs.pop("pip") == ""
    return pairs


def installed_closure(distribution, extras):
    """Every installed distribution that `distribution[extras]` needs here, directly or not."""
    waiting, seen = [(distribution, extras)], {}
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen[name, wanted] = metadata.version(name)
        for line in metadata.requires(name) or []:
            requirement = Requirement(line)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in (*wanted, "")):
                waiting.append((canonicalize_name(requirement.name), tuple(sorted(requirement.extras))))
    return {name: version for (name, _), version in seen.items()}


# --- the four lists ------------------------------------------------------------------------------------------


def test_everything_the_course_installs_is_pinned():
    pins = constraints()
    needed = installed_closure("minimax-to-elbo", ("test",)).keys() - {"minimax-to-elbo"}
    cuda_only = {name for name in needed if name.startswith(("nvidia-", "cuda-", "triton"))}
    assert needed - cuda_only - pins.keys() == set()
    assert names(PROJECT["optional-dependencies"]["teach"]) <= pins.keys()


def test_what_is_installed_is_what_is_pinned():
    installed = installed_closure("minimax-to-elbo", ("test",))
    pins = constraints()
    public = {name: Version(version).public for name, version in installed.items() if name in pins}
    assert public == {name: pins[name] for name in public}


def test_pins_lie_within_the_ranges_of_the_project():
    pins = constraints()
    extras = PROJECT["optional-dependencies"]
    for line in [*PROJECT["dependencies"], *extras["test"], *extras["teach"]]:
        requirement = Requirement(line)
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), line


def test_torch_is_pinned_without_a_local_suffix():
    assert constraints()["torch"] == "2.13.0"
    assert not [name for name, version in constraints().items() if "+" in version]


def test_conda_has_the_core_dependencies_and_nothing_else():
    core = {CONDA_NAMES.get(name, name) for name in names(PROJECT["dependencies"])}
    assert conda_requirements().keys() == core


def test_conda_versions_begin_like_the_pinned_ones():
    pins = constraints()
    for name, conda_name in ((n, CONDA_NAMES.get(n, n)) for n in names(PROJECT["dependencies"])):
        wanted = conda_requirements()[conda_name]
        assert pins[name].split(".")[:2] == wanted.split("."), f"{conda_name}={wanted} against {pins[name]}"


def test_conda_lines_are_valid_specifications_from_conda_forge_alone():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    for line in environment["dependencies"]:
        if not isinstance(line, str):
            continue  # what pip installs, tested below
        spec = MatchSpec(line, strict=True)
        assert spec.name is not None
        assert line in ("pip",) or spec.version is not None


def test_what_pip_adds_to_conda_is_the_extra_of_text_as_pinned():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    (added,) = (line["pip"] for line in environment["dependencies"] if not isinstance(line, str))
    pins = constraints()
    assert added == [
        f"{name}=={pins[name]}" for name in sorted(names(PROJECT["optional-dependencies"]["text"]))
    ]


def test_nbgrader_stays_out_of_a_learners_environment():
    extras = PROJECT["optional-dependencies"]
    assert "nbgrader" in names(extras["teach"])
    assert "nbgrader" not in names([*PROJECT["dependencies"], *extras["test"]])
    assert "nbgrader" not in (ROOT / "environment.yml").read_text(encoding="utf-8")
    with pytest.raises(metadata.PackageNotFoundError):
        metadata.version("nbgrader")


# --- Binder --------------------------------------------------------------------------------------------------


def test_postbuild_installs_the_package_and_nothing_else():
    script = ROOT / "postBuild"
    assert os.access(script, os.X_OK)
    assert script.read_text().splitlines() == ["#!/bin/bash", "pip install --no-deps -e ."]
    assert not (ROOT / "binder").exists(), "a binder/ folder would hide environment.yml"


def test_repo2docker_reads_the_environment():
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--no-run", "--debug", "."]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    text = done.stdout + done.stderr
    told = [
        line for line in text.splitlines() if not line.startswith("#")
    ]  # the Dockerfile's comments speak of errors
    assert not [line for line in told if re.search("error|traceback|exception", line, re.IGNORECASE)]
    assert 'env update -p ${NB_PYTHON_PREFIX} --file "environment.yml"' in text
    assert "RUN ./postBuild" in text
    assert "py-2d3-2e11" in text, "Python 3.11, in the escaped name of repo2docker's own file"


# --- make ----------------------------------------------------------------------------------------------------


def make(*arguments, check=False, **environment):
    command = ["make", "--no-print-directory", *arguments]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=check, env=clean | environment
    )


def test_make_alone_lists_every_target_with_a_line():
    listed = re.findall(r"^  make (\w+) +\S+", make().stdout, re.MULTILINE)
    assert {"lab", "test", "run", "notebooks", "fresh", "lint", "bench"} <= set(listed)
    phony = re.search(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
    assert set(listed) == set(phony) - {"FORCE"}


def test_make_works_in_a_folder_with_a_space_in_its_name(tmp_path):
    """With Pythons that write down what they are asked to do."""
    folder = tmp_path / "my course"
    for python in (folder / ".venv" / "bin" / "python", folder / ".venv-teach" / "bin" / "python"):
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\necho "{python.parts[-3]}: $*" >> "{folder}/asked"\n')
        python.chmod(0o755)
    (folder / "lessons" / "02_topic").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    for made in (".venv/.lab", ".venv/.test", ".venv-teach/.ready"):
        (folder / made).write_text(f"{folder}\n")
    for target in ("assignments", "lint", "test", "run", "lab"):
        make("-C", str(folder), target, check=True)
    asked = (folder / "asked").read_text()
    assert ".venv-teach: -m nbgrader generate_assignment" in asked and "02_topic" in asked
    assert all(
        f".venv: {what}" in asked for what in ("-m ruff", "-m pytest", ".ci/run_notebooks.py", ".ci/lab.py")
    )


def test_torch_index_is_asked_for_torch_alone():
    lines = make("--dry-run", "--always-make", "lab", TORCH_INDEX="https://cpu.example").stdout.splitlines()
    asked = [line for line in lines if "https://cpu.example" in line]
    assert len(asked) == 1
    assert asked[0].endswith("--no-deps --index-url https://cpu.example torch")
    assert "cpu.example" not in make("--dry-run", "--always-make", "lab").stdout


def test_make_studies_repeats_every_study_that_has_a_result():
    asked = make("--dry-run", "studies", check=True).stdout
    told = re.search(r"for study in ([\w ]+);", asked)[1].split()
    assert sorted(told) == sorted(path.stem for path in (ROOT / "notebooks" / "results").glob("*.json"))


def test_the_kernel_of_the_notebooks_is_this_python():
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import KernelManager

    assert KernelSpecManager().get_kernel_spec("python3").resource_dir.startswith(sys.prefix)
    assert KernelManager(kernel_name="python3").format_kernel_cmd()[0] == sys.executable


@pytest.mark.parametrize(
    ("version", "has_venv", "words"),
    [
        ((3, 10), True, "Python 3.11 to 3.14, and this is Python 3.10"),
        ((3, 15), True, "PYTHON=python3.12"),
        ((3, 11), False, "sudo apt install python3-venv"),
    ],
)
def test_a_python_that_will_not_do_gets_a_sentence(version, has_venv, words):
    assert words in check_python.problem(version, has_venv)


def test_an_intel_mac_gets_a_sentence_before_anything_is_downloaded():
    """PyTorch has no wheels for it, and pip's own words would not say so; README says it too."""
    said = check_python.problem((3, 12), True, intel_mac=True)
    assert "no packages for Intel Macs" in said and "Binder" in said and "PYTHON=" in said
    assert "Intel Macs are out" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("system", "machine", "refused"),
    [
        ("darwin", "x86_64", True),
        ("darwin", "arm64", False),
        ("linux", "x86_64", False),
        ("win32", "AMD64", False),
    ],
)
def test_only_an_intel_mac_is_refused(system, machine, refused):
    script = "import platform, runpy, sys, ensurepip, venv\n"  # before the system seems another
    script += f"sys.platform, platform.machine = {system!r}, lambda: {machine!r}\n"
    script += f"runpy.run_path({str(ROOT / '.ci' / 'check_python.py')!r}, run_name='__main__')"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ("Intel Macs" in result.stderr) == refused and (result.returncode != 0) == refused


def test_a_good_python_gets_none():
    assert check_python.problem((3, 11, 7), True) is None
    assert check_python.problem((3, 14), True) is None


# --- make lab ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "environ", "in_container", "expected"),
    [
        ("linux", {"DISPLAY": ":0"}, False, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, False, True),
        ("darwin", {}, False, True),
        ("linux", {}, False, False),
        ("linux", {"DISPLAY": ":0", "SSH_CONNECTION": "1.2.3.4"}, False, False),
        ("linux", {"DISPLAY": ":0"}, True, False),
        ("darwin", {"CI": "true"}, False, False),
    ],
)
def test_a_browser_opens_only_where_there_is_a_screen(platform, environ, in_container, expected):
    assert lab.has_screen(platform, environ, in_container) is expected


def test_jupyterlab_copes_with_root_and_no_screen_and_takes_more_arguments():
    learner = lab.options([], screen=True, root=False)
    assert not {"--no-browser", "--allow-root"} & set(learner)
    assert any(option.endswith("=/lab/tree/notebooks/00_start_here.ipynb") for option in learner)
    server = lab.options(["--port", "9000"], screen=False, root=True)
    assert {"--no-browser", "--allow-root"} <= set(server)
    assert server[-2:] == ["--port", "9000"]


def test_the_first_notebook_is_where_lab_and_binder_look_for_it():
    assert (ROOT / lab.FIRST).is_file()


# --- the files as git has them -------------------------------------------------------------------------------


def test_the_top_folder_holds_only_what_the_plan_names():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    top = {line.split("/")[0] for line in tracked.splitlines()}
    files = {"README.md", "CONTRIBUTING.md", "LICENSE", "LICENSE-text", "Makefile", "pyproject.toml"}
    files |= {"constraints.txt", "environment.yml", "postBuild", "CHANGELOG.md", "CITATION.cff"}
    files |= {".gitignore", ".gitattributes", ".pre-commit-config.yaml"}
    assert top - files - {"notebooks", "lessons", "helpers", "tests", ".github", ".ci"} == set()


def test_no_text_gets_the_line_ends_of_windows(tmp_path):
    """In a clone that asks for them: a script with them does not run."""
    clone = tmp_path / "clone"
    command = ["git", "clone", "--quiet", "--no-hardlinks", "-c", "core.autocrlf=true", str(ROOT), str(clone)]
    subprocess.run(command, check=True)
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=clone, capture_output=True, text=True, check=True
    ).stdout
    texts = [clone / name for name in tracked.splitlines() if not name.endswith((".png", ".npz"))]
    assert len(texts) > 100 and not [path.name for path in texts if b"\r\n" in path.read_bytes()]


def test_hooks_and_templates_can_be_read():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    entries = [hook["entry"] for repository in hooks["repos"] for hook in repository["hooks"]]
    lint = (ROOT / "Makefile").read_text().split("\nlint:")[1].split("\n\n")[0]
    assert all(name in " ".join(entries) for name in ("ruff check", "ruff format", ".ci/run_notebooks.py"))
    assert all(name in lint for name in ("ruff check", "ruff format", ".ci/run_notebooks.py"))
    for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        assert {"name", "description", "body"} <= yaml.safe_load(path.read_text(encoding="utf-8")).keys()
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"] and citation["license"] == PROJECT["license"]
