# Everything runs from a virtual environment of its own, made from the lock files.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DNCD := $(BIN)/dncd
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
ARGS ?=

# The tests start the service and its command hundreds of times: compiled once is enough.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: serve test soak bench check format openapi lock clean

serve: $(VENV)/.runtime
	$(DNCD) serve $(ARGS)

test: $(VENV)/.development
	$(BIN)/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

soak: $(VENV)/.development
	$(BIN)/python -m pytest -m soak $(ARGS)

bench: $(VENV)/.development
	$(BIN)/python -m bench $(ARGS)

check: $(VENV)/.development tools/spectral/node_modules/.package-lock.json
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(DNCD) openapi | diff -u openapi.yaml - || { echo 'openapi.yaml is out of date: run make openapi'; exit 1; }
	$(BIN)/openapi-spec-validator openapi.yaml
	tools/spectral/node_modules/.bin/spectral lint --fail-severity=warn --ruleset tools/spectral/.spectral.yaml openapi.yaml

format: $(VENV)/.development
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

openapi: $(VENV)/.development
	$(DNCD) openapi > openapi.yaml

# Resolve the lock files anew: exact versions and hashes, for every platform at once.
lock: $(VENV)/.development
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --extra embedded --extra fast --extra build pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --extra embedded --extra fast --extra build --extra dev --extra bench -c requirements.lock pyproject.toml -o requirements-dev.lock

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'dncd needs Python 3.11 or newer; name one with make PYTHON=/path/to/python3'; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml requirements.lock | $(VENV)/bin/python
	$(PIP) install -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.development: pyproject.toml requirements-dev.lock | $(VENV)/bin/python
	$(PIP) install -r requirements-dev.lock
	$(PIP) install --no-deps --no-build-isolation -e .
	touch $@ $(VENV)/.runtime

tools/spectral/node_modules/.package-lock.json: tools/spectral/package.json tools/spectral/package-lock.json
	npm ci --no-audit --no-fund --silent --prefix tools/spectral

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis tools/spectral/node_modules
