"""docs/reference/metrics.md says what there is."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from tests.docs.blocks import ROOT
from tests.webhooks import Serving
from verifier_cli.apiserver.account import Account
from verifier_cli.apiserver.client import Api
from verifier_cli.host.logs import Log
from verifier_cli.webhook.cluster import Cluster
from verifier_cli.webhook.metrics import Metrics
from verifier_cli.webhook.store import Namespaces
from verifier_cli.webhook.tls import Certificate

if TYPE_CHECKING:
    from pathlib import Path

ROW = re.compile(r"^\| `(model_verify_\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)


def shown(directory: Path) -> dict[str, tuple[str, set[str]]]:
    """Type and labels of every metric, by its name as a query has it."""
    log = Log(io.StringIO())
    cluster = Cluster(Api(Account("https://127.0.0.1:1", directory)), Namespaces(), log)
    metrics = Metrics()
    certificate = Certificate(Serving.new(directory).directory, log)
    metrics.show(cluster.store, cluster.watches, certificate)
    metrics.count("denied", 0.001)
    found = {}
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[name] = (family.type, labels)
    return found


def test_the_table_is_what_there_is(tmp_path: Path) -> None:
    page = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")
    table = {
        name: (kind, set(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in ROW.findall(page)
    }
    made = {name: each for name, each in shown(tmp_path).items() if not name.endswith("_created")}
    assert table == made


def test_every_resource_that_is_watched_is_shown(tmp_path: Path) -> None:
    log = Log(io.StringIO())
    cluster = Cluster(Api(Account("https://127.0.0.1:1", tmp_path)), Namespaces(), log)
    assert {(each.collection.resource, each.collection.path) for each in cluster.watches} == {
        ("namespaces", "/api/v1/namespaces"),
        (
            "modelvalidations.ml.sigstore.dev",
            "/apis/ml.sigstore.dev/v1alpha1/modelvalidations",
        ),
        (
            "clustermodelvalidations.ml.sigstore.dev",
            "/apis/ml.sigstore.dev/v1alpha1/clustermodelvalidations",
        ),
        (
            "modelvalidations.rhtas.redhat.com",
            "/apis/rhtas.redhat.com/v1alpha1/modelvalidations",
        ),
    }
    assert cluster.fault() == "namespaces are not listed yet"
