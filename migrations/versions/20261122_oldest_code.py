"""oldest code

Revision ID: 0005
Revises: 0004

The database says which code may use it, for code that does not know its revision
(``app.storage.schema``). Beside Alembic's own column, so that the two are never apart.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
oldest_code = "0004"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("alembic_version", sa.Column("oldest_code", sa.String(32), nullable=True))


def downgrade():
    op.drop_column("alembic_version", "oldest_code")
