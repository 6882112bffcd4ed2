#!/bin/sh
# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

# What a release needs, by tools in an environment of their own (.tools):
#   sh tools/release.sh pins     pins/ from constraints.txt and requirements-*.txt, with new hashes
#   sh tools/release.sh sbom     out/sbom.cdx.json: what it consists of (CycloneDX)
#   sh tools/release.sh audit    known vulnerabilities of the pins; Dockerfiles by hadolint's rules
# Called by `make pins`, `make sbom`, `make audit`.
set -eu
cd "$(dirname "$0")/.."
tools=$PWD/.tools
wanted=$(cksum < pins/tools.txt)
if [ "$(cat "$tools/.set_up" 2> /dev/null || :)" != "$wanted" ]; then
    echo "release: making .tools"
    rm -rf "$tools"
    "${PYTHON:-python3}" -m venv "$tools"
    if ! "$tools/bin/python" -m pip --disable-pip-version-check install -q --require-hashes \
        --no-deps -r pins/tools.txt; then
        echo "release: its tools could NOT be installed, see above" >&2
        [ "${1:-}" = audit ] || exit 1
        echo "audit: so nothing was looked up; going on"
        exit 0
    fi
    echo "$wanted" > "$tools/.set_up"
fi
PATH=$tools/bin:$PATH
case ${1:-} in
    # The records of what is installed say what belongs to what: Python is that of .venv.
    pins) .venv/bin/python tools/lock.py ;;
    sbom) "$tools/bin/python" tools/sbom.py out/sbom.cdx.json ;;
    audit)
        hadolint docker/Dockerfile .devcontainer/Dockerfile
        "$tools/bin/python" tools/audit.py
        ;;
    *) sed -n '5,9s/^# //p' "$0" >&2; exit 2 ;;
esac
