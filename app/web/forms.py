"""Strict form reading: from the body only, no parameter twice, bounded before it is read."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote_to_bytes

from app.errors import InvalidRequest, OAuthError
from keyturn.recent import Recent

MAX_BODY = 64 * 1024
MAX_FIELDS = 64
FORM = "application/x-www-form-urlencoded"
REPEATABLE = frozenset({"resource", "audience"})
"""RFC 8707 §2 allows several resources; everything else once (RFC 6749 §3.2)."""


class BodyTooLarge(OAuthError):
    """More than we read (RFC 9110 §15.5.14)."""

    default_description = f"The body is larger than {MAX_BODY} bytes"


class WrongMediaType(OAuthError):
    """Not a form. RFC 6749 has no other code for it, and 415 confuses its clients."""

    default_description = f"The body must be {FORM}"


class ParameterInUrl(OAuthError):
    """What is in a URL ends up in logs (RFC 6749 §2.3.1, RFC 9700 §4.3.2)."""

    default_description = "Parameters belong into the body, not into the URL"


Form = tuple[Mapping[str, str], tuple[str, ...]]
"""Parameters by name; and every ``resource`` and ``audience``, in order."""

_HARMLESS = frozenset({"grant_type", "scope"})
"""A form of these and of resources holds no secret, and a service sends the same one each time."""
_MEMORABLE = 256
_known: Recent[bytes, Form] = Recent(1024)


def read_form(environ: dict[str, Any]) -> Form:
    """The parameters, and every ``resource`` and ``audience``. Raises OAuthError.

    An empty value counts as absent (RFC 6749 §3.2).
    """
    # Read before anything is refused: behind an unread body the connection is cut, and the next
    # request on it fails without a word.
    body = read_body(environ)
    if environ.get("QUERY_STRING"):
        raise ParameterInUrl
    media_type = environ.get("CONTENT_TYPE", "")
    if media_type != FORM and not _is_form(media_type):
        raise WrongMediaType
    form = _known.get(body)
    if form is None:
        form = _parsed(body)
        if len(body) <= _MEMORABLE and _HARMLESS.issuperset(form[0]):
            _known.put(body, form)
    return form


def _parsed(body: bytes) -> Form:
    try:
        text = body.decode("ascii")
    except UnicodeDecodeError:
        raise InvalidRequest("The form is not percent-encoded") from None
    form: dict[str, str] = {}
    resources: list[str] = []
    pairs = text.split("&")
    if len(pairs) > MAX_FIELDS:
        raise InvalidRequest("The form has too many fields")
    for pair in pairs:
        if not pair:
            continue
        name, _, value = pair.partition("=")
        if "%" in pair or "+" in pair:
            name, value = _decoded(name), _decoded(value)
        if not value:
            continue
        if not value.isprintable() or not name.isprintable():
            raise InvalidRequest("The form holds control characters")
        if name in REPEATABLE:
            resources.append(value)
        elif name in form:
            raise InvalidRequest("A parameter is repeated")
        else:
            form[name] = value
    return MappingProxyType(form), tuple(resources)


def read_body(environ: dict[str, Any], most: int = MAX_BODY) -> bytes:
    """The body, at most so many bytes; a longer one is refused before it is read."""
    coding = environ.get("HTTP_TRANSFER_ENCODING")
    if coding is not None and coding.strip().lower() != "chunked":
        # The server decodes the last coding alone: what is left would be read as a form.
        raise InvalidRequest("The only transfer coding taken is chunked")
    length = environ.get("CONTENT_LENGTH")
    if length:
        if not (length.isascii() and length.isdigit()):
            raise InvalidRequest("Content-Length is not a number")
        if len(length) > 9 or int(length) > most:
            raise BodyTooLarge(f"The body is larger than {most} bytes")
        body: bytes = environ["wsgi.input"].read(int(length))
        if len(body) != int(length):
            raise InvalidRequest("The body is shorter than its Content-Length")
        return body
    # Chunked, or nothing at all: one byte more than allowed tells too much from enough.
    body = environ["wsgi.input"].read(most + 1)
    if len(body) > most:
        raise BodyTooLarge(f"The body is larger than {most} bytes")
    return body


def _is_form(media_type: str) -> bool:
    name, _, parameters = media_type.partition(";")
    if name.strip().lower() != FORM:
        return False
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    return charset in ("", "utf-8")


def _decoded(text: str) -> str:
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("The form is not UTF-8") from None
