"""How an answer says what is left of its limits (draft-ietf-httpapi-ratelimit-headers)."""

from __future__ import annotations

import time
from collections.abc import Sequence

from keyturn.limits.values import Usage, nearest

Headers = list[tuple[str, str]]


def limit_headers(usages: Sequence[Usage]) -> Headers:
    """The draft's two fields with every limit, and the three that clients have known for longer
    with the one that is nearest to its end.

    >>> from keyturn.limits.values import Limit
    >>> dict(limit_headers([Usage(Limit(30, "minute"), 1, 41)]))["RateLimit"]
    '"minute";r=29;t=41'
    """
    if not usages:
        return []
    tight = usages[0] if len(usages) == 1 else nearest(usages)
    policies = [f'"{u.limit.window}";q={u.limit.amount};w={u.limit.seconds}' for u in usages]
    left = [f'"{usage.limit.window}";r={usage.remaining};t={usage.resets_in}' for usage in usages]
    return [
        ("RateLimit-Policy", ", ".join(policies)),
        ("RateLimit", ", ".join(left)),
        ("X-RateLimit-Limit", str(tight.limit.amount)),
        ("X-RateLimit-Remaining", str(tight.remaining)),
        ("X-RateLimit-Reset", str(int(time.time()) + tight.resets_in)),
    ]
