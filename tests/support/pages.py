"""The dashboard as a browser without scripts sees it: pages, and forms sent with what they hold."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import httpx

from app.storage import sessions as stored

COOKIE = "keyturn_session"


class _Forms(HTMLParser):
    """The fields of each form as they stand, by the form's action ("": the page itself)."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, list[str]]] = {}
        self._fields: dict[str, list[str]] | None = None
        self._select: str | None = None
        self._textarea: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "form":
            self._fields = self.forms.setdefault(said.get("action") or "", {})
        if self._fields is None:
            return
        name = said.get("name")
        if tag == "input" and name:
            ticked = said.get("type") not in ("checkbox", "radio") or "checked" in said
            if ticked:
                self._fields.setdefault(name, []).append(said.get("value") or "")
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            # Without a chosen one, a browser sends the first.
            if "selected" in said or self._select not in self._fields:
                self._fields[self._select] = [said.get("value") or ""]
        elif tag == "textarea":
            self._textarea = name
            self._fields[name or ""] = [""]

    def handle_data(self, data: str) -> None:
        if self._textarea and self._fields is not None:
            self._fields[self._textarea] = [data.strip("\r\n")]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._fields = None
        elif tag == "select":
            self._select = None
        elif tag == "textarea":
            self._textarea = None


def form_of(page: httpx.Response, action: str = "") -> dict[str, Any]:
    """What a form that was answered would send."""
    parser = _Forms()
    parser.feed(page.text)
    return dict(parser.forms[action])


def cells(page: str, caption: str) -> list[list[str]]:
    """The rows of a table, as texts."""
    table = re.search(rf'aria-label="{re.escape(caption)}" tabindex.*?</table>', page, re.S)
    assert table is not None, caption
    rows = re.findall(r"<tr>(.*?)</tr>", table[0].partition("<tbody>")[2], re.S)
    return [
        [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row)]
        for row in rows
    ]


class Site:
    """Somebody's browser."""

    def __init__(self, installation: Any, session: str | None = None, user: Any = None) -> None:
        self.installation, self.user = installation, user
        self.issuer = issuer = installation.services.settings.issuer
        self.http = httpx.Client(
            transport=httpx.WSGITransport(installation.app),
            base_url=f"{issuer}/dashboard",
            headers={"Origin": issuer},
        )
        if session is not None:
            # For this very host, as the answers set it: else there were two of them.
            host = self.http.base_url.host
            self.http.cookies.set(COOKIE, session, domain=host, path="/dashboard")

    def close(self) -> None:
        self.http.close()

    def proven_a_while_ago(self) -> None:
        """As if it were longer ago than that counts that its owner has proven who they are."""
        with self.installation.desk.store.transaction(self.installation.operator) as work:
            for row in stored.of_user(work.session, self.user.id):
                row.confirmed_at = None

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.http.get(path, params=query or None)

    def follow(self, link: str) -> httpx.Response:
        """A page as links and redirects name it."""
        return self.http.get(f"{self.issuer}{unescape(link)}")

    def form(self, path: str, action: str = "") -> dict[str, Any]:
        """What the form of a page would send if nobody typed anything."""
        page = self.get(path)
        assert page.status_code == 200, page.text
        return form_of(page, action)

    def token(self) -> dict[str, Any]:
        """What every form holds; a form that was never shown."""
        return {"csrf_token": self.form("/", "/dashboard/theme")["csrf_token"]}

    def post(self, path: str, form: dict[str, Any]) -> httpx.Response:
        """Send a form as it is."""
        return self.http.post(path, data=form)

    def send(self, path: str, **typed: Any) -> httpx.Response:
        """Open a page, fill its form, send it."""
        return self.post(path, {**self.form(path), **typed})

    def press(self, page: str, action: str) -> httpx.Response:
        """Send the form of one button on a page."""
        action = f"/dashboard{action}"
        return self.http.post(action.removeprefix("/dashboard"), data=self.form(page, action))
