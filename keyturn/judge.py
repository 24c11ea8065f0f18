"""Judge: every rule about what is presented, decided by what is at hand.

Nothing here waits or knows who does: where the issuer has to be asked it raises Pending, and a
thread (`keyturn.bearer`) or a task (`keyturn.async_bearer`) asks and comes again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import NoReturn

from keyturn.acting import ACT_AS_ORGANIZATION, Acting, acting
from keyturn.apikey import DEFAULT_API_KEY, KeyTemplate, key_digest
from keyturn.asking import require_safe_url
from keyturn.authorization import MAX_OPAQUE_KEY, read_credential
from keyturn.claims import accepted_audiences, meant_for
from keyturn.discovery import Discovery
from keyturn.errors import (
    ActingRefused,
    BadChecksum,
    CredentialExposed,
    InvalidToken,
    MalformedKey,
    Reason,
    RestrictionRefused,
    VerifierUnavailable,
)
from keyturn.exposure import credential_in_url, is_whole_key
from keyturn.fetch import DEFAULT_TIMEOUT, Fetch
from keyturn.introspect import Introspection, Introspector
from keyturn.jwk import DEFAULT_ALGORITHMS
from keyturn.jwks import AtHand, JwksUrl, KeySource
from keyturn.jws import SignatureCheck
from keyturn.principal import Principal
from keyturn.resource import ProtectedResource
from keyturn.restrictions import IPAddress
from keyturn.results import Memory
from keyturn.status_list import TYPE
from keyturn.statuses import DEFAULT_INTERVAL, Statuses
from keyturn.talks import Learnt, Pending, Question, Talk, known
from keyturn.verdicts import DEFAULT_MAX_STALENESS, Verdicts
from keyturn.verify import DEFAULT_LEEWAY, TokenVerifier, is_token_shaped, seconds_of, utc_now

_MAX_TOLD = 1_000


class Judge:
    """What `Verifier` and `AsyncVerifier` have in common, which is all but the asking.

    The settings are described in `keyturn.bearer.VerifierSettings`.
    """

    def __init__(
        self,
        issuer: str,
        audience: str | Collection[str],
        client_id: str | None,
        client_secret: str | None,
        background: Fetch,
        *,
        key_templates: Collection[KeyTemplate] = (DEFAULT_API_KEY,),
        environment: str | None = None,
        algorithms: Collection[str] = DEFAULT_ALGORITHMS,
        leeway: timedelta = DEFAULT_LEEWAY,
        max_staleness: timedelta = DEFAULT_MAX_STALENESS,
        allow_missing_origin: bool = False,
        jwks_uri: str | None = None,
        introspection_endpoint: str | None = None,
        keys: KeySource | None = None,
        status_interval: timedelta | None = DEFAULT_INTERVAL,
        accept_unknown_status: bool = False,
        timeout: timedelta = DEFAULT_TIMEOUT,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`background` asks for status lists. Raises ValueError for settings that cannot be."""
        require_safe_url(issuer, "issuer")
        if "?" in issuer:
            raise ValueError("issuer: has no query (RFC 8414 §2)")
        if (client_id is None) != (client_secret is None):
            raise ValueError("client_id and client_secret: both or none")
        self.issuer = issuer
        self.environment = environment
        self.resource = ProtectedResource.of(audience, issuer)
        self._audiences = accepted_audiences(audience)
        # The longest prefix first: "sk" must not claim the keys of "sk_rsv".
        self._templates = sorted(key_templates, key=lambda t: len(t.prefix), reverse=True)
        self._allow_missing_origin = allow_missing_origin
        self._clock = clock
        discovery = Discovery(issuer, monotonic=monotonic)
        self._published: JwksUrl | None = None
        if keys is None:
            uri = jwks_uri or discovery.jwks_uri
            self._published = JwksUrl(uri, algorithms=algorithms, monotonic=monotonic)
            keys = AtHand(self._published.find)
        self._tokens = TokenVerifier(
            issuer=issuer,
            audience=audience,
            keys=keys,
            algorithms=algorithms,
            leeway=leeway,
            clock=clock,
        )
        now = seconds_of(clock)
        self.statuses: Statuses | None = None
        if status_interval is not None:
            self.statuses = Statuses(
                SignatureCheck(keys, algorithms, (TYPE,)),
                background,
                issuer,
                interval=status_interval,
                accept_unknown=accept_unknown_status,
                now=now,
                monotonic=monotonic,
            )
        self._introspector: Introspector | None = None
        self._told: frozenset[bytes] = frozenset()
        self._verdicts: Verdicts | None = None
        if client_id is not None and client_secret is not None:
            locate = discovery.introspection_endpoint
            if introspection_endpoint is not None:
                require_safe_url(introspection_endpoint, "introspection_endpoint")
                locate = partial(known, introspection_endpoint)
            self._introspector = Introspector(locate, client_id, client_secret)
            self._verdicts = Verdicts(
                self._introspector.ask,
                max_staleness,
                patience=2 * timeout,
                monotonic=monotonic,
            )
        self._memory = Memory(keys, self._verdicts, self.statuses, self._check_place, now)
        self._recall = self._memory.recall

    def judge(
        self,
        learnt: Learnt,
        authorization: str | None,
        ip: str | IPAddress | None,
        origin: str | None,
        required_scope: str,
        url: str,
        is_secure: bool | None,
        organization: str | None,
        mode: str | None,
    ) -> Principal:
        """Who presents this, as `Verifier.verify` has it. Raises CredentialRefused, and Pending.

        `learnt`: what came of the questions that this very decision has had.
        """
        if url:
            exposed = credential_in_url(url, self._templates)
            if exposed is not None:
                self._exposed(exposed, Reason.IN_QUERY)
        principal = None if is_secure is False else self._recall(authorization, ip, origin)
        if principal is None:
            credential = read_credential(authorization)
            if is_secure is False:
                self._exposed(credential, Reason.INSECURE_TRANSPORT)
            if is_token_shaped(credential):
                principal = self._of_token(credential)
            else:
                principal = self._of_key(learnt, credential, ip, origin)
        if ACT_AS_ORGANIZATION in principal.scopes.tokens:
            said = acting(principal.scopes.tokens, organization, mode, origin)
            if said is not None:
                credential = read_credential(authorization)
                principal = self._for_another(learnt, credential, principal, said)
        if required_scope:
            principal.require(*required_scope.split(" "))
        return principal

    def require_ready(self, learnt: Learnt) -> None:
        """As `Verifier.require_ready` has it. Raises VerifierUnavailable, and Pending."""
        if self._published is not None:
            self._published.require_usable()
        if self.statuses is not None:
            self.statuses.require_usable()

    def _exposed(self, credential: str, reason: Reason) -> NoReturn:
        self._tell(credential, reason)
        raise CredentialExposed(reason)

    def _tell(self, credential: str, reason: Reason) -> None:
        """The issuer, once, of a key that others can read."""
        if self._introspector is not None and is_whole_key(credential, self._templates):
            digest = key_digest(credential)
            if digest not in self._told:
                kept = self._told if len(self._told) < _MAX_TOLD else frozenset()
                self._told = kept | {digest}
                tell = self._introspector.ask(credential, exposed=str(reason))
                raise Pending(Question(("exposed", digest), partial(_in_vain_or_not, tell)))

    def _of_token(self, token: str) -> Principal:
        claims, key = self._tokens.verify_by(token)
        if claims.cnf is not None:
            # Bound to a key or a certificate that a bearer does not show: it may be a stolen one.
            raise InvalidToken(Reason.PROOF_REQUIRED, detail=f"{claims.jti!a} is bound")
        self._require_environment(claims.env)
        principal = Principal(
            "api_key" if claims.raw.get("credential") == "api_key" else "client",
            claims.sub,
            claims.client_id,
            claims.org,
            claims.env,
            claims.scope,
            datetime.fromtimestamp(claims.exp, UTC),
            claims.aud,
            # Shared by all who present it: what one request could change, others would read.
            MappingProxyType(claims.raw),
        )
        self._memory.keep_token(token, principal, claims, key)
        return principal

    def _of_key(
        self, learnt: Learnt, key: str, ip: str | IPAddress | None, origin: str | None
    ) -> Principal:
        written = self._read_key(key)
        if self._verdicts is None:
            raise InvalidToken(Reason.WRONG_TYPE, detail="takes no keys: has no client_id")
        found = self._verdicts.on(learnt, key)
        if isinstance(found, Reason):
            raise InvalidToken(found)
        self._check_key(found, written)
        principal = Principal(
            "api_key",
            found.client_id,
            found.client_id,
            found.org,
            found.env,
            found.scope,
            datetime.fromtimestamp(found.exp, UTC) if found.exp is not None else None,
            found.aud,
            MappingProxyType(found.raw),
            found.rate_limits,
        )
        self._memory.keep_key(key, principal, found)
        self._check_place(key, found, ip, origin)
        return principal

    def _check_place(
        self, key: str, found: Introspection, ip: str | IPAddress | None, origin: str | None
    ) -> None:
        # A publishable key is for browsers, and those send their origin.
        server = self._allow_missing_origin and found.raw.get("kind") != "publishable"
        try:
            found.restrictions.check(ip, origin, allow_missing_origin=server)
        except RestrictionRefused as refused:
            if refused.reason is Reason.SERVER_ONLY:
                self._tell(key, refused.reason)
            raise

    def _for_another(
        self, learnt: Learnt, credential: str, principal: Principal, said: Acting
    ) -> Principal:
        """Who it is in that organization, where it has no right more than by itself."""
        if self._verdicts is None:
            raise InvalidToken(
                Reason.WRONG_TYPE, detail="cannot ask for whom it acts: no client_id"
            )
        found = self._verdicts.on(learnt, credential, said)
        if isinstance(found, Reason):
            if found in (Reason.ORG_NOT_ALLOWED, Reason.MODE_UNKNOWN):
                raise ActingRefused(found, detail=f"{principal.id!a} for {said}")
            raise InvalidToken(found)
        if found.org != said.organization or said.mode not in (None, found.env):
            # An issuer that did not read the question has answered another one.
            raise ActingRefused(Reason.ORG_NOT_ALLOWED, detail=f"the issuer knows no {said}")
        self._require_environment(found.env)
        return replace(
            principal,
            organization=found.org,
            environment=found.env,
            scopes=principal.scopes.narrowed_to(found.scope),
            claims=MappingProxyType(found.raw),
            acts_from=principal.organization,
        )

    def _read_key(self, key: str) -> str | None:
        """The environment a key names; all that can be refused without asking is refused here."""
        if not self._templates:
            if len(key) > MAX_OPAQUE_KEY:
                raise InvalidToken(Reason.TOO_LARGE, detail=f"{len(key)} characters")
            return None
        for template in self._templates:
            if template.recognizes(key):
                try:
                    written = template.read(key).environment
                except MalformedKey as error:
                    bad = isinstance(error, BadChecksum)
                    reason = Reason.BAD_CHECKSUM if bad else Reason.MALFORMED
                    raise InvalidToken(reason, detail=error.detail) from None
                if written is not None:
                    self._require_environment(written)
                return written
        raise InvalidToken(Reason.MALFORMED, detail="neither a token nor a known form of key")

    def _check_key(self, found: Introspection, written: str | None) -> None:
        now = self._clock().timestamp()
        if found.iss is not None and found.iss != self.issuer:
            raise InvalidToken(Reason.WRONG_ISSUER, detail=f"issued by {found.iss!a}")
        if found.aud and not meant_for(found.aud, self._audiences):
            raise InvalidToken(Reason.WRONG_AUDIENCE, detail=f"meant for {found.aud!a}")
        if found.exp is not None and now >= found.exp:
            raise InvalidToken(Reason.EXPIRED, detail=f"{found.client_id!a} at {found.exp}")
        if found.nbf is not None and now < found.nbf:
            raise InvalidToken(Reason.NOT_YET_VALID, detail=f"{found.client_id!a} at {found.nbf}")
        if "cnf" in found.raw:
            raise InvalidToken(Reason.PROOF_REQUIRED, detail=f"{found.client_id!a} is bound")
        if written is not None and found.env != written:
            raise InvalidToken(Reason.ENVIRONMENT_MISMATCH, detail=f"is of {found.env!a}")
        self._require_environment(found.env)

    def _require_environment(self, environment: str | None) -> None:
        if self.environment is not None and environment != self.environment:
            raise InvalidToken(Reason.ENVIRONMENT_MISMATCH, detail=f"is of {environment!a}")


def _in_vain_or_not(talk: Talk[object]) -> Talk[None]:
    with suppress(VerifierUnavailable):
        yield from talk
