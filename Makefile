# One place for every command. `make demo` shows the tool, `make check` before each commit.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell tools/find-python.sh)
GO ?= $(shell PATH="$$PATH:/usr/local/go/bin" command -v go || echo $(CURDIR)/$(VENV)/go/bin/go)
WORKERS ?= 2
ENGINE_SOURCES := $(shell find engine -name '*.go' -not -name '*_test.go' 2>/dev/null) $(wildcard engine/go.mod engine/go.sum)
PYTEST := $(BIN)/python -m pytest
# Neighbours share what they plan, so each worker has a run of them and takes from the other at the end.
WORK := -n $(WORKERS) --dist worksteal

export GOTOOLCHAIN ?= local
# Else every program that a test starts compiles all its modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## show these lines
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: setup
setup: $(VENV)/.installed ## make .venv with everything in it, the engine included

.PHONY: demo
demo: setup ## show the whole thing on the bundled repository
	@$(BIN)/flux-handover demo

.PHONY: check
check: setup $(VENV)/.go ## format, lint, types, architecture, fast tests, engine: before each commit
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(PYTEST) $(WORK) -m "not (sandbox or slow or cli_binary)"
	cd engine && $(GO) vet ./... && $(GO) test -short ./...

.PHONY: test
test: setup $(VENV)/.go ## everything that needs no control plane
	$(PYTEST) $(WORK) -m "not (sandbox or cli_binary)"
	cd engine && $(GO) test ./...

.PHONY: test-sandbox
test-sandbox: setup $(VENV)/.go ## what needs a real control plane, or upstream's programs
	$(PYTEST) -m "(sandbox or cli_binary) and not full"

.PHONY: test-sandbox-full
test-sandbox-full: setup $(VENV)/.go ## the same, all worlds from seeds, back from every phase, a bare cluster, the corpus if it is there
	$(PYTEST) -m "sandbox or cli_binary"

.PHONY: golden
golden: setup ## rewrite the expected outputs under tests/cases; read the diff
	UPDATE_GOLDEN=1 $(PYTEST) -m "not (sandbox or cli_binary)" tests || true
	git diff --stat -- tests/cases

.PHONY: docs
docs: setup ## rewrite the generated pages of docs/reference
	$(BIN)/python tools/docs.py

.PHONY: worlds
worlds: setup ## rewrite the page of small worlds; takes two minutes
	$(BIN)/python tools/worlds.py

.PHONY: dist
dist: setup ## sdist and wheel of this platform, in dist/
	rm -rf dist
	$(BIN)/python -m build --outdir dist .

ifneq ($(wildcard benchmarks),)
.PHONY: bench
bench: setup ## compare with other tools; prints ratios
	$(BIN)/python -m benchmarks
endif

.PHONY: clean
clean: ## remove what these commands made
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis src/flux_handover/bin

$(VENV)/pyvenv.cfg:
	tools/make-venv.sh "$(PYTHON)" $(VENV)

$(VENV)/.installed: $(VENV)/pyvenv.cfg pyproject.toml tools/hatch_build.py $(ENGINE_SOURCES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

$(VENV)/.go: $(VENV)/pyvenv.cfg
	tools/make-go.sh "$(GO)" $(VENV)
	@touch $@
