"""What people write on the command line about an application, and what they may ask for."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from broker.approve.document import MappingNode, ScalarNode, parse
from broker.approve.problem import Problems
from broker.authoring.filing import Draft, Names, read_draft
from broker.errors import BrokerError, SetUpError
from broker.model import SharingMode

if TYPE_CHECKING:
    from broker.client import OfficerClient

ITEMS = "service-items.yaml"
_BETWEEN = re.compile(r"[,，、\s]+")


def drafted(
    file: Path | None,
    dataset: str | None,
    fields: str | None,
    purpose: str | None,
    legal_basis: str | None,
    scenario: str | None,
    whole: bool | None,
    mode: SharingMode | None,
    rows_per_call: int | None,
    rows_total: int | None,
    first_day: datetime | None,
    last_day: datetime | None,
    operator: str | None,
    papers: list[str] | None,
) -> Draft:
    """What the file says, and over it what the options say.

    Raises:
        SetUpError: nothing is said, or a paper is not written as ``kind=file``.
        PolicyProblems: what is wrong with the file.
    """
    options = Draft(
        dataset=dataset,
        fields=tuple(filter(None, _BETWEEN.split(fields))) if fields is not None else None,
        purpose=purpose,
        legal_basis=legal_basis,
        scenario=scenario,
        whole=whole,
        mode=mode,
        rows_per_call=rows_per_call,
        rows_total=rows_total,
        first_day=first_day.date() if first_day else None,
        last_day=last_day.date() if last_day else None,
        operator=operator,
        papers=dict(map(_paper, papers)) if papers else None,
    )
    draft = (read_draft(file) if file else Draft()).under(options)
    if draft == Draft():
        raise SetUpError(
            "请给出申请文件，或用选项写明，见 --help。",
            "Give the application as a file or by options; see --help.",
        )
    return draft


def names_of(broker: OfficerClient, zone: str) -> Names:
    """What the catalog in force has.

    Raises:
        SetUpError: there is no such zone.
    """
    datasets = {one.name.removeprefix("datasets/"): one for one in broker.datasets()}
    try:
        days = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise SetUpError(f"没有时区 {zone}，请写如 Asia/Shanghai。", f"There is no zone {zone}.") from None
    return Names(
        {name: one.title for name, one in datasets.items()},
        {
            name: {field.field: field.title for field in one.fields if field.shared}
            for name, one in datasets.items()
        },
        _purposes(broker),
        days,
    )


def _purposes(broker: OfficerClient) -> dict[str, str]:
    """Id → title; empty for systems, which may not look into the bundle."""
    try:
        content = broker.file(ITEMS)
    except BrokerError:
        return {}
    node = parse(content, ITEMS, Problems())
    _, listed = node.entries.get("purposes", (None, None)) if isinstance(node, MappingNode) else (None, None)
    if not isinstance(listed, MappingNode):
        return {}
    return {key: value.value for key, (_, value) in listed.entries.items() if isinstance(value, ScalarNode)}


def _paper(said: str) -> tuple[str, Path]:
    kind, equals, file = said.partition("=")
    if not (kind and equals and file):
        raise SetUpError(
            f"附件须写成 kind=文件，如 commitment=责任状.pdf，而不是“{said}”。",
            f"A paper is written as kind=file, such as commitment=letter.pdf, not “{said}”.",
        )
    return kind, Path(file)
