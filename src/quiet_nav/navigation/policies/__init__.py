"""Policies by name: a module a policy, found here by its ``KIND``; adding one adds a module."""

from quiet_nav.navigation.policies.registry import (
    find_policy,
    KNOBS,
    make_policy,
    policy_kinds,
    PolicyKind,
    PolicyRequest,
    PolicySettings,
)

__all__ = [
    'KNOBS',
    'POLICIES',
    'PolicyKind',
    'PolicyRequest',
    'PolicySettings',
    'find_policy',
    'make_policy',
    'policy_kinds',
]

#: Their names.
POLICIES = tuple(policy_kinds())
