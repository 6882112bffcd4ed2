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

"""quiet_nav: a robot hears where walls are."""

import os
from pkgutil import extend_path

# onnxruntime reports how it is used to its maker, unless this is set before it is loaded.
os.environ.setdefault('ORT_DISABLE_TELEMETRY', '1')
# quiet_nav.msg and quiet_nav.action are generated: in a checkout they lie in another folder.
__path__ = extend_path(__path__, __name__)

__version__ = '0.2.0'
