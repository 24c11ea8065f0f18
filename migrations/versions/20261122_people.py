"""people: server-side sessions, second factors

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
oldest_code = "0004"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("user_id", sa.String(40), nullable=False),
        sa.Column("awaits_code", sa.Boolean(), nullable=False),
        sa.Column("looks_at", sa.String(40)),
        sa.Column("ip", sa.String(45)),
        sa.Column("user_agent", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_sessions_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("digest", name="uq_sessions_digest"),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.add_column("users", sa.Column("totp_secret", sa.LargeBinary()))
    op.add_column("users", sa.Column("totp_confirmed_at", sa.DateTime(timezone=True)))
    op.add_column("users", sa.Column("totp_step", sa.BigInteger()))
    op.add_column(
        "users", sa.Column("recovery_digests", sa.JSON(), nullable=False, server_default="[]")
    )
    op.create_index("ix_users_sign_in_digest", "users", ["sign_in_digest"])
    op.create_index("ix_client_secrets_created_by", "client_secrets", ["created_by"])


def downgrade():
    op.drop_index("ix_client_secrets_created_by", "client_secrets")
    op.drop_index("ix_users_sign_in_digest", "users")
    for name in ("recovery_digests", "totp_step", "totp_confirmed_at", "totp_secret"):
        op.drop_column("users", name)
    op.drop_table("sessions")
