"""Credentials where others can read them: in URLs, which stand in histories and logs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import parse_qsl

from keyturn.apikey import KeyTemplate
from keyturn.errors import MalformedKey

MAX_PARTS = 100
# A signed JWT: its header is JSON, so it begins with `{"` in base64url.
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


def credential_in_url(url: str, templates: Iterable[KeyTemplate]) -> str | None:
    """The first whole key or token in a path or its query; None where there is none.

    Keys without a prefix cannot be told from other text, and are not looked for.

    >>> from keyturn.apikey import DEFAULT_API_KEY
    >>> key = DEFAULT_API_KEY.generate("live")
    >>> credential_in_url(f"/bookings?page=2&api_key={key}", [DEFAULT_API_KEY]) == key
    True
    >>> credential_in_url("/bookings?page=2", [DEFAULT_API_KEY]) is None
    True
    """
    path, _, query = url.partition("?")
    try:
        parameters = parse_qsl(query, max_num_fields=MAX_PARTS)
    except ValueError:
        parameters = []
    marked = [template for template in templates if template.prefix]
    for text in (*path.split("/")[:MAX_PARTS], *(value for _, value in parameters)):
        if _TOKEN.fullmatch(text) or is_whole_key(text, marked):
            return text
    return None


def is_whole_key(text: str, templates: Iterable[KeyTemplate]) -> bool:
    """Whether it has the form of a key by one of these templates, checksum included."""
    for template in templates:
        with suppress(MalformedKey):
            template.read(text)
            return True
    return False
