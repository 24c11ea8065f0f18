"""Strict JSON reading: one object, every member once, bounded before it is read."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from flask import Request
from werkzeug.exceptions import UnsupportedMediaType

from app.errors import Invalid
from app.web.forms import BodyTooLarge, read_body

JSON = "application/json"


class TooLarge(BodyTooLarge):
    """More than we read (RFC 9110 §15.5.14)."""

    code = "too_large"


class InvalidJson(Invalid):
    """Not JSON, or not one object of it (RFC 8259)."""

    code = "invalid_json"


class JsonRequest(Request):
    """A request whose JSON is read by us: what the framework's reader accepts is too much."""

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """The body's object; None where there is no body. Raises InvalidJson, never in silence."""
        if not hasattr(self, "_object"):
            self._object = _read(self)
        return self._object


def _read(request: Request) -> dict[str, Any] | None:
    if not _has_body(request.environ):
        return None
    try:
        content = read_body(request.environ)
    except BodyTooLarge:
        raise TooLarge from None
    if not content:
        return None
    if request.mimetype != JSON or request.mimetype_params.get("charset", "utf-8").lower() not in (
        "utf-8",
        "utf8",
    ):
        raise UnsupportedMediaType(f"The body must be {JSON}")
    try:
        found = json.loads(
            content.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_number
        )
    except RecursionError:
        raise InvalidJson("The body is nested too deeply") from None
    except UnicodeDecodeError:
        raise InvalidJson("The body is not UTF-8") from None
    except ValueError:  # JSONDecodeError, and numbers of thousands of digits
        raise InvalidJson("The body is not JSON") from None
    if not isinstance(found, dict):
        raise InvalidJson("The body must be a JSON object")
    return found


def _has_body(environ: dict[str, Any]) -> bool:
    # Without either header HTTP/1 has no body (RFC 9112 §6.3), and reading would wait for one.
    return bool(
        environ.get("CONTENT_LENGTH")
        or "HTTP_TRANSFER_ENCODING" in environ
        or not environ.get("SERVER_PROTOCOL", "").startswith("HTTP/1")
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        # Two readers may take two different ones (RFC 8259 §4): a door between check and use.
        raise InvalidJson("A member is repeated")
    return found


def _no_number(name: str) -> NoReturn:
    raise InvalidJson(f"{name} is not JSON")
