# Two commands matter: `make run` and `make test`. Each makes what it needs; nothing is installed outside the .venv folders.
.PHONY: run demo check check-infra infra-types package test audit soak bench cosmos-conformance format clean help
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH := .venv-bench
BENCH_READY := $(BENCH)/.ready
TYPES := .venv-types
TYPES_READY := $(TYPES)/.ready

run: $(READY) ## start the desk on 127.0.0.1:7071
	@exec $(BIN)/finagent run $(ARGS)

demo: $(READY) ## do the main job once, from an empty desk to a consensus
	@$(BIN)/finagent demo $(ARGS)

check: check-infra ## lint, format, types, imports, deployment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check-infra: $(READY) ## the deployment alone: types and policies of its Bicep
	@$(BIN)/python -m tools.infra

# Microsoft's types come from msmcp-azure, 150 MB that nothing else needs.
infra-types: $(TYPES_READY)
	@$(TYPES)/bin/python -m tools.infra.microsoft

package: $(READY) ## what a deployment uploads, in .package
	@$(BIN)/python -m tools.package

test: $(READY) ## every test; ARGS="-n0 tests/unit" for some, one at a time
	$(BIN)/python -m pytest -n 4 --dist worksteal $(ARGS)

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
	rm -rf $(VENV) $(BENCH) $(TYPES) .venv-audit .bench .package .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info

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

$(BENCH_READY): $(READY) tests/bench/requirements.txt
	$(BIN)/python -m venv --clear $(BENCH)
	@$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/bench/requirements.txt
	@touch $(BENCH_READY)

$(TYPES_READY): $(READY) tools/infra/requirements.txt
	$(BIN)/python -m venv --clear $(TYPES)
	@$(TYPES)/bin/python -m pip install --quiet --disable-pip-version-check -r tools/infra/requirements.txt
	@touch $(TYPES_READY)
