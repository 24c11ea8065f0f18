"""Run migrations on the app's own engine (Flask-Migrate), in one transaction.

Several nodes may start at once. Each tries all of it, and the last statement moves the version on
from where that node found it: one comes through, and nothing is left of the others, which find
the version moved and go on from there. No lock outlives the transaction.
"""

from alembic import context
from alembic.util import CommandError
from flask import current_app
from sqlalchemy.exc import DBAPIError

from app.storage.engine import wait_for_migrations
from app.storage.models import Base
from app.storage.models.base import Instant
from app.storage.schema import note_oldest_code, revision_of
from app.storage.store import CONTENDED

ATTEMPTS = 8


def render_item(kind, item, autogen_context):
    """Migrations must not import what they outlive: our column type is spelt as SQLAlchemy's."""
    if kind == "type" and isinstance(item, Instant):
        return "sa.DateTime(timezone=True)"
    return False


def compare_type(context_, column, metadata_column, inspected, declared):
    """Our instants are DateTime columns to the database."""
    return False if isinstance(declared, Instant) else None


def run() -> None:
    extension = current_app.extensions["migrate"]
    with extension.db.engine.connect() as connection:
        wait_for_migrations(connection)
        for attempt in range(1, ATTEMPTS + 1):
            began_at = revision_of(connection)
            connection.rollback()
            try:
                migrate(connection, extension.configure_args)
                return
            except (DBAPIError, CommandError) as error:
                connection.rollback()
                overtaken = revision_of(connection) != began_at
                contended = getattr(getattr(error, "orig", None), "sqlstate", None) in CONTENDED
                if attempt == ATTEMPTS or not (overtaken or contended):
                    raise


def migrate(connection, configured) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        # SQLite has that too, with transactions that begin at once (`app.storage.engine`).
        transactional_ddl=True,
        **configured | {"render_item": render_item, "compare_type": compare_type},
    )
    with context.begin_transaction():
        context.run_migrations()
        note_oldest_code(connection)


run()
