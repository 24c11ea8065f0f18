"""Keys that another system has given out go on working: taken over clear, or as their SHA-256.

Any opaque text will do (C-4), with prefix and checksum or without: a key is accepted because its
digest is known. Nothing of a clear key is kept but that, and what people may see of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from app.admin import fields, rows
from app.admin.desk import Desk
from app.admin.rights import reach, require
from app.apikeys.keys import Seen, add, record
from app.apikeys.lifecycle import read_new
from app.apikeys.rules import require_room
from app.apikeys.values import ApiKeyView, NewApiKey, view
from app.builtin import KEYS_WRITE
from app.errors import AdminError, Conflict, Forbidden, Invalid, PlanLimit
from app.records import Actor
from app.storage import api_keys, organizations
from keyturn.apikey import MIN_ENTROPY_BITS, KeyTemplate, key_digest, last_four, prefix_of
from keyturn.authorization import MAX_OPAQUE_KEY, can_be_sent
from keyturn.exposure import is_whole_key
from keyturn.masking import HIDDEN
from keyturn.verify import is_token_shaped

MAX_KEYS = 10_000
MIN_LENGTH = 8
MAX_SAID = 10
"""How many refused entries are named."""
MAX_PREFIX = 40
SHOWN_FROM = 16
"""Characters of a key whose last four are shown."""

T = TypeVar("T")

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_ALPHABETS = ((r"[0-9]+", 10), (r"[0-9a-f]+|[0-9A-F]+", 16), (r"[0-9a-z]+|[0-9A-Z]+", 36))
# Refusals quote what they refuse, and that may be a key in the wrong column.
_MAYBE_A_KEY = re.compile(r"(?=\S*[0-9])[A-Za-z0-9+/=_.~-]{10,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignKey:
    """A key as its former system knows it, by ``key`` or by ``sha256``."""

    place: str = field(compare=False)
    """Where it was read, as ``line 7``: what a refusal names."""
    new: NewApiKey
    key: str | None = field(default=None, repr=False)
    sha256: str | None = None
    """In hexadecimal digits, of the whole key as UTF-8."""
    prefix: str = ""
    """What people know it by, where only the hash is left."""
    last_four: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """What has become of one entry."""

    place: str
    api_key: ApiKeyView
    is_new: bool
    """Whether it was made now; else it was here before, and is as it was."""
    is_weak: bool
    """Whether it could be guessed; of a hash nobody can say."""


def import_keys(
    desk: Desk,
    actor: Actor,
    keys: Sequence[ForeignKey],
    *,
    organization_id: str | None = None,
    over_plan: bool = False,
) -> tuple[Imported, ...]:
    """Take over all of them, or none. Doing it again changes nothing: a key that is known stays as
    it is, revoked or not.

    ``over_plan`` lets the operator pass the plan's cap. Raises Conflict, Forbidden, Invalid,
    PlanLimit; a refusal names the places of entries, and never a key.
    """
    require(actor, KEYS_WRITE)
    organization_id = reach(actor, organization_id, write=True)
    if over_plan and not actor.is_operator:
        raise Forbidden("Only the operator passes a plan's cap")
    if len(keys) > MAX_KEYS:
        raise Invalid(f"At most {MAX_KEYS} keys at once", field="keys")
    templates = desk.directory.key_templates()
    read = _each((one.place, partial(_seen, one, templates)) for one in keys)
    firsts: dict[bytes, ForeignKey] = {}
    with desk.store.transaction(actor) as work:
        # Locked for the count, as by creation.
        owner = rows.organization_row(work, organization_id, "update")
        organization = organizations.record(work.session, owner)
        known = api_keys.by_digests(work.session, [seen.digest for seen in read])

        def take(one: ForeignKey, seen: Seen) -> Imported:
            first = firsts.setdefault(seen.digest, one)
            if first != one:
                raise Conflict(f"the key of {first.place}, with other settings")
            row = known.get(seen.digest)
            is_new = row is None
            if row is None:
                values = read_new(work, owner, organization, one.new)
                row = known[seen.digest] = add(work, owner, seen, values)
                said = {"name": row.name, "scopes": row.scopes, "over_plan": over_plan or None}
                record(work, row, "api_key.imported", **said)
            elif row.organization_id != owner.id:
                raise Conflict("another organization's key")
            return Imported(one.place, view(owner, row, work.now), is_new, _is_weak(one.key))

        done = _each(
            (one.place, partial(take, one, seen)) for one, seen in zip(keys, read, strict=True)
        )
        if not over_plan and any(one.is_new for one in done):
            require_room(work, owner, more=0)  # those made here are counted already
        return done


def _each(entries: Iterable[tuple[str, Callable[[], T]]]) -> tuple[T, ...]:
    """What becomes of every entry. Raises one refusal for all that were refused."""
    done: list[T] = []
    refusals: list[tuple[str, AdminError]] = []
    for place, act in entries:
        try:
            done.append(act())
        except (Conflict, Forbidden, Invalid, PlanLimit) as refusal:
            refusals.append((place, refusal))
    if refusals:
        said = [
            f"{place}: {_MAYBE_A_KEY.sub(HIDDEN, refusal.description)}"
            for place, refusal in refusals[:MAX_SAID]
        ]
        if more := len(refusals) - len(said):
            said.append(f"and {more} more")
        raise type(refusals[0][1])("; ".join(said), field="keys")
    return tuple(done)


def _seen(one: ForeignKey, templates: Sequence[KeyTemplate]) -> Seen:
    """What is kept of a key. Raises Invalid for one that could never be presented."""
    if (one.key is None) == (one.sha256 is None):
        raise Invalid("give either key or sha256", field="key")
    if one.sha256 is not None:
        if not _SHA256.fullmatch(one.sha256):
            raise Invalid("sha256 must be 64 hexadecimal digits", field="sha256")
        prefix = fields.note(one.prefix, "prefix", MAX_PREFIX)
        end = fields.note(one.last_four, "last_four", 4)
        return Seen(bytes.fromhex(one.sha256), prefix, end)
    key = one.key or ""
    if not MIN_LENGTH <= len(key) <= MAX_OPAQUE_KEY:
        raise Invalid(f"key must have {MIN_LENGTH} to {MAX_OPAQUE_KEY} characters", field="key")
    if not can_be_sent(key):
        raise Invalid("key has characters that no Authorization header takes", field="key")
    if is_token_shaped(key):
        raise Invalid("key has two dots, and so would be taken for a token", field="key")
    claimed = [template for template in templates if template.recognizes(key)]
    if claimed and not is_whole_key(key, claimed):
        raise Invalid("key begins like keys made here, and is none of their form", field="key")
    # Of a short one the end is half of it; of an unknown form nobody knows where a secret begins.
    end = last_four(key) if len(key) >= SHOWN_FROM else ""
    return Seen(key_digest(key), prefix_of(key) if claimed else "", end)


def _is_weak(key: str | None) -> bool:
    """Whether it has less than 128 bits, if every character was drawn by lot from its kind."""
    if key is None:
        return False
    letters = next((size for form, size in _ALPHABETS if re.fullmatch(form, key)), 62)
    return len(key) * math.log2(letters) < MIN_ENTROPY_BITS
