"""The verifier's image follows the ConfigMap, and never to one that could be moved."""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

from tests.schemas import check_log_lines
from verifier_cli.host.logs import Log
from verifier_cli.kube.container import Settings
from verifier_cli.webhook import image as image_module
from verifier_cli.webhook.image import ImageFile

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

ONE, OTHER = (f"registry.example.com/verifier@sha256:{digit * 64}" for digit in "01")


def test_another_image_is_used_and_a_wrong_one_is_not(tmp_path: Path) -> None:
    file, stream = tmp_path / "verifierImage", io.StringIO()
    used: list[Settings] = []
    file.write_text(ONE)
    followed = ImageFile(file, Settings(ONE, user=7), used.append, Log(stream))
    followed.look()
    assert used == []
    file.write_text(f"{OTHER}\n")
    followed.look()
    followed.look()
    assert used == [Settings(OTHER, user=7)]
    file.write_text("registry.example.com/verifier:latest")
    followed.look()
    followed.look()
    file.unlink()
    followed.look()
    file.write_text(ONE)
    followed.look()
    assert used == [Settings(OTHER, user=7), Settings(ONE, user=7)]
    events = [line["event"] for line in check_log_lines(stream.getvalue())]
    assert events == ["image.changed", "image.refused", "image.refused", "image.changed"]


def test_it_is_looked_at_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_module, "LOOK_SECONDS", 0.001)
    file = tmp_path / "verifierImage"
    file.write_text(OTHER)
    used: list[Settings] = []
    followed = ImageFile(file, Settings(ONE), used.append, Log(io.StringIO()))

    async def main() -> None:
        following = asyncio.create_task(followed.follow())
        while not used:  # noqa: ASYNC110  (the thing tested knows no events)
            await asyncio.sleep(0.001)
        following.cancel()

    asyncio.run(asyncio.wait_for(main(), 10))
