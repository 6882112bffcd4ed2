#!/bin/sh
# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

# Runs the tests: with arguments, pytest with them; without, everything.
# What keeps real time (tests of nodes, mostly) goes first in line for the processor, each file in a
# process of its own (one process that made hundreds of ROS contexts is not what users run). It
# waits most of the time; pure logic runs meanwhile, at low priority, so that it takes what is left.
# On a busy machine real time cannot be kept: a failed test is tried up to four times, and named.
set -u
cd "$(dirname "$0")/.."
if [ $# -gt 0 ]; then
    exec python -m pytest "$@"
fi
realtime="test/test_runtime.py test/test_diagnostics.py test/view/test_served_view.py
    test/recordings/test_replay_live.py $(echo test/nodes/test_*.py)"
log=$(mktemp)
pure=
stop() {
    [ -z "$pure" ] || kill "$pure" 2> /dev/null
    rm -f "$log"
}
trap stop EXIT
trap 'exit 130' INT TERM
others=
for file in $realtime; do
    others="$others --ignore=$file"
done
failed=
OMP_NUM_THREADS=1 nice -n 19 python -m pytest -q $others test > "$log" 2>&1 &
pure=$!
for file in $realtime; do
    echo "== $file"
    python -m pytest -q -W ignore::DeprecationWarning --reruns 3 -rR "$file"
    code=$?
    if [ $code -ge 128 ]; then
        echo "$file ended with signal $((code - 128)): once more"
        python -m pytest -q -W ignore::DeprecationWarning --reruns 3 -rR "$file"
        code=$?
    fi
    # 5: nothing to run here, for want of ROS.
    [ $code = 0 ] || [ $code = 5 ] || failed="$failed $file"
done
wait "$pure" || failed="$failed pure logic"
pure=
echo '== everything else, meanwhile'
cat "$log"
[ -z "$failed" ] || { echo "failed: $failed"; exit 1; }
echo 'all tests passed'
