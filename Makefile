# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

# setup, test, fuzz, faults, demo, bench, soak, lint, docs, pins, sbom, audit, model, model-vision, model-vggish, clean: all of it happens
# inside this folder.
# Variables: PYTHON=python3.12, ARGS='-k rig', and those that the scripts in tools/ name.

.PHONY: setup test fuzz faults demo bench soak lint docs pins sbom audit model model-own model-vision model-vggish clean

export PYTHON TORCH_INDEX LEARN ROOMS EPOCHS MODEL SECONDS HOURS
# Without bytecode on disk every process compiles NumPy, SciPy and PyTorch anew: minutes a test run.
unexport PYTHONDONTWRITEBYTECODE

setup:
	@sh tools/setup.sh

test: setup
	@. ./env.sh && sh tools/test.sh $(ARGS)

# Every parser of files, a minute each: SECONDS=10 ARGS='-k rig' is shorter. With new inputs each time.
fuzz: setup
	@. ./env.sh && QUIET_NAV_FUZZ_SECONDS=$${SECONDS:-60} python -m pytest -q test/fuzz $(ARGS)

# Breaks something while the simulated robot drives, over real nodes; ARGS=odom: for some, ARGS=--write for the page.
faults: setup
	@. ./env.sh && python tools/faults.py $(ARGS)

demo: setup
	@. ./env.sh && quiet_nav demo $(ARGS)

# Eight simulated hours, and a bag of four: whether memory grows; HOURS=1 is shorter.
soak: setup
	@. ./env.sh && python benchmarks/soak.py --hours $${HOURS:-8} $(ARGS) && python benchmarks/long_bag.py

bench: setup
	@. ./env.sh && set -e; for script in benchmarks/bench_*.py; do \
	    echo "== $$script"; python "$$script"; done

lint: setup
	@. ./env.sh && sh tools/lint.sh

# The site, in out/site; the reference is made of the code. Needs no network; warnings are errors.
docs: setup
	@. ./env.sh && sh tools/docs.sh $(ARGS)

# Hashes of what constraints.txt and requirements-tools.txt name, from the package index, into pins/.
pins: setup
	@sh tools/release.sh pins

# What a release consists of, out/sbom.cdx.json (CycloneDX); the same checkout gives the same file.
sbom:
	@sh tools/release.sh sbom

# Known vulnerabilities of the pins (it says so where it cannot look them up), rules of Dockerfiles.
audit:
	@sh tools/release.sh audit

# The shipped detector from nothing; ROOMS=1 EPOCHS=1 MODEL=out/try.onnx tries it in minutes.
model: setup
	@. ./env.sh && sh tools/model.sh

# The shipped vision detector from nothing, with the same variables.
model-vision: setup
	@. ./env.sh && sh tools/model_vision.sh

# The detector that hears by the robot's own sound, too, from near_wall.onnx; the same variables.
model-own: setup
	@. ./env.sh && sh tools/model_own.sh

# The paper's network from nothing, with the same variables.
model-vggish: setup
	@. ./env.sh && sh tools/model_vggish.sh

clean:
	rm -rf .venv .ros .tools build install log .pytest_cache .ruff_cache .hypothesis src/*.egg-info
	find src test benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
