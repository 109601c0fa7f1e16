from __future__ import annotations

import pytest

from verifier_cli.host.faults import Fault


def caught(error: Exception) -> Fault:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as found:
        fail()
    return Fault.of(found.value)


def test_a_fault_is_a_kind_and_a_place_and_no_message() -> None:
    found = caught(KeyError("secret"))
    assert found.kind == "KeyError"
    assert found.place.startswith(f"{__name__}:")
    assert "secret" not in str(found)


def test_of_a_group_it_is_the_first_inside() -> None:
    inner = ZeroDivisionError()
    caught(inner)  # so it has a place
    found = caught(ExceptionGroup("of tasks", [ExceptionGroup("more", [inner, KeyError()])]))
    assert (found.kind, found.place.split(":")[0]) == ("ZeroDivisionError", __name__)


def test_what_was_never_raised_has_no_place() -> None:
    assert Fault.of(KeyError()) == Fault("KeyError", "unknown")
