"""How a refusal by a limit says what is left, beside ``keyturn.limits.headers``."""

from __future__ import annotations

from app.errors import RateLimited
from keyturn.limits.headers import Headers, limit_headers


def refused_by_limit(error: RateLimited) -> Headers:
    """``Retry-After`` (RFC 9110 §10.2.3), never before the window ends."""
    return [("Retry-After", str(error.retry_after)), *limit_headers(error.usages)]
