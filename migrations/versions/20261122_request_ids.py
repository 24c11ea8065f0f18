"""single requests found by their request ids

Revision ID: 0019
Revises: 0018
"""

from alembic import op

revision = "0019"
down_revision = "0018"
oldest_code = "0004"
branch_labels = None
depends_on = None

NAME = "ix_request_records_organization_id_request_id"


def upgrade():
    op.create_index(NAME, "request_records", ["organization_id", "request_id"])


def downgrade():
    op.drop_index(NAME, "request_records")
