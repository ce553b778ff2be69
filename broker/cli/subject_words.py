"""The citizen's view in words: blocks of labelled lines, Chinese first, for the terminal and the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from broker.cli.receipt_text import STATUS_TITLES, VERDICT_TITLES
from broker.model import Catalog
from broker.reasons import Reason, sentence
from broker.subject_access.view import Bulk, Gap, Nature, Told, View

Line = tuple[str, str, str]
"""Chinese label, English label, text."""

_KINDS = {
    "exchange": ("信息共享申请", "an application for data"),
    "validation": ("试算，不提供信息", "a dry run without data"),
    "stream_decision": ("批量提供：开始", "a stream begins"),
    "stream_outcome": ("批量提供：结束", "a stream ends"),
    "redelivered": ("同一申请再次提供", "the same answer once more"),
    "detokenization": ("令牌还原", "tokens turned back"),
    "subject_access": ("应申请查阅本记录", "this record was looked at on request"),
}
_NATURES = {
    Nature.ERASED: (
        "存证日志中有此条，原文已删除或被隐去，请要求说明",
        "the log has this leaf, but its text was erased or is being hidden: ask why",
    ),
    Nature.EXPIRED: (
        "保存期满，原文已依规删除",
        "kept for as long as the law asks, then erased, as a leaf of the log says",
    ),
    Nature.UNRECORDED: (
        "编号已发出，日志中却没有存证：可能是未办成的申请（未存证即不提供信息），也可能被漏记，请要求说明",
        "a number was given out, but the log has no such leaf: a call that came to nothing (without a "
        "receipt no data are released), or one left out: ask",
    ),
    Nature.REPEATED: (
        "未完成的尝试，同一申请另有存证",
        "an attempt that came to nothing; the request has a receipt under another number",
    ),
    Nature.UNDER_WAY: ("正在办理，稍后再查", "under way; look again later"),
    Nature.LOST: (
        "密钥库丢失了此编号的记录，请要求说明",
        "the vault has lost what it knew of this number: ask why",
    ),
}


@dataclass(frozen=True, slots=True)
class Block:
    """What is told together."""

    zh: str
    en: str
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """Puts a view into words, with the titles that the catalog in force gives to ids."""

    catalog: Catalog | None
    zone: tzinfo

    def blocks(self, view: View) -> Iterator[Block]:
        """Receipts, what is missing, streams of all in scope."""
        for count, told in enumerate(view.told, 1):
            yield self._receipt(count, told, unfinished=told.leaf_index in view.unfinished)
        if view.gaps or view.doubled:
            yield self._missing(view)
        if view.bulk:
            lines = tuple(self._bulk(bulk) for bulk in view.bulk)
            yield Block(
                "整批提供：存证不列出其中的人，您的信息可能在内",
                "streams of all in scope: no receipt says who was in them; you may have been",
                lines,
            )

    def _receipt(self, count: int, told: Told, *, unfinished: bool) -> Block:
        said = told.statement
        zh, en = _KINDS.get(said["kind"], (said["kind"], said["kind"]))
        number = "" if told.number is None else f"（第 {told.number} 号）"
        lines = [line for line in self._lines(told) if line[2]]
        if unfinished:
            lines.append(("结束", "end", "未见结束的存证 no receipt of its end"))
        return Block(f"【{count}】{self.time(said['recorded_at'])}  {zh}{number}", en, tuple(lines))

    def _lines(self, told: Told) -> Iterator[Line]:
        said = told.statement
        if "consumer" in said:
            who = [self._department(said["consumer"]["department"]), said["consumer"]["uri"]]
            yield "谁获取", "who", "  ".join(who)
        yield "经手人", "person", said.get("operator", "") or said.get("actor", "")
        yield "由谁提供", "from", self._department(said.get("provider", ""))
        yield "什么信息", "what", self._what(said)
        yield "怎样处理", "masks", self._masks(said)
        yield "为何", "what for", self._purpose(said.get("purpose", ""))
        yield "依据", "legal basis", said.get("legal_basis", "")
        yield "事由", "reason", said.get("reason", "")
        yield "事项", "service item", self._item(said.get("service_item", ""))
        yield "办件编号", "case", said.get("case_no", "")
        yield "结论", "decision", _verdict(said)
        yield "结果", "result", _result(said, told.place)
        yield "存证回执", "receipt", f"{told.leaf_index}  已与日志核对 proved by the log"

    def _missing(self, view: View) -> Block:
        lines = [self._gap(gap) for gap in view.gaps]
        lines += [
            (
                f"第 {number} 号",
                "",
                "用了不止一次：密钥库曾退回到较早的状态，请要求说明 "
                "used more than once: the vault was set back to an earlier state; ask why",
            )
            for number in view.doubled
        ]
        return Block("没有存证的编号", "numbers without a receipt", tuple(lines))

    def _gap(self, gap: Gap) -> Line:
        zh, en = _NATURES[gap.nature]
        at = "" if gap.at is None else f"{gap.at.astimezone(self.zone):%Y-%m-%d %H:%M:%S}  "
        leaf = "" if gap.leaf_index is None else f"  #{gap.leaf_index}"
        told = "" if gap.told_by is None else f" ← #{gap.told_by}"
        return f"第 {gap.number} 号", "", f"{at}{zh} / {en}{leaf}{told}"

    def _bulk(self, bulk: Bulk) -> Line:
        period = f"{self.time(bulk.first_at)} – {self.time(bulk.last_at)}"
        text = (
            f"{self._department(bulk.provider)} → {self._department(bulk.consumer)}，"
            f"{self._purpose(bulk.purpose)}，{bulk.releases} 次共 {bulk.rows} 行 "
            f"{bulk.releases} time(s), {bulk.rows} rows，{period}"
        )
        return self._dataset(bulk.dataset), "", text

    # ── titles ───────────────────────────────────────────────────────────────────────────────────

    def time(self, recorded: str) -> str:
        """The city's time of a statement's."""
        return f"{datetime.fromisoformat(recorded).astimezone(self.zone):%Y-%m-%d %H:%M:%S}"

    def _department(self, id_: str) -> str:
        department = self.catalog.departments.get(id_) if self.catalog else None
        return id_ if department is None else f"{department.title}（{id_}）"

    def _dataset(self, id_: str) -> str:
        dataset = self.catalog.datasets.get(id_) if self.catalog else None
        return id_ if dataset is None else f"{dataset.title}（{id_}）"

    def _field(self, dataset: str, name: str) -> str:
        known = self.catalog.datasets.get(dataset) if self.catalog else None
        field = known.fields.get(name) if known else None
        return name if field is None else f"{field.title}（{name}）"

    def _purpose(self, id_: str) -> str:
        title = self.catalog.purposes.get(id_, "") if self.catalog else ""
        return f"{title}（{id_}）" if title else id_

    def _item(self, code: str) -> str:
        item = self.catalog.service_items.get(code) if self.catalog else None
        return code if item is None else f"{item.title}（{code}）"

    def _what(self, said: dict[str, Any] | Any) -> str:
        if not said.get("dataset"):
            return ""
        fields = "、".join(self._field(said["dataset"], name) for name in said.get("fields", ()))
        return f"{self._dataset(said['dataset'])}：{fields}"

    def _masks(self, said: dict[str, Any] | Any) -> str:
        masks = said.get("obligations", {}).get("masks", {})
        return "、".join(
            f"{self._field(said['dataset'], name)}：{mask['operator']}" for name, mask in masks.items()
        )


def _verdict(said: Any) -> str:
    decision = said.get("decision")
    if decision is None:
        return ""
    verdict = decision["verdict"]
    reasons = [*decision.get("reasons", ()), *decision.get("missing", ())]
    why = [sentence(Reason(one["code"]), one["about"]) for one in reasons]
    return "  ".join([f"{VERDICT_TITLES[verdict]} {verdict}", *(f"{one.zh} {one.en}" for one in why)])


def _result(said: Any, place: int) -> str:
    outcome = said.get("outcome")
    if outcome is None:
        return "未提供信息 no data released" if "decision" in said and "lease_seconds" not in said else ""
    subjects = outcome.get("subjects", [])
    if place < len(subjects):
        mine = subjects[place]
        status = STATUS_TITLES.get(mine["status"], "")
        return f"{status} {mine['status']}，您的信息 {mine['rows']} 行 row(s) of yours"
    return "中断 interrupted" if outcome.get("interrupted") else ""
