"""The documentation says what the code does."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from tests.docs.blocks import PAGES, ROOT, filled
from verifier_cli.config import document, reader
from verifier_cli.report.document import SCHEMA, from_document

MARKDOWN = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "testdata/README.md"]
)
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def fences(page: str, language: str) -> list[str]:
    return [text for kind, text in FENCE.findall(read(page)) if kind == language]


@pytest.mark.parametrize("page", PAGES)
def test_generated_parts_are_fresh(page: str) -> None:
    assert "generated:" in read(page)
    assert read(page) == filled(read(page)), "run `python -m tests.docs.blocks`"


@pytest.mark.parametrize("page", MARKDOWN)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", read(page)):
        if not target.startswith("https://"):
            assert ((ROOT / page).parent / target).exists(), target


@pytest.mark.parametrize(("page", "count"), [("README.md", 1), ("docs/reference/policy.md", 2)])
def test_every_manifest_in_the_docs_is_sound(page: str, count: int) -> None:
    manifests = fences(page, "yaml")
    assert len(manifests) == count
    for text in manifests:
        assert reader.parse(text.encode(), page)[0].validation is not None


def test_the_policy_example_is_sound_and_fits_its_schema() -> None:
    (text,) = fences("docs/reference/policy.md", "json")
    assert len(document.decode(text.encode(), "example").signers) == 3
    jsonschema.validate(json.loads(text), json.loads(read("docs/reference/policy.schema.json")))


def test_the_report_example_fits_its_schema() -> None:
    (text,) = fences("docs/reference/report.md", "json")
    example = json.loads(text)
    assert example["schema"] == SCHEMA
    assert from_document(example).models[0].files == 5
    jsonschema.validate(example, json.loads(read("docs/reference/report.schema.json")))


def test_every_event_is_in_the_table_of_logs() -> None:
    source = "".join(
        path.read_text(encoding="utf-8") for path in Path(ROOT, "verifier_cli").rglob("*.py")
    )
    events = set(re.findall(r"\.event\(\s*\"([a-z.]+)\"", source))
    table = set(re.findall(r"^\| `([a-z.]+)` \|", read("docs/reference/logs.md"), re.MULTILINE))
    assert events == table


def test_every_variable_of_init_is_documented() -> None:
    source = read("verifier_cli/initcontainer.py")
    for name in set(re.findall(r"\"((?:MODEL_VERIFY|POD)_[A-Z0-9_]+)\"", source)):
        assert f"`{name}`" in read("docs/reference/init.md"), name


def test_every_dependency_is_justified_in_one_line() -> None:
    pyproject = read("pyproject.toml")
    block = re.search(r"^dependencies = \[\n(.*?)^\]", pyproject, re.DOTALL | re.MULTILINE)
    assert block is not None
    for name in re.findall(r"^  \"([A-Za-z0-9-]+)", block[1], re.MULTILINE):
        assert f"| [{name}](" in read("docs/dependencies.md"), name


def test_the_readme_names_the_two_commands() -> None:
    assert "make demo" in read("README.md")
    assert "make test" in read("README.md")
