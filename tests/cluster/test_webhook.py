"""The webhook asked by a real API server, in quiet and while everything around it changes."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.apiserver import ApiServer, Refused
from tests.cluster.conftest import EXISTING, made_namespace
from tests.cluster.registered import (
    Load,
    Service,
    administrator,
    registered,
    webhook_account,
)
from tests.cluster.test_injected_pods import restricted
from tests.unit.kube.pods import order, pod
from tests.unit.webhook.objects import LABEL, resource
from tests.webhooks import SECONDS, Serving, Webhook, webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Json = dict[str, Any]


@dataclass(frozen=True)
class Cluster:
    """A namespace that the webhook is asked about, and what is needed around it."""

    server: ApiServer
    namespace: str
    serving: Serving
    directory: Path

    def pod(self, value: str | None = "demo", **metadata: object) -> Json:
        made = restricted(pod(), self.namespace)
        del made["metadata"]["name"]
        made["metadata"]["labels"] = {} if value is None else {LABEL: value}
        made["metadata"] |= {"generateName": "test-", **metadata}
        return made

    def validation(self, name: str = "demo", **spec: object) -> Json:
        return self.server.create(resource(name, self.namespace, **spec))  # type: ignore[arg-type]

    def admits(self, made: Json) -> bool:
        """Whether a pod is let in, by a dry run."""
        arguments = ("create", "--dry-run=server", "--filename=-")
        return not self.server.kubectl(*arguments, stdin=made, check=False).returncode

    def load(self, name: str = "load") -> Load:
        return Load(administrator(self.server, self.directory / name), self.pod())


@pytest.fixture(autouse=True)
def own_server() -> None:
    if EXISTING:
        pytest.skip("the webhook is a process of this machine, which that cluster cannot ask")


@pytest.fixture
def cluster(installed: ApiServer, namespace: str, tmp_path: Path) -> Cluster:
    return Cluster(installed, namespace, Serving.new(tmp_path), tmp_path)


@contextlib.contextmanager
def asked(cluster: Cluster) -> Iterator[Webhook]:
    """A webhook that the API server asks."""
    asking = webhook_account(cluster.server, cluster.directory / "webhook")
    with (
        webhook(asking, cluster.serving) as started,
        registered(cluster.server, cluster.serving, started.port, cluster.namespace),
    ):
        started.wait_until_ready()
        yield started


@pytest.fixture
def running(cluster: Cluster) -> Iterator[Webhook]:
    with asked(cluster) as started:
        yield started


@pytest.fixture
def restarting(
    restarting_server: tuple[ApiServer, Callable[[], None]], tmp_path: Path
) -> Iterator[tuple[Cluster, Callable[[], None]]]:
    """An API server of its own, and what restarts it."""
    server, restart = restarting_server
    for name in made_namespace(server, {}):
        yield Cluster(server, name, Serving.new(tmp_path), tmp_path), restart


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def until_more(load: Load) -> None:
    """Waits for some admissions from now on."""
    seen = load.admitted
    until(lambda: load.admitted > seen + 20)


def more_loaded(running: Webhook, before: int) -> bool:
    return running.count("certificate.loaded") > before


def test_a_labelled_pod_gets_the_verifier(cluster: Cluster, running: Webhook) -> None:
    cluster.validation()
    until(lambda: cluster.admits(cluster.pod()))
    taken = cluster.server.create(cluster.pod())
    assert order(taken) == ["model-validation"]
    line = running.lines("admission.decided")[-1]
    annotation = taken["metadata"]["annotations"]["validation.ml.sigstore.dev/policy"]
    assert (line["policies"], line["namespace"]) == (annotation, cluster.namespace)


@pytest.mark.usefixtures("running")
def test_a_pod_without_the_label_is_not_touched(cluster: Cluster) -> None:
    cluster.validation()
    taken = cluster.server.create(cluster.pod(None))
    assert "initContainers" not in taken["spec"] or not taken["spec"]["initContainers"]
    assert "annotations" not in taken["metadata"]


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("value", ["nobody", "True", "1"])
def test_a_label_that_names_nothing_is_refused_with_a_sentence(
    cluster: Cluster, value: str
) -> None:
    cluster.validation()
    with pytest.raises(Refused, match=f"='{value}' names no ModelValidation of ml.sigstore.dev"):
        cluster.server.create(cluster.pod(value))


@pytest.mark.usefixtures("running")
def test_a_label_put_on_later_is_refused(cluster: Cluster) -> None:
    cluster.validation()
    taken = cluster.server.create(cluster.pod(None))
    name = taken["metadata"]["name"]
    done = cluster.server.kubectl(
        "label", "pod", name, f"{LABEL}=demo", f"--namespace={cluster.namespace}", check=False
    )
    assert done.returncode
    assert "cannot be put on, changed or taken away on a running pod" in done.stderr


@pytest.mark.usefixtures("running")
def test_validations_come_and_go(cluster: Cluster) -> None:
    assert not cluster.admits(cluster.pod())
    cluster.validation()
    until(lambda: cluster.admits(cluster.pod()))
    cluster.server.kubectl(
        "delete", "modelvalidations.ml.sigstore.dev", "demo", f"--namespace={cluster.namespace}"
    )
    until(lambda: not cluster.admits(cluster.pod()))


@pytest.mark.usefixtures("running")
def test_one_that_is_not_valid_lets_nobody_in(cluster: Cluster) -> None:
    method = {
        "certificateIdentity": "a@example.com",
        "certificateOidcIssuer": "https://example.com",
    }
    trust = {"trustConfig": "{no JSON"}  # what no schema can say
    cluster.validation(config={"sigstoreConfig": method, "clientTrustConfig": trust})
    until(lambda: "is not valid" in _refusal(cluster, cluster.pod()))


@pytest.mark.usefixtures("running")
def test_a_dry_run_is_answered_like_a_run(cluster: Cluster) -> None:
    cluster.validation()
    until(lambda: cluster.admits(cluster.pod()))
    done = cluster.server.kubectl(
        "create", "--dry-run=server", "--output=json", "--filename=-", stdin=cluster.pod()
    )
    assert '"name": "model-validation"' in done.stdout


def _refusal(cluster: Cluster, made: Json) -> str:
    done = cluster.server.kubectl(
        "create", "--dry-run=server", "--filename=-", stdin=made, check=False
    )
    return done.stderr


def test_a_new_certificate_under_load_fails_no_request(cluster: Cluster, running: Webhook) -> None:
    cluster.validation()
    until(lambda: cluster.admits(cluster.pod()))
    load = cluster.load()
    with load.running():
        for number in range(3):
            until_more(load)
            before = running.count("certificate.loaded")
            cluster.serving.rotate(f"rotated-{number}")
            running.wait(partial(more_loaded, running, before))
        until_more(load)
    assert (load.failures, load.bare) == ([], 0)


def test_sigterm_under_load_with_two_replicas_loses_no_request(cluster: Cluster) -> None:
    cluster.validation()
    asking = webhook_account(cluster.server, cluster.directory / "webhook")
    load = cluster.load()
    with (
        webhook(asking, cluster.serving, MODEL_VERIFY_DRAIN_SECONDS="3") as one,
        webhook(asking, cluster.serving) as other,
    ):
        for each in (one, other):
            each.wait_until_ready()
        service = Service(one, other)
        with (
            service.running(),
            registered(cluster.server, cluster.serving, service.port, cluster.namespace),
        ):
            until(lambda: cluster.admits(cluster.pod()))
            with load.running(8):
                until(lambda: one.count("admission.decided") > 20)
                until(lambda: other.count("admission.decided") > 20)
                assert one.terminate() == 0
                until_more(load)
    assert (load.failures, load.bare) == ([], 0)


def test_an_api_server_that_is_restarted_under_load_finds_the_webhook_as_it_left_it(
    restarting: tuple[Cluster, Callable[[], None]],
) -> None:
    cluster, restart = restarting
    cluster.validation()
    load = cluster.load()
    with asked(cluster) as running:
        until(lambda: cluster.admits(cluster.pod()))
        with load.running():
            until_more(load)
            restart()
            until_more(load)
            # What happens from now on is seen too.
            assert not cluster.admits(cluster.pod("later"))
            cluster.validation("later")
            until(lambda: cluster.admits(cluster.pod("later")))
        assert running.count("watch.lost")
        assert not running.lines("fault")
    assert load.bare == 0
    # While it was away nobody was asked; the webhook itself failed none.
    assert not [each for each in load.failures if "webhook" in each], load.failures
