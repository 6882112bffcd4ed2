#!/bin/bash
# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0

# Gives every command of the container the ROS environment.
set -e
source /opt/ros/jazzy/setup.bash
source /ws/install/local_setup.bash
exec "$@"
