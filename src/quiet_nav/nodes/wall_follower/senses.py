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

"""What comes in to the wall follower, checked: readings of its rig, odometry of its base."""

from __future__ import annotations

from dataclasses import replace

from nav_msgs.msg import Odometry

from quiet_nav.errors import QuietNavError
from quiet_nav.geometry import Pose2D
from quiet_nav.msg import NearWall
from quiet_nav.navigation.control_clock import ControlClock
from quiet_nav.navigation.limits import Twist2D
from quiet_nav.nodes.conversions import motion_from_msg, reading_from_msg
from quiet_nav.perception.messages import checked_ns
from quiet_nav.perception.readings import Modality, NearWallReading

#: Better readings of windows before come late, but never by so much.
OLDEST_READING_S = 120.0
#: Odometry whose stamps are farther off says so; nothing is judged by them.
STAMP_OFF_S = 1.0
#: Frames that odometry of a base may be of beside the follower's own.
_BASES = ('base_link', 'base_footprint')


class Readings:
    """
    Turns NearWall messages into readings on the clock of control, or refuses them.

    identity: of the follower's own rig; a reading by another rig means other ears. foreign: the
    rig that the newest reading of sound came from, where it is another one; '' where not.
    """

    def __init__(self, identity: str, ahead_s: float) -> None:
        self._identity = identity
        self._ahead_s = ahead_s
        self.foreign = ''

    def take(self, message: NearWall, clock: ControlClock, ros_ns: int) -> NearWallReading:
        """
        Return the reading of a message that came at a time (ns, ROS time).

        Raises QuietNavError naming the field that cannot be right.
        """
        reading = reading_from_msg(message)
        age_s = (ros_ns - reading.end_ns) * 1e-9
        if age_s < -self._ahead_s:
            raise QuietNavError(
                f'NearWall: stamp lies {-age_s:.2f} s ahead of the clock: '
                'are the clocks of both computers set?'
            )
        if age_s > OLDEST_READING_S:
            raise QuietNavError(f'NearWall: stamp is {age_s:.6g} s old')
        if reading.modality == Modality.AUDIO:
            self.foreign = '' if message.rig in ('', self._identity) else message.rig
            if self.foreign:
                raise QuietNavError(f'NearWall: rig is {self.foreign}, not {self._identity}')
        return replace(
            reading,
            start_ns=clock.of_stamp(reading.start_ns),
            end_ns=clock.of_stamp(reading.end_ns),
        )

    @property
    def fault(self) -> str:
        """Return why what is heard cannot be driven by, '' where it can."""
        if not self.foreign:
            return ''
        return (
            f'near_wall listens with rig {self.foreign}, the follower expects {self._identity}: '
            'set the parameter rig of both to the same'
        )


class Base:
    """
    Turns odometry into pose and twist, or refuses it.

    frame_fault: why odometry of these frames is none of this base, '' where it is. off_s: how far
    its stamps are from the clock.
    """

    def __init__(self, odom_frame: str, base_frame: str) -> None:
        self._odom_frame = odom_frame
        self._bases = (_plain(base_frame), *_BASES)
        self.frame_fault = ''
        self.off_s = 0.0

    def take(self, message: Odometry, ros_ns: int) -> tuple[Pose2D, Twist2D]:
        """
        Return pose and twist of a message that came at a time (ns, ROS time).

        Raises QuietNavError naming what is wrong: numbers, rotation or frames.
        """
        frame, child = _plain(message.header.frame_id), _plain(message.child_frame_id)
        self.frame_fault = ''
        if frame and frame != _plain(self._odom_frame):
            self.frame_fault = (
                f'odometry is in frame {message.header.frame_id}, expected {self._odom_frame}: '
                'set odom_frame'
            )
        elif child and child not in self._bases:
            self.frame_fault = (
                f'odometry is of frame {message.child_frame_id}, expected {self._bases[0]}: '
                'set base_frame'
            )
        if self.frame_fault:
            raise QuietNavError(self.frame_fault)
        stamp_ns = checked_ns(message.header.stamp, 'odometry')
        # In simulated time odometry may come before the clock has told anything.
        self.off_s = (ros_ns - stamp_ns) * 1e-9 if ros_ns else 0.0
        return motion_from_msg(message)

    @property
    def warning(self) -> str:
        """Return that stamps are off, with the number; '' where they are not."""
        if abs(self.off_s) <= STAMP_OFF_S:
            return ''
        way = 'old' if self.off_s > 0.0 else 'ahead of the clock'
        return (
            f'odometry is stamped {abs(self.off_s):.6g} s {way}: '
            'are the clocks of robot and computer set?'
        )


def _plain(frame: str) -> str:
    """Return a frame's name without the prefix of its robot."""
    return frame.rstrip('/').rpartition('/')[2]
