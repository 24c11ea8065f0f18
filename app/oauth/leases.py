"""Permits of a credential's limits, drawn in advance by an API that counts by itself.

What offline verifiers count together is counted here, some permits at a time. Each window's
permits are its own and end with it: nothing is given back, and nobody has to be believed that it
was not used. What is wrong is at most what somebody holds unused when a window ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.admin.desk import Desk
from app.admin.rights import reach, require
from app.builtin import INTROSPECT
from app.errors import NotFound
from app.oauth.credentials import KEY_ID
from app.policy.limits import Drawn, Limiter, allowance
from app.records import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an API draws, and for whom."""

    credential_id: str
    """A client's or a key's; a token that was obtained with a key is the key's."""
    route_class: str = ""
    permits: int = 1
    """How many it would like to hold of each window."""
    needed: int = 1
    """With fewer than that it has to refuse the request that it asks for."""
    held: Mapping[str, int] = field(default_factory=dict)
    """How many it still holds, by window."""


class Leases:
    """The asker holds ``keyturn:introspect``."""

    def __init__(self, desk: Desk, limiter: Limiter) -> None:
        self._desk = desk
        self._limiter = limiter

    def draw(self, actor: Actor, wanted: Wanted) -> tuple[Drawn, ...]:
        """How each limit stands, and what was given of it. Raises Forbidden and NotFound."""
        require(actor, INTROSPECT)
        directory, id = self._desk.directory, wanted.credential_id
        key = directory.api_key_of(id) if id.startswith(KEY_ID) else None
        found = key or directory.client(id)
        if found is None:
            raise NotFound("credential")
        try:
            reach(actor, found.organization_id, write=False)
        except NotFound:
            raise NotFound("credential") from None
        organization = directory.organization(found.organization_id)
        allowed = allowance(id, wanted.route_class, organization, key)
        return self._limiter.draw(allowed, wanted.permits, wanted.needed, wanted.held)
