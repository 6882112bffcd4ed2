# setup, test, demo, bench, lint, model, model-vision, clean: everything happens inside this folder.
# Variables: PYTHON=python3.12, ARGS='-k rig', and those that tools/setup.sh and tools/model.sh name.

.PHONY: setup test demo bench lint model model-vision clean

export PYTHON TORCH_INDEX LEARN ROOMS EPOCHS MODEL

setup:
	@sh tools/setup.sh

test: setup
	@. ./env.sh && sh tools/test.sh $(ARGS)

demo: setup
	@. ./env.sh && quiet_nav demo $(ARGS)

bench: setup
	@. ./env.sh && set -e; for script in benchmarks/*.py; do \
	    echo "== $$script"; python "$$script"; done

lint: setup
	@. ./env.sh && ruff check . && ruff format --check .

# The shipped detector from nothing; ROOMS=1 EPOCHS=1 MODEL=out/try.onnx tries it in minutes.
model: setup
	@. ./env.sh && sh tools/model.sh

# The shipped vision detector: images of simulated rooms, training, export, card.
VIEWS = out/views
OBLIQUE = out/oblique
UNSEEN = out/unseen
model-vision: setup
	@. ./env.sh && set -e; \
	quiet_nav campus $(VIEWS) --kind views --rooms 400 --seed 302 --facing-within 40; \
	quiet_nav campus $(OBLIQUE) --kind views --rooms 200 --seed 304; \
	quiet_nav campus $(UNSEEN) --kind views --rooms 80 --seed 9302; \
	quiet_nav train near-wall --input image --recipe image --data $(VIEWS) --out out/near_wall_views; \
	quiet_nav train near-wall --input image --recipe image_more --data $(OBLIQUE) \
	    --out out/near_wall_vision --init out/near_wall_views/best.ckpt; \
	quiet_nav export out/near_wall_vision/best.ckpt --out models/near_wall_vision.onnx \
	    --data $(OBLIQUE); \
	quiet_nav card models/near_wall_vision.onnx --data $(OBLIQUE) --rooms $(UNSEEN) \
	    --about models/about_near_wall_vision.md --out models/near_wall_vision.md

clean:
	rm -rf .venv .ros build install log .pytest_cache .ruff_cache .hypothesis src/*.egg-info
	find src test benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
