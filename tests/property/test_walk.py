"""Whatever links there are: what the walk names lies in the model, and nothing is forgotten."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import example, given, settings
from hypothesis import strategies as st

from verifier_cli.model.root import MODEL, Root
from verifier_cli.model.walk import Walk

if TYPE_CHECKING:
    from verifier_cli.model.tree import Tree

# What a link may say: also absolute paths ("M" is the model, "O" lies beside it).
steps = st.sampled_from(["..", ".", "", "a", "b", "f", "l0", "l1", "l2", "g"])
targets = st.builds(
    lambda start, way, end: start + "/".join(way) + end,
    st.sampled_from(["", "M/", "O/", "/", "M/../"]),
    st.lists(steps, min_size=1, max_size=4),
    st.sampled_from(["", "/"]),
).filter(bool)
places = st.sampled_from(["", "a", "a/b", "b"])
links = st.dictionaries(
    st.tuples(places, st.sampled_from(["l0", "l1", "l2", "l3"])), targets, max_size=5
)


def build(parent: Path, chosen: dict[tuple[str, str], str]) -> Path:
    """A model with links, a secret beside it, and a directory that begins like the model."""
    model = parent / "model"
    for below in (model / "a/b", model / "b", parent / "outside/a", parent / "model2"):
        below.mkdir(parents=True)
    for file in (model / "f", model / "a/g", model / "a/b/f", parent / "outside/f"):
        file.write_bytes(b"1")
    (parent / "f").write_bytes(b"secret")
    (parent / "model2/f").write_bytes(b"secret")
    for (directory, name), target in chosen.items():
        said = target.replace("M", str(model)).replace("O", str(parent / "outside"))
        (model / directory / name).symlink_to(said)
    return model


def walk(model: Path, *, follow: bool) -> Tree:
    with Root(str(model)) as root:
        return Walk(root, ignore=frozenset(), skip=frozenset(), follow=follow).run()


@settings(max_examples=100)
@given(links)
@example({("", "l0"): "l1", ("", "l1"): "l0"})
@example({("", "l0"): "M2/f"})
@example({("a", "l0"): "../l1", ("", "l1"): "../f"})
@example({("", "l0"): "f/"})
def test_no_link_leads_out(chosen: dict[tuple[str, str], str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        parent = Path(directory).resolve()
        model = build(parent, chosen)
        tree = walk(model, follow=True)
        files = dict(tree.files())
        for name, place in files.items():
            assert place.base == MODEL
            found = model / place.directory / place.name
            assert not found.is_symlink()
            # Exactly where the kernel finds it, and there it is a file of the model.
            assert os.path.realpath(model / name) == str(found)
            assert str(found).startswith(f"{model}/")
            assert found.is_file()
            assert (model / name).read_bytes() == b"1"
        named = {hazard.path for hazard in tree.hazards}
        for place_of_link, name in chosen:
            entry = f"{place_of_link}/{name}" if place_of_link else name
            accounted = (
                entry in files
                or entry in named
                or any(other.startswith(f"{entry}/") for other in [*files, *named])
            )
            assert accounted, f"{entry} is neither a file, a directory nor a finding"


@given(links)
def test_where_links_are_forbidden_each_is_a_finding(chosen: dict[tuple[str, str], str]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        model = build(Path(directory).resolve(), chosen)
        tree = walk(model, follow=False)
        found = {hazard.path for hazard in tree.hazards if hazard.code.reason}
        assert found == {f"{where}/{name}" if where else name for where, name in chosen}
        assert {name for name, _ in tree.files()} == {"f", "a/g", "a/b/f"}


names = st.binary(min_size=1, max_size=20).filter(
    lambda raw: not set(raw) & set(b"/\0") and raw not in (b".", b"..")
)


@given(st.sets(names, max_size=6))
def test_every_name_is_found(chosen: set[bytes]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        for name in chosen:
            with open(os.fsencode(directory) + b"/" + name, "wb"):  # noqa: PTH123
                pass
        tree = walk(Path(directory), follow=False)
        assert {os.fsencode(name) for name, _ in tree.files()} == chosen
