"""``flask key-policy``: what an organization asks of its API keys."""

from __future__ import annotations

from typing import Any

import click
from flask import Flask

from app.admin.changes import UNSET, Unset
from app.apikeys import policies
from app.apikeys.policies import CHOICES, LEAK_ACTIONS, LONGEST, KeyPolicyChanges
from app.cli.terminal import Group, Installation, as_json, given, org, print_one

group = Group("key-policy", help="What an organization asks of its API keys.")


def register(app: Flask) -> None:
    app.cli.add_command(group)


class Days(click.IntRange):
    """A number of days, or ``never``, which is 0."""

    name = "days"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        return 0 if value == "never" else super().convert(value, param, ctx)


DAYS = Days(1, LONGEST)


@group.command("show")
@org
@as_json
def show(org: str | None, json_wanted: bool) -> None:
    """The policy, in days."""
    at = Installation()
    organization_id = at.organization(org)
    print_one(policies.show(at.desk, at.actor, organization_id=organization_id), json_wanted)


@group.command("update")
@click.option("--rotate-after", type=DAYS, help="When a key should have a successor, as 90.")
@click.option("--warn-inactive", type=DAYS, help="When an unused key is reported.")
@click.option("--disable-inactive", type=DAYS, help="When an unused key is disabled.")
@click.option("--on-leak", type=click.Choice(LEAK_ACTIONS), help="What is done to a leaked key.")
@click.option(
    "--browser-origin", type=click.Choice(CHOICES["browser_origin"]), help="Of secret keys."
)
@click.option(
    "--service-keys", type=click.Choice(CHOICES["service_keys"]), help="That act for organizations."
)
@org
@as_json
def update(
    rotate_after: int | None,
    warn_inactive: int | None,
    disable_inactive: int | None,
    on_leak: str | None,
    browser_origin: str | None,
    service_keys: str | None,
    org: str | None,
    json_wanted: bool,
) -> None:
    """Ask what is named, in days; ``never`` takes it back."""
    at = Installation()
    changes = KeyPolicyChanges(
        rotate_after_days=_asked(rotate_after),
        warn_inactive_days=_asked(warn_inactive),
        disable_inactive_days=_asked(disable_inactive),
        on_leak=given(on_leak),
        browser_origin=given(browser_origin),
        service_keys=given(service_keys),
    )
    if changes == KeyPolicyChanges():
        raise click.UsageError("name something to change")
    organization_id = at.organization(org)
    print_one(
        policies.update(at.desk, at.actor, changes, organization_id=organization_id), json_wanted
    )


def _asked(days: int | None) -> int | Unset | None:
    """An option that was not used changes nothing; 0 stands for ``never``."""
    return UNSET if days is None else days or None
