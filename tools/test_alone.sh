#!/bin/sh
# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

# Runs the tests of one file that keep real time, and prints what they said when they are done.
set -u
name=$(basename "$1" .py)
log=$(mktemp)
began=$(date +%s)
COVERAGE_FILE=.coverage.$name "${TEST_PYTHON:-python}" -m pytest -q -m realtime "$1" \
    ${JUNIT:+"--junitxml=$JUNIT/$name.xml"} \
    -W ignore::DeprecationWarning ${COVER---cov=quiet_nav --cov-report=} > "$log" 2>&1
code=$?
mkdir -p .pytest_cache/seconds
echo $(($(date +%s) - began)) > ".pytest_cache/seconds/$name"
printf '== %s\n%s\n' "$1" "$(cat "$log")"
rm -f "$log"
# 5: nothing to run here, for want of ROS.
[ $code = 0 ] || [ $code = 5 ]
