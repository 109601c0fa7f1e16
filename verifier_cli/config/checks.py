"""What texts of a resource must be: each check for us, and as far as it can be said, in OpenAPI.

The patterns are RE2 without look-ahead, as the API server takes them. Where a check says more
than its pattern (JSON, an expression's syntax), the controller reports it in the status.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from verifier_cli.config import document
from verifier_cli.config.declared import Check
from verifier_cli.expressions import fault_of_expression
from verifier_cli.inputs import Malformed, strict_json

if TYPE_CHECKING:
    from collections.abc import Callable


def _segment(others: str) -> str:
    """A name that is neither `.` nor `..` and holds none of `others`."""
    return rf"(?:[^.{others}][^{others}]*|\.[^.{others}][^{others}]*|\.\.[^{others}]+)"


_NAME = _segment(r"/\x00")
_EXACT = _segment(r"/\x00*?\[")


def _matching(
    fault: Callable[[str], str | None], pattern: str, *, unless: str | None = None
) -> Check:
    """A check by a pattern, or by the text `unless`, which the API server explains by our clause.

    A text of a megabyte is matched with no pattern: that would cost more than one rule may.

    The pattern stays: tools that hold manifests against a schema know no CEL. Of a list of
    hundreds it is all that there is, since a rule for each entry would cost too much.
    """
    cel, either = f"self.matches(r'{pattern}')", pattern
    if unless is not None:
        cel, either = f"self.contains('{unless}') || {cel}", f"{pattern}|{unless}"
    rule = {"rule": cel, "message": fault("?")}
    return Check(fault, {"pattern": either, "x-kubernetes-validations": [rule]})


def _authority(text: str) -> str | None:
    in_pod = document.absolute(text) is None
    if in_pod or "-----BEGIN" in text:
        return None
    return "is neither PEM nor an absolute path in the pod"


def _json_object(text: str) -> str | None:
    try:
        value = strict_json(text.encode())
    except Malformed as error:
        return str(error)
    return None if isinstance(value, dict) else "is not a JSON object"


def _object_name(text: str) -> str | None:
    plain = all(c in "abcdefghijklmnopqrstuvwxyz0123456789-." for c in text)
    good = plain and text[0] not in "-." and text[-1] not in "-."
    return None if good else "is not the name of an object"


ABSOLUTE = _matching(document.absolute, rf"^(?:/{_NAME})+$")
IGNORABLE = Check(document.ignorable, {"pattern": rf"^{_EXACT}(?:/{_EXACT})*$"})
DIGEST = _matching(document.digest_fault, "^[0-9a-f]{64}$")
ISSUER = _matching(document.issuer, document.ISSUER)
OBJECT_NAME = _matching(_object_name, r"^[a-z0-9](?:[-.a-z0-9]*[a-z0-9])?$")
AUTHORITY = _matching(_authority, rf"^(?:/{_NAME})+$", unless="-----BEGIN")
JSON_OBJECT = Check(_json_object, {"pattern": r"^\s*\{"})
EXPRESSION = Check(
    fault_of_expression,
    {
        "pattern": r"\S",
        "x-kubernetes-validations": [
            {
                "rule": "!(self in ['.*', '.+', '^.*$', '^.+$'])",
                "message": "matches every identity, so it names nobody",
            }
        ],
    },
)
