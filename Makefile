# One command each. `make demo` and `make test` build .venv by themselves, from a bare Python 3.11.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/pip --quiet --disable-pip-version-check --no-input
READY := .venv/.ready

.PHONY: demo test check bench lock clean
.DEFAULT_GOAL := demo

# One environment serves all targets. It is built again only when the locks or the packaging change.
$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "syncline needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@echo "building .venv (once)"
	@$(PYTHON) -m venv .venv
	@umask 022; $(PIP) install --require-hashes -r requirements-dev.lock
	@umask 022; $(PIP) install --no-deps --no-build-isolation -e .
	@touch $(READY)

# Options of the demo: make demo ARGS=--json
demo: $(READY)
	@$(BIN)/syncline demo $(ARGS)

# Side by side: most of a test is waiting. A part of them: make test ARGS=tests/syncline/quota
test: $(READY)
	@$(BIN)/python -m pytest -n 4 $(ARGS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# One benchmark: make bench ARGS="orders --json"
bench: $(READY)
	@$(BIN)/python -m bench $(ARGS)

# Only for those who change requirements*.in, and have uv; nobody else needs it.
lock:
	uv pip compile --quiet --generate-hashes --python-version 3.11 requirements.in -o requirements.lock
	uv pip compile --quiet --generate-hashes --python-version 3.11 requirements-dev.in \
		-c requirements.lock -o requirements-dev.lock

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .hypothesis .import_linter_cache
