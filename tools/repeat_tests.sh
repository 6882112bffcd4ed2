#!/bin/sh
# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

# Runs tests again and again on a busy machine, to find those that do not always pass:
#   sh tools/repeat_tests.sh                          every file that keeps real time, ten times
#   sh tools/repeat_tests.sh -m 'not slow'            what pytest selects by these arguments
#   TIMES=3 BUSY=0 sh tools/repeat_tests.sh ...       three times, without the busy loops
# BUSY: endless loops that run beside (2). Logs of runs that fail stay in out/repeat.
set -u
cd "$(dirname "$0")/.."
times=${TIMES:-10} busy=${BUSY:-2} log=out/repeat
mkdir -p "$log"
loops=
end_loops() { for loop in $loops; do kill "$loop" 2> /dev/null; done; }
trap end_loops EXIT
trap 'exit 130' INT TERM HUP
n=0
while [ "$n" -lt "$busy" ]; do
    sh -c 'while kill -0 "$1" 2> /dev/null; do i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; done' \
        busy $$ &
    loops="$loops $!"
    n=$((n + 1))
done
failed=0 run=1
while [ "$run" -le "$times" ]; do
    file=$log/run_$run.log
    if [ $# -gt 0 ]; then
        sh tools/test.sh "$@" > "$file" 2>&1
    else
        sh tools/realtime_files.sh \
            | xargs -P "${REALTIME_JOBS:-3}" -I FILE sh tools/test_alone.sh FILE > "$file" 2>&1
    fi
    if [ $? = 0 ]; then
        echo "run $run of $times: passed"
        rm -f "$file"
    else
        failed=$((failed + 1))
        echo "run $run of $times: FAILED, see $file"
        grep -E '^(FAILED|ERROR) ' "$file"
    fi
    run=$((run + 1))
done
echo "$failed of $times runs failed, beside $busy busy loops"
[ "$failed" = 0 ]
