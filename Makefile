# One word a task. Every task sets up .venv first, from the lock file and nothing else.
# PYTHON=python3.13 chooses another interpreter; ARGS="…" goes to the command behind the task.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# A set-up is valid for one lock file and pyproject.toml, which names the commands, in one folder,
# which scripts in .venv/bin name.
stamp   = $(VENV)/.set-up-$(shell { cat $(1) pyproject.toml; pwd; } | cksum | cut -d ' ' -f 1)
ALL    := $(call stamp,requirements-dev.lock)
# What a sale needs is a third of what its developers need, and part of it.
RUN    := $(or $(wildcard $(ALL)),$(call stamp,requirements.lock))
# An environment of another interpreter, or moved here with its folder, is made anew.
usable  = { $(BIN)/python -c 'import pip, ssl' && grep -qF "$(CURDIR)/$(VENV)/" $(BIN)/pip; } 2>/dev/null
PIP    := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
# Half of a test's time it waits for other processes: three workers keep two cores busy.
WORKERS ?= 3
SPREAD  := --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --universal --generate-hashes --no-emit-index-url --no-header

.PHONY: run test check format texts bench soak lock set-up help
.DEFAULT_GOAL := help

run: $(RUN)  ## start Onsale with its own PostgreSQL and Valkey; data stays in .onsale/
	@exec $(BIN)/onsale serve $(ARGS)

test: set-up  ## every test; without Chromium or nginx, the tests with it are named and left out
	@exec $(BIN)/pytest $(SPREAD) $(ARGS)

check: set-up  ## lint, format, types, and which way imports point
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: set-up  ## put the code in the house format, and mend what a tool can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

texts: set-up  ## bring the message catalogues up to date with the texts in code and pages
	@$(BIN)/python -m app.pages.texts

bench: set-up  ## figures of the hot paths on this machine
	@exec $(BIN)/python -m bench $(ARGS)

soak: set-up  ## long sweeps: property and race tests with many more examples
	@exec $(BIN)/pytest $(SPREAD) --timeout 1800 --hypothesis-profile soak tests/property tests/race $(ARGS)

lock: set-up  ## renew both lock files within what pyproject.toml allows: ARGS=--upgrade for the newest
	$(COMPILE) --group dev --output-file requirements-dev.lock $(ARGS)
	$(COMPILE) --group build --output-file requirements.lock $(ARGS)

set-up: $(ALL)  ## .venv from requirements-dev.lock; does nothing when it is there already

$(ALL): FROM := requirements-dev.lock
$(VENV)/.set-up-%: FROM ?= requirements.lock
$(VENV)/.set-up-%:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'Onsale needs Python 3.11 or newer; `$(PYTHON)` is not. Try: make PYTHON=python3.12 …' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo '`$(PYTHON)` cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }
	@echo 'Setting up $(VENV) from $(FROM): once, a minute or so …'
	@$(usable) || $(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --require-hashes --requirement $(FROM)
	@$(PIP) install --no-index --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
	@rm -f $(VENV)/.set-up-* && touch $@

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
