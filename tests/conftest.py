"""What all tests share: Hypothesis profiles, and nothing of one test left for the next."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# Slow machines are not wrong: no deadline. The suite's time is bounded by the number of examples.
_CHECKS = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("default", deadline=None, max_examples=50, suppress_health_check=_CHECKS)
settings.register_profile("ci", parent=settings.get_profile("default"), derandomize=True)
settings.register_profile("long", parent=settings.get_profile("default"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI=true a skip is a failure: what was not run there was not run at all."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        report.outcome = "failed"
        report.longrepr = f"skipped, and CI=true: {report.longreprtext}"
    return report


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """Gives SIGINT and SIGTERM back to pytest after commands that take them."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes away what the caller's environment says to the program under test."""
    for name in os.environ:
        if name.startswith("MODEL_VERIFY_") or name in ("POD_NAME", "POD_NAMESPACE"):
            monkeypatch.delenv(name)
