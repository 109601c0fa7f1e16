"""How the process starts, takes over certificates, and ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakeapi import NAMESPACES, OWN, VALIDATIONS, FakeApi
from tests.unit.webhook.objects import labelled, namespace, resource, review
from tests.webhooks import IMAGE, JSON, SCRIPT, SECONDS, Serving, environment, exchange, webhook
from verifier_cli.apiserver.account import Account

if TYPE_CHECKING:
    from pathlib import Path

    from tests.webhooks import Webhook

Json = dict[str, Any]

MUTATE = "/mutate-v1-pod"
NAMED = "validation.ml.sigstore.dev/verifier-image"
REVIEW = json.dumps(review(labelled())).encode()


@pytest.fixture
def serving(tmp_path: Path) -> Serving:
    directory = tmp_path / "serving"
    directory.mkdir()
    return Serving.new(directory)


@pytest.fixture
def filled(fake: FakeApi, account: Account) -> Account:
    fake.put(NAMESPACES, namespace())
    fake.put(VALIDATIONS, resource())
    return account


def test_before_it_is_synced_it_lives_and_lets_nobody_in(
    fake: FakeApi, filled: Account, serving: Serving
) -> None:
    fake.statuses[VALIDATIONS] = 404
    with webhook(filled, serving) as running:
        assert running.ask("GET", "/healthz").status == 200
        reply = running.ask("GET", "/readyz")
        assert reply.status == 503
        assert reply.body.endswith(b" are not listed yet")
        for value in ("demo", None):
            response = running.review(review(labelled(value)))
            assert (response["allowed"], response["status"]["code"]) == (False, 503)
        del fake.statuses[VALIDATIONS]
        running.wait_until_ready()
        assert running.review(review(labelled()))["patch"]


def test_the_image_is_that_of_its_namespace(
    fake: FakeApi, filled: Account, serving: Serving
) -> None:
    other = f"registry.example.com/verifier@sha256:{'7' * 64}"
    with webhook(filled, serving, MODEL_VERIFY_IMAGE="") as running:
        running.wait(lambda: len(running.lines("watch.synced")) == 4)
        reply = running.ask("GET", "/readyz")
        assert (reply.status, reply.body.decode()) == (
            503,
            f"no verifier image is named by {NAMED}",
        )
        assert running.review(review(labelled()))["status"]["code"] == 503
        for image in (IMAGE, other):
            fake.put(NAMESPACES, named(image))
            running.wait(lambda image=image: injected(running) == image)
        assert running.ask("GET", "/readyz").status == 200
        fake.put(NAMESPACES, namespace(OWN))
        running.wait(lambda: running.lines("image.refused"))
        assert injected(running) == other


def named(image: str) -> Json:
    """The webhook's own namespace."""
    metadata = {"name": OWN, "annotations": {NAMED: image}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def injected(running: Webhook) -> str | None:
    """The image of the verifier that a pod gets; None while none does."""
    operations = running.review(review(labelled())).get("patch")
    for each in json.loads(b64decode(operations or b64encode(b"[]"))):
        if each["path"] == "/spec/initContainers":
            image: str = each["value"][0]["image"]
            return image
    return None


def test_a_new_certificate_is_served_while_it_runs(filled: Account, serving: Serving) -> None:
    with webhook(filled, serving) as running:
        running.wait_until_ready()
        with contextlib.closing(running.connect()) as kept:
            assert exchange(kept, "POST", MUTATE, REVIEW, **JSON).status == 200
            pair = serving.rotate("second")
            running.wait(lambda: len(running.lines("certificate.loaded")) == 2)
            # The connection that was there goes on, and a new one gets the new certificate.
            assert exchange(kept, "POST", MUTATE, REVIEW, **JSON).status == 200
        with contextlib.closing(running.connect()) as new:
            new.connect()
            shown = new.sock.getpeercert(binary_form=True)
        assert shown == ssl.PEM_cert_to_DER_cert(pair.certificate.read_text(encoding="ascii"))
        serving.put("broken", b"", b"")
        failures = "model_verify_certificate_reload_failures_total"
        running.wait(lambda: running.metrics()[failures] == 1)
        assert running.review(review(labelled()))["patch"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_0(filled: Account, serving: Serving, number: signal.Signals) -> None:
    with webhook(filled, serving) as running:
        running.wait_until_ready()
        running.process.send_signal(number)
        assert running.process.wait(SECONDS) == 0
        assert [line["event"] for line in running.lines()][-2:] == [
            "webhook.stopping",
            "webhook.stopped",
        ]


def test_while_it_drains_it_answers_and_gives_connections_back(
    filled: Account, serving: Serving
) -> None:
    with webhook(filled, serving, MODEL_VERIFY_DRAIN_SECONDS="4") as running:
        running.wait_until_ready()
        with contextlib.closing(running.connect()) as kept:
            assert exchange(kept, "POST", MUTATE, REVIEW, **JSON).status == 200
            running.process.send_signal(signal.SIGTERM)
            running.wait(lambda: running.lines("webhook.stopping"))
            ready = running.ask("GET", "/readyz")
            assert (ready.status, ready.body) == (503, b"the webhook is stopping")
            assert running.ask("GET", "/healthz").status == 200
            reply = exchange(kept, "POST", MUTATE, REVIEW, **JSON)
            assert (reply.status, reply.headers["connection"]) == (200, "close")
        time.sleep(0.5)  # longer than uvicorn takes to obey a signal by itself
        assert running.metrics()
        assert running.review(review(labelled()))["patch"]
        assert running.process.wait(SECONDS) == 0


def test_a_request_under_way_is_answered_at_the_end(filled: Account, serving: Serving) -> None:
    with webhook(filled, serving) as running:
        running.wait_until_ready()
        with contextlib.closing(running.connect()) as connection:
            connection.putrequest("POST", MUTATE)
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", str(len(REVIEW)))
            connection.endheaders()
            connection.send(REVIEW[:50])
            running.ask("GET", "/healthz")  # so the first half has arrived
            running.process.send_signal(signal.SIGTERM)
            running.wait(lambda: not listens(running.port))
            connection.send(REVIEW[50:])
            answer = connection.getresponse()
            assert (answer.status, answer.getheader("Connection")) == (200, "close")
            assert b'"allowed":true' in answer.read()
        assert running.process.wait(SECONDS) == 0


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=SECONDS).close()
    except ConnectionRefusedError:
        return False
    return True


def test_sigterm_under_load_loses_nothing(filled: Account, serving: Serving) -> None:
    """Clients go on with the other replica once a connection is given back, as a service does."""
    answered: list[int] = []
    ending = threading.Event()
    with (
        webhook(filled, serving, MODEL_VERIFY_DRAIN_SECONDS="2") as one,
        webhook(filled, serving) as other,
    ):
        for each in (one, other):
            each.wait_until_ready()

        def load() -> None:
            running, count = one, 0
            connection = running.connect()
            while not ending.is_set() or count < 50:
                reply = exchange(connection, "POST", MUTATE, REVIEW, **JSON)
                assert reply.response["patch"]
                count += 1
                if reply.headers.get("connection") == "close":
                    connection.close()
                    connection = other.connect()
            connection.close()
            answered.append(count)

        clients = [threading.Thread(target=load) for _ in range(8)]
        for client in clients:
            client.start()
        one.wait(lambda: one.count("admission.decided") > 100)
        assert one.terminate() == 0
        ending.set()
        for client in clients:
            client.join()
        # A client that failed did not say how many it had.
        assert len(answered) == len(clients)
        first, second = (each.count("admission.decided") for each in (one, other))
        assert first + second == sum(answered)
        assert second


@pytest.mark.slow
def test_whoever_does_not_finish_a_request_is_left(filled: Account, serving: Serving) -> None:
    """Ten seconds for a request to arrive whole; a connection without one may wait."""
    with webhook(filled, serving) as running:
        running.wait_until_ready()
        context = serving.trusting()
        starts = (b"POST /mutate-v1-pod HTTP/1.1\r\nHost:", _header() + REVIEW[:50])
        with contextlib.closing(running.connect()) as silent, contextlib.ExitStack() as opened:
            silent.connect()
            connections = []
            for start in starts:
                plain = socket.create_connection(("127.0.0.1", running.port), timeout=SECONDS)
                tls = context.wrap_socket(plain, server_hostname="127.0.0.1")
                connections.append(opened.enter_context(tls))
                tls.sendall(start)
            for tls in connections:
                with contextlib.suppress(ConnectionResetError, ssl.SSLEOFError):
                    assert tls.recv(100) == b""
            assert exchange(silent, "POST", MUTATE, REVIEW, **JSON).status == 200
        assert not running.lines("fault")


def _header() -> bytes:
    start = f"POST {MUTATE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return f"{start}Content-Length: {len(REVIEW)}\r\n\r\n".encode()


def ended(account: Account, serving: Serving, **more: str) -> tuple[int, str]:
    """How it ends that cannot start, and what it says."""
    done = subprocess.run(
        [SCRIPT],
        env={**os.environ, **environment(account, serving, **more)},
        stderr=subprocess.PIPE,
        check=False,
        timeout=SECONDS,
    )
    return done.returncode, done.stderr.decode()


def taken() -> socket.socket:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    return listening


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"MODEL_VERIFY_IMAGE": "verifier:dev"}, "MODEL_VERIFY_IMAGE: the verifier image"),
        ({"MODEL_VERIFY_PORT": "x"}, "MODEL_VERIFY_PORT is 'x'"),
        ({"KUBERNETES_SERVICE_HOST": ""}, "KUBERNETES_SERVICE_HOST and"),
        ({"MODEL_VERIFY_TLS_DIRECTORY": "/nowhere"}, "/nowhere/tls.crt: No such file"),
        ({"MODEL_VERIFY_SERVICE_ACCOUNT": "/nowhere"}, "'/nowhere/ca.crt'"),
        ({"MODEL_VERIFY_BIND": "256.0.0.1"}, "error: "),
    ],
)
def test_what_keeps_it_from_starting_is_one_sentence(
    tmp_path: Path, serving: Serving, more: dict[str, str], sentence: str
) -> None:
    (tmp_path / "token").write_text("t", encoding="ascii")
    ca = serving.authority.certificate.read_bytes()
    (tmp_path / "ca.crt").write_bytes(ca)
    (tmp_path / "namespace").write_text(OWN)
    code, text = ended(Account("https://127.0.0.1:1", tmp_path), serving, **more)
    assert code == 2
    (line,) = [each for each in text.splitlines() if not each.startswith("{")]
    assert line.startswith("error: ")
    assert sentence in line


def test_a_port_that_is_taken(account: Account, serving: Serving) -> None:
    with taken() as listening:
        port = str(listening.getsockname()[1])
        code, text = ended(account, serving, MODEL_VERIFY_PORT=port)
    assert code == 2
    assert "Address already in use" in text.splitlines()[-1]
