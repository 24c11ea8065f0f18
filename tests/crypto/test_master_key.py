"""The master key: what is encrypted under it is of no use without it, or in another place."""

import os
import threading
from base64 import urlsafe_b64decode

import pytest

from app.crypto.master_key import KEY_BYTES, MasterKey, create_master_key, read_master_key
from app.errors import StartRefused

ONE, OTHER = MasterKey(b"1" * KEY_BYTES), MasterKey(b"2" * KEY_BYTES)


def test_there_and_back():
    sealed = ONE.encrypt(b"secret", b"row-1", os.urandom)
    assert b"secret" not in sealed
    assert ONE.decrypt(sealed, b"row-1") == b"secret"


def test_the_same_twice_is_not_the_same():
    # A nonce of its own each time: under a repeated one AES-GCM gives itself away.
    assert ONE.encrypt(b"secret", b"row", os.urandom) != ONE.encrypt(b"secret", b"row", os.urandom)


def test_it_opens_only_in_its_own_row():
    """Or whoever can write the database puts one key's private half beside another's public."""
    sealed = ONE.encrypt(b"secret", b"row-1", os.urandom)
    with pytest.raises(StartRefused):
        ONE.decrypt(sealed, b"row-2")


def test_it_opens_only_under_its_own_key():
    sealed = ONE.encrypt(b"secret", b"row-1", os.urandom)
    with pytest.raises(StartRefused, match="another master key"):
        OTHER.decrypt(sealed, b"row-1")


def test_not_one_bit_may_be_changed():
    sealed = bytearray(ONE.encrypt(b"secret", b"row-1", os.urandom))
    for position in range(len(sealed)):
        sealed[position] ^= 1
        with pytest.raises(StartRefused):
            ONE.decrypt(bytes(sealed), b"row-1")
        sealed[position] ^= 1


@pytest.mark.parametrize("sealed", [b"", b"x", b"x" * 12, b"x" * 27])
def test_what_is_too_short_to_be_anything(sealed):
    with pytest.raises(StartRefused):
        ONE.decrypt(sealed, b"row-1")


def test_it_does_not_show_itself():
    assert "111" not in repr(ONE) + str(ONE)


def test_a_new_key_is_nobody_elses(tmp_path):
    create_master_key(str(tmp_path / "keys"), os.urandom)
    path = tmp_path / "keys" / "master.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert len(urlsafe_b64decode(path.read_text().strip())) == KEY_BYTES
    assert [one.name for one in path.parent.iterdir()] == ["master.key"]


def test_whatever_the_umask_says(tmp_path):
    before = os.umask(0)
    try:
        create_master_key(str(tmp_path / "keys"), os.urandom)
    finally:
        os.umask(before)
    assert (tmp_path / "keys" / "master.key").stat().st_mode & 0o777 == 0o600


def test_a_key_that_exists_is_left_alone(tmp_path):
    create_master_key(str(tmp_path), os.urandom)
    before = (tmp_path / "master.key").read_bytes()
    create_master_key(str(tmp_path), os.urandom)
    assert (tmp_path / "master.key").read_bytes() == before


def test_two_that_start_at_once_get_the_same_key(tmp_path):
    """And neither finds half of one."""
    for attempt in range(20):
        directory = tmp_path / str(attempt)
        together = threading.Barrier(2)
        failed = []

        def start(directory=directory, together=together, failed=failed):
            together.wait()
            try:
                create_master_key(str(directory), os.urandom)
                read_master_key(str(directory), None)
            except Exception as error:  # noqa: BLE001 - shown below
                failed.append(error)

        threads = [threading.Thread(target=start) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert [one.name for one in directory.iterdir()] == ["master.key"]
        assert len(read_master_key(str(directory), None).encrypt(b"", b"", os.urandom)) == 28
