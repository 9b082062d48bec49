# Two commands are enough: `make demo` and `make test`. `make help` says what else there is.
#
#   PYTHON   the interpreter to build the environments with (3.11 or newer; found by itself)
#   JOBS     processes for the tests (one per CPU by default)
#   TESTS    what `make test` runs (all by default): make test TESTS=tests/cli
#   ARGS     options of `make bench`: make bench ARGS="--only mlp,products --quick" (ARGS=--help)

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

JOBS   ?= auto
TESTS  ?=
VENV   := .venv
PARITY := .venv-parity
BENCH  := .venv-bench
ARGS   ?=
OUTPUT ?= runs/demo

# The first interpreter that is new enough; asked for only by the rule that needs it.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)

# One thread per test process: the processes share the CPUs already.
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 VECLIB_MAXIMUM_THREADS=1

.PHONY: help demo test lint types docs parity conformance bench clean

help: ## say what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

demo: $(VENV)/.installed ## train the first network on real handwritten digits
	$(VENV)/bin/chainrule train mlp --data auto --output $(OUTPUT)

test: lint types $(VENV)/.dev ## ruff, mypy --strict, pytest; warnings are errors
	$(ONE_THREAD) $(VENV)/bin/python -m pytest -n $(JOBS) --dist worksteal $(TESTS)

lint: $(VENV)/.dev ## ruff
	$(VENV)/bin/ruff check . --output-format concise

types: $(VENV)/.dev ## mypy --strict
	$(VENV)/bin/mypy

docs: $(VENV)/.dev ## the documentation as HTML in site/, with a page for every op and layer; needs no network
	cd docs && ../$(VENV)/bin/python -m website ../site

parity: $(PARITY)/.parity ## values, gradients and training curves against PyTorch 2.13; files and Keras's own tests; conformance
	$(ONE_THREAD) $(PARITY)/bin/python -m pytest -n $(JOBS) --dist worksteal tests/parity
	$(PARITY)/bin/python scripts/conformance.py
	$(PARITY)/bin/python scripts/keras_conformance.py --jobs 2

conformance: $(PARITY)/.parity ## PyTorch's own tests of operators, modules, optimisers, where their folder is found; Keras's own tests
	$(PARITY)/bin/python scripts/conformance.py
	$(PARITY)/bin/python scripts/keras_conformance.py --jobs 2

bench: $(BENCH)/.bench ## speed, memory, cold start, beside PyTorch, JAX and Keras: both sides in one run
	$(BENCH)/bin/python -m benchmarks $(ARGS)

clean: ## remove environments, caches, builds and runs
	rm -rf $(VENV) $(PARITY) $(BENCH) build dist runs site .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Environments. A stamp says what was installed; it is made again when the project's metadata change.

$(VENV)/bin/python $(PARITY)/bin/python $(BENCH)/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "chainrule needs Python 3.11 or newer: make PYTHON=/path/to/python3" >&2; exit 2; }
	"$(PYTHON)" -m venv $(dir $(@D))
	$@ -m pip install --quiet --upgrade "pip>=25.1"

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/python -m pip install --quiet --editable ".[report]"
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/.installed
	$(VENV)/bin/python -m pip install --quiet --editable ".[vision,keras,report]" --group dev
	@touch $@

$(PARITY)/.parity: pyproject.toml | $(PARITY)/bin/python
	$(PARITY)/bin/python -m pip install --quiet --editable ".[vision,keras,report]" --group dev --group parity
	@touch $@

# Each peer by itself: one that cannot be installed here is left out of the report, which says so.
$(BENCH)/.bench: pyproject.toml | $(BENCH)/bin/python
	$(BENCH)/bin/python -m pip install --quiet --editable .
	for peer in "torch==2.13.0" "jax optax" "tensorflow-cpu keras"; do \
		$(BENCH)/bin/python -m pip install --quiet $$peer || echo "left out: $$peer" >&2; done
	@touch $@
