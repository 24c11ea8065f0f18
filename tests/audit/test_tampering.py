"""Somebody changes the database itself; the next export shows it.

Whoever can do that, but has no signing key, cannot make checkpoints. Who has both can rewrite what
is here, but not what others have kept (``--earlier``).
"""

import pytest

from app.admin import audit_verify
from app.crypto.jws import read_unverified
from app.errors import Unavailable
from app.storage.canonical import document, hash_of
from app.storage.journal import Journal
from app.storage.shipping import ship
from app.tokens.checkpoints import CHECKPOINT_TYPE
from tests.audit.conftest import checkpoints_of
from tests.audit.test_chain import a_line


@pytest.fixture
def used(audited):
    audited.tokens(6)
    audited.checkpoint()
    audited.tokens(3)
    audited.assert_whole()
    return audited


def said(audited, **also):
    return " | ".join(audited.verify(**also).findings)


def stream(audited):
    return audited.shipped


def checkpoints_about(audited):
    found = checkpoints_of(audited.export())
    return [
        one
        for one in found
        if read_unverified(one, CHECKPOINT_TYPE).claims["stream"] == stream(audited)
    ]


def test_a_changed_row(used):
    used.execute(
        "UPDATE audit_events SET ip = '192.0.2.66' WHERE stream = :s AND sequence = 7",
        s=stream(used),
    )
    assert "row 7 " in said(used)
    assert "was changed" in said(used)


def test_a_removed_row(used):
    used.execute("DELETE FROM audit_events WHERE stream = :s AND sequence = 7", s=stream(used))
    assert "row 7 is not where expected" in said(used)


def test_removed_rows_at_the_end(used):
    last = len(used.chain(stream(used)))
    used.execute("DELETE FROM audit_events WHERE stream = :s AND sequence > 7", s=stream(used))
    assert f"rows 8 to {last} are missing" in said(used)


def test_removed_rows_at_the_beginning(used):
    used.execute("DELETE FROM audit_events WHERE stream = :s AND sequence < 4", s=stream(used))
    assert "rows 1 to 3 are not where expected" in said(used)


def rolled_back(audited, to):
    """As if the rows behind had never been, and nobody had to know."""
    rows = audited.chain(stream(audited))
    audited.execute(
        "DELETE FROM audit_events WHERE stream = :s AND sequence > :n", s=stream(audited), n=to
    )
    audited.execute(
        "UPDATE audit_streams SET sequence = :n, head_hash = :h WHERE stream = :s",
        s=stream(audited),
        n=to,
        h=rows[to - 1].hash,
    )


def test_an_end_that_was_rolled_back_behind_a_checkpoint(used):
    rolled_back(used, 5)
    assert "knows row" in said(used)
    # Nor is it hidden by what comes after.
    used.tokens(9)
    assert "knows row" in said(used)


def test_an_end_that_was_rolled_back_before_a_checkpoint_is_known_by_who_kept_one(used):
    """There is nothing in the database that could tell; an earlier export can."""
    kept = [line.decode() for line in used.export()]
    rolled_back(used, len(used.chain(stream(used))) - 2)
    assert said(used) == ""
    assert "rows were cut off" in said(used, earlier=kept)
    used.tokens(4)
    assert said(used) == ""
    assert "is not what it was" in said(used, earlier=kept)


def rewritten(audited, since, **changes):
    """Every hash from there on made anew, so that each fits the one before."""
    previous = None
    for row in audited.chain(stream(audited))[since - 1 :]:
        values = dict(row._mapping) | (changes if previous is None else {"previous_hash": previous})
        previous = hash_of(document(values))
        audited.execute(
            "UPDATE audit_events SET ip = :ip, previous_hash = :p, hash = :h WHERE id = :id",
            ip=values["ip"], p=values["previous_hash"], h=previous, id=row.id,
        )  # fmt: skip
    audited.execute(
        "UPDATE audit_streams SET head_hash = :h WHERE stream = :s", h=previous, s=stream(audited)
    )


def test_a_chain_that_was_rewritten(used):
    rewritten(used, 4, ip="192.0.2.66")
    assert "checkpoint 1 knows row" in said(used)


def test_a_chain_rewritten_along_with_its_checkpoints_is_known_by_who_kept_one(used):
    """As the operator himself could: he has the signing key."""
    kept = checkpoints_about(used)
    rewritten(used, 4, ip="192.0.2.66")
    used.execute("DELETE FROM audit_checkpoints WHERE stream = :s", s=stream(used))
    used.execute(
        "UPDATE audit_streams SET checkpoint = 0, checkpoint_sequence = 0, checkpoint_kid = NULL, "
        "checkpoint_at = NULL, checkpoint_hash = :zero WHERE stream = :s",
        zero=bytes(32), s=stream(used),
    )  # fmt: skip
    used.checkpoint()
    assert said(used) == ""
    assert "is not what it was" in said(used, earlier=kept)


def test_a_removed_checkpoint(used):
    used.checkpoint()
    used.execute("DELETE FROM audit_checkpoints WHERE stream = :s AND number = 1", s=stream(used))
    assert "checkpoint 2 stands where 1 should" in said(used)


def test_a_chain_that_is_gone_is_known_by_who_kept_its_checkpoint(used):
    kept = [line.decode() for line in used.export()]
    for table in ("audit_events", "audit_streams", "audit_checkpoints"):
        used.execute(f"DELETE FROM {table} WHERE stream = :s", s=stream(used))
    assert said(used) == ""
    assert "knows this chain, it is missing" in said(used, earlier=kept)


def test_an_end_that_does_not_fit_its_chain_stops_whoever_appends(used):
    """Loudly: nothing is issued or changed without its event, and no event is lost."""
    house = used.installation
    streams = (house.organization_id, stream(used))
    for name in streams:
        used.execute("UPDATE audit_streams SET sequence = sequence - 2 WHERE stream = :s", s=name)
    before = [used.chain(name) for name in streams]
    with pytest.raises(Unavailable) as refused:
        house.client()
    assert "flask audit verify" in refused.value.detail
    journal = Journal(str(used.installation.journal_dir), 1 << 20)
    for number in range(3):
        journal.append(a_line(number, house.organization_id))
    journal.close()
    with pytest.raises(Unavailable):
        ship(journal, used.store)
    assert [used.chain(name) for name in streams] == before
    for name in streams:
        used.execute("UPDATE audit_streams SET sequence = sequence + 2 WHERE stream = :s", s=name)
    assert ship(journal, used.store) == 3
    used.assert_whole()


def test_earlier_statements_that_contradict_each_other(used):
    first = used.export()
    rewritten(used, 4, ip="192.0.2.66")
    second = used.export()
    report = audit_verify.verify(first, used.keys(), (line.decode() for line in [*first, *second]))
    assert any("contradict" in one for one in report.findings)


def test_an_earlier_statement_with_a_false_signature(used):
    (kept,) = checkpoints_about(used)
    head, payload, signature = kept.split(".")
    letter = "A" if signature[0] != "A" else "B"
    assert "signature of an earlier statement" in said(
        used, earlier=[f"{head}.{payload}.{letter}{signature[1:]}"]
    )
