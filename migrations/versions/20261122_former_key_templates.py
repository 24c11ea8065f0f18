"""former key templates: a key outlives the template it was made by

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column(
        "organizations",
        sa.Column("former_key_templates", sa.JSON(), server_default="[]", nullable=False),
    )


def downgrade():
    # Not in a batch: that would drop and make anew a table that others refer to.
    op.drop_column("organizations", "former_key_templates")
