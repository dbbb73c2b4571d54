# nbasr: `make demo` shows it, `make lab` opens it, `make test` and `make lint` check it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: demo lab test lint bench clean

demo: $(VENV)/lab
	$(BIN)/python tools/run_notebook.py notebooks/00_quickstart.ipynb build

lab: $(VENV)/lab
	$(BIN)/nbasr lab

test: $(VENV)/dev
	$(BIN)/python -m pytest

lint: $(VENV)/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/dev
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) build

$(VENV)/lab: pyproject.toml constraints.txt
	@echo "Installing nbasr into $(VENV) (a few minutes the first time) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "nbasr needs Python 3.11 or newer: make PYTHON=python3.12 demo")'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --editable ".[lab]"
	@touch $@

$(VENV)/dev: $(VENV)/lab
	@echo "Installing the developers' tools …"
	@$(PIP) --editable ".[dev]"
	@touch $@
