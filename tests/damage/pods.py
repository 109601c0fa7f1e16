"""What is mounted into a pod: a model, policies, and a termination log."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from tests.builders import (
    ByKey,
    Json,
    Model,
    process,
)

if TYPE_CHECKING:
    from pathlib import Path

    from verifier_cli.verdict import Mode


class Pod:
    """What is mounted into a pod: a model, and a directory of policies."""

    def __init__(self, path: Path, model: Model | None = None) -> None:
        self.path = path
        self.model = model or Model(path).sign(ByKey.new())
        self.policies = path / "policies"
        self.log = path / "termination-log"
        self.log.write_bytes(b"")

    def add(self, name: str = "one", model: Model | None = None, mode: Mode = "enforce") -> Path:
        return (model or self.model).policy_file(self.policies / name / "policy.json", mode)

    def variables(self, **changes: str) -> dict[str, str]:
        variables = {"POLICY": str(self.policies), "TERMINATION_LOG": str(self.log)} | changes
        return {f"MODEL_VERIFY_{name}": value for name, value in variables.items() if value}

    def run(self, **changes: str) -> tuple[int, Json, Json]:
        """Returns exit code, report and termination message; checks all outputs on the way."""
        ended = process("init", **self.variables(**changes))
        assert b"Traceback" not in ended.stderr
        lines = [json.loads(line) for line in ended.stderr.decode().splitlines()]
        assert lines[-1]["event"] == "verify.finished"
        report = json.loads(ended.stdout)
        raw = self.log.read_bytes()
        assert len(raw) <= 1024
        message = json.loads(raw)
        assert message["exit"] == report["exitCode"] == lines[-1]["exitCode"] == ended.returncode
        assert message["reason"] == report["reason"]
        return ended.returncode, report, message


def pin(*policies: Path) -> str:
    return ",".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in policies)
