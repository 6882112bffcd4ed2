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

"""Commands as users call them, in this process."""

from typer.testing import CliRunner

from quiet_nav.cli import build_app


def run(*arguments: object) -> str:
    """Return what a command prints; it must succeed."""
    result = CliRunner().invoke(build_app(), [str(item) for item in arguments])
    assert result.exit_code == 0, f'{result.output}{result.exception!r}'
    return result.output
