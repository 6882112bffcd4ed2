# Copyright 2026 quiet_nav contributors
# SPDX-License-Identifier: Apache-2.0
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""The node `realsense`: a RealSense camera where realsense2_camera is not installed."""

from __future__ import annotations


def main(args: list[str] | None = None) -> int:
    """Run the node until it is stopped; returns the exit code."""
    from quiet_nav.nodes.realsense.node import main as run_node

    return run_node(args)
