"""The controller with hundreds of validations: each gets what it should, and nothing stays over."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.cluster.crowd import LONG_SECONDS, Crowd, mark, said
from tests.cluster.installed import NAMESPACE, controller, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.apiserver import ApiServer

NAMESPACES = 100


@pytest.fixture
def crowd(installed: ApiServer) -> Iterator[Crowd]:
    lease = ("lease", NAMESPACE, f"--namespace={NAMESPACE}", "--ignore-not-found")
    installed.kubectl("delete", *lease)
    made = Crowd(installed, f"crowd-{uuid4().hex[:6]}", NAMESPACES)
    made.settle()
    yield made
    made.leave()


def test_five_hundred_validations(installed: ApiServer, crowd: Crowd, tmp_path: Path) -> None:
    with controller(installed, tmp_path) as program:
        crowd.validate()
        eventually(crowd.ready, seconds=LONG_SECONDS)
        assert crowd.configmaps() == crowd.wanted()
        assert len(crowd.wanted()) == 5 * NAMESPACES + 4 * NAMESPACES

        # One pod in each namespace; every fourth is rejected.
        under = [each for each in crowd.validations if each["metadata"]["name"] == "v-0"]
        codes = [12 if number % 4 == 0 else 0 for number in range(NAMESPACES)]
        crowd.run(under, [said(code) for code in codes])
        eventually(lambda: verdicts(crowd) == {"verified": 75, "rejected": 25})
        found = crowd.found()
        for each, code in zip(under, codes, strict=True):
            counts = found[mark(each)]["status"]["verdicts"]
            assert (counts["verified"], counts["rejected"]) == (int(code == 0), int(code != 0))

        # Half of them change: new ConfigMaps come, and the old ones go but for those in use.
        before = crowd.wanted()
        used = {(e["metadata"]["namespace"], found[mark(e)]["status"]["configMap"]) for e in under}
        changed = [each for each in crowd.validations if mark(each)[3] in ("v-0", "v-1", "v-3")]
        crowd.change(changed[:250])
        eventually(crowd.ready, seconds=LONG_SECONDS)
        after = crowd.wanted()
        assert len(before - after) == 250
        eventually(lambda: crowd.configmaps() == after | used, seconds=LONG_SECONDS)
        assert program.process.poll() is None
        assert not [each for each in program.events() if each["event"] == "fault"]


def verdicts(crowd: Crowd) -> Counter[str]:
    """All that are counted, of all validations."""
    total: Counter[str] = Counter()
    for each in crowd.found().values():
        total.update(each["status"]["verdicts"])
    return +total
