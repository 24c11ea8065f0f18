"""organizations found by name, status and plan, API keys by whoever made them

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
oldest_code = "0004"
branch_labels = None
depends_on = None

NAME = sa.String(100).with_variant(sa.String(100, collation="C"), "postgresql")
KEYS = {"organizations": "id", "clients": "client_id", "api_keys": "id"}
COLUMNS = ("search_name", "status", "plan_id")
MADE, MADE_BY = "ix_api_keys_organization_id_created_by_id", "ix_audit_events_made_keys"
CREATED = sa.text("type = 'api_key.created'")


def upgrade():
    op.add_column("organizations", sa.Column("search_name", NAME, nullable=True))
    for table, key in KEYS.items():
        _fold(table, key)
    for column in COLUMNS:
        op.create_index(f"ix_organizations_{column}_id", "organizations", [column, "id"])
    op.drop_index("ix_organizations_plan_id", "organizations")
    op.create_index(MADE, "api_keys", ["organization_id", "created_by", "id"])
    columns = ["organization_id", "actor_id", "target_id"]
    op.create_index(
        MADE_BY, "audit_events", columns, sqlite_where=CREATED, postgresql_where=CREATED
    )


def _fold(table, key):
    """Also what nodes before 0017 have written since, and the capitals that no database folds."""
    row = sa.table(table, sa.column(key), sa.column("name"), sa.column("search_name"))
    connection, id = op.get_bind(), row.c[key]
    wrong = [
        {"its": its, "folded": name.casefold()[:100]}
        for its, name, found in connection.execute(sa.select(id, row.c.name, row.c.search_name))
        if found != name.casefold()[:100]
    ]
    if wrong:
        right = sa.update(row).where(id == sa.bindparam("its"))
        connection.execute(right.values(search_name=sa.bindparam("folded")), wrong)


def downgrade():
    op.drop_index(MADE_BY, "audit_events")
    op.drop_index(MADE, "api_keys")
    op.create_index("ix_organizations_plan_id", "organizations", ["plan_id"])
    for column in COLUMNS:
        op.drop_index(f"ix_organizations_{column}_id", "organizations")
    op.drop_column("organizations", "search_name")
