"""The options by which auditors say which receipts they want, and where these come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from broker.audit.columns import columns_of
from broker.audit.files import read_export
from broker.audit.form import Line
from broker.cli.connection import connect
from broker.client import Client
from broker.client.questions import Filter
from broker.errors import SetUpError
from broker.model import EntryKind, Verdict
from broker.receipt.statement import instant

Department = Annotated[str, typer.Option(help="提供或需求部门 / provider or consumer")]
Dataset = Annotated[str, typer.Option(help="数据资源 / dataset")]
Purpose = Annotated[str, typer.Option(help="使用场景 / purpose")]
Decision = Annotated[Verdict | None, typer.Option(help="结论 / verdict")]
Kind = Annotated[EntryKind | None, typer.Option(help="存证类别 / kind of receipt")]
Operator = Annotated[str, typer.Option(help="经办人，逐字相同 / operator, word for word")]
CaseNo = Annotated[str, typer.Option("--case", help="办件编号，逐字相同 / case number, word for word")]
ServiceItem = Annotated[str, typer.Option("--item", help="事项编码 / service item")]
Rule = Annotated[str, typer.Option(help="作出决定的规则 / rule that decided")]
Reason = Annotated[str, typer.Option(help="理由代码 / code of a reason")]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", help="对象标签，十六进制，可多个 / tag of a subject, hex; repeat")
]
Since = Annotated[datetime | None, typer.Option(help="起 / recorded at or after")]
Until = Annotated[datetime | None, typer.Option(help="止，不含 / recorded before")]
Broker = Annotated[
    str, typer.Option("--broker", envvar="SHAREBROKER_ADDRESS", help="服务地址 / address of the broker")
]
Identity = Annotated[
    Path | None,
    typer.Option(
        "--identity", envvar="SHAREBROKER_CREDENTIALS", help="证书目录 / folder of your certificate"
    ),
]
Export = Annotated[
    Path | None, typer.Option("--export", help="改用导出文件，不连接服务 / read an export, not a broker")
]
TrustKey = Annotated[
    Path | None, typer.Option("--trust", help="日志公钥文件：逐条核验证明 / the log's key: verify each proof")
]

AT_ONCE = 1_000


def wanted(**given: Any) -> Filter:
    """The filter, of those that were given.

    Raises:
        SetUpError: a tag is none.
    """
    kept = {name: value for name, value in given.items() if value}
    for name in ("since", "until"):
        if name in kept:
            kept[name] = kept[name].astimezone(UTC)
    if tags := kept.pop("tags", None):
        kept["subject_tags"] = [_tag(tag) for tag in tags]
    return cast("Filter", kept)


def told(filters: Filter) -> Mapping[str, Any]:
    """As an export's header tells it; of tags only how many."""
    said: dict[str, Any] = {}
    for name, value in filters.items():
        if isinstance(value, datetime):
            said[name] = instant(value)
        elif name == "subject_tags":
            said["tags"] = len(value) if isinstance(value, Sequence) else 0
        else:
            said[name] = str(value)
    return said


@contextmanager
def receipts_of(
    broker: str, identity: Path | None, export: Path | None, filters: Filter
) -> Iterator[Iterator[Line]]:
    """The receipts of a broker, or of an export, newest first. Filters are department, purpose, service item
    and time.

    Raises:
        SetUpError: neither is named.
    """
    if export is not None:
        yield (line for line in read_export(export).lines if _matches(columns_of(line.statement), filters))
        return
    filters["page_size"] = AT_ONCE
    with _connected(broker, identity) as client:
        found = client.receipts(timeout=60.0, **filters)
        yield (Line(receipt.leaf_index, receipt.statement) for receipt in found)


def _matches(said: Mapping[str, Any], filters: Filter) -> bool:
    """Whether the columns of a statement are as these filters of :func:`receipts_of` want them."""
    department, at = filters.get("department"), said["recorded_at"]
    since, until = filters.get("since"), filters.get("until")
    return (
        (not department or department in (said["consumer"], said["provider"]))
        and all(said[name] == filters.get(name) for name in ("purpose", "service_item") if filters.get(name))
        and (since is None or (at is not None and at >= since))
        and (until is None or (at is not None and at < until))
    )


def _connected(broker: str, identity: Path | None) -> Client:
    if not broker or identity is None:
        raise SetUpError(
            "请用 --broker 与 --identity 指明服务与证书，或用 --export 指明导出文件。",
            "Name a broker and your certificate with --broker and --identity, or an export with --export.",
        )
    return connect(broker, identity)


def _tag(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise SetUpError("--tag 须为十六进制。", "--tag must be hexadecimal.") from None
