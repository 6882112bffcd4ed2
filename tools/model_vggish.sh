#!/bin/sh
# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

# Makes the shipped VGGish, the paper's network, from nothing: simulated rooms, two trainings, export,
# card. Called by `make model-vggish`; stopped and called again, it goes on where it stopped.
#   ROOMS=100            percent of the rooms, 5 rooms a set at the least
#   ROBOTS=80            rooms of robots that train, of 100 percent; 0 for static rooms alone
#   EPOCHS=              of every training instead of its recipe's
#   MODEL=models/near_wall_vggish.onnx    what is written; its card goes beside it
# All of it in minutes, to try the commands: make model-vggish ROOMS=1 EPOCHS=1 MODEL=out/clips.onnx
set -eu

percent=${ROOMS:-100}
robots=${ROBOTS:-80}
model=${MODEL:-models/near_wall_vggish.onnx}

# campus FOLDER KIND ROOMS SEED [OPTIONS]: rooms that are there already are kept.
campus() {
    folder=$1 kind=$2 rooms=$(($3 * percent / 100)) seed=$4
    shift 4
    if [ "$rooms" -lt 5 ]; then rooms=5; fi
    # Plain rooms, as the figures of the other models of sound rest on.
    quiet_nav campus "$folder" --plain --kind "$kind" --rooms "$rooms" --seed "$seed" --no-images \
        --steady "$@"
}

# learn RECIPE OUT [OPTIONS]
learn() {
    recipe=$1 out=$2
    shift 2
    quiet_nav train near-wall --recipe "$recipe" --data out/vggish --out "$out" \
        ${EPOCHS:+--epochs "$EPOCHS"} "$@"
}

campus out/vggish static 400 701
if [ "$robots" -gt 0 ]; then campus out/vggish robot "$robots" 702; fi
# Rooms that test it and nothing else: those of the other model's card.
campus out/unheard static 80 9203
campus out/unheard robot 80 9203

learn vggish_narrow out/near_wall_vggish_narrow
learn vggish out/near_wall_vggish --init out/near_wall_vggish_narrow/last.ckpt
quiet_nav export --overwrite out/near_wall_vggish/last.ckpt --out "$model" --data out/vggish --no-dense
quiet_nav card --overwrite "$model" --data out/vggish --rooms out/unheard \
    --about models/about_near_wall_vggish.md --out "${model%.onnx}.md"
