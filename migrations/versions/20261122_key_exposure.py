"""what a key does without an Origin, and where it was seen

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
oldest_code = "0004"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("api_keys", sa.Column("missing_origin", sa.String(length=8)))
    op.add_column("api_keys", sa.Column("exposed_at", sa.DateTime(timezone=True)))
    op.add_column("api_keys", sa.Column("exposed_by", sa.String(length=32)))


def downgrade():
    for name in ("exposed_by", "exposed_at", "missing_origin"):
        op.drop_column("api_keys", name)
