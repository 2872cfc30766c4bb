# The commands of a developer and of CI; `make help` lists them.
.DEFAULT_GOAL := help
SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= movielens-100k
INSTALLED := $(VENV)/.installed
# PySpark is 430 MB, and most of the tests need none of it.
SPARK_VENV := .venv-spark
SPARK_INSTALLED := $(SPARK_VENV)/.installed
SPARK_TESTS := tests/spark tests/components/compute tests/components/build_features tests/components/fetch_training_set \
  tests/parity/test_histories.py
# The uv on PATH, or else one installed into the environment.
UV := $(or $(shell command -v uv),$(BIN)/uv)
export PYTHONDONTWRITEBYTECODE =

.PHONY: help demo test test-spark check format lock protos bench bench-training bench-model bench-feedback bench-first-answer bench-scale sizes attack clean

help: ## List the commands
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## Train, promote, serve and recommend on MovieLens-100K (DATA=movielens-1m: the larger set)
	@$(BIN)/penchant demo $(DATA)

test: $(INSTALLED) ## Run all tests
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-spark: $(SPARK_INSTALLED) ## Run the tests of the features on Spark, and compare its files with those of DuckDB
	@command -v java >/dev/null || { echo "Spark needs Java 17 or 21: apt-get install openjdk-17-jre-headless"; exit 2; }
	TEST_COMPUTE='local[2]' $(SPARK_VENV)/bin/python -m pytest -q $(SPARK_TESTS)

check: $(INSTALLED) ## Check style, types and the allowed imports between packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(INSTALLED) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(INSTALLED) ## Resolve pyproject.toml into requirements.lock; a pinned version stays as long as it fits
	$(UV) pip compile --quiet --universal --python-version 3.11 --extra dev --extra s3 --extra gpu --extra spark \
	  --generate-hashes --no-annotate --no-header --no-emit-index-url pyproject.toml -o requirements.lock

protos: $(INSTALLED) ## Generate the gRPC stubs
	$(BIN)/python -m grpc_tools.protoc -I . --python_out=. --pyi_out=. serving/protos/*.proto
	$(BIN)/python -m grpc_tools.protoc -I . --grpc_python_out=. serving/protos/recommender.proto

bench: $(INSTALLED) ## Measure serving, and an empty gRPC service for comparison
	$(BIN)/python -m tests.benchmarks

bench-training: $(INSTALLED) ## Measure training: against its matrix products, and on a million items (TORCH=PYTHON: against PyTorch)
	$(BIN)/python -m tests.benchmarks.training_throughput $(if $(TORCH),--torch-python $(TORCH))
	$(BIN)/python -m tests.benchmarks.training_scale

bench-model: $(INSTALLED) ## Measure on DATA what each input adds and what compression costs; measure the defaults on synthetic shops
	$(BIN)/python -m tests.benchmarks.ablation $(DATA)
	$(BIN)/python -m tests.benchmarks.compression $(DATA)
	$(BIN)/python -m tests.benchmarks.synthetic

bench-feedback: $(INSTALLED) ## Measure on DATA and on planted opinions what dislikes do to answers
	$(BIN)/python -m tests.benchmarks.feedback --dataset $(DATA)

bench-scale: $(INSTALLED) ## Measure each step but the training epochs on synthetic data: time, memory, rows
	$(BIN)/python -m tests.benchmarks.scale

bench-first-answer: $(INSTALLED) ## Measure from files of 100,000 rows, in three layouts, to the first answer
	$(BIN)/python -m tests.benchmarks.first_answer

sizes: $(INSTALLED) ## Install the client, the recommender and the pipeline separately; print size and import time
	$(BIN)/python -m tests.packaging

attack: $(INSTALLED) ## Attack Penchant on this machine with bounded scripts; print what holds
	$(BIN)/python -m tests.attack

clean: ## Remove the environment and all runs
	rm -rf $(VENV) $(SPARK_VENV) .penchant*

# Runs again when the lock or pyproject.toml has changed. --compile-bytecode makes every later import 3 times faster.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Penchant needs Python 3.11, 3.12 or 3.13; '$(PYTHON)' is $$($(PYTHON) -V). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(UV) || $(BIN)/python -m pip install -qq uv==0.13.9
	@echo "Installing about 200 packages into $(VENV): one or two minutes, plus the downloads …"
	@$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes \
	  --requirement pyproject.toml --extra dev --constraint requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@log=$$(TF_USE_LEGACY_KERAS=1 $(BIN)/python -O -m components.bytecode 2>&1) || { echo "$$log"; exit 1; }
	@touch $@

# An environment of its own, so that no other one needs Spark.
$(SPARK_INSTALLED): requirements.lock pyproject.toml | $(INSTALLED)
	@test -x $(SPARK_VENV)/bin/python || $(BIN)/python -m venv $(SPARK_VENV)
	@echo "Installing the packages and PySpark into $(SPARK_VENV): two or three minutes, plus the downloads …"
	@$(UV) pip install --quiet --python $(SPARK_VENV)/bin/python --require-hashes \
	  --requirement pyproject.toml --extra dev --extra spark --constraint requirements.lock
	@touch $@
