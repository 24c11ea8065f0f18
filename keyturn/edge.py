"""What all frameworks' adapters share: how a request is seen, and how a refusal is told."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from keyturn.acting import ActingHeaders
from keyturn.errors import CredentialRefused
from keyturn.guard import Seen
from keyturn.limits.headers import Headers, limit_headers
from keyturn.profiles import DEFAULT_PROFILE, PROFILES, Failure, present
from keyturn.proxies import Proxies
from keyturn.resource import ProtectedResource

log = logging.getLogger("keyturn")


class Told(NamedTuple):
    """An answer, before any framework."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Edge:
    """How an application stands in the world; the same words for each framework.

    `realm`: in challenges. `acting`: the headers of service credentials; where the profile has one
    of its own for the mode, either is read. `proxies`: whose forwarded headers are believed; then
    https is required; `Proxies()` where the app is reached directly; None: the address is the
    peer's, and plain HTTP is taken. `resource`: what clients find out about the API.
    """

    realm: str = "api"
    acting: ActingHeaders = ActingHeaders()  # noqa: RUF009 - immutable
    proxies: Proxies | None = None
    resource: ProtectedResource | None = None

    def seen(
        self,
        header: Callable[[str], str | None],
        *,
        peer: str | None,
        scheme: str,
        url: str,
        profile: str = DEFAULT_PROFILE,
    ) -> Seen:
        """What is known of a request; `header` gives the value of one by its name."""
        seen = Seen(ip=peer, origin=header("Origin"), url=url)
        if self.proxies is not None:
            forwarded = header("X-Forwarded-For") or "", header("X-Forwarded-Proto") or ""
            seen["ip"] = self.proxies.client_address(peer, forwarded[0])
            seen["is_secure"] = self.proxies.is_secure(peer, scheme, forwarded[1])
        organization = header(self.acting.organization)
        if organization is not None:  # else nobody is named, and most requests name nobody
            own = PROFILES[profile].mode_header
            mode = header(own) if own is not None else None
            seen["organization"] = organization
            seen["mode"] = header(self.acting.mode) if mode is None else mode
        return seen

    def refusal(
        self,
        refused: CredentialRefused,
        profile: str = DEFAULT_PROFILE,
        request_id: str | None = None,
    ) -> Told:
        """The answer to a refusal (RFC 6750 §3, RFC 9728 §5.1), and how its limits stand."""
        told = failure(Failure.of(refused, request_id), profile)
        told.headers.append(("Cache-Control", "no-store"))
        metadata = None if self.resource is None else self.resource.url
        challenge = refused.challenge_for(self.realm, resource_metadata=metadata)
        if challenge is not None:
            told.headers.append(("WWW-Authenticate", challenge))
        if refused.retry_after is not None:
            told.headers.append(("Retry-After", str(refused.retry_after)))
        told.headers.extend(limit_headers(refused.usages))
        return told


def failure(failed: Failure, profile: str = DEFAULT_PROFILE) -> Told:
    """Whatever goes wrong, as this profile tells it."""
    presented = present(failed, PROFILES[profile])
    headers = [("Content-Type", presented.media_type)]
    if failed.request_id is not None:
        headers.append(("X-Request-Id", failed.request_id))
    return Told(presented.status, headers, json.dumps(presented.body).encode())


def log_refusal(refused: CredentialRefused, method: str, path: str, request_id: str | None) -> None:
    """The exact reason, which is nobody else's business, with the id that the answer has."""
    shown = path.encode("ascii", "backslashreplace").decode()
    log.info("refused %s %s: %s %s (%s)", method, shown, refused.reason, refused.detail, request_id)
