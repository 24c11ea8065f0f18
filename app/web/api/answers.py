"""Values of the use cases become JSON answers (CONTRACT §6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from flask import Response

from app.admin.pages import Page, page_of, read_cursor
from app.errors import Invalid
from app.web.api.values import Answer, Listing, PageOf

A = TypeVar("A", bound=Answer)
V = TypeVar("V")


def shown(kind: type[A], view: Any, **also: Any) -> A:
    """A view as the answer that is documented for it; ``also`` are fields the view has not."""
    names = [name for name in kind.model_fields if name not in also]
    return kind.model_validate({name: getattr(view, name) for name in names} | also)


def answer(body: Answer) -> Response:
    """200."""
    return Response(body.model_dump_json(by_alias=True), mimetype="application/json")


def created(body: Answer, *path: str) -> Response:
    """201, and where it is found from now on."""
    response = answer(body)
    response.status_code = 201
    response.headers["Location"] = "/".join(["/v1", *(quote(part, safe=":") for part in path)])
    return response


def deleted() -> Response:
    """204: it is gone, now or long since."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


def listed(kind: type[PageOf[A]], page: Page[V], show: Callable[[V], A] | None = None) -> Response:
    """A page of views, each as the answer that is documented for it."""
    data = page.data if show is None else [show(one) for one in page.data]
    return answer(kind.model_validate({"data": list(data), "next_cursor": page.next_cursor}))


def cut(views: Sequence[V], query: Listing, key: Callable[[V], str]) -> Page[V]:
    """A page of a short list that the use case gives whole, in its order. Raises Invalid."""
    after = read_cursor(query.cursor)
    start = 0
    if after is not None:
        keys = [key(one) for one in views]
        if after not in keys:
            raise Invalid("cursor is not one that this list has given", field="cursor")
        start = keys.index(after) + 1
    return page_of(views[start : start + query.limit + 1], query.limit, key, lambda one: one)
