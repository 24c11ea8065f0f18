"""``flask seed``: made-up data is as good as real data, and gets into none by mistake."""

from collections import Counter

from app.admin import audit_export, audit_verify
from keyturn.jwks import FixedKeys
from tests.operations.conftest import flask, process


def seeded(installation, *also):
    amounts = ["--clients", "130", "--keys", "130", "--events", "400"]
    return flask(installation, "seed", *amounts, *also)


def test_what_is_made_up_is_whole(any_installation):
    made = any_installation
    assert seeded(made).stdout == "130 clients, 130 keys, 400 events\n"
    for table, number in (("clients", 131), ("client_secrets", 131), ("api_keys", 131)):
        assert made.rows(f"SELECT count(*) FROM {table}") == [(number,)]
    # Each has its place in a status list, with what its row says.
    places = Counter(made.rows("SELECT kind, status FROM status_entries"))
    disabled = 130 // 40
    assert places["client", 2] == places["client_secret", 2] == disabled
    assert places["client", 0] == 131 - disabled
    assert places["api_key", 1] == places["api_key", 2] == 130 // 60
    # The chains hold, and what happened was counted.
    lines = [*audit_export.export(made.desk, made.operator)]
    keys = FixedKeys.of_jwks(made.services.keyring.published().jwks, ("ES256",))
    assert not audit_verify.verify(lines, keys).findings
    counted = made.rows("SELECT sum(count) FROM usage_counts")
    assert counted == [(400,)]


def test_an_organization_in_use_is_left_alone(fresh_installation):
    assert seeded(fresh_installation).exit_code == 0
    again = seeded(fresh_installation)
    assert (again.exit_code, again.stdout) == (1, "")
    assert "in use" in again.stderr
    assert seeded(fresh_installation, "--yes").exit_code == 0
    other = fresh_installation.organization("Other")
    assert seeded(fresh_installation, "--org", "Other").exit_code == 0
    mine = "SELECT count(*) FROM api_keys WHERE organization_id = :o"
    assert fresh_installation.rows(mine, o=other) == [(131,)]


def test_no_bar_is_drawn_where_nobody_looks(fresh_installation):
    done = process(fresh_installation, "seed", "--clients", "1", "--keys", "1", "--events", "1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 clients, 1 keys, 1 events\n", "")
