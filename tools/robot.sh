#!/bin/sh
# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

# Sets a colcon workspace up on a robot whose ROS 2 comes from apt: what apt and rosdep have, a .venv
# with the rest, and the build. Run it in the workspace's root with ROS sourced:
#   sh src/quiet_nav/tools/robot.sh
# Running it again, after a pull for example, brings up to date what changed.
set -eu

package=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
workspace=$PWD
venv=$workspace/.venv

fail() { echo "robot: $*" >&2; exit 1; }
say() { echo "robot: $*"; }

# --- what is there ------------------------------------------------------------------------------
case $package in
    "$workspace"/src/*) ;;
    *) fail "$workspace is no workspace that holds $package below src: run this in the folder" \
        "above src" ;;
esac
[ -n "${ROS_DISTRO:-}" ] && command -v ros2 > /dev/null \
    || fail "no ROS here: . /opt/ros/jazzy/setup.sh (your distribution), then this again"
as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null || fail "neither root nor sudo: packages cannot be installed"
    as_root=sudo
fi

# --- what apt has -------------------------------------------------------------------------------
say "installing what apt has"
$as_root apt-get update -q
$as_root apt-get install -y -q --no-install-recommends python3-venv python3-colcon-common-extensions \
    python3-rosdep libportaudio2
[ -e /etc/ros/rosdep/sources.list.d/20-default.list ] || $as_root rosdep init
rosdep update --rosdistro "$ROS_DISTRO"
# What pip brings below is left to it.
rosdep install --from-paths "$package" --ignore-src -y --rosdistro "$ROS_DISTRO" --skip-keys \
    "python3-onnxruntime-pip python3-sounddevice-pip python3-pydantic python3-rich python3-typer"

# --- what apt has not ---------------------------------------------------------------------------
# Ubuntu's Python refuses plain pip installs (PEP 668): a virtual environment that sees apt's
# packages, outside the package's folder, and colcon run by its Python so that nodes start with it.
if [ ! -x "$venv/bin/python" ]; then
    say "making .venv"
    python3 -m venv --system-site-packages "$venv"
fi
touch "$venv/COLCON_IGNORE"
say "installing the rest into .venv"
"$venv/bin/python" -m pip --disable-pip-version-check install -q --require-hashes --no-deps \
    -r "$package/pins/robot.txt"

# --- the build ----------------------------------------------------------------------------------
"$venv/bin/python" -m colcon build --packages-select quiet_nav \
    --cmake-args -DBUILD_TESTING=OFF "-DPython3_EXECUTABLE=$venv/bin/python"
say "ready: . install/setup.sh (or setup.bash), then quiet_nav --help"
