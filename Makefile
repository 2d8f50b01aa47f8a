# `make` alone lists the targets. Each one sets up what it needs: on a fresh machine with Python 3.11+ and make, `make dev` or `make test` is the first command.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
PORT ?= 3004
TESTS ?= tests
JOBS ?= 2
# What has real processes or a real database gets a second try, at most five times in a run, and each is told of at the end with its
# traceback: to be looked into. The rest has no excuse.
AGAIN := --reruns 1 --max-suite-reruns 5 --rerun-show-tracebacks $(foreach floor,unit contract census differential,--rerun-exclude-path tests/$(floor))

.PHONY: help setup dev test test-unit test-e2e test-compose lint format types proto client proto-check bench docs compose-up compose-down check clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv and install everything that development needs

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "dagwright needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Name another: make setup PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml $(wildcard package.json package-lock.json hatch_build.py) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# Compiled once here, also where the environment forbids Python to do so at each import: services start in half the time.
.PHONY: compiled
compiled: $(STAMP)
	@$(BIN)/python -m compileall -q -j 2 code_server shared webserver daemon

dev: compiled ## run everything locally with the flights example (PORT=3004)
	-$(BIN)/python examples/flights/fetch.py
	$(BIN)/dagwright dev -f examples/flights/definitions.py --port $(PORT)

test: compiled ## all tests; those that need a browser say so when there is none
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadgroup $(AGAIN) $(TESTS)

test-unit: $(STAMP) ## the tests without IO
	$(BIN)/python -m pytest -q tests/unit

test-e2e: compiled ## the tests with real processes
	$(BIN)/python -m pytest -q tests/e2e

test-compose: $(STAMP) ## start docker-compose.yml for real, run a job through it, take it down
	DAGWRIGHT_TEST_COMPOSE='$(COMPOSE)' $(BIN)/python -m pytest -q -m compose tests/e2e

lint: $(STAMP) ## style, architecture contracts, the protobuf style guide
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	cd proto && ../$(BIN)/buf lint

format: $(STAMP) ## let ruff write the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(STAMP) ## mypy --strict
	$(BIN)/mypy

proto: $(STAMP) ## generate shared/dagwright_api from proto/
	$(BIN)/python proto/generate.py

client: $(STAMP) ## generate the client of REST from the webserver's OpenAPI document, and record the document
	$(BIN)/python .ci/rest_client.py
	DAGWRIGHT_RECORD=1 $(BIN)/python -m pytest -q -n 0 tests/contract/test_openapi.py

proto-check: $(STAMP) ## fail when the generated code is not what proto/ says
	$(BIN)/python proto/generate.py --check

bench: compiled ## measure all of it in at most ten minutes; prints `name value unit`
	$(BIN)/python benchmarks/every.py

docs: $(STAMP) ## build the documentation site into build/site
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	$(BIN)/python -m mkdocs build --quiet

compose-up: ## build and start docker-compose.yml; serves port 3004
	DAGWRIGHT_PORT=$(PORT) $(COMPOSE) up --build --detach
	@for i in $$(seq 90); do \
	  if curl --silent --fail --max-time 2 http://127.0.0.1:$(PORT)/readyz >/dev/null; then echo "dagwright is up: http://127.0.0.1:$(PORT)"; exit 0; fi; sleep 1; \
	done; $(COMPOSE) ps; $(COMPOSE) logs --tail 40; echo "dagwright did not become ready within 90 s"; exit 1

compose-down: ## stop the containers and remove their volume
	$(COMPOSE) down --volumes

check: lint types proto-check test ## what CI runs

clean: ## remove what was built; .dagwright (your data) stays
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
