# Needs Python 3.11, Java 17 (for the Spark tests only) and a package registry; everything else
# is installed into .venv by a uv of the project's own, in .bootstrap.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

UV_VERSION := 0.13.8
PYTHON ?= $(firstword $(foreach p,python3.11 python3 python,$(shell $(p) -c \
	'import sys; print(sys.executable) if sys.version_info[:2] == (3, 11) else None' 2>/dev/null)))

UV := .bootstrap/bin/uv
RECO := .venv/bin/reco
READY := .venv/.ready

export UV_PYTHON_DOWNLOADS := never
# The certificates that the machine trusts, as pip and curl do: companies have authorities of their own.
export UV_SYSTEM_CERTS := true
export DAGSTER_HOME := $(CURDIR)/dagster_home
unexport VIRTUAL_ENV
# Where bytecode may not be kept, each process compiles half a million lines before it does anything: 15 s.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo up down test check format reference bench clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## Install everything that is locked in uv.lock into .venv

$(UV):
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 was not found"; \
		echo "hint: install it, or name it: make PYTHON=/path/to/python3.11"; exit 1; } >&2
	$(PYTHON) -m venv .bootstrap
	.bootstrap/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(READY): pyproject.toml uv.lock | $(UV)
	@echo "installing what uv.lock names into .venv; the first time it is downloaded" >&2
	@$(UV) sync --locked --quiet --python "$(PYTHON)"
	@touch $@

demo: $(READY) ## Simulate a shop, run the whole graph and ask for recommendations
	@$(RECO) demo

up: $(READY) ## Start Redis, the service and Dagster in the background
	@$(RECO) up

down: $(READY) ## Stop what `make up` started
	@$(RECO) down

test: $(READY) ## Run the tests
	.venv/bin/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder

check: $(READY) ## Format, lint, types, layers, the generated reference and the definitions
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo
	.venv/bin/python -m reco_assets.cli.reference --check
	.venv/bin/python -m ops.burn_alerts --check
	.venv/bin/dg check defs

format: $(READY) ## Format the code and fix what ruff can fix
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

reference: $(READY) ## Write docs/reference.md and the alerts on error budgets anew
	.venv/bin/python -m reco_assets.cli.reference
	.venv/bin/python -m ops.burn_alerts

# Where the public files lie that quality is judged on.
DATA ?= ../shared/data

bench: $(READY) ## Run the benchmarks; one JSON file each in bench-results/
	@mkdir -p bench-results
	@for file in benchmarks/[a-z]*.py; do \
		grep -q '__main__' "$$file" || continue; \
		name=$$(basename "$$file" .py); echo "benchmarks.$$name" >&2; \
		.venv/bin/python -m "benchmarks.$$name" --json > "bench-results/$$name.json"; \
		cat "bench-results/$$name.json"; \
	done
	@echo "benchmarks.quality" >&2
	@.venv/bin/python -m benchmarks.quality all --data "$(DATA)" --json > bench-results/quality.json
	@.venv/bin/python -m benchmarks.quality tables bench-results/quality.json

clean: ## Remove what the tools left; the data and .venv stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache bench-results dist \
		spark-warehouse metastore_db derby.log
	find . -name __pycache__ -not -path './.venv/*' -not -path './.bootstrap/*' -prune -exec rm -rf {} +
