"""The webhook as a real process, asked over real TLS."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import ssl
import subprocess
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cluster.certificates import Authority
from tests.schemas import check_log_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.cluster.certificates import Pair
    from verifier_cli.apiserver.account import Account

Json = dict[str, Any]

SCRIPT = Path(sysconfig.get_path("scripts"), "model-verify-webhook")
IMAGE = f"registry.example.com/verifier@sha256:{'0' * 64}"
SECONDS = 30


@dataclass(frozen=True)
class Reply:
    """An answer of HTTP."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def response(self) -> Json:
        """What an answered review says."""
        found: Json = json.loads(self.body)["response"]
        return found


@dataclass(frozen=True)
class Serving:
    """The serving certificate of one webhook or several, as a Secret's volume holds it."""

    directory: Path
    authority: Authority

    @classmethod
    def new(cls, directory: Path) -> Serving:
        """Makes an authority and a first certificate."""
        made = cls(directory / "tls", Authority.new(directory))
        made.directory.mkdir()
        made.rotate("first")
        return made

    def rotate(self, name: str) -> Pair:
        """Puts a new pair there as the kubelet does: all at once, by a link."""
        pair = self.authority.issue(name, hosts=("127.0.0.1",))
        self.put(name, pair.certificate.read_bytes(), pair.key.read_bytes())
        return pair

    def put(self, name: str, certificate: bytes, key: bytes) -> None:
        """Puts any two files there, all at once."""
        version = self.directory / f"..{name}"
        version.mkdir()
        (version / "tls.crt").write_bytes(certificate)
        (version / "tls.key").write_bytes(key)
        link = self.directory / "..data_tmp"
        link.symlink_to(version.name)
        link.rename(self.directory / "..data")
        for file in ("tls.crt", "tls.key"):
            if not (self.directory / file).is_symlink():
                (self.directory / file).symlink_to(f"..data/{file}")

    def trusting(self) -> ssl.SSLContext:
        """A client's context that trusts the authority."""
        return ssl.create_default_context(cafile=str(self.authority.certificate))


class Webhook:
    """A running webhook."""

    def __init__(
        self, process: subprocess.Popen[bytes], serving: Serving, log: Path, *, started: Json
    ) -> None:
        """Knows where it listens from the line that it logged."""
        self.process = process
        self.serving = serving
        self.port = int(started["port"])
        self.metrics_port = int(started["metricsPort"])
        self._log = log
        self._tls = serving.trusting()

    def connect(self) -> http.client.HTTPSConnection:
        """A connection that is kept alive."""
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, context=self._tls, timeout=SECONDS
        )

    def ask(self, verb: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """Sends one request on a connection of its own."""
        with contextlib.closing(self.connect()) as connection:
            return exchange(connection, verb, path, body, **headers)

    def review(self, review: Json) -> Json:
        """The response to a review."""
        reply = self.ask("POST", "/mutate-v1-pod", json.dumps(review).encode(), **JSON)
        assert reply.status == 200, reply
        return reply.response

    def metrics(self) -> dict[str, float]:
        """All samples, by name and labels."""
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=SECONDS)
        with contextlib.closing(connection):
            text = exchange(connection, "GET", "/metrics").body.decode()
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in lines}

    def lines(self, event: str | None = None) -> list[Json]:
        """The log so far, each line held against the schema; of one event, or whole."""
        text = self._log.read_text(encoding="utf-8")
        found = check_log_lines(text[: text.rfind("\n") + 1])
        return [line for line in found if event in (None, line["event"])]

    def count(self, event: str) -> int:
        """How many lines of an event there are; not held against the schema, for thousands."""
        return self._log.read_text(encoding="utf-8").count(f'"event":"{event}"')

    def wait_until_ready(self) -> None:
        """Waits for /readyz."""
        self.wait(lambda: self.ask("GET", "/readyz").status == 200)

    def wait(self, condition: Any) -> None:  # noqa: ANN401
        """Waits until something is so, for a while."""
        deadline = time.monotonic() + SECONDS
        while not condition():
            assert self.process.poll() is None, self._log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, self._log.read_text(encoding="utf-8")
            time.sleep(0.02)

    def terminate(self) -> int:
        """Sends SIGTERM and waits for the end."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(SECONDS)


JSON = {"Content-Type": "application/json"}


def exchange(
    connection: http.client.HTTPConnection,
    verb: str,
    path: str,
    body: bytes | None = None,
    **headers: str,
) -> Reply:
    """One request and its answer on a connection that is there."""
    connection.request(verb, path, body, headers)
    answer = connection.getresponse()
    return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())


def environment(account: Account, serving: Serving, **more: str) -> dict[str, str]:
    """What a webhook of the tests is started with."""
    host, port = account.url.removeprefix("https://").rsplit(":", 1)
    return {
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": port,
        "MODEL_VERIFY_SERVICE_ACCOUNT": str(account.directory),
        "MODEL_VERIFY_IMAGE": IMAGE,
        "MODEL_VERIFY_TLS_DIRECTORY": str(serving.directory),
        "MODEL_VERIFY_BIND": "127.0.0.1",
        "MODEL_VERIFY_PORT": "0",
        "MODEL_VERIFY_METRICS_PORT": "0",
        "MODEL_VERIFY_DRAIN_SECONDS": "0",
        **more,
    }


@contextlib.contextmanager
def webhook(
    account: Account, serving: Serving, prefix: tuple[str, ...] = (), **more: str
) -> Iterator[Webhook]:
    """Starts one and waits until it listens; `more` is environment, `prefix` starts it."""
    env: Mapping[str, str] = {**os.environ, **environment(account, serving, **more)}
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory, "log")
        with log.open("wb") as stream:
            process = subprocess.Popen((*prefix, SCRIPT), env=env, stderr=stream)
        try:
            yield Webhook(process, serving, log, started=_started(process, log))
        finally:
            process.terminate()
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _started(process: subprocess.Popen[bytes], log: Path) -> Json:
    deadline = time.monotonic() + SECONDS
    while True:
        text = log.read_text(encoding="utf-8")
        for line in text.splitlines():
            if '"webhook.started"' in line and line.endswith("}"):
                found: Json = json.loads(line)
                return found
        assert process.poll() is None, text
        assert time.monotonic() < deadline, text
        time.sleep(0.02)
