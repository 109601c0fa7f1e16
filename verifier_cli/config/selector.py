"""Label selectors, as Kubernetes has them: which pods or namespaces a validation is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verifier_cli.config.fields import Fields

_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")

# As Kubernetes has it (meta/v1 LabelSelector).
_LABEL = {"type": "string", "maxLength": 63}
_EXPRESSION = {
    "type": "object",
    "description": "One condition.",
    "required": ["key", "operator"],
    "properties": {
        "key": {
            "type": "string",
            "description": "Key of the label.",
            "minLength": 1,
            "maxLength": 317,
        },
        "operator": {
            "type": "string",
            "description": "How the label is compared.",
            "enum": list(_OPERATORS),
        },
        "values": {
            "type": "array",
            "description": "What it is compared with, by In and NotIn.",
            "items": _LABEL,
            "maxItems": 64,
        },
    },
    "x-kubernetes-validations": [
        {
            "rule": "(has(self.values) && size(self.values) > 0) == (self.operator in"
            " ['In', 'NotIn'])",
            "message": "In and NotIn take values, Exists and DoesNotExist none",
        }
    ],
}
SCHEMA = {
    "type": "object",
    "x-kubernetes-map-type": "atomic",
    "properties": {
        "matchLabels": {
            "type": "object",
            "description": "Labels that must be there with these values.",
            "additionalProperties": _LABEL,
            "maxProperties": 64,
        },
        "matchExpressions": {
            "type": "array",
            "description": "Conditions that must hold, all of them.",
            "items": _EXPRESSION,
            "minItems": 1,
            "maxItems": 64,
        },
    },
}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label.

    Attributes:
        operator: `In` and `NotIn` compare with `values`; `Exists`, `DoesNotExist` do without.
    """

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet the condition."""
        if self.operator == "In":
            return labels.get(self.key) in self.values
        if self.operator == "NotIn":
            # As in Kubernetes: an absent label is not among the values either.
            return labels.get(self.key) not in self.values
        return (self.key in labels) is (self.operator == "Exists")


@dataclass(frozen=True, slots=True)
class Selector:
    """Conditions of which all must hold; none at all selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return all(requirement.holds(labels) for requirement in self.requirements)


EVERYTHING = Selector()


def selector(fields: Fields) -> Selector:
    """Reads `{matchLabels, matchExpressions}`."""
    found = []
    if "matchLabels" in fields:
        labels = fields.child("matchLabels")
        for key in labels.names():
            value = labels.take(key)
            if not isinstance(value, str):
                labels.fault(key, "is not text")
            found.append(Requirement(key, "In", (str(value),)))
    if "matchExpressions" in fields:
        found += [_expression(entry) for entry in fields.children("matchExpressions")]
    fields.done()
    return Selector(tuple(found))


def _expression(entry: Fields) -> Requirement:
    key = entry.text("key", required=True) or ""
    operator = entry.text("operator", required=True) or ""
    values = entry.texts("values", lambda _: None)
    if operator not in _OPERATORS:
        entry.fault("operator", f"is {operator!r}, not one of {', '.join(_OPERATORS)}")
    elif bool(values) is not operator.endswith("In"):
        wanted = "at least one value" if operator.endswith("In") else "no values"
        entry.fault("values", f"{operator} takes {wanted}")
    entry.done()
    return Requirement(key, operator, values)
