# Bootstrap only: makes .venv from hash-locked requirements, then nox does the work (noxfile.py).

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo "$$python" && break; done)
NOX := .venv/bin/nox

.PHONY: help demo test clean

help:
	@echo "make demo    verify the models of testdata/ and show a verdict of each kind"
	@echo "make test    run every check that CI runs"
	@echo "make clean   remove the environments and what the checks wrote"
	@echo "Everything else: $(NOX) --list"

demo: .venv/bootstrapped
	$(NOX) -s demo

test: .venv/bootstrapped
	$(NOX)

# Debian's python3 has no ensurepip without python3-venv; its own pip can fill the venv instead.
.venv/bootstrapped: requirements/bootstrap.txt
	@set -e; python="$(PYTHON)"; \
	if [ -z "$$python" ]; then \
		echo "No Python 3.11 or newer found: install one, or name it: make PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi; \
	rm -rf .venv; \
	if "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
		"$$python" -m venv .venv; pip=".venv/bin/python -m pip"; \
	elif "$$python" -c 'import pip, venv' 2>/dev/null; then \
		"$$python" -m venv --without-pip .venv; pip="$$python -m pip --python .venv/bin/python"; \
	else \
		echo "$$python cannot make virtual environments: install its venv module (python3-venv on Debian and Ubuntu)." >&2; \
		exit 1; \
	fi; \
	$$pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

clean:
	rm -rf .venv .nox .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
