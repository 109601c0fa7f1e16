"""Reads one object of a document strictly, collecting every fault with its field path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from verifier_cli.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class Fields:
    """One object: each field is asked for once, and what nobody asked for is a fault.

    A field of the wrong type counts as absent, after its fault was noted.
    """

    def __init__(self, value: object, path: str, problems: list[Problem]) -> None:
        """Takes the object at field path `path`; faults go to `problems`."""
        self.path = path
        self._problems = problems
        self._asked: set[str] = set()
        self._values: dict[str, Any] = {}
        if isinstance(value, dict):
            self._values = {str(key): field for key, field in value.items()}
        else:
            self.fault("", "is missing" if value is None else "is not an object")

    def __contains__(self, name: str) -> bool:
        """Whether the field is set."""
        return name in self._values

    def names(self) -> list[str]:
        """The names of all fields, sorted."""
        return sorted(self._values)

    def fault(self, name: str, detail: str) -> None:
        """Notes what is wrong with the field `name`; "" means the object itself."""
        where = ".".join(part for part in (self.path, name) if part)
        self._problems.append(Problem(where, detail))

    def take(self, name: str) -> Any:  # noqa: ANN401  (whatever the document holds)
        """The raw value, or None."""
        first = name not in self._asked
        self._asked.add(name)
        # Read as "not set", a null that was meant to narrow would widen.
        if first and name in self._values and self._values[name] is None:
            self.fault(name, "is null: give a value or leave it out")
        return self._values.get(name)

    def text(
        self,
        name: str,
        *,
        required: bool = False,
        check: Callable[[str], str | None] | None = None,
    ) -> str | None:
        """A text that is not empty; `check` returns a clause that says what is wrong with it."""
        value = self.take(name)
        if value is None:
            if required:
                self.fault(name, "is missing")
            return None
        if not isinstance(value, str):
            self.fault(name, f"is {_kind(value)} where text is wanted")
            return None
        if not value.strip():
            self.fault(name, "is empty")
            return None
        if not _is_unicode(value):
            self.fault(name, "is not valid Unicode")
            return None
        if check is not None and (detail := check(value)) is not None:
            self.fault(name, detail)
            return None
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """True or false."""
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            self.fault(name, f"is {_kind(value)} where true or false is wanted")
        return value if isinstance(value, bool) else default

    def number(self, name: str, *, default: int, least: int, most: int) -> int:
        """A whole number within bounds, both included."""
        value = self.take(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.fault(name, f"is not a whole number from {least} to {most}")
            return default
        return value

    def choice(self, name: str, choices: Sequence[str], *, default: str) -> str:
        """One of a few words."""
        value = self.text(name)
        if value is not None and value not in choices:
            self.fault(name, f"is {value!r}, not one of {', '.join(choices)}")
            return default
        return value or default

    def quantity(self, name: str) -> str | int | float:
        """An amount as Kubernetes writes it: a number, or a text such as `128Mi`."""
        value = self.take(name)
        good = isinstance(value, str | int | float) and not isinstance(value, bool)
        if not good or value == "":
            self.fault(name, "is not a quantity")
            return 0
        return cast("str | int | float", value)

    def child(self, name: str) -> Fields:
        """The object in field `name`; its absence is a fault."""
        path = f"{self.path}.{name}" if self.path else name
        return Fields(self.take(name), path, self._problems)

    def children(self, name: str) -> Iterator[Fields]:
        """The objects of a list that is not empty."""
        for path, value in self.items(name):
            yield Fields(value, path, self._problems)

    def items(self, name: str, *, optional: bool = False) -> list[tuple[str, Any]]:
        """The entries of a list with their field paths; an empty one is a fault."""
        value = self.take(name)
        path = f"{self.path}.{name}" if self.path else name
        if value is None and optional:
            return []
        if not isinstance(value, list):
            self.fault(name, "is missing" if value is None else "is not a list")
            return []
        if not value and not optional:
            self.fault(name, "is empty")
        return [(f"{path}[{index}]", entry) for index, entry in enumerate(value)]

    def texts(self, name: str, check: Callable[[str], str | None]) -> tuple[str, ...]:
        """A list of texts, possibly empty, each passing `check`."""
        found: list[str] = []
        for path, value in self.items(name, optional=True):
            detail = "is not text" if not isinstance(value, str) else check(value)
            if detail is None:
                found.append(value)
            else:
                self._problems.append(Problem(path, detail))
        return tuple(found)

    def ignore(self, *names: str) -> None:
        """Accepts fields that mean nothing here."""
        self._asked.update(names)

    def done(self) -> None:
        """Notes every field that nobody asked for."""
        for name in sorted(self._values.keys() - self._asked):
            self.fault(name, "is not a known field")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: object) -> str:
    kinds = {
        str: "text",
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
    }
    return kinds.get(type(value), "an object")
