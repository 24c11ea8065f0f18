"""Check an export of the audit log by its own words and the public keys: no database, no secret.

What may be wrong is told row by row; what cannot be told is counted. A key that signed long ago may
have left the JWKS; then a checkpoint is not checkable, but the chain from it to the manifest is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from app.admin.audit_chain import Chain, ChainReport, Findings
from app.crypto.jws import read_unverified
from app.storage.canonical import canonical
from app.tokens.checkpoints import CHECKPOINT_TYPE, FORMAT, MANIFEST_TYPE
from keyturn.jwks import KeySource
from keyturn.wire import Unreadable

LONGEST_LINE = 64 * 1024 * 1024
"""A manifest names every chain; nothing else is nearly as long."""

_JWS = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)

Evidence = Mapping[str, Mapping[int, str]]
"""By chain and row: the hash that an earlier checkpoint or manifest gives."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found; nothing, in a file that is as it was written."""

    issuer: str
    time: datetime | None
    chains: tuple[ChainReport, ...]
    findings: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        return not self.findings


def verify(lines: Iterable[bytes], keys: KeySource, earlier: Iterable[str] = ()) -> Report:
    """Read an export to its end, in bounded memory.

    ``earlier``: text in which there are checkpoints or manifests that somebody kept elsewhere; what
    they say must still be true.
    """
    findings = Findings()
    known = _evidence(earlier, keys, findings)
    numbered = enumerate(lines, 1)
    manifest = _manifest(next(numbered, (1, b""))[1], keys, findings)
    if manifest is None:
        return Report("", None, (), findings.told())
    chains = [
        Chain(part, known.get(part["stream"], {}), keys, findings) for part in manifest["streams"]
    ]
    if manifest["everything"]:
        for stream in known.keys() - {chain.stream for chain in chains}:
            findings.add(None, f"{stream}: an earlier checkpoint knows this chain, it is missing")
    _read(numbered, chains, findings)
    return Report(
        issuer=manifest["iss"],
        time=datetime.fromtimestamp(manifest["iat"], UTC),
        chains=tuple(chain.report() for chain in chains),
        findings=findings.told(),
    )


def _read(numbered: Iterator[tuple[int, bytes]], chains: list[Chain], findings: Findings) -> None:
    """Chain after chain, in the order of the manifest."""
    places = {chain.stream: place for place, chain in enumerate(chains)}
    at = 0
    for number, line in numbered:
        if findings.are_many:
            return
        try:
            entry = _entry(line)
            stream = _stream_of(entry)
        except (ValueError, Unreadable):
            findings.add(number, "is no line of an export, or cut off")
            continue
        place = places.get(stream)
        if place is None or place < at:
            findings.add(number, f"belongs to the chain {stream!a}, which has no place here")
            continue
        while at < place:
            chains[at].end()
            at += 1
        if "event" in entry:
            chains[at].row(number, entry["event"], entry["hash"])
        else:
            chains[at].checkpoint(number, entry["checkpoint"])
    for chain in chains[at:]:
        chain.end()


def _entry(line: bytes) -> dict[str, Any]:
    """A line behind the first. Raises ValueError unless it is written exactly as we write it, so
    that no byte of a file can be another one."""
    entry = orjson.loads(line)
    if type(entry) is not dict or canonical(entry) + b"\n" != line:
        raise ValueError("not canonical")
    if entry.keys() == {"event", "hash"} and type(entry["event"]) is dict:
        return entry
    if entry.keys() == {"checkpoint"} and type(entry["checkpoint"]) is str:
        return entry
    raise ValueError("no such line")


def _stream_of(entry: Mapping[str, Any]) -> str:
    if "event" in entry:
        return str(entry["event"].get("stream"))
    return str(read_unverified(entry["checkpoint"], CHECKPOINT_TYPE).claims.get("stream"))


def _manifest(line: bytes, keys: KeySource, findings: Findings) -> dict[str, Any] | None:
    try:
        entry = orjson.loads(line)
        if type(entry) is not dict or entry.keys() != {"manifest"}:
            raise ValueError("no manifest")
        if canonical(entry) + b"\n" != line:
            raise ValueError("not canonical")
        statement = read_unverified(str(entry["manifest"]), MANIFEST_TYPE)
    except (ValueError, Unreadable):
        findings.add(1, "is no manifest of an export")
        return None
    key = keys.get(statement.kid)
    if key is None:
        findings.add(1, f"the manifest was signed by a key that the JWKS lacks: {statement.kid!a}")
        return None
    if not statement.is_signed_by(key):
        findings.add(1, "the signature of the manifest does not fit")
        return None
    claims = dict(statement.claims)
    if claims.get("format") != FORMAT:
        findings.add(
            1, f"the export has a format unknown to this version: {claims.get('format')!a}"
        )
        return None
    return claims


def _evidence(earlier: Iterable[str], keys: KeySource, findings: Findings) -> Evidence:
    known: dict[str, dict[int, str]] = {}
    for text in earlier:
        if text.startswith('{"event"'):
            continue
        for token in _JWS.findall(text):
            for stream, sequence, head in _said(token, keys, findings):
                if known.setdefault(stream, {}).setdefault(sequence, head) != head:
                    findings.add(
                        None, f"{stream}: two earlier statements about row {sequence} contradict"
                    )
    return known


def _said(token: str, keys: KeySource, findings: Findings) -> list[tuple[str, int, str]]:
    """Which row has which hash, by a statement that somebody kept."""
    for type in (CHECKPOINT_TYPE, MANIFEST_TYPE):
        try:
            statement = read_unverified(token, type)
        except Unreadable:
            continue
        key = keys.get(statement.kid)
        # Without its key we believe whoever kept it: it is what he compares with.
        if key is not None and not statement.is_signed_by(key):
            findings.add(None, "the signature of an earlier statement does not fit")
            return []
        claims = statement.claims
        if type == CHECKPOINT_TYPE:
            return [(claims["stream"], claims["count"], claims["head"])]
        return [(part["stream"], part["last"], part["head"]) for part in claims["streams"]]
    return []
