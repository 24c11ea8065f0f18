"""Which profile refusals are told in, where the issuer says it: asked for off the request path."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from keyturn.errors import VerifierUnavailable
from keyturn.profiles import DEFAULT_PROFILE, PROFILES

if TYPE_CHECKING:
    from keyturn.async_bearer import AsyncVerifier
    from keyturn.bearer import Verifier

log = logging.getLogger("keyturn")

PATH = "/v1/profile"
LIFETIME = 300.0
"""Seconds after which the issuer is asked again."""
PAUSE = 30.0
"""Seconds until it is asked again when it did not answer."""


class IssuerProfile:
    """The profile of an API as the issuer has it: its resource's, else its organization's.

    For every adapter's `profile=`; one that names a profile itself does without. Nobody waits for
    the issuer: until it has answered for the first time, refusals are told in `default`; call
    `refresh` before serving, where that matters. Thread-safe.

    >>> from keyturn import Verifier
    >>> verifier = Verifier("https://auth.example.com", "https://api.example.com", "client", "…")
    >>> profile = IssuerProfile(verifier, "https://api.example.com")
    """

    def __init__(
        self,
        verifier: Verifier | AsyncVerifier,
        resource: str,
        *,
        default: str = DEFAULT_PROFILE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`verifier`: with client_id and client_secret. `resource`: the API's identifier there.
        Raises ValueError."""
        if verifier.issuer_api is None:
            raise ValueError("verifier: has no client_id to ask with")
        if default not in PROFILES:
            raise ValueError(f"default: one of {', '.join(PROFILES)}")
        self._issuer = verifier.issuer_api
        self._path = f"{PATH}?{urlencode({'resource': resource})}"
        self._monotonic = monotonic
        self._profile = default
        self._ask_at = float("-inf")
        self._asking = threading.Lock()

    def __call__(self, *_: object) -> str:
        """The name of the profile; adapters give the request, which says nothing here."""
        if self._monotonic() >= self._ask_at and self._asking.acquire(blocking=False):
            self._ask_at = self._monotonic() + PAUSE
            threading.Thread(target=self._ask, name="keyturn-profile", daemon=True).start()
        return self._profile

    def refresh(self) -> str:
        """Ask now. Raises VerifierUnavailable."""
        status, answer = self._issuer.get(self._path)
        named = answer.get("profile")
        if status != 200 or named not in PROFILES:
            raise VerifierUnavailable(detail=f"{PATH}: status {status}, profile {named!a:.80}")
        self._profile = str(named)
        self._ask_at = self._monotonic() + LIFETIME
        return self._profile

    def _ask(self) -> None:
        try:
            self.refresh()
        except VerifierUnavailable as error:
            log.warning("profile: as it was until the issuer says it: %s", error.detail)
        finally:
            self._asking.release()
