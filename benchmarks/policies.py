"""A city of any size for measurements: its policy files, and what its departments ask."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from broker.approve.bundle import Bundle
from broker.approve.files import Files
from broker.approve.rule import Rule
from broker.model import Application, Identity, Role

FIELDS = tuple(f"field_{number}" for number in range(8))
PURPOSES = tuple(f"purpose_{number}" for number in range(20))
RULES_A_DATASET = 40
_CITY = "format: share-city/v1\ncity: bench\ntitle: 基准市\nzone: Asia/Shanghai\nlevels: [L1, L2]\n"
DENIES = 10
"""Every tenth rule denies, the others permit."""


def files(rules: int, seed: int = 1) -> Files:
    """The policy files of a city with so many rules: 40 about each dataset, at most 200 departments."""
    draw = random.Random(seed)
    departments = [f"department_{number}" for number in range(max(10, min(200, rules // 20)))]
    owned: dict[str, list[str]] = {department: [] for department in departments}
    for number in range(max(2, rules // RULES_A_DATASET)):
        owned[departments[number % len(departments)]].append(f"dataset_{number}")
    numbers = iter(range(rules))
    datasets = sum(len(names) for names in owned.values())
    texts = {
        "city.yaml": _CITY,
        "departments.yaml": _departments(departments),
        "service-items.yaml": _service_items(departments),
    }
    for department, names in owned.items():
        if names:
            texts[f"catalog/{department}.yaml"] = _catalog(department, names)
            texts[f"sharing/{department}.yaml"] = "".join(
                _policy(department, names, numbers, -(-rules // datasets), departments, draw)
            )
    return {file: text.encode() for file, text in texts.items()}


def applications(bundle: Bundle, count: int, seed: int = 2) -> list[Application]:
    """What departments ask: of ten, six fit a rule in all but perhaps its dates, one names another purpose,
    three come from a department drawn at random. All for one field, with all papers."""
    draw = random.Random(seed)
    departments = sorted(bundle.catalog.departments)
    asked = []
    for number in range(count):
        rule = draw.choice(bundle.rules)
        department, purpose = draw.choice(_names(rule.departments)), draw.choice(_names(rule.purposes))
        chance = draw.random()
        if chance < 0.3:
            department = draw.choice(departments)
        elif chance < 0.4:
            purpose = draw.choice(PURPOSES)
        asked.append(_application(rule, department, purpose, draw.choice(_names(rule.fields)), number))
    return asked


def fresh(asked: Application) -> Application:
    """The same, in strings of its own, as a message brings them: no hash known, no identity with a rule's."""

    def copy(text: str) -> str:
        return text.encode().decode()

    return Application(
        consumer=asked.consumer,
        request_id=copy(asked.request_id),
        dataset=copy(asked.dataset),
        fields=tuple([copy(field) for field in asked.fields]),
        subjects=asked.subjects,
        purpose=copy(asked.purpose),
        service_item=copy(asked.service_item),
        case_no=asked.case_no,
        legal_basis=copy(asked.legal_basis),
        operator=asked.operator,
    )


def _names(names: frozenset[str] | None) -> list[str]:
    return sorted(names or ())


def _application(rule: Rule, department: str, purpose: str, field: str, number: int) -> Application:
    later = datetime.now(UTC) + timedelta(1)
    return Application(
        consumer=Identity("bench", department, Role.SYSTEM, "counter", 1, later, b""),
        request_id=str(number),
        dataset=rule.dataset,
        fields=(field,),
        subjects=(f"9901011899010{number:05}",),
        purpose=purpose,
        service_item=f"{department}-{purpose}".replace("_", "-"),
        case_no=f"case-{number}",
        legal_basis="条例 第一条",
        operator=f"operator-{number}",
    )


def _departments(departments: Sequence[str]) -> str:
    entry = "title: 部门, title_en: Department, kind: government, region: '990100', sharing_office: 科"
    entries = "".join(f"  {name}: {{{entry}}}\n" for name in departments)
    return f"format: share-departments/v1\ndepartments:\n{entries}"


def _service_items(departments: Sequence[str]) -> str:
    purposes = "".join(f"  {purpose}: 场景\n" for purpose in PURPOSES)
    items = "".join(
        f"  {department}-{purpose}:".replace("_", "-")
        + f" {{title: 事项, department: {department}, purpose: {purpose}}}\n"
        for department in departments
        for purpose in PURPOSES
    )
    return f"format: share-service-items/v1\npurposes:\n{purposes}service_items:\n{items}"


def _catalog(department: str, names: Sequence[str]) -> str:
    datasets = "".join(
        f"""\
  {name}:
    title: 数据
    catalog_code: "990100-{name}"
    sharing_attribute: conditional
    attribute_basis: 限依法履职
    sharing_modes: [api]
    use_conditions: 按件
    update_cycle: P1W
    subject: {{format: resident_id, fields: [person]}}
    as_of: updated_on
    source: {{kind: sql, url: "sqlite:///bench.db", table: {name}}}
    fields:
      person: {{title: 身份号码, type: text, format: resident_id, level: L2}}
      updated_on: {{title: 更新日期, type: date, level: L1}}
{"".join(f"      {field}: {{title: 项, type: text, level: L1}}{chr(10)}" for field in FIELDS)}"""
        for name in names
    )
    return f"format: share-catalog/v1\ndepartment: {department}\ndatasets:\n{datasets}"


def _policy(
    owner: str,
    datasets: Sequence[str],
    numbers: Iterator[int],
    each: int,
    departments: Sequence[str],
    draw: random.Random,
) -> Iterator[str]:
    yield f"format: share-policy/v1\nid: {owner.replace('_', '-')}\nowner: {owner}\nrules:\n"
    for dataset in datasets:
        for _, number in zip(range(each), numbers, strict=False):
            yield _rule(number, f"{owner}.{dataset}", departments, draw)


def _rule(number: int, dataset: str, departments: Sequence[str], draw: random.Random) -> str:
    some = _some(draw)
    today = datetime.now(UTC).date()
    first, last = today - timedelta(draw.randint(1, 300)), today + timedelta(draw.randint(-20, 300))
    who, why = some(departments, 5), some(PURPOSES, 3)
    when = f"when: {{from: '{min(first, last)}', until: '{last}'}}"
    if number % DENIES == DENIES - 1:
        what = f"what: {{dataset: {dataset}, fields: {some(FIELDS, 1)}}}"
        return f"""\
  - id: r{number}
    effect: deny
    who: {{departments: {who}}}
    {what}
    why: {{purposes: {why}}}
    {when}
"""
    return f"""\
  - id: r{number}
    effect: permit
    who: {{departments: {who}}}
    what: {{dataset: {dataset}, fields: {some(FIELDS, 6)}}}
    why: {{purposes: {why}, legal_basis: all}}
    {when}
    limits: {{rows_per_call: 10, calls_per_day: 1000}}
    obligations: {{retain_days: 30}}
    consent: {{application_no: GX-{number}, consumer_head: 甲, provider_head: 乙}}
"""


def _some(draw: random.Random) -> Callable[[Sequence[str], int], str]:
    def some(names: Sequence[str], most: int) -> str:
        return f"[{', '.join(draw.sample(names, draw.randint(1, most)))}]"

    return some
