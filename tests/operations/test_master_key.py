"""Replacing the master key: no node is without a key that it needs, at any step."""

from __future__ import annotations

import io
import os
from base64 import urlsafe_b64encode

import jwt
import pytest

from app.admin import second_factor
from app.admin.backup import back_up, restore
from app.crypto.master_key import KEY_BYTES, MasterKey, read_master_key
from app.errors import Invalid, StartRefused
from tests.operations.conftest import emptied, flask, rows
from tests.support.installation import Installation
from tests.support.people import ORIGIN, signed_in

ONE, TWO = b"1" * KEY_BYTES, b"2" * KEY_BYTES


@pytest.fixture
def old(fresh_installation):
    path = fresh_installation.directory / "keys" / "master.key"
    return path.read_text().strip()


@pytest.fixture
def new():
    return urlsafe_b64encode(os.urandom(KEY_BYTES)).decode()


@pytest.fixture
def with_keys(fresh_installation):
    """The installation as a process sees it that starts with these keys, the first one first."""
    begun = []

    def start(*keys):
        path = fresh_installation.directory / "keys" / "master.key"
        path.write_text("\n".join(keys) + "\n")
        begun.append(
            Installation(fresh_installation.directory, fresh_installation.database_url, {})
        )
        return begun[-1]

    yield start
    for one in begun:
        one.close()


def test_the_first_encrypts_and_all_decrypt():
    both = MasterKey(TWO, (ONE,))
    assert both.decrypt(MasterKey(ONE).encrypt(b"old", b"row", os.urandom), b"row") == b"old"
    sealed = both.encrypt(b"new", b"row", os.urandom)
    assert MasterKey(TWO).decrypt(sealed, b"row") == b"new"
    with pytest.raises(StartRefused):
        MasterKey(ONE).decrypt(sealed, b"row")
    assert both.id == MasterKey(TWO).id != MasterKey(ONE).id


def test_several_in_a_variable(old, new):
    assert read_master_key("", f"{new} {old}").named(read_master_key("", old).id)
    with pytest.raises(StartRefused, match="KEYTURN_MASTER_KEY"):
        read_master_key("", f"{new} short")
    with pytest.raises(StartRefused, match="KEYTURN_MASTER_KEY"):
        read_master_key("", " ")


def test_step_by_step(fresh_installation, with_keys, old, new):
    client = fresh_installation.client()
    person = signed_in(fresh_installation).opened.session
    second_factor.begin(fresh_installation.desk, person, ORIGIN)
    shown = second_factor.enrolment(fresh_installation.desk, person)

    def kid(installation):
        form = {"grant_type": "client_credentials"}
        answer = installation.http.post("/oauth/token", data=form, auth=client)
        return jwt.get_unverified_header(answer.json()["access_token"])["kid"]

    before = kid(fresh_installation)
    assert kid(with_keys(old, new)) == before
    second = with_keys(new, old)
    assert kid(second) == before
    assert "signing-key reseal" in flask(second, "doctor").stdout
    done = flask(second, "signing-key", "reseal", "--json")
    assert done.exit_code == 0, done.output
    assert "signing-key reseal" not in flask(second, "doctor").stdout
    third = with_keys(new)
    assert kid(third) == before
    assert flask(third, "doctor").exit_code == 0
    assert second_factor.enrolment(third.desk, person) == shown
    events = third.rows("SELECT * FROM audit_events WHERE type = 'signing_key.resealed'")
    assert len(events) == 1
    with pytest.raises(StartRefused, match="another master key"):
        with_keys(old).services.keyring.published()


def test_a_backup_from_before(fresh_installation, with_keys, old, new, tmp_path):
    file = io.BytesIO()
    back_up(fresh_installation.desk, fresh_installation.services.journal, file, lambda *_: None)
    with_keys(new)
    keys_dir = fresh_installation.environ["KEYTURN_KEYS_DIR"]
    with emptied(tmp_path / "target", f"sqlite:///{tmp_path / 'target.db'}", keys_dir) as target:
        with pytest.raises(Invalid, match="another master key"):
            restore(target.desk, io.BytesIO(file.getvalue()), force=False, progress=lambda *_: None)
        with_keys(new, old)
        restore(target.desk, io.BytesIO(file.getvalue()), force=False, progress=lambda *_: None)
        assert rows(target) == rows(fresh_installation)
        assert target.services.keyring.published()
