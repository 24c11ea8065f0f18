"""what the dashboard's overview looks for: client secrets by their ends, API keys by their age

Revision ID: 0018
Revises: 0017
"""

from alembic import op

revision = "0018"
down_revision = "0017"
oldest_code = "0004"
branch_labels = None
depends_on = None


def upgrade():
    op.create_index("ix_client_secrets_expires_at", "client_secrets", ["expires_at"])
    columns = ["organization_id", "created_at"]
    op.create_index("ix_api_keys_organization_id_created_at", "api_keys", columns)


def downgrade():
    op.drop_index("ix_api_keys_organization_id_created_at", "api_keys")
    op.drop_index("ix_client_secrets_expires_at", "client_secrets")
