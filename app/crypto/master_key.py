"""The master key: 32 bytes under which private signing keys lie encrypted (AES-256-GCM)."""

from __future__ import annotations

import os
import stat
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.errors import StartRefused
from app.ports import RandomBytes

KEY_BYTES = 32
NONCE_BYTES = 12
FILE_NAME = "master.key"


@dataclass(frozen=True, slots=True)
class MasterKey:
    """Encrypts what must lie in the database and be of no use without this key.

    ``_older`` open what they have sealed and seal nothing: while a master key is being replaced,
    there are two.
    """

    _key: bytes = field(repr=False)
    _older: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def id(self) -> str:
        """What to call it: says which of two keys it is, and nothing else about it."""
        return self.derived(b"", b"keyturn master key id")[:8].hex()

    def named(self, id: str) -> MasterKey | None:
        """The one of these keys that is called so."""
        keys = (MasterKey(key) for key in (self._key, *self._older))
        return next((key for key in keys if key.id == id), None)

    def derived(self, salt: bytes, label: bytes) -> bytes:
        """A key of its own for each purpose (HKDF-SHA256, RFC 5869)."""
        return HKDF(SHA256(), KEY_BYTES, salt, label).derive(self._key)

    @property
    def web_secret(self) -> bytes:
        """Signs the forms of the dashboard, and nothing else."""
        return self.derived(b"", b"keyturn dashboard forms")

    def encrypt(self, plain: bytes, associated: bytes, random_bytes: RandomBytes) -> bytes:
        """Nonce and ciphertext; ``associated`` binds it to its row (NIST SP 800-38D)."""
        nonce = random_bytes(NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, plain, associated)

    def decrypt(self, sealed: bytes, associated: bytes) -> bytes:
        """Raises StartRefused when it was encrypted under another key, or altered."""
        nonce, ciphertext = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        for key in (self._key, *self._older):
            # ValueError: too short to be anything.
            with suppress(InvalidTag, ValueError):
                return AESGCM(key).decrypt(nonce, ciphertext, associated)
        raise StartRefused(
            "The signing keys in the database were encrypted under another master key, or altered: "
            "restore the keys/master.key (or KEYTURN_MASTER_KEY) that belongs to this database"
        )


def read_master_key(keys_dir: str, given: str | None) -> MasterKey:
    """The key as given, else from the file. Raises StartRefused, saying what to do.

    Several, apart by white space: the first one encrypts.
    """
    if given is not None:
        return _read(given, "KEYTURN_MASTER_KEY")
    path = Path(keys_dir) / FILE_NAME
    try:
        # Not waiting: a pipe of this name would keep us for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise StartRefused(
            f"There is no master key at {path}: run `make run` (or `flask bootstrap`), or restore "
            "the file that belongs to this database"
        ) from None
    except OSError as error:
        raise StartRefused(f"The master key at {path} cannot be read: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise StartRefused(f"The master key at {path} is not a regular file")
        if status.st_mode & 0o077:
            raise StartRefused(f"The master key can be read by others: run `chmod 600 {path}`")
        text = os.read(descriptor, 1024).decode("ascii", "replace").strip()
    finally:
        os.close(descriptor)
    return _read(text, str(path))


def create_master_key(keys_dir: str, random_bytes: RandomBytes) -> None:
    """Write a new key, mode 0600; leaves one that exists alone."""
    directory = Path(keys_dir)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / FILE_NAME
    if path.exists():
        return
    # Complete under another name first: a start at the same time reads all of it or nothing.
    # Under a name of its own: in a container every start has the same process id.
    draft = directory / f".{FILE_NAME}.{random_bytes(8).hex()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(urlsafe_b64encode(random_bytes(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _read(text: str, where: str) -> MasterKey:
    first, *older = [_decoded(key, where) for key in text.split()] or [_decoded("", where)]
    return MasterKey(first, tuple(older))


def _decoded(text: str, where: str) -> bytes:
    try:
        key = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (BadBase64, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise StartRefused(f"{where}: the master key must be {KEY_BYTES} bytes in base64url")
    return key
