.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
# Exactly the pinned, hashed distributions of the lock file; nothing else is fetched.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input

##@ Run
demo: .venv/run.stamp ## Set everything up, run the scenarios, verify the receipts
	@$(BIN)/sharebroker demo $(ARGS)

##@ Develop
test: .venv/dev.stamp ## Run all tests, on SQLite and on a real PostgreSQL (and on Spark after `make spark`)
	$(BIN)/python -m pytest -n auto $(ARGS)

lint: .venv/dev.stamp ## ruff, mypy --strict, import-linter, buf
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd proto && ../$(BIN)/buf lint && ../$(BIN)/buf format --diff --exit-code

format: .venv/dev.stamp ## Format Python and proto
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cd proto && ../$(BIN)/buf format --write

proto: .venv/dev.stamp ## Generate broker/v1 from proto/broker/v1
	$(BIN)/python -m grpc_tools.protoc -I proto --python_out=. --pyi_out=. --grpc_python_out=. proto/broker/v1/*.proto

bench: .venv/dev.stamp .venv-peers/stamp .venv/spark.stamp ## Measure, as ratios beside a peer or a physical limit
	$(BIN)/python -m benchmarks $(ARGS)

peers: .venv-peers/stamp ## Set up the peers that need an environment of their own, and ask them for the figures that tests compare
	.venv-peers/bin/python benchmarks/pycanon_figures.py --golden tests/cli/mask/golden/pycanon.json

verifiers: .venv-verifiers/stamp ## Set up Go and @auth0/cose, and verify log and receipts with them
	$(BIN)/python -m pytest tests/cli/test_log.py tests/docs/test_verify_without_us.py

mutants: .venv/dev.stamp ## Take each masking guard away; a test must fail
	$(BIN)/python tests/mutations/run.py

soak: .venv/dev.stamp ## Long runs: kills, failing disks, load; or `make soak ARGS="kills --postgres"`
	$(if $(ARGS),$(BIN)/python -m soak $(ARGS),$(BIN)/python -m soak kills && $(BIN)/python -m soak faults && $(BIN)/python -m soak load)

docs: .venv/dev.stamp ## Write the generated parts of the docs (settings, command line)
	$(BIN)/python docs/generate.py

lock: .venv/dev.stamp ## Pin all dependencies again, with hashes and without any index URL
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" --group build pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" --constraint requirements.lock --group dev --group build pyproject.toml \
	  --output-file requirements-dev.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" --constraint requirements.lock --extra spark pyproject.toml \
	  --output-file requirements-spark.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" --group pyproject.toml:peers --output-file requirements-peers.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock" --group pyproject.toml:verifiers --output-file requirements-verifiers.lock
	cd docs/verify-without-us && npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund

spark: .venv/spark.stamp ## Install Spark (needs Java 17) and test on a cluster of two workers
	$(BIN)/python -m pytest -m spark $(ARGS)

##@ Clean
clean: ## Remove the virtual environment, caches and the demo's data
	rm -rf .venv .venv-peers .venv-verifiers var build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} \
	  /^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed / 需要 Python 3.11 或更新版本")'
	$(PYTHON) -m venv .venv

.venv/run.stamp: .venv/bin/python requirements.lock pyproject.toml
	$(PIP_INSTALL) --require-hashes -r requirements.lock
	$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	touch $@

.venv/dev.stamp: .venv/run.stamp requirements-dev.lock
	$(PIP_INSTALL) --require-hashes -r requirements-dev.lock
	touch $@

# Spark comes as source, so it is built, by what the lock file of development pins and without fetching more.
.venv/spark.stamp: .venv/dev.stamp requirements-spark.lock
	$(PIP_INSTALL) --require-hashes --no-build-isolation -r requirements-spark.lock
	touch $@

.venv-peers/stamp: requirements-peers.lock
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r requirements-peers.lock
	touch $@

# Beside the tests' own environment: nothing in it is needed to run or to lint.
.venv-verifiers/stamp: requirements-verifiers.lock docs/verify-without-us/package-lock.json
	$(PYTHON) -m venv .venv-verifiers
	.venv-verifiers/bin/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r requirements-verifiers.lock
	cp docs/verify-without-us/package*.json .venv-verifiers
	cd .venv-verifiers && timeout 120 npm install --silent --ignore-scripts --omit=optional --no-audit --no-fund
	touch $@

.PHONY: demo test lint format proto bench mutants peers verifiers soak docs lock spark clean help
