"""The tables of an installation: migrated once a process, and for all others by what that said.

A migration costs a quarter of a second, most of it to read and compile what is the same each time.
The statements of the first one on each kind of database are kept, and executed on the next, in
one transaction as well. ``tests/storage/test_migrations.py`` is about the migrations themselves.
"""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import Engine, event

_SAID: dict[str, list[tuple[str, Any]]] = {}
"""Statements and their parameters, by the name of the dialect."""
_ASKING = ("BEGIN", "PRAGMA", "SELECT", "select")
"""They change nothing."""


def migrate(app: Flask, engine: Engine) -> None:
    """Make all tables in an empty database."""
    said = _SAID.get(engine.dialect.name)
    if said is None:
        _SAID[engine.dialect.name] = _heard(app, engine)
        return
    with engine.begin() as connection:
        for statement, parameters in said:
            connection.exec_driver_sql(statement, parameters)


def _heard(app: Flask, engine: Engine) -> list[tuple[str, Any]]:
    said: list[tuple[str, Any]] = []

    def hear(_c: Any, _u: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not statement.startswith(_ASKING):
            said.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", hear)
    try:
        with app.app_context():
            upgrade()
    finally:
        event.remove(engine, "before_cursor_execute", hear)
    return said
