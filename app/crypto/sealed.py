"""A stream under AES-256-GCM, in chunks: what is read of it is what was written, or an error.

A frame is a head (the lowest 31 bits: bytes of ciphertext; the highest: this is the last chunk),
then ciphertext and tag. A chunk's nonce is its index, which cannot come twice because every
stream has a key of its own; index and last-flag are associated data as well. So a chunk that was
altered, moved, left out or taken from another stream does not open, and a stream that ends
without its last chunk was cut off (the STREAM construction of Hoang, Reyhanitabar, Rogaway and
Vizár, 2015).
"""

from __future__ import annotations

import io
import struct
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.errors import Invalid

CHUNK = 64 * 1024
"""Bytes of plain text in a chunk: all that is in memory at once."""

_TAG = 16
_LAST = 1 << 31
_HEAD = struct.Struct(">I")
_ASSOCIATED = struct.Struct(">Q?")


class _Sealed(io.RawIOBase):
    """What both directions share: the stream's key, and the index of the next chunk."""

    def __init__(self, file: BinaryIO, key: bytes) -> None:
        super().__init__()
        self._file = file
        self._cipher = AESGCM(key)
        self._index = 0

    def _next(self, last: bool) -> tuple[bytes, bytes]:
        """Nonce and associated data of the next chunk."""
        nonce, associated = self._index.to_bytes(12, "big"), _ASSOCIATED.pack(self._index, last)
        self._index += 1
        return nonce, associated


class SealedWriter(_Sealed):
    """Encrypts what is written. Whoever does not ``finish`` leaves a stream that nobody takes.

    ``key`` must be used for this one stream and no other.
    """

    def __init__(self, file: BinaryIO, key: bytes) -> None:
        super().__init__(file, key)
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._waiting += data
        while len(self._waiting) >= CHUNK:
            self._seal(bytes(self._waiting[:CHUNK]), last=False)
            del self._waiting[:CHUNK]
        return len(data)

    def finish(self) -> None:
        """Write the last chunk, which may be empty."""
        self._seal(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _seal(self, plain: bytes, *, last: bool) -> None:
        nonce, associated = self._next(last)
        sealed = self._cipher.encrypt(nonce, plain, associated)
        self._file.write(_HEAD.pack(len(sealed) | (_LAST if last else 0)) + sealed)


class SealedReader(_Sealed):
    """Decrypts what is read, never more than a chunk ahead. Reading raises Invalid.

    Only who has read to the end knows that nothing is missing.
    """

    def __init__(self, file: BinaryIO, key: bytes) -> None:
        super().__init__(file, key)
        self._plain = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._plain and not self._ended:
            self._plain = memoryview(self._open())
        count = min(len(buffer), len(self._plain))
        buffer[:count] = self._plain[:count]
        self._plain = self._plain[count:]
        return count

    def _open(self) -> bytes:
        head = _HEAD.unpack(self._exactly(_HEAD.size))[0]
        last, size = bool(head & _LAST), head & ~_LAST
        if not _TAG <= size <= CHUNK + _TAG:
            raise _altered()
        nonce, associated = self._next(last)
        try:
            plain = self._cipher.decrypt(nonce, self._exactly(size), associated)
        except InvalidTag:
            raise _altered() from None
        if last:
            self._ended = True
            if self._file.read(1):
                raise _altered()
        return plain

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        while len(data) < size:  # a pipe gives what it has
            more = self._file.read(size - len(data))
            if not more:
                raise Invalid("The file is cut off: take a complete copy of it")
            data += more
        return data


def _altered() -> Invalid:
    return Invalid("The file was altered or damaged after it was written: take another copy")
