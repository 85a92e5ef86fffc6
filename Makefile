# Flask-Performance: the commands a person types. `make help` lists them.
#
# Steps leave a stamp, so that what is done already costs nothing. Works on Debian 12 with
# Python 3.11 or later and Node 20 or later; what else is missing is installed from Debian.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STATIC := src/flask_performance/server/dashboard/static
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--constraint constraints.txt --build-constraint constraints.txt
# `make test TESTS=tests/wire ARGS=-x` runs a part.
TESTS ?= tests
WHOLE := $(filter tests,$(TESTS))
PYTEST := $(BIN)/python -m pytest
# Most of a test's time is waiting. A file stays with one process, and so do the services it starts;
# tests/conftest.py says which come first.
WORKERS ?= 3
PARALLEL := $(if $(WHOLE),--numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder)
# Hundreds of processes import the platform: compiling it once for all of them saves a minute.
unexport PYTHONDONTWRITEBYTECODE

# $(call debian,COMMAND,PACKAGE) installs a Debian package where a command fails.
ROOT := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
define debian
	@if ! { $(1); } >/dev/null 2>&1; then \
		echo "Installing $(2) from Debian"; \
		$(ROOT) apt-get update -qq; \
		$(ROOT) env DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends $(2) >/dev/null; \
	fi
endef

.PHONY: help
help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Installing

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or later is needed, but $(PYTHON) was not found." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	$(call debian,$(PYTHON) -c 'import ensurepip',python3-venv)
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt pip

# The platform alone: all that the demo needs.
$(VENV)/.server: pyproject.toml hatch_build.py constraints.txt | $(BIN)/python
	@echo "Installing the platform"
	@$(PIP) --editable '.[server]'
	@touch $@

# And what tests and checks need. httpbin is a real app to watch: its limit on greenlet is for a
# server that we do not use, and Playwright needs a newer one. The 2019 client lies beside ours.
$(VENV)/.dev: $(VENV)/.server
	@echo "Installing the tools for tests and checks"
	@$(PIP) --editable '.[server,scale]' --group dev
	@$(PIP) --no-deps httpbin
	@$(PIP) --no-deps --upgrade --target $(VENV)/client-2019 flask-performance==0.0.6
	@touch $@

frontend/node_modules/.installed: frontend/package.json frontend/package-lock.json
	@command -v npm >/dev/null || { echo "Node 20 or later is needed to build the front end, but npm was not found." >&2; exit 1; }
	@echo "Installing the front end's packages"
	@cd frontend && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

FRONTEND := $(shell find frontend -type f -not -path 'frontend/node_modules/*' 2>/dev/null)
$(STATIC)/.vite/manifest.json: frontend/node_modules/.installed $(FRONTEND)
	@echo "Building the front end"
	@cd frontend && npm run --silent build
	@touch $@

.PHONY: setup
setup: $(VENV)/.dev frontend ## Install everything into .venv and build the front end

.PHONY: frontend
frontend: $(STATIC)/.vite/manifest.json ## Build the front end

# Running

.PHONY: demo
demo: $(VENV)/.server frontend ## Start the platform with an example shop and real traffic
	@exec $(BIN)/flask-performance demo --data .demo $(ARGS)

.PHONY: run
run: $(VENV)/.server frontend ## Start the platform alone, with its data in data/
	@exec $(BIN)/flask-performance serve --data data $(ARGS)

# Testing

.PHONY: chromium
chromium:
	$(call debian,command -v chromium,chromium)

# Checks what /metrics says and the alerts in docs/. (Where systemd runs, Debian starts a server too.)
.PHONY: promtool
promtool:
	$(call debian,command -v promtool,prometheus)

# Other homes of accounts, queue and event store, and what reads deploy/systemd. (Where systemd runs, Debian starts servers of its own, too.)
.PHONY: services
services:
	$(call debian,ls /usr/lib/postgresql/*/bin/postgres,postgresql)
	$(call debian,test -x /usr/sbin/rabbitmq-server,rabbitmq-server)
	$(call debian,command -v redis-server,redis-server)
	$(call debian,test -x /usr/sbin/clickhouse-server,clickhouse-server)
	$(call debian,test -e /usr/share/java/zookeeper.jar && java -version,zookeeper)
	$(call debian,command -v systemd-analyze,systemd)

.PHONY: test
test: setup chromium promtool services ## Run every test
	$(if $(WHOLE),@cd frontend && npm run --silent test)
	@$(PYTEST) $(PARALLEL) $(ARGS) $(TESTS)

# Tracing takes half as long again as the tests themselves.
.PHONY: coverage
coverage: ## Run every test, traced, and hold them to the coverage floor
	@$(MAKE) test ARGS="--cov --cov-report=term $(ARGS)"

.PHONY: test-fast
test-fast: setup services ## Run the tests that take under two minutes in all
	@$(PYTEST) $(PARALLEL) -m 'not slow and not browser' $(ARGS) $(TESTS)

# What `make test` has a part of: all of it takes some minutes.
.PHONY: test-homes
test-homes: setup chromium services ## Run tests of accounts on PostgreSQL, browser tests on the scaled set
	@ACCOUNTS=postgresql $(PYTEST) --numprocesses $(WORKERS) --dist loadfile $(ARGS) tests/server/accounts
	@HOMES=scaled $(PYTEST) --numprocesses 2 --dist loadfile $(ARGS) tests/browser

.PHONY: check
check: setup audit ## Lint, types, import law, security; the front end's too
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive src 2> >(grep -v "nosec encountered" >&2)
	@cd frontend && npm run --silent lint && npm run --silent typecheck

.PHONY: audit
audit: setup ## Ask for known vulnerabilities of what is installed
	@$(BIN)/python tools/audit.py $(BIN)/pip-audit

.PHONY: fix
fix: setup ## Repair what linters can repair
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

.PHONY: bench
bench: setup chromium ## Measure what the README promises (benchmarks/README.md)
	@$(BIN)/python -m benchmarks.first_minute
	@$(BIN)/python -m benchmarks.freshness

.PHONY: screenshots
screenshots: setup chromium ## Make the pictures in docs/images again
	@FLASK_PERFORMANCE_SCREENSHOTS=docs/images $(PYTEST) tests/browser/test_look.py

# Publishing

.PHONY: build
build: setup ## Make the wheel and the sdist in dist/
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation

.PHONY: constraints
constraints: setup ## Write the versions installed in .venv into constraints.txt
	@{ sed -n '/^#/p' constraints.txt; \
		$(BIN)/python -m pip freeze --all --exclude-editable --exclude setuptools; } > .constraints.new
	@mv .constraints.new constraints.txt

.PHONY: clean
clean: ## Delete what was built (not .venv, not data)
	@rm -rf dist build htmlcov .coverage* $(STATIC) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
