"""The export: what is in it, whose it is, and that it is read as it goes."""

import json
from hashlib import sha256

import jwt
import pytest

from app.admin import audit_export
from app.errors import Conflict, Forbidden, Invalid, NotFound
from app.records import Actor
from app.storage import chain
from app.storage.canonical import stream_of
from app.storage.shipping import LANE
from keyturn.scope import ScopeSet
from tests.audit.conftest import INSTALLATION, checkpoints_of, events_of
from tests.audit.test_chain import an_event
from tests.support.statements import statements


def manifest_of(lines, jwks):
    token = json.loads(lines[0])["manifest"]
    header = jwt.get_unverified_header(token)
    key = jwt.PyJWKSet.from_dict(jwks)[header["kid"]]
    return header, jwt.decode(token, key.key, algorithms=[header["alg"]])


def test_a_stranger_can_check_it_with_a_json_parser_and_sha256(audited):
    """Without any of our code: a sorted dump, a hash, a JWS library."""
    audited.tokens(3)
    audited.checkpoint()
    audited.tokens(2)
    lines = audited.export(organization_id=audited.installation.organization_id)
    header, manifest = manifest_of(lines, audited.jwks())
    assert header["typ"] == "audit-manifest+jwt"
    assert manifest["iss"] == audited.installation.services.settings.issuer
    parts = {part["stream"]: part for part in manifest["streams"]}
    assert list(parts) == [audited.installation.organization_id, audited.shipped]
    ends = {}
    for entry in map(json.loads, lines[1:]):
        if "event" in entry:
            stream = entry["event"]["stream"]
            previous, count = ends.get(stream, (parts[stream]["previous"], 0))
            text = json.dumps(
                entry["event"], sort_keys=True, separators=(",", ":"), ensure_ascii=False
            )
            assert sha256(text.encode()).hexdigest() == entry["hash"]
            assert entry["event"]["previous_hash"] == previous
            ends[stream] = (entry["hash"], count + 1)
        else:
            claims = jwt.decode(entry["checkpoint"], options={"verify_signature": False})
            assert (claims["head"], claims["count"]) == ends[claims["stream"]]
    assert {name: (part["head"], part["last"]) for name, part in parts.items()} == ends
    assert {part["first"] for part in parts.values()} == {1}


def test_it_holds_what_the_activity_holds(audited):
    audited.tokens(4)
    exported = {event["id"]: event for event in events_of(audited.export())}
    rows = audited.installation.rows("SELECT id, type, target_id FROM audit_events")
    assert {(e["id"], e["type"], e["target_id"]) for e in exported.values()} == set(rows)


def test_lines_are_canonical_and_whole(audited):
    for line in audited.export():
        text = json.dumps(
            json.loads(line), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        assert line == text.encode() + b"\n"


def test_one_organization_gets_its_own_chains_and_nothing_else(audited):
    house = audited.installation
    mine, other = house.organization(scopes=["a:b"]), house.organization(scopes=["secret:plan"])
    audited.tokens(1, house.client(["a:b"], organization=mine))
    audited.tokens(1, house.client(["secret:plan"], organization=other))
    lines = audited.export(organization_id=mine)
    assert {event["stream"] for event in events_of(lines)} == {mine, stream_of(mine, LANE)}
    assert {event["organization_id"] for event in events_of(lines)} == {mine}
    everything = b"".join(lines) + json.dumps(manifest_of(lines, audited.jwks())).encode()
    assert other.encode() not in everything
    assert b"secret:plan" not in everything
    assert audited.verify(lines).is_whole


def test_an_organization_without_events_is_an_empty_export(audited):
    lines = audited.export(organization_id="org_none")
    assert len(lines) == 1
    report = audited.verify(lines)
    assert (report.is_whole, report.chains) == (True, ())


@pytest.mark.parametrize("checkpointed", [False, True])
def test_only_what_came_after_an_earlier_export(audited, checkpointed):
    audited.tokens(3)
    if checkpointed:
        audited.checkpoint()
    earlier = audited.export()
    audited.tokens(2)
    audited.checkpoint()
    everything = audited.export()
    later = audited.export(after=audit_export.ends(earlier[0]))
    known = events_of(earlier)
    assert events_of(later) == [event for event in events_of(everything) if event not in known]
    assert len(events_of(later)) == 3, "a client, two tokens"
    for part in (later, everything):
        assert audited.verify(part, earlier=[line.decode() for line in earlier]).findings == ()


@pytest.mark.parametrize("after", [0, 1, 3, 10_000])
def test_only_rows_behind_one_of_a_chain(audited, after):
    audited.tokens(3)
    lines = audited.export(after={audited.shipped: after})
    found = [event for event in events_of(lines) if event["stream"] == audited.shipped]
    assert len(found) == max(0, 3 - after)
    assert audited.verify(lines).findings == ()


@pytest.mark.parametrize("line", [b"", b"{}\n", b"[]", b'{"manifest":"x.y.z"}', b'{"manifest":1}'])
def test_what_begins_with_no_manifest_is_no_earlier_export(line):
    with pytest.raises(Invalid, match="manifest"):
        audit_export.ends(line)


def test_a_part_that_lost_its_first_row_does_not_pass_for_a_part(audited):
    stream = audited.installation.organization_id
    lines = audited.export(organization_id=stream, after={stream: 2})
    (finding, *_) = audited.verify([lines[0], *lines[2:]]).findings
    assert "row 3 is not where expected" in finding


def test_it_is_read_page_by_page(fresh_installation, monkeypatch):
    """The first rows are there before the last are asked for."""
    with fresh_installation.desk.store.begin() as connection:
        chain.append(connection, [an_event(number) for number in range(25)])
    monkeypatch.setattr(audit_export, "PAGE", 10)
    lines = audit_export.export(
        fresh_installation.desk, fresh_installation.operator, organization_id="org_x"
    )
    with statements(fresh_installation) as made:
        first = [next(lines) for _ in range(11)]
        asked = len([one for one in made if "audit_events" in one])
        rest = list(lines)
        assert len([one for one in made if "audit_events" in one]) > asked
    assert asked == 1
    assert [event["sequence"] for event in events_of([*first, *rest])] == list(range(1, 26))


def test_checkpoints_stand_behind_the_row_that_they_are_about(audited):
    audited.checkpoint()
    audited.tokens(2)
    audited.checkpoint()
    audited.tokens(1)
    lines = audited.export(organization_id=audited.installation.organization_id)
    last = None
    for entry in map(json.loads, lines[1:]):
        if "event" in entry:
            last = (entry["event"]["stream"], entry["event"]["sequence"])
        else:
            claims = jwt.decode(entry["checkpoint"], options={"verify_signature": False})
            assert (claims["stream"], claims["count"]) == last
    assert len(checkpoints_of(lines)) == 3, "acts twice, tokens once"


def test_what_happens_during_an_export_is_in_the_next_one(audited):
    stream = audited.installation.organization_id
    lines = audit_export.export(
        audited.installation.desk, audited.installation.operator, organization_id=stream
    )
    first = [next(lines), next(lines)]
    before = len(audited.chain()) + len(audited.chain(audited.shipped))
    audited.tokens(3)
    audited.checkpoint()
    got = [*first, *lines]
    assert len(events_of(got)) == before
    assert audited.verify(got).is_whole


def test_a_row_that_cannot_be_written_is_named(audited):
    """Somebody wrote into the database what no event of ours can hold."""
    audited.execute("UPDATE audit_events SET details = '{\"a\": 0.5}' WHERE sequence = 1")
    with pytest.raises(Conflict, match="row 1 "):
        audited.export()


# Rights -------------------------------------------------------------------------------------------


def actor(organization_id, *scopes, is_operator=False):
    return Actor(
        type="user",
        id="usr_x",
        organization_id=organization_id,
        is_operator=is_operator,
        scopes=ScopeSet.of(scopes),
    )


def test_rights(fresh_installation):
    house, desk = fresh_installation, fresh_installation.desk
    mine, other = house.organization(), house.organization()
    reader = actor(mine, "keyturn:audit:read")
    assert {event["stream"] for event in events_of(list(audit_export.export(desk, reader)))} == {
        mine
    }
    with pytest.raises(NotFound):
        audit_export.export(desk, reader, organization_id=other)
    with pytest.raises(NotFound):
        audit_export.export(desk, reader, organization_id=INSTALLATION)
    with pytest.raises(Forbidden):
        audit_export.export(desk, reader, everything=True)
    with pytest.raises(Forbidden):
        audit_export.export(desk, actor(mine, "keyturn:keys:read"))
    with pytest.raises(Forbidden):
        audit_export.checkpoint(desk, reader)
    operator = actor(
        house.organization_id,
        "keyturn:audit:read",
        "keyturn:organizations:read",
        is_operator=True,
    )
    assert list(audit_export.export(desk, operator, everything=True))
    with pytest.raises(Forbidden):
        audit_export.checkpoint(desk, operator)
