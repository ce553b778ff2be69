"""The matrix for people and programs: text, CSV for spreadsheets, JSON, and one page of HTML.

People read who may see; which rules may yet take that away is told at the end of the line. Programs get both.
"""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterable, Iterator
from itertools import groupby
from zoneinfo import ZoneInfo

from broker.authoring.condition_words import Called, demand_words, joined, mask_of, release_words, when_words
from broker.authoring.difference_text import conditions_json, release_json
from broker.authoring.matrix import Line, Rectangle
from broker.authoring.sentences import consumers, purposes
from broker.model import Catalog
from broker.reasons import Sentence

_COLUMNS = (
    "数据资源编号 dataset",
    "数据资源",
    "需求部门编号 consumer",
    "需求部门",
    "使用场景编号 purpose",
    "使用场景",
    "数据项编号 field",
    "数据项",
    "结论 verdict",
    "脱敏 mask",
    "条件 when",
    "要求 demands",
    "规则 rules",
)
_BOM = "\ufeff"
"""WPS and Excel take a CSV file without it for GBK."""


def text(found: Iterable[Rectangle], catalog: Catalog) -> Iterator[str]:
    """Lines for the terminal, by dataset."""
    zone, count = ZoneInfo(catalog.zone), 0
    for dataset, rectangles in groupby(found, key=lambda each: each.dataset):
        yield f"《{catalog.datasets[dataset].title}》 {dataset}"
        for each in rectangles:
            count += 1
            who, why = consumers(each.departments, catalog), purposes(each.purposes, catalog)
            yield f"  {who.zh}，为{why.zh}：{'、'.join(_titles(each, catalog))}"
            yield f"  {who.en}, for {why.en}: {', '.join(each.fields)}"
            for line in _releasing(each):
                said = _words(line, each, catalog, zone)
                yield f"    {said.zh}"
                yield f"    {said.en}"
                yield f"    规则 rules: {', '.join(line.rules)}"
        yield ""
    yield f"共 {count} 项 / {count} item(s)"


def rows(found: Iterable[Rectangle], catalog: Catalog) -> Iterator[str]:
    """CSV, UTF-8 with BOM: a row for each department, purpose, field and line."""
    yield _BOM + _csv(_COLUMNS)
    zone = ZoneInfo(catalog.zone)
    for each in found:
        dataset = catalog.datasets[each.dataset]
        for department in each.departments:
            for purpose in each.purposes:
                for name in each.fields:
                    for line in _releasing(each):
                        yield _csv(
                            (
                                dataset.id,
                                dataset.title,
                                department,
                                catalog.departments[department].title,
                                purpose,
                                catalog.purposes[purpose],
                                name,
                                dataset.fields[name].title,
                                *_cells(line, each, catalog, zone),
                            )
                        )


def as_json(found: Iterable[Rectangle], hash_: str) -> dict[str, object]:
    """For machines: the rectangles, instants as ISO 8601."""
    return {
        "format": "share-access-matrix/v1",
        "bundle": hash_,
        "access": [
            {
                "dataset": each.dataset,
                "departments": each.departments,
                "purposes": each.purposes,
                "fields": each.fields,
                "lines": [
                    {
                        "release": release_json(line.release),
                        "when": conditions_json(line.when),
                        "rules": line.rules,
                    }
                    for line in each.lines
                ],
            }
            for each in found
        ],
    }


def page(found: Iterable[Rectangle], catalog: Catalog, hash_: str) -> Iterator[str]:
    """One self-contained page of HTML: a table for each dataset."""
    zone = ZoneInfo(catalog.zone)
    title = html.escape(f"{catalog.title}：谁可以看什么")
    yield _HEAD.format(title=title, hash=html.escape(hash_))
    for name, rectangles in groupby(found, key=lambda each: each.dataset):
        dataset = catalog.datasets[name]
        provider = catalog.departments[dataset.department].title
        small = f"<small>{html.escape(name)}　{html.escape(provider)}</small>"
        yield f"<h2>《{html.escape(dataset.title)}》{small}</h2>"
        yield "<table><thead><tr>"
        yield from (f"<th>{heading}</th>" for heading in _HEADINGS)
        yield "</tr></thead><tbody>"
        for each in rectangles:
            yield from _html_rows(each, catalog, zone)
        yield "</tbody></table>"
    yield "</body></html>"


_HEADINGS = ("需求部门", "使用场景", "数据项", "结论", "脱敏", "条件", "要求", "规则")


def _html_rows(each: Rectangle, catalog: Catalog, zone: ZoneInfo) -> Iterator[str]:
    lines = _releasing(each)
    span = len(lines)
    first = [
        "、".join(catalog.departments[name].title for name in each.departments),
        "、".join(catalog.purposes[name] for name in each.purposes),
        "、".join(_titles(each, catalog)),
    ]
    for number, line in enumerate(lines):
        verdict, *rest = _cells(line, each, catalog, zone)
        heads = [f'<td rowspan="{span}">{html.escape(cell)}</td>' for cell in first] if not number else []
        kind = "review" if line.release and line.release.review else "permit"
        cells = [f'<td class="{kind}">{html.escape(verdict)}</td>']
        cells += [f"<td>{html.escape(cell)}</td>" for cell in rest]
        yield f"<tr>{''.join([*heads, *cells])}</tr>"


_HEAD = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 15px/1.6 "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; margin: 2em; }}
h2 small {{ color: #666; font-weight: normal; margin-left: 1em; }}
table {{ border-collapse: collapse; width: 100%; margin-bottom: 2em; }}
th, td {{ border: 1px solid #ccc; padding: .3em .6em; text-align: left; vertical-align: top; }}
th {{ background: #f2f2f2; position: sticky; top: 0; }}
.permit {{ color: #176117; }} .review {{ color: #8a5a00; }}
@media print {{ body {{ margin: 0; font-size: 11px; }} th {{ position: static; }} }}
</style></head><body>
<h1>{title}</h1>
<p>策略包 {hash}。没有列出的一律不给。同一数据项有几行的，条件都符合时以规则最多的一行为准。</p>
"""


def _titles(each: Rectangle, catalog: Catalog) -> list[str]:
    fields = catalog.datasets[each.dataset].fields
    return [field.title for name, field in fields.items() if name in each.fields]


def _releasing(each: Rectangle) -> list[Line]:
    return [line for line in each.lines if line.release]


def _called(each: Rectangle, catalog: Catalog) -> Called:
    fields = catalog.datasets[each.dataset].fields

    def called(name: str) -> Sentence:
        if name in fields:
            return Sentence(fields[name].title, name)
        department = catalog.departments[name]
        return Sentence(department.title, department.title_en)

    return called


def _taking_away(line: Line, each: Rectangle) -> Iterator[Sentence]:
    """The rules that release nothing of the field when they speak beside those of ``line``."""
    stricter = [one for one in each.lines if one.release is None and set(line.rules) <= set(one.rules)]
    rules = sorted({rule for one in stricter for rule in one.rules if rule not in line.rules})
    if rules:
        yield Sentence(
            f"但规则 {'、'.join(rules)} 适用时不给", f"but nothing where {', '.join(rules)} applies"
        )


def _words(line: Line, each: Rectangle, catalog: Catalog, zone: ZoneInfo) -> Sentence:
    said = release_words(line.release, _called(each, catalog)) if line.release else []
    if when := when_words(line.when, zone):
        words = joined(when)
        said.append(Sentence(f"当：{words.zh}", f"when: {words.en}"))
    return joined([*said, *_taking_away(line, each)])


def _cells(line: Line, each: Rectangle, catalog: Catalog, zone: ZoneInfo) -> tuple[str, ...]:
    """Verdict, mask, conditions, demands, rules of a line that releases; in Chinese."""
    if (release := line.release) is None:
        raise ValueError("a line that releases nothing is not told")
    when = joined([*when_words(line.when, zone), *_taking_away(line, each)]).zh
    demands = joined([*demand_words(release, _called(each, catalog))]).zh
    verdict = "人工审核" if release.review else "许可"
    return verdict, mask_of(release).zh, when, demands, "、".join(line.rules)


def _csv(cells: Iterable[str]) -> str:
    """One line; a cell that a spreadsheet would take for a formula is kept from being one."""
    line = io.StringIO()
    safe = [f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell for cell in cells]
    csv.writer(line, lineterminator="\r\n").writerow(safe)
    return line.getvalue()
