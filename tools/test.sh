#!/bin/sh
# Runs the tests: with arguments, pytest with them; without, everything, each file of node tests in
# a process of its own (one process that made hundreds of ROS contexts is not what users run).
# Node tests keep real time, so on a busy machine a failed one is tried up to four times, and named.
set -u
cd "$(dirname "$0")/.."
if [ $# -gt 0 ]; then
    exec python -m pytest "$@"
fi
failed=
python -m pytest -q --ignore=test/nodes test || failed='pure logic'
for file in test/nodes/test_*.py; do
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
[ -z "$failed" ] || { echo "failed: $failed"; exit 1; }
echo 'all tests passed'
