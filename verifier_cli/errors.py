"""What could not be decided, and what the reader can do about it.

A rejection is data (see `verifier_cli.verdict`). An exception of this family means that
no verdict could be reached. Each class names the reason whose exit code ends the process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class ModelVerifyError(Exception):
    """Base of everything that keeps a verdict from being reached.

    Attributes:
        reason: name of the `verifier_cli.verdict.Reason` that this error ends with.
        advice: one sentence that tells the reader what to do; may be empty.
    """

    reason: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str, *, advice: str = "") -> None:
        """Keeps a one-sentence `message` and an optional `advice`."""
        super().__init__(message)
        self.advice = advice

    @property
    def sentence(self) -> str:
        """The message, followed by the advice where there is one."""
        return f"{self}. {self.advice}" if self.advice else str(self)


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a configuration.

    Attributes:
        where: field path such as `spec.model.path`, a file or an option.
        detail: what is wrong with it and what is wanted, in one clause.
    """

    where: str
    detail: str

    def __str__(self) -> str:
        """`where: detail`, or the bare detail where the place says nothing."""
        return f"{self.where}: {self.detail}" if self.where else self.detail


class ConfigError(ModelVerifyError):
    """A policy, key, CA, trust config or command line that cannot be used as it is.

    Attributes:
        problems: every fault that was found, in document order; never empty.
    """

    reason = "CONFIG"

    def __init__(self, *problems: Problem, source: str = "", advice: str = "") -> None:
        """Joins all `problems` into one message, led by the `source` file when known."""
        self.problems = problems
        text = "; ".join(str(problem) for problem in problems)
        super().__init__(f"{source}: {text}" if source else text, advice=advice)


class TrustUnavailableError(ModelVerifyError):
    """The trust root was to come from the network and could not be had."""

    reason = "TRUST_UNAVAILABLE"


class DeadlineError(ModelVerifyError):
    """The verification did not end within its own time limit."""

    reason = "DEADLINE"
