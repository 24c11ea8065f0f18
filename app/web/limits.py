"""How an answer says what is left of a limit (draft-ietf-httpapi-ratelimit-headers)."""

from __future__ import annotations

import time

from app.errors import RateLimited
from app.policy.limits import Usage

Headers = list[tuple[str, str]]


def limit_headers(usage: Usage) -> Headers:
    """The draft's two fields, and the three that clients have known for longer."""
    limit = usage.limit
    return [
        ("RateLimit-Policy", f'"{limit.window}";q={limit.amount};w={limit.seconds}'),
        ("RateLimit", f'"{limit.window}";r={usage.remaining};t={usage.resets_in}'),
        ("X-RateLimit-Limit", str(limit.amount)),
        ("X-RateLimit-Remaining", str(usage.remaining)),
        ("X-RateLimit-Reset", str(int(time.time()) + usage.resets_in)),
    ]


def refused_by_limit(error: RateLimited) -> Headers:
    """``Retry-After`` (RFC 9110 §10.2.3), never before the window ends."""
    headers = limit_headers(error.usage) if isinstance(error.usage, Usage) else []
    return [("Retry-After", str(error.retry_after)), *headers]
