# setup, test, demo, bench, lint, model, model-vision, clean: everything happens inside this folder.
# Variables: PYTHON=python3.12, ARGS='-k rig', and those that tools/setup.sh names.

.PHONY: setup test demo bench lint model model-vision clean

export PYTHON TORCH_INDEX LEARN

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

# The shipped detector from nothing: simulated rooms, training, export, card. Hours on two cores.
CAMPUS = out/campus
MORE = out/more
ASKS = out/asks
UNHEARD = out/unheard
model: setup
	@. ./env.sh && set -e; \
	quiet_nav campus $(CAMPUS) --kind robot --rooms 700 --seed 1 --no-images --sounds sounds \
	    --distractors 0.1; \
	quiet_nav campus $(CAMPUS) --kind static --rooms 280 --seed 1 --no-images --sounds sounds; \
	for kind in robot static; do \
	    quiet_nav campus $(UNHEARD) --kind $$kind --rooms 80 --seed 9201 --no-images --steady; done; \
	quiet_nav train near-wall --data $(CAMPUS) --out out/near_wall --recipe context; \
	quiet_nav campus $(CAMPUS)/steady --kind static --rooms 300 --seed 2 --no-images --steady; \
	quiet_nav train near-wall --data $(CAMPUS) --out out/near_wall_finish \
	    --recipe context_finish --init out/near_wall/best.ckpt; \
	quiet_nav export out/near_wall_finish/last.ckpt --out out/near_wall_finish.onnx --data $(CAMPUS); \
	quiet_nav campus $(MORE)/steady --kind static --rooms 400 --seed 41 --no-images --steady; \
	quiet_nav campus $(MORE)/steady --kind robot --rooms 220 --seed 42 --no-images --steady; \
	quiet_nav campus $(MORE)/drift --kind robot --rooms 150 --seed 43 --no-images --sounds sounds \
	    --distractors 0.1; \
	quiet_nav train near-wall --data $(MORE) --out out/near_wall_more \
	    --recipe context_more --init out/near_wall_finish.onnx; \
	quiet_nav export out/near_wall_more/last.ckpt --out out/near_wall_more.onnx --data $(MORE); \
	quiet_nav campus $(ASKS)/steady --kind static --rooms 400 --seed 51 --no-images --steady; \
	quiet_nav campus $(ASKS)/steady --kind robot --rooms 320 --seed 52 --no-images --steady; \
	quiet_nav campus $(ASKS)/drift --kind robot --rooms 200 --seed 53 --no-images --sounds sounds \
	    --distractors 0.1; \
	quiet_nav train near-wall --data $(ASKS) --out out/near_wall_asks \
	    --recipe context_asks --init out/near_wall_more.onnx --stop-after 2; \
	quiet_nav export out/near_wall_asks/last.ckpt --out models/near_wall.onnx --data $(ASKS) \
	    --mix out/near_wall_more.onnx --mix-share 0.2; \
	quiet_nav card models/near_wall.onnx --data $(ASKS)/steady --rooms $(UNHEARD) \
	    --about models/about_near_wall.md --out models/near_wall.md

# The shipped vision detector: images of simulated rooms, training, export, card.
VIEWS = out/views
UNSEEN = out/unseen
model-vision: setup
	@. ./env.sh && set -e; \
	quiet_nav campus $(VIEWS) --kind views --rooms 340 --seed 301; \
	quiet_nav campus $(UNSEEN) --kind views --rooms 80 --seed 9301; \
	quiet_nav train near-wall --input image --recipe image --data $(VIEWS) --out out/near_wall_vision; \
	quiet_nav export out/near_wall_vision/best.ckpt --out models/near_wall_vision.onnx --data $(VIEWS); \
	quiet_nav card models/near_wall_vision.onnx --data $(VIEWS) --rooms $(UNSEEN) \
	    --about models/about_near_wall_vision.md --out models/near_wall_vision.md

clean:
	rm -rf .venv .ros build install log .pytest_cache .ruff_cache .hypothesis src/*.egg-info
	find src test benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
