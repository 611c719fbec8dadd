# Everything sets itself up: a virtual environment from the one lock, and nothing outside this folder but Debian packages
# that `make install` (python3.x-venv), `make check` (systemd), `make test` (spin, gcc, nginx), `make model` and `make bench`
# (nginx, wrk) name before they install them, only where root and only if missing. Who is not root is told what to install;
# tests of a missing part are skipped, in CI they fail.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(not (3,11) <= sys.version_info[:2] < (3,14))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEBIAN := /etc/debian_version
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help install demo check test sim model bench lint types imports unit lock docs clean

help: ## what there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

# Debian has what makes virtual environments in a package of its own. One without pip is none: it goes, or the next run trips over it.
APT_INSTALL := DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends
define MAKE_VENV
rm -rf $(VENV); \
package=$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
missing() { ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; }; \
if missing && test "$$(id -u)" = 0 && test -e $(DEBIAN) && command -v apt-get >/dev/null; then \
  echo "installing the Debian package $$package"; \
  { $(APT_INSTALL) $$package || { apt-get update && $(APT_INSTALL) $$package; }; } >/dev/null 2>&1; \
fi; \
if missing; then echo "$(PYTHON) has no ensurepip, which a virtual environment needs (Debian: apt-get install $$package)"; exit 2; fi; \
$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) could not make a virtual environment: see above"; exit 2; }
endef

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed"; exit 2; }
	@echo "installing into $(VENV) with $(PYTHON) (one or two minutes) ..."
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { $(MAKE_VENV); }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

install: $(STAMP) ## the virtual environment (another Python: make clean install PYTHON=python3.13)

demo: $(STAMP) ## two ERPs, a gateway, and a plant that moves
	@$(BIN)/changeover demo $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check gateway migrations tests
	$(BIN)/ruff format --check gateway migrations tests

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

unit: $(STAMP)
	$(BIN)/pytest tests/unit tests/contract -q $(ARGS)

check: lint types imports unit ## the fast loop: lint, types, import contracts, unit and contract tests

test: $(STAMP) ## everything: real ERPs, real databases, real sockets
	$(BIN)/pytest tests --durations=25 $(ARGS)

sim: $(STAMP) ## 100,000 histories of the write protocol in virtual time (ARGS="--histories 1000 --seed 7")
	$(BIN)/changeover sim --histories 100000 $(ARGS)

model: $(STAMP) ## the write protocol as a model, every history within bounds (spin; ARGS="--full" for larger ones)
	$(BIN)/python -m tests.model $(ARGS)

bench: $(STAMP) ## the gateway's full job beside nginx
	$(BIN)/python -m tests.bench $(ARGS)

docs: $(STAMP) ## write the generated reference again
	$(BIN)/python -m docs.generate

lock: $(STAMP) ## resolve the lock again (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --extra test --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate pyproject.toml -o requirements.lock

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
