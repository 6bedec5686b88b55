VENV   := .venv
PYTHON := $(VENV)/bin/python
# Made last, so that an install that broke off half-way is taken up again.
STAMP  := $(VENV)/.installed

# In two processes, each with a database, an App and a browser of its own, and one thread.
# Files stay in the order of tests/conftest.py, which spreads those with a browser.
TWICE  := OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help install demo app test fast fuzz lint docs screenshots bench bench-compare results quality gpu clean

help:  ## show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: install  ## choose samples on a small dataset, from start to finish
	$(PYTHON) examples/digits_demo.py

app: install  ## open the App with the plugin loaded
	$(PYTHON) examples/open_app.py

test: install lint  ## check style and types, then run every test
	$(PYTHON) scripts/ensure_label_studio.py  # minutes, the first time
	$(TWICE) -q --durations=15

fast: install  ## run the tests that need neither a browser nor patience
	$(TWICE) -q -m "not slow and not browser"

fuzz: install  ## kill and fuzz for about an hour: every point, many examples
	FUZZ=true $(TWICE) -q --durations=15 tests/reliability

lint: $(STAMP)  ## check style, types and which room imports which
	$(PYTHON) -m ruff check
	$(PYTHON) -m mypy
	PYTHONPATH=$(VENV)/plugin $(VENV)/bin/lint-imports

docs: $(STAMP)  ## write the pages of docs that are derived from the code
	PYTHONPATH=. $(PYTHON) scripts/write_docs.py

screenshots: install  ## take the pictures of the guide and the README anew
	PICTURES=true $(PYTHON) -m pytest tests/browser/test_panel.py
	for name in opened preview why-this-image; do cp test-output/panel-$$name.png docs/pictures/; done

quality: install  ## replay every strategy on the sets of ALCORE_DATA: [ARGS="--seeds 20"]
	$(PYTHON) -m pip install -q -r benchmarks/requirements.txt
	$(PYTHON) benchmarks/quality.py --pictures benchmarks/pictures $(ARGS)
	$(PYTHON) benchmarks/quality_outcomes.py

bench: install  ## measure speed, beside other libraries
	$(PYTHON) -m pip install -q -r benchmarks/requirements.txt
	$(PYTHON) benchmarks/speed.py

bench-compare: install  ## measure speed beside that of another commit: BASE=<commit> [ONLY="<parts>"]
	$(PYTHON) benchmarks/compare.py $(BASE) $(if $(ONLY),--only $(ONLY))

results: install  ## write benchmarks/RESULTS.md anew, or some parts: [ONLY="<parts>"]
	$(PYTHON) -m pip install -q -r benchmarks/requirements.txt
	$(PYTHON) benchmarks/results.py $(if $(ONLY),--only $(ONLY))

gpu: install  ## run every device test and measure, on a GPU where there is one
	$(PYTHON) -m pytest -q -m gpu tests/alcore
	$(PYTHON) benchmarks/gpu.py

install: $(STAMP)  ## install everything into .venv and see to a database
	@$(PYTHON) scripts/ensure_mongod.py

$(STAMP): requirements.txt requirements-dev.txt requirements-ray.txt requirements-annotation.txt pyproject.toml
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || python3 -m venv $(VENV)
	$(PYTHON) -m pip install -r requirements.txt -r requirements-dev.txt
	$(PYTHON) -m pip install --no-deps --no-build-isolation -e .
	mkdir -p $(VENV)/plugin
	ln -sfn ../.. $(VENV)/plugin/active_learning
	touch $@

clean:  ## remove what tests, demo and tools leave behind; .venv stays
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist test-output demo-output
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -exec rm -rf {} +
