# Two commands matter: `make run` serves Unmask, `make test` checks everything.
VENV := .venv
BIN := $(VENV)/bin
# The first of these that is Python 3.11 or 3.12.
PYTHON ?= $(shell for p in python3 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && echo $$p && break; done)

.PHONY: run extension package deploy destroy image smoke cloud test test-slow bench fuzz load lint format browsers clean

run: $(VENV)/.base
	@$(BIN)/python extension/bundle.py
	@$(BIN)/unmask serve

# Folders to load unpacked, and the zips that shops take.
extension: extension/node_modules/.installed
	@$(PYTHON) extension/bundle.py
	npm --prefix extension run lint:firefox
	@ls -l build/extension/*.zip

# The zip for Lambda and its template under build/package, for a stage of backend/.chalice/config.json.
STAGE ?= dev
package: $(VENV)/.base
	@$(BIN)/python -m infra.package --stage $(STAGE)

# To your own AWS account: infra/README.md. SET="AlarmEmail=me@example.org MonthlyBudget=20"
SET ?=
deploy: package
	@$(BIN)/python -m infra.deploy --stage $(STAGE) $(foreach each,$(SET),--set $(each))

destroy: $(VENV)/.base
	@$(BIN)/python -m infra.deploy --stage $(STAGE) --destroy

# The image that re-scores at night; needs docker, and a stack to push it to. TAG is told to the stack as ImageTag.
TAG ?= 1
image: $(VENV)/.base
	PYTHON=$(BIN)/python infra/batch/push.sh $(STAGE) $(TAG)

smoke: $(VENV)/.base
	@$(BIN)/python -m infra.smoke $(URL)

# The security linter for infra/, which wants releases of its own and so an environment of its own.
CHECKOV := build/checkov
cloud: $(CHECKOV)/.installed
$(CHECKOV)/.installed:
	$(PYTHON) -m venv $(CHECKOV)
	$(CHECKOV)/bin/pip install --quiet --disable-pip-version-check "checkov>=3.2,<4"
	@touch $@

test: $(VENV)/.dev extension/node_modules/.installed browsers cloud lint
	npm --prefix extension test
	$(BIN)/pytest --numprocesses 2 --dist loadfile

# Minutes to an hour: 500-photo comparisons, whole trainings, a throw-away environment.
test-slow: $(VENV)/.dev
	$(BIN)/pytest -m slow --timeout 3600

bench: $(VENV)/.dev
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[peers]"
	$(BIN)/python -m tests.benchmarks
	$(BIN)/python -m tests.benchmarks.growth
	$(BIN)/python -m tests.benchmarks.roofline
	$(BIN)/python -m tests.benchmarks.faces
	$(BIN)/python -m tests.benchmarks.signals
	$(BIN)/python -m tests.benchmarks.videos
	$(BIN)/python -m tests.benchmarks.extension
	$(BIN)/python -m tests.benchmarks.rescoring --workers
	$(BIN)/python -m tests.benchmarks.package

# A minute or two: inputs that nobody thought of, led by coverage.
N ?= 200000
fuzz: $(VENV)/.dev
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[fuzz]"
	$(BIN)/python -m tests.fuzz --inputs $(N)

# Two minutes of 32 clients at once, on loopback.
SECONDS ?= 120
load: $(VENV)/.dev
	$(BIN)/python -m tests.load --seconds $(SECONDS)

lint: $(VENV)/.dev extension/node_modules/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	npm --prefix extension run lint
	npm --prefix extension run types
	$(BIN)/python extension/bundle.py > /dev/null
	npm --prefix extension run lint:firefox

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Browser tests use Debian's packages; where they cannot be installed they skip and say so.
PROGRAMS := chromium firefox-esr xvfb xauth xdotool ffmpeg
browsers:
	@for p in chromium firefox-esr Xvfb xauth xdotool ffmpeg; do command -v $$p >/dev/null || missing=1; done; \
	[ -z "$$missing" ] || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -qq && apt-get install -y -qq --no-install-recommends $(PROGRAMS) fonts-liberation; } \
		|| echo "Some of $(PROGRAMS) are missing, and there is no right to install them: browser tests will be skipped."

$(VENV)/bin/python:
	@[ -n "$(PYTHON)" ] || { echo "Unmask needs Python 3.11 or 3.12 (Debian: apt-get install python3 python3-venv)."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[training,torch,batch,dev]"
	@touch $@ $(VENV)/.base

extension/node_modules/.installed: extension/package-lock.json
	npm --prefix extension ci --no-audit --no-fund
	@touch $@

clean:
	rm -rf $(VENV) build dist extension/node_modules .pytest_cache .mypy_cache .ruff_cache *.egg-info
