# Every target that runs dr's own code sets the checkout up first; that takes a moment when
# nothing is missing.
SHELL := /bin/bash
.DEFAULT_GOAL := help

BIN := .venv/bin
# the quick rooms: no lab, no server
QUICK := $(wildcard tests/unit tests/contract tests/property tests/faults tests/packaging tests/docs)
# the rooms with a lab or a database server in them; the longest files begin (tests/conftest.py)
FULL := $(wildcard tests/integration tests/acceptance tests/migration tests/golden)
# mutated copies of the engine: many short processes
RULES := $(wildcard tests/rules)
PYTEST := $(BIN)/pytest -q

# pytest answers 5 when a room holds no test yet
define run_tests
$(PYTEST) $(1) || [ $$? -eq 5 ]
endef

.PHONY: help setup demo check static test bench bench-crash bench-reconcile soak clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 17

setup: ## install what is missing: system packages, .venv, dr itself
	@scripts/setup

demo: setup ## break a miniature data centre and see it recovered
	@scripts/demo

static: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: static ## format, lint, types, floors, and the tests that need no lab
	$(if $(QUICK),$(call run_tests,-n 2 $(QUICK)))

test: check ## check, then every other test
	$(if $(RULES),$(call run_tests,-n 2 $(RULES)))
	$(if $(FULL),$(call run_tests,-n 2 --dist loadfile --no-loadscope-reorder $(FULL)))

bench: setup ## measure side by side against peers
	@bench/run

bench-crash: setup ## kill dr and peers at the same moments; docs/kill-matrix.md
	@bench/crash-run

bench-reconcile: setup ## compare two tables of 1,000,000 rows and 3,000 ledgers, beside others
	$(BIN)/python bench/reconcile_cost.py

soak: setup ## hurt real runs at random, 300 kills; nothing may be lost or happen twice
	$(BIN)/python -m tests.soak.soak --kills 200
	$(BIN)/python -m tests.soak.soak --kills 100 --journal postgresql

clean: ## remove what the tools left; .venv and labs stay
	rm -rf build dist htmlcov .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
