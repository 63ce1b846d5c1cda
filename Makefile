# The whole set-up: `make demo` (or `make install`) and `make test`. Everything lands in .venv; nothing outside is touched.
PYTHON ?= python3
# Processes that run tests side by side; most tests wait more than they work.
WORKERS ?= 6
# Hundreds of processes start during the tests; none should have to translate all of the source.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
RUN_STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev

.PHONY: help install install-dev demo up compile collect test test-long check format bench bench-beacon hit beacon clean
help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "baliza needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Say another one: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "$(PYTHON) cannot make virtual environments (Debian keeps that in the package python3-venv); install it, or say another Python: make PYTHON=/path/to/python3 …"; exit 1; }

$(RUN_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing baliza into $(VENV)"
	@$(PIP) --editable .
	@touch $@

$(DEV_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing baliza into $(VENV), with what tests and checks need"
	@$(PIP) --editable '.[dev]'
	@touch $(RUN_STAMP) $@

install: $(RUN_STAMP)  ## make the environment with .venv/bin/baliza

install-dev: $(DEV_STAMP)  ## the same with everything that tests and checks need

demo: $(RUN_STAMP)  ## everything with a demo shop and simulated shoppers
	@$(BIN)/baliza demo

up: $(RUN_STAMP)  ## everything, without shop and shoppers
	@$(BIN)/baliza up

compile: $(DEV_STAMP)  ## compile what models need, once for all tests
	@$(BIN)/baliza model compile

collect: $(DEV_STAMP)  ## find the tests, and translate them once for all processes that run them
	@found=$$($(BIN)/python -m pytest --collect-only -qq) || { echo "$$found"; exit 1; }

test: compile  ## all tests but the long ones (docs/testing.md)
	@$(BIN)/python -m pytest -m "not long and not alone" --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
	@$(BIN)/python -m pytest -m "alone and not long" $$(grep -rl --include='test_*.py' 'mark\.alone' tests)

test-long: compile  ## the long tests
	@$(BIN)/python -m pytest -m long --timeout 3600

check: $(DEV_STAMP)  ## linters and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(DEV_STAMP)  ## put the code into shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(DEV_STAMP)  ## the benchmarks; results go to loadtests/results
	@$(BIN)/python -m loadtests.bench

bench-beacon: $(DEV_STAMP)  ## what the beacon costs a page (needs Chromium)
	@$(BIN)/python -m loadtests.beaconing

hit: $(RUN_STAMP)  ## send one sample event to a running demo
	@$(BIN)/python -m loadtests.hit

js_beacon/node_modules: js_beacon/package-lock.json
	@cd js_beacon && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

beacon: js_beacon/node_modules  ## build the scripts for the shop's pages (needs Node) and say what they weigh
	@cd js_beacon && npm run --silent types && npm run --silent build

clean:  ## remove the environment and caches; data/ stays
	@rm -rf $(VENV) build ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
