# Two commands: `make demo` and `make test`. Both work in a fresh clone with Python 3.10+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check -qq
# The newest packages want Python 3.11; 3.10 has a set of its own.
CONSTRAINTS := $(shell $(PYTHON) -c "import sys; print('constraints.txt' if sys.version_info >= (3, 11) else 'constraints-py310.txt')")
# Files begin in the order of tests/conftest.py, the longest first.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
QUICK := "not slow and not campaign and not vllm"
# Tests start many processes, and pytest rewrites every assertion: what is compiled is kept, in an
# image that says otherwise too.
unexport PYTHONDONTWRITEBYTECODE
# Pairs and judge of the demo are in the package: nothing may be fetched.
OFFLINE := HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1

.PHONY: help demo test lint types unit slow campaign demo-judge demo-report export-examples docs docs-serve docs-tables dist clean

help:
	@echo "make demo   install into $(VENV) and run the demo judge through lm_eval, offline"
	@echo "make test   lint, types and tests"
	@echo "make slow   the tests that take seconds each, and all combinations of settings"
	@echo "make campaign   faults by the thousand: kills, flipped bits, mutated files"
	@echo "make docs   the documentation's site, into build/docs"
	@echo "make docs-tables   write the tables of docs/ that are made from the code"
	@echo "make demo-report   the same run with its report, into results/demo"
	@echo "make dist   build the wheel and the sdist into dist/, and check them with twine"

# torch first and by itself: a range that another package asks for could fetch a CUDA build.
$(VENV)/installed: pyproject.toml setup.py $(CONSTRAINTS)
	@echo "Installing the pinned set into $(VENV); this takes a few minutes the first time."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install -c $(CONSTRAINTS) torch
	@$(PIP) install -c $(CONSTRAINTS) -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@$(PIP) install -c $(CONSTRAINTS) -e ".[dev]"
	@touch $@ $(VENV)/installed-docs

$(VENV)/installed-docs: $(VENV)/installed
	@$(PIP) install -c $(CONSTRAINTS) -e ".[docs]"
	@touch $@

demo: $(VENV)/installed
	$(OFFLINE) $(BIN)/lm_eval --model ultrarm --model_args pretrained=demo --tasks ultrafeedback_pairs_demo

# Types are checked beside the tests, by what they leave of the processors; what mypy says comes last.
test: lint
	@mkdir -p build; \
	nice $(BIN)/mypy >build/mypy.txt 2>&1 & mypy=$$!; trap 'kill $$mypy 2>/dev/null' EXIT INT TERM; \
	$(PYTEST) -m $(QUICK); tests=$$?; \
	wait $$mypy; types=$$?; trap - EXIT; \
	echo "$(BIN)/mypy"; cat build/mypy.txt; \
	[ $$tests -eq 0 ] && [ $$types -eq 0 ]

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev
	$(BIN)/mypy

unit: $(VENV)/installed-dev
	$(PYTEST) -m $(QUICK)

# What takes seconds each, or repeats what a quick test checks: several processes, installed
# packages, pages at size, products of settings.
slow: $(VENV)/installed-dev
	$(PYTEST) -m "slow and not campaign and not vllm"

# Faults by the thousand: kills, flipped bits, mutated files; and drawn examples in full number.
campaign: $(VENV)/installed-dev
	ULTRARM_EVAL_FULL_EXAMPLES=1 $(PYTEST) -m "(campaign or hypothesis) and not vllm"

# Makes the bundled demo data and judge anew; minutes on a CPU, the same result each time.
demo-judge: $(VENV)/installed-dev
	$(BIN)/python scripts/make_demo_data.py --split heldout -o ultrarm_eval/demo/ultrafeedback_demo.jsonl
	$(BIN)/python scripts/train_demo_judge.py

# The run of `make demo` with its report, as it stands in results/demo, which CI compares; and the
# pictures of README and docs/ that are taken of it.
demo-report: $(VENV)/installed-dev
	$(OFFLINE) $(BIN)/python scripts/make_demo_report.py
	$(BIN)/python scripts/make_docs_images.py

# An example of each export, from that run.
export-examples: $(VENV)/installed-dev
	$(OFFLINE) $(BIN)/python scripts/make_export_examples.py

# The documentation's site, for a server and for file://. The theme prints a notice about MkDocs 2 at
# each build unless this is set; the package's bounds keep MkDocs 1.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs

docs: $(VENV)/installed-docs
	$(MKDOCS) build
	@echo "Open build/docs/index.html."

# The same at http://127.0.0.1:8000, built again whenever a page changes.
docs-serve: $(VENV)/installed-docs
	$(MKDOCS) serve

# The tables of README.md and docs/, and docs/cli.md, from the code; a test checks them.
docs-tables: $(VENV)/installed-dev
	$(OFFLINE) $(BIN)/python scripts/make_docs_tables.py

# Older files go first: an older version beside the new one would be checked, and uploaded.
DIST ?= dist
dist: $(VENV)/installed-dev
	@rm -f $(DIST)/ultrarm_eval-*
	@mkdir -p $(DIST)
	@$(BIN)/python -m build --outdir $(DIST) . >$(DIST)/build.log 2>&1 || { cat $(DIST)/build.log; exit 1; }
	@rm $(DIST)/build.log
	@ls -l $(DIST)
	$(BIN)/twine check --strict $(DIST)/*

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
