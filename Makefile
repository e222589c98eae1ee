# From Minimax to ELBO. Every target sets up what it needs, inside this folder only.

PYTHON ?= python3
VENV   := .venv
PY     := $(VENV)/bin/python
PIP     = $(PY) -m pip --disable-pip-version-check install --constraint constraints.txt $(QUIET)
QUIET   = $(if $(wildcard $(VENV)/.lab),--quiet)
ARGS   ?=

# The kernel of this environment comes first, whatever else is registered on the machine.
export JUPYTER_PREFER_ENV_PATH := 1

.DEFAULT_GOAL := help
.PHONY: help lab test run notebooks fresh lint bench badge FORCE

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

lab: $(VENV)/.lab  ## open JupyterLab on the first notebook (ARGS="--port 9000" goes to JupyterLab)
	@$(PY) .ci/lab.py $(ARGS)

test: $(VENV)/.test  ## run every test and every notebook (ARGS="-k vae" goes to pytest)
	@$(PY) -m pytest $(ARGS)

run: $(VENV)/.lab  ## execute all notebooks in order into build/, with time and memory (NB=05 for one)
	@$(PY) .ci/run_notebooks.py $(NB)

notebooks: $(VENV)/.lab  ## the same in place: this is what is committed (NB=05 for one)
	@$(PY) .ci/run_notebooks.py --in-place $(NB)

fresh:  ## get a notebook back as it was, and keep yours beside it (NB=03)
	@$(PYTHON) .ci/fresh.py $(NB)

lint: $(VENV)/.test  ## check the style of code and notebooks
	@$(PY) -m ruff check helpers tests .ci notebooks
	@$(PY) -m ruff format --check helpers tests .ci notebooks
	@$(PY) .ci/run_notebooks.py --check

bench: $(VENV)/.lab  ## train GAN and VAE for 60 CPU-seconds each and print a table
	@$(PY) -m helpers.bench all $(ARGS)

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

# An installation remembers where it stands: after the folder was moved it is made again.
ifneq ($(shell cat $(VENV)/.lab 2>/dev/null),$(CURDIR))
$(VENV)/.lab: FORCE
endif
