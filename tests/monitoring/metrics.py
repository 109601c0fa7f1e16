"""Which metrics there are, by the names and labels that Prometheus sees."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client.metrics import MetricWrapperBase

from tests.unit.webhook.test_metrics import shown
from verifier_cli.controller import metrics as controller
from verifier_cli.kube.verdicts import STATES

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}


class Metric(NamedTuple):
    """One that a part of the product exports, by its name without suffix."""

    name: str
    type: str
    labels: frozenset[str]


# What Prometheus and the API server export: k8s.io/apiserver/pkg/admission/metrics.
OTHERS: dict[str, set[str]] = {
    "up": {"job", "namespace"},
    "apiserver_admission_webhook_rejection_count": {"name", "error_type"},
    "apiserver_admission_webhook_fail_open_count": {"name"},
}
# The values that a label of a metric can have, for those that the rules select by.
VALUES: dict[tuple[str, str], set[str]] = {
    ("model_verify_verdicts_total", "verdict"): set(STATES),
    ("model_verify_policies", "state"): {"rendered", "invalid"},
    ("model_verify_validations", "state"): {"in-force", "unready"},
    ("model_verify_admissions_total", "decision"): {"admitted", "denied", "error", "malformed"},
    ("model_verify_admissions_total", "injected"): {"true", "false"},
}


def of_controller() -> Iterator[Metric]:
    """Those of the controller, from its code."""
    for each in vars(controller).values():
        if isinstance(each, MetricWrapperBase):
            for family in each.describe():
                yield Metric(family.name, family.type, frozenset(each._labelnames))


def of_webhook() -> Iterator[Metric]:
    """Those of the webhook, as it shows them."""
    with tempfile.TemporaryDirectory() as directory:
        for name, (kind, labels) in shown(Path(directory)).items():
            yield Metric(name.removesuffix("_total"), kind, frozenset(labels))


def exported() -> dict[str, set[str]]:
    """The labels of every series that the product exports, by name."""
    found: dict[str, set[str]] = {}
    for metric in (*of_controller(), *of_webhook()):
        for suffix in SUFFIXES[metric.type]:
            bucket = {"le"} if suffix == "_bucket" else set()
            found.setdefault(metric.name + suffix, set()).update(metric.labels | bucket)
    return found
