"""client secrets that were seen where others can read them

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
oldest_code = "0004"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column(
        "client_secrets", sa.Column("exposed_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column("client_secrets", sa.Column("exposed_by", sa.String(length=32), nullable=True))


def downgrade():
    op.drop_column("client_secrets", "exposed_by")
    op.drop_column("client_secrets", "exposed_at")
