"""What this project assumes of Python, PyYAML and the hash libraries."""

import binascii
import hashlib
import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import blake3
import pytest
import re2
import yaml

from tests.differential.unprivileged import as_nobody, public_directory
from verifier_cli.inputs import Malformed, strict_json


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_json_raises_and_does_not_crash(opening: str) -> None:
    """In a process of its own: what it must not do would end this one."""
    code = (
        "import json\n"
        "for depth in (10_000, 1_000_000):\n"
        f"    try: json.loads({opening!r} * depth, object_pairs_hook=dict)\n"
        "    except RecursionError: print('RecursionError')\n"
        "    except ValueError: print('ValueError')\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "RecursionError\n" * 2), (
        "strict_json of inputs.py relies on it: it must look at the depth before it parses"
    )


def test_deep_json_is_refused_by_our_own_reader() -> None:
    code = (
        "from verifier_cli.inputs import Malformed, strict_json\n"
        "for text in (b'[' * 10**6, b'[' * 65 + b']' * 65):\n"
        "    try: strict_json(text)\n"
        "    except Malformed as error: print(error)\n"
        "strict_json(b'[' * 64 + b']' * 64)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "nests deeper than 64 levels\n" * 2


def test_pairs_are_seen_at_every_level() -> None:
    seen: list[list[tuple[str, Any]]] = []

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen.append(pairs)
        return dict(pairs)

    json.loads('{"a": [{"b": 1, "b": 2}], "a": 3}', object_pairs_hook=note)
    assert [[key for key, _ in pairs] for pairs in seen] == [["b", "b"], ["a", "a"]], (
        "`_unique` of inputs.py finds keys that stand twice by this hook"
    )


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_constants_go_through_their_hook(text: str) -> None:
    def refuse(name: str) -> NoReturn:
        raise Malformed(name)

    assert json.loads(text) != 0
    with pytest.raises(Malformed, match=text):
        json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("digits", [4300, 4301])
def test_long_integers_are_value_errors(digits: int) -> None:
    if digits <= sys.get_int_max_str_digits():
        assert strict_json(b"9" * digits)
        return
    with pytest.raises(Malformed, match=r"can(not)? be read"):
        strict_json(b"9" * digits)


@pytest.mark.parametrize("text", [b"\xed\xa0\x80", b"\xc0\xaf", b"\xf5\x80\x80\x80", b"\xff"])
def test_utf8_is_decoded_strictly(text: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        text.decode("utf-8")


def test_json_escapes_make_lone_surrogates() -> None:
    """Why strict_json of inputs.py looks for them: they cannot be encoded."""
    assert json.loads(rb'"\ud800"') == "\ud800"
    with pytest.raises(UnicodeEncodeError):
        "\ud800".encode()
    with pytest.raises(Malformed):
        strict_json(rb'"\ud800"')


@pytest.mark.parametrize(
    "text", ["YQ", "YQ=", "Y Q==", "YQ==\n", "!YQ==", "YQ==YQ==", "Y=Q=", "=="]
)
def test_strict_base64_is_strict(text: str) -> None:
    assert binascii.a2b_base64("YQ==", strict_mode=True) == b"a"
    with pytest.raises(binascii.Error):  # `_base64` of signature/bundle.py
        binascii.a2b_base64(text, strict_mode=True)


def test_the_digests_have_the_sizes_of_the_registry() -> None:
    from verifier_cli.signature.serialization import HEX_DIGITS

    sizes = {
        "sha256": hashlib.sha256().digest_size,
        "blake2b": hashlib.blake2b().digest_size,
        "blake3": len(blake3.blake3().digest()),
    }
    assert {name: 2 * size for name, size in sizes.items()} == HEX_DIGITS


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        (b"abc", "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"),
    ],
)
def test_blake3_is_the_one_that_was_published(data: bytes, digest: str) -> None:
    assert blake3.blake3(data).hexdigest() == digest


def test_a_directory_that_may_not_be_listed_raises_and_globbing_hides_it() -> None:
    with public_directory() as work, ExitStack() as undo:
        (work / "secret").mkdir()
        (work / "secret" / "file").touch()
        (work / "secret").chmod(0)
        undo.callback((work / "secret").chmod, 0o755)

        def look() -> tuple[bool, list[str]]:
            try:
                with os.scandir(work / "secret"):
                    raised = False
            except PermissionError:
                raised = True
            return raised, sorted(path.name for path in work.glob("**/*"))

        raised, globbed = as_nobody(look)
    assert raised, "model/walk.py relies on it"
    assert globbed == ["secret"]  # why the walk does not glob


def test_links_are_not_followed_by_the_flags_that_are_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "directory").symlink_to(".")
    here = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in ("link", "directory"):
            with pytest.raises(OSError, match=r"Too many levels|Not a directory"):
                os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=here)
    finally:
        os.close(here)


@pytest.mark.parametrize(
    "text", ["!!python/object/apply:os.getcwd []", "!!python/name:os.getcwd ''"]
)
def test_the_safe_loader_makes_no_objects(text: str) -> None:
    with pytest.raises(yaml.constructor.ConstructorError):
        yaml.safe_load(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("!!bool x", KeyError), ("!!timestamp x", AttributeError), ("!!int x", ValueError)],
)
def test_explicit_tags_raise_what_is_no_yaml_error(text: str, kind: type[Exception]) -> None:
    """Why config/strictyaml.py must expect more than YAMLError of a hostile document."""
    with pytest.raises(kind):
        yaml.safe_load(text)


def test_explicit_tags_make_values_that_are_not_json() -> None:
    text = "[!!binary aGk=, !!timestamp 2001-01-01, !!set {a}, !!float .inf]"
    kinds = {type(value).__name__ for value in yaml.safe_load(text)}
    assert kinds == {"bytes", "date", "set", "float"}, "canonical_json cannot write all of these"


def test_yaml_escapes_make_lone_surrogates() -> None:
    assert yaml.safe_load(r'"\ud800"') == "\ud800"


# --- expressions ----------------------------------------------------------------------------


def test_re2_matches_the_whole_name() -> None:
    """What `$` and `fullmatch` mean at a line's end differs from engine to engine."""
    for name, whole in (("a@b", True), ("a@b\n", False), ("x a@b", False), ("a@b\nc", False)):
        assert (re2.compile("a@b").fullmatch(name) is not None) is whole
        assert (re2.compile("^a@b$").fullmatch(name) is not None) is whole
    assert re2.compile("ü+").fullmatch("üü"), "expressions.py gives it text, not bytes"


@pytest.mark.parametrize("pattern", ["(", "*", "a{2000}", r"(?=a)", r"(a)\1", "\\", "[z-a]"])
def test_re2_refuses_by_its_own_error(pattern: str) -> None:
    options = re2.Options()
    options.log_errors = False
    with pytest.raises(re2.error):  # expressions.py catches it
        re2.compile(pattern, options)


def test_re2_does_not_backtrack() -> None:
    """Backtracking would take longer than the world is old; a hang here is the answer."""
    assert re2.compile("(a*)*(a*)*(a*)*b").fullmatch("a" * 5000) is None


def test_an_alias_is_an_event_before_it_is_a_node() -> None:
    events = [type(event).__name__ for event in yaml.parse("[&a x, *a]")]
    assert "AliasEvent" in events, "`compose_node` of config/strictyaml.py refuses them by this"
