"""Rules, dashboard and their page speak of what there is, and of the same."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.monitoring.metrics import OTHERS, VALUES, exported

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "manifests" / "monitoring"
PAGE = "docs/monitoring.md"
SELECTOR = re.compile(r"\b(model_verify_\w+|apiserver_\w+|up(?=\{))(?:\{([^}]*)\})?")
LABEL = re.compile(r"(\w+)\s*(=~|!~|!=|=)\s*\"([^\"]*)\"")


def objects(path: Path) -> list[Json]:
    return [*yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def rules() -> list[Json]:
    (found,) = objects(MONITORING / "rules.yaml")
    return [rule for group in found["spec"]["groups"] for rule in group["rules"]]


def dashboard() -> Json:
    found: Json = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
    return found


def expressions() -> Iterator[str]:
    for rule in rules():
        yield rule["expr"]
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def base(name: str) -> list[Json]:
    return objects(ROOT / "manifests" / "base" / name)


@pytest.mark.parametrize("expression", [*expressions()])
def test_every_metric_exists_with_the_labels_that_select_it(expression: str) -> None:
    known = exported() | OTHERS
    selectors = SELECTOR.findall(expression)
    assert selectors
    for name, labels in selectors:
        assert name in known
        for label, operator, value in LABEL.findall(labels):
            assert label in known[name], name
            if operator == "=" and name.startswith("model_verify_"):
                assert value in VALUES[name, label], name


def test_the_dashboard_shows_our_metrics_only() -> None:
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            names = {name for name, _ in SELECTOR.findall(target["expr"])}
            assert names <= exported().keys(), panel["title"]


def test_every_alert_has_its_section_and_every_section_its_alert() -> None:
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    sections = re.findall(r"^### (ModelVerify\w+)$", page, re.MULTILINE)
    assert len(sections) == len(set(sections))
    assert set(sections) == {rule["alert"] for rule in rules()}


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_how_grave_it_is_and_where_to_read_on(rule: Json) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    assert rule["annotations"]["runbook"] == f"{PAGE}#{rule['alert'].lower()}"


def test_every_alert_is_seen_firing_by_promtool() -> None:
    text = Path(__file__).with_name("rules_test.yaml").read_text(encoding="utf-8")
    firing = set()
    for group in yaml.safe_load(text)["tests"]:
        for test in group["promql_expr_test"]:
            for sample in test.get("exp_samples", []):
                labels = {label: value for label, _, value in LABEL.findall(sample["labels"])}
                firing.add((labels["alertname"], labels["severity"]))
    assert firing == {(rule["alert"], rule["labels"]["severity"]) for rule in rules()}


def test_the_rules_know_every_entry_of_the_webhook() -> None:
    (configuration,) = (
        each for each in base("webhook.yaml") if each["kind"] == "MutatingWebhookConfiguration"
    )
    patterns = {
        value
        for rule in rules()
        for _, labels in SELECTOR.findall(rule["expr"])
        for label, operator, value in LABEL.findall(labels)
        if (label, operator) == ("name", "=~")
    }
    (pattern,) = patterns
    assert configuration["webhooks"]
    for entry in configuration["webhooks"]:
        assert re.fullmatch(pattern, entry["name"])


def test_each_service_of_the_base_is_scraped_at_its_metrics_port() -> None:
    services = {
        each["metadata"]["name"]: each
        for name in ("webhook.yaml", "controller.yaml")
        for each in base(name)
        if each["kind"] == "Service"
    }
    monitors = {each["metadata"]["name"]: each for each in objects(MONITORING / "scrape.yaml")}
    assert monitors.keys() == services.keys()
    for name, service in services.items():
        wanted = monitors[name]["spec"]["selector"]["matchLabels"]
        assert wanted.items() <= service["metadata"]["labels"].items()
        (endpoint,) = monitors[name]["spec"]["endpoints"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
        assert monitors[name]["metadata"]["namespace"] == service["metadata"]["namespace"]


def test_the_alert_about_an_absent_webhook_looks_at_what_is_scraped() -> None:
    selected = {
        label: value
        for rule in rules()
        for name, labels in SELECTOR.findall(rule["expr"])
        for label, _, value in LABEL.findall(labels)
        if name == "up"
    }
    monitor = objects(MONITORING / "scrape.yaml")[0]["metadata"]
    assert selected == {"job": monitor["name"], "namespace": monitor["namespace"]}


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = dashboard()["panels"]
    assert panels
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= 24
    for one, other in itertools.combinations(panels, 2):
        assert not _overlap(one["gridPos"], other["gridPos"]), (one["title"], other["title"])


def _overlap(one: Json, other: Json) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not beside and not above


def test_panels_ask_the_data_source_that_the_reader_picks() -> None:
    found = dashboard()
    assert [each["name"] for each in found["templating"]["list"]] == ["datasource"]
    for panel in found["panels"]:
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
