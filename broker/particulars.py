"""What auditors look receipts up by, beside parties and time, told from a statement of any kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker.model import Particulars


def particulars_of(statement: Mapping[str, Any]) -> Particulars:
    """Those of a statement; what is of another form than documented counts as nothing."""
    decision, outcome = _object(statement.get("decision")), _object(statement.get("outcome"))
    codes = [*_codes(decision, "reasons"), *_codes(decision, "missing"), *_codes(outcome, "reasons")]
    return Particulars(
        operator=_text(statement.get("operator")),
        case_no=_text(statement.get("case_no")),
        service_item=_text(statement.get("service_item")),
        rules=_texts(decision.get("rules")),
        reasons=tuple(dict.fromkeys(codes)),
        subject_tags=_tags(statement.get("subject_tags")),
    )


def _codes(said: Mapping[str, Any], member: str) -> tuple[str, ...]:
    reasons = said.get(member)
    listed = [_object(why).get("code") for why in reasons] if isinstance(reasons, list) else []
    return _texts(listed)


def _tags(tags: object) -> tuple[bytes, ...]:
    try:
        return tuple(dict.fromkeys(bytes.fromhex(tag) for tag in _texts(tags)))
    except ValueError:
        return ()


def _texts(values: object) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str)) if isinstance(values, list) else ()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
