#!/bin/sh
# Builds the docs into out/site. Called by `make docs`; arguments go to sphinx-build.
set -eu

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
