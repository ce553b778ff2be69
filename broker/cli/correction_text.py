"""What a statement about a correction says, in words for people."""

from __future__ import annotations

from typing import Any

ERRORS = {
    "wrong_value": ("值有误", "wrong value"),
    "out_of_date": ("未及时更新", "out of date"),
    "missing_record": ("缺少记录", "missing record"),
    "missing_value": ("该项为空", "missing value"),
    "wrong_person": ("是他人的数据", "another person's"),
    "wrong_format": ("格式不符", "wrong format"),
}
"""Of :class:`broker.model.DataError`: Chinese and English."""

SETTLEMENTS = {
    "corrected": ("已更正", "corrected"),
    "confirmed": ("经核无误", "confirmed as right"),
    "referred": ("已转办", "referred"),
}
"""Of :class:`broker.model.Settlement`, likewise."""

SAID = {
    "correction_report": ("报告有误", "an error is reported"),
    "correction_answer": ("提供部门已答复", "the provider answers"),
    "correction_overdue": ("逾期未答复", "not answered in time"),
    "correction_notice": ("告知曾收到有误数据", "told: what was received was wrong"),
}
"""Kinds of statements about corrections."""

_REACH = {
    "person": ("已按当事人查找", "all receipts about the person were looked for"),
    "receipt": ("未能按当事人查找", "nobody could be found by the person"),
}


def lines(statement: dict[str, Any], zh: bool) -> list[tuple[str, str, str]]:
    """Chinese label, English label and text of what is said of a correction; nothing for other statements."""
    if statement["kind"] not in SAID:
        return []
    one = 0 if zh else 1
    consumer, signer = statement["consumer"], statement.get("signer", {})
    late = {True: ("是", "yes"), False: ("否", "no"), None: ("", "")}[statement.get("late")]
    return [
        ("校核", "correction", SAID[statement["kind"]][one]),
        ("校核编号", "number of the correction", str(statement.get("correction", ""))),
        ("所涉回执", "receipt concerned", str(statement.get("of", ""))),
        ("曾收到的回执", "received as", _listed(statement.get("receipts", ()))),
        ("可能含有的流", "may be in streams", _listed(statement.get("streams", ()))),
        ("需求部门", "consumer", f"{consumer['department']}  {consumer['uri']}"),
        ("提供部门", "provider", statement["provider"]),
        ("数据资源", "dataset", statement["dataset"]),
        ("数据项", "fields", ", ".join(statement["fields"])),
        ("使用场景", "purpose", statement["purpose"]),
        ("错误类别", "error", ERRORS.get(statement.get("error", ""), ("", ""))[one]),
        ("当事人", "subject", _subject(statement.get("subject", {}), zh)),
        ("经办人", "operator", statement.get("operator", "")),
        ("佐证摘要", "evidence", statement.get("evidence", "")),
        ("另存内容摘要", "digest of what is held", statement.get("held", "")),
        ("答复期限", "due", statement.get("due_at", "")),
        ("逾期", "late", late[one]),
        ("答复", "answer", SETTLEMENTS.get(statement.get("settlement", ""), ("", ""))[one]),
        ("依据", "grounds", statement.get("grounds", "")),
        ("转办单位", "referred to", statement.get("referred_to", "")),
        ("有误起始", "wrong from", statement.get("wrong_from", "")),
        ("正确起始", "right from", statement.get("right_from", "")),
        ("告知范围", "reach", _REACH.get(statement.get("reach", ""), ("", ""))[one]),
        ("答复回执", "receipt of the answer", str(statement.get("answered", ""))),
        ("签署者", "signed by", signer.get("uri", "")),
        ("签署证书", "signer's certificate", signer.get("certificate", "")),
        ("生效序号", "epoch", str(statement.get("epoch", ""))),
    ]


def _listed(leaves: Any) -> str:
    return ", ".join(map(str, leaves))


def _subject(subject: dict[str, Any], zh: bool) -> str:
    if not subject:
        return ""
    place = subject.get("place")
    which = "" if place is None else f"第 {place + 1} 人 " if zh else f"number {place + 1} "
    if subject["proved"]:
        return which + ("（标签相符）" if zh else "(the tag is the receipt's)")
    return which + ("（未能证明）" if zh else "(not proved)")
