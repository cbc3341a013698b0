# Pullback: `make demo` and `make test` need a Python >= 3.11 and nothing else. `make help` lists the rest.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTHON ?=
JOBS ?= auto
PYTEST_ARGS ?=

# Tried in this order, after PYTHON=... where it was given.
PYTHONS := $(PYTHON) python3.13 python3.12 python3.11 python3
USABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))

# A stamp is younger than what it was made from, so a second call does nothing and a changed pyproject.toml installs anew.
MADE := $(VENV)/.made
FOR_DEMO := $(VENV)/.for-demo
FOR_TEST := $(VENV)/.for-test

.PHONY: help demo test lint format measure bench venv clean
.DEFAULT_GOAL := help

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s  %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(FOR_DEMO) ## install, then run the tour of autograd and train on the digits
	$(BIN)/pullback run examples/autograd_tour.py
	$(BIN)/pullback run examples/digits.py

test: lint ## install, lint, type-check, measure, run all tests (JOBS=2 PYTEST_ARGS="-k view")
	$(BIN)/python -m pytest -n $(JOBS) $(PYTEST_ARGS)

lint: $(FOR_TEST) ## ruff (lint and format), mypy, and the size of functions and files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/measure.py

format: $(FOR_TEST) ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

measure: $(MADE) ## lines of code by folder
	$(BIN)/python tools/measure.py

bench: $(FOR_TEST) ## run every benchmark (each prints a ratio to torch where torch is installed)
	@set -e; for script in benchmarks/[!_]*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

venv: $(MADE) ## create the environment, empty

clean: ## remove the environment and what tools leave behind
	rm -rf $(VENV) build dist out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests examples benchmarks tools -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(MADE):
	@for python in $(PYTHONS); do \
	  if "$$python" -c '$(USABLE)' >/dev/null 2>&1; then \
	    echo "creating $(VENV) with $$("$$python" --version) ($$python)"; \
	    rm -rf $(VENV) && "$$python" -m venv $(VENV) && touch $@ && exit 0; exit 1; \
	  fi; \
	done; \
	echo "Pullback needs Python 3.11 or newer with its venv module; none of these is one: $(strip $(PYTHONS))." >&2; \
	echo "Install one (on Debian and Ubuntu: apt install python3-venv), or name one: make PYTHON=/path/to/python3 ..." >&2; \
	exit 1

$(FOR_DEMO): pyproject.toml $(MADE)
	$(PIP) install --editable '.[plot]' scikit-learn
	@touch $@

$(FOR_TEST): pyproject.toml $(MADE)
	$(PIP) install --editable '.[test]'
	@touch $@
