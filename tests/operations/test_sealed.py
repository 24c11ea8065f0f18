"""A sealed stream opens as it was written, or not at all."""

import io
import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.crypto.sealed import CHUNK, SealedReader, SealedWriter
from app.errors import Invalid

KEY = bytes(range(32))


def sealed(plain, key=KEY, finish=True):
    file = io.BytesIO()
    writer = SealedWriter(file, key)
    writer.write(plain)
    if finish:
        writer.finish()
    return file.getvalue()


def opened(data, key=KEY):
    return SealedReader(io.BytesIO(data), key).read()


def frames(data):
    """The frames of a stream, as bytes."""
    found = []
    while data:
        size = 4 + (struct.unpack(">I", data[:4])[0] & ~(1 << 31))
        found.append(data[:size])
        data = data[size:]
    return found


@pytest.fixture(scope="module")
def plain():
    return os.urandom(3 * CHUNK + 100)


@pytest.fixture(scope="module")
def stream(plain):
    return sealed(plain)


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_every_size_comes_back(size):
    plain = os.urandom(size)
    assert opened(sealed(plain)) == plain


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_however_it_is_written(parts):
    file = io.BytesIO()
    writer = SealedWriter(file, KEY)
    for part in parts:
        writer.write(part)
    writer.finish()
    assert opened(file.getvalue()) == b"".join(parts)


def test_nothing_of_it_is_readable(plain):
    assert b"kts_live" not in sealed(b"kts_live" * 1000)


@pytest.mark.parametrize("end", [0, 3, 4, 50, CHUNK, CHUNK + 20, -1])
def test_cut_off(stream, end):
    with pytest.raises(Invalid, match="cut off"):
        opened(stream[:end])


def test_cut_off_between_chunks(stream):
    whole = frames(stream)
    for count in range(len(whole)):
        with pytest.raises(Invalid, match="cut off"):
            opened(b"".join(whole[:count]))


def test_cut_off_and_the_last_flag_set_by_hand(stream):
    first = frames(stream)[0]
    forged = struct.pack(">I", struct.unpack(">I", first[:4])[0] | 1 << 31) + first[4:]
    with pytest.raises(Invalid, match="altered"):
        opened(forged)


def test_never_finished(plain):
    with pytest.raises(Invalid, match="cut off"):
        opened(sealed(plain, finish=False))


def test_moved_repeated_and_left_out(stream):
    first, second, third, last = frames(stream)
    for order in (
        (second, first, third, last),
        (first, first, second, third, last),
        (first, third, last),
        (first, second, last),
        (last,),
        (first, second, third, last, last),
    ):
        with pytest.raises(Invalid, match="altered"):
            opened(b"".join(order))


def test_a_chunk_of_another_stream(stream, plain):
    mixed = frames(stream)
    mixed[1] = frames(sealed(plain, key=bytes(32)))[1]
    with pytest.raises(Invalid, match="altered"):
        opened(b"".join(mixed))


def test_another_key(stream):
    with pytest.raises(Invalid, match="altered"):
        opened(stream, key=bytes(32))


def test_something_behind_it(stream):
    with pytest.raises(Invalid, match="altered"):
        opened(stream + b"\n")


@given(st.data())
def test_every_flipped_bit_is_noticed(data):
    stream = bytearray(sealed(b"a few words of plain text"))
    at = data.draw(st.integers(0, len(stream) * 8 - 1))
    stream[at // 8] ^= 1 << at % 8
    with pytest.raises(Invalid):
        opened(bytes(stream))


def test_a_length_that_nobody_writes():
    with pytest.raises(Invalid, match="altered"):
        opened(struct.pack(">I", CHUNK + 17) + bytes(CHUNK + 17))
