# Each target works from a bare clone: it makes the virtual environment itself.
PYTHON ?= python3
BIN := .venv/bin
ROOMS := training tunixrt traces datasets_app runs
READY := .venv/.ready
PEERS := .venv-peers/.ready
TUNIX := .venv-tunix/.ready

.PHONY: install demo up test torture check bench tunix peers clean

install: $(READY)          ## make .venv with everything tunixrt needs

demo: $(READY)             ## the show-your-work experiment: two runs, one verdict
	$(BIN)/python manage.py demo

up: $(READY)               ## pages, workers and sweeper on this machine
	$(BIN)/python manage.py up

test: $(READY)             ## every test this machine can run, two processes side by side
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

torture: $(READY)          ## random faults on PostgreSQL and Redis: make torture SEED=1 ROUNDS=20 (docs/faults.md)
	$(BIN)/python -m tests.faults.torture $(if $(SEED),--seed $(SEED)) --rounds $(or $(ROUNDS),20) --many $(or $(MANY),200)

check: $(READY)            ## lint, format, types, imports, migrations, deployment settings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(ROOMS)
	$(BIN)/lint-imports --no-cache
	$(BIN)/python manage.py makemigrations --check --dry-run
	APP_ENV=production SECRET_KEY=$$($(BIN)/python -c "import secrets; print(secrets.token_urlsafe(60))") ALLOWED_HOSTS=tunixrt.example $(BIN)/python manage.py check --deploy --fail-level WARNING

bench: $(READY) $(PEERS)   ## speed beside Tunix and PyTorch on the same cores, of launches and pages, and of traces and datasets on PostgreSQL
	$(BIN)/python -m training.bench_jax
	$(BIN)/python -m tests.benchmarks.launch
	$(BIN)/python -m tests.benchmarks.queue
	$(BIN)/python -m tests.benchmarks.polls
	$(BIN)/python -m tests.benchmarks.viewers
	$(BIN)/python -m tests.benchmarks.predictions
	$(BIN)/python -m tests.benchmarks.traces
	$(BIN)/python -m tests.benchmarks.datasets

tunix: $(TUNIX)            ## the environment of the second engine, Google Tunix: docs/tunix.md

peers: $(PEERS)            ## the environment of the libraries we compare ourselves with

clean:                     ## remove what the other targets made, except your data in var/
	rm -rf .venv .venv-tunix .venv-peers .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.txt requirements-dev.txt constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt -c constraints.txt
	touch $@

$(TUNIX): requirements-tunix.txt
	$(PYTHON) -m venv .venv-tunix
	.venv-tunix/bin/python -m pip install --quiet --upgrade pip
	.venv-tunix/bin/python -m pip install --quiet -r requirements-tunix.txt
	touch $@

# torch first and by itself: a CPU build that pip already knows of then satisfies the others.
$(PEERS): requirements-peers.txt requirements-tunix.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --upgrade pip
	.venv-peers/bin/python -m pip install --quiet $$(grep '^torch==' requirements-peers.txt)
	.venv-peers/bin/python -m pip install --quiet -r requirements-peers.txt
	touch $@
