#!/bin/sh
# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

# Sets this checkout up and runs the demo in a clean root that debootstrap makes, as its first user
# would on a fresh machine. Needs root, debootstrap and the network; the root is left to look at.
#   sh tools/clean_root.sh SUITE ROOT       # bookworm, trixie, noble, ...; ROOT: a new folder
#   MIRROR=URL   of the suite's packages (default: debootstrap's own)
#   SECTIONS=main,universe      of the suite, where python3-venv is not in main (Ubuntu)
#   KEYS=FILE    of the mirror's keys, where this machine has none; "none": signatures unchecked
#   ARGS='...'   of the demo
# What this machine needs to reach its package index (pip's configuration, certificates, PIP_
# variables) holds inside, too.
set -eu

[ $# = 2 ] || { sed -n '5,13s/^# //p' "$0" >&2; exit 2; }
suite=$1 root=$2
checkout=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
fail() { echo "clean_root: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "must be root"
command -v debootstrap > /dev/null || fail "no debootstrap: apt install debootstrap"
[ ! -e "$root" ] || fail "$root is there already"

# Suites that this debootstrap has not heard of are made like others of theirs: Ubuntu's.
script=
if [ ! -e "/usr/share/debootstrap/scripts/$suite" ]; then
    [ -n "${MIRROR:-}" ] || fail "this debootstrap does not know $suite: set MIRROR"
    script=gutsy
fi
case ${KEYS:-} in
    '') check= ;;
    none) check=--no-check-gpg ;;
    *) check=--keyring=$KEYS ;;
esac
# What the README tells people to install, and no more.
debootstrap --variant=minbase --components="${SECTIONS:-main}" $check \
    --include=ca-certificates,cmake,g++,make,python3-dev,python3-venv \
    "$suite" "$root" ${MIRROR:+"$MIRROR" $script} > "$root.debootstrap" \
    || fail "debootstrap: $(tail -n 1 "$root.debootstrap")"
rm "$root.debootstrap"
mkdir -p "$root/home/quiet_nav"
git -C "$checkout" archive --prefix=home/quiet_nav/ HEAD | tar -x -C "$root"
mkdir -p "$root/root/.config/pip"
if [ -f "$HOME/.config/pip/pip.conf" ]; then
    cp "$HOME/.config/pip/pip.conf" "$root/root/.config/pip/"
fi
for file in /etc/pip.conf /etc/resolv.conf "${PIP_CERT:-}"; do
    if [ -n "$file" ] && [ -f "$file" ]; then
        mkdir -p "$root$(dirname "$file")"
        cp -L "$file" "$root$file"
    fi
done
echo '127.0.0.1 localhost' > "$root/etc/hosts"
leave() { umount "$root/proc" "$root/dev/shm" "$root/dev" 2> /dev/null || :; }
trap leave EXIT
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs shm "$root/dev/shm"
passed=$(env | sed -n 's/^\(PIP_[A-Z_]*\|HTTPS\?_PROXY\|https\?_proxy\|no_proxy\)=.*/\1/p')
set --
for name in $passed; do
    eval "set -- \"\$@\" \"$name=\$$name\""
done
env -i "$@" HOME=/root PATH=/usr/bin:/bin:/usr/sbin:/sbin LANG=C.UTF-8 LEARN=0 ARGS="${ARGS:-}" \
    chroot "$root" /bin/sh -ec '
        cd /home/quiet_nav
        . /etc/os-release
        make setup
        make demo
        echo "$PRETTY_NAME, $(python3 --version): set up, demo done"'
