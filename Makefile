# Keyturn. `make run` serves, `make test` tests; both need Python >= 3.11 and make, nothing else.

PYTHON  ?= python3
HOST    ?= 127.0.0.1
PORT    ?= 8000
WORKERS ?= 1
VENV    := .venv
BIN     := $(VENV)/bin
JOBS    ?= 2

# A URL that clients reach: behind a proxy or on a public address, set KEYTURN_ISSUER.
export KEYTURN_ISSUER ?= http://$(if $(filter 0.0.0.0,$(HOST)),127.0.0.1,$(HOST)):$(PORT)
export FLASK_APP := wsgi.py
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Python is started some hundred times by the tests: what it has compiled is kept.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run dev test soak check format lint types imports demo bench docs screenshots lock clean

run: $(VENV)/server.done
	@$(BIN)/flask bootstrap
	@exec $(BIN)/flask serve --host $(HOST) --port $(PORT) --workers $(WORKERS)

dev: $(VENV)/test.done run

# Tests that kill, halt and overtake real servers share the cores with them. What failed runs once
# more with the machine to itself and has to pass then; the first failure stays in the output.
test: $(VENV)/test.done
	$(BIN)/pytest -n $(JOBS) --dist worksteal $(ARGS) || { test $$? = 1 && \
		$(BIN)/pytest -n 0 --last-failed --last-failed-no-failures none $(ARGS); }

# Three nodes under load and everything that can happen to them, for a quarter of an hour.
soak: $(VENV)/test.done
	$(BIN)/pytest -n 0 tests/chaos --soak $(ARGS)

check: $(VENV)/test.done format lint types imports test

format: $(VENV)/test.done
	$(BIN)/ruff format --check .

lint: $(VENV)/test.done
	$(BIN)/ruff check .

types: $(VENV)/test.done
	$(BIN)/mypy

imports: $(VENV)/test.done
	$(BIN)/lint-imports

demo: $(VENV)/test.done
	$(BIN)/python -m examples.bookings.demo

# `make bench PYTHON=/usr/bin/python3 VENV=.venv-debian` measures with another interpreter.
bench: $(VENV)/test.done
	$(BIN)/python -m benchmarks $(ARGS)

# What is no Python package; where there is no npm, or no network, it is not measured or tested.
PEERS := benchmarks/peers/oidc-provider benchmarks/peers/verifiers
STRANGERS := docs/resource-servers/express
ifneq ($(shell which npm 2> /dev/null),)
bench: $(PEERS:=/node_modules/.package-lock.json)
test: $(STRANGERS:=/node_modules/.package-lock.json)
endif

%/node_modules/.package-lock.json: %/package-lock.json
	@echo "Installing npm's packages into $* …"
	-@npm ci --prefix $* --ignore-scripts --no-audit --no-fund --silent && touch $@

# Pages, and parts of pages, that are printed from the code.
docs: $(VENV)/test.done
	$(BIN)/pytest --collect-only -q -n 0 -p tests.support.conformance \
		--conformance docs/conformance.md > /dev/null
	$(BIN)/pytest --collect-only -q -n 0 -p tests.support.coverage_page \
		--reference docs/reference-coverage.md > /dev/null
	$(BIN)/python -m tests.support.error_page

# Pictures of the dashboard for README and docs, by the tests that walk through it.
screenshots: $(VENV)/test.done
	$(BIN)/pytest -n 0 tests/browser --screenshots

# The lock files: what setup.cfg asks for, pinned, with hashes and without addresses.
lock: $(VENV)/test.done
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile setup.cfg --extra server --output-file requirements/server.lock $(UV)
	$(BIN)/uv pip compile setup.cfg --extra server --extra test \
		--constraint requirements/server.lock --output-file requirements/test.lock $(UV)
	$(BIN)/uv pip compile setup.cfg --extra server --extra otel \
		--constraint requirements/test.lock --output-file requirements/otel.lock $(UV)

UV := --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links

$(VENV)/server.done: requirements/server.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Keyturn needs Python 3.11 or newer")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing pinned dependencies into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r $<
	@touch $@

$(VENV)/test.done: requirements/test.lock $(VENV)/server.done
	@echo "Installing test dependencies into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r $<
	@touch $@

clean:
	rm -rf $(VENV) $(PEERS:=/node_modules) $(STRANGERS:=/node_modules) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
