# Two commands on a fresh machine: `make demo` and `make test`. `make check` is what CI runs.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Most tests wait for processes, servers and clocks: three at once keep two cores busy.
# In the order of the files: sorted by their number of tests, the chaotic nights would come last, one by one.
PYTEST := $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: demo test chaos check format lint types layers coverage docs docs-check bench clean

$(VENV)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.'
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

demo: $(VENV)/.installed
	$(BIN)/cosmosq demo

test: $(VENV)/.installed-dev
	$(PYTEST)

# The nights of tests/chaos with 200 seeds; `make test` has five.
chaos: $(VENV)/.installed-dev
	COSMOSQ_CHAOS_SEEDS=1-200 $(PYTEST) --dist load tests/chaos

check: $(VENV)/.installed-dev lint types layers docs-check coverage

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

layers: $(VENV)/.installed-dev
	$(BIN)/lint-imports

coverage: $(VENV)/.installed-dev
	$(PYTEST) --cov --cov-report=term

docs: $(VENV)/.installed-dev
	$(BIN)/python docs/reference.py

docs-check: $(VENV)/.installed-dev
	$(BIN)/python docs/reference.py --check

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build dist *.egg-info demo .coverage* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
