#!/bin/sh
# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

# What `make lint` and the pre-commit hooks run: style, the direction of imports, types.
set -eu
cd "$(dirname "$0")/.."
ruff check .
ruff format --check .
if command -v lint-imports > /dev/null; then
    lint-imports --no-cache --no-logo
else
    echo "lint: no import-linter (it needs Python 3.11): the direction of imports is not checked"
fi
python tools/headers.py --check
mypy
