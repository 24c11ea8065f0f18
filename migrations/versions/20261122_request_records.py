"""single requests, whom a service credential may act for, and profiles of resources

Revision ID: 0013
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"
oldest_code = "0004"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "request_records",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("credential_type", sa.String(length=16), nullable=False),
        sa.Column("credential_id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("route", sa.String(length=256), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("latency_ms", sa.Float(), nullable=True),
        sa.Column("ip", sa.String(length=45), nullable=True),
        sa.Column("user_agent", sa.String(length=256), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request_records")),
    )
    for column in ("organization_id", "credential_id"):
        op.create_index(
            op.f(f"ix_request_records_{column}_id"), "request_records", [column, "id"]
        )
    for table in ("clients", "api_keys"):
        op.add_column(table, sa.Column("act_as_organizations", sa.JSON(), nullable=True))
    op.add_column("resources", sa.Column("profile", sa.String(length=40), nullable=True))


def downgrade():
    op.drop_column("resources", "profile")
    for table in ("api_keys", "clients"):
        op.drop_column(table, "act_as_organizations")
    op.drop_table("request_records")
