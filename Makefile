# Two commands matter: `make run` serves Unmask, `make test` checks everything.
VENV := .venv
BIN := $(VENV)/bin
# The first of these that is Python 3.11 or 3.12.
PYTHON ?= $(shell for p in python3 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && echo $$p && break; done)

.PHONY: run test test-slow bench lint format browsers clean

run: $(VENV)/.base
	@$(BIN)/unmask serve

test: $(VENV)/.dev extension/node_modules/.installed browsers lint
	npm --prefix extension test
	$(BIN)/pytest

# Minutes to an hour: 500-photo comparisons, whole trainings, a throw-away environment.
test-slow: $(VENV)/.dev
	$(BIN)/pytest -m slow --timeout 3600

bench: $(VENV)/.dev
	$(BIN)/python -m tests.benchmarks.faces
	$(BIN)/python -m tests.benchmarks.checks

lint: $(VENV)/.dev extension/node_modules/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	npm --prefix extension run lint
	npm --prefix extension run types

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Browser tests use Debian's Chromium; where it cannot be installed they skip and say so.
browsers:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-liberation; } \
		|| echo "No chromium here, and no right to install it: browser tests will be skipped."

$(VENV)/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "Unmask needs Python 3.11 or 3.12 (Debian: apt-get install python3 python3-venv)."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[training,dev]"
	@touch $@ $(VENV)/.base

extension/node_modules/.installed: extension/package-lock.json
	npm --prefix extension ci --no-audit --no-fund
	@touch $@

clean:
	rm -rf $(VENV) build dist extension/node_modules .pytest_cache .mypy_cache .ruff_cache *.egg-info
