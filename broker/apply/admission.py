"""Step 1, apply: from a request as it came to an :class:`~broker.model.Application`, or all that is wrong.

Malformed is told apart from incomplete: what breaks the contract is refused here with every violation at
once; papers that are merely missing (case number, legal basis …) pass, and policy answers *needs supplement*.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from broker.claims import SPELLINGS, read_claim
from broker.errors import MalformedRequest, Violation
from broker.formats import FORMATS
from broker.model import (
    Application,
    Catalog,
    Claim,
    Dataset,
    FieldType,
    Identity,
    SignedApplication,
    UseCommitment,
)

MAX_TEXT = 200
"""Longest purpose, case number, legal basis … in characters."""
MAX_FIELDS = 200
MAX_NAME = 100
"""Longest name of a dataset or field that the catalog does not have."""
MAX_SUBJECTS = 1_000
MAX_CLAIMED = 200
"""Values claimed in one application; each is counted on its own."""
MOST_COMMITMENTS = 4
MAX_SIGNED_APPLICATION = 128 * 1024
"""Bytes; a signed application carries its certificate, and a salt and a digest for each subject."""

CANONICAL_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""RFC 9562 §4."""

_ID = re.compile("[a-z][a-z0-9_]*(?:\\.[a-z][a-z0-9_]*)?")
"""A dataset's id, or a field's, as catalogs have them."""

VerifySignature = Callable[[bytes, Application], SignedApplication]
"""Verifies a signed application against the request it came with and gives what is held of it."""
VerifyCommitments = Callable[[Sequence[bytes], Application], tuple[UseCommitment, ...]]
"""Verifies the use commitments that came with a request, each against it."""


@dataclass(frozen=True, slots=True)
class Request:
    """An exchange as it came off the wire, nothing checked yet."""

    request_id: str
    dataset: str
    """Resource name, ``datasets/{dataset}``."""
    fields: tuple[str, ...]
    subjects: tuple[str, ...]
    purpose: str
    service_item: str = ""
    case_no: str = ""
    legal_basis: str = ""
    operator: str = ""
    grant: str = ""
    signed_application: bytes = b""
    validate_only: bool = False
    streamed: bool = False
    claims: tuple[Claim, ...] = ()
    signed_commitments: tuple[bytes, ...] = ()


def admit(
    request: Request,
    consumer: Identity,
    catalog: Catalog,
    verify: VerifySignature,
    verify_commitments: VerifyCommitments,
) -> Application:
    """The application that ``consumer`` makes.

    Raises:
        MalformedRequest: every violation of the contract, or a signed application or commitment that does
            not verify.
    """
    name = request.dataset.removeprefix("datasets/")
    dataset = catalog.datasets.get(name)
    violations = tuple(_violations(request, catalog, dataset))
    if violations:
        raise MalformedRequest(violations)
    application = Application(
        consumer=consumer,
        request_id=request.request_id,
        dataset=name,
        fields=request.fields,
        subjects=request.subjects,
        purpose=request.purpose,
        service_item=request.service_item,
        case_no=request.case_no,
        legal_basis=request.legal_basis,
        operator=request.operator,
        grant=request.grant.removeprefix("grants/"),
        validate_only=request.validate_only,
        streamed=request.streamed,
        claims=request.claims,
    )
    if request.signed_application:
        signed = verify(request.signed_application, application)
        application = replace(application, signed=signed, signed_digest=sha256(signed.message).digest())
    if request.signed_commitments:
        committed = verify_commitments(request.signed_commitments, application)
        application = replace(application, commitments=committed)
    return application


def _violations(request: Request, catalog: Catalog, dataset: Dataset | None) -> Iterator[Violation]:
    if not CANONICAL_UUID.fullmatch(request.request_id):
        yield Violation("request_id", "须为小写带连字符的 UUID", "must be a UUID in lower case with hyphens")
    if not request.dataset.startswith("datasets/") or (
        dataset is None and not _is_id(request.dataset.removeprefix("datasets/"))
    ):
        yield Violation(
            "application.dataset", "须形如 datasets/部门.资源", "must read datasets/{department}.{name}"
        )
    if request.grant and not request.grant.startswith("grants/"):
        yield Violation("grant", "须形如 grants/名称", "must read grants/{grant}")
    else:
        yield from text_violations("grant", request.grant)
    if request.purpose not in catalog.purposes:
        yield Violation(
            "application.purpose", "须为目录中的使用场景编号", "must be the id of a purpose in the catalog"
        )
    for name in ("service_item", "case_no", "legal_basis", "operator"):
        yield from text_violations(f"application.{name}", getattr(request, name))
    if len(request.signed_application) > MAX_SIGNED_APPLICATION:
        yield Violation("signed_application", "不得超过 128 KiB", "must not exceed 128 KiB")
    if len(request.signed_commitments) > MOST_COMMITMENTS:
        yield Violation("signed_commitments", f"最多 {MOST_COMMITMENTS} 份", f"at most {MOST_COMMITMENTS}")
    yield from list_violations("application.fields", request.fields, MAX_FIELDS)
    if not request.fields:
        yield Violation("application.fields", "至少写明一个数据项", "name at least one field")
    yield from list_violations("application.subjects", request.subjects, MAX_SUBJECTS)
    if not request.subjects and not request.streamed:
        yield Violation("application.subjects", "至少写明一个查询对象", "name at least one subject")
    yield from _claim_violations(request, dataset)
    if dataset is not None:
        yield from _unknown_fields(request.fields, dataset)
        yield from _misformed_subjects(request.subjects, dataset)
    else:
        yield from _unlikely_fields(request.fields)
        for index, subject in enumerate(request.subjects[:MAX_SUBJECTS]):
            yield from text_violations(f"application.subjects[{index}]", subject)


def _claim_violations(request: Request, dataset: Dataset | None) -> Iterator[Violation]:
    claims, path = request.claims[:MAX_FIELDS], "application.claims"
    if not claims:
        return
    if request.streamed:
        yield Violation(path, "流式共享不收主张", "a stream takes none")
    yield from list_violations(path, tuple(claim.field for claim in request.claims), MAX_FIELDS)
    if sum(text != "" for claim in request.claims for text in claim.texts) > MAX_CLAIMED:
        yield Violation(path, f"最多 {MAX_CLAIMED} 个值", f"at most {MAX_CLAIMED} values")
        return
    for index, claim in enumerate(claims):
        yield from _wrong_claim(f"{path}[{index}]", claim, request, dataset)


def _wrong_claim(path: str, claim: Claim, request: Request, dataset: Dataset | None) -> Iterator[Violation]:
    if claim.field not in request.fields:
        yield Violation(f"{path}.field", "须为所申请的数据项", "must be one of the fields asked for")
    if len(claim.texts) != len(request.subjects) or not any(claim.texts):
        yield Violation(
            f"{path}.values",
            "须与查询对象一一对应，没有的留空，但不得全空",
            "one for each subject, empty where there is none, but not all of them",
        )
        return
    described = dataset.fields.get(claim.field) if dataset is not None else None
    for place, text in enumerate(claim.texts):
        yield from text_violations(f"{path}.values[{place}]", text)
        if described is not None and not _is_spelled(text, described.type):
            example = SPELLINGS[described.type]
            yield Violation(f"{path}.values[{place}]", f"须形如 {example}", f"must be spelled like {example}")


def _is_spelled(text: str, kind: FieldType) -> bool:
    try:
        read_claim(text, kind)
    except ValueError:
        return False
    return True


def text_violations(path: str, text: str, most: int = MAX_TEXT) -> Iterator[Violation]:
    """What is wrong with a text, of ``most`` characters, that stands in a receipt."""
    if len(text) > most:
        yield Violation(path, f"不得超过 {most} 个字符", f"must not exceed {most} characters")
    elif text != text.strip() or not (text.isprintable() or not any(map(_is_invisible, text))):
        yield Violation(
            path,
            "不得含首尾空白或不可见字符",
            "must not begin or end with spaces or hold invisible characters",
        )


def _is_invisible(character: str) -> bool:
    """A control, format, private or unassigned character or a line separator: not to be seen in a receipt."""
    category = unicodedata.category(character)
    return category[0] == "C" or category in ("Zl", "Zp")


def list_violations(path: str, values: tuple[str, ...], most: int) -> Iterator[Violation]:
    """What is wrong with a list whose items come once."""
    if len(values) > most:
        yield Violation(path, f"最多 {most} 个", f"at most {most}")
        return
    if len(set(values)) == len(values):
        return
    seen: set[str] = set()
    for index, value in enumerate(values):
        if value in seen:
            yield Violation(f"{path}[{index}]", "重复", "repeated")
        seen.add(value)


def _unknown_fields(fields: tuple[str, ...], dataset: Dataset) -> Iterator[Violation]:
    for index, name in enumerate(fields[:MAX_FIELDS]):
        if name not in dataset.fields:
            yield Violation(
                f"application.fields[{index}]", "目录中没有该数据项", "the catalog has no such field"
            )


def _unlikely_fields(fields: tuple[str, ...]) -> Iterator[Violation]:
    """Of a dataset that the catalog does not have: names that no catalog could have either."""
    for index, name in enumerate(fields[:MAX_FIELDS]):
        if not _is_id(name) or "." in name:
            zh, en = "须为小写字母、数字、下划线", "must be lower case, digits and _"
            yield Violation(f"application.fields[{index}]", zh, en)


def _is_id(name: str) -> bool:
    return len(name) <= MAX_NAME and bool(_ID.fullmatch(name))


def _misformed_subjects(subjects: tuple[str, ...], dataset: Dataset) -> Iterator[Violation]:
    subject_format = FORMATS[dataset.subject_format]
    for index, subject in enumerate(subjects[:MAX_SUBJECTS]):
        if not subject_format.matches(subject):
            yield Violation(
                f"application.subjects[{index}]",
                f"不是有效的{subject_format.title}",
                f"not a valid {subject_format.name}",
            )
