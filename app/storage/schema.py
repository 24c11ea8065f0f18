"""Whether the database has a schema that this code can use.

A migration that only adds leaves the database to nodes of the version before, which have to be
able to start again while the others are replaced. They do not know that migration, so the
database itself says which code may use it: ``oldest_code``, beside Alembic's own revision.
"""

from __future__ import annotations

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection

from app.errors import StartRefused, Unavailable
from app.storage.store import Store

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"


def head() -> str | None:
    """The revision that this code was written for."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def revision(store: Store) -> str | None:
    """The revision that the database has; None where it has no tables. Raises StartRefused."""
    try:
        with store.connect() as connection:
            return revision_of(connection)
    except Unavailable as error:
        raise StartRefused(
            f"The database cannot be reached: {error.detail}; check KEYTURN_DATABASE_URL"
        ) from None


def revision_of(connection: Connection) -> str | None:
    """The same, as this connection sees it."""
    return MigrationContext.configure(connection).get_current_revision()


def knows(revision: str) -> bool:
    """Whether this code has a migration to that revision."""
    script = ScriptDirectory(str(MIGRATIONS))
    return revision in {one.revision for one in script.walk_revisions()}


def note_oldest_code(connection: Connection) -> None:
    """Write down the oldest code that may use the database at the revision it now has: what that
    migration declares, and that revision's own where it declares nothing."""
    found = revision_of(connection)
    if found is None or not knows(found) or not _says_oldest_code(connection):
        return
    module = ScriptDirectory(str(MIGRATIONS)).get_revision(found).module
    oldest = getattr(module, "oldest_code", found)
    connection.execute(text("UPDATE alembic_version SET oldest_code = :oldest"), {"oldest": oldest})


def is_ahead(store: Store) -> bool:
    """Whether a newer version has migrated the database, and this code may use it all the same."""
    found = revision(store)
    if found is None or knows(found):
        return False
    with store.connect() as connection:
        if not _says_oldest_code(connection):
            return False
        oldest = connection.execute(text("SELECT oldest_code FROM alembic_version")).scalar()
    return oldest is not None and knows(oldest)


def _says_oldest_code(connection: Connection) -> bool:
    columns = inspect(connection).get_columns("alembic_version")
    return any(column["name"] == "oldest_code" for column in columns)


def require_current(store: Store) -> None:
    """Raises StartRefused, saying what to do."""
    found = revision(store)
    if found == head() or is_ahead(store):
        return
    if found is None:
        raise StartRefused("The database is empty: run `flask bootstrap` (or `make run`)")
    if knows(found):
        raise StartRefused("The database is of an older version: run `flask db upgrade`")
    raise StartRefused(
        "The database is of a newer version than this code: install that version again, or restore "
        "a backup from before the upgrade"
    )
