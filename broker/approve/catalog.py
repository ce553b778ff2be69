"""The catalog's files → :class:`broker.model.Catalog`: city, departments, service items, datasets."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from zoneinfo import ZoneInfo

from broker.approve.dataset import DatasetReader
from broker.approve.document import Node, ScalarNode
from broker.approve.problem import DEPARTMENT, PURPOSE, WORD, Code, Position, Problems
from broker.approve.table import NAME, Table, text
from broker.formats import FORMATS
from broker.model import Catalog, Dataset, Department, DepartmentKind, ServiceItem

CITY, DEPARTMENTS, SERVICE_ITEMS = "city.yaml", "departments.yaml", "service-items.yaml"
CATALOG_FOLDER = "catalog"
TRUST_DOMAIN = re.compile("[a-z0-9._-]{1,255}")
"""SPIFFE-ID §2.1."""
ITEM_CODE = re.compile("[0-9A-Za-z][0-9A-Za-z-]*")

_DEPARTMENT_KEYS = ("title", "title_en", "kind", "region", "sharing_office")


def load_catalog(documents: Mapping[str, Node], problems: Problems) -> Catalog:
    """The catalog in the files, by path in the folder; to be used only if no problem was found."""
    city = headed(documents[CITY], "share-city/v1", problems, ("city", "title", "zone", "levels"))
    levels = tuple(level.value for level in city.texts("levels"))
    departments = _departments(documents[DEPARTMENTS], problems)
    purposes, service_items = _service_items(documents[SERVICE_ITEMS], departments, problems)
    return Catalog(
        city=city.id("city", TRUST_DOMAIN),
        title=city.text("title"),
        zone=_zone(city),
        levels=levels,
        departments=MappingProxyType(departments),
        datasets=MappingProxyType(_datasets(documents, departments, levels, problems)),
        purposes=MappingProxyType(purposes),
        service_items=MappingProxyType(service_items),
    )


def headed(
    node: Node, format_: str, problems: Problems, required: Collection[str], optional: Collection[str] = ()
) -> Table:
    """A file's outermost mapping, whose ``format`` must be ``format_``."""
    table = Table(node, problems, ("format", *required), optional)
    if (found := table.text("format")) and found != format_:
        problems.unknown(table.place("format"), WORD, found, [format_])
    return table


def _zone(city: Table) -> str:
    if zone := city.text("zone"):
        try:
            ZoneInfo(zone)
        except (ValueError, OSError, KeyError):  # misformed, a folder, unknown
            zh = "没有此时区，请用 IANA 名称，如 Asia/Shanghai"
            city.add("zone", Code.BAD_ZONE, zh, "no such zone; use an IANA name such as Asia/Shanghai")
    return zone


def _departments(node: Node, problems: Problems) -> dict[str, Department]:
    table = headed(node, "share-departments/v1", problems, ("departments",))
    return {
        name: _department(name, Table(entry, problems, _DEPARTMENT_KEYS))
        for name, entry in table.named_items("departments", NAME)
    }


def _department(name: str, table: Table) -> Department:
    region = table.text("region")
    if region and not FORMATS["region"].matches(region):
        zh = "须为六位行政区划代码（GB/T 2260），如 990100"
        table.add("region", Code.BAD_REGION, zh, "write a six-digit GB/T 2260 code such as 990100")
    return Department(
        id=name,
        title=table.text("title"),
        title_en=table.text("title_en"),
        kind=_kind(table),
        region=region,
        sharing_office=table.text("sharing_office"),
    )


def _kind(table: Table) -> DepartmentKind:
    kind = table.node("kind")
    if isinstance(kind, ScalarNode) and kind.value in ("enterprise", "企业"):
        zh = "企业不能参与政务数据共享（授权运营另有制度）"
        en = "an enterprise may not take part (authorised operation is another regime)"
        table.add("kind", Code.ENTERPRISE_REFUSED, zh, en)
        return DepartmentKind.GOVERNMENT
    return table.word("kind", DepartmentKind, DepartmentKind.GOVERNMENT)


def _service_items(
    node: Node, departments: Collection[str], problems: Problems
) -> tuple[dict[str, str], dict[str, ServiceItem]]:
    table = headed(node, "share-service-items/v1", problems, ("purposes", "service_items"))
    purposes = {name: text(title, problems) for name, title in table.named_items("purposes", NAME)}
    items: dict[str, ServiceItem] = {}
    for code, entry in table.named_items("service_items", ITEM_CODE):
        item = Table(entry, problems, ("title", "department", "purpose"))
        department = item.name("department", departments, DEPARTMENT)
        purpose = item.name("purpose", purposes, PURPOSE)
        items[code] = ServiceItem(code, item.text("title"), department, purpose)
    return purposes, items


def _datasets(
    documents: Mapping[str, Node],
    departments: Collection[str],
    levels: Collection[str],
    problems: Problems,
) -> dict[str, Dataset]:
    reader = DatasetReader(levels, problems)
    datasets: dict[str, Dataset] = {}
    for file, node in documents.items():
        if not file.startswith(f"{CATALOG_FOLDER}/"):
            continue
        table = headed(node, "share-catalog/v1", problems, ("department", "datasets"))
        department = table.name("department", departments, DEPARTMENT)
        _check_file_name(file, department, table.place("department"), problems)
        for name, entry in table.named_items("datasets", NAME):
            dataset = reader.read(department, name, entry)
            datasets[dataset.id] = dataset
    return datasets


def _check_file_name(file: str, department: str, at: Position, problems: Problems) -> None:
    """One file per department, so that nothing is declared twice and an officer finds it at once."""
    expected = f"{CATALOG_FOLDER}/{department}.yaml"
    if department and file != expected:
        zh, en = f"该部门的目录须写在 {expected}", f"this department's catalog belongs in {expected}"
        problems.add(at, Code.WRONG_FILE_NAME, zh, en)
