# From Minimax to ELBO. Every target sets up what it needs, inside this folder only.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
TEACH  := .venv-teach
NBGRADER = "$(CURDIR)/$(TEACH)/bin/python" -m nbgrader
PIP     = $(PY) -m pip --disable-pip-version-check install --constraint constraints.txt $(QUIET)
QUIET   = $(if $(wildcard $(VENV)/.lab),--quiet)
ARGS   ?=
# A worker for each core, a file to a worker, in the order that tests/conftest.py gives them.
PARALLEL = --numprocesses auto --dist loadfile --no-loadscope-reorder
# All in the folder but those that make the classifiers of digits and drums, which other results rest on.
STUDIES  = $(filter-out __init__ digit_classifier drum_classifier,$(basename $(notdir $(wildcard helpers/studies/*.py))))

# The kernel of this environment comes first, whatever else is registered on the machine.
export JUPYTER_PREFER_ENV_PATH := 1

.DEFAULT_GOAL := help
.PHONY: help lab test run notebooks fresh lint bench studies assignments badge FORCE

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

lab: $(VENV)/.lab  ## open JupyterLab on the first notebook (ARGS="--port 9000" goes to JupyterLab)
	@$(PY) .ci/lab.py $(ARGS)

test: $(VENV)/.test $(TEACH)/.ready  ## run every test and every notebook (ARGS="-k vae" goes to pytest)
	@$(PY) -m pytest $(PARALLEL) $(ARGS)

run: $(VENV)/.lab  ## execute all notebooks in order into build/, with time and memory (NB=05 for one)
	@$(PY) .ci/run_notebooks.py $(NB)

notebooks: $(VENV)/.lab  ## the same in place: this is what is committed (NB=05 for one)
	@$(PY) .ci/run_notebooks.py --in-place $(NB)

fresh:  ## get a notebook back as it was, and keep yours beside it (NB=03)
	@$(PYTHON) .ci/fresh.py $(NB)

lint: $(VENV)/.test  ## check the style of code and notebooks
	@$(PY) -m ruff check helpers tests .ci notebooks lessons
	@$(PY) -m ruff format --check helpers tests .ci notebooks lessons
	@$(PY) .ci/run_notebooks.py --check

bench: $(VENV)/.lab  ## train GAN and VAE for 60 CPU-seconds each and print a table
	@$(PY) -m helpers.bench all $(ARGS)

studies: $(VENV)/.lab  ## repeat the studies that notebooks quote: several seeds, some minutes each
	@for study in $(STUDIES); do $(PY) -m helpers.studies.$$study || exit 1; done

assignments: $(TEACH)/.ready  ## make the students' copies of lessons/ in build/release (CLASS=folder for another place)
	@cd lessons && for lesson in [0-9]*/; do \
		$(NBGRADER) generate_assignment --force --log-level=WARN "$${lesson%/}" || exit 1; done
	@echo "The students' copies are in $(or $(CLASS),build)/release"

badge:  ## point the Binder badge in README at your fork (REPO=owner/name)
	@$(PYTHON) .ci/badge.py $(REPO)

# --- setting up -----------------------------------------------------------------------------------------------

$(PY):
	@$(PYTHON) .ci/check_python.py
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)

# TORCH_INDEX: where to take PyTorch alone from, such as https://download.pytorch.org/whl/cpu (no CUDA, no gigabytes).
$(VENV)/.lab: pyproject.toml constraints.txt | $(PY)
	@echo "Installing the course into $(VENV): some minutes the first time"
	@$(if $(TORCH_INDEX),$(PIP) --no-deps --index-url $(TORCH_INDEX) torch)
	@$(PIP) --editable .
	@# No question about Jupyter news before the first notebook.
	@$(PY) -m jupyterlab.labextensions disable --level sys_prefix @jupyterlab/apputils-extension:announcements 2>/dev/null
	@echo "$(CURDIR)" > $@

$(VENV)/.test: $(VENV)/.lab
	@echo "Installing what the tests need"
	@$(PIP) --editable '.[test]'
	@cp $(VENV)/.lab $@

# For teachers only. nbgrader puts its menus into every JupyterLab it is installed beside, so it gets an environment of
# its own. That one takes everything else from the learner's (PyTorch is there once), and its kernel sees `helpers`.
$(TEACH)/.ready: $(VENV)/.lab
	@echo "Installing nbgrader, for teachers, into $(TEACH)"
	@$(PY) -m venv --clear --without-pip $(TEACH)
	@$(PY) -c 'import sysconfig; print("import site; site.addsitedir(%r)" % sysconfig.get_path("purelib"))' \
		> "$$($(TEACH)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/learners_packages.pth"
	@$(TEACH)/bin/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt nbgrader
	@ln -s ../../../$(VENV)/share/jupyter/nbconvert $(TEACH)/share/jupyter/nbconvert # the page templates of feedback
	@touch $@

# An installation remembers where it stands: after the folder was moved it is made again.
ifneq ($(shell cat $(VENV)/.lab 2>/dev/null),$(CURDIR))
$(VENV)/.lab: FORCE
endif
