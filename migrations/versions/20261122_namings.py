"""what names a scope or an audience, found by index

Revision ID: 0021
Revises: 0020

Kept by triggers, so that it is right whoever writes: nodes of the version before, too. Whoever
makes one of these tables anew (Alembic's batch mode, on SQLite) makes its triggers anew as well.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
oldest_code = "0004"
branch_labels = None
depends_on = None

KEYS = {"clients": "client_id", "api_keys": "id"}
LISTS = {
    "clients": {"client": "scopes", "audience": "audiences"},
    "api_keys": {"api_key": "scopes"},
}
"""By table: the lists of names that are kept, by the kind under which they are."""
COUNTS = {"clients": "true", "api_keys": "{}.status IN ('active', 'disabled')"}
"""Which rows count: a key only while it can be used, or used again."""
FOLLOWED = {"clients": ("scopes", "audiences"), "api_keys": ("scopes", "status")}
"""What is looked at anew when it changes. On PostgreSQL by a condition, not by a list of columns:
engines that are compatible with it have triggers, but not that."""
ELEMENTS = {"sqlite": "json_each({})", "postgresql": "json_array_elements_text({}) AS one (value)"}


def upgrade():
    op.create_table(
        "namings",
        sa.Column("organization_id", sa.String(40), nullable=False),
        sa.Column("name", sa.String(512), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("holder_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint(
            "organization_id", "name", "kind", "holder_id", name=op.f("pk_namings")
        ),
        sqlite_with_rowid=False,
    )
    for table, columns in FOLLOWED.items():
        add = "".join(f"{_add(table, kind, 'NEW')}; " for kind in LISTS[table])
        remove = "".join(f"{_remove(table, kind)}; " for kind in LISTS[table])
        _follow(table, "insert", "INSERT", add)
        _follow(table, "update", "UPDATE", remove + add, columns)
        _follow(table, "delete", "DELETE", remove)
        for kind in LISTS[table]:
            op.execute(_add(table, kind, table, f"{table}, "))


def _add(table, kind, row, of=""):
    elements = ELEMENTS[_dialect()].format(f"{row}.{LISTS[table][kind]}")
    return (
        "INSERT INTO namings (organization_id, name, kind, holder_id) "
        f"SELECT DISTINCT {row}.organization_id, value, '{kind}', {row}.{KEYS[table]} "
        f"FROM {of}{elements} WHERE {COUNTS[table].format(row)}"
    )


def _remove(table, kind):
    elements = ELEMENTS[_dialect()].format(f"OLD.{LISTS[table][kind]}")
    return (
        f"DELETE FROM namings WHERE organization_id = OLD.organization_id AND kind = '{kind}' "
        f"AND holder_id = OLD.{KEYS[table]} AND name IN (SELECT value FROM {elements})"
    )


def _follow(table, name, event, does, columns=()):
    trigger = f"{table}_named_{name}"
    if _dialect() == "sqlite":
        event += " OF " * bool(columns) + ", ".join(columns)
        op.execute(f"CREATE TRIGGER {trigger} AFTER {event} ON {table} BEGIN {does}END")
        return
    changed = [f"OLD.{one}::text IS DISTINCT FROM NEW.{one}::text" for one in columns]
    when = f"WHEN ({' OR '.join(changed)}) " if changed else ""
    op.execute(
        f"CREATE FUNCTION {trigger}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {does}RETURN NULL; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {trigger} AFTER {event} ON {table} "
        f"FOR EACH ROW {when}EXECUTE FUNCTION {trigger}()"
    )


def downgrade():
    for table in FOLLOWED:
        for name in ("insert", "update", "delete"):
            trigger = f"{table}_named_{name}"
            if _dialect() == "sqlite":
                op.execute(f"DROP TRIGGER {trigger}")
            else:
                op.execute(f"DROP TRIGGER {trigger} ON {table}")
                op.execute(f"DROP FUNCTION {trigger}()")
    op.drop_table("namings")


def _dialect():
    return op.get_bind().dialect.name
