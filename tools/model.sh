#!/bin/sh
# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

# Makes the shipped detector from nothing: simulated rooms, seven trainings, export, card. Called by
# `make model`; stopped and called again, it goes on where it stopped. Hours on two cores.
#   ROOMS=100            percent of the rooms, 5 rooms a set at the least
#   EPOCHS=              of every training instead of its recipe's
#   SOUNDS=              folder of recordings (ambient-*, event-*, or ESC-50) that some sources play
#   MODEL=models/near_wall.onnx    what is written; its card goes beside it
# All of it in minutes, to try the commands: make model ROOMS=1 EPOCHS=1 MODEL=out/try.onnx
set -eu

percent=${ROOMS:-100}
model=${MODEL:-models/near_wall.onnx}
sounds=${SOUNDS:+--sounds $SOUNDS}

# campus FOLDER KIND ROOMS SEED [OPTIONS]: rooms that are there already are kept.
campus() {
    folder=$1 kind=$2 rooms=$(($3 * percent / 100)) seed=$4
    shift 4
    if [ "$rooms" -lt 5 ]; then rooms=5; fi
    # Figures of the models rest on plain rooms.
    quiet_nav campus "$folder" --plain --kind "$kind" --rooms "$rooms" --seed "$seed" --no-images "$@"
}

# train RECIPE DATA OUT [OPTIONS]
train() {
    recipe=$1 data=$2 out=$3
    shift 3
    quiet_nav train near-wall --recipe "$recipe" --data "$data" --out "$out" \
        ${EPOCHS:+--epochs "$EPOCHS"} "$@"
}

# link FOLDER OUT: a campus that is there already serves once more.
link() {
    mkdir -p "$2"
    ln -sfn "$PWD/$1" "$2/$(basename "$1")"
}

# Rooms that test it and nothing else.
campus out/unheard robot 80 9203 --steady
campus out/unheard static 80 9203 --steady
campus out/wider robot 80 9204 --steady --cut 0.5 --hard 0.5

campus out/campus robot 700 1 $sounds --distractors 0.1
campus out/campus static 280 1 $sounds
train context out/campus out/near_wall

campus out/campus/steady static 300 2 --steady
train context_finish out/campus out/near_wall_finish --init out/near_wall/best.ckpt
quiet_nav export --overwrite out/near_wall_finish/last.ckpt --out out/near_wall_finish.onnx --data out/campus

campus out/more/steady static 400 41 --steady
campus out/more/steady robot 220 42 --steady
campus out/more/drift robot 150 43 $sounds --distractors 0.1
train context_more out/more out/near_wall_more --init out/near_wall_finish.onnx
quiet_nav export --overwrite out/near_wall_more/last.ckpt --out out/near_wall_more.onnx --data out/more

campus out/asks/steady static 400 51 --steady
campus out/asks/steady robot 320 52 --steady
campus out/asks/drift robot 200 53 $sounds --distractors 0.1
train context_asks out/asks out/near_wall_asks --init out/near_wall_more.onnx --stop-after 2
quiet_nav export --overwrite out/near_wall_asks/last.ckpt --out out/near_wall_asks.onnx --data out/asks \
    --mix out/near_wall_more.onnx --mix-share 0.2

campus out/asks/fresh static 400 61 --steady
train context_look out/asks out/near_wall_look --init out/near_wall_asks.onnx
quiet_nav export --overwrite out/near_wall_look/last.ckpt --out out/near_wall_look.onnx --data out/asks \
    --mix out/near_wall_asks.onnx --mix-share 0.2

campus out/rooms/fresh robot 187 91 --steady
campus out/rooms/shapes robot 100 93 --steady --cut 1
campus out/rooms/shapesdrift robot 100 94 --cut 1
campus out/rooms/shapesmore robot 120 95 --steady --cut 0.5 --hard 0.6
link out/asks/drift/SFS-Robot out/rooms/drift
link out/asks/steady/SFS-Static out/rooms/steady
train context_rooms out/rooms out/near_wall_rooms --init out/near_wall_look.onnx
train context_rooms_more out/rooms out/near_wall_rooms_more --init out/near_wall_rooms/last.ckpt
quiet_nav export --overwrite out/near_wall_rooms_more/last.ckpt --out "$model" --data out/rooms

quiet_nav card --overwrite "$model" --data out/asks/steady --rooms out/unheard --wider out/wider \
    --about models/about_near_wall.md --out "${model%.onnx}.md"
