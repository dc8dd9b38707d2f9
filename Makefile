# make demo · make test: both do all set-up themselves (virtual environment, packages; on Debian as root the system packages too).

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
NODE_STAMP := tests/interop/node_modules/.complete
# tool:package of Debian
SYSTEM := gcc:build-essential mosquitto:mosquitto mosquitto_sub:mosquitto-clients mbpoll:mbpoll systemd-analyze:systemd node:nodejs npm:npm
# Else each of the many processes of tests and demo would compile every source anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check bench campaign explore votes kills attacks quiet mutants setup system interop constraints interop-lock clean

# PLC=tcp, tls, rtu or opcua: the wire to the soft PLC.
PLC ?= tcp

demo: setup
	$(BIN)/ovensim demo --plc $(PLC) $(ARGS)

test: setup interop check
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadscope --no-loadscope-reorder $(ARGS)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# Long runs, by hand; their last figures stand in the README with command and date.
bench: setup
	$(BIN)/python -m tests.benchmarks
	$(BIN)/python -m tests.benchmarks_memory
	$(BIN)/python -m tests.benchmarks_model
	$(BIN)/python -m tests.benchmarks_wires
	$(BIN)/python -m tests.benchmarks_opcua

# Broken off, it goes on where it was; var/campaign keeps every run. After a change of code that folder has to go first.
campaign: setup
	mkdir -p var/campaign
	$(BIN)/ovensim campaign recipes/trial-short.toml --runs 200 --jobs 2 --scan 2 --out var/campaign/trial-short.jsonl --resume $(ARGS)
	for recipe in vacuum nitrogen vacuum-nitrogen; do $(BIN)/ovensim campaign recipes/$$recipe.toml \
	  --load recipes/loads/production-roll.toml --runs 40 --jobs 2 --scan 2 --out var/campaign/$$recipe.jsonl --resume $(ARGS) || exit 1; done
	$(BIN)/ovensim campaign recipes/trial-short.toml --fault random --runs 200 --jobs 2 --scan 2 --out var/campaign/faults.jsonl --resume $(ARGS)

# The unit-state machine, breadth first until no node is left: every recipe, a few disturbances, outages of three lengths (an hour of CPU).
# ARGS="--causes all --people": every disturbance and what people do to a running batch; ARGS="--causes pairs": every two together.
explore: setup
	$(BIN)/ovensim explore $(ARGS)

# All 7^3 combinations of faults of a zone's three thermocouples, in four phases and three zones, on the soft PLC (minutes).
votes: setup
	$(BIN)/python -m tests.voting

# kill -9 of the real core, 100 times in one accelerated batch (about 25 min); fault-free hours; mutants of the safety modules (about an hour of CPU).
kills: setup
	$(BIN)/ovensim kills --runs 100 $(ARGS)

# Attacks on the gateway's OPC UA server, a minute of each kind, while a batch ramps, and the same batch without a gateway (35 min).
attacks: setup
	$(BIN)/ovensim attacks --seconds 60 $(ARGS)

quiet: setup
	$(BIN)/ovensim quiet --hours 1000 --jobs 2 --scan 2 $(ARGS)

mutants: setup
	$(BIN)/python -m tests.mutation $(ARGS)

setup: system $(STAMP)

$(STAMP): pyproject.toml deploy/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r deploy/constraints.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@echo "compiling model and plant, once" && $(BIN)/ovenctl warm-up && $(BIN)/python -c "import sim.softplc"
	@touch $@

# node-opcua, an OPC UA client and server that share no line with the product. Without it its tests are skipped (with CI=true they fail).
interop: $(NODE_STAMP)

$(NODE_STAMP): tests/interop/package.json tests/interop/package-lock.json | system
	@if ! command -v npm >/dev/null; then echo "no npm: tests with node-opcua are skipped"; \
	elif cd tests/interop && npm ci --silent; then touch node_modules/.complete; \
	else echo "node-opcua could not be installed: its tests are skipped"; fi

# The broker, an independent Modbus client, systemd's checker and node. Without them the demo runs on an embedded broker, and their tests
# are skipped (with CI=true they fail).
system:
	@missing=""; for pair in $(SYSTEM); do \
	  PATH="$$PATH:/usr/sbin:/sbin" command -v $${pair%:*} >/dev/null || missing="$$missing $${pair#*:}"; done; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing:$$missing"; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	  else echo "not installed:$$missing (on Debian: sudo apt-get install$$missing)"; fi; \
	fi

# Pins every package of every supported Python, with hashes; needs uv.
constraints:
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --quiet \
	  pyproject.toml --extra dev --extra demo --extra rtu -o deploy/constraints.txt

# Pins every package below node-opcua with its integrity, which `npm ci` checks; the file names no host.
interop-lock:
	cd tests/interop && rm -f package-lock.json && npm install --package-lock-only --silent && node -e 'const fs = require("fs"), \
	  lock = JSON.parse(fs.readFileSync("package-lock.json")); for (const one of Object.values(lock.packages)) delete one.funding; \
	  fs.writeFileSync("package-lock.json", JSON.stringify(lock, null, 2) + "\n")'

clean:
	rm -rf $(VENV) var *.egg-info tests/interop/node_modules
