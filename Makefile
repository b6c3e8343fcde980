# `make help` lists what there is. Everything lives in .venv and var/; nothing is installed by hand.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Where this is set, every process compiles all it imports: seconds, each time.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup run test check bench services services-stop lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(STAMP) ## Make .venv with everything in it

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $(STAMP)

run: setup ## Start everything embedded on http://127.0.0.1:8000, with the Slack sandbox and samples
	$(BIN)/closeloop up --samples

test: setup ## Run all tests (fetches and starts its own PostgreSQL and Kafka)
	$(BIN)/pytest

check: setup ## Lint, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## Ratios against bare baselines, measured in one run
	$(BIN)/python -m tests.benchmarks
	CLOSELOOP_STRESS_NOTICES=10000 $(BIN)/pytest -q --timeout 1200 tests/faults/test_ten_thousand.py tests/faults/test_kill9.py

services: setup ## Start the PostgreSQL and Kafka of the tests; writes var/services.env
	$(BIN)/python -m tests.support.services start

services-stop: setup ## End what `make services` started
	$(BIN)/python -m tests.support.services stop

lock: ## Re-lock the dependencies with hashes (needs uv)
	uv pip compile --quiet --universal --generate-hashes --extra dev --no-emit-index-url --no-annotate pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate -c requirements.lock pyproject.toml -o deploy/requirements.lock

clean: ## Remove .venv and var/
	rm -rf $(VENV) var
