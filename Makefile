# Everything a reader needs: `make figures` and `make test`. The environment is made once and
# again only when pyproject.toml or constraints.txt change.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder
STAMP := $(VENV)/.installed

# Containers often set it. Without bytecode each of the hundreds of processes of a test run would compile our modules.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install figures site test test-fast test-slow formal lint bench clean

help:
	@echo "make figures   install, fetch, measure and draw every figure into figures/out/"
	@echo "make site      write the documentation site into site/: claims, findings, Python API"
	@echo "make test      install and run the test suite"
	@echo "make test-fast the part of it that needs no network, no kernel and no model"
	@echo "make test-slow the long kill loops and compilations that both leave out, and many more examples of properties"
	@echo "make formal    check the formal proofs again; needs coq, libcoq-coquelicot and libcoq-interval"
	@echo "make lint      ruff and pyright"
	@echo "make bench     measure the speed targets, both sides in one run"
	@echo "make clean     remove rebuilt records and figures (the environment stays)"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(f"Python 3.11 or later is needed, {sys.executable} is {sys.version.split()[0]}; set PYTHON=..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -qq --no-compile --upgrade pip  # a venv's own may take three times as long below

# pip compiles what it installs on one core, and all of it. Here all cores compile, and not what few ever import: tests, and
# the models of transformers. A file that is no Python of this version (a template) is left as it is, as pip leaves it.
$(STAMP): $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -qq --no-compile -e ".[dev]" -c constraints.txt
	@$(BIN)/python -m compileall -qq -j 0 -x '/tests?/|/transformers/models/' $(VENV)/lib || true
	@touch $@

install: $(STAMP)

figures: $(STAMP)
	$(BIN)/tapa figures

# Claims, findings and the Python API as pages that open offline; every link is checked.
site: $(STAMP)
	$(BIN)/tapa figures claims
	$(BIN)/tapa site --out site

# A process for each core; which tests stay together, and in which order they come: tests/conftest.py.
# One thread in each: threads of processes that share cores wait for one another.
test: $(STAMP)
	$(PYTEST)

test-fast: $(STAMP)
	$(PYTEST) -m "not full and not long and not slow" --hypothesis-profile quick

test-slow: $(STAMP)
	$(PYTEST) -m slow
	$(PYTEST) -m "not full and not slow" --hypothesis-profile deep

formal: $(STAMP)
	$(BIN)/python -m proofs.formal_record

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: $(STAMP)
	$(BIN)/tapa bench

clean:
	rm -rf figures/out figures/records .pytask
