"""``sharebroker audit export``: many receipts to one file, with proofs to one signed log head."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from broker.audit.exporting import Asked, export_receipts
from broker.audit.form import Form
from broker.cli.audit import subject as by_person
from broker.cli.audit import wanted as of
from broker.cli.connection import Address, Folder, connect
from broker.cli.epoch import DEFAULT_CONFIG
from broker.cli.maintenance import progress_bars
from broker.client import Credentials
from broker.errors import SetUpError

EXIT_NOTHING = 1


def export(
    out: Annotated[Path, typer.Argument(help="输出文件 / file to write")],
    address: Address,
    identity: Folder,
    form: Annotated[
        Form | None, typer.Option("--as", help="形式，缺省依文件名 / form; by the file's name if absent")
    ] = None,
    proofs: Annotated[
        bool,
        typer.Option("--proofs/--no-proofs", help="附证明，可离线核验 / with proofs, to be verified offline"),
    ] = True,
    trust: of.TrustKey = None,
    department: of.Department = "",
    dataset: of.Dataset = "",
    purpose: of.Purpose = "",
    decision: of.Decision = None,
    kind: of.Kind = None,
    operator: of.Operator = "",
    case_no: of.CaseNo = "",
    service_item: of.ServiceItem = "",
    rule: of.Rule = "",
    reason: of.Reason = "",
    tags: of.Tags = None,
    subject: by_person.Subject = False,
    why: by_person.Why = "",
    config: by_person.Config = DEFAULT_CONFIG,
    since: of.Since = None,
    until: of.Until = None,
) -> None:
    """把存证及其证明导出为一个文件 / export receipts and their proofs to one file.

    文件写完才出现；本次导出本身也会存证。用 audit verify 核验。

    The file appears once it is whole; the export itself leaves receipts. Verify it with audit verify.
    """
    filters = of.wanted(
        department=department,
        dataset=dataset,
        purpose=purpose,
        verdict=decision,
        kind=kind,
        operator=operator,
        case_no=case_no,
        service_item=service_item,
        rule=rule,
        reason=reason,
        tags=tags,
        since=since,
        until=until,
    )
    form = form or _form(out)
    reader = Credentials.load(identity).uri
    if subject and not by_person.of_person(filters, why, config, reader):
        print("日志中没有此人的存证，未写文件 / the log has nothing of the person; no file written")
        raise typer.Exit(EXIT_NOTHING)
    asked = Asked(reader, datetime.now(UTC), of.told(filters), proofs)
    filters["page_size"], filters["proofs"] = of.AT_ONCE, proofs
    with connect(address, identity, trust) as broker, progress_bars() as report:
        receipts = broker.receipts(timeout=60.0, **filters)
        header = export_receipts(
            out, form, asked, receipts, lambda: (broker.checkpoint(), broker.log_keys().notes), report
        )
    print(f"已写入 {header.count} 条 / {header.count} receipts written: {out}")


def _form(out: Path) -> Form:
    try:
        return Form(out.suffix.removeprefix(".").lower())
    except ValueError:
        forms = " | ".join(Form)
        raise SetUpError(
            f"请用 --as 指明形式（{forms}），或以此为文件名的后缀。",
            f"Name a form with --as ({forms}), or by the suffix of the file's name.",
        ) from None
