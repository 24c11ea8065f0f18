"""audit chains

Revision ID: 0003
Revises: 0002

Every event gets its place in a chain; events that are there already are chained in the order of
their ids, token events among them in the chain of the acts. While this runs nobody writes events:
what the journals hold waits. Stop the nodes of the version before: they know no place for an event,
and would set theirs aside; what their journals hold is shipped by the new version.
"""

import json
from datetime import UTC
from hashlib import sha256

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BATCH = 1000


def upgrade():
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        # A long table takes longer than a statement of the server may.
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
    op.create_table(
        "audit_streams",
        sa.Column("stream", sa.String(length=40), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("head_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kept_after", sa.BigInteger(), nullable=False),
        sa.Column("first_checkpoint", sa.BigInteger(), nullable=False),
        sa.Column("checkpoint", sa.BigInteger(), nullable=False),
        sa.Column("checkpoint_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("checkpoint_sequence", sa.BigInteger(), nullable=False),
        sa.Column("checkpoint_kid", sa.String(length=64), nullable=True),
        sa.Column("checkpoint_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("stream", name=op.f("pk_audit_streams")),
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("stream", sa.String(length=40), nullable=False),
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("jws", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("stream", "number", name=op.f("pk_audit_checkpoints")),
    )
    with op.batch_alter_table("audit_events", schema=None) as batch_op:
        batch_op.add_column(sa.Column("stream", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("sequence", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("previous_hash", sa.LargeBinary(length=32), nullable=True))
        batch_op.add_column(sa.Column("hash", sa.LargeBinary(length=32), nullable=True))

    chain_what_exists(connection)

    with op.batch_alter_table("audit_events", schema=None) as batch_op:
        batch_op.alter_column("stream", existing_type=sa.String(length=40), nullable=False)
        batch_op.alter_column("sequence", existing_type=sa.BigInteger(), nullable=False)
        batch_op.alter_column(
            "previous_hash", existing_type=sa.LargeBinary(length=32), nullable=False
        )
        batch_op.alter_column("hash", existing_type=sa.LargeBinary(length=32), nullable=False)
        batch_op.create_unique_constraint(
            batch_op.f("uq_audit_events_stream_sequence"), ["stream", "sequence"]
        )


def downgrade():
    with op.batch_alter_table("audit_events", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_audit_events_stream_sequence"), type_="unique")
        batch_op.drop_column("hash")
        batch_op.drop_column("previous_hash")
        batch_op.drop_column("sequence")
        batch_op.drop_column("stream")

    op.drop_table("audit_checkpoints")
    op.drop_table("audit_streams")


TEXTS = (
    "type actor_type actor_id organization_id target_type target_id outcome reason ip user_agent "
    "request_id"
).split()

EVENTS = sa.table(
    "audit_events",
    sa.column("id", sa.String()),
    sa.column("time", sa.DateTime(timezone=True)),
    *(sa.column(name, sa.String()) for name in TEXTS),
    sa.column("details", sa.JSON()),
    sa.column("stream", sa.String()),
    sa.column("sequence", sa.BigInteger()),
    sa.column("previous_hash", sa.LargeBinary()),
    sa.column("hash", sa.LargeBinary()),
)

STREAMS = sa.table(
    "audit_streams",
    sa.column("stream", sa.String()),
    sa.column("sequence", sa.BigInteger()),
    sa.column("head_hash", sa.LargeBinary()),
    sa.column("kept_after", sa.BigInteger()),
    sa.column("first_checkpoint", sa.BigInteger()),
    sa.column("checkpoint", sa.BigInteger()),
    sa.column("checkpoint_hash", sa.LargeBinary()),
    sa.column("checkpoint_sequence", sa.BigInteger()),
)


def chain_what_exists(connection):
    columns = [EVENTS.c[name] for name in ("id", "time", *TEXTS, "details")]
    fill = (
        sa.update(EVENTS)
        .where(EVENTS.c.id == sa.bindparam("event_id"))
        .values({name: sa.bindparam(name) for name in ("stream", "sequence", "previous_hash", "hash")})
    )
    ends = {}
    last = ""
    while True:
        rows = connection.execute(
            sa.select(*columns).where(EVENTS.c.id > last).order_by(EVENTS.c.id).limit(BATCH)
        ).all()
        if not rows:
            break
        places = []
        for row in rows:
            stream = row.organization_id or "installation"
            sequence, previous = ends.get(stream, (0, bytes(32)))
            sequence += 1
            digest = row_hash(row, stream, sequence, previous)
            places.append(
                {
                    "event_id": row.id,
                    "stream": stream,
                    "sequence": sequence,
                    "previous_hash": previous,
                    "hash": digest,
                }
            )
            ends[stream] = (sequence, digest)
        connection.execute(fill, places)
        last = rows[-1].id
    if ends:
        connection.execute(
            sa.insert(STREAMS),
            [
                {
                    "stream": stream,
                    "sequence": sequence,
                    "head_hash": digest,
                    "kept_after": 0,
                    "first_checkpoint": 1,
                    "checkpoint": 0,
                    "checkpoint_hash": bytes(32),
                    "checkpoint_sequence": 0,
                }
                for stream, (sequence, digest) in sorted(ends.items())
            ],
        )


def row_hash(row, stream, sequence, previous):
    """As ``app.storage.canonical`` did when this was written; migrations import nothing of it."""
    time = row.time.replace(tzinfo=UTC) if row.time.tzinfo is None else row.time.astimezone(UTC)
    event = {
        "id": row.id,
        "time": time.isoformat(timespec="microseconds")[:-6] + "Z",
        **{name: getattr(row, name) for name in TEXTS},
        "details": row.details,
        "stream": stream,
        "sequence": sequence,
        "previous_hash": previous.hex(),
    }
    text = json.dumps(event, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).digest()
