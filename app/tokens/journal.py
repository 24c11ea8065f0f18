"""What must be remembered of a request, as one line each (CONTRACT §6: event).

The wire format is that of ``audit_events``' columns; ``app.storage.shipping`` reads it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

import orjson

from app.ids import event_id
from app.ports import EventSink
from app.records import REFUSED, Actor, ApiKey, Client, Origin
from keyturn.errors import KeyturnError
from keyturn.networks import coarse_network

_WORD = re.compile(r"[a-z_]{1,64}")
"""As ``secret_mismatch``; a sentence may quote what was sent."""

Asker = tuple[str | None, str | None]
"""Type and id of a credential, or of what it is about."""


NOTHING: Mapping[str, str] = {}


def seen(route_class: str, ip: str | None) -> dict[str, str]:
    """What usage counts of an event about a key: where it was presented, and from where."""
    network = coarse_network(ip)
    return {"class": route_class} | ({"network": network} if network else {})


class TokenJournal:
    """Writes events of tokens and keys; each method may raise Unavailable."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink

    def issued(
        self,
        nanoseconds: int,
        client: Client,
        jti: str,
        origin: Origin,
        details: Mapping[str, Any],
        actor_type: str = "client",
    ) -> None:
        """A token was signed; written before it leaves."""
        self._sink.append(
            orjson.dumps(
                {
                    "id": event_id(nanoseconds),
                    "time": nanoseconds,
                    "type": "token.issued",
                    "actor_type": actor_type,
                    "actor_id": client.client_id,
                    "organization_id": client.organization_id,
                    "target_type": "token",
                    "target_id": jti,
                    "ip": origin.ip,
                    "user_agent": origin.user_agent,
                    "request_id": origin.request_id,
                    "details": details,
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )
        )

    def refused(
        self, type: str, client: Client | None, error: KeyturnError, origin: Origin
    ) -> None:
        """A request was refused. Nothing that was presented is written down, it may be a secret in
        the wrong place: of the detail only a word of ours, and that only to the client's owner."""
        self._append(
            type,
            "client" if client else "anonymous",
            client.client_id if client else None,
            client.organization_id if client else None,
            origin,
            outcome=REFUSED,
            reason=error.detail if client and _WORD.fullmatch(error.detail) else error.code,
        )

    def sign_in_failed(
        self, user_id: str | None, organization_id: str | None, reason: str, origin: Origin
    ) -> None:
        """Somebody could not prove to be who they said. Nothing that was typed is written down:
        people type passwords where addresses belong."""
        self._append(
            "user.sign_in_failed",
            "user" if user_id else "anonymous",
            user_id,
            organization_id,
            origin,
            outcome=REFUSED,
            reason=reason,
            target_type="user" if user_id else None,
            target_id=user_id,
        )

    def key_used(
        self, key: ApiKey, asker: Asker, origin: Origin, details: Mapping[str, str] = NOTHING
    ) -> None:
        """A resource server asked about an API key that is good. ``details`` is what else is known
        of the use: its ``class`` of routes, the ``scope`` it needed, the caller's ``network``."""
        self._append(
            "api_key.used",
            "api_key",
            key.id,
            key.organization_id,
            origin,
            target_type=asker[0],
            target_id=asker[1],
            details=details,
        )

    def acted(
        self,
        actor: Asker,
        organization_id: str,
        target: Asker,
        origin: Origin,
        details: Mapping[str, Any] | None = None,
        *,
        reason: str | None = None,
    ) -> None:
        """A service credential acts for an organization, or is refused for a reason."""
        self._append(
            "organization.acted_for",
            *actor,
            organization_id,
            origin,
            outcome="success" if reason is None else "refused",
            reason=reason,
            target_type=target[0],
            target_id=target[1],
            details=details or {},
        )

    def viewed(self, actor: Actor, target_type: str, target_id: str, organization_id: str) -> None:
        """Somebody has looked at what is known of this."""
        self._append(
            f"{target_type}.viewed",
            actor.type,
            actor.id,
            organization_id,
            Origin(actor.request_id, actor.ip, actor.user_agent),
            target_type=target_type,
            target_id=target_id,
        )

    def key_refused(
        self,
        key: ApiKey,
        reason: str,
        origin: Origin,
        asker: Asker = (None, None),
        details: Mapping[str, str] = NOTHING,
    ) -> None:
        """A whole key that is not good was presented, here or to a resource server that asked;
        ``details`` as with ``key_used``."""
        target = asker if asker[0] else ("api_key", key.id)
        self._append(
            "api_key.refused",
            "api_key",
            key.id,
            key.organization_id,
            origin,
            outcome=REFUSED,
            reason=reason,
            target_type=target[0],
            target_id=target[1],
            details=details,
        )

    def _append(
        self,
        type: str,
        actor_type: str | None,
        actor_id: str | None,
        organization_id: str | None,
        origin: Origin,
        **also: Any,
    ) -> None:
        nanoseconds = time.time_ns()
        event = {
            "id": event_id(nanoseconds),
            "time": nanoseconds,
            "type": type,
            "actor_type": actor_type,
            "actor_id": actor_id,
            "organization_id": organization_id,
            "ip": origin.ip,
            "user_agent": origin.user_agent,
            "request_id": origin.request_id,
        }
        self._sink.append(orjson.dumps(event | also, option=orjson.OPT_APPEND_NEWLINE))
