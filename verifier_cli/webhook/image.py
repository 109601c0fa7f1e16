"""The verifier's image, which may be changed while the webhook runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verifier_cli.kube.container import Settings
from verifier_cli.kube.names import IMAGE

if TYPE_CHECKING:
    from verifier_cli.host.logs import Log


class VerifierImage:
    """What is injected; nothing before the first image is named."""

    def __init__(self, log: Log, *, development: bool, user: int | None) -> None:
        """Starts without an image; the rest is as in `Settings`."""
        self._log = log
        self._development = development
        self._user = user
        self._seen: str | None = ""
        self._settings: Settings | None = None

    @property
    def settings(self) -> Settings:
        """With the image that was named last.

        Raises:
            LookupError: there was none, as `fault` says.
        """
        if self._settings is None:
            raise LookupError("no image")
        return self._settings

    def fault(self) -> str | None:
        """Why nothing can be injected; None if it can."""
        return f"no verifier image is named by {IMAGE}" if self._settings is None else None

    def take(self, image: str | None) -> None:
        """Injects this image from now on; one that cannot be used leaves the last one."""
        if image == self._seen:
            return
        self._seen = image
        try:
            self._settings = Settings(image or "", development=self._development, user=self._user)
        except ValueError as error:
            self._log.event("image.refused", f"the last image stays: {error}")
            return
        self._log.event("image.changed", "this verifier is injected from now on", image=image)
