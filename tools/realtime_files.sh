#!/bin/sh
# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

# Prints the files of tests that keep real time: those first that took longest when they ran last,
# so that none runs alone in the end; those that never ran before them.
set -u
cd "$(dirname "$0")/.."
grep -rlE 'pytest\.mark\.realtime' test --include='test_*.py' | sort | while read -r file; do
    seconds=$(cat ".pytest_cache/seconds/$(basename "$file" .py)" 2> /dev/null)
    echo "${seconds:-9999} $file"
done | sort -k1,1nr -k2 | cut -d ' ' -f 2
