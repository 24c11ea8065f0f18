"""The dashboard, the alert rules and their page name what exists, and all of it."""

import json
import re

import pytest
import yaml

from app.observe import metrics
from tests.support.installation import ROOT

DIRECTORY = ROOT / "deploy" / "observability"
PAGE = (ROOT / "docs" / "observability.md").read_text()
DASHBOARD = json.loads((DIRECTORY / "grafana-dashboard.json").read_text())
RULES = [
    rule
    for group in yaml.safe_load((DIRECTORY / "alert-rules.yaml").read_text())["groups"]
    for rule in group["rules"]
]
SHOWN = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
ASKED = [
    *SHOWN,
    *(rule["expr"] for rule in RULES),
    *(one["query"]["query"] for one in DASHBOARD["templating"]["list"][1:]),
    *(one["expr"] for one in DASHBOARD["annotations"]["list"]),
]
KNOWN = {series: metric for metric in metrics.ALL for series in metric.series}
OF_PROMETHEUS = {"job", "instance", "le", "version"}


@pytest.mark.parametrize("expression", ASKED)
def test_what_is_asked_for_exists(expression):
    named = re.findall(r"\b(keyturn_\w+)(?:\{([^}]*)\})?", expression)
    assert named
    for series, selector in named:
        labels = dict(KNOWN[series].labels)
        for label, values in re.findall(r'(\w+)=~?"([^"]*)"', selector):
            if label not in OF_PROMETHEUS:
                assert set(values.split("|")) <= set(labels[label]), expression
    for label in re.findall(r"\bby \(([^)]*)\)", expression):
        of_any = {name for series, _ in named for name in KNOWN[series].label_names}
        assert set(label.split(", ")) <= of_any | OF_PROMETHEUS


def test_everything_that_is_measured_is_shown():
    missing = [metric.name for metric in metrics.ALL if metric.name not in "".join(SHOWN)]
    assert missing == []


def test_panels_are_apart_and_have_a_source():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        area = {
            (at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])
        }  # in squares
        assert at["x"] + at["w"] <= 24
        assert not area & taken, panel["title"]
        taken |= area
        names = [target["refId"] for target in panel.get("targets", ())]
        assert len(names) == len(set(names)), panel["title"]
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == "${datasource}"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_what_to_do(rule):
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert set(rule["annotations"]) == {"summary", "description"}
    assert re.search(rf"^\| `{rule['alert']}` \| .+ \|$", PAGE, re.MULTILINE)


def test_no_alert_is_described_that_does_not_exist():
    described = re.findall(r"^\| `(Keyturn\w+)` \|", PAGE, re.MULTILINE)
    assert described == [rule["alert"] for rule in RULES]


def test_the_page_lists_the_metrics_of_the_code():
    assert metrics.table() in PAGE
    assert metrics.reasons() in PAGE
