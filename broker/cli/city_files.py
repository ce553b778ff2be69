"""The policy files that a city of somebody's own begins with; their comments teach what to write next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

AUTHORITY = "data_authority"
"""The department of kind ``authority``: every city has one."""

PURPOSE = "eligibility_check"

_CITY = """\
# 城市：证书信任域、时区、数据分级。全市只有这一份，由主管部门维护。
# The city: trust domain of its certificates, time zone, levels. One file for all, kept by the authority.
format: share-city/v1
city: {city} # 证书里的信任域 · the trust domain: spiffe://{city}/…
title: {title}
zone: Asia/Shanghai # 规则里的日期、每日额度按这个时区计算 · dates and daily quotas count in this zone
levels: [L1, L2, L3, L4] # 数据分级，从低到高 · classification, least to most sensitive
# categories: {{population: 人口基础信息}} # 数据分类 · categories, for rules about all of one
"""

_DEPARTMENTS = """\
# 参与共享的部门；企业不能登记。Departments that take part; enterprises may not.
# kind: authority 主管部门 | government 政府部门 | public_institution 公共事业单位
# region: 六位行政区划代码（GB/T 2260），须加引号 · six-digit code, quoted
# sharing_office: 负责共享的工作机构 · the office responsible for sharing
# 部门组写在末尾 · groups come last: groups: {welfare: [civil_affairs, social_security]}
# 新增部门后，再为它签发证书 · after adding a department, issue its certificate:
#   sharebroker pki issue --folder pki --department <id> --name counter --out pki/<id>-system
format: share-departments/v1
departments:
"""

_DEPARTMENT = """\
  {id}:
    title: {title}
    title_en: {title_en}
    kind: {kind}
    region: {region}
    sharing_office: 办公室
"""

_SERVICE_ITEMS = f"""\
# 使用场景（为什么用）与事项（为哪件事用）。每个事项属于一个部门、服务于一个场景。
# Purposes (why) and service items (for which service). An item is one department's and serves one purpose.
format: share-service-items/v1
purposes:
  {PURPOSE}: 资格核验
service_items:
"""

_SERVICE_ITEM = """\
  {code}: {{title: {title}, department: {department}, purpose: {purpose}}}
"""

_CALENDAR = """\
# 工作日历：依国务院办公厅每年的节假日安排；写 when: {days: working} 的规则按它算。
# 每年通知发布后，请用 sharebroker calendar import 补上下一年。
# Working days by the State Council's yearly notice, for rules of working days and for time limits.
# Bring the next year in with sharebroker calendar import: nobody knows the working days of a year not listed.
format: share-calendar/v1
years:
  2026:
    holidays: # 首尾都算 · both included
      - "2026-01-01/2026-01-03"
      - "2026-02-15/2026-02-23"
      - "2026-04-04/2026-04-06"
      - "2026-05-01/2026-05-05"
      - "2026-06-19/2026-06-21"
      - "2026-09-25/2026-09-27"
      - "2026-10-01/2026-10-07"
    makeup_days: ["2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"] # 调休
"""

_MASKING = """\
# 哪种脱敏更强，从弱到强；floors：该级数据项最弱也须用的脱敏。由主管部门排定。
# Which masks are stricter, weakest first; floors: the weakest mask of a level. The authority decides.
format: share-masking/v1
order:
  - clip
  - round
  - date_shift
  - month
  - year
  - bucket
  - category
  - age_band
  - truncate
  - region
  - partial
  - encrypt
  - token
  - pseudonym
  - predicate
  - match
  - constant
  - redact
floors: {L4: predicate}
"""

_PROFILES = Path(__file__).with_name("masking-profiles.yaml")
"""The sample city's, word for word."""

_CATALOG_README = """\
# catalog/

每个部门一个文件 `<部门编号>.yaml`，登记它的数据资源。不必从头写：
One file per department, `<department id>.yaml`, lists its datasets. No need to write it from scratch:

    sharebroker catalog import 表格.csv --department {department} --name my_table

支持 CSV、Excel、Parquet 和数据库。写出的是草稿：所有数据项都不共享。
CSV, Excel, Parquet and databases are understood. What is written is a draft: no field of it is shared.
"""

_SHARING_README = """\
# sharing/

文件名任意，后缀 `.yaml`；没有规则就什么都不给。要开放的数据项，先在目录里删去 `shared: false`。
Any name ending in `.yaml`; without a rule nothing is released. First delete `shared: false` from the
fields to be opened.

```yaml
format: share-policy/v1
id: {policy}-001          # 策略编号，全市不重复 · unique
owner: {department}           # 只能是提供数据的部门 · the provider
rules:
  - id: eligibility-check
    effect: permit            # permit 许可 | review 转人工审核 | deny 禁止
    who: {{departments: [{consumer}]}}
    what: {{dataset: {department}.my_table, fields: [status]}}
    why: {{purposes: [eligibility_check], legal_basis: ["社会救助暂行办法 第五十八条"]}}
    when: {{from: "2026-01-01", until: "2027-12-31"}}
    limits: {{rows_per_call: 10, subjects_per_call: 1, calls_per_day: 500}}
    obligations: {{mask: {{}}, retain_days: 30}}
    # 有条件共享必写：申请编号，双方共享工作机构负责人 · for conditional sharing: application, both heads
    consent: {{application_no: GX-2026-0001, consumer_head: 张三, provider_head: 李四}}
```
"""


def city_files(city: str, title: str, region: str, departments: Mapping[str, str]) -> Mapping[str, str]:
    """Content by path in the policy folder. ``departments`` is id → title, the authority among them."""
    others = [name for name in departments if name != AUTHORITY]
    first, last = others[0], others[-1]
    return {
        "city.yaml": _CITY.format(city=_text(city), title=_text(title)),
        "departments.yaml": _DEPARTMENTS
        + "".join(_department(name, departments[name], region) for name in departments),
        "service-items.yaml": _SERVICE_ITEMS
        + "".join(
            _SERVICE_ITEM.format(
                code=_text(service_item(region, number)),
                title=_text(f"{departments[name]}资格核验"),
                department=name,
                purpose=PURPOSE,
            )
            for number, name in enumerate(others, 1)
        ),
        "calendar.yaml": _CALENDAR,
        "masking.yaml": _MASKING,
        "masking-profiles.yaml": _PROFILES.read_text("utf-8"),
        "catalog/README.md": _CATALOG_README.format(department=first),
        "sharing/README.md": _SHARING_README.format(
            department=first, policy=first.replace("_", "-"), consumer=last
        ),
    }


def service_item(region: str, number: int) -> str:
    """Code of the item that the ``number``-th department begins with."""
    return f"{region}-{number:02d}-0001"


def _department(name: str, title: str, region: str) -> str:
    return _DEPARTMENT.format(
        id=name,
        title=_text(title),
        title_en=_text(name.replace("_", " ").title()),
        kind="authority" if name == AUTHORITY else "government",
        region=_text(region),
    )


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a JSON string is a double-quoted scalar of YAML
