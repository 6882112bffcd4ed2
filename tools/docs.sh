#!/bin/sh
# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

# Builds the docs into out/site. Called by `make docs`; arguments go to sphinx-build.
set -eu

if ! python -c 'import furo, myst_parser, sphinx, sphinx_copybutton, sphinx_design' 2> /dev/null; then
    version=$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "docs: no Sphinx for Python $version; needed is Python 3.11 or newer: make clean, then" \
        "make setup PYTHON=python3.12" >&2
    exit 1
fi

generated=docs/reference/generated
log=out/docs.log
mkdir -p out
# What nodes and commands were yesterday must not stay beside what they are.
rm -rf "$generated"
if ! PYTHONPATH="tools${PYTHONPATH:+:$PYTHONPATH}" python -m reference "$generated" > "$log" 2>&1; then
    tail -n 20 "$log" >&2
    exit 1
fi
python -m sphinx --fail-on-warning --keep-going -q -j auto -d out/doctrees "$@" docs out/site
echo "docs: out/site/index.html"
