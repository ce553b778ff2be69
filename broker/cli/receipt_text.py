"""What a receipt's statement says, in words for people: lines of a label and a text, Chinese or English."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from rich.table import Table
from rich.text import Text

from broker.cli import correction_text
from broker.cli.disposal_text import disposal_lines
from broker.reasons import Reason, sentence

Lang = StrEnum("Lang", ["zh", "en"])
VERDICT_TITLES = {"permit": "同意", "deny": "不同意", "review": "转人工审核", "needs_supplement": "待补正"}
_ROWS_ZH, _ROWS_EN = (
    "读出 {read}，不合格 {bad}，提供 {released}",
    "read {read}, bad {bad}, released {released}",
)
_LEFT_OUT_ZH, _LEFT_OUT_EN = "，略去 {suppressed}（同类的人太少）", ", left out {suppressed} (too few alike)"
STATUS_TITLES = {"found": "有", "none": "无", "doubtful": "存疑", "stale": "过期"}

STATE_TITLES = {
    "draft": "草稿",
    "filed": "已提交",
    "needs_supplement": "待补正",
    "under_review": "审核中",
    "approved": "已同意",
    "refused": "不同意共享",
    "active": "使用中",
    "suspended": "已暂停",
    "expired": "已到期",
    "terminated": "已终止",
    "withdrawn": "已撤回",
}
"""States of an application that people decide."""
ACT_TITLES = {
    "create": "起草",
    "supplement": "补正",
    "consent": "需求部门同意并提交",
    "return": "一次性告知补正",
    "accept": "受理",
    "endorse": "审核同意（尚缺他人）",
    "approve": "审核同意",
    "refuse": "不同意共享",
    "ask_extension": "请求延长答复期限",
    "extend": "同意延长答复期限",
    "withdraw": "撤回",
    "activate": "生效",
    "suspend": "暂停",
    "resume": "恢复",
    "terminate": "终止",
    "expire": "到期",
    "remind": "催办",
    "escalate": "逾期上报",
}
"""What is done to one."""


def describe(leaf_index: int, statement: dict[str, Any], lang: Lang) -> Table:
    """A statement as a table of two columns for people."""
    zh = lang is Lang.zh
    table = Table(title=f"存证回执 {leaf_index}" if zh else f"Receipt {leaf_index}", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")  # a hash cut short is no hash
    for label_zh, label_en, value in lines(statement, zh):
        if value:
            table.add_row(label_zh if zh else label_en, Text(value))  # text, whatever brackets it holds
    return table


def lines(statement: dict[str, Any], zh: bool) -> list[tuple[str, str, str]]:
    """Chinese label, English label and text of each thing that a statement tells; the text is "" for nothing.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: the statement is not of the documented form.
    """
    if "decision" not in statement:
        return [
            ("类别", "kind", statement["kind"]),
            ("时间", "recorded", statement["recorded_at"]),
            ("日志", "origin", statement.get("origin", "")),
            *_act(statement),
            *_lodged(statement),
            *_traced(statement),
            *_delivery(statement, zh),
            *disposal_lines(statement, zh),
            *correction_text.lines(statement, zh),
            *_of_subject(statement),
            *_read(statement, zh),
            *_chain(statement),
            *_log_key(statement),
            *_retention(statement, zh),
            *_application(statement, zh),
            *_delegation(statement, zh),
        ]
    decision, outcome = statement["decision"], statement.get("outcome") or {}
    rows = outcome.get("rows", {})
    masks = statement.get("obligations", {}).get("masks", {})
    said = [*decision["reasons"], *decision.get("missing", []), *outcome.get("reasons", [])]
    left_out = (_LEFT_OUT_ZH if zh else _LEFT_OUT_EN) if rows.get("suppressed") else ""
    counted = ((_ROWS_ZH if zh else _ROWS_EN) + left_out).format_map(rows) if rows else ""
    return [
        ("类别", "kind", statement["kind"]),
        ("时间", "recorded", statement["recorded_at"]),
        ("需求部门", "consumer", f"{statement['consumer']['department']}  {statement['consumer']['uri']}"),
        ("提供部门", "provider", statement["provider"]),
        ("数据资源", "dataset", statement["dataset"]),
        ("数据项", "fields", ", ".join(statement["fields"])),
        ("使用场景", "purpose", statement["purpose"]),
        ("使用依据", "legal basis", statement["legal_basis"]),
        ("事项编码", "service item", statement.get("service_item", "")),
        ("办件编号", "case number", statement.get("case_no", "")),
        ("经办人", "operator", statement.get("operator", "")),
        *_turned_back(statement, outcome),
        ("结论", "verdict", VERDICT_TITLES[decision["verdict"]] if zh else decision["verdict"]),
        ("规则", "rules", ", ".join(decision.get("rules", []))),
        ("理由", "reasons", _reasons(said, zh)),
        ("脱敏", "masks", ", ".join(f"{name}: {m['operator']}@{m['version']}" for name, m in masks.items())),
        ("义务", "duties", _duties(statement.get("obligations", {}), zh)),
        ("须在此前销毁", "dispose by", statement.get("dispose_by", "")),
        ("责任状", "use commitments", _committed(statement)),
        ("审核", "review", _reviews(decision.get("reviews", []), zh)),
        ("状态", "status", _status(outcome, zh)),
        ("数据时点", "as of", outcome.get("as_of") or ""),
        ("行数", "rows", counted),
        ("流", "stream", _ending(statement, zh=zh)),
        ("已知至", "known until", outcome.get("known_until", "")),
        ("所属决定", "decision", str(statement.get("decision_leaf", ""))),
        ("重发自", "delivers again", str(statement.get("of", ""))),
        ("请求号", "request id", statement["request_id"]),
        ("策略包", "bundle", decision["bundle"]),
        ("生效序号", "epoch", str(decision.get("epoch", ""))),
    ]


def _turned_back(statement: dict[str, Any], outcome: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Of a detokenization; nothing for other statements."""
    if "released" not in statement:
        return []
    released, approval = statement["released"], statement["approval"]
    return [
        ("事由", "reason", statement["reason"]),
        ("提供时的回执", "receipt of the release", str(released["receipt"])),
        ("曾提供给", "released to", released["consumer"]),
        ("审批人", "approved by", approval["officer"]),
        ("审批摘要", "approval", approval["digest"]),
        ("令牌数", "tokens", str(statement["tokens"])),
        ("还原数", "turned back", str(outcome.get("known", ""))),
    ]


def _committed(statement: dict[str, Any]) -> str:
    return ", ".join(
        f"{one['template']} v{one['version']} {one['signer']} → {one['expires']}"
        + (f" ({one['lodged']})" if "lodged" in one else "")
        for one in statement.get("commitments", [])
    )


def _lodged(statement: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Of a use commitment that is lodged, or withdrawn; nothing for other statements."""
    if "commitments" in statement:
        consumer = statement["consumer"]
        return [
            ("需求部门", "consumer", f"{consumer['department']}  {consumer['uri']}"),
            ("提供部门", "provider", statement["provider"]),
            ("数据资源", "dataset", statement["dataset"]),
            ("使用场景", "purpose", statement["purpose"]),
            ("责任状", "use commitment", _committed(statement)),
        ]
    if (ended := statement.get("commitment")) is None:
        return []
    bound = (ended["template"], ended["consumer"], ended["dataset"], ended["purpose"])
    return [("撤回责任状", "withdraws the commitment", f"{ended['leaf']}: {', '.join(bound)}")]


def _traced(statement: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Of a trace; nothing for other statements."""
    if "found" not in statement:
        return []
    found = [
        f"{one['consumer']}  {one['purpose']}: {', '.join(map(str, one['receipts']))}"
        for one in statement["found"]
    ]
    return [
        ("追查者", "actor", statement["actor"]),
        ("原因", "reason", statement["reason"]),
        ("文件", "file", f"sha256 {statement['file']['sha256']}"),
        ("查到", "found", "\n".join(found) or "无 none"),
    ]


_SAID = {
    "acknowledgement": ("已确认收到", "acknowledged"),
    "acknowledgement_disputed": ("有争议：所收到的与存证不符", "disputed: something else was received"),
    "acknowledgement_missing": ("逾期未确认", "not acknowledged in time"),
}


def _delivery(statement: dict[str, Any], zh: bool) -> list[tuple[str, str, str]]:
    """What is said of a delivery; nothing for other statements."""
    if statement["kind"] not in _SAID:
        return []
    consumer, signer = statement["consumer"], statement.get("signer", {})
    late = {True: ("是", "yes"), False: ("否", "no"), None: ("", "")}[statement.get("late")]
    return [
        ("交付", "delivery", _SAID[statement["kind"]][0 if zh else 1]),
        ("交付回执", "receipt of the delivery", str(statement["of"])),
        ("首次交付回执", "first delivered as", str(statement.get("delivery", ""))),
        ("需求部门", "consumer", f"{consumer['department']}  {consumer['uri']}"),
        ("提供部门", "provider", statement["provider"]),
        ("数据资源", "dataset", statement["dataset"]),
        ("使用场景", "purpose", statement["purpose"]),
        ("收到时间", "received", statement.get("received_at", "")),
        ("确认期限", "due", statement.get("due_at", "")),
        ("逾期", "late", late[0 if zh else 1]),
        ("所收摘要", "digest received", statement.get("digest", "")),
        ("签署者", "signed by", signer.get("uri", "")),
        ("签署证书", "signer's certificate", signer.get("certificate", "")),
        ("生效序号", "epoch", str(statement.get("epoch", ""))),
    ]


def _of_subject(statement: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Of a person's own view or of forgetting a person; nothing for other statements."""
    if statement["kind"] not in ("subject_access", "subject_forgotten"):
        return []
    told = [("告知存证", "receipts told", "receipts"), ("缺失", "missing", "missing")]
    return [
        ("经手人", "actor", statement["actor"]),
        ("原因", "reason", statement["reason"]),
        *((zh, en, str(statement[name])) for zh, en, name in told if name in statement),
        ("密钥库行", "row of the vault", statement.get("forgotten", "")),
    ]


def _read(statement: dict[str, Any], zh: bool) -> list[tuple[str, str, str]]:
    """What an auditor was given to read; nothing for other statements."""
    if statement["kind"] != "audit_read":
        return []
    reader, given, filters = statement["reader"], statement["given"], dict(statement["filters"])
    if tags := filters.pop("subject_tags", None):
        people = f"{tags['count']} 个标签" if zh else f"{tags['count']} tags"
        filters["subject_tags"] = f"{people} sha256 {tags['digest']}"
    leaves = f"{given['first']}-{given['last']}" if given["count"] else ""
    return [
        ("查阅者", "reader", f"{reader['department']}  {reader['uri']}"),
        ("条件", "filters", "\n".join(f"{name}: {value}" for name, value in sorted(filters.items()))),
        ("查到条数", "receipts given", str(given["count"])),
        ("序号范围", "leaves", leaves),
        ("附证明", "with proofs", ("是" if zh else "yes") if statement["proofs"] else ""),
    ]


def _chain(statement: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Of a certificate that acts for the first time; nothing for other statements."""
    if "chain" not in statement:
        return []
    return [
        ("持有者", "holder", statement["holder"]),
        ("证书链", "certificates", "\n".join(f"sha256 {link['sha256']}" for link in statement["chain"])),
        ("吊销列表", "revocation list", statement.get("crl", {}).get("number", "")),
    ]


def _log_key(statement: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Of a log's next key; nothing for other statements."""
    if statement["kind"] != "log_key":
        return []
    return [
        ("新的日志公钥", "next key of the log", statement["verifier_key"]),
        ("决定者", "actor", statement["actor"]),
        ("原因", "reason", statement["reason"]),
    ]


def _retention(statement: dict[str, Any], zh: bool) -> list[tuple[str, str, str]]:
    """Of statements erased because their time is over; nothing for other statements."""
    if statement["kind"] != "retention":
        return []
    erased, years = statement["erased"], statement["years"]
    return [
        ("保存期限", "kept for", f"{years} 年" if zh else f"{years} years"),
        ("早于", "recorded before", statement["before"]),
        ("删除条数", "statements erased", str(erased["count"])),
        ("序号范围", "leaves", f"{erased['first']}-{erased['last']}"),
        ("另定期限", "kept for years of their own", _others(statement, zh)),
        ("暂不删除", "on hold", _held(statement, zh)),
        ("决定者", "actor", statement["actor"]),
        ("原因", "reason", statement["reason"]),
    ]


def _others(statement: dict[str, Any], zh: bool) -> str:
    periods = {**statement.get("datasets", {}), **statement.get("purposes", {})}
    return ", ".join(f"{name}: {years} {'年' if zh else 'years'}" for name, years in periods.items())


def _held(statement: dict[str, Any], zh: bool) -> str:
    cases = statement.get("hold_cases", {}).get("count", 0)
    counted = [f"{cases} 件办件" if zh else f"{cases} case(s)"] if cases else []
    return ", ".join([*statement["hold"], *counted])


def _application(statement: dict[str, Any], zh: bool) -> list[tuple[str, str, str]]:
    """Of an act upon an application that people decide; nothing for other statements."""
    if statement["kind"] != "application":
        return []
    before, after = (STATE_TITLES.get(statement[name], "") for name in ("before", "after"))
    step = f"{before} → {after}" if zh else f"{statement['before'] or ''} → {statement['after']}"
    return [
        ("申请", "application", f"applications/{statement['application']}"),
        ("办理动作", "act", ACT_TITLES[statement["act"]] if zh else statement["act"]),
        ("状态", "state", step),
        ("需求部门", "consumer", statement["consumer"]["department"]),
        ("提供部门", "provider", statement["provider"]),
        ("数据资源", "dataset", statement["dataset"]),
        ("使用场景", "purpose", statement["purpose"]),
        ("办理人", "actor", statement.get("caller", {}).get("uri", "sharebroker")),
        ("理由", "reason", statement.get("reason", "")),
        ("依据", "legal basis", statement.get("legal_basis", "")),
        ("缺少", "missing", _reasons(statement.get("missing", []), zh)),
        ("办理期限", "due", statement.get("due_at", "")),
        ("签名摘要", "signatures", "\n".join(statement.get("signed", []))),
        ("内容摘要", "terms", statement["terms"]),
    ]


def _delegation(statement: dict[str, Any], zh: bool) -> list[tuple[str, str, str]]:
    """Who reviews in whose place; nothing for other statements."""
    if statement["kind"] != "delegation":
        return []
    act = {"delegate": ("委托审核", "delegated"), "revoke": ("撤销委托", "taken back")}[statement["act"]]
    return [
        ("委托", "delegation", f"delegations/{statement['delegation']}"),
        ("办理动作", "act", act[0 if zh else 1]),
        ("委托人", "officer", statement["officer"]["uri"]),
        ("受托人", "delegate", statement["delegate"]["uri"]),
        ("起", "from", statement["valid_from"]),
        ("止", "until", statement["valid_until"]),
        ("办理人", "actor", statement["caller"]["uri"]),
    ]


def _act(statement: dict[str, Any]) -> list[tuple[str, str, str]]:
    """What moved the epoch; nothing for other statements."""
    if statement["kind"] != "epoch":
        return []
    suspension, publication = statement.get("suspension", {}), statement.get("publication", {})
    approvals = [f"{one['officer']}  sha256 {one['digest']}" for one in publication.get("approvals", ())]
    return [
        ("行为", "act", statement["act"]),
        ("生效序号", "epoch", str(statement["epoch"])),
        ("策略包", "bundle", statement["bundle"]),
        ("吊销列表", "revocation list", statement["crl"]["number"]),
        ("暂停", "suspension", " ".join(str(value) for value in suspension.values())),
        ("共享授权", "grant", " ".join(str(value) for value in statement.get("grant", {}).values())),
        ("策略版本", "sequence", str(publication.get("sequence", ""))),
        ("提议人", "proposed by", publication.get("proposer", "")),
        ("审批人", "approved by", "\n".join(approvals)),
        ("决定者", "actor", statement["actor"]),
        ("决定者证书", "actor's certificate", statement.get("caller", {}).get("certificate", "")),
        ("原因", "reason", statement["reason"]),
    ]


def _reasons(reasons: list[dict[str, str]], zh: bool) -> str:
    said = [(r["code"], sentence(Reason(r["code"]), r["about"])) for r in reasons]
    return "\n".join(f"{code}: {text.zh if zh else text.en}" for code, text in said)


_DUTIES = {
    "retain_days": ("最多保存 {} 天", "kept for at most {} days"),
    "acknowledge_hours": ("{} 小时内确认收到", "receipt acknowledged within {} hours"),
    "no_onward_sharing": ("不得转供他人", "not to be passed on"),
    "watermark": ("结果带水印", "watermarked"),
    "notify_subject": ("须告知当事人", "the citizen must be told"),
    "countersignature": ("须经提供部门会签", "with the provider's countersignature"),
    "k_anonymity": (
        "k-匿名：每行在 {0[quasi_identifiers]} 上至少与 {0[k]} 人相同",
        "k-anonymous: each row looks like those of {0[k]} people in {0[quasi_identifiers]}",
    ),
    "aggregate": (
        "只给按 {0[by]} 分组的汇总，每组至少 {0[smallest_group]} 人",
        "only totals by {0[by]}, each of at least {0[smallest_group]} people",
    ),
}


def _duties(obligations: dict[str, Any], zh: bool) -> str:
    said = [(zh_said if zh else en, obligations.get(name)) for name, (zh_said, en) in _DUTIES.items()]
    return ("；" if zh else "; ").join(text.format(_listed(value, zh)) for text, value in said if value)


def _listed(value: Any, zh: bool) -> Any:
    """With the lists in a mapping as texts."""
    if not isinstance(value, dict):
        return value
    comma = "、" if zh else ", "
    return {name: comma.join(part) if isinstance(part, list) else part for name, part in value.items()}


def _reviews(reviews: list[dict[str, Any]], zh: bool) -> str:
    return "\n".join(_review(review, zh) for review in reviews)


def _review(review: dict[str, Any], zh: bool) -> str:
    departments, count, days = (
        ", ".join(review["departments"]),
        review["count"],
        review["within_working_days"],
    )
    if zh:
        return f"{departments} 的 {count} 人" + (f"，{days} 个工作日内" if days else "")
    return f"by {count} of {departments}" + (f", within {days} working days" if days else "")


def _status(outcome: dict[str, Any], zh: bool) -> str:
    status = outcome.get("status", "")
    return STATUS_TITLES.get(status, "") if zh else status


def row(statement: dict[str, Any]) -> list[str]:
    """Time, consumer, dataset, purpose and verdict, as the list of receipts shows them."""
    recorded = datetime.fromisoformat(statement["recorded_at"]).astimezone()
    shown = recorded.strftime("%Y-%m-%d %H:%M:%S")
    if statement["kind"] in _SAID:
        names = [statement["consumer"]["department"], statement["dataset"], statement["purpose"]]
        return [shown, *names, _SAID[statement["kind"]][0]]
    if statement["kind"] in correction_text.SAID:
        names = [statement["consumer"]["department"], statement["dataset"], statement["purpose"]]
        return [shown, *names, correction_text.SAID[statement["kind"]][0]]
    if "decision" not in statement:
        return [shown, "", statement["kind"], "", ""]
    return [
        shown,
        statement["consumer"]["department"],
        statement["dataset"],
        statement["purpose"],
        VERDICT_TITLES[statement["decision"]["verdict"]],
    ]


def became(statement: dict[str, Any], outcome_leaf: int | None) -> str:
    """What became of the stream that a statement opens or ends; "" for other statements."""
    if "decision_leaf" in statement:
        return f"{_ending(statement, zh=True)} {_ending(statement, zh=False)} ← {statement['decision_leaf']}"
    if statement["kind"] != "stream_decision" and "lease_seconds" not in statement:
        return ""
    return "未见结束 no outcome" if outcome_leaf is None else f"→ {outcome_leaf}"


def _ending(statement: dict[str, Any], *, zh: bool) -> str:
    if "decision_leaf" not in statement:
        return ""
    if statement["outcome"]["interrupted"]:
        return "中断" if zh else "interrupted"
    return "完成" if zh else "complete"
