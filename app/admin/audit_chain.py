"""One chain of an export, checked while it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from app.crypto.jws import UnverifiedStatement, read_unverified
from app.storage.canonical import GENESIS, canonical
from app.tokens.checkpoints import CHECKPOINT_TYPE
from keyturn.jwks import KeySource
from keyturn.wire import Unreadable

MANY = 100
"""Findings after which nobody needs more of them."""


class Findings:
    """What is wrong with a file, in words; values of the file are escaped."""

    def __init__(self) -> None:
        self._told: list[str] = []

    def add(self, line: int | None, what: str) -> None:
        if len(self._told) < MANY:
            self._told.append(what if line is None else f"line {line}: {what}")
            if len(self._told) == MANY:
                self._told.append("and so on: the rest was not read")

    @property
    def are_many(self) -> bool:
        return len(self._told) >= MANY

    def told(self) -> tuple[str, ...]:
        return tuple(self._told)


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What there was of a chain."""

    stream: str
    first: int
    last: int
    kept_after: int
    """Retention had removed the rows up to this one."""
    rows: int
    checkpoints_checked: int
    checkpoints_not_checkable: int
    """Signed by keys that the JWKS lacks."""
    signed_until: int
    """The last row that a checkpoint vouches for, other than the manifest; 0: none."""
    signed_at: datetime | None


class Chain:
    """Takes the rows and checkpoints of one chain in the order in which they stand in the file."""

    def __init__(
        self,
        part: Mapping[str, Any],
        known: Mapping[int, str],
        keys: KeySource,
        findings: Findings,
    ) -> None:
        """``part``: what the manifest says of it; ``known``: hashes by row from elsewhere."""
        self.stream: str = part["stream"]
        self._part = part
        self._known = known
        self._keys = keys
        self._findings = findings
        self._next: int = part["first"]
        self._hash: str = part["previous"]
        self._rows = 0
        self._next_checkpoint: int = part["checkpoints"]["first"]
        self._checkpoint_hash = GENESIS.hex() if self._next_checkpoint == 1 else None
        self._checked = 0
        self._not_checkable = 0
        self._signed_until = 0
        self._signed_at: datetime | None = None
        self._vouched_from: int | None = None
        if self._next == 1 and self._hash != GENESIS.hex():
            self._say(None, "does not begin at its beginning")
        self._compare(None, self._next - 1)

    def row(self, line: int, event: Mapping[str, Any], digest: Any) -> None:
        """The next line with an event."""
        sequence = event.get("sequence")
        if type(sequence) is not int:
            self._say(line, "a row has no number")
            return
        self._rows += 1
        name = f"row {sequence} ({str(event.get('id'))[:64]!a})"
        intact = sha256(canonical(event)).hexdigest() == digest
        if not intact:
            self._say(line, f"{name} was changed: its hash is another")
        if not self._next <= sequence <= self._part["last"]:
            self._say(line, f"{name} is out of place: it comes twice, or was moved or inserted")
            return
        if sequence > self._next:
            self._say(
                line, f"{_rows(self._next, sequence - 1)} not where expected: removed or moved"
            )
        elif event.get("previous_hash") != self._hash:
            self._say(line, f"{name} does not continue row {sequence - 1}: one was replaced")
        self._next = sequence + 1
        self._hash = str(digest)
        self._compare(line, sequence)

    def _compare(self, line: int | None, sequence: int) -> None:
        known = self._known.get(sequence)
        if known is not None and known != self._hash:
            self._say(
                line, f"row {sequence} is not what it was: rows up to there were rewritten later"
            )

    def checkpoint(self, line: int, token: str) -> None:
        """The next line with a checkpoint."""
        try:
            statement = read_unverified(token, CHECKPOINT_TYPE)
        except Unreadable as error:
            self._say(line, f"a checkpoint cannot be read: {error.detail}")
            return
        claims = statement.claims
        number = claims.get("number")
        if number != self._next_checkpoint:
            self._say(line, f"checkpoint {number!a} stands where {self._next_checkpoint} should")
        elif self._checkpoint_hash not in (None, claims.get("previous")):
            self._say(line, f"checkpoint {number} does not continue the one before")
        if type(number) is int:
            self._next_checkpoint = number + 1
        self._checkpoint_hash = sha256(token.encode()).hexdigest()
        if (claims.get("count"), claims.get("head")) != (self._next - 1, self._hash):
            about = f"row {claims.get('count')!a}"
            self._say(line, f"checkpoint {number!a} knows {about} by another hash, or elsewhere")
        self._believe(line, statement)

    def _believe(self, line: int, statement: UnverifiedStatement) -> None:
        key = self._keys.get(statement.kid)
        count = statement.claims.get("count")
        if self._vouched_from is None and type(count) is int:
            self._vouched_from = count
        if key is None:
            self._not_checkable += 1
        elif not statement.is_signed_by(key):
            self._say(line, "the signature of a checkpoint does not fit")
        else:
            self._checked += 1
            self._signed_until = self._next - 1
            self._signed_at = datetime.fromtimestamp(statement.claims["iat"], UTC)

    def end(self) -> None:
        """No more lines: is it all there?"""
        last, checkpoints = self._part["last"], self._part["checkpoints"]
        if self._next <= last:
            self._say(None, f"{_rows(self._next, last)} missing: cut off or removed")
        elif self._hash != self._part["head"]:
            self._say(None, f"row {last} is not the one that the manifest ends with")
        if self._next_checkpoint <= checkpoints["last"]:
            self._say(None, f"checkpoints from {self._next_checkpoint} on are missing")
        elif self._checkpoint_hash not in (None, checkpoints["head"]):
            self._say(None, "the last checkpoint is not the one that the manifest names")
        kept_after = self._part["kept_after"]
        if 0 < kept_after == self._part["first"] - 1 and self._vouched_from != kept_after:
            self._say(
                None, f"no checkpoint is about row {kept_after}, up to which rows are removed"
            )
        for sequence in self._known:
            if sequence > last:
                self._say(None, f"an earlier checkpoint knows row {sequence}; rows were cut off")

    def _say(self, line: int | None, what: str) -> None:
        self._findings.add(line, f"{self.stream}: {what}")

    def report(self) -> ChainReport:
        return ChainReport(
            stream=self.stream,
            first=self._part["first"],
            last=self._part["last"],
            kept_after=self._part["kept_after"],
            rows=self._rows,
            checkpoints_checked=self._checked,
            checkpoints_not_checkable=self._not_checkable,
            signed_until=self._signed_until,
            signed_at=self._signed_at,
        )


def _rows(first: int, last: int) -> str:
    return f"row {first} is" if first == last else f"rows {first} to {last} are"
