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

"""Where nodes write: everything lies below one folder that is given when a node starts."""

from __future__ import annotations

import os
from pathlib import Path

from quiet_nav.errors import QuietNavError

#: The description of the parameter that names the folder, in every node that writes.
DATA_FOLDER = 'all files of the node lie below it; empty: quiet_nav in ROS_HOME (~/.ros)'


def data_folder(named: str) -> Path:
    """Return the folder that a node's files lie below; '' is ``quiet_nav`` in ROS_HOME."""
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get('ROS_HOME') or '~/.ros').expanduser() / 'quiet_nav'


def below(folder: Path, name: str, parameter: str) -> Path:
    """
    Return the file of a name below a folder; links are followed before it is looked at.

    Raises QuietNavError naming the parameter where the file would lie elsewhere.
    """
    path = (folder / Path(name).expanduser()).resolve()
    if not path.is_relative_to(folder.resolve()) or path == folder.resolve():
        raise QuietNavError(
            f'parameter {parameter}: {name} lies outside {folder}; expected a file below it: '
            'start the node with another data_folder'
        )
    return path
