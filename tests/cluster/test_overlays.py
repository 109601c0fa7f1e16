"""What the overlays make of the manifests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.installed import NAMESPACE, manifests

if TYPE_CHECKING:
    from tests.cluster.apiserver import ApiServer

Json = dict[str, Any]

KEEPERS = {"secrets", "mutatingwebhookconfigurations"}


def rights(objects: list[Json]) -> set[str]:
    """The resources that the controller may do anything to."""
    roles = [each for each in objects if each["kind"] in ("Role", "ClusterRole")]
    of_controller = [each for each in roles if each["metadata"]["name"] == NAMESPACE]
    assert len(of_controller) == 2
    return {name for each in of_controller for rule in each["rules"] for name in rule["resources"]}


@pytest.mark.parametrize("overlay", ["cert-manager", "openshift"])
def test_who_keeps_no_certificates_may_not(server: ApiServer, overlay: str) -> None:
    ours, theirs = (rights(manifests(server, each)) for each in ("base", f"overlays/{overlay}"))
    assert ours - theirs == KEEPERS
    assert theirs <= ours
