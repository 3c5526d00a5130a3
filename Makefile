# The two commands are `make run` and `make test`; both set up all they need. ARGS passes further arguments on.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
LOCK = var/lock/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
       --no-header --no-annotate --no-emit-index-url --no-emit-find-links $(ARGS)

.PHONY: help run test check bench soak conformance c14n-differential screenshots schema lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' Makefile

run: .venv/run  ## start everything on this machine and print how to use it (make run ARGS=--reset begins anew)
	@exec $(BIN)/strongroom dev $(ARGS)

test: check .venv/prepared  ## check, then every test (ARGS="tests/funds -k paid" for some of them)
	@$(BIN)/python -m pytest -v -n 2 -rs $(ARGS)

check: .venv/test  ## what a tool can judge: style, types, imports; and our sizes beside the models'
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m tests.rules.sizes

bench: .venv/prepared  ## the load scripts beside pgbench and the peers, as ratios (docs/performance.md)
	@$(BIN)/python -m bench $(ARGS)

soak: .venv/prepared  ## the full counts of the long races and fault loops (docs/reliability.md)
	@$(BIN)/python -m pytest -v -rs -m soak $(ARGS)

conformance: .venv/test  ## the official open banking tests and our own of every rule, on the model bank (docs/conformance.md)
	@$(BIN)/python -m tests.conformance

c14n-differential: .venv/test  ## our canonical XML beside libxml2's on 100,000 random documents (ARGS="count seed")
	@$(BIN)/python -m tests.soap.c14n_differential $(ARGS)

screenshots: .venv/prepared  ## every page and state, under docs/screenshots
	@$(BIN)/python -m pytest -v -rs -m screenshots $(ARGS)

schema: .venv/test  ## write schema.sql: an empty database after all migrations
	@$(BIN)/python -m tests.rules.schema > schema.sql.new && mv schema.sql.new schema.sql

lock:  ## resolve the dependencies anew (make lock ARGS=--upgrade takes the newest), for every platform
	@test -x var/lock/bin/uv || { $(PYTHON) -m venv var/lock && var/lock/bin/python -m pip install --quiet uv==0.13.8; }
	@$(LOCK) --extra dev --extra test --output-file requirements-test.lock
	@$(LOCK) --extra dev --constraints requirements-test.lock --output-file requirements-dev.lock
	@$(LOCK) --constraints requirements-test.lock --output-file requirements.lock
	@$(MAKE) --no-print-directory .venv/test
	@PATH="$(CURDIR)/$(BIN):$$PATH" npm install --prefix tests/node --package-lock-only --no-audit --no-fund --silent

clean:  ## forget the virtual environment and the caches; data in var/ stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis tests/node/node_modules

# Stamps: a lock file that did not change is not installed again.
.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Strongroom needs Python 3.11 or later")'
	@$(PYTHON) -c 'import ensurepip' 2> /dev/null || { test "$$(id -u)" = 0 && apt-get install -qq --yes python3-venv > /dev/null; } \
	  || { echo "Python's venv is missing: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv .venv && touch $@

.venv/run: requirements-dev.lock pyproject.toml | .venv/made
	@echo "Installing what make run needs into .venv …"
	@$(PIP) --require-hashes --no-deps -r requirements-dev.lock
	@$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@

.venv/test: requirements-test.lock | .venv/run
	@echo "Installing what make test needs into .venv …"
	@$(PIP) --require-hashes --no-deps -r requirements-test.lock
	@touch $@

.venv/prepared: tests/prepare tests/system-packages.txt tests/node/package-lock.json | .venv/test
	@PATH="$(CURDIR)/$(BIN):$$PATH" tests/prepare
	@touch $@
