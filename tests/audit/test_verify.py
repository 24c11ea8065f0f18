"""Whatever is done to an export afterwards is found, and told."""

import json
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.admin import audit_verify
from app.admin.audit_chain import MANY
from app.crypto.signing import ALGORITHMS, JwsSigner, generate
from app.storage.canonical import canonical
from keyturn.jwks import FixedKeys
from tests.audit.conftest import Audited, checkpoints_of
from tests.support.installation import installed


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """Four chains, checkpoints by two keys in them."""
    with installed(tmp_path_factory.mktemp("filled")) as made:
        audited = Audited(made)
        audited.tokens(3)
        other = made.organization(scopes=["a:b"])
        audited.checkpoint()
        made.client(["a:b"], organization=other)
        made.rotate_signing_key()
        audited.tokens(4)
        audited.checkpoint()
        audited.tokens(2)
        yield audited


@pytest.fixture(scope="module")
def export(filled):
    return filled.export()


@pytest.fixture(scope="module")
def keys(filled):
    return filled.keys()


def findings(lines, keys, **also):
    return audit_verify.verify(lines, keys, **also).findings


def of(line):
    return json.loads(line)


def rewritten(line, **changes):
    """A row with other values and the hash that fits them."""
    event = of(line)["event"] | changes
    return canonical({"event": event, "hash": sha256(canonical(event)).hexdigest()}) + b"\n"


def rows_of(lines, stream):
    """Places of a chain's rows in the file."""
    return [n for n, line in enumerate(lines) if of(line).get("event", {}).get("stream") == stream]


@pytest.fixture(scope="module")
def rows(filled, export):
    return rows_of(export, filled.shipped)


def test_what_was_not_touched_is_whole(export, keys):
    report = audit_verify.verify(export, keys)
    assert report.findings == ()
    assert report.is_whole
    assert len(report.chains) == 4
    assert all(chain.checkpoints_not_checkable == 0 for chain in report.chains)
    assert sum(chain.checkpoints_checked for chain in report.chains) == len(checkpoints_of(export))
    assert sum(chain.rows for chain in report.chains) == sum(b'"event"' in line for line in export)


# Any single change --------------------------------------------------------------------------------


@settings(max_examples=600, deadline=None)
@given(data=st.data())
def test_any_single_mutation_is_found(data, export, keys):
    lines = list(export)
    place = st.integers(0, len(lines) - 1)
    match data.draw(st.sampled_from(["flip", "drop", "copy", "swap", "insert", "truncate", "cut"])):
        case "flip":
            file = bytearray(b"".join(lines))
            at = data.draw(st.integers(0, len(file) - 1))
            file[at] ^= data.draw(st.integers(1, 255))
            lines = bytes(file).splitlines(keepends=True)
        case "drop":
            del lines[data.draw(place)]
        case "copy":
            lines.insert(data.draw(st.integers(0, len(lines))), lines[data.draw(place)])
        case "swap":
            a = data.draw(place)
            b = data.draw(place.filter(lambda b: b != a))
            lines[a], lines[b] = lines[b], lines[a]
        case "insert":
            line = data.draw(st.sampled_from([line for line in lines if b'"event"' in line]))
            forged = rewritten(line, sequence=data.draw(st.integers(-1, 30)), type="forged")
            lines.insert(data.draw(st.integers(0, len(lines))), forged)
        case "truncate":
            file = b"".join(lines)
            lines = file[: data.draw(st.integers(0, len(file) - 1))].splitlines(keepends=True)
        case "cut":
            del lines[data.draw(place) :]
    assert findings(lines, keys)


def test_every_byte_of_a_row_counts(export, keys, rows):
    """Not only some of them, as above: each, once."""
    line = export[rows[0]]
    for at in range(len(line)):
        spoilt = bytearray(line)
        spoilt[at] ^= 1
        broken = [*export[: rows[0]], bytes(spoilt), *export[rows[0] + 1 :]]
        assert findings(broken, keys), (at, spoilt)


def test_every_byte_of_a_signature_counts(export, keys):
    """Also the spare bits of its last character, which base64url decoders ignore."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for place in (0, next(n for n, line in enumerate(export) if b"checkpoint" in line[:14])):
        line = export[place]
        at = line.rindex(b'"') - 1
        for letter in alphabet:
            if letter != line[at]:
                spoilt = line[:at] + bytes([letter]) + line[at + 1 :]
                assert findings([*export[:place], spoilt, *export[place + 1 :]], keys)


# What is said -------------------------------------------------------------------------------------


def test_a_changed_row_is_named(filled, export, keys, rows):
    place = rows[4]
    event = of(export[place])["event"]
    changed = export[place].replace(b'"success"', b'"failure"')
    said = findings([*export[:place], changed, *export[place + 1 :]], keys)
    assert said == (
        f"line {place + 1}: {event['stream']}: row 5 ('{event['id']}') was changed: its hash is "
        "another",
    )


def test_a_row_changed_along_with_its_hash_is_told_by_the_next(export, keys, rows):
    place = rows[4]
    changed = rewritten(export[place], outcome="failure")
    said = findings([*export[:place], changed, *export[place + 1 :]], keys)
    assert "row 6" in said[0]
    assert "does not continue row 5" in said[0]


def test_a_chain_rewritten_to_its_end_is_told_by_checkpoint_and_manifest(filled, keys, export):
    """Every hash fits the one before; the signatures are what cannot be made anew."""
    previous, forged, chain = None, [], filled.shipped
    for line in export:
        event = of(line).get("event")
        if event is not None and event["stream"] == chain and event["sequence"] >= 5:
            changes = {"ip": "192.0.2.66"} if previous is None else {"previous_hash": previous}
            line = rewritten(line, **changes)
            previous = of(line)["hash"]
        forged.append(line)
    said = " ".join(findings(forged, keys))
    assert "checkpoint 2 knows row" in said
    assert "is not the one that the manifest ends with" in said


def test_removed_rows_are_named(export, keys, rows):
    one = findings([*export[: rows[4]], *export[rows[4] + 1 :]], keys)
    assert "row 5 is not where expected" in one[0]
    assert f"line {rows[4] + 1}:" in one[0]
    some = findings([*export[: rows[4]], *export[rows[7] :]], keys)
    assert any("rows 5 to 7 are not where expected" in finding for finding in some)


def test_swapped_rows_are_named(export, keys, rows):
    lines = list(export)
    lines[rows[4]], lines[rows[5]] = lines[rows[5]], lines[rows[4]]
    said = findings(lines, keys)
    assert "row 5 is not where expected" in said[0]
    assert "row 5" in said[1]
    assert "out of place" in said[1]


def test_a_row_that_comes_twice_is_named(export, keys, rows):
    lines = [*export[: rows[4]], export[rows[4]], *export[rows[4] :]]
    (said,) = findings(lines, keys)
    assert "row 5" in said
    assert "comes twice" in said


def test_an_inserted_row_is_named(export, keys, rows):
    forged = rewritten(export[rows[4]], id="evt_forged", previous_hash="00" * 32)
    said = findings([*export[: rows[4]], forged, *export[rows[4] :]], keys)
    assert "row 5 ('evt_forged') does not continue row 4" in said[0]


def test_a_cut_off_end_is_counted(export, keys, rows):
    said = findings(export[: rows[-2]], keys)
    last = of(export[rows[-1]])["event"]["sequence"]
    assert any(f"rows {last - 1} to {last} are missing" in finding for finding in said)


def test_a_chain_that_is_missing_is_told(filled, export, keys, rows):
    said = findings([line for n, line in enumerate(export) if n not in rows], keys)
    assert any("are not where expected" in one or "are missing" in one for one in said)


def test_chains_in_another_order_are_told(export, keys):
    assert any(
        "has no place here" in one for one in findings([export[0], *reversed(export[1:])], keys)
    )


def test_a_missing_checkpoint_is_told(export, keys):
    """Also the last: somebody may have wanted to get rid of what it says."""
    for place in [n for n, line in enumerate(export) if b"checkpoint" in line[:14]]:
        said = findings([*export[:place], *export[place + 1 :]], keys)
        assert any("checkpoint" in one for one in said)


def test_without_its_manifest_it_is_nothing(export, keys):
    assert findings(export[1:], keys) == ("line 1: is no manifest of an export",)
    assert findings([], keys) == ("line 1: is no manifest of an export",)
    assert findings([b"\xff\xfe"], keys) == ("line 1: is no manifest of an export",)


def test_findings_end_somewhere(export, keys, rows):
    line = export[rows[0]]
    lines = [*export[:1], *[line] * 1000]
    said = findings(lines, keys)
    assert len(said) <= MANY + 1
    assert "was not read" in said[-1]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b'{"event":{},"hash":""}\n',
        b'{"event":[],"hash":""}\n',
        b'{"event":{"stream":["x"]},"hash":""}\n',
        b'{"checkpoint":5}\n',
        b'{"checkpoint":"a.b.c"}\n',
        b'{"checkpoint":"eyJ.e30."}\n',
        b'{"manifest":"x"}\n',
        b"[" * 5000 + b"\n",
        b'{"event":' + b'{"a":' * 50 + b"1" + b"}" * 50 + b',"hash":""}\n',
        b'{"event":{"stream":"installation","sequence":1e400},"hash":""}\n',
        b'{"event":{"stream":"installation","sequence":true},"hash":""}\n',
        b'{"event":{"stream":"installation","sequence":"1"},"hash":""}\n',
        b"\x00\n",
    ],
    ids=lambda line: str(line[:40]),
)
def test_nonsense_is_a_finding_and_no_crash(export, keys, line):
    assert findings([*export, line], keys)
    assert findings([export[0], line, *export[1:]], keys)
    assert findings([line], keys)


# Keys ---------------------------------------------------------------------------------------------


def without(filled, *kids):
    jwks = filled.jwks()
    return FixedKeys.of_jwks(
        {"keys": [key for key in jwks["keys"] if key["kid"] not in kids]}, ALGORITHMS
    )


def kid_of(filled, stage):
    (row,) = filled.installation.rows("SELECT kid FROM signing_keys WHERE stage = :s", s=stage)
    return row.kid


def test_checkpoints_of_keys_that_are_gone_are_counted_not_held_against_it(filled, export):
    report = audit_verify.verify(export, without(filled, kid_of(filled, "previous")))
    assert report.findings == ()
    assert all(chain.checkpoints_not_checkable == 1 for chain in report.chains)
    assert all(chain.checkpoints_checked >= 1 for chain in report.chains)


def test_a_checkpoint_that_is_not_checkable_cannot_be_changed_either(filled, export):
    keys = without(filled, kid_of(filled, "previous"))
    place = next(n for n, line in enumerate(export) if b"checkpoint" in line[:14])
    head, payload, signature = of(export[place])["checkpoint"].split(".")
    letter = "A" if signature[0] != "A" else "B"
    spoilt = canonical({"checkpoint": f"{head}.{payload}.{letter}{signature[1:]}"}) + b"\n"
    assert findings([*export[:place], spoilt, *export[place + 1 :]], keys)


def test_the_key_of_the_manifest_must_be_there(filled, export):
    (said,) = findings(export, without(filled, kid_of(filled, "current")))
    assert "signed by a key that the JWKS lacks" in said


def test_a_manifest_by_somebody_elses_key_of_the_same_name(filled, export, keys):
    """The key is the one in the JWKS, whatever the header says."""
    pair = generate("ES256")
    signer = JwsSigner(kid_of(filled, "current"), "ES256", pair.private_key)
    claims = {"iss": "x", "iat": 1, "format": 1, "everything": True, "streams": []}
    forged = signer.sign_as("audit-manifest+jwt", canonical(claims))
    said = findings([canonical({"manifest": forged}) + b"\n"], keys)
    assert said == ("line 1: the signature of the manifest does not fit",)


def test_a_token_is_no_manifest_and_a_checkpoint_is_none_either(filled, keys, export):
    (token,) = filled.tokens(1)
    for text in (token, checkpoints_of(export)[0]):
        assert findings([canonical({"manifest": text}) + b"\n"], keys) == (
            "line 1: is no manifest of an export",
        )


def test_an_export_of_a_later_format_says_so(filled, keys):
    claims = {"iss": "x", "iat": 1, "format": 2, "everything": True, "streams": []}
    signer = filled.installation.services.keyring.signer
    manifest = signer.sign_as("audit-manifest+jwt", canonical(claims))
    (said,) = findings([canonical({"manifest": manifest}) + b"\n"], keys)
    assert "a format unknown to this version: 2" in said
