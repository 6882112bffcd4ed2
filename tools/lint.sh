#!/bin/sh
# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

# What `make lint` and the pre-commit hooks run: style, the direction of imports, types.
set -eu
cd "$(dirname "$0")/.."
ruff check .
ruff format --check .
lint-imports --no-cache --no-logo
python tools/headers.py --check
mypy
