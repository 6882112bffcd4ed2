# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

# Source me (`. ./env.sh`) for a shell in which python, quiet_nav and
# `python -m quiet_nav.nodes.X` run from this checkout, after `make setup`. sh, bash and zsh.

if [ -n "${BASH_SOURCE:-}" ]; then
    _qn_file=$BASH_SOURCE
elif [ -n "${ZSH_VERSION:-}" ]; then
    eval '_qn_file=${(%):-%x}'
else
    _qn_file=./env.sh
fi
_qn_root=$(CDPATH='' cd -- "$(dirname -- "$_qn_file")" && pwd)
if [ ! -f "$_qn_root/.ros/install/.ready" ] || [ ! -x "$_qn_root/.venv/bin/python" ]; then
    echo "env.sh: $_qn_root is not set up: run 'make setup' there, then source env.sh from it" >&2
    unset _qn_root _qn_file
    return 1
fi

# Put $2 in front of the list in variable $1, once.
_qn_prepend() {
    eval "_qn_old=\${$1:-}"
    case ":$_qn_old:" in
        *":$2:"*) ;;
        *) eval "export $1=\"\$2\${_qn_old:+:\$_qn_old}\"" ;;
    esac
}

_qn_ros=$(cat "$_qn_root/.ros/install/.ready")
if [ "$_qn_ros" = wheels ]; then
    # The wheels would otherwise start Python twice to find their libraries.
    export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
    for _qn_site in "$_qn_root"/.venv/lib/python3*/site-packages/ros_*.libs "$_qn_root/.venv/lib"; do
        _qn_prepend LD_LIBRARY_PATH "$_qn_site"
    done
    _qn_prepend AMENT_PREFIX_PATH "$_qn_root/.venv"
elif [ -z "${ROS_DISTRO:-}" ]; then
    . "$_qn_ros/setup.sh"
fi
_qn_prepend LD_LIBRARY_PATH "$_qn_root/.ros/install/lib"
_qn_prepend AMENT_PREFIX_PATH "$_qn_root/.ros/install"
for _qn_site in "$_qn_root"/.ros/install/lib/python3*/site-packages \
    "$_qn_root"/.ros/install/local/lib/python3*/dist-packages "$_qn_root/src"; do
    [ -d "$_qn_site" ] && _qn_prepend PYTHONPATH "$_qn_site"
done
_qn_prepend PATH "$_qn_root/.venv/bin"
export VIRTUAL_ENV="$_qn_root/.venv"

unset -f _qn_prepend
unset _qn_root _qn_file _qn_ros _qn_site _qn_old
