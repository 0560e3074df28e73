# Two commands do everything, set-up included:  make demo  and  make test.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# pip tells what it does on a terminal, and only its errors to a log. Python compiles what it imports
# and keeps that; pip would spend a minute on compiling all the rest, too.
INSTALL = $(PIP) install --no-compile $(if $(MAKE_TERMOUT),,--quiet) -c constraints.txt
# Which tests, and how: make test TESTS="tests/order -n 0", or in another order: TESTS="--shuffle 1"
TESTS ?=
# How far `make fuzz` searches, and from which seed; a search repeats with the seed it printed.
TIMES ?= 10
SEED := $(or $(SEED),$(shell date +%s))

# The first Python on PATH that is 3.11 to 3.13 and can make a virtual environment; it is run,
# not only looked for, because version managers leave shims for Pythons that are not active.
SUITABLE := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	if $$p -c '$(SUITABLE)' >/dev/null 2>&1; then command -v $$p; break; fi; done)

.DEFAULT_GOAL := help
.PHONY: help demo test fuzz mutants validate check docs clean

help: ## Say what can be made
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 10

demo: $(VENV)/.with-all ## Run the story: a sound and a pain to spikes, a sweep, a training
	@PATH="$(abspath $(BIN)):$$PATH" sh examples/demo.sh

test: $(VENV)/.with-test ## Run every test
	$(BIN)/python -m pytest -n 2 --dist loadfile --max-worker-restart=0 $(TESTS)

# Damaged files and generated programs first, then every property with new random inputs.
fuzz: $(VENV)/.with-test ## Search for faults with new inputs: make fuzz TIMES=10 SEED=1
	@echo "Searching with SEED=$(SEED) TIMES=$(TIMES)"
	@failed=0; \
	if [ -f tests/fuzz/__main__.py ]; then \
		$(BIN)/python -m tests.fuzz --seed $(SEED) --times $(TIMES) || failed=1; \
	fi; \
	EMBER_FUZZ_TIMES=$(TIMES) $(BIN)/python -m pytest -n 2 --dist loadfile -m hypothesis --timeout 0 \
		--hypothesis-profile search --hypothesis-seed $(SEED) $(TESTS) || failed=1; \
	exit $$failed

# All of them, or as many as fit into SECONDS, in an order that SEED chooses.
mutants: $(VENV)/.with-test ## See each of many wrong versions of the code fail its test
	$(BIN)/python -m tests.mutants $(if $(SECONDS),--seconds $(SECONDS) --seed "$(SEED)")

validate: $(VENV)/.with-test ## Validate what takes hours; stopped, it continues; writes docs/validation.json
	$(BIN)/python -m tests.validation

check: $(VENV)/.with-check ## Lint, format, types and the arrows between the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/.with-docs ## Build the documentation into docs/_build/html
	MPLBACKEND=agg $(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html
	@echo "Documentation: docs/_build/html/index.html"

clean: ## Remove what was built; leave what was run, under runs/
	rm -rf $(VENV) build dist docs/_build docs/gallery docs/api *.egg-info
	rm -rf .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -not -path './.git/*' -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Ember needs Python 3.11, 3.12 or 3.13 with its venv module, and found none on PATH; install one, or name it: make $(firstword $(MAKECMDGOALS)) PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Making $(VENV) with $(PYTHON)"
	@"$(PYTHON)" -m venv $(VENV)
	@$(PIP) install --quiet --upgrade -c constraints.txt pip # 46 s for what Python 3.11's own does in 65

# A stamp is written only after its installation has finished, so a broken one is taken up again.
# One call of pip for all that a target needs: each call looks at every package again.
$(VENV)/.with-all: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Ember and what it needs into $(VENV); the first time takes minutes"
	@$(INSTALL) -e ".[all]"
	@touch $@

$(VENV)/.with-%: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Ember and what \`make $*\` needs into $(VENV); the first time takes minutes"
	@$(INSTALL) -e ".[all,$*]"
	@touch $(VENV)/.with-all $@
