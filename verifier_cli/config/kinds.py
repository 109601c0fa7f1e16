"""The kinds of declared fields: each reads itself, and describes itself to the API server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verifier_cli.config.declared import LONG, SHORT, Declared, field, read, schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from verifier_cli.config.declared import Check
    from verifier_cli.config.fields import Fields

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Text:
    description: str
    required: bool
    check: Check | None
    longest: int

    def read(self, fields: Fields, name: str) -> str | None:
        return fields.text(name, required=self.required, check=self._fault)

    def _fault(self, value: str) -> str | None:
        if len(value) > self.longest:
            return f"is longer than {self.longest} characters"
        return self.check.fault(value) if self.check else None

    def schema(self) -> Json:
        # Not of white space alone; a check's own pattern says more.
        more = self.check.schema if self.check else {"pattern": r"\S"}
        return {"type": "string", "minLength": 1, "maxLength": self.longest, **more}


@dataclass(frozen=True, slots=True)
class _Choice:
    description: str
    choices: tuple[str, ...]
    default: str | None
    required: bool

    def read(self, fields: Fields, name: str) -> str | None:
        return fields.choice(name, self.choices, default=self.default or "") or None

    def schema(self) -> Json:
        default = {"default": self.default} if self.default else {}
        return {"type": "string", "enum": list(self.choices), **default}


@dataclass(frozen=True, slots=True)
class _Flag:
    description: str
    default: bool
    required: bool = False

    def read(self, fields: Fields, name: str) -> bool:
        return fields.flag(name, default=self.default)

    def schema(self) -> Json:
        return {"type": "boolean", "default": self.default}


@dataclass(frozen=True, slots=True)
class _Number:
    description: str
    default: int
    least: int
    most: int
    required: bool = False

    def read(self, fields: Fields, name: str) -> int:
        return fields.number(name, default=self.default, least=self.least, most=self.most)

    def schema(self) -> Json:
        bounds = {"minimum": self.least, "maximum": self.most}
        return {"type": "integer", "format": "int32", "default": self.default, **bounds}


@dataclass(frozen=True, slots=True)
class _Texts:
    description: str
    check: Check
    most: int
    required: bool = False

    def read(self, fields: Fields, name: str) -> tuple[str, ...]:
        found = fields.texts(name, self.check.fault)
        if len(found) > self.most:
            fields.fault(name, f"has more than {self.most} entries")
        return found

    def schema(self) -> Json:
        entry = {"type": "string", "minLength": 1, "maxLength": SHORT, **self.check.schema}
        return {"type": "array", "default": [], "maxItems": self.most, "items": entry}


@dataclass(frozen=True, slots=True)
class _Object:
    description: str
    of: type[Declared]
    required: bool

    def read(self, fields: Fields, name: str) -> Declared | None:
        if name not in fields:
            if self.required:
                fields.fault(name, "is missing")
            return None
        return read(self.of, fields.child(name))

    def schema(self) -> Json:
        return schema(self.of, self.description)


@dataclass(frozen=True, slots=True)
class _Objects:
    description: str
    of: type[Declared]
    most: int
    required: bool = False

    def read(self, fields: Fields, name: str) -> tuple[Declared, ...]:
        if name not in fields:
            return ()
        found = tuple(read(self.of, each) for each in fields.children(name))
        if len(found) > self.most:
            fields.fault(name, f"has more than {self.most} entries")
        return found

    def schema(self) -> Json:
        bounds = {"minItems": 1, "maxItems": self.most}
        return {"type": "array", **bounds, "items": schema(self.of)}


@dataclass(frozen=True, slots=True)
class _Part:
    description: str
    reader: Callable[[Fields], Any]
    described: Json
    required: bool

    def read(self, fields: Fields, name: str) -> Any:  # noqa: ANN401  (what the reader makes)
        if name not in fields:
            if self.required:
                fields.fault(name, "is missing")
            return None
        return self.reader(fields.child(name))

    def schema(self) -> Json:
        return self.described


def text(
    description: str, *, check: Check | None = None, required: bool = False, longest: int = SHORT
) -> Any:  # noqa: ANN401  (stands for `str | None`, or `str` where it is required)
    """A text that is not empty, of at most `longest` characters."""
    return field(_Text(description, required, check, longest))


def long_text(description: str, *, check: Check | None = None, required: bool = False) -> Any:  # noqa: ANN401
    """A text that may be long: PEM or JSON."""
    return text(description, check=check, required=required, longest=LONG)


def choice(
    description: str, *choices: str, default: str | None = None, required: bool = False
) -> Any:  # noqa: ANN401
    """One of a few words."""
    return field(_Choice(description, choices, default, required))


def flag(description: str, *, default: bool) -> Any:  # noqa: ANN401
    """True or false."""
    return field(_Flag(description, default))


def number(description: str, *, default: int, least: int, most: int) -> Any:  # noqa: ANN401
    """A whole number within bounds, both included."""
    return field(_Number(description, default, least, most))


def texts(description: str, *, check: Check, most: int) -> Any:  # noqa: ANN401
    """A list of texts, which may be empty."""
    return field(_Texts(description, check, most))


def object_(description: str, of: type[Declared], *, required: bool = False) -> Any:  # noqa: ANN401
    """A nested object, or None."""
    return field(_Object(description, of, required))


def objects(description: str, of: type[Declared], *, most: int) -> Any:  # noqa: ANN401
    """A list of objects that is not empty, or no list at all."""
    return field(_Objects(description, of, most))


def part(
    description: str,
    reader: Callable[[Fields], Any],
    described: Json,
    *,
    required: bool = False,
) -> Any:  # noqa: ANN401
    """A part of Kubernetes' own shape, with its reader and its schema; None if it is absent."""
    return field(_Part(description, reader, described, required))
