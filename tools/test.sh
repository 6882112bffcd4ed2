#!/bin/sh
# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

# Runs the tests: with arguments, pytest with them; without, everything, each once.
# First what does not keep real time, on every core; then what does (marked `realtime`), which waits
# more than it computes: three files at a time, each in a process of its own, as one process that
# made hundreds of ROS contexts is not what users run. REALTIME_JOBS=1 runs one file at a time.
# COVERAGE=0 leaves out coverage, which takes a tenth of the time. TEST_PYTHON is the interpreter;
# JUNIT=FOLDER keeps the results as XML, too: `colcon test` reads them.
set -u
cd "$(dirname "$0")/.."
# Else every process compiles what it imports anew.
unset PYTHONDONTWRITEBYTECODE
export TEST_PYTHON="${TEST_PYTHON:-python}"
everywhere='-n logical --dist loadfile --no-loadscope-reorder'
"$TEST_PYTHON" -c 'import xdist' 2> /dev/null || everywhere=
case "$*" in
    '') ;;
    *'not slow'* | *'not realtime'*) exec env OMP_NUM_THREADS=1 \
        "$TEST_PYTHON" -m pytest -q $everywhere "$@" ;;
    *) exec "$TEST_PYTHON" -m pytest "$@" ;;
esac
began=$(date +%s)
failed=
if [ "${COVERAGE:-1}" = 0 ]; then cover=; else cover='--cov=quiet_nav --cov-report='; fi
export COVER="$cover"
echo '== what does not keep real time'
OMP_NUM_THREADS=1 "$TEST_PYTHON" -m pytest -q $everywhere ${JUNIT:+"--junitxml=$JUNIT/pure.xml"} \
    -m 'not realtime' --durations=25 --durations-min=4 test $cover || failed=' pure'
cp .coverage .coverage.pure 2> /dev/null
sh tools/realtime_files.sh \
    | xargs -P "${REALTIME_JOBS:-3}" -I FILE sh tools/test_alone.sh FILE \
    || failed="$failed realtime"
if [ -n "$cover" ]; then
    echo '== coverage, without what runs in processes of its own'
    "$TEST_PYTHON" -m coverage combine -q .coverage.* 2> /dev/null
    "$TEST_PYTHON" tools/coverage_by_room.py
fi
echo "tests took $(($(date +%s) - began)) s"
[ -z "$failed" ] || { echo "failed:$failed (search for FAILED above)"; exit 1; }
echo 'all tests passed'
