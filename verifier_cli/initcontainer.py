"""The entrypoint in a pod: everything comes from the mounted policy (docs/reference/init.md).

It needs no writable file system, no network, no HOME and no user name. It imports no
command-line library: a pod waits for its start.
"""

from __future__ import annotations

import os
import stat
import sys
from typing import IO, TYPE_CHECKING

from verifier_cli.config import document, reader
from verifier_cli.errors import ConfigError, Problem
from verifier_cli.host.cpus import granted
from verifier_cli.host.logs import LEVELS, Level, Log
from verifier_cli.host.session import Ticker, decide, write
from verifier_cli.host.supervise import Interrupted, handle_signals
from verifier_cli.inputs import sha256_hex, why
from verifier_cli.policy import MAX_POLICIES, is_absolute_path
from verifier_cli.report import json, termination
from verifier_cli.report.document import to_document
from verifier_cli.runs import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from verifier_cli.policy import Policy

POLICY = "/etc/model-verify/policy.json"
TERMINATION_LOG = "/dev/termination-log"


def main() -> int:
    """Verifies what the mounted policy says and returns the exit code."""
    try:
        handle_signals()
        return run(os.environ, sys.stdout.buffer, sys.stderr)
    except Interrupted as error:
        return error.reason.exit_code


def run(environ: Mapping[str, str], stdout: IO[bytes], stderr: IO[str]) -> int:
    """As `main`, with its surroundings passed in."""
    asked = environ.get("MODEL_VERIFY_LOG_LEVEL", "").lower()
    level: Level = next((level for level in LEVELS if level == asked), "info")
    context = {"namespace": environ.get("POD_NAMESPACE"), "pod": environ.get("POD_NAME")}
    log = Log(stderr, level=level, context=context)
    report = decide(
        lambda: load(environ, log),
        lambda policies: Settings(workers=granted(), roots=_roots(environ, policies)),
        log,
        timeout_seconds=None,
        tick=Ticker(log),
    )
    shown = to_document(report)
    write(stdout, json.render(shown, indent=None))
    path = environ.get("MODEL_VERIFY_TERMINATION_LOG") or TERMINATION_LOG
    if (fault := _write_termination(path, termination.render(shown))) is not None:
        log.event("termination.unwritten", f"the termination log {path} {fault}")
    return report.exit_code


def load(environ: Mapping[str, str], log: Log) -> list[Policy]:
    """Reads every mounted policy and holds their digests against the pinned ones.

    Raises:
        ConfigError: a policy is missing, malformed, or not among the pinned, or one of the
            pinned is not there.
    """
    pins = _pins(environ)
    files = [(path, reader.read_bytes(path)) for path in _paths(environ)]
    digests = {sha256_hex(raw) for _, raw in files}
    if pins is not None and digests != pins:
        found, wanted = (", ".join(sorted(each)) for each in (digests, pins))
        raise ConfigError(
            Problem("", f"the mounted policies have SHA-256 {found}, admitted were {wanted}"),
            advice="Create the pod anew, so that it is admitted under the policy of today",
        )
    policies = [document.decode(raw, path) for path, raw in files]
    for policy in policies:
        log.event(
            "policy.loaded",
            "the policy is loaded" if pins else "the policy is loaded; nothing pins its digest",
            policySha256=policy.sha256,
            source=policy.source,
            mode=policy.mode,
            pinned=pins is not None,
        )
    return policies


def _paths(environ: Mapping[str, str]) -> list[str]:
    path = environ.get("MODEL_VERIFY_POLICY") or POLICY
    try:
        if not stat.S_ISDIR(os.stat(path).st_mode):
            return [path]
        # Names with a dot are the kubelet's own, or hidden; a glob would not match them either.
        names = sorted(name for name in os.listdir(path) if not name.startswith("."))
    except (OSError, ValueError) as error:
        detail = f"the policy cannot be read: {why(error)}"
        raise ConfigError(Problem("", detail), source=path) from None
    found = [f"{path}/{name}/{reader.POLICY_KEY}" for name in names]
    found = [file for file in found if os.path.lexists(file)]
    if not found or len(found) > MAX_POLICIES:
        detail = f"holds {len(found)} policies (*/{reader.POLICY_KEY}), not 1 to {MAX_POLICIES}"
        raise ConfigError(Problem("", detail), source=path)
    return found


def _pins(environ: Mapping[str, str]) -> set[str] | None:
    text = environ.get("MODEL_VERIFY_POLICY_SHA256")
    if text is None:
        return None
    pins = [pin.strip() for pin in text.split(",")]
    for pin in pins:
        if (fault := document.digest_fault(pin)) is not None:
            raise ConfigError(Problem("MODEL_VERIFY_POLICY_SHA256", f"{pin!r} {fault}"))
    return set(pins)


def _roots(environ: Mapping[str, str], policies: Sequence[Policy]) -> tuple[str, ...]:
    if not any(rules.discover and rules.path is None for p in policies for rules in p.models):
        return ()
    roots = [root for root in environ.get("MODEL_VERIFY_ROOTS", "").split(":") if root]
    if not roots or not all(is_absolute_path(root) for root in roots):
        raise ConfigError(
            Problem(
                "MODEL_VERIFY_ROOTS", "must name the absolute directories that hold the models"
            ),
            advice="The policy names no model path, so models are discovered below these roots",
        )
    return tuple(roots)


def _write_termination(path: str, message: bytes) -> str | None:
    """Writes the termination message; returns a clause that says why it could not."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, 0o644)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return "is not a regular file"
            os.ftruncate(descriptor, 0)
            os.write(descriptor, message)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        return f"cannot be written: {why(error)}"
    return None
