"""What a walk found: the files of each directory, and what is no plain file.

By column, since a model can have hundreds of thousands of files: an object for each would take
more memory than all their names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from verifier_cli.model.root import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from verifier_cli.verdict import Finding


@dataclass(slots=True)
class Listing:
    """The files in one directory.

    Attributes:
        base: see `Place`; so is `path`, its `directory`.
        prefix: what the name in the model begins with: "" or "some/directory/".
        files: the name of each in the directory.
        names: the name of each in the model where that is not `prefix` + `file`: behind links.
    """

    base: int
    path: str
    prefix: str = ""
    files: list[str] = field(default_factory=list)
    names: list[str] | None = None

    def name(self, index: int) -> str:
        """The name in the model of the file at `index`."""
        return self.prefix + self.files[index] if self.names is None else self.names[index]

    def named(self) -> Iterable[str]:
        """The names in the model, in order."""
        prefix = self.prefix
        return (prefix + file for file in self.files) if self.names is None else self.names

    def only(self, kept: Sequence[int]) -> Listing:
        """Those at the indices `kept`."""
        names = None if self.names is None else [self.names[index] for index in kept]
        files = [self.files[index] for index in kept]
        return Listing(self.base, self.path, self.prefix, files, names)


@dataclass(slots=True)
class Tree:
    """What is in the model.

    Attributes:
        listings: the files, by the directory that they are in.
        directories: (base, path) -> the stamp each had when it was listed.
        hazards: findings about entries that are not plain files and directories.
        ignored: names that were left out, each with its subtree.
    """

    listings: list[Listing] = field(default_factory=list)
    directories: dict[tuple[int, str], bytes] = field(default_factory=dict)
    hazards: list[Finding] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        """How many files there are."""
        return sum(len(listing.files) for listing in self.listings)

    def files(self) -> Iterator[tuple[str, Place]]:
        """The name of each file in the model, and where its bytes are."""
        for listing in self.listings:
            for name, file in zip(listing.named(), listing.files, strict=True):
                yield name, Place(listing.base, listing.path, file)
