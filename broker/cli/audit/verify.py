"""``sharebroker audit verify``: a whole log or an export, judged from the auditor's own key alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import orjson
import typer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from broker.audit.files import read_export
from broker.audit.form import Export
from broker.audit.verify.evidence import DatabasePlace, FolderPlace, Place
from broker.audit.verify.exports import verify_export
from broker.audit.verify.heads import learnt, open_head
from broker.audit.verify.remarks import Nature, Remark
from broker.audit.verify.run import MOST_REMARKS, Job, Report
from broker.audit.verify.run import verify as verify_log
from broker.audit.verify.said import Anchors
from broker.audit.verify.whole import Earlier
from broker.cli import receipt_forms as forms
from broker.cli.connection import Json, read_trust, read_witnesses
from broker.cli.maintenance import progress_bars
from broker.errors import SetUpError, VerificationFailed
from broker.receipt.export import MAX_NOTE_BYTES
from broker.receipt.log_keys import LogKeys
from broker.receipt.memory import remembered
from broker.receipt.note import Checkpoint
from broker.receipt.public import CHECKPOINT
from broker.receipt.verify import verify_checkpoint, verify_receipt
from broker.receipt.witnesses import WitnessPolicy
from broker.settings import load_settings

EXIT_OWED, EXIT_UNVERIFIED = 1, 3
SMALL, SMALL_BARE = 50_000, 1_000_000
"""Leaves, with statements and without, below which processes take longer to start than to verify."""


def verify(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="配置文件（.toml）、数据库文件或 URL、`log export` 的目录、`audit export` 的文件 / "
            "settings file, database file or URL, folder of `log export`, file of `audit export`",
        ),
    ],
    key: Annotated[
        Path, typer.Option("--key", "--trust", help="日志公钥文件，须另行取得 / log's key, got separately")
    ],
    checkpoint: Annotated[
        Path | None, typer.Option(help="日志头；数据库 URL 必需 / signed head; needed with a database URL")
    ] = None,
    earlier: Annotated[
        list[Path] | None,
        typer.Option(help="以前留存的日志头或回执，可多个 / heads or receipts kept from before; repeat"),
    ] = None,
    witnesses: Annotated[
        Path | None, typer.Option(help="见证要求（tlog-policy） / witness policy (tlog-policy)")
    ] = None,
    ca: Annotated[Path | None, typer.Option(help="发证机构证书 / the authority's certificate")] = None,
    workers: Annotated[int, typer.Option(min=0, help="进程数，0 为自动 / processes; 0: by size")] = 0,
    journal: Annotated[
        Path | None, typer.Option(help="核验记录，中断后接着做 / journal, to go on after an interruption")
    ] = None,
    as_json: Json = False,
) -> None:
    """只凭公钥核验整个日志或一份导出：签名、存证、树、先后与缺失 / verify a log or export by its key alone.

    退出码：0 全部成立；1 成立但有逾期未记的；3 有不成立、自相矛盾或缺失的。

    Exit codes: 0 all holds; 1 all holds, but something due is not there; 3 something does not hold,
    contradicts itself, or is missing.
    """
    anchors = Anchors(read_trust(key), _policy(witnesses), _authority(ca))
    place, note, export = _evidence(what, anchors, checkpoint)
    successions = export.header.successions if export else ()
    anchors = replace(anchors, keys=learnt(place, anchors.keys, successions))
    head, remarks = open_head(note, anchors)
    kept = [_earlier(file, anchors.keys) for file in earlier or ()]
    job = Job(place, anchors, head, kept, workers or _processes(place, export, head), journal)
    with progress_bars() as report:
        if export is None:
            found = verify_log(job, report)
        else:
            _comparable(kept)
            _same_size(export, head)
            found = verify_export(job, export, report)
    for remark in remarks:
        found.add(remark)
    print(orjson.dumps(_machine(found)).decode() if as_json else _text(found))
    if found.unverified:
        raise typer.Exit(EXIT_UNVERIFIED)
    if found.counted[Nature.OVERDUE]:
        raise typer.Exit(EXIT_OWED)


# ── what is given ────────────────────────────────────────────────────────────────────────────────


Evidence = tuple[Place | None, str, Export | None]
"""Where it is, or the export that it is, and between them its signed head."""


def _evidence(what: str, anchors: Anchors, checkpoint: Path | None) -> Evidence:
    path = Path(what)
    if "://" in what:
        return DatabasePlace(what), _note(checkpoint or _needed()), None
    if path.is_dir():
        return FolderPlace(path), _note(checkpoint or path / CHECKPOINT), None
    if path.suffix == ".toml":
        settings = load_settings(path)
        state = settings.path(settings.keys.signer_state)
        note = _note(checkpoint) if checkpoint else remembered(state, anchors.keys)
        return DatabasePlace(settings.store_url), note, None
    if _begins(path).startswith(b"SQLite format 3\x00"):
        return DatabasePlace(f"sqlite:///{path.absolute()}"), _note(checkpoint or _needed()), None
    export = read_export(path)
    if not export.header.proofs:
        raise VerificationFailed(
            "导出文件不含证明，无从核验；请重新导出并附证明 / "
            "export: it has no proofs, so nothing of it can be verified; export it again with proofs"
        )
    return None, export.header.checkpoint, export


def _processes(place: Place | None, export: Export | None, head: Checkpoint) -> int:
    leaves = export.header.count if export else head.size
    small = SMALL_BARE if place and not place.has_statements else SMALL
    return 1 if leaves < small else len(os.sched_getaffinity(0))


def _comparable(kept: Sequence[Earlier]) -> None:
    if kept:
        raise SetUpError(
            "导出文件不能与以前的日志头比较：--earlier 需要整个日志（数据库或 `log export` 的目录）。",
            "An export cannot be compared with earlier heads: --earlier needs a whole log (a database, or a "
            "folder of `log export`).",
        )


def _same_size(export: Export, head: Checkpoint) -> None:
    if export.header.tree_size != head.size:
        raise VerificationFailed("导出文件的树大小与日志头不符 / export: tree size is not the checkpoint's")


def _needed() -> Path:
    raise SetUpError(
        "数据库本身不含已签名的日志头：请用 --checkpoint 指明（公开目录中的 checkpoint，或见证人留存的）。",
        "A database holds no signed head: give one with --checkpoint, such as the file `checkpoint` of the "
        "published log, or one that a witness kept.",
    )


def _begins(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(16)
    except OSError as error:
        raise SetUpError(
            f"无法读取 {path}（{error.strerror}）。", f"{path} cannot be read ({error.strerror})."
        ) from None


def _note(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_NOTE_BYTES + 1).decode("utf-8", "replace")
    except OSError:
        raise SetUpError(f"无法读取日志头 {path}。", f"The signed head {path} cannot be read.") from None


def _earlier(path: Path, keys: LogKeys) -> Earlier:
    """A head, or the head of a receipt of any form, which must hold under it."""
    note = _note(path)
    if note.startswith(f"{keys.name}\n"):
        return Earlier(path.name, verify_checkpoint(note, keys))
    return Earlier(path.name, verify_receipt(forms.read(path).receipt, keys).checkpoint)


def _policy(path: Path | None) -> WitnessPolicy | None:
    return read_witnesses(path) if path else None


def _authority(path: Path | None) -> bytes:
    if path is None:
        return b""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)
    except ValueError:
        raise SetUpError(f"{path} 不是 PEM 证书。", f"{path} is no PEM certificate.") from None


# ── what is said ─────────────────────────────────────────────────────────────────────────────────


def _machine(found: Report) -> dict[str, object]:
    return {
        "leaves": found.head.size,
        "origin": found.head.origin,
        "root": found.root.hex(),
        "signed_root": found.head.root.hex(),
        "statements": dict(sorted((str(kind), count) for kind, count in found.kinds.items())),
        "without_statement": found.absent,
        "expired": found.expired,
        "resumed": found.resumed,
        "counted": {nature.value: found.counted[nature] for nature in Nature},
        "findings": [{"nature": one.nature.value, **asdict(one.finding)} for one in found.remarks],
    }


def _text(found: Report) -> str:
    lines = [_line(remark) for remark in found.remarks]
    total = sum(found.counted.values())
    if total > len(lines):
        lines.append(f"… 共 {total} 处，只列出前 {MOST_REMARKS} 处 / {total} in all, the first listed")
    return "\n".join([*lines, *_summary(found)])


def _line(remark: Remark) -> str:
    said, found = remark.nature.said, remark.finding
    where = " ".join(part for part in (found.table, found.row, found.column) if part)
    return f"[{said.zh} {said.en}] {where}: {found.zh} / {found.en}"


def _summary(found: Report) -> list[str]:
    head, kinds = found.head, sum(found.kinds.values())
    counted = "，".join(f"{n.said.zh} {found.counted[n]}" for n in Nature if found.counted[n])
    counted_en = ", ".join(f"{n.said.en} {found.counted[n]}" for n in Nature if found.counted[n])
    expired = ("", "")
    if found.expired:
        expired = (
            f"（其中 {found.expired} 条保存期满，有存证说明）",
            f" ({found.expired} erased by age, as leaves say)",
        )
    about = (
        f"日志 {head.origin} 前 {head.size} 条，{kinds} 份存证内容，{found.absent} 条无内容{expired[0]}",
        f"first {head.size} leaves of {head.origin}, {kinds} statements, {found.absent} leaves without one"
        f"{expired[1]}",
    )
    if found.unverified:
        return [f"核验未通过：{counted}；{about[0]}。", f"Does not verify: {counted_en}; {about[1]}."]
    owed = (f"；{counted}", f"; {counted_en}") if counted else ("", "")
    return [
        f"核验通过：{about[0]}，树根 {found.root.hex()}{owed[0]}。",
        f"Verified: {about[1]}, root {found.root.hex()}{owed[1]}.",
    ]
