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

"""
Write the software bill of materials: CycloneDX JSON of this package, its models and its pins.

``python tools/sbom.py out/sbom.cdx.json`` (`make sbom`). The same checkout gives the same file.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
import sys
import uuid
import xml.etree.ElementTree as ET

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from lock import PINS, read_pins, ROOT
from packageurl import PackageURL

FILES = (*(PINS / f'{name}.txt' for name in ('robot', 'setup', 'learn')), ROOT / 'constraints.txt')
VERSION = SchemaVersion.V1_6


def package() -> Component:
    """Return what the bill is of."""
    root = ET.parse(ROOT / 'package.xml').getroot()
    return Component(
        name='quiet_nav',
        version=root.findtext('version'),
        type=ComponentType.APPLICATION,
        bom_ref='quiet_nav',
        licenses=[DisjunctiveLicense(id=root.findtext('license'))],
        purl=PackageURL('generic', None, 'quiet_nav', root.findtext('version')),
    )


def models() -> list[Component]:
    """Return the models that ship."""
    return [
        Component(
            name=path.name,
            type=ComponentType.MACHINE_LEARNING_MODEL,
            bom_ref=f'models/{path.name}',
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest(path))],
        )
        for path in sorted((ROOT / 'models').glob('*.onnx'))
    ]


def digest(path: Path) -> str:
    """Return a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def libraries() -> list[Component]:
    """Return a component for each version that is pinned, with where and for which Pythons."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for path in FILES:
        for pin in read_pins(path):
            where = found.setdefault((pin.name, pin.version), {})
            where[path.relative_to(ROOT).as_posix()] = pin.marker or 'all'
    return [
        Component(
            name=name,
            version=version,
            type=ComponentType.LIBRARY,
            bom_ref=f'{name}=={version}',
            purl=PackageURL('pypi', None, name, version),
            scope=ComponentScope.REQUIRED if 'pins/robot.txt' in where else None,
            properties=[Property(name=f'quiet_nav:{k}', value=v) for k, v in where.items()],
        )
        for (name, version), where in sorted(found.items())
    ]


def bill() -> str:
    """Return the bill as JSON, checked against CycloneDX's schema."""
    bom = Bom()
    bom.metadata.component = package()
    for component in [*models(), *libraries()]:
        bom.components.add(component)
    bom.register_dependency(bom.metadata.component, bom.components)
    # Neither a time nor a random number: the file says what it is of, not when it was made.
    made = json.loads(make_outputter(bom, OutputFormat.JSON, VERSION).output_as_string())
    made['metadata'].pop('timestamp', None)
    made.pop('serialNumber', None)
    content = json.dumps(made, sort_keys=True)
    made['serialNumber'] = uuid.uuid5(uuid.NAMESPACE_URL, content).urn
    text = json.dumps(made, indent=1, sort_keys=True) + '\n'
    fault = JsonStrictValidator(VERSION).validate_str(text)
    if fault:
        raise SystemExit(f'sbom: {fault}')
    return text


def main() -> int:
    """Write the bill to the file named on the command line."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    out = Path(sys.argv[1])
    out.parent.mkdir(parents=True, exist_ok=True)
    text = bill()
    out.write_text(text, encoding='utf-8')
    count = len(json.loads(text)['components'])
    print(f'sbom: {out}, {count} components, CycloneDX {VERSION.to_version()}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
