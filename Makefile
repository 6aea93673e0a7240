# Targets for development and for the demo; `make help` lists them.
# All paths are relative, so that a clone works in a folder with a space in its name.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PY := .venv/bin/python
VENV_DONE := .venv/complete

# Arguments, for example: `make demo IMAGES=folder`, `make bench ARGS='...'`.
IMAGES ?=
ARGS ?=
EXAMPLES ?= 20000
COVERAGE ?= --cov --cov-report=term:skip-covered
DIST ?= dist
PIP_AUDIT := 2.10.1

.PHONY: help setup demo screenshot browser ssh-server test test-recipes test-kubernetes test-stack test-thorough check audit unit docs dist bench bench-rivals soak endurance models-report clean

help: ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' Makefile | while IFS='|' read -r name text; do printf '%-18s %s\n' "$$name" "$$text"; done

setup: $(VENV_DONE) ## Install what is missing: packages, Kafka, Triton, the model.
	@$(PY) -m uncia.infra.local.install

demo: setup ## Run three simulated camera stations against the whole system (IMAGES=folder: your own photographs).
	@$(PY) -m uncia demo $(if $(IMAGES),--images "$(IMAGES)") $(ARGS)

screenshot: $(VENV_DONE) ## Photograph the dashboard of the last demo, for the README, into docs/images/dashboard.jpg.
	@$(PY) -m uncia.infra.demo.screenshot $(ARGS)

# Without coverage, and with fewer examples of properties, which take minutes; `make check` alone has both.
test: COVERAGE =
test: export UNCIA_TEST_MAX_EXAMPLES = 40
test: setup check browser ssh-server test-recipes test-kubernetes test-stack ## All tests: style, types, unit tests, model recipes, the dashboard, and the real stack.

test-recipes: setup browser ssh-server ## Tests of the model recipes, and of the dashboard in Chromium.
	@$(PY) -m pytest -n auto --dist loadfile -m "not thorough" tests/recipes tests/browser $(ARGS)

test-kubernetes: $(VENV_DONE) ## Render the Helm chart and check it against the schemas; needs Go, and minutes the first time.
	@$(PY) -m pytest -o timeout=1800 tests/kubernetes $(ARGS)

test-stack: setup ## Tests on the real stack: Kafka, SeaweedFS, Triton, workers; kills and outages.
	@# Two stacks at a time, because most tests wait. The faults under load after them, one stack at a time. A broken
	@# stack fails every test, each after its limit: the first failures say why. Status 5: ARGS selects none of them.
	@# By name, not by size: a file finds on its stack's topics only what files before it in the alphabet have sent.
	@$(PY) -m pytest -v -n 2 --dist loadfile --no-loadscope-reorder --maxfail=8 -m "not thorough" tests/stack $(ARGS) || [ $$? = 5 ]
	@$(PY) -m pytest -v --maxfail=4 -m "not thorough" tests/recovery $(ARGS) || [ $$? = 5 ]

test-thorough: setup browser ssh-server ## What `make test` leaves out: slow variants of its tests on the real stack and of the recipes.
	@$(PY) -m pytest -n auto --dist loadfile -m thorough tests/recipes tests/browser $(ARGS) || [ $$? = 5 ]
	@$(PY) -m pytest -v -n 2 --dist loadfile --no-loadscope-reorder -m thorough tests/stack $(ARGS) || [ $$? = 5 ]
	@$(PY) -m pytest -v -m thorough tests/recovery $(ARGS) || [ $$? = 5 ]

browser: $(VENV_DONE) ## Install Chromium for the browser tests, where this is allowed (root, Debian or Ubuntu).
	@$(PY) -m uncia.infra.local.install_browser

ssh-server: $(VENV_DONE) ## Install OpenSSH for the tests of remote training, where this is allowed (root, Debian or Ubuntu).
	@$(PY) -m uncia.infra.local.install_ssh_server

check: $(VENV_DONE) ## Style, types, layers, generated pages, unit tests with branch coverage.
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(PY) -m mypy examples/*.py
	@$(PY) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
	@$(PY) -m uncia topics docs --check
	@$(PY) -m uncia topology docs --check
	@$(PY) -m uncia settings docs --check
	@$(PY) -m uncia.infra.kubernetes.generate --check
	@$(PY) -m pytest -n auto $(COVERAGE) tests/unit

audit: .local/tools/pip-audit-$(PIP_AUDIT)/complete ## Search published vulnerabilities of the pinned Python packages; needs PyPI or OSV (ARGS='-s osv').
	@# --strict: a package whose data cannot be read is an error; without it the result would be that nothing is known.
	@for pins in constraints.txt infra/local/triton-requirements.txt; do \
		echo "$$pins" && $(<D)/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off --requirement "$$pins" $(ARGS) || exit 1; \
	done

.local/tools/pip-audit-$(PIP_AUDIT)/complete: | $(VENV_DONE)
	@# In an environment of its own: what it depends on must not change what is tested.
	@$(PY) -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==$(PIP_AUDIT)
	@touch $@

unit: $(VENV_DONE) ## Unit tests alone, without coverage.
	@$(PY) -m pytest -q -n auto tests/unit $(ARGS)

docs: $(VENV_DONE) ## Build the documentation as a site, into .local/site.
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --quiet
	@echo "open .local/site/index.html, or serve it: $(PY) -m http.server -d .local/site 8080"

dist: $(VENV_DONE) ## Build the sdist, and from it the wheel, into dist/, and check both (DIST=folder: into another one).
	@rm -f "$(DIST)"/uncia-*.whl "$(DIST)"/uncia-*.tar.gz
	@"$(PY)" -m build --outdir "$(DIST)" .
	@"$(PY)" -m twine check --strict "$(DIST)"/uncia-*
	@"$(PY)" -m check_wheel_contents "$(DIST)"/uncia-*.whl

bench: setup ## Measure speed, into .local/bench/results.json; then test bursts with many more examples.
	@$(PY) -m benchmarks $(ARGS)
	@UNCIA_TEST_EXAMPLES=$(EXAMPLES) $(PY) -m pytest -q -o timeout=3600 tests/unit/processors/bursts/test_bursts_in_any_order.py

bench-rivals: setup ## Classify the same bursts by Uncia, SynapseML, Bytewax and a plain loop, in turns (20 minutes).
	@$(PY) -m benchmarks.rivals $(ARGS)

soak: setup ## Play 20 rounds of 300 photographs with one fault in each, and account for every photograph.
	@$(PY) -m benchmarks.recovery $(ARGS)

endurance: setup ## Upload 10,000 photographs and record memory.
	@$(PY) -m benchmarks --soak 10000 $(ARGS)

models-report: setup ## Run the model recipes end to end in under half an hour (ARGS=--quick: a few minutes).
	@$(PY) -m uncia.infra.local.install_stamps
	@$(PY) -m benchmarks.models_report $(ARGS)

clean: ## Stop the stack and remove everything that was installed, built and stored.
	@if [ -x $(PY) ]; then $(PY) -m uncia down; UNCIA_STACK_DIR=.local/demo/stack $(PY) -m uncia down; fi
	rm -rf .venv .local dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV_DONE): pyproject.toml constraints.txt infra/local/make_venv.sh
	@sh infra/local/make_venv.sh
	@touch $(VENV_DONE)
