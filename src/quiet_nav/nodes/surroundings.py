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

"""Who else is in the graph: publishers, subscribers and their types, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node

#: What DDS says of endpoints whose node it does not know (yet).
_UNKNOWN = '_NODE_NAME_UNKNOWN_'


@dataclass(frozen=True)
class Endpoint:
    """A publisher or subscription of somebody: the node's full name, the type, DDS's number."""

    node: str
    kind: str
    gid: tuple[int, ...] = ()


def others(found: Sequence[Endpoint], own: str) -> list[str]:
    """Return whose endpoints are not the one of the node ``own``; a twin of its name counts."""
    names = [endpoint.node for endpoint in found]
    if own in names:
        names.remove(own)
    return sorted(names)


def sole_fault(topic: str, found: Sequence[Endpoint], own: str = '') -> str:
    """
    Return that a topic has publishers beside the only one that it may have, '' where not.

    own: the node whose right it is; '' for whoever else publishes it.
    """
    names = others(found, own) if own else sorted(endpoint.node for endpoint in found)
    if own and names:
        return f'{topic} is published by {", ".join(names)}, too{_twin(own, names)}'
    if not own and len(names) > 1:
        return f'{topic} has {len(names)} publishers: {", ".join(names)}; expected one'
    return ''


def _twin(own: str, names: Sequence[str]) -> str:
    return ' (a second node of the same name)' if own in names else ''


def type_fault(topic: str, listeners: Sequence[Endpoint], own_kind: str) -> str:
    """
    Return that those who listen to a topic expect another type, '' where one fits.

    Nobody at all is no fault: discovery takes its time.
    """
    kinds = {endpoint.kind for endpoint in listeners}
    if not kinds or own_kind in kinds:
        return ''
    names = ', '.join(sorted({endpoint.node for endpoint in listeners}))
    return (
        f'{topic} is sent as {own_kind}, {names} expects {", ".join(sorted(kinds))}: '
        'set enable_stamped_cmd_vel'
    )


class Surroundings:
    """Looks at the graph around a node; topics are named as in the node, before remapping."""

    def __init__(self, node: Node) -> None:
        self._node = node

    @property
    def own(self) -> str:
        return self._node.get_fully_qualified_name()

    def publishers(self, topic: str) -> list[Endpoint]:
        return _endpoints(self._node.get_publishers_info_by_topic(topic))

    def listeners(self, topic: str) -> list[Endpoint]:
        return _endpoints(self._node.get_subscriptions_info_by_topic(topic))

    def callers(self, service: str) -> list[str]:
        """Return the nodes that have a client of a service: who may have called it."""
        name, found = self._node.resolve_service_name(service), []
        for node, space in self._node.get_node_names_and_namespaces():
            clients = self._node.get_client_names_and_types_by_node(node, space)
            if any(client == name for client, _ in clients):
                found.append(f'{space.rstrip("/")}/{node}')
        return sorted(found)


def _endpoints(found: Sequence[Any]) -> list[Endpoint]:
    return [
        Endpoint(
            'a node without a name'
            if item.node_name == _UNKNOWN
            else f'{item.node_namespace.rstrip("/")}/{item.node_name}',
            item.topic_type,
            tuple(item.endpoint_gid),
        )
        for item in found
    ]
