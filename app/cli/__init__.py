"""The command line: the same use cases as the management API (CONTRACT §1)."""

from __future__ import annotations

from flask import Flask

from app.cli import (
    audit,
    backup,
    clients,
    doctor,
    key_policy,
    keys,
    organizations,
    plans,
    presets,
    resources,
    scopes,
    seed,
    server,
    signing_keys,
    usage,
    users,
)

GROUPS = (
    clients,
    keys,
    key_policy,
    organizations,
    scopes,
    presets,
    resources,
    plans,
    users,
    signing_keys,
    audit,
    usage,
    backup,
    doctor,
    seed,
    server,
)


def register(app: Flask) -> None:
    """Add every group."""
    for group in GROUPS:
        group.register(app)
