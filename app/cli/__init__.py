"""The command line: the same use cases as the management API (CONTRACT §1)."""

from __future__ import annotations

from flask import Flask

from app.cli import server


def register(app: Flask) -> None:
    """Add every group."""
    for group in (server,):
        group.register(app)
