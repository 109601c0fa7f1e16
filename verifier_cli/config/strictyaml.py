"""YAML without its surprises: no aliases, no duplicate keys, no `yes` that means true."""

from __future__ import annotations

import re
from typing import Any

import yaml

from verifier_cli.inputs import Malformed, require_unicode

# The core schema of YAML 1.2, which is what people mean: no dates, no octals, no yes and no.
_RESOLVERS = {
    "tag:yaml.org,2002:bool": (re.compile(r"true|True|TRUE|false|False|FALSE"), "tTfF"),
    "tag:yaml.org,2002:null": (re.compile(r"~|null|Null|NULL|"), ["~", "n", "N", ""]),
    "tag:yaml.org,2002:int": (re.compile(r"[-+]?(?:0|[1-9][0-9]*)"), "-+0123456789"),
    "tag:yaml.org,2002:float": (
        re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"),
        "-+0123456789.",
    ),
}


class _Loader(yaml.SafeLoader):
    """SafeLoader with the restrictions named above."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (PyYAML's own protocol)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise Malformed("uses a YAML alias, which is not accepted")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        seen: set[str] = set()
        for each, _ in node.value:
            key = self.construct_object(each)
            if not isinstance(key, str):
                raise Malformed(f"holds the key {key!r}, which is not text")
            if key in seen:
                raise Malformed(f"holds the key {key!r} twice")
            seen.add(key)
        return super().construct_mapping(node, deep)


# Other tags (dates, sets, binary, ordered maps) mean nothing in a policy.
_KNOWN = ("str", "map", "seq", *(tag.rpartition(":")[2] for tag in _RESOLVERS))
_Loader.yaml_constructors = {
    tag: make
    for tag, make in yaml.SafeLoader.yaml_constructors.items()
    if tag is None or tag.rpartition(":")[2] in _KNOWN
}
for _tag, (_expression, _first) in _RESOLVERS.items():
    _Loader.add_implicit_resolver(_tag, re.compile(rf"(?:{_expression.pattern})\Z"), list(_first))


def load_all(raw: bytes) -> list[Any]:
    """Parses every YAML document that is not empty.

    Raises:
        Malformed: not UTF-8, not YAML, or YAML that is not accepted.
    """
    try:
        text = raw.decode("utf-8")
        values = [v for v in yaml.load_all(text, Loader=_Loader) if v is not None]
        require_unicode(values)
    except UnicodeDecodeError:
        raise Malformed("is not UTF-8") from None
    except RecursionError:
        raise Malformed("nests too deeply") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" at line {mark.line + 1} column {mark.column + 1}" if mark else ""
        raise Malformed(f"is not YAML: {error.problem or error.context}{where}") from None
    except yaml.YAMLError as error:
        raise Malformed(f"is not YAML: {str(error).splitlines()[0]}") from None
    except Malformed:
        raise
    except Exception as error:  # noqa: BLE001  (odd values of explicit tags: KeyError and kin)
        raise Malformed(f"is not YAML that can be read: {type(error).__name__}") from None
    return values


class _Dumper(yaml.SafeDumper):
    """Writes multi-line text as a block, as people write PEM, and no aliases."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  (as the base has it)
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def dump(value: object) -> str:
    """One YAML document in ASCII, keys in the order given: nothing in it can move a cursor."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=1000)


def dump_all(values: list[dict[str, Any]]) -> str:
    """Several YAML documents."""
    return "---\n".join(dump(value) for value in values)
