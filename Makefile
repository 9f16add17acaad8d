# Two commands matter: `make run` and `make test`. Each makes what it needs; nothing is installed outside the .venv folders.
# `make web` builds the dashboard, which takes Node 20 or later; without Node the API runs all the same.
.PHONY: test-dashboard run demo screenshots web web-test web-if-node check check-web check-infra infra-types package test audit soak bench cosmos-conformance format clean help
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH := .venv-bench
BENCH_READY := $(BENCH)/.ready
MODULES := web/node_modules/.ready
API_DOCUMENT := web/generated/openapi.json
API_TYPES := web/generated/schema.ts
SITE := functions/api/site/index.html
WEB_SOURCES := $(shell find web -path web/node_modules -prune -o -path web/generated -prune -o -type f -print)
TYPES := .venv-types
TYPES_READY := $(TYPES)/.ready

run: $(READY) web-if-node ## start the desk on 127.0.0.1:7071
	@exec $(BIN)/finagent run $(ARGS)

web: $(SITE) ## build the dashboard and the components

web-test: $(MODULES) $(API_TYPES) ## tests of the client library, in Node
	@cd web && npx vitest run $(ARGS)

web-if-node:
	@if command -v node >/dev/null; then $(MAKE) --no-print-directory web; \
	else echo "No dashboard: it is built with Node 20 or later. The API runs without it."; fi

screenshots: $(READY) web ## take the pictures in docs/images anew, with Debian's Chromium
	@$(BIN)/python -m tests.browser.screenshots

demo: $(READY) ## do the main job once, from an empty desk to a consensus
	@$(BIN)/finagent demo $(ARGS)

check: check-infra check-web ## lint, format, types, imports, deployment, dashboard
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check-web: $(MODULES) $(API_TYPES) ## the dashboard alone: types against the API as it is, lint, format
	@cd web && npm run --silent check

check-infra: $(READY) ## the deployment alone: types and policies of its Bicep
	@$(BIN)/python -m tools.infra

# Microsoft's types come from msmcp-azure, 150 MB that nothing else needs.
infra-types: $(TYPES_READY)
	@$(TYPES)/bin/python -m tools.infra.microsoft

package: $(READY) web-if-node ## what a deployment uploads, in .package
	@$(BIN)/python -m tools.package

test: $(READY) web-if-node ## every test; ARGS="-n0 tests/unit" for some, one at a time
ifdef ARGS
	$(BIN)/python -m pytest -n 4 --dist worksteal $(ARGS)
else
	$(BIN)/python -m pytest -n 4 --dist worksteal --ignore tests/browser
	@if command -v node >/dev/null && [ -x /usr/bin/chromium ]; then $(MAKE) --no-print-directory test-dashboard; \
	else echo "NOT RUN: the dashboard's tests, which need Node and /usr/bin/chromium (apt-get install chromium)"; fi
endif

test-dashboard: $(READY) web web-test ## the dashboard's tests alone, in Node and in Debian's Chromium
	$(BIN)/python -m pytest tests/browser # one desk and one browser for all of them

# By itself it would say that nothing was found where nothing could be asked: hence --strict.
audit: $(READY) ## known vulnerabilities in what is shipped; asks PyPI
	@test -x .venv-audit/bin/pip-audit || { $(BIN)/python -m venv --clear .venv-audit && \
	  .venv-audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1; }
	@.venv-audit/bin/pip-audit --strict --progress-spinner off -r requirements.txt

soak: $(READY) ## what disturbs the desk, ten times over
	@for seed in 1 2 3 4 5 6 7 8 9 10; do \
	  SEED=$$seed $(BIN)/python -m pytest tests/e2e/test_host_*.py tests/unit/test_runtime_chance.py $(ARGS) || exit 1; \
	done

bench: $(BENCH_READY) ## measure it beside others; ARGS="trade polling" for some parts
	@$(BENCH)/bin/python -m tests.bench $(ARGS)

# Needs PyPI: the tests are in Microsoft's source distribution.
cosmos-conformance: $(READY)
	@$(BIN)/python -m tests.standins.cosmos.conformance

format: $(READY) ## put the code into its format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## remove what was built; the desk's data stays
	rm -rf $(VENV) $(BENCH) $(TYPES) .venv-audit .bench .package functions/api/site web/generated web/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info

help:
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

# The first of these that is new enough; .python-version makes pyenv and uv offer 3.13 as python3.
$(READY): requirements.txt requirements-dev.txt pyproject.toml .python-version
	@found=; for python in python3 python3.13 python3.14; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 13))' 2>/dev/null; then found=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "FinAgent needs Python 3.13; python3 here is $$(python3 --version 2>&1 | head -n 1). Nothing was installed."; \
	  exit 1; \
	fi; \
	echo "Making $(VENV) with $$($$found --version)"; \
	$$found -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(READY)

# npm's scripts are not run: nothing that is installed needs them.
$(MODULES): web/package.json web/package-lock.json
	@cd web && npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

# What the API and its events are called and hold; written anew only where it differs.
$(API_DOCUMENT): $(READY) $(shell find functions/api shared -name '*.py')
	@$(BIN)/python -m tools.write_api_types
	@touch $@

$(API_TYPES): $(MODULES) $(API_DOCUMENT)
	@cd web && npm run --silent types >/dev/null

$(SITE): $(MODULES) $(API_TYPES) $(WEB_SOURCES)
	@cd web && npx vite build --logLevel warn

$(BENCH_READY): $(READY) tests/bench/requirements.txt
	$(BIN)/python -m venv --clear $(BENCH)
	@$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/bench/requirements.txt
	@touch $(BENCH_READY)

$(TYPES_READY): $(READY) tools/infra/requirements.txt
	$(BIN)/python -m venv --clear $(TYPES)
	@$(TYPES)/bin/python -m pip install --quiet --disable-pip-version-check -r tools/infra/requirements.txt
	@touch $(TYPES_READY)
