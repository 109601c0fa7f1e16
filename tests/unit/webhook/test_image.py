"""The verifier's image follows the namespace, and never to one that could be moved."""

from __future__ import annotations

import io

import pytest

from tests.schemas import check_log_lines
from verifier_cli.host.logs import Log
from verifier_cli.kube.container import Settings
from verifier_cli.kube.names import IMAGE
from verifier_cli.webhook.image import VerifierImage

ONE, OTHER = (f"registry.example.com/verifier@sha256:{digit * 64}" for digit in "01")


def test_nothing_is_injected_before_an_image_is_named() -> None:
    image = VerifierImage(Log(io.StringIO()), development=False, user=7)
    assert image.fault() == f"no verifier image is named by {IMAGE}"
    with pytest.raises(LookupError):
        _ = image.settings
    image.take(None)
    image.take("registry.example.com/verifier:latest")
    assert image.fault() is not None
    image.take(ONE)
    assert image.fault() is None
    assert image.settings == Settings(ONE, user=7)


def test_another_image_is_used_and_a_wrong_one_is_not() -> None:
    stream = io.StringIO()
    image = VerifierImage(Log(stream), development=False, user=None)
    used = []
    for each in (ONE, ONE, OTHER, "registry.example.com/verifier:latest", None, None, "", ONE):
        image.take(each)
        used.append(image.settings.image)
    assert used == [ONE, ONE, OTHER, OTHER, OTHER, OTHER, OTHER, ONE]
    events = [line["event"] for line in check_log_lines(stream.getvalue())]
    changed, refused = "image.changed", "image.refused"
    assert events == [changed, changed, refused, refused, refused, changed]


def test_a_tag_will_do_for_development() -> None:
    image = VerifierImage(Log(io.StringIO()), development=True, user=None)
    image.take("localhost/verifier:dev")
    image.take(None)
    assert image.settings.image == "localhost/verifier:dev"
