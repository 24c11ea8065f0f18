"""A token or API key that somebody shows us: is it ours, and is it good at this moment?

Shared by introspection, revocation and the management API.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple, TypeVar

from app.errors import KeyRefused
from app.policy.limits import Failures
from app.ports import Clock
from app.records import ACTIVE, ApiKey, Organization, Origin
from app.settings import Settings
from app.storage.directory import Directory
from app.tokens.keyring import Keyring
from app.tokens.status_lists import StatusLists
from keyturn.apikey import KeyTemplate, key_digest
from keyturn.claims import UNSAFE_ANY_AUDIENCE, AccessTokenClaims
from keyturn.errors import BadChecksum, InvalidToken, MalformedKey, Reason
from keyturn.exposure import is_whole_key
from keyturn.jwk import VerificationKey
from keyturn.recent import Recent
from keyturn.scope import ScopeSet
from keyturn.status_list import SUSPENDED, VALID
from keyturn.verify import TokenVerifier, is_token_shaped

MAX_LENGTH = 16 * 1024
REMEMBERED = 10_000
REMEMBERED_BYTES = 32 * 1024 * 1024
"""Tokens whose signature was checked, and what they take in memory at most, roughly."""
KEY_ID = "key_"
"""How the ids of API keys begin, and no client's."""

STRANGE = frozenset(
    {
        Reason.MALFORMED,
        Reason.TOO_LARGE,
        Reason.BAD_CHECKSUM,
        Reason.UNKNOWN,
        Reason.BAD_SIGNATURE,
        Reason.UNKNOWN_KEY,
        Reason.UNSUPPORTED_ALGORITHM,
        Reason.WRONG_ISSUER,
        Reason.WRONG_TYPE,
    }
)
"""Refusals of what we never gave out. Whoever shows an old credential has been somebody once, and
a service that goes on with it must not shut out its neighbours behind the same address."""

T = TypeVar("T")


def counted(failures: Failures, origin: Origin, find: Callable[[Callable[[], None]], T]) -> T:
    """What is found. What is none of ours counts against the address. Raises RateLimited."""

    def require_few_failures() -> None:
        failures.require_few(origin.ip)

    try:
        return find(require_few_failures)
    except InvalidToken as refused:
        if refused.reason in STRANGE:
            require_few_failures()
            failures.note(origin.ip)
        raise


class _Checked(NamedTuple):
    claims: AccessTokenClaims
    key: VerificationKey
    weight: int


@dataclass(frozen=True, slots=True)
class FoundToken:
    """A JWT that we signed and that is good."""

    claims: AccessTokenClaims
    organization: Organization
    key: ApiKey | None = None
    """The API key that it was obtained with, which is good, too."""

    @property
    def scopes(self) -> ScopeSet:
        return self.claims.scope


@dataclass(frozen=True, slots=True)
class FoundKey:
    """An API key that is good, and its SHA-256."""

    key: ApiKey
    organization: Organization
    digest: bytes

    @property
    def scopes(self) -> ScopeSet:
        return self.key.scopes


class Credentials:
    """Finds what a presented text is. Raises InvalidToken (its exact reason) and Unavailable."""

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        keyring: Keyring,
        status_lists: StatusLists,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._status_lists = status_lists
        self._clock = clock
        self._keyring = keyring
        self._checked: Recent[bytes, _Checked] = Recent(
            REMEMBERED, REMEMBERED_BYTES, lambda checked: checked.weight
        )
        self._tokens = TokenVerifier(
            issuer=settings.issuer,
            audience=UNSAFE_ANY_AUDIENCE,  # whoever asks says for whom it should be
            keys=keyring,
            algorithms=("ES256", "EdDSA", "RS256"),
            clock=clock,
        )

    def find(
        self, presented: str, before_reading: Callable[[], None] | None = None
    ) -> FoundToken | FoundKey:
        """By its form: a JWT has two dots, and no API key has.

        ``before_reading`` is called before the database is read for what may be anything.
        """
        if is_token_shaped(presented):
            return self.token(presented)
        return self.api_key(presented, before_reading)

    def token(self, presented: str) -> FoundToken:
        """A JWT of ours: signature, life, revocation, and its client's present standing."""
        claims = self._genuine(presented)
        if self._directory.is_revoked(claims.jti):
            raise InvalidToken(Reason.REVOKED)
        standing = self._status_lists.standing(claims.status)
        if standing != VALID:
            raise InvalidToken(Reason.DISABLED if standing == SUSPENDED else Reason.REVOKED)
        if claims.client_id.startswith(KEY_ID):
            key = self._directory.api_key_of(claims.client_id)
            if key is None:
                raise InvalidToken(Reason.DISABLED)
            self._require_active(key)
            return FoundToken(claims, self._standing(key.organization_id, key.environment), key)
        client = self._directory.client(claims.client_id)
        if client is None or client.status != ACTIVE:
            raise InvalidToken(Reason.DISABLED)
        return FoundToken(claims, self._standing(client.organization_id, client.environment))

    def _genuine(self, presented: str) -> AccessTokenClaims:
        """Its claims. The signature of the same text is checked once for each of our keys: that is
        most of what it costs to answer for a token."""
        if len(presented) > MAX_LENGTH:
            raise InvalidToken(Reason.TOO_LARGE)
        digest = sha256(presented.encode("utf-8", "surrogatepass")).digest()
        known = self._checked.get(digest)
        if (
            known is not None
            and self._keyring.get(known.key.kid) is known.key
            and self._clock().timestamp() < known.claims.exp
        ):
            return known.claims
        claims, key = self._tokens.verify_by(presented)
        self._checked.put(digest, _Checked(claims, key, 2_000 + 4 * len(presented)))
        return claims

    def api_key(self, presented: str, before_reading: Callable[[], None] | None = None) -> FoundKey:
        """An API key of ours that is good. Raises KeyRefused for one that is not."""
        key, digest = self.api_key_of_any_standing(presented, before_reading)
        self._require_active(key)
        try:
            organization = self._standing(key.organization_id, key.environment)
        except InvalidToken as error:
            raise KeyRefused(error.reason, key, detail=error.detail) from None
        return FoundKey(key, organization, digest)

    def api_key_of_any_standing(
        self, presented: str, before_reading: Callable[[], None] | None = None
    ) -> tuple[ApiKey, bytes]:
        """An API key of ours, good or not, and its SHA-256.

        A wrong checksum is refused without any look-up.
        """
        if len(presented) > MAX_LENGTH:
            raise InvalidToken(Reason.TOO_LARGE)
        self._require_form(presented)
        digest = key_digest(presented)
        key = self._directory.known_api_key(digest)
        if key is None:
            if before_reading is not None:
                before_reading()
            key = self._directory.api_key_now(digest)
        if key is None:
            raise InvalidToken(Reason.UNKNOWN)
        return key, digest

    def has_our_form(self, presented: str) -> bool:
        """Whether it has the form of a key or a secret of ours, checksum included; without a
        look-up."""
        return is_whole_key(presented, self._claimed(presented)) or self.is_secret_shaped(presented)

    def is_secret_shaped(self, presented: str) -> bool:
        """Whether it has the form of a client secret of ours, checksum included."""
        return is_whole_key(presented, [self._directory.secret_template()])

    def _require_form(self, presented: str) -> None:
        """Whatever claims to be a key of ours must be a whole one; what claims nothing may have
        been imported."""
        misread = [_misread(template, presented) for template in self._claimed(presented)]
        slips = [one for one in misread if one is not None]
        if slips and len(slips) == len(misread):
            # A wrong checksum says more than that another template has another length.
            slip = max(slips, key=lambda one: isinstance(one, BadChecksum))
            raise InvalidToken(Reason(slip.code), detail=slip.detail)

    def _claimed(self, presented: str) -> list[KeyTemplate]:
        templates = self._directory.key_templates()
        return [template for template in templates if template.recognizes(presented)]

    def _require_active(self, key: ApiKey) -> None:
        status = key.status_at(self._clock())
        if status != ACTIVE:
            raise KeyRefused(Reason(status), key)

    def _standing(self, organization_id: str, environment: str) -> Organization:
        organization = self._directory.organization(organization_id)
        if not organization.is_active:
            raise InvalidToken(Reason.DISABLED, detail="organization_suspended")
        if environment not in organization.environments:
            raise InvalidToken(Reason.ENVIRONMENT_MISMATCH)
        return organization


def _misread(template: KeyTemplate, presented: str) -> MalformedKey | None:
    try:
        template.read(presented)
    except MalformedKey as error:
        return error
    return None
