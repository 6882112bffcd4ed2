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

"""Write the generated reference: ``python -m reference OUT``, with tools/ on PYTHONPATH."""

from __future__ import annotations

import os
from pathlib import Path
import re
import sys
import tempfile

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Write every generated page below the folder named on the command line."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    out = Path(sys.argv[1])
    text = (ROOT / 'CMakeLists.txt').read_text(encoding='utf-8')
    names = re.search(r'set\(nodes\s+([^)]*)\)', text).group(1).split()
    # Nobody else hears the nodes that are made, and what they write goes with this folder.
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(HOME=home, ROS_HOME=home, ROS_AUTOMATIC_DISCOVERY_RANGE='OFF')
        os.environ.setdefault('COLUMNS', '200')
        from reference.api import write_api
        from reference.commands import write_commands
        from reference.launch_files import write_launch_files
        from reference.messages import write_messages
        from reference.nodes import write_nodes

        write_commands(out)
        write_messages(ROOT, out)
        write_api(ROOT / 'src', out)
        write_nodes(names, out, ROOT)
        write_launch_files(ROOT, out)
    return 0


if __name__ == '__main__':
    sys.exit(main())
