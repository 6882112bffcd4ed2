#!/bin/sh
# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

# Makes the shipped vision detector from nothing: images of simulated rooms, two trainings, export,
# card. Called by `make model-vision`; stopped and called again, it goes on where it stopped.
#   ROOMS=100            percent of the rooms, 5 rooms a set at the least
#   EPOCHS=              of every training instead of its recipe's
#   MODEL=models/near_wall_vision.onnx    what is written; its card goes beside it
# All of it in minutes, to try the commands: make model-vision ROOMS=1 EPOCHS=1 MODEL=out/eyes.onnx
set -eu

percent=${ROOMS:-100}
model=${MODEL:-models/near_wall_vision.onnx}

# views FOLDER ROOMS SEED [OPTIONS]: rooms that are there already are kept.
views() {
    folder=$1 rooms=$(($2 * percent / 100)) seed=$3
    shift 3
    if [ "$rooms" -lt 5 ]; then rooms=5; fi
    quiet_nav campus "$folder" --kind views --rooms "$rooms" --seed "$seed" "$@"
}

# learn RECIPE DATA OUT [OPTIONS]
learn() {
    recipe=$1 data=$2 out=$3
    shift 3
    quiet_nav train near-wall --input image --recipe "$recipe" --data "$data" --out "$out" \
        ${EPOCHS:+--epochs "$EPOCHS"} "$@"
}

views out/views 400 302 --facing-within 40
views out/oblique 200 304
# Rooms that test it and nothing else.
views out/unseen 80 9302

learn image out/views out/near_wall_views
learn image_more out/oblique out/near_wall_vision --init out/near_wall_views/best.ckpt
quiet_nav export --overwrite out/near_wall_vision/best.ckpt --out "$model" --data out/oblique
quiet_nav card --overwrite "$model" --data out/oblique --rooms out/unseen \
    --about models/about_near_wall_vision.md --out "${model%.onnx}.md"
