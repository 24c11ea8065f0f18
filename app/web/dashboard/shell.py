"""What every page does alike: rendering, links to itself, and forms over use cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from secrets import token_urlsafe
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import abort, flash, g, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from wtforms import HiddenField
from wtforms.validators import Length

from app.admin import submissions
from app.errors import AdminError, Forbidden, NotFound
from app.records import Actor
from app.web.dashboard.signed_in import actor, desk
from app.web.problems import status_of

T = TypeVar("T")


class OnceForm(FlaskForm):
    """A form that makes something: sent again, it leads to what it has made, and makes nothing."""

    once = HiddenField(
        default=lambda: token_urlsafe(16), validators=[Length(16, 64, "Open this form anew")]
    )


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked before something is done that many would not want by mistake."""

    title: str
    says: str
    submit: str
    back: str
    danger: bool = True


def page(template: str, form: FlaskForm | None = None, **values: Any) -> tuple[str, int]:
    """A page; with a form or a filter that was ``refused``, the status says so."""
    wrong = (form is not None and form.errors) or values.get("refused")
    status = g.get("refused_as", 400) if wrong else 200
    return render_template(f"dashboard/{template}.html", form=form, **values), status


def link_to(**changes: Any) -> str:
    """This page with other arguments in its query; None takes one away."""
    arguments = {**request.args, **changes}
    # Not by `url_for`: a name in a query could be an argument of its own, `_scheme` for one.
    asked = urlencode({name: value for name, value in arguments.items() if value})
    here = url_for(request.endpoint or "", **(request.view_args or {}))
    return f"{here}?{asked}" if asked else here


def query(name: str) -> str | None:
    """A filter of a list, as it stands in the query."""
    return request.args.get(name, "").strip() or None


def attempt(form: FlaskForm, act: Callable[[], T]) -> T | None:
    """What a use case answers to a form; None: it was not sent, or what is wrong stands in it."""
    if not form.validate_on_submit():
        return None
    try:
        return act()
    except AdminError as error:
        put(form, error)
        return None


def confirm(
    act: Callable[[], object], ask: Callable[[], Question], done: str, leads_to: str
) -> Any:
    """A page that asks before something is done: without a script, and without a surprise. It is
    not asked about any more what is done already."""
    form = FlaskForm()

    def acted() -> bool:
        act()
        return True

    if attempt(form, acted):
        flash(done)
        return redirect(leads_to, 303)
    return page("confirm", form, asks=ask())


def make(form: OnceForm, act: Callable[[Actor], T], leads_to: Callable[[str], str]) -> T | None:
    """The same for what shall be made once; sent again, the form ``leads_to`` what it has made."""

    def once() -> T:
        _lead_back(form, leads_to)
        try:
            return act(replace(actor(), submission=submissions.digest(actor(), form.once.data)))
        except AdminError:
            _lead_back(form, leads_to)  # meanwhile: it was sent twice at the same time
            raise

    return attempt(form, once)


def _lead_back(form: OnceForm, leads_to: Callable[[str], str]) -> None:
    made = submissions.made(desk(), submissions.digest(actor(), form.once.data))
    if made is not None:
        flash("This was done already. What is secret was shown then, and is not shown again.")
        abort(redirect(leads_to(made), 303))


def put(form: FlaskForm, error: AdminError) -> None:
    """What a use case has refused, at the field it is about, else above all. What no other words
    in this form would change is raised again, for a page of its own."""
    path = (error.field or "").split(".")
    # «labels.settings» has a field of its own, «rate_limits.0» is one of those in a field.
    field = next((name for name in reversed(path) if name in form), None)
    if field is not None:
        form[field].errors = [*form[field].errors, error.description]
    elif isinstance(error, (Forbidden, NotFound)):
        raise error
    else:
        form.form_errors.append(error.description)
    g.refused_as = status_of(error)
