"""Policies by name: a module a policy, found here by its ``KIND``; adding one adds a module."""

from quiet_nav.navigation.policies.registry import (
    KNOBS,
    PolicyKind,
    PolicyRequest,
    PolicySettings,
    find_policy,
    make_policy,
    policy_kinds,
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
