"""status lists: a place for every credential that tokens can depend on

Revision ID: 0010
Revises: 0009

Credentials that nodes of the version before make later get theirs from upkeep.
"""

import random

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
oldest_code = "0004"
branch_labels = None
depends_on = None

SIZE, FILLED = 1 << 17, 100_000

# Whatever has not ended, with what its standing is now.
LIVING = """
SELECT 'client' AS kind, c.client_id AS subject_id, c.client_id AS owner_id, c.organization_id,
       CASE WHEN c.status = 'active' AND o.status = 'active' THEN 0 ELSE 2 END AS status
  FROM clients c JOIN organizations o ON o.id = c.organization_id
UNION ALL
SELECT 'client_secret', s.id, c.client_id, c.organization_id,
       CASE WHEN c.status = 'active' AND o.status = 'active' THEN 0 ELSE 2 END
  FROM client_secrets s JOIN clients c ON c.client_id = s.client_id
       JOIN organizations o ON o.id = c.organization_id
 WHERE s.revoked_at IS NULL
UNION ALL
SELECT 'api_key', k.id, k.id, k.organization_id,
       CASE WHEN k.status = 'active' AND o.status = 'active' THEN 0 ELSE 2 END
  FROM api_keys k JOIN organizations o ON o.id = k.organization_id
 WHERE k.status IN ('active', 'disabled')
"""


def upgrade():
    lists = op.create_table(
        "status_lists",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_status_lists")),
    )
    entries = op.create_table(
        "status_entries",
        sa.Column("list_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject_id", sa.String(length=64), nullable=False),
        sa.Column("owner_id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=40), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("list_number", "position", name=op.f("pk_status_entries")),
        sa.UniqueConstraint("subject_id", name=op.f("uq_status_entries_subject_id")),
    )
    for columns in (["owner_id"], ["organization_id", "status"], ["ended_at"]):
        op.create_index(f"ix_status_entries_{'_'.join(columns)}", "status_entries", columns)
    op.create_index(
        "ix_status_entries_stopped",
        "status_entries",
        ["list_number"],
        sqlite_where=sa.text("status <> 0"),
        postgresql_where=sa.text("status <> 0"),
    )
    op.add_column("revoked_tokens", sa.Column("list_number", sa.Integer()))
    op.create_index("ix_revoked_tokens_client_id", "revoked_tokens", ["client_id"])
    connection = op.get_bind()
    living = [row._asdict() for row in connection.execute(sa.text(LIVING))]
    draw = random.SystemRandom()
    for number, begun in enumerate(range(0, len(living), FILLED), start=1):
        some = living[begun : begun + FILLED]
        connection.execute(sa.insert(lists), {"number": number, "version": 1})
        positions = draw.sample(range(SIZE), len(some))
        if some:
            connection.execute(
                sa.insert(entries),
                [
                    {**one, "list_number": number, "position": position}
                    for one, position in zip(some, positions, strict=True)
                ],
            )


def downgrade():
    op.drop_index("ix_revoked_tokens_client_id", "revoked_tokens")
    op.drop_column("revoked_tokens", "list_number")
    op.drop_table("status_entries")
    op.drop_table("status_lists")
