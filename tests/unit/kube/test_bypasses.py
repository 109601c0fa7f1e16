"""Every bypass stands against a naive injection, and not against this one."""

from __future__ import annotations

import pytest

from tests.unit.kube import naive
from tests.unit.kube.bypasses import BYPASSES, UNASKED
from tests.unit.kube.pods import inject
from verifier_cli.kube.choice import Namespace, validations_for
from verifier_cli.kube.names import ENFORCE
from verifier_cli.kube.shapes import Unfit

ENFORCED = Namespace("strict", {ENFORCE: "true"})


def of(group: int) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "name", [n for n, each in BYPASSES.items() if each.group == group]
    )


@pytest.mark.parametrize("name", BYPASSES)
def test_a_naive_injection_lets_it_stand(name: str) -> None:
    bypass = BYPASSES[name]
    assert bypass.shows(naive.inject(bypass.pod, bypass.validations))


def require_closed(name: str) -> None:
    """Refuses, or closes, as the table says."""
    bypass = BYPASSES[name]
    if bypass.refused:
        with pytest.raises(Unfit) as caught:
            inject(bypass.pod, *bypass.validations)
        assert bypass.refused in str(caught.value)
    else:
        assert bypass.shows(inject(bypass.pod, *bypass.validations)) == ""


@of(1)
def test_bypass_1_by_the_name(name: str) -> None:
    require_closed(name)


@of(2)
def test_bypass_2_by_the_order(name: str) -> None:
    require_closed(name)


@of(3)
def test_bypass_3_by_writing_later(name: str) -> None:
    require_closed(name)


@of(4)
def test_bypass_4_by_what_is_seen(name: str) -> None:
    require_closed(name)


@pytest.mark.parametrize("name", UNASKED)
def test_bypass_6_by_not_asking(name: str) -> None:
    assert not naive.asks(UNASKED[name])
    with pytest.raises(Unfit, match="lets models in only verified"):
        validations_for(UNASKED[name], ENFORCED, [])
