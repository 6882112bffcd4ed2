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

"""The robot's own sound in the node `near_wall`: its file, calibrating, what diagnostics say."""

from __future__ import annotations

from pathlib import Path

from quiet_nav.errors import QuietNavError
from quiet_nav.nodes.base import ManagedNode
from quiet_nav.nodes.files import below, data_folder
from quiet_nav.nodes.near_wall.parameters import NearWallParameters
from quiet_nav.nodes.runtime import now_ns
from quiet_nav.perception.fingerprint import Fingerprint
from quiet_nav.perception.interference_detector import INTERFERENCE
from quiet_nav.perception.rig import Rig
from quiet_nav.perception.standing_sound import CALIBRATION_PLACES, StandingSound


class OwnSound:
    """
    What the node knows of its robot's standing sound; ``standing`` is None where it is not asked.

    Made where the node is configured. ``before_decision``, ``after_decision`` and ``keep_learned``
    belong to whoever computes; ``ask`` only leaves word.
    """

    def __init__(
        self, node: ManagedNode, standing: StandingSound | None, path: Path | None, needed: bool
    ) -> None:
        self.standing = standing
        self._node, self._path, self._needed = node, path, needed
        self._asked = False
        self._was_calibrated = standing is not None and standing.fingerprint.calibrated

    @classmethod
    def of(cls, node: ManagedNode, p: NearWallParameters, rig: Rig) -> OwnSound:
        """Return that of the parameters; QuietNavError where they or the file do not fit."""
        if not p.own_sound:
            if p.fingerprint_file:
                raise QuietNavError(
                    f'fingerprint_file {p.fingerprint_file}: of which robot? set own_sound to its '
                    'profile'
                )
            return cls(node, None, None, False)
        path = None
        if p.fingerprint_file:
            path = below(data_folder(p.data_folder), p.fingerprint_file, 'fingerprint_file')
        standing = StandingSound.of(rig, p.own_sound, path)
        return cls(node, standing, path, p.model == INTERFERENCE)

    def before_decision(self) -> None:
        """Begin to calibrate where somebody asked for it."""
        if self._asked and self.standing is not None:
            self._asked = False
            self.standing.begin_calibration()

    def after_decision(self) -> None:
        """Keep a calibration that is whole."""
        standing = self.standing
        if standing is None or not standing.just_calibrated():
            return
        self._was_calibrated = True
        self._save(standing.fingerprint, self._path)
        self._node.log.info(f'own sound of {standing.profile.robot}: calibrated')

    def keep_learned(self) -> None:
        """Keep what was learned; a calibrated file stays as it is, what was learned goes beside."""
        standing = self.standing
        if standing is None or standing.fingerprint.calibrated or not standing.known:
            return
        path = self._path
        if path is not None and self._was_calibrated:
            path = path.with_suffix('.learned.json')
        self._save(standing.fingerprint, path)

    def values(self) -> dict[str, object]:
        """Return what diagnostics show."""
        standing = self.standing
        if standing is None:
            return {}
        made = standing.fingerprint
        kind = 'calibrated' if made.calibrated else 'learned'
        values: dict[str, object] = {
            'own sound of': standing.profile.robot,
            'fingerprint': kind if standing.known else 'not yet known',
            'fingerprint places': min(made.places(e.channel) for e in standing.rig.ears),
        }
        if standing.known:
            values['fingerprint age s'] = made.age_s(now_ns(self._node))
        return values

    def warnings(self) -> list[str]:
        """Return what a user should know."""
        standing = self.standing
        if standing is None:
            return []
        begun = standing.known or standing.changed or standing.calibrating
        # A detector of a model does without; the one that lives by it does not.
        text = standing.warning(now_ns(self._node)) if begun or self._needed else ''
        return [text] if text else []

    def ask(self) -> tuple[bool, str]:
        """Leave word to calibrate; returns whether that will happen, and what to do."""
        if self.standing is None:
            return False, 'own_sound names no robot profile: nothing to calibrate'
        self._asked = True
        return True, (
            f'turn the robot where no wall is within 1.5 m: {CALIBRATION_PLACES} headings or '
            'places; diagnostics tell how far it is'
        )

    def _save(self, made: Fingerprint, path: Path | None) -> None:
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.save(path)
        except (QuietNavError, OSError) as error:
            self._node.log.error(str(error))
