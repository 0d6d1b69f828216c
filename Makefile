# make demo: install into .venv and judge the sample submissions. make test: every test. make lint: style, types, import rule.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PLUGINS := plugins/pytorch plugins/onnx plugins/tensorflow
WORKERS ?= 2

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export ORT_DISABLE_TELEMETRY := 1

.PHONY: demo test lint wheels bench clean

demo: $(STAMP)
	@rm -f report/leaderboard.md
	@$(BIN)/micronet-verify run sample_submissions --report report || [ $$? -eq 1 ]
	@test -s report/leaderboard.md
	@echo
	@echo "Entries under broken/ fail on purpose, each for the reason in sample_submissions/README.md."
	@echo "Next: $(BIN)/micronet-verify explain sample_submissions/digits/pruned-onnx"

test: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -q

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python changelog.d/collect.py --check

wheels: $(STAMP)
	$(BIN)/python .ci/wheels.py

bench: $(STAMP)
	$(BIN)/python -m benchmarks

$(STAMP): pyproject.toml constraints.txt $(PLUGINS:%=%/pyproject.toml)
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "got Python %d.%d but should be 3.11 or newer" % sys.version_info[:2])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[dev]" -e plugins/pytorch -e plugins/onnx -e "plugins/tensorflow[tensorflow,tflite]"
	@touch $@

clean:
	rm -rf $(VENV) report build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
