"""A credential that was sent where others can read it: its owner is told (S2-21, S2-22)."""

from __future__ import annotations

from contextlib import suppress

from app.apikeys.exposure import flag, flag_secret
from app.oauth.credentials import counted
from app.records import Origin
from app.wiring import Services
from keyturn.errors import InvalidToken, Reason
from keyturn.exposure import credential_in_url, is_whole_key
from keyturn.verify import is_token_shaped


def tell_owner(found: Services, credential: str, reason: Reason, origin: Origin) -> None:
    """Flag the key or client secret, if it is one; guesses count against the address.

    Raises RateLimited.
    """
    if is_token_shaped(credential):
        return
    if is_whole_key(credential, [found.directory.secret_template()]):
        found.failures.require_few(origin.ip)
        if flag_secret(found.store, credential, str(reason), origin):
            return
    with suppress(InvalidToken):
        key, digest = counted(
            found.failures,
            origin,
            lambda before: found.credentials.api_key_of_any_standing(credential, before),
        )
        flag(found.store, key, digest, str(reason), origin)


def tell_of_url(found: Services, url: str, origin: Origin) -> None:
    """The same for one that stands whole in a path or its query. Raises RateLimited."""
    credential = credential_in_url(url, found.directory.templates())
    if credential is not None:
        tell_owner(found, credential, Reason.IN_QUERY, origin)
