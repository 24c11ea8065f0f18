"""Lists as files: everything that fits, as CSV or JSON Lines, beside the pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from flask import Response, request
from pydantic import Field

from app.admin import fields
from app.web.api.tables import row
from app.web.api.values import Answer, Choice

JSON = "json"
MEDIA_TYPES = {"csv": "text/csv", "jsonl": "application/jsonl"}


def form_field() -> Any:
    """The parameter ``format`` of a list that can be had as a file."""
    return Field(
        None,
        description="`csv` or `jsonl`: all entries, not a page, as a file; `limit` says nothing "
        "then. Or by `Accept`: `text/csv`, `application/jsonl`.",
    )


Form = Choice | None


def wanted_form(named: str | None) -> str:
    """``json``, ``csv`` or ``jsonl``: what ``format`` names, else what ``Accept`` likes best."""
    if named is not None:
        return fields.one_of(named, (JSON, *MEDIA_TYPES), "format")
    offered = {"application/json": JSON, **{kind: name for name, kind in MEDIA_TYPES.items()}}
    return offered[request.accept_mimetypes.best_match(offered, "application/json")]


def exported(
    name: str,
    form: str,
    entries: Iterable[Answer],
    columns: Sequence[str],
    flat: Callable[[dict[str, Any]], Mapping[str, Any]] = lambda data: data,
) -> Response:
    """The file ``name``; ``flat`` makes of an entry the cells of its line in a table."""
    if form == "csv":
        cells = (flat(entry.model_dump(mode="json")) for entry in entries)
        lines = (row(one[column] for column in columns) for one in cells)
        text: Iterable[str] = (line for part in ([row(columns)], lines) for line in part)
    else:
        text = (entry.model_dump_json() + "\n" for entry in entries)
    response = Response(text, mimetype=MEDIA_TYPES[form])
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    return response
