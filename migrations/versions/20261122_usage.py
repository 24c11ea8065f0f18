"""how credentials are used

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
oldest_code = "0004"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "usage_counts",
        sa.Column("credential_id", sa.String(length=64), nullable=False),
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("route_class", sa.String(length=32), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("credential_type", sa.String(length=16), nullable=False),
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "credential_id", "hour", "route_class", "outcome", name=op.f("pk_usage_counts")
        ),
    )
    op.create_index(
        op.f("ix_usage_counts_organization_id_hour"), "usage_counts", ["organization_id", "hour"]
    )
    op.create_index(op.f("ix_usage_counts_hour"), "usage_counts", ["hour"])
    op.create_table(
        "usage_networks",
        sa.Column("credential_id", sa.String(length=64), nullable=False),
        sa.Column("network", sa.String(length=45), nullable=False),
        sa.Column("credential_type", sa.String(length=16), nullable=False),
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("credential_id", "network", name=op.f("pk_usage_networks")),
    )
    op.create_index(
        op.f("ix_usage_networks_organization_id_credential_id_network"),
        "usage_networks",
        ["organization_id", "credential_id", "network"],
    )
    op.create_index(op.f("ix_usage_networks_last_seen_at"), "usage_networks", ["last_seen_at"])
    op.create_table(
        "usage_scopes",
        sa.Column("credential_id", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=128), nullable=False),
        sa.Column("last_issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("credential_id", "scope", name=op.f("pk_usage_scopes")),
    )
    op.create_table(
        "usage_reports",
        sa.Column("reporter_id", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.Column("ignored", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("reporter_id", "id", name=op.f("pk_usage_reports")),
    )
    op.create_index(op.f("ix_usage_reports_received_at"), "usage_reports", ["received_at"])


def downgrade():
    for table in ("usage_reports", "usage_scopes", "usage_networks", "usage_counts"):
        op.drop_table(table)
