# Every target sets up what it needs first; the second time that takes a moment.
PYTHON ?= python3
VENV := .venv/bin
GROUP ?= all

.PHONY: demo serve test check bench train lock setup setup-vllm clean

setup:
	@$(PYTHON) scripts/setup.py

setup-vllm:
	@$(PYTHON) scripts/setup.py --vllm

demo: setup          ## the main job, from a chat to a merged change
	@$(VENV)/python -m examples.demo

serve: setup         ## the appliance on http://127.0.0.1:8400
	@$(VENV)/bailey serve

test: setup-vllm     ## all tests
	@$(VENV)/python scripts/test.py

check: setup         ## style, types, architecture
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy
	@$(VENV)/python -m pytest tests/architecture

bench: setup-vllm    ## side by side with peers: make bench GROUP=codegen
	@$(VENV)/python -m bench $(GROUP)

train: setup         ## the bundled models, from scratch (about two hours on two cores); goes on where it stopped
	@PYTHON=$(PYTHON) sh scripts/train.sh

lock: setup          ## requirements/*.lock from pyproject.toml
	@sh scripts/lock.sh

clean:
	rm -rf .venv .setup .sandbox-site .mypy_cache .ruff_cache
