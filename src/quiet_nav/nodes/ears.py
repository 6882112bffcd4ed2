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

"""Microphone and near_wall in one process: less memory, and as many threads as in two."""

from __future__ import annotations

import sys

from quiet_nav.nodes.runtime import run_together


def main(args: list[str] | None = None) -> int:
    """Run both nodes until they are stopped or one must end; returns the exit code."""
    from quiet_nav.nodes.microphone import Microphone
    from quiet_nav.nodes.near_wall.node import NearWallNode

    return run_together([Microphone, NearWallNode], args)


if __name__ == '__main__':
    sys.exit(main())
