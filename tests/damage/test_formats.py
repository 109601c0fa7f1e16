"""Hash algorithms of the registry, and the form of the first releases of model_signing."""

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.builders import (
    FILES,
    IN_TOTO,
    ByKey,
    Json,
    Model,
    b64,
    bundle_of,
    digest,
    encoding,
    expect,
    faulty_encoding,
    findings,
    statement_of,
    statement_v02,
)
from verifier_cli.verdict import Code, Reason

if TYPE_CHECKING:
    from pathlib import Path

MALFORMED = (Reason.SIGNATURE_INVALID, Code.STATEMENT_MALFORMED)


@pytest.mark.parametrize("algorithm", ["sha256", "blake2b", "blake3"])
def test_every_algorithm_of_the_registry(tmp_path: Path, algorithm: str) -> None:
    model = Model(tmp_path).resign(statement_of(FILES, hash_type=algorithm))
    expect(model, Reason.VERIFIED)
    assert not findings(model.verify())


@pytest.mark.parametrize("algorithm", ["sha256", "blake2b", "blake3"])
@pytest.mark.parametrize("name", ["config.json", "weights.bin"])
def test_a_changed_file_by_every_algorithm(tmp_path: Path, algorithm: str, name: str) -> None:
    model = Model(tmp_path).resign(statement_of(FILES, hash_type=algorithm))
    data = FILES[name][:-1] + b"\x7f"
    model.write(name, data)
    report = expect(model, Reason.CONTENT_MISMATCH, Code.FILE_MODIFIED, name)
    (finding,) = findings(report)
    assert finding.expected == digest(FILES[name], algorithm)
    assert finding.actual == digest(data, algorithm)


@pytest.mark.parametrize(
    ("said", "used"),
    [("blake2b", "sha256"), ("blake2b", "blake3"), ("sha256", "blake2b"), ("blake3", "blake2b")],
)
def test_digests_that_are_too_short_or_too_long_for_their_algorithm(
    tmp_path: Path, said: str, used: str
) -> None:
    statement = statement_of(FILES, hash_type=used)
    statement["predicate"]["serialization"]["hash_type"] = said
    for row in statement["predicate"]["resources"]:
        row["algorithm"] = said
    expect(Model(tmp_path).resign(statement), *MALFORMED)


@pytest.mark.parametrize(("said", "used"), [("blake3", "sha256"), ("sha256", "blake3")])
def test_digests_of_another_algorithm(tmp_path: Path, said: str, used: str) -> None:
    statement = statement_of(FILES, hash_type=used)
    statement["predicate"]["serialization"]["hash_type"] = said
    for row in statement["predicate"]["resources"]:
        row["algorithm"] = said
    model = Model(tmp_path).resign(statement)
    modified = [(Code.FILE_MODIFIED, name) for name in FILES]
    expect(model, Reason.CONTENT_MISMATCH, also=modified)


@pytest.mark.parametrize("algorithm", ["sha256", "blake3"])
def test_an_algorithm_of_a_resource_that_is_not_the_one_of_all(
    tmp_path: Path, algorithm: str
) -> None:
    other = {"sha256": "blake3", "blake3": "sha256"}[algorithm]
    statement = statement_of(FILES, hash_type=algorithm)
    statement["predicate"]["resources"][1]["algorithm"] = other
    expect(Model(tmp_path).resign(statement), *MALFORMED)


# The form of 0.2.0: files are subjects, and the bytes that were signed are not those of DSSE.


class Old(Model):
    """A model signed as model_signing 0.2.0 and before did."""

    def __init__(
        self,
        parent: Path,
        statement: Json | None = None,
        *,
        faulty: bool = True,
        algorithm: hashes.HashAlgorithm | None = None,
        curve: ec.EllipticCurve | None = None,
    ) -> None:
        super().__init__(parent)
        by = ByKey.new(curve)
        self.by = by
        self.resign(statement_v02(FILES) if statement is None else statement)
        payload = self.payload
        signed = faulty_encoding(payload) if faulty else encoding(payload)
        signature = by.sign(signed, algorithm or hashes.SHA256())
        material = {"publicKey": {"rawBytes": b64(by.public_pem.encode()), "keyDetails": "ANY"}}
        bundle = bundle_of(material, payload, IN_TOTO, signature)
        bundle["dsseEnvelope"]["signatures"][0]["keyid"] = None
        self.rewrite(bundle)

    @property
    def payload(self) -> bytes:
        return b64decode(self.bundle["dsseEnvelope"]["payload"])


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()])
def test_the_old_form_is_accepted_with_a_warning(tmp_path: Path, curve: ec.EllipticCurve) -> None:
    report = expect(Old(tmp_path, curve=curve), Reason.VERIFIED)
    assert [finding.code for finding in findings(report)] == [Code.FORMAT_DEPRECATED]
    assert report.models[0].signature is not None
    assert report.models[0].signature.format == "v0.2"


def test_the_old_statement_in_a_right_envelope(tmp_path: Path) -> None:
    expect(Old(tmp_path, faulty=False), Reason.VERIFIED)


def test_a_changed_file_under_the_old_form(tmp_path: Path) -> None:
    model = Old(tmp_path)
    model.write("config.json", b"other")
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_MODIFIED, "config.json")


def test_an_unsigned_file_under_the_old_form(tmp_path: Path) -> None:
    model = Old(tmp_path)
    model.write("new", b"")
    expect(model, Reason.CONTENT_MISMATCH, Code.FILE_UNSIGNED, "new")


def test_the_faulty_envelope_around_a_statement_of_today(tmp_path: Path) -> None:
    model = Old(tmp_path, statement_of(FILES))
    expect(model, Reason.SIGNATURE_INVALID, Code.SIGNATURE_WRONG)


def test_the_faulty_envelope_around_a_malformed_old_statement(tmp_path: Path) -> None:
    model = Old(tmp_path, statement_v02(FILES) | {"subject": {}})
    assert model.verify().reason is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("payload", [b"[]", b"null", b"1", b"x", b""])
def test_the_faulty_envelope_around_no_statement(tmp_path: Path, payload: bytes) -> None:
    model = Old(tmp_path)
    assert isinstance(model.by, ByKey)
    signature = model.by.sign(faulty_encoding(payload or b"{}"))
    model.rewrite(bundle_of({"publicKey": {}}, payload or b"{}", IN_TOTO, signature))
    assert model.verify().reason is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("algorithm", [hashes.SHA384(), hashes.SHA512()])
def test_the_faulty_envelope_with_another_hash(
    tmp_path: Path, algorithm: hashes.HashAlgorithm
) -> None:
    model = Old(tmp_path, algorithm=algorithm)
    expect(model, Reason.SIGNATURE_INVALID, Code.SIGNATURE_WRONG)


def test_the_right_envelope_with_the_hash_of_another_curve(tmp_path: Path) -> None:
    model = Old(tmp_path, faulty=False, curve=ec.SECP384R1())
    expect(model, Reason.SIGNATURE_INVALID, Code.SIGNATURE_WRONG)


def test_the_old_form_allows_no_links(tmp_path: Path) -> None:
    model = Old(tmp_path)
    (model.path / "link").symlink_to("config.json")
    expect(model, Reason.POLICY_VIOLATION, Code.SYMLINK_FORBIDDEN, "link")


def _subjects(*names: str) -> Json:
    subjects = [{"name": name, "digest": {"sha256": digest(b"x")}} for name in names]
    return statement_v02({}) | {"subject": subjects}


OLD_FAULTS: dict[str, Json] = {
    "repeated": _subjects("a", "a"),
    "absolute": _subjects("/a"),
    "parent": _subjects("../a"),
    "not normalised": _subjects("a//b"),
    "NUL": _subjects("a\0"),
    "no list": statement_v02({}) | {"subject": {}},
    "a subject that is no object": statement_v02({}) | {"subject": [1]},
    "no digest": statement_v02({}) | {"subject": [{"name": "a"}]},
    "no name": statement_v02({}) | {"subject": [{"digest": {"sha256": digest(b"")}}]},
    "upper case": statement_v02({})
    | {"subject": [{"name": "a", "digest": {"sha256": digest(b"").upper()}}]},
    "another hash": statement_v02({})
    | {
        "subject": [
            {
                "name": "a",
                "digest": {"sha256": digest(b"x")},
                "annotations": {"actual_hash_algorithm": "file-blake2b"},
            }
        ]
    },
    "annotations that are no object": statement_v02({})
    | {"subject": [{"name": "a", "digest": {"sha256": digest(b"")}, "annotations": []}]},
}


@pytest.mark.parametrize("statement", OLD_FAULTS.values(), ids=OLD_FAULTS)
def test_a_malformed_old_statement(tmp_path: Path, statement: Json) -> None:
    expect(Old(tmp_path, statement, faulty=False), *MALFORMED)


def test_an_old_statement_about_nothing(tmp_path: Path) -> None:
    model = Old(tmp_path, statement_v02({}))
    expect(model, Reason.POLICY_VIOLATION, Code.NO_FILE_SIGNED)


@pytest.mark.parametrize(
    "predicate_type",
    ["https://model_signing/Digests/v0.2", "https://model_signing/DigestOfDigests/v0.1"],
)
def test_other_old_predicates(tmp_path: Path, predicate_type: str) -> None:
    statement = statement_v02(FILES) | {"predicateType": predicate_type}
    expect(Old(tmp_path, statement, faulty=False), *MALFORMED)
