"""What ``policy explain`` explains: an application from a file, a case, or a receipt's statement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from broker.approve.bundle import Bundle
from broker.approve.document import MappingNode, Node, ScalarNode, SequenceNode, parse
from broker.approve.problem import PolicyProblems, Position, Problems
from broker.authoring.applications import Asked, application, read_asked
from broker.authoring.casefile import read_case_files, read_cases
from broker.errors import SetUpError, VerificationFailed
from broker.model import Application, Grant, Suspension

OPTIONS = {"fields": "field", "signed_application": "signed"}
"""Keys whose option has another name."""
_STREAMS = ("stream_decision", "stream_outcome")


@dataclass(frozen=True, slots=True)
class Question:
    """An application, and under which circumstances it is judged."""

    application: Application
    bundle: Bundle
    now: datetime | None = None
    """None: the asker says when, or now."""
    grant: Grant | None = None
    suspensions: tuple[Suspension, ...] = ()
    bundle_hash: str = ""
    """Of a receipt: the bundle that it was decided under."""


def of_file(path: Path, bundle: Bundle) -> Question:
    """The application in a YAML or JSON file, with the keys of a case file's applications.

    Raises:
        PolicyProblems: everything that is wrong with it, each with its place.
    """
    problems = Problems()
    node = parse(path.read_bytes(), path.name, problems)
    asked = read_asked(node, bundle, problems)
    problems.refuse()
    return Question(application(asked, bundle.catalog.city), bundle)


def of_options(options: Mapping[str, str | list[str]], bundle: Bundle) -> Question:
    """The application in options of the command line, by the keys of a case file's applications.

    Raises:
        SetUpError: everything that is wrong with them.
    """
    at = Position("")
    entries: dict[str, tuple[ScalarNode, Node]] = {}
    for name, value in options.items():
        place = Position(f"--{OPTIONS.get(name, name).replace('_', '-')}")
        items = tuple(ScalarNode(place, item) for item in (value if isinstance(value, list) else [value]))
        node = SequenceNode(place, items) if isinstance(value, list) else items[0]
        entries[name] = ScalarNode(place, name), node
    problems = Problems()
    asked = read_asked(MappingNode(at, entries), bundle, problems)
    try:
        problems.refuse()
    except PolicyProblems as refused:
        said = refused.problems
        zh, en = [f"{p.file} {p.zh}".strip() for p in said], [f"{p.file} {p.en}".strip() for p in said]
        raise SetUpError("\n".join(zh), "\n".join(en)) from None
    return Question(application(asked, bundle.catalog.city), bundle)


def of_case(reference: str, bundle: Bundle) -> Question:
    """The case ``<file>#<id>``.

    Raises:
        PolicyProblems: the file is not a sound case file.
        SetUpError: there is no such case.
    """
    file, _, id_ = reference.rpartition("#")
    cases = {case.id: case for case in read_cases(read_case_files(Path(file)), bundle)} if file else {}
    if id_ not in cases:
        raise SetUpError(
            f"没有用例 {reference}；写作 文件#编号，如 policies/cases/newborn.yaml#birth-permitted。",
            f"There is no case {reference}; write FILE#ID as in policies/cases/newborn.yaml#birth-permitted.",
        )
    case = cases[id_]
    return Question(case.application, case.bundle, case.now, case.grant, case.suspensions)


def of_statement(statement: Mapping[str, object], bundle: Bundle) -> Question:
    """The application that a receipt's statement tells of. It names no subjects, only how many there were.

    Raises:
        VerificationFailed: the statement is not of the documented form, or tells of no application.
    """
    try:
        asked, now, hash_ = _asked(statement)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise VerificationFailed(
            "存证内容不含完整的申请 / statement: it does not hold a whole application"
        ) from None
    return Question(application(asked, bundle.catalog.city), bundle, now, bundle_hash=hash_)


def _asked(statement: Mapping[str, object]) -> tuple[Asked, datetime, str]:
    consumer, decision = statement["consumer"], statement["decision"]
    tags, fields = statement["subject_tags"], statement["fields"]
    if not (isinstance(consumer, Mapping) and isinstance(decision, Mapping)):
        raise TypeError
    if not (isinstance(tags, list) and isinstance(fields, list)):
        raise TypeError
    asked = Asked(
        department=_text(consumer, "department"),
        system=_text(consumer, "uri").rpartition("/")[2],
        dataset=_text(statement, "dataset"),
        fields=tuple(str(field) for field in fields),
        purpose=_text(statement, "purpose"),
        subjects=None if statement["kind"] in _STREAMS and not tags else len(tags),
        service_item=_text(statement, "service_item"),
        case_no=_text(statement, "case_no"),
        legal_basis=_text(statement, "legal_basis"),
        operator=_text(statement, "operator"),
        grant=_text(statement, "grant"),
        signed_application=bool(_text(statement, "signed_application")),
        claims=_names(statement.get("claims", [])),
        commitments=tuple(_templates(statement.get("commitments", []))),
    )
    return asked, datetime.fromisoformat(_text(statement, "recorded_at")), _text(decision, "bundle")


def _names(written: object) -> tuple[str, ...]:
    if not isinstance(written, list):
        raise TypeError
    return tuple(str(name) for name in written)


def _templates(written: object) -> Iterator[str]:
    """Of the use commitments that a statement names."""
    if not isinstance(written, list):
        raise TypeError
    for one in written:
        yield _text(one, "template")


def _text(members: Mapping[str, object], name: str) -> str:
    value = members[name]
    if not isinstance(value, str):
        raise TypeError
    return value
