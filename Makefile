# The four verbs, the same here and in CI, and a store to try. Settings: make ARGS="--speed 10".

PYTHON ?= python3.11
BIN := .venv/bin
INSTALL ?= $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: main test check bench cloud fleet clean

main: .venv/main
	@exec $(BIN)/python -m trainers.session $(ARGS)

# Three files at a time, as most of them wait most of the time; a file's tests stay together, as they
# share what is costly to make. Those that take longest come first (tests/conftest.py).
# Bytecode is kept, whatever the shell says: some 300 processes would each compile all anew.
test: export PYTHONDONTWRITEBYTECODE =
test: .venv/dev
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/dev
	$(BIN)/python -m benchmarks $(ARGS)

# PostgreSQL and S3 on this machine, until Ctrl-C; needs Debian's postgresql (docs/cloud.md).
cloud: .venv/cloud
	@exec $(BIN)/python -m trainers.tracking.trial $(ARGS)

# The main job on Ray, on this machine or on a cluster: make fleet ARGS="--address HOST:PORT".
fleet: .venv/fleet
	@exec $(BIN)/python -m trainers.session.fleet $(ARGS)

# Each stamp stands for an environment with what its list names.
.venv/main: requirements.txt
	@echo "Making the environment in .venv (a few minutes, once) ..."
	$(PYTHON) -m venv .venv
	$(INSTALL) -r requirements.txt
	@touch $@

.venv/%: requirements-%.txt .venv/main
	$(INSTALL) -r $<
	@touch $@

.venv/dev: $(wildcard requirements*.txt)

clean:
	rm -rf .venv .bench build
