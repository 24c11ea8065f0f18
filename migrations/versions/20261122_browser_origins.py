"""what a secret key does in a browser, and limits of an organization by class

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
oldest_code = "0004"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("api_keys", sa.Column("browser_origin", sa.String(length=8)))
    column = sa.Column("rate_limits", sa.JSON(), nullable=False, server_default="[]")
    op.add_column("organizations", column)


def downgrade():
    op.drop_column("organizations", "rate_limits")
    op.drop_column("api_keys", "browser_origin")
