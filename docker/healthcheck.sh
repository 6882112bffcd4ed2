#!/bin/bash
# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

# Healthy: a node of quiet_nav runs here, and each that has a lifecycle says that it is active.
# It asks the processes of this container alone, so that another robot's nodes count for nothing.
set -u
source /opt/ros/jazzy/setup.bash
source /ws/install/local_setup.bash

found=
for entry in /proc/[0-9]*; do
    command=$(tr '\0' ' ' < "$entry/cmdline" 2> /dev/null) || continue
    case $command in
        */lib/quiet_nav/*) ;;
        *) continue ;;
    esac
    found=yes
    node=${command#*/lib/quiet_nav/}
    case ${node%% *} in
        near_wall | wall_follower) name=${node%% *} ;;
        ears) name=near_wall ;;
        *) continue ;;
    esac
    space=$(grep -oE '__ns:=[^ ]*' <<< "$command" | head -n 1)
    space=${space#__ns:=}
    state=$(timeout 8 ros2 lifecycle get "${space%/}/$name" 2>&1)
    case $state in
        active*) ;;
        *) echo "$name: $state"; exit 1 ;;
    esac
done
[ -n "$found" ] || { echo 'no node of quiet_nav runs'; exit 1; }
