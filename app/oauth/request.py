"""An OAuth request as a value: read once, frozen (RFC 6749 §3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.records import ApiKey, Client, Decision, Origin
from keyturn.limits.values import Usage


@dataclass(frozen=True, slots=True)
class OAuthRequest:
    """What a client sent to an OAuth endpoint; no parameter was repeated, none was in the URL."""

    form: Mapping[str, str] = field(repr=False)
    resources: tuple[str, ...]
    """Every ``resource`` and ``audience`` (RFC 8707 §2), in order."""
    authorization: str | None = field(repr=False)
    origin: Origin
    endpoint: str = ""
    """The path that it was sent to."""

    @property
    def grant_type(self) -> str | None:
        return self.form.get("grant_type")

    @property
    def client_id(self) -> str | None:
        return self.form.get("client_id")

    @property
    def scope(self) -> str | None:
        return self.form.get("scope")


class Exchange:
    """One request on its way through Authlib's core: the frozen request, and what was found."""

    __slots__ = ("client", "decision", "key", "method", "payload", "secret_id", "usage")

    def __init__(self, request: OAuthRequest) -> None:
        self.payload = request
        self.method = "POST"
        self.client: Client | None = None
        self.key: ApiKey | None = None
        self.secret_id: str | None = None
        self.decision: Decision | None = None
        self.usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class OAuthResponse:
    """A JSON answer of an OAuth endpoint; never cached (RFC 6749 §5.1)."""

    status: int
    body: dict[str, object] = field(repr=False)
    usage: Usage | None = None
    """What is left of the client's limit, where it has one."""
