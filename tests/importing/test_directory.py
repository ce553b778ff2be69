"""A 政务数据目录 in Excel describes datasets; it is no data."""

from __future__ import annotations

import pytest

from adapters.sources.spreadsheet import Row
from broker.approve.document import MappingNode, parse
from broker.approve.problem import Problems
from broker.importing.directory import columns_of, heading_of, resources_of, roles_in
from broker.importing.draft import dataset_text
from broker.importing.shelf import with_dataset
from broker.model import FieldType

LEVELS = ("L1", "L2", "L3", "L4")
ROW_PER_ITEM: list[Row] = [
    ["民政局政务数据目录"],
    [
        "序号",
        "资源名称",
        "资源代码",
        "资源提供方",
        "信息项名称",
        "数据类型",
        "更新频率",
        "共享属性",
        "共享方式",
        "使用条件",
        "级别",
    ],
    ["1", "婚姻登记信息", "990100-MZ-0001", "民政局", "男方身份证号", "字符型C(18)", "每日", "有条件共享"],
    [None, None, None, None, "登记日期", "日期型D", None, None, None, None, "L1"],
    [None, None, None, None, "更新时间", "日期时间型", None, None, None, None, None],
    ["2", "养老机构", None, "民政局", "机构名称", "字符型", "每年", "无条件共享", "文件下载", None, None],
]
ROW_PER_ITEM[2] += ["服务接口、批量交换", "限法定职责\n按件查询", "三级"]
RESOURCE_PER_ROW: list[Row] = [
    ["目录名称", "数据项", "更新周期", "共享类型", "共享条件"],
    [
        "收养登记",
        "收养人身份证号、收养人姓名，登记日期（年、月）；备注",
        "实时",
        "不予共享",
        "依据《收养法》第二十一条",
    ],
    ["低保对象", "身份证号\n月保障金", "不定期", "有条件", None],
]


def test_one_row_per_item() -> None:
    """The resource is named once in a merged cell; its own columns are read from that row."""
    marriage, homes = resources_of(ROW_PER_ITEM) or []
    assert (marriage.title, marriage.provider, homes.title) == ("婚姻登记信息", "民政局", "养老机构")
    heading = heading_of(marriage, "civil_affairs", "marriage", "目录.xlsx")
    assert heading.catalog_code == "990100-MZ-0001"
    assert heading.update_cycle == "P1D"
    assert heading.sharing_attribute == "conditional"
    assert heading.sharing_modes == ("api", "batch")
    assert heading.use_conditions == heading.attribute_basis == "限法定职责 按件查询"
    columns = columns_of(marriage, LEVELS)
    assert [(c.field, c.guess.type, c.guess.format) for c in columns] == [
        ("husband_resident_id", FieldType.TEXT, "resident_id"),
        ("registered_on", FieldType.DATE, ""),
        ("updated_at", FieldType.TIMESTAMP, ""),
    ]
    roles = roles_in(columns)
    assert (roles.subjects, roles.as_of) == (("husband_resident_id",), "updated_at")
    assert heading_of(homes, "d", "homes", "").sharing_attribute == "unconditional"
    assert heading_of(homes, "d", "homes", "").update_cycle == "P366D"


def test_one_row_per_resource() -> None:
    """Items in one cell are told apart by any separator that stands outside brackets."""
    adoption, relief = resources_of(RESOURCE_PER_ROW) or []
    titles = [column.title for column in columns_of(adoption, LEVELS)]
    assert titles == ["收养人身份证号", "收养人姓名", "登记日期（年、月）", "备注"]
    heading = heading_of(adoption, "d", "adoption", "")
    assert (heading.sharing_attribute, heading.update_cycle) == ("withheld", "PT1H")
    assert heading.attribute_basis == "依据《收养法》第二十一条"
    assert [column.title for column in columns_of(relief, LEVELS)] == ["身份证号", "月保障金"]
    assert roles_in(columns_of(relief, LEVELS)).as_of == "todo"


@pytest.mark.parametrize(
    ("item", "level", "expected"),
    [
        ("登记日期", "", "L2"),
        ("登记日期", "L4", "L4"),
        ("登记日期", "三级", "L3"),
        ("登记日期", "第4级", "L4"),
        ("登记日期", "L1", "L2"),
        ("登记日期", "九级", "L2"),
        ("疾病", "一级", "L4"),
    ],
)
def test_levels(item: str, level: str, expected: str) -> None:
    """The catalog's own level counts, unless it is more careless than the name allows."""
    rows: list[Row] = [["资源名称", "数据项", "类型", "更新频率", "分级"], ["x", item, "C", "日", level]]
    (resource,) = resources_of(rows) or []
    (column,) = columns_of(resource, LEVELS)
    assert column.care.level(LEVELS) == expected


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [["姓名", "身份证号"], ["张三", "990101189901010015"]],
        [["名称", "数量", "单位"], ["纸", "3", "箱"]],
        [["资源名称", "数据项"], ["a", "b"]],
        [["企业名称", "类型", "经营方式", "许可条件", "等级"], ["某厂", "国有", "零售", "无", "甲"]],
    ],
    ids=str,
)
def test_data_is_no_catalog(rows: list[Row]) -> None:
    """A table that shares a word or two with a catalog's header stays a table."""
    assert resources_of(rows) is None


def test_drafts_are_yaml_with_nothing_shared() -> None:
    """Each described dataset becomes an entry; what is not known says ``todo``."""
    content: bytes | None = None
    for number, resource in enumerate(
        [*(resources_of(ROW_PER_ITEM) or []), *(resources_of(RESOURCE_PER_ROW) or [])]
    ):
        name = f"dataset_{number}"
        columns = columns_of(resource, LEVELS)
        heading = heading_of(resource, "civil_affairs", name, "目录.xlsx")
        entry = dataset_text(heading, columns, roles_in(columns), {"kind": "todo"}, LEVELS)
        content = with_dataset(content, "civil_affairs", "民政局", name, entry)
    problems = Problems()
    node = parse(content or b"", "x", problems)
    problems.refuse()
    assert isinstance(node, MappingNode)
    text = (content or b"").decode()
    assert text.count("shared: false}") == text.count("title: ") - 4 == 10
