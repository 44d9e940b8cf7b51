# Python 3.11 or newer and make are all a machine needs. Everything else goes into .venv, and the
# real LiveKit server, if it is wanted, into .livekit.
#
#   make test ARGS="-k webhook"     options for pytest; for `make demo`, of `dispatcher demo`
#   make demo PYTHON=python3.13     the Python that .venv is made with

SHELL := /bin/sh
.DEFAULT_GOAL := help

LIVEKIT_VERSION := 1.13.5
# Of the Go module; Prometheus 3.7.3.
PROMETHEUS_VERSION := 0.307.3
ARGS ?=
# Processes that run tests side by side: most of a test's time is waiting.
TESTERS ?= 4
SEEDS ?= 100000

new_enough = import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	$$name -c '$(new_enough)' >/dev/null 2>&1 && echo $$name && break; done)

bin := .venv/bin
# What was last installed into .venv, so that a second run starts at once.
runtime := .venv/.runtime
tools := .venv/.tools
engines := .venv/.engines
auditor := .venv/.auditor

.PHONY: help
help: ## Show this list
	@sed -n 's/^\([a-z]*\):.* ## \(.*\)/make \1@\2/p' $(MAKEFILE_LIST) | awk -F@ '{printf "%-13s %s\n", $$1, $$2}'

.PHONY: demo
demo: $(runtime) ## Run the whole service against the built-in sandbox LiveKit
	@$(bin)/dispatcher demo $(ARGS)

.PHONY: test
test: $(tools) ## Run all tests
	@$(bin)/python -m pytest -n $(TESTERS) --dist loadfile $(ARGS)

.PHONY: simulate
simulate: $(tools) ## Play the simulation of the core with 100,000 seeds
	@$(bin)/python -m tests.simulation 0 $(SEEDS) --cores

.PHONY: lint
lint: $(tools) ## Check style, types and imports
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy --strict
	$(bin)/lint-imports

.PHONY: check
check: lint test ## Do both: lint, then test

.PHONY: soak
soak: $(engines) ## Half an hour of calls with faults thrown in, and what becomes of memory
	@$(bin)/python -m tests.benchmarks.soak --plot soak.svg $(ARGS)

.PHONY: bench
bench: $(engines) ## Measure the service beside what people would run otherwise
	@$(bin)/python -m tests.benchmarks $(ARGS)

.PHONY: audit
audit: $(auditor) ## Look up what is installed among known vulnerabilities (asks pypi.org)
	@$(bin)/python -m pip --disable-pip-version-check freeze --exclude-editable > .venv/installed.txt
	@$(bin)/pip-audit --strict --no-deps --disable-pip --progress-spinner off \
		-r .venv/installed.txt $(ARGS)

.PHONY: format
format: $(tools) ## Put the code into its format
	$(bin)/ruff check --fix .
	$(bin)/ruff format .

.PHONY: constraints
constraints: $(tools) ## Resolve anew which versions the image is built from
	@$(resolve) --all-extras --annotation-style line -o service/constraints.txt pyproject.toml
	@echo 'hatchling' | $(resolve) --generate-hashes --no-annotate --constraints service/constraints.txt \
		-o service/constraints.hashed.txt pyproject.toml -

.PHONY: livekit
livekit: ## Get the real LiveKit server, for tests/live (needs Go)
	@.livekit/livekit-server --version 2>/dev/null | grep -qF ' $(LIVEKIT_VERSION)' || { \
		command -v go >/dev/null || { \
			echo "make livekit needs Go: install it from https://go.dev/dl/, or put livekit-server" \
				"$(LIVEKIT_VERSION) at .livekit/livekit-server yourself" >&2; exit 1; }; \
		echo "building livekit-server $(LIVEKIT_VERSION) into .livekit, a few minutes the first time"; \
		GOBIN="$(CURDIR)/.livekit" \
			go install github.com/livekit/livekit-server/cmd/server@v$(LIVEKIT_VERSION) && \
		mv .livekit/server .livekit/livekit-server; }

# `go install` refuses a module that excludes versions of others, as Prometheus does.
.PHONY: promtool
promtool: ## Get promtool, which tries the alert rules (needs Go)
	@[ -x .promtool/promtool ] || { \
		command -v go >/dev/null || { \
			echo "make promtool needs Go: install it from https://go.dev/dl/, or put promtool on the PATH" \
				"yourself" >&2; exit 1; }; \
		echo "building promtool of Prometheus into .promtool, ten minutes or more the first time"; \
		made=$$(mktemp -d) && trap 'rm -rf "$$made"' EXIT && mkdir -p .promtool && cd "$$made" && \
		go mod init promtool.local 2>/dev/null && \
		{ go get github.com/prometheus/prometheus/cmd/promtool@v$(PROMETHEUS_VERSION) 2>told || \
			{ cat told >&2; exit 1; }; } && \
		go build -o "$(CURDIR)/.promtool/promtool" github.com/prometheus/prometheus/cmd/promtool; }

.PHONY: clean
clean: ## Remove what make and the tests made
	rm -rf .venv .livekit .promtool .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf build dist
	find rules service workers tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(runtime): pyproject.toml
	@$(venv)
	@echo "installing livekit-dispatcher into .venv, about half a minute"
	@$(install) -e .
	@touch $@

$(tools): pyproject.toml
	@$(venv)
	@echo "installing livekit-dispatcher and its test tools into .venv, about a minute"
	@$(install) -e '.[dev,live]'
	@touch $(runtime) $@

$(engines): pyproject.toml
	@$(venv)
	@echo "installing livekit-dispatcher and what it is measured beside into .venv"
	@$(install) -e '.[bench]'
	@touch $(runtime) $@

# For every Python and platform at once; the build backend is among what the image is built from.
resolve = $(bin)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	--custom-compile-command 'make constraints'

$(auditor): pyproject.toml
	@$(venv)
	@echo "installing livekit-dispatcher and pip-audit into .venv"
	@$(install) -e '.[audit]'
	@touch $(runtime) $@

install = $(bin)/python -m pip --disable-pip-version-check --quiet install

# Makes .venv, or makes it anew if it is half made or too old.
define venv
$(bin)/python -c 'import pip; $(new_enough)' 2>/dev/null || { \
	[ -n "$(PYTHON)" ] || { \
		echo "no Python 3.11 or newer found: install one, or name it: make PYTHON=/path/to/python3.12" \
			>&2; exit 1; }; \
	$(PYTHON) -c '$(new_enough)' || { \
		echo "$(PYTHON) is not Python 3.11 or newer: name another with make PYTHON=…" >&2; exit 1; }; \
	echo "making .venv with $$($(PYTHON) --version)"; \
	$(PYTHON) -m venv --clear .venv; }
endef
