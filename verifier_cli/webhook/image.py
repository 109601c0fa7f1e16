"""The verifier's image as a mounted ConfigMap has it: a change is taken while the webhook runs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from verifier_cli.host.logs import Log
    from verifier_cli.kube.container import Settings

LOOK_SECONDS = 2


class ImageFile:
    """Follows a file that holds the reference of an image."""

    def __init__(
        self, path: Path, settings: Settings, use: Callable[[Settings], None], log: Log
    ) -> None:
        """Calls `use` with settings like these whenever the file names another image."""
        self._path = path
        self._settings = settings
        self._use = use
        self._log = log
        self._seen = settings.image

    async def follow(self) -> None:
        """Looks for ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def look(self) -> None:
        """Takes the image that the file names; one that cannot be used leaves the last one."""
        try:
            image = self._path.read_text(encoding="utf-8").strip()
            if image == self._seen:
                return
            self._seen = image
            self._settings = replace(self._settings, image=image)
        except (OSError, ValueError) as error:
            self._log.event("image.refused", f"the last image stays: {error}")
            return
        self._use(self._settings)
        self._log.event("image.changed", "another verifier is injected from now on", image=image)
