"""Look-ups against a case system's list: look-ups without a case, cases without look-ups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from broker.audit.case_list import CaseList, plain
from broker.audit.columns import columns_of
from broker.audit.form import Line
from broker.model import EntryKind, Verdict

LOOK_UPS = frozenset({EntryKind.EXCHANGE, EntryKind.STREAM_DECISION})
"""What is a look-up if it was permitted; deliveries anew and streams' outcomes belong to one of these."""


class Why(StrEnum):
    """Why a look-up has no case."""

    NO_NUMBER = "no_case_number"
    """Its application gave none."""
    NOT_LISTED = "not_in_the_list"


@dataclass(frozen=True, slots=True)
class LookUp:
    """A look-up without a case."""

    leaf_index: int
    recorded_at: datetime | None
    consumer: str
    operator: str
    dataset: str
    case_no: str
    why: Why


@dataclass(frozen=True, slots=True)
class Spelled:
    """A case whose look-ups write its number otherwise than the list."""

    listed: str
    looked_up_as: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What came of it."""

    look_ups: int
    refused: int
    """Applications that came to nothing: they are no look-ups."""
    erased: int
    """Receipts of which nothing can be told any more."""
    caseless: tuple[LookUp, ...]
    """Newest first."""
    unused: tuple[str, ...]
    """Cases without look-ups, in the order of the list."""
    respelled: tuple[Spelled, ...]
    """What fits only as :func:`~broker.audit.case_list.plain` has it."""

    @property
    def found(self) -> bool:
        """Whether there is anything to look into."""
        return bool(self.caseless or self.unused)


def reconcile(listed: CaseList, lines: Iterable[Line]) -> Reconciled:
    """Compares a list with receipts, newest first."""
    exact = frozenset(listed.cases)
    by_plain: dict[str, list[str]] = defaultdict(list)
    for case in listed.cases:
        by_plain[plain(case)].append(case)
    seen: set[str] = set()
    spellings: dict[str, dict[str, None]] = defaultdict(dict)
    caseless: list[LookUp] = []
    look_ups = refused = erased = 0
    for line in lines:
        if not line.statement:
            erased += 1
            continue
        said = columns_of(line.statement)
        if said["kind"] not in LOOK_UPS:
            continue
        if said["verdict"] != Verdict.PERMIT:
            refused += 1
            continue
        look_ups += 1
        case_no = _text(said["case_no"])
        if case_no in exact:
            seen.add(case_no)
        elif case_no and (fitting := by_plain.get(plain(case_no))):
            seen.update(fitting)
            for case in fitting:
                spellings[case][case_no] = None
        else:
            at = said["recorded_at"]
            caseless.append(
                LookUp(
                    line.leaf_index,
                    at if isinstance(at, datetime) else None,
                    _text(said["consumer"]),
                    _text(said["operator"]),
                    _text(said["dataset"]),
                    case_no,
                    Why.NOT_LISTED if case_no.strip() else Why.NO_NUMBER,
                )
            )
    return Reconciled(
        look_ups=look_ups,
        refused=refused,
        erased=erased,
        caseless=tuple(caseless),
        unused=tuple(case for case in listed.cases if case not in seen),
        respelled=tuple(Spelled(case, tuple(found)) for case, found in spellings.items()),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
