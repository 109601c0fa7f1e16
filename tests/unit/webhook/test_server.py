"""The real server as a process of its own, asked over real TLS on loopback."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
from typing import TYPE_CHECKING

import pytest

from tests.fakeapi import NAMESPACES, VALIDATIONS, FakeApi
from tests.unit.webhook.objects import labelled, namespace, resource, review
from tests.webhooks import JSON, Reply, Serving, Webhook, exchange, webhook

if TYPE_CHECKING:
    from collections.abc import Iterator

MUTATE = "/mutate-v1-pod"
REVIEW = json.dumps(review(labelled())).encode()


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeApi, Webhook]]:
    fake = FakeApi(tmp_path_factory.mktemp("api"))
    fake.put(NAMESPACES, namespace())
    fake.put(VALIDATIONS, resource())
    serving = Serving.new(tmp_path_factory.mktemp("serving"))
    with fake.running() as account, webhook(account, serving) as started:
        started.wait_until_ready()
        yield fake, started


@pytest.fixture(scope="module")
def fake_api(parts: tuple[FakeApi, Webhook]) -> FakeApi:
    return parts[0]


@pytest.fixture(scope="module")
def running(parts: tuple[FakeApi, Webhook]) -> Webhook:
    return parts[1]


def test_a_review_is_answered_and_nobody_is_asked_meanwhile(
    fake_api: FakeApi, running: Webhook
) -> None:
    before = len(fake_api.asked)
    for _ in range(20):
        assert running.review(review(labelled()))["patch"]
    assert len(fake_api.asked) == before
    assert running.lines("admission.decided")[-1]["decision"] == "admitted"


def test_a_validation_counts_once_it_is_created(fake_api: FakeApi, running: Webhook) -> None:
    assert running.review(review(labelled("late")))["allowed"] is False
    fake_api.put(VALIDATIONS, resource("late"))
    running.wait(lambda: running.review(review(labelled("late")))["allowed"])
    fake_api.delete(VALIDATIONS, "late", "ns")
    running.wait(lambda: not running.review(review(labelled("late")))["allowed"])


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes(running: Webhook, path: str) -> None:
    reply = running.ask("GET", path)
    assert (reply.status, reply.body) == (200, b"ok")
    assert running.ask("HEAD", path).status == 200
    assert running.ask("POST", path, b"{}", **JSON).status == 405


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [
        ("GET", "/", 404),
        ("POST", "/mutate", 404),
        ("POST", f"{MUTATE}/", 404),
        ("GET", "/metrics", 404),
        ("GET", MUTATE, 405),
        ("PUT", MUTATE, 405),
    ],
)
def test_what_is_not_there(running: Webhook, verb: str, path: str, status: int) -> None:
    reply = running.ask(verb, path, REVIEW, **JSON)
    assert reply.status == status
    assert reply.headers["connection"] == "close"
    assert ("allow" in reply.headers) is (status == 405)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("Application/JSON;charset=UTF-8", 200),
        ("text/plain", 415),
        ("application/json-patch+json", 415),
        ("", 415),
    ],
)
def test_content_types(running: Webhook, kind: str, status: int) -> None:
    assert running.ask("POST", MUTATE, REVIEW, **{"Content-Type": kind}).status == status


def test_what_is_no_review(running: Webhook) -> None:
    reply = running.ask("POST", MUTATE, b"{}", **JSON)
    assert (reply.status, reply.body) == (400, b"the body is not an AdmissionReview")


def test_the_log_says_where_a_review_came_from(running: Webhook) -> None:
    running.review(review(labelled(), userInfo={"username": "anybody"}))
    assert running.lines("admission.decided")[-1]["peer"] == "127.0.0.1"
    running.ask("POST", MUTATE, b"{}", **JSON)
    assert running.lines("admission.malformed")[-1]["peer"] == "127.0.0.1"


def test_a_large_review_is_answered(running: Webhook) -> None:
    pod = labelled()
    pod["metadata"]["annotations"] = {"note": "x" * (3 << 20)}
    assert running.review(review(pod, old=pod))["allowed"] is True


def test_a_body_that_says_that_it_is_too_large_is_not_read(running: Webhook) -> None:
    with contextlib.closing(running.connect()) as connection:
        connection.putrequest("POST", MUTATE)
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str((8 << 20) + 1))
        connection.endheaders()
        assert connection.getresponse().status == 413


def test_a_body_that_gets_too_large_is_not_read_to_its_end(running: Webhook) -> None:
    with contextlib.closing(running.connect()) as connection:
        connection.putrequest("POST", MUTATE)
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        with contextlib.suppress(OSError):
            for _ in range(9):
                connection.send(b"100000\r\n" + b"x" * (1 << 20) + b"\r\n")
        assert connection.getresponse().status == 413


def test_a_body_in_parts_is_a_body(running: Webhook) -> None:
    with contextlib.closing(running.connect()) as connection:
        parts = iter([REVIEW[:100], REVIEW[100:5000], REVIEW[5000:]])
        connection.request("POST", MUTATE, parts, JSON, encode_chunked=True)
        assert connection.getresponse().status == 200


def test_whoever_goes_away_within_a_body_harms_nobody(running: Webhook) -> None:
    before = len(running.lines())
    with contextlib.closing(running.connect()) as connection:
        connection.putrequest("POST", MUTATE)
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", "1000")
        connection.endheaders()
        connection.send(b"{")
    assert running.review(review(labelled()))["allowed"] is True
    assert [line["event"] for line in running.lines()[before:]] == ["admission.decided"]


def test_a_connection_is_kept(running: Webhook) -> None:
    with contextlib.closing(running.connect()) as connection:
        for _ in range(3):
            reply = exchange(connection, "POST", MUTATE, REVIEW, **JSON)
            assert reply.status == 200
            assert "connection" not in reply.headers
            assert connection.sock is not None


def raw(running: Webhook, data: bytes) -> bytes:
    with (
        socket.create_connection(("127.0.0.1", running.port), timeout=30) as plain,
        running.serving.trusting().wrap_socket(plain, server_hostname="127.0.0.1") as tls,
    ):
        tls.sendall(data)
        found = b""
        with contextlib.suppress(ssl.SSLEOFError, ConnectionResetError):
            while part := tls.recv(65536):
                found += part
        return found


def test_garbage_is_no_request_and_is_logged_as_a_line(running: Webhook) -> None:
    assert raw(running, b"\x00\xff garbage\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    (line,) = running.lines("library.warning")[-1:]
    assert (line["logger"], line["level"]) == ("uvicorn.error", "warning")


def test_an_upgrade_is_not_followed(running: Webhook) -> None:
    ask = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: upgrade, close\r\n"
    assert b" 101 " not in raw(running, f"{ask}Upgrade: websocket\r\n\r\n".encode())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_of_today(running: Webhook, version: ssl.TLSVersion) -> None:
    context = running.serving.trusting()
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", running.port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as tls,
    ):
        assert (tls.version() or "").replace(".", "_") == version.name


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_no_tls_of_yesterday(running: Webhook) -> None:
    context = running.serving.trusting()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", running.port), timeout=30) as plain,
        pytest.raises((ssl.SSLError, ConnectionResetError)),
    ):
        context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_without_tls_there_is_no_answer(running: Webhook) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert b"HTTP/1.1 200" not in plain.recv(65536)


def metrics(running: Webhook, verb: str, path: str) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", running.metrics_port, timeout=30)
    with contextlib.closing(connection):
        return exchange(connection, verb, path)


def test_metrics_on_a_port_of_their_own(running: Webhook) -> None:
    reply = metrics(running, "GET", "/metrics")
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain; version=")
    assert metrics(running, "POST", "/metrics").status == 405
    assert metrics(running, "POST", MUTATE).status == 404


def test_admissions_are_counted(running: Webhook) -> None:
    name = 'model_verify_admissions_total{decision="admitted",injected="true"}'
    before = running.metrics()
    running.review(review(labelled()))
    after = running.metrics()
    assert after[name] == before[name] + 1
    assert after["model_verify_admission_seconds_count"] > 0
    assert after['model_verify_watch_synced{resource="namespaces"}'] == 1
    assert after['model_verify_validations{state="in-force"}'] == 1
    assert not [each for each in after if each.endswith("_created")]
