#!/bin/bash
# Gives every command of the container the ROS environment.
set -e
source /opt/ros/jazzy/setup.bash
source /ws/install/local_setup.bash
exec "$@"
