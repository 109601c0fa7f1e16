"""Prometheus' own checks of the rules, by promtool."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from images.tools import UnavailableError
from tests import gotools
from tests.monitoring.test_artefacts import MONITORING, dashboard

pytestmark = pytest.mark.monitoring

HERE = Path(__file__).parent
# Of the many services that Prometheus can find targets by, rules need none.
TAGS = "remove_all_sd"


@pytest.fixture(scope="module")
def promtool() -> Path:
    try:
        return gotools.built(HERE / "tools", "monitoring", tags=TAGS, flags="-s -w") / "promtool"
    except UnavailableError as error:
        pytest.skip(f"no promtool: {error}")


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """What is in the PrometheusRule, as a rule file."""
    found = yaml.safe_load((MONITORING / "rules.yaml").read_text(encoding="utf-8"))
    path = tmp_path / "rules.yaml"
    path.write_text(json.dumps(found["spec"]), encoding="utf-8")
    return path


def run(*command: str | Path, cwd: Path) -> None:
    ran = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_rules_are_sound(promtool: Path, rules: Path) -> None:
    run(promtool, "check", "rules", "--lint=all", "--lint-fatal", rules, cwd=rules.parent)


def test_each_alert_fires_on_what_it_is_for_and_on_nothing_else(
    promtool: Path, rules: Path
) -> None:
    shutil.copy(HERE / "rules_test.yaml", rules.parent)
    run(promtool, "test", "rules", "rules_test.yaml", cwd=rules.parent)


def test_the_expressions_of_the_dashboard_are_sound(promtool: Path, tmp_path: Path) -> None:
    recorded = [
        {"record": f"panel:{panel['id']}:{target['refId']}", "expr": target["expr"]}
        for panel in dashboard()["panels"]
        for target in panel["targets"]
    ]
    # Grafana puts the time shown there.
    text = json.dumps({"groups": [{"name": "dashboard", "rules": recorded}]})
    path = tmp_path / "dashboard.yaml"
    path.write_text(text.replace("$__range", "6h"), encoding="utf-8")
    run(promtool, "check", "rules", path, cwd=tmp_path)
