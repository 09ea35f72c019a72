# Each target installs what it needs into .venv of this checkout first; afterwards .venv/bin/hookledger is the command.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo demo-kafka test check fuzz simulate chaos chaos-kafka reference serve bench

help:
	@echo 'make demo       from nothing to signed, verified deliveries, in under a minute'
	@echo 'make demo-kafka the same with a process for each role, on an Apache Kafka and a PostgreSQL that it starts'
	@echo 'make test       every test'
	@echo 'make check      format, lint, types, import contracts, spelling'
	@echo 'make fuzz       RUNS=1000000 inputs for each thing that reads what comes from outside'
	@echo 'make simulate   SEEDS=310 lives of the whole service in a simulated world; SEED=17: that one again'
	@echo 'make chaos      processes on one PostgreSQL, while all of it is killed, paused and cut off; SEED=17: as then'
	@echo 'make chaos-kafka  the same with a process for each role, and Apache Kafka between them, which goes away as well'
	@echo 'make reference  docs/reference.md and docs/asyncapi.json, from the code'
	@echo 'make serve      the service on 127.0.0.1:8420; its data go to ./hookledger-data'
	@echo 'make bench      how many deliveries a second this machine makes'

demo: $(INSTALLED)
	$(BIN)/hookledger demo

demo-kafka: $(INSTALLED)
	$(BIN)/python -m tests.brokers.demo

# One process more than there are processors: many tests wait for a broker or a database.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min((os.cpu_count() or 1) + 1, 4))')
test: $(INSTALLED)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

check: $(INSTALLED)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell

RUNS ?= 1000000
fuzz: $(INSTALLED)
	@for target in $$($(BIN)/python -m tests.fuzz.run --list); do \
	  $(BIN)/python -m tests.fuzz.run $$target --runs $(RUNS) --seed $$(od -An -N3 -tu4 /dev/urandom) || exit 1; done

SEEDS ?= 310
simulate: $(INSTALLED)
	@python=$$($(BIN)/python -m tests.simulation.environment) && \
	  $$python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(SEEDS)) $(if $(PLANT),--plant $(PLANT))

chaos: $(INSTALLED)
	$(BIN)/python -m tests.faults.chaos $(if $(SEED),--seed $(SEED))

chaos-kafka: $(INSTALLED)
	$(BIN)/python -m tests.faults.chaos --kafka $(if $(SEED),--seed $(SEED))

reference: $(INSTALLED)
	$(BIN)/python -m tests.tidy.reference

serve: $(INSTALLED)
	$(BIN)/hookledger serve

bench: $(INSTALLED)
	$(BIN)/hookledger bench

# The checks before `venv` are there because its own words, or a half-made .venv, help nobody.
$(INSTALLED): setup.cfg pyproject.toml
	@command -v $(PYTHON) >/dev/null || { \
	  echo 'hookledger needs Python 3.11 or newer, and there is no "$(PYTHON)" here.' >&2; \
	  echo 'Install it, or say where it is: make $(MAKECMDGOALS) PYTHON=/path/to/python3' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'hookledger needs Python 3.11 or newer; "$(PYTHON)" is' "$$($(PYTHON) -V)." >&2; \
	  echo 'Say where a newer one is: make $(MAKECMDGOALS) PYTHON=/path/to/python3' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo '"$(PYTHON)" cannot make virtual environments: its module ensurepip is missing.' >&2; \
	  echo 'On Debian and Ubuntu it is a package of its own: apt install python3-venv' >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
