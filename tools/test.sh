#!/bin/sh
# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

# Runs the tests: with arguments, pytest with them; without, everything, each once.
# First what does not keep real time, on every core; then what does (marked `realtime`), alone and
# each file in a process of its own: one process that made hundreds of ROS contexts is not what
# users run.
set -u
cd "$(dirname "$0")/.."
case "$*" in
    '') ;;
    *'not slow'* | *'not realtime'*) exec env OMP_NUM_THREADS=1 \
        python -m pytest -q -n logical --dist loadfile "$@" ;;
    *) exec python -m pytest "$@" ;;
esac
began=$(date +%s)
failed=
echo '== what does not keep real time'
OMP_NUM_THREADS=1 python -m pytest -q -n logical --dist loadfile -m 'not realtime' test \
    --cov=quiet_nav --cov-report= || failed=' pure'
for file in $(grep -rlE 'pytest\.mark\.realtime' test --include='test_*.py' | sort); do
    echo "== $file"
    python -m pytest -q -W ignore::DeprecationWarning -m realtime "$file" \
        --cov=quiet_nav --cov-append --cov-report=
    code=$?
    # 5: nothing to run here, for want of ROS.
    [ $code = 0 ] || [ $code = 5 ] || failed="$failed $file"
done
echo '== coverage, without what runs in processes of its own'
python tools/coverage_by_room.py
echo "tests took $(($(date +%s) - began)) s"
[ -z "$failed" ] || { echo "failed:$failed"; exit 1; }
echo 'all tests passed'
