"""What statements about disposal say, in words."""

from __future__ import annotations

from typing import Any

CAUSES = {
    "retention": ("保存期满", "kept for as long as allowed"),
    "purpose_ended": ("使用目的已实现或授权终止", "the purpose has ended"),
    "misuse": ("滥用", "misuse"),
    "ordered": ("提前下达", "ordered before the time"),
}
METHODS = {
    "clear": ("清除", "clear"),
    "purge": ("净化", "purge"),
    "destroy": ("物理销毁", "destroy"),
}
_DISPOSALS = {
    "disposal_order": ("须销毁", "to be disposed of"),
    "disposal_certificate": ("已证明销毁", "certified"),
    "disposal_missing": ("逾期没有销毁证明", "not certified in time"),
}


def disposal_lines(statement: dict[str, Any], zh: bool) -> list[tuple[str, str, str]]:
    """Chinese label, English label and text of each thing that is said; nothing for other statements."""
    if statement["kind"] not in _DISPOSALS:
        return []
    at, signer, actor = 0 if zh else 1, statement.get("signer", {}), statement.get("caller", {})
    state = _DISPOSALS[statement["kind"]][at]
    if statement.get("exceptions"):
        state += "（有例外）" if zh else ", with exceptions"
    late = {True: ("是", "yes"), False: ("否", "no"), None: ("", "")}[statement.get("late")]
    return [
        ("销毁", "disposal", state),
        ("销毁指令回执", "receipt of the order", str(statement.get("of", ""))),
        ("需求部门", "consumer", statement["consumer"]["department"]),
        ("提供部门", "provider", statement["provider"]),
        ("数据资源", "dataset", statement["dataset"]),
        ("使用场景", "purpose", statement["purpose"]),
        ("共享授权", "grant", statement.get("grant", "")),
        ("缘由", "cause", CAUSES.get(statement.get("cause", ""), ("", ""))[at]),
        ("处置方式", "method", METHODS.get(statement.get("method", ""), ("", ""))[at]),
        ("交付批次", "deliveries", "\n".join(_set(one, zh) for one in statement.get("sets", ()))),
        ("例外", "kept", "\n".join(_kept(one, zh) for one in statement.get("exceptions", ()))),
        ("处置时间", "disposed", statement.get("disposed_at", "")),
        ("证明期限", "due", statement.get("due_at", "")),
        ("逾期", "late", late[at]),
        ("经办人", "operator", statement.get("operator", "")),
        ("下达者", "actor", actor.get("uri", "")),
        ("原因", "reason", statement.get("reason", "")),
        ("签署者", "signed by", signer.get("uri", "")),
        ("签署证书", "signer's certificate", signer.get("certificate", "")),
        ("清单摘要", "digest of the set", statement.get("digest", "")),
        ("生效序号", "epoch", str(statement.get("epoch", ""))),
    ]


def _set(one: dict[str, Any], zh: bool) -> str:
    leaves = f"{one['first']}-{one['last']}"
    if zh:
        return f"{one['count']} 次，回执 {leaves}，至 {one['dispose_by']}"
    return f"{one['count']} in receipts {leaves}, until {one['dispose_by']}"


def _kept(one: dict[str, Any], zh: bool) -> str:
    leaves = ", ".join(map(str, one["deliveries"]))
    return f"{one['basis']}：回执 {leaves}" if zh else f"{one['basis']}: receipts {leaves}"
