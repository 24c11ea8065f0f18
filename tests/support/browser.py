"""Debian's Chromium, driven by Playwright; what axe-core finds; and pictures for the documents."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.support.installation import ROOT

NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDE = {"width": 1280, "height": 860}
NARROW = {"width": 360, "height": 740}
SCREENSHOTS = ROOT / "docs" / "screenshots"
SEVERE = ("serious", "critical")


class BrowserMissing(Exception):
    """There is none on this machine; the message says what to install."""


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser without a window. Raises BrowserMissing."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        raise BrowserMissing(f"no browser: install one of {', '.join(NAMES)}")
    # Chromium refuses to build its sandbox as root; what it opens here is ours alone.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@contextmanager
def quiet_context(browser: Browser, url: str, **also: object) -> Iterator[BrowserContext]:
    """A browser's profile of its own. What its pages complain about, a failed script or something
    that the policy has blocked, is a failure."""
    complaints: list[str] = []
    context = browser.new_context(
        base_url=url, **{"viewport": WIDE, "reduced_motion": "reduce", "locale": "en-GB", **also}
    )
    context.set_default_timeout(10_000)

    def on_console(message: ConsoleMessage) -> None:
        # Refused forms are answered by 4xx, and Chromium says so.
        if message.type == "error" and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    context.on("console", on_console)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    yield context
    context.close()
    assert not complaints, complaints


def severe_findings(page: Page) -> list[str]:
    """What axe-core finds in a page that would keep somebody out, in lines."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['impact']}: {one['help']}: {node['html']}"
        for one in found
        if one["impact"] in SEVERE
        for node in one["nodes"]
    ]


def settled(page: Page) -> None:
    """Wait until fonts and pictures are there."""
    page.wait_for_load_state("networkidle")


def picture(page: Page, name: str, *, wanted: bool) -> None:
    """Write ``docs/screenshots/<name>-{light,dark,narrow}.png`` where pictures are asked for."""
    if not wanted:
        return
    SCREENSHOTS.mkdir(exist_ok=True)
    for kind, scheme, size in (
        ("light", "light", WIDE),
        ("dark", "dark", WIDE),
        ("narrow", "light", NARROW),
    ):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size(size)
        settled(page)
        page.screenshot(path=SCREENSHOTS / f"{name}-{kind}.png", full_page=kind == "narrow")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(WIDE)
