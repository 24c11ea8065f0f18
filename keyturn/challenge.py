"""WWW-Authenticate lines for bearer credentials (RFC 6750 §3)."""

from __future__ import annotations

import re

# Header values leave here as printable ASCII; whatever else a description or a scope may hold (a
# line break above all) becomes a question mark, so that no value can add a header of its own.
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


def quoted(value: str) -> str:
    r"""A quoted-string (RFC 9110 §5.6.4) that is safe in a header, whatever `value` holds.

    >>> print(quoted('say "no"'))
    "say \"no\""
    >>> print(quoted("a\r\nSet-Cookie: b"))
    "a??Set-Cookie: b"
    """
    escaped = _UNPRINTABLE.sub("?", value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def bearer(
    realm: str,
    *,
    error: str | None = None,
    description: str | None = None,
    scope: str | None = None,
    resource_metadata: str | None = None,
) -> str:
    """One Bearer challenge; the scheme must be followed by at least one parameter, so `realm` is
    required.

    >>> bearer("api")
    'Bearer realm="api"'
    >>> bearer("api", error="insufficient_scope", scope="bookings:read")
    'Bearer realm="api", error="insufficient_scope", scope="bookings:read"'
    """
    params = {
        "realm": realm,
        "error": error,
        "error_description": description,
        "scope": scope,
        "resource_metadata": resource_metadata,  # RFC 9728 §5.1
    }
    return "Bearer " + ", ".join(
        f"{name}={quoted(value)}" for name, value in params.items() if value
    )
