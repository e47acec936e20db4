# Two commands: `make demo` installs and runs the main job, `make test` installs and passes the tests.
# PIP_FLAGS goes to pip, e.g. PIP_FLAGS="--index-url https://download.pytorch.org/whl/cpu --extra-index-url https://pypi.org/simple"
PYTHON    ?= python3
PIP_FLAGS ?=
PIP       := .venv/bin/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) -c constraints.txt
WORKERS   ?= 2

# One thread for each process: several small networks side by side slow each other down otherwise.
export OMP_NUM_THREADS := 1
export MPLBACKEND := Agg

.PHONY: demo test lint extras smoke docs clean

demo: .venv/installed
	.venv/bin/secateurs demo

test: .venv/installed-test lint
	.venv/bin/python -m pytest -n $(WORKERS) --dist worksteal -q

lint: .venv/installed-test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

# The browser is Debian's where apt-get is at hand; elsewhere any Chromium on the PATH serves.
extras: .venv/installed-extras
	command -v chromium || command -v google-chrome || { apt-get update -q && apt-get install -qy chromium; }
	.venv/bin/python -m pytest tests/extras src/secateurs/integrations -q

smoke: .venv/installed
	.venv/bin/python tests/smoke.py

docs: .venv/installed-docs
	.venv/bin/sphinx-build -W -q -b html docs docs/_build/html

clean:
	rm -rf .venv docs/_build secateurs-demo secateurs-runs

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) -e .
	touch $@

.venv/installed-test: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[test]'
	touch $@ .venv/installed

.venv/installed-extras: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[test,browser,lightning,transformers,accelerate,export,energy]'
	touch $@ .venv/installed .venv/installed-test

.venv/installed-docs: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[docs]'
	touch $@
