"""Passwords, codes, and what is sealed for somebody."""

import secrets
import threading
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from app.crypto import passwords, totp
from app.crypto.master_key import MasterKey
from app.crypto.passwords import Cost, Passwords
from app.crypto.sealing import Sealing
from app.errors import StartRefused, Unavailable
from tests.support.served import eventually

CHEAP = Cost(memory=64, rounds=1)
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
"""``12345678901234567890`` (RFC 6238 appendix B)."""


@pytest.fixture
def cheap():
    return Passwords(secrets.token_bytes, CHEAP)


def test_a_password_and_others(cheap):
    stored = cheap.hash("violet harbour")
    assert stored.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert "violet" not in stored
    assert cheap.matches(stored, "violet harbour")
    assert not cheap.matches(stored, "violet harbou")
    assert not cheap.matches(stored, "")
    assert not cheap.matches(None, "violet harbour")
    assert not cheap.matches("not a hash", "violet harbour")
    assert cheap.hash("violet harbour") != stored


def test_one_spelling_for_what_keyboards_spell_differently(cheap):
    assert cheap.matches(cheap.hash("caf\u00e9 twelve kites"), "cafe\u0301 twelve kites")


def test_a_dearer_cost_is_noticed(cheap):
    stored = cheap.hash("violet harbour")
    dearer = Passwords(secrets.token_bytes, Cost(memory=128, rounds=1))
    assert not cheap.is_outdated(stored)
    assert dearer.is_outdated(stored)
    assert dearer.matches(stored, "violet harbour")


def test_nobodys_password_is_as_much_work(cheap):
    """By its parameters, which say how much is computed."""
    assert cheap._nobodys.rpartition("$")[0].rpartition("$")[0] == "$argon2id$v=19$m=64,t=1,p=1"
    assert not cheap.is_outdated(cheap._nobodys)


def test_a_flood_is_turned_away_and_not_computed(cheap):
    """Two compute, eight wait; whoever comes then is told at once."""
    inside, go_on = threading.Semaphore(0), threading.Event()

    def hash(password):
        inside.release()
        go_on.wait(10)
        return "hashed"

    hasher, cheap._hasher = cheap._hasher, SimpleNamespace(hash=hash)
    threads = [
        threading.Thread(target=cheap.hash, args=("x",))
        for _ in range(passwords.AT_ONCE + passwords.WAITING)
    ]
    for thread in threads:
        thread.start()
    for _ in range(passwords.AT_ONCE):
        assert inside.acquire(timeout=10)
    eventually(lambda: cheap._admitted._value == 0)
    assert not inside.acquire(blocking=False)
    with pytest.raises(Unavailable):
        cheap.hash("x")
    go_on.set()
    for thread in threads:
        thread.join(10)
    cheap._hasher = hasher
    assert cheap.matches(cheap.hash("x"), "x")


@pytest.mark.rfc("6238", "B")
@pytest.mark.parametrize(("at", "code"), [
    (59, "287082"),
    (1111111109, "081804"),
    (1111111111, "050471"),
    (1234567890, "005924"),
    (2000000000, "279037"),
    (20000000000, "353130"),
])  # fmt: skip
def test_the_codes_of_the_rfc(at, code):
    now = datetime.fromtimestamp(at, UTC)
    assert totp.step_of(RFC_SECRET, code, now, None) == at // 30


@pytest.mark.rfc("6238", "5.2")
def test_a_step_either_way_and_each_code_once():
    now = datetime.fromtimestamp(1111111109, UTC)
    step = 1111111109 // 30

    def at(seconds, after=None):
        moved = datetime.fromtimestamp(now.timestamp() + seconds, UTC)
        return totp.step_of(RFC_SECRET, "081804", moved, after)

    assert [at(seconds) for seconds in (-60, -30, 0, 30, 60)] == [None, step, step, step, None]
    assert at(0, after=step - 1) == step
    assert at(0, after=step) is None


@pytest.mark.parametrize("code", ["", "08180", "0818044", "08180a", "٠٨١٨٠٤", "081804\n", "-81804"])
def test_what_is_no_code(code):
    assert totp.step_of(RFC_SECRET, code, datetime.fromtimestamp(1111111109, UTC), None) is None


def test_what_is_sealed_opens_for_its_owner_alone():
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    sealed = Sealing(lambda: MasterKey(old), secrets.token_bytes).seal("a secret", "usr_1")
    assert b"a secret" not in sealed
    both = Sealing(lambda: MasterKey(new, (old,)), secrets.token_bytes)
    assert both.open(sealed, "usr_1") == "a secret"
    with pytest.raises(StartRefused):
        both.open(sealed, "usr_2")
    with pytest.raises(StartRefused):
        Sealing(lambda: MasterKey(new), secrets.token_bytes).open(sealed, "usr_1")
    assert both.mark("x") == both.mark("x") != both.mark("y")
    assert len(both.mark("x")) == 43
