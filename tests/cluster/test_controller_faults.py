"""What the controller makes good after it, its lease or the API server failed; nothing is lost."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.apiserver import Refused
from tests.cluster.conftest import made_namespace
from tests.cluster.installed import (
    NAMESPACE,
    Program,
    apply,
    controller,
    eventually,
    manifests,
)
from tests.cluster.test_controller import (
    OURS,
    SPEC,
    THEIRS,
    change,
    configmaps,
    look,
    ready,
    validation,
)
from verifier_cli.config import manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cluster.apiserver import ApiServer

Json = dict[str, Any]

LEASE = ("lease", NAMESPACE, f"--namespace={NAMESPACE}")
ROLE = ("clusterrole", "model-validation-controller")


@pytest.fixture(autouse=True)
def nobody_leads(request: pytest.FixtureRequest) -> None:
    """Whoever led before has ended, and may have been killed."""
    if "installed" in request.fixturenames:
        request.getfixturevalue("installed").kubectl("delete", *LEASE, "--ignore-not-found")


def told(program: Program, event: str) -> list[Json]:
    return [each for each in program.events() if each["event"] == event]


def leads(program: Program, times: int = 1) -> None:
    eventually(lambda: len(told(program, "leader.elected")) == times)


def killed(program: Program) -> None:
    """Ends it as the kernel does, without a word."""
    program.process.kill()
    program.process.wait()


@contextlib.contextmanager
def no_right_to_status(server: ApiServer) -> Iterator[None]:
    """The controller may do everything but write what it did."""
    before = server.get(*ROLE)["rules"]
    rules = [each for each in before if not any("status" in name for name in each["resources"])]
    try:
        _set(server, rules)
        yield
    finally:
        _set(server, before)


def _set(server: ApiServer, rules: list[Json]) -> None:
    server.kubectl("patch", *ROLE, "--type=merge", f"--patch={json.dumps({'rules': rules})}")


def test_killed_between_configmap_and_status(
    installed: ApiServer, namespace: str, tmp_path: Path
) -> None:
    with controller(installed, tmp_path, "a") as first:
        leads(first)
        with no_right_to_status(installed):
            made = installed.create(validation(SPEC, namespace))
            ((name, before),) = eventually(lambda: configmaps(installed, namespace)).items()
            eventually(lambda: told(first, "reconcile.failed"))
            killed(first)
        assert "status" not in look(installed, made)
    with controller(installed, tmp_path, "b"):
        found = ready(installed, made)
    assert found["status"]["configMap"] == name
    assert found["status"]["policySha256"] == manifest.decode(made, "").policy.sha256
    after = configmaps(installed, namespace)
    assert list(after) == [name]
    assert after[name]["metadata"]["uid"] == before["metadata"]["uid"]


def test_what_happens_while_nobody_leads_is_not_lost(
    installed: ApiServer, namespace: str, tmp_path: Path
) -> None:
    with controller(installed, tmp_path, "a") as first:
        leads(first)
        changed, gone, spoilt = (installed.create(validation(SPEC, namespace)) for _ in range(3))
        names = [ready(installed, each)["status"]["configMap"] for each in (changed, gone, spoilt)]
        with controller(installed, tmp_path, "b") as second:
            eventually(lambda: installed.get(*LEASE)["spec"]["holderIdentity"] == "a")
            killed(first)
            change(installed, changed, {"mode": "warn"})
            made = [installed.create(validation(SPEC, namespace)) for _ in range(3)]
            where = f"--namespace={namespace}"
            installed.kubectl("delete", "modelvalidation", gone["metadata"]["name"], where)
            installed.kubectl("delete", "configmap", names[2], where)
            assert not told(second, "leader.elected")
            leads(second)
            for each in (*made, changed):
                ready(installed, each)
            ready(installed, spoilt)
            # Without a garbage collector, the ConfigMap of the validation that is gone stays.
            wanted = {look(installed, each)["status"]["configMap"] for each in (*made, changed)}
            eventually(
                lambda: set(configmaps(installed, namespace)) == {*wanted, names[1], names[2]}
            )
            assert look(installed, changed)["status"]["lastGood"]["spec"]["mode"] == "warn"
            assert not told(second, "fault")


def test_it_ends_at_once_and_gives_its_lease_up(installed: ApiServer, tmp_path: Path) -> None:
    with controller(installed, tmp_path) as program:
        leads(program)
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(timeout=15) == 0
    assert installed.get(*LEASE)["spec"].get("holderIdentity", "") == ""


def test_a_lost_lease_is_waited_for_in_the_same_process(
    installed: ApiServer, namespace: str, tmp_path: Path
) -> None:
    with controller(installed, tmp_path, "a") as program:
        leads(program)
        spec = {
            "holderIdentity": "somebody",
            "leaseDurationSeconds": 5,
            "renewTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        }
        patch = json.dumps({"spec": spec})
        installed.kubectl("patch", *LEASE, "--type=merge", f"--patch={patch}")
        eventually(lambda: told(program, "leader.lost"))
        made = installed.create(validation(SPEC, namespace))
        leads(program, 2)
        ready(installed, made)
        # What is watched the second time is seen as the first time.
        change(installed, made, {"mode": "warn"})
        ready(installed, made)
        program.process.terminate()
        assert program.process.wait(timeout=20) == 0
        assert not told(program, "fault")
    assert installed.get(*LEASE)["spec"].get("holderIdentity", "") == ""


def test_a_configmap_that_was_rewritten_is_put_right_and_told_of(
    installed: ApiServer, namespace: str, tmp_path: Path
) -> None:
    """Immutable, but whoever may delete it can put another in its place."""
    with controller(installed, tmp_path, "a") as program:
        made = installed.create(validation(SPEC, namespace))
        name = ready(installed, made)["status"]["configMap"]
        good = configmaps(installed, namespace)[name]
        forged = {**good, "data": {"policy.json": "{}"}}
        forged["metadata"] = {k: good["metadata"][k] for k in ("name", "namespace", "labels")}
        forged["metadata"]["ownerReferences"] = good["metadata"]["ownerReferences"]
        # It would be faster than any administrator.
        program.process.send_signal(signal.SIGSTOP)
        installed.kubectl("delete", "configmap", name, f"--namespace={namespace}")
        installed.create(forged)
        program.process.send_signal(signal.SIGCONT)

        def right() -> bool:
            found = configmaps(installed, namespace)[name]
            assert found["metadata"]["uid"] != good["metadata"]["uid"]
            return bool(found["data"] == good["data"])

        eventually(right)
        said = eventually(lambda: told(program, "policy.restored"))[-1]
        assert (said["namespace"], said["validation"]) == (namespace, made["metadata"]["name"])
        assert name in said["msg"]


@pytest.fixture
def restarting(
    restarting_server: tuple[ApiServer, Callable[[], None]],
) -> Iterator[tuple[ApiServer, str, Callable[[], None]]]:
    """An API server of its own with a namespace, and what restarts it."""
    server, restart = restarting_server
    for name in made_namespace(server, {}):
        yield server, name, restart


def test_an_api_server_that_is_restarted_while_validations_are_made(
    restarting: tuple[ApiServer, str, Callable[[], None]], tmp_path: Path
) -> None:
    server, namespace, restart = restarting
    made: list[Json] = []
    enough = threading.Event()

    def make() -> None:
        while not enough.is_set():
            # While it is away nobody can make one.
            with contextlib.suppress(Refused):
                made.append(server.create(validation(SPEC, namespace)))

    with controller(server, tmp_path) as program:
        leads(program)
        maker = threading.Thread(target=make)
        maker.start()
        try:
            eventually(lambda: len(made) > 3)
            restart()
            before = len(made)
            eventually(lambda: len(made) > before + 3)
        finally:
            enough.set()
            maker.join()
        for each in made:
            ready(server, each)
        names = {look(server, each)["status"]["configMap"] for each in made}
        assert set(configmaps(server, namespace)) == names
        assert program.process.poll() is None
        assert not told(program, "fault")


def resumed(program: Program, times: int) -> bool:
    return len(told(program, "watch.resumed")) == times


def definition(server: ApiServer, group: str) -> Json:
    (found,) = [
        each
        for each in manifests(server)
        if each["metadata"]["name"] == f"modelvalidations.{group}"
    ]
    return found


def test_definitions_that_come_late_or_are_made_anew(
    restarting: tuple[ApiServer, str, Callable[[], None]], tmp_path: Path
) -> None:
    """Listed only once an hour, validations can be told of by watches alone."""
    server, namespace, _ = restarting
    late, anew = (definition(server, group) for group in (THEIRS, OURS))
    server.delete("customresourcedefinition", late["metadata"]["name"])
    with controller(server, tmp_path, resync=3600) as program:
        leads(program)
        ready(server, server.create(validation(SPEC, namespace)))
        assert [each["resource"] for each in told(program, "watch.lost")] == [
            late["metadata"]["name"]
        ]
        for times, each in enumerate((late, anew), start=1):
            if each is anew:
                server.delete("customresourcedefinition", each["metadata"]["name"])
                eventually(lambda: told(program, "watch.lost")[1:])
            apply(server, [each])
            eventually(partial(resumed, program, times), seconds=60)
            # The first may have been listed, the second was not.
            for _ in range(2):
                made = server.create(validation(SPEC, namespace, group=each["spec"]["group"]))
                ready(server, made)
        assert program.process.poll() is None
        assert not told(program, "fault")
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(timeout=20) == 0
