"""For programs that call an API: tokens, and when to try again.

>>> from keyturn.client import TokenSource
>>> source = TokenSource(
...     "https://auth.example.com", "desk", "kts_live_x", resource="https://api.example.com"
... )

`source.token()` is what goes behind `Authorization: Bearer`; for httpx and requests there is
`TokenAuth` in `keyturn.client.httpx` and `keyturn.client.requests`.
"""

from keyturn.client.backoff import Backoff
from keyturn.client.credentials import ClientKey
from keyturn.client.errors import TokenError, TokenRefused, TokenUnavailable
from keyturn.client.source import TokenSource

__all__ = [
    "Backoff",
    "ClientKey",
    "TokenError",
    "TokenRefused",
    "TokenSource",
    "TokenUnavailable",
]
