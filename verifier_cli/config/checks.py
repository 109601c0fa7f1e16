"""What texts of a resource must be: each check for us, and as far as it can be said, in OpenAPI.

The patterns are RE2 without look-ahead, as the API server takes them. Where a check says more
than its pattern (JSON, an expression's syntax), the controller reports it in the status.
"""

from __future__ import annotations

from verifier_cli.config import document
from verifier_cli.config.declared import Check
from verifier_cli.expressions import fault_of_expression
from verifier_cli.inputs import Malformed, strict_json


def _segment(others: str) -> str:
    """A name that is neither `.` nor `..` and holds none of `others`."""
    return rf"(?:[^.{others}][^{others}]*|\.[^.{others}][^{others}]*|\.\.[^{others}]+)"


_NAME = _segment(r"/\x00")
_EXACT = _segment(r"/\x00*?\[")


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


ABSOLUTE = Check(document.absolute, {"pattern": rf"^(?:/{_NAME})+$"})
IGNORABLE = Check(document.ignorable, {"pattern": rf"^{_EXACT}(?:/{_EXACT})*$"})
DIGEST = Check(document.digest_fault, {"pattern": "^[0-9a-f]{64}$"})
ISSUER = Check(document.issuer, {"pattern": document.ISSUER})
OBJECT_NAME = Check(_object_name, {"pattern": r"^[a-z0-9](?:[-.a-z0-9]*[a-z0-9])?$"})
AUTHORITY = Check(_authority, {"pattern": rf"^(?:/{_NAME})+$|-----BEGIN"})
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
