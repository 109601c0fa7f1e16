"""Fields of a custom resource, declared once: read by us, and described to the API server.

A resource is a dataclass whose fields are made by the functions below. `read` makes one of a
document and notes every fault; `schema` is the same declaration as OpenAPI v3, as a
CustomResourceDefinition takes it, with the rules in CEL (structural schemas, apiextensions/v1).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from verifier_cli.config.fields import Fields

Json = dict[str, Any]

# Names, identities, paths; and what holds a whole PEM or JSON document.
SHORT, LONG = 4096, 1 << 20


@dataclass(frozen=True, slots=True)
class Check:
    """What a text must be, said twice: `fault` says in a clause what is wrong with it."""

    fault: Callable[[str], str | None]
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """What must hold between the fields of an object, said twice.

    Attributes:
        where: the field that is at fault; "" for the object itself.
        message: a clause.
        cel: holds if it does, for the API server.
        holds: the same for us.
    """

    where: str
    message: str
    cel: str
    holds: Callable[[Fields], bool]

    def schema(self) -> Json:
        """An entry of `x-kubernetes-validations`."""
        at = {"fieldPath": f".{self.where}"} if self.where else {}
        return {"rule": self.cel, "message": f"{self.where} {self.message}".strip(), **at}


def exactly_one(*names: str) -> Rule:
    """One of the fields, and no other of them."""
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    cel = f"[{', '.join(f'has(self.{name})' for name in names)}].exists_one(given, given)"
    message = f"needs exactly one of {listed}"
    return Rule("", message, cel, lambda fields: sum(name in fields for name in names) == 1)


def at_most_one(one: str, other: str) -> Rule:
    """Not both fields."""
    message = f"has both {one} and {other}: give one of them"
    cel = f"!(has(self.{one}) && has(self.{other}))"
    return Rule("", message, cel, lambda fields: not (one in fields and other in fields))


def goes_with(name: str, other: str) -> Rule:
    """The first field only where the second is."""
    cel = f"!has(self.{name}) || has(self.{other})"
    holds: Callable[[Fields], bool] = lambda fields: name not in fields or other in fields  # noqa: E731
    return Rule(name, f"goes with {other} only", cel, holds)


class Declared:
    """Base of the types that are made of declared fields.

    Attributes:
        rules: what must hold between the fields.
        atomic: they mean one thing together, so two who apply an object are not merged in it.
    """

    rules: ClassVar[Sequence[Rule]] = ()
    atomic: ClassVar[bool] = False


class Kind(Protocol):
    """How one field is read and described."""

    @property
    def description(self) -> str:
        """For people; "" takes what a nested type says of itself."""

    @property
    def required(self) -> bool:
        """Whether the field must be there."""

    def read(self, fields: Fields, name: str) -> Any:  # noqa: ANN401  (what the kind is of)
        """The value; its faults are noted in `fields`."""

    def schema(self) -> Json:
        """The OpenAPI schema without the description."""


def field(kind: Kind) -> Any:  # noqa: ANN401  (stands for a value of the declared type)
    """A field of a declared dataclass."""
    return dataclasses.field(metadata={"kind": kind})


def fields_of(declared: type[Declared]) -> list[tuple[str, str, Kind]]:
    """Attribute, name in the document, and kind of every field."""
    found = dataclasses.fields(declared)  # type: ignore[arg-type]  # every Declared is one
    return [(each.name, _camel(each.name), each.metadata["kind"]) for each in found]


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


T = TypeVar("T", bound=Declared)


def read(declared: type[T], fields: Fields) -> T:
    """Reads an object; a field with a fault has its default, and what is unknown is a fault."""
    values = {attribute: kind.read(fields, name) for attribute, name, kind in fields_of(declared)}
    for rule in declared.rules:
        if not rule.holds(fields):
            fields.fault(rule.where, rule.message)
    fields.done()
    return declared(**values)


def schema(declared: type[Declared], description: str = "") -> Json:
    """The OpenAPI schema of an object; without a description, the type's own first paragraph."""
    kinds = [(name, kind) for _, name, kind in fields_of(declared)]
    own = (declared.__doc__ or "").split("\n\n", maxsplit=1)[0]
    found: Json = {
        "type": "object",
        "description": description or " ".join(own.split()),
        "properties": {name: described(kind) for name, kind in kinds},
    }
    if required := [name for name, kind in kinds if kind.required]:
        found["required"] = required
    if declared.atomic:
        found["x-kubernetes-map-type"] = "atomic"
    if declared.rules:
        found["x-kubernetes-validations"] = [rule.schema() for rule in declared.rules]
    return found


def described(kind: Kind) -> Json:
    """The schema of a field with its description."""
    return {"description": kind.description, **kind.schema()}
