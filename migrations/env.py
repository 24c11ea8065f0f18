"""Run migrations on the app's own engine (Flask-Migrate), in one transaction."""

from alembic import context
from flask import current_app

from app.storage.models import Base
from app.storage.models.base import Instant


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
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            **extension.configure_args | {"render_item": render_item, "compare_type": compare_type},
        )
        with context.begin_transaction():
            context.run_migrations()


run()
