# Set-up, test and upkeep. `make run` and `make test` are all that a newcomer needs.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
TARGET ?= lab:healthy
ARGS   ?=
PYTHONS ?= $(shell command -v python3.11 python3.12 python3.13 python3.14)

# Hundreds of processes are started in a test run: none of them is to compile what another one has compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: coverage attack lowest pythons run test lint types unit real system-packages sdks examples docs bench wheel sbom image clean

run: $(VENV)/.installed  ## run against the embedded lab, or TARGET=https://...
	@$(BIN)/btdiag run --target $(TARGET) $(ARGS)

test: system-packages $(VENV)/.tested sdks lint types  ## everything that CI runs
	$(BIN)/pytest -q -m 'not alone' -n 3 --dist loadscope --no-loadscope-reorder --reruns 1
	$(BIN)/pytest -q -m alone -n 2 --dist loadscope --no-loadscope-reorder --reruns 1
	$(BIN)/python tests/docs.py --check
	$(BIN)/python tests/examples.py --check

coverage: system-packages $(VENV)/.tested sdks  ## the same tests, counting what they cover, and the floors
	$(BIN)/pytest -q -m 'not alone' -n 3 --dist loadscope --cov --cov-report=
	$(BIN)/pytest -q -m alone --cov --cov-append --cov-report=term:skip-covered
	$(BIN)/python tests/coverage_floor.py

lint: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.tested
	$(BIN)/mypy

unit: $(VENV)/.tested  ## without real servers and browsers
	$(BIN)/pytest -q -m 'not real'

system-packages:
	@sh tests/system-packages.sh

sdks: system-packages | $(BIN)/pip
	@PYTHON=$(BIN)/python sh tests/sdks.sh

examples: $(VENV)/.tested  ## render reports/examples anew from the lab
	$(BIN)/python tests/examples.py

docs: $(VENV)/.tested  ## write docs/checks anew from the docstrings
	$(BIN)/python tests/docs.py

bench: $(VENV)/.tested  ## speed and memory, as ratios measured side by side
	$(BIN)/python tests/bench.py
	$(BIN)/python tests/bench_many.py
	$(BIN)/python tests/bench_race.py

MINUTES ?= 10

attack: $(VENV)/.tested  ## btdiag against all hostile servers of the corpus, and btdiag serve under attack for MINUTES
	$(BIN)/python -m tests.attack.attack $(ARGS)
	$(BIN)/python -m tests.attack.serving $(MINUTES)

lowest:  ## the tests without real servers, on the oldest dependencies that pyproject.toml allows
	sh tests/environments.sh $(PYTHON) lowest $(ARGS)

pythons:  ## the same on other Pythons: make pythons PYTHONS="python3.12 python3.13"
	for python in $(PYTHONS); do sh tests/environments.sh $$python newest $(ARGS) || exit 1; done

wheel: $(VENV)/.tested
	$(BIN)/python -m build --wheel

sbom: wheel  ## what the wheel brings along, in CycloneDX, beside it; the image has its own in /opt/btdiag
	$(PYTHON) -m venv --clear build/sbom
	build/sbom/bin/pip install -q --disable-pip-version-check "$$(ls -t dist/btdiag-*.whl | head -1)[serve,remote]"
	$(PYTHON) -m venv --clear build/cyclonedx
	build/cyclonedx/bin/pip install -q --disable-pip-version-check 'cyclonedx-bom>=7'
	build/cyclonedx/bin/cyclonedx-py environment --pyproject pyproject.toml --mc-type library --output-reproducible \
	  -o dist/btdiag-$(VERSION).cdx.json build/sbom/bin/python

BUILDER ?= $(firstword $(foreach one,podman buildah docker,$(if $(shell command -v $(one) 2>/dev/null),$(one))))
VERSION  = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' btdiag/__init__.py)
IMAGE   ?= btdiag:$(VERSION)
BUILD_FLAGS ?=

image:  ## a container image with podman, buildah or docker; BASE=... names another base image, RUNTIME=... a smaller one
	@test -n "$(BUILDER)" || { echo "make: podman, buildah or docker is missing: apt-get install buildah" >&2; exit 1; }
	$(BUILDER) build $(BUILD_FLAGS) $(if $(BASE),--build-arg BASE=$(BASE)) $(if $(RUNTIME),--build-arg RUNTIME=$(RUNTIME)) -t $(IMAGE) -f Containerfile .

clean:
	rm -rf $(VENV) build dist .coverage .mypy_cache .ruff_cache

# What pip says is of use only where it fails: an index that is configured and away makes it warn of each package.
install = $(BIN)/pip install -q --disable-pip-version-check -e $(1) >$(VENV)/pip.log 2>&1 || { cat $(VENV)/pip.log >&2; exit 1; }

$(BIN)/pip:
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "make: python3-venv is missing: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/.installed: pyproject.toml | $(BIN)/pip
	@echo "Installing btdiag into $(VENV) ..."
	@$(call install,.)
	@touch $@

$(VENV)/.tested: pyproject.toml | $(BIN)/pip
	@echo "Installing btdiag and what its tests need into $(VENV) ..."
	@$(call install,'.[dev]')
	@touch $(VENV)/.installed $@
