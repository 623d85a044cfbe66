# `make demo` and `make test` are all that a newcomer needs; both are safe to run twice.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
# No analytics leave the machine.
export DO_NOT_TRACK = 1
export PREFECT_SERVER_ANALYTICS_ENABLED = false

.PHONY: help venv demo test lint types ci clean

help:
	@echo "make demo    the whole job on the embedded teacher, as Prefect flows (at most 10 minutes)"
	@echo "make test    the tests (at most 15 minutes)"
	@echo "make lint    ruff and mypy"
	@echo "make ci      what CI runs: lint, test"
	@echo "make clean   remove .venv and runs/demo"

venv: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit("skillmill needs Python 3.11 or later: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (2 to 4 minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints/dev.txt -e ".[dev,train]"
	@touch $@

demo: $(INSTALLED)
	@$(BIN)/skillmill run -c docs/demo.yaml --prefect

test: $(INSTALLED)
	@$(BIN)/python -m pytest -q

lint: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@# The folders are the packages of `skillmill`: a link gives mypy the same view as an installation.
	@mkdir -p .venv/typing && ln -sfn ../.. .venv/typing/skillmill
	@cd .venv/typing && MYPYPATH=. ../bin/mypy --config-file ../../pyproject.toml $(foreach package,data teachers skill_taxonomy filters generators train flows,-p skillmill.$(package))

ci: lint test

clean:
	rm -rf .venv runs/demo
