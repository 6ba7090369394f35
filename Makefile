# Two commands: `make demo` and `make test`. Each first makes .venv: the exact set in requirements.lock, and this project.

# The first of these that suits makes .venv; `make PYTHON=/path/to/python3.12 …` names another.
PYTHON ?= python3 python3.13 python3.12 python3.11 python3.14
SUITABLE := import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))

# A .venv is ready once it holds .ready with the folder it was made in: a moved or copied one names another folder.
READY = [ "$$(cat .venv/.ready 2>/dev/null)" = "$$(pwd -P)" ] && .venv/bin/python -c ''

# On PATH as well, because nbgrader calls `alembic` from there.
IN_VENV = . .venv/bin/activate &&

.PHONY: help demo test lab site release lock setup clean not-ready

help:  ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s%s\n", $$1, $$2 }' Makefile

demo: .venv/.ready  ## see a class's notebooks graded, with their mistakes named
	@$(IN_VENV) grader demo

test: .venv/.ready  ## lint, freshness of generated files, tests (ARGS="-k name" for some)
	$(IN_VENV) ruff check
	$(IN_VENV) ruff format --check
	$(IN_VENV) OMP_NUM_THREADS=1 python -m pytest tests -n 2 --dist worksteal $(ARGS)

# From the root, so that nbgrader's Formgrader finds the course; its other extensions look on Jupyter's path alone.
lab: .venv/.ready  ## open the course in JupyterLab
	@$(IN_VENV) JUPYTER_CONFIG_PATH="$(CURDIR)$${JUPYTER_CONFIG_PATH:+:$$JUPYTER_CONFIG_PATH}" \
	    jupyter lab --ServerApp.preferred_dir="$(CURDIR)/course" $(ARGS)

site: .venv/.ready  ## build the course as web pages into build/site
	@$(IN_VENV) python -m website

release: .venv/.ready  ## make every notebook from its source
	@$(IN_VENV) grader release

lock: .venv/.ready  ## pin what pyproject.toml asks for (ARGS=--upgrade for the newest)
	$(IN_VENV) uv pip compile --universal --generate-hashes --all-extras pyproject.toml -o requirements.lock $(ARGS)

setup: .venv/.ready  ## only make .venv

clean:  ## remove .venv and caches; grades and hand-ins stay
	rm -rf .venv .pytest_cache .ruff_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# .ready goes first and comes last: a set-up that was cut short is begun again from nothing.
.venv/.ready: requirements.lock pyproject.toml $(if $(shell $(READY) && echo yes),,not-ready)
	@if $(READY); then rm .venv/.ready; else \
	    for python in $(PYTHON) ''; do "$$python" -c '$(SUITABLE)' 2>/dev/null && break; done; \
	    if [ -z "$$python" ]; then \
	        echo 'Sori needs Python 3.11 to 3.14 with venv (Debian, Ubuntu: apt install python3-venv). Here is only:'; \
	        for python in $(PYTHON); do \
	            command -v "$$python" >/dev/null && echo "  $$python, $$("$$python" -V 2>&1 | head -n 1)"; \
	        done; \
	        echo 'Install one of them, or name it: make PYTHON=/path/to/python3.12'; \
	        exit 1; \
	    fi >&2; \
	    echo "Setting up .venv with $$("$$python" -V): once, some minutes (on Linux a download of 3 GB, 6 GB on disk)."; \
	    "$$python" -m venv --clear --prompt sori .venv; \
	fi
	@awk '/^uv==/ { on = 1 } on { print } on && !/\\$$/ { exit }' requirements.lock > .venv/uv.txt
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .venv/uv.txt
	@$(IN_VENV) uv pip install --python .venv --require-hashes --compile-bytecode -r requirements.lock
	@$(IN_VENV) uv pip install --python .venv --quiet --no-deps --no-build-isolation --editable .
	@echo "Compiling librosa's functions (20 seconds)."
	@.venv/bin/python -m grader.compiled
	@pwd -P > .venv/.ready
	@echo 'Set up.'
