# Two commands on a fresh machine with Python 3.11 or newer:
#   make run    the main job at once: simulated coprocessor, relay, local receiver
#   make test   everything that is checked before a change lands
#   make site   the pages as a site, docs/build/site/index.html
#   make hil    the suite for boards, on the simulator; RIG=qemu: on an emulated chip
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --quiet --disable-pip-version-check --require-virtualenv

.PHONY: run test lint types tests hil bench soak deb deb-test site sbom audit clean

run: $(VENV)/.run
	@$(BIN)/python tools/demo.py

test: lint types tests

lint: $(VENV)/.test
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.test
	$(BIN)/mypy

# Most tests wait most of the time, so there are more workers than processors. WORKERS=0: one
# process, for pdb.
WORKERS ?= 6
# They use real servers, brokers and pseudo-terminals beside each other. What fails is run once more,
# alone, and both are told: what fails again is a failure, what does not is to be mended, too.
# ONCE=1: no second time.
tests: $(VENV)/.test
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal || { \
		test $$? -eq 1 && test -z "$(ONCE)" && \
		echo "== UNSTEADY if it passes now: what failed above, once more, alone ==" && \
		$(BIN)/pytest --last-failed --last-failed-no-failures none -n 0; }

RIG ?= sim
FIRMWARE ?= both
hil: $(VENV)/.test
	$(BIN)/pytest hil --rig $(RIG) --firmware $(FIRMWARE) --report hil-report/$(RIG)-$(FIRMWARE)

# Searched and read without a network, as files or on any web server.
site: $(VENV)/.site
	$(BIN)/python tools/build_site.py

bench: $(VENV)/.bench
	$(BIN)/python tools/bench.py

# The fault tests for as long as asked: make soak SOAK="kill --times 1000 --minutes 60"
soak: $(VENV)/.test
	$(BIN)/python tools/soak.py $(SOAK)

# The Debian package, into dist/; and tried on a running systemd. As root, where this is no Debian 13.
deb:
	$(PYTHON) tools/deb.py

deb-test:
	$(PYTHON) tools/deb_test.py

# What a user installs beside ours: listed, into dist/; and whether anything is known against it.
sbom:
	$(PYTHON) tools/sbom.py

audit:
	$(PYTHON) tools/audit.py

$(VENV)/.run: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade pip
	$(PIP) install -c constraints.txt -e .
	@touch $@

$(VENV)/.test: $(VENV)/.run
	$(PIP) install -c constraints.txt -e '.[encrypted,test]'
	@touch $@

$(VENV)/.site: $(VENV)/.run
	$(PIP) install -c constraints.txt -e '.[site]'
	@touch $@

# The peers are not pinned: what they cost today is the question.
$(VENV)/.bench: $(VENV)/.run
	$(PIP) install -e '.[bench]'
	@touch $@

clean:
	rm -rf $(VENV) docs/build docs/.cache .hypothesis .mypy_cache .pytest_cache .ruff_cache
