# Everything a newcomer or CI runs. Each target sets up what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Some machines forbid Python to keep bytecode: each of many processes would then compile all of torch again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo fast test check fmt bench clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --constraints constraints.txt --editable '.[cpu,s3,img2dataset,bench,dev]'
	touch $(READY)

demo: $(READY)
	$(BIN)/curate demo --out runs/demo

fast: $(READY)
	$(BIN)/pytest -m "not slow"

test: $(READY)
	$(BIN)/pytest

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)
	$(BIN)/curate bench

clean:
	rm -rf $(VENV) runs .bench
