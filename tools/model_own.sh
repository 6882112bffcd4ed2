#!/bin/sh
# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

# Makes the detector that hears by the robot's own sound, too: transfers of simulated rooms, one
# training, export, card. Called by `make model-own`; stopped and called again, it goes on where it
# stopped. At most 8 hours on two cores.
#   ROOMS=100            percent of the rooms, 25 rooms a set at the least
#   EPOCHS=              of the training instead of its recipe's
#   INIT=models/near_wall.onnx    what the training starts from; INIT=none: from nothing
#   MODEL=models/near_wall_own.onnx    what is written; its card goes beside it
# The file that ships: make model-own ROOMS=13. All of it in minutes, to try the commands:
#   make model-own ROOMS=1 EPOCHS=1 MODEL=out/try.onnx
set -eu

percent=${ROOMS:-100}
model=${MODEL:-models/near_wall_own.onnx}
init=${INIT:-models/near_wall.onnx}
# A processor that is shared loses more by threads that wait for each other than it gains.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

# transfers FOLDER NAME FOLDERS SEED STEP [OPTIONS]: 25 rooms a folder, whose seeds are STEP apart;
# rooms that are there are kept.
transfers() {
    folder=$1 name=$2 folders=$(($3 * percent / 100)) seed=$4 step=$5
    shift 5
    if [ "$folders" -lt 1 ]; then folders=1; fi
    for i in $(seq 1 "$folders"); do
        quiet_nav campus "$folder/${name}_$i" --kind transfers --rooms 25 --no-images \
            --seed "$((seed + step * (i - 1)))" --own-sound 1 --cut 0.1 "$@"
    done
}

# Rooms with things at their walls and ears 0.03 to 0.25 m out; bare ones with ears at 0.15 m;
# bare ones that calibrate and nothing else.
transfers out/transfers lived_in 24 1001 1
transfers out/transfers plain 24 2001 2 --plain
transfers out/calibration check 4 2002 2 --plain --test-only
# The training's own rooms come with them, and have no say beside their validation rooms.
for folder in out/transfers/*; do
    ln -sfn "$PWD/$folder" "out/calibration/$(basename "$folder")"
done

if [ "$init" = none ]; then set --; else set -- --init "$init"; fi
quiet_nav train near-wall --recipe near_wall --data out/transfers --out out/near_wall_own \
    ${EPOCHS:+--epochs "$EPOCHS"} "$@"
quiet_nav export --overwrite out/near_wall_own/last.ckpt --out "$model" --data out/calibration

rooms=24
if [ "$percent" -lt 10 ]; then rooms=5; fi
quiet_nav card --overwrite "$model" --own-sound "$rooms" --own-sound-seed 9402 \
    --beside models/near_wall.onnx --about models/about_near_wall_own.md --out "${model%.onnx}.md"
