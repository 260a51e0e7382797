# Everything a person or CI does with this repository. On a fresh Debian 12 `python3` and `make` are enough.
# Nothing is installed outside this folder but Debian packages (requirements/*.apt).

PYTHON ?= python3
PORT ?= 8600
FUZZ ?= 10
# One more than the cores of a small machine: the tests wait more than they compute.
WORKERS ?= 3
UV := uv==0.13.9

VENV := .venv
BIN := $(VENV)/bin
LOCALAWS := .localaws
GPIO := build/rpi-gpio build/rpi-lgpio
PIP_INSTALL := -m pip install -qq --disable-pip-version-check --no-input
PINNED := $(PIP_INSTALL) --require-hashes --no-deps
# swig, which pyscard's build calls, is in the environment too.
WITH_BIN := PATH="$(CURDIR)/$(BIN):$$PATH"

export PYTHON
.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help run test check pytest bench fuzz soak localaws lock clean python system-run system-test

help: ## show this
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16
	@echo "  PYTHON=python3.12 chooses the Python (3.11 to 3.13), PORT=8600 the port of \`make run\`, WORKERS=2 how many tests run at once."

run: $(VENV)/.run $(LOCALAWS)/.ready build/lambda/.ready ## start the whole system on this machine; Ctrl-C stops it; WALK=1 walks a card through
	@exec $(BIN)/cardea demo --port $(PORT) $(WALK:%=--walk)

test: check pytest ## run every check and every test

check: $(VENV)/.dev build/checkov/.ready ## format, lint, types, layers, templates
	@echo "checking"
	@$(BIN)/ruff format --no-cache --check --quiet .
	@$(BIN)/ruff check --no-cache --quiet .
	@$(BIN)/mypy --no-error-summary
	@mkdir -p build
	@$(BIN)/lint-imports > build/lint-imports.log || { cat build/lint-imports.log; exit 1; }
	@$(BIN)/cfn-lint cloud/stacks/*.yaml
	@build/checkov/bin/checkov --config-file cloud/checkov.yaml > build/checkov.log 2>&1 || { cat build/checkov.log; exit 1; }

pytest: $(VENV)/.dev $(LOCALAWS)/.ready build/lambda/.ready build/peers/.ready $(GPIO:=/.ready)
	@echo "testing"
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

bench: $(VENV)/.dev $(LOCALAWS)/.ready build/lambda/.ready build/peers/.ready ## measure, into docs/benchmarks.md; BENCH="--quick" or names of figures for less
	@$(BIN)/python -m tests.bench $(BENCH)

soak: $(VENV)/.dev ## run for hours what make test runs shortly; SOAK="--kills 100 --tap-hours 0.1" for less
	@$(BIN)/python -m tests.soak $(SOAK)

fuzz: $(VENV)/.dev $(LOCALAWS)/.ready ## hostile input for longer; FUZZ=100 for a hundred times the cases of `make test`
	@CARDEA_FUZZ=$(FUZZ) $(BIN)/python -m pytest -q -n 2 --timeout 0 tests/fuzz

localaws: $(LOCALAWS)/.ready ## install the local AWS alone

lock: | system-run ## make requirements/*.lock anew
	@rm -rf build/uv && $(PYTHON) -m venv build/uv && build/uv/bin/python $(PIP_INSTALL) '$(UV)'
	@cd requirements && for name in build local-aws peers checkov rpi-gpio rpi-lgpio; do $(COMPILE) $$name.in -o $$name.lock; done
	@cd requirements && $(COMPILE) ../setup.cfg --extra panel --extra operator -o run.lock
	@cd requirements && $(COMPILE) ../setup.cfg --extra panel --extra pcsc --extra nfc --extra backend --extra operator --extra dev -c run.lock -o dev.lock
	@cd requirements && $(COMPILE) $(IN_LAMBDA:%=--no-emit-package %) lambda.in -c dev.lock -o lambda.lock
# The Lambda runtime brings boto3 with these.
IN_LAMBDA := botocore python-dateutil six urllib3
COMPILE := ../build/uv/bin/uv pip compile -q --upgrade --generate-hashes --universal --python-version 3.11 \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate

clean: ## remove everything that was made
	@rm -rf $(VENV) $(LOCALAWS) build dist *.egg-info .coverage* .*_cache .import_linter_cache .hypothesis
	@find agent hardware cloud tests -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- what the above stand on; a stamp file each, so that the second time takes no time ----------------------------

python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || \
	  { echo "cardea: Python 3.11 to 3.13 is needed, $(PYTHON) is $$($(PYTHON) --version 2>&1 | head -n 1); try PYTHON=python3.11" >&2; exit 1; }

system-run: | python
	@requirements/apt.sh requirements/run.apt

system-test: | python
	@requirements/apt.sh requirements/run.apt requirements/test.apt

$(VENV)/.created: | system-run
	@echo "making $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.created requirements/build.lock requirements/run.lock setup.cfg pyproject.toml agent/version.py
	@echo "installing cardea"
	@$(BIN)/python $(PINNED) -r requirements/build.lock
	@$(BIN)/python $(PINNED) -r requirements/run.lock
	@$(BIN)/python $(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.lock | system-test
	@echo "installing the tools of make test"
	@mkdir -p build
	@$(WITH_BIN) $(BIN)/python $(PINNED) --no-build-isolation -r requirements/dev.lock
	@touch $@

$(LOCALAWS)/.ready: requirements/local-aws.lock | system-run
	@echo "installing the local AWS"
	@$(PYTHON) -m venv --clear $(LOCALAWS)
	@$(LOCALAWS)/bin/python $(PINNED) -r $<
	@touch $@

# What the functions import, for the local AWS: made here, so that no start has to wait for it.
build/lambda/.ready: requirements/lambda.lock cloud/deploy/package.py $(VENV)/.run
	@echo "installing what the Lambda functions import"
	@$(BIN)/python -m cloud.deploy.package
	@touch $@

build/checkov/.ready: requirements/checkov.lock | system-run
	@echo "installing the second scanner of templates"
	@mkdir -p build && $(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python $(PINNED) -r $<
	@touch $@

# What the benchmarks measure beside ours.
build/peers/.ready: requirements/peers.lock | system-run
	@echo "installing the peers of make bench"
	@mkdir -p build && $(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/python $(PINNED) -r $<
	@touch $@

# Two libraries with one module name: each in a folder of its own, for the tests of both. PYPI=1: lgpio, which has no
# wheel for Python 3.13, brings the C library that it wraps; a wheel in pip's cache may have been built without.
build/%/.ready: requirements/%.lock $(VENV)/.dev
	@echo "installing $* for the tests"
	@rm -rf $(@D) && mkdir -p $(@D)
	@$(WITH_BIN) PYPI=1 $(BIN)/python $(PINNED) --no-build-isolation --no-cache-dir --target $(@D) -r $<
	@touch $@
