"""clients and API keys found by how their names begin

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
oldest_code = "0004"
branch_labels = None
depends_on = None

TABLES = {"clients": "client_id", "api_keys": "id"}
NAME = sa.String(100).with_variant(sa.String(100, collation="C"), "postgresql")


def upgrade():
    for table, key in TABLES.items():
        op.add_column(table, sa.Column("search_name", NAME, nullable=True))
        op.execute(f"UPDATE {table} SET search_name = lower(name)")
        index = f"ix_{table}_organization_id_search_name_{key}"
        op.create_index(index, table, ["organization_id", "search_name", key])


def downgrade():
    for table, key in TABLES.items():
        op.drop_index(f"ix_{table}_organization_id_search_name_{key}", table)
        op.drop_column(table, "search_name")
