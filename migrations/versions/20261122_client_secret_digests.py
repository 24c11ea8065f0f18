"""client secrets are found by their hash: whoever has found one may end it

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
oldest_code = "0004"
branch_labels = None
depends_on = None


def upgrade():
    op.create_index(op.f("ix_client_secrets_digest"), "client_secrets", ["digest"])


def downgrade():
    op.drop_index(op.f("ix_client_secrets_digest"), table_name="client_secrets")
