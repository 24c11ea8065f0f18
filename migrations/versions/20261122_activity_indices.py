"""the activity of one actor and about one target, found by index

Revision ID: 0015
Revises: 0014
"""

from alembic import op

revision = "0015"
down_revision = "0014"
oldest_code = "0004"
branch_labels = None
depends_on = None

COLUMNS = ("actor_id", "target_id")


def upgrade():
    for column in COLUMNS:
        name = f"ix_audit_events_organization_id_{column}_id"
        op.create_index(name, "audit_events", ["organization_id", column, "id"])
    op.drop_index("ix_audit_events_target_id_id", "audit_events")


def downgrade():
    op.create_index("ix_audit_events_target_id_id", "audit_events", ["target_id", "id"])
    for column in COLUMNS:
        op.drop_index(f"ix_audit_events_organization_id_{column}_id", "audit_events")
