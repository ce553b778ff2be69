"""The catalog's files → :class:`broker.model.Catalog`: city, departments, service items, datasets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from zoneinfo import ZoneInfo

from broker.approve.calendar import read_calendar, read_masking
from broker.approve.catalog_grammar import (
    CATALOG,
    CITY,
    DEPARTMENT_ENTRY,
    DEPARTMENTS,
    GROUP_MEMBERS,
    SERVICE_ITEM,
    SERVICE_ITEMS,
    SYSTEM,
)
from broker.approve.commitment_templates import read_templates
from broker.approve.dataset import DatasetReader
from broker.approve.document import Node, ScalarNode
from broker.approve.grammar import (
    CALENDAR_FILE,
    CATALOG_FILES,
    CITY_FILE,
    COMMITMENT_FILES,
    DEPARTMENTS_FILE,
    LIMITS_FILE,
    LINKS_FILE,
    MASKING_FILE,
    PROFILES_FILE,
    SERVICE_ITEMS_FILE,
)
from broker.approve.limits import read_limits
from broker.approve.links import read_links
from broker.approve.masks import CheckMask
from broker.approve.problem import DEPARTMENT, PURPOSE, Code, Position, Problems
from broker.approve.profiles import ProfileReader
from broker.approve.table import Table, headed, known, text, texts
from broker.model import (
    CORE,
    IMPORTANT,
    Catalog,
    Dataset,
    Department,
    DepartmentKind,
    ServiceItem,
    System,
    region_prefix,
)

CATALOG_FOLDER = CATALOG_FILES.path.rstrip("/")
RESERVED_LEVELS = (IMPORTANT, CORE, "重要", "核心")


def load_catalog(documents: Mapping[str, Node], check_mask: CheckMask, problems: Problems) -> Catalog:
    """The catalog in the files, by path in the folder; to be used only if no problem was found."""
    city = headed(documents[CITY_FILE.path], problems, CITY)
    levels = _levels(city)
    categories = {name: text(title, problems) for name, title in city.named_items("categories")}
    departments, groups = _departments(documents[DEPARTMENTS_FILE.path], problems)
    purposes, service_items = _service_items(documents[SERVICE_ITEMS_FILE.path], departments, problems)
    every_level = *levels, IMPORTANT, CORE
    reader = DatasetReader(every_level, categories, problems)
    mask_order = read_masking(documents.get(MASKING_FILE.path), every_level, problems)
    profiles = ProfileReader(every_level, mask_order, check_mask, problems)
    datasets = _datasets(documents, departments, reader, problems)
    links = documents.get(LINKS_FILE.path)
    commitments = {file: node for file, node in documents.items() if COMMITMENT_FILES.holds(file)}
    return Catalog(
        city=city.text("city"),
        title=city.text("title"),
        zone=zone(city),
        levels=levels,
        departments=MappingProxyType(departments),
        datasets=MappingProxyType(datasets),
        purposes=MappingProxyType(purposes),
        service_items=MappingProxyType(service_items),
        groups=MappingProxyType(groups),
        categories=MappingProxyType(categories),
        calendar=read_calendar(documents.get(CALENDAR_FILE.path), problems),
        mask_order=mask_order,
        mask_profiles=profiles.read(documents.get(PROFILES_FILE.path)),
        link_domains=read_links(links, departments, purposes, datasets.values(), problems),
        limits=read_limits(documents.get(LIMITS_FILE.path), problems),
        commitments=read_templates(commitments, departments, problems),
    )


def _levels(city: Table) -> tuple[str, ...]:
    levels = city.texts("levels")
    for level in levels:
        if level.value in RESERVED_LEVELS:
            zh = f"“{level.value}”在每座城市都已有，不必也不能列入分级（写作 {IMPORTANT} 重要、{CORE} 核心）"
            en = f"every city has {IMPORTANT} and {CORE} already; they are not listed among its levels"
            city.problems.add(level.at, Code.RESERVED_LEVEL, zh, en)
    return tuple(level.value for level in levels)


def zone(table: Table) -> str:
    """The time zone written under ``zone``."""
    if name := table.text("zone"):
        try:
            ZoneInfo(name)
        except (ValueError, OSError, KeyError):  # misformed, a folder, unknown
            zh = "没有此时区，请用 IANA 名称，如 Asia/Shanghai"
            table.add("zone", Code.BAD_ZONE, zh, "no such zone; use an IANA name such as Asia/Shanghai")
    return name


def _departments(node: Node, problems: Problems) -> tuple[dict[str, Department], dict[str, frozenset[str]]]:
    table = headed(node, problems, DEPARTMENTS)
    entries = dict(table.named_items("departments"))
    departments = {
        name: _department(name, Table(entry, problems, DEPARTMENT_ENTRY), entries)
        for name, entry in entries.items()
    }
    groups = {
        name: frozenset(known(texts(entry, problems, GROUP_MEMBERS), departments, DEPARTMENT, problems))
        for name, entry in table.named_items("groups")
    }
    return departments, groups


def _department(name: str, table: Table, everyone: Collection[str]) -> Department:
    region = table.text("region")
    systems = {
        system: _system(system, Table(entry, table.problems, SYSTEM), region)
        for system, entry in table.named_items("systems")
    }
    return Department(
        id=name,
        title=table.text("title"),
        title_en=table.text("title_en"),
        kind=_kind(table),
        region=region,
        sharing_office=table.text("sharing_office"),
        systems=MappingProxyType(systems),
        delegate=table.name("delegate", everyone, DEPARTMENT) if "delegate" in table else "",
    )


def _system(name: str, table: Table, region: str) -> System:
    """A system may be narrowed to a part of its department's region, never widened."""
    own = table.text("region")
    if own and region and not own.startswith(region_prefix(region)):
        zh, en = f"不在该部门的区划 {region} 之内", f"not within the department's region {region}"
        table.add("region", Code.REGION_OUTSIDE, zh, en)
    return System(name, own, frozenset(grid.value for grid in table.texts("grids")))


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
    table = headed(node, problems, SERVICE_ITEMS)
    purposes = {name: text(title, problems) for name, title in table.named_items("purposes")}
    items: dict[str, ServiceItem] = {}
    for code, entry in table.named_items("service_items"):
        item = Table(entry, problems, SERVICE_ITEM)
        department = item.name("department", departments, DEPARTMENT)
        purpose = item.name("purpose", purposes, PURPOSE)
        items[code] = ServiceItem(code, item.text("title"), department, purpose)
    return purposes, items


def _datasets(
    documents: Mapping[str, Node], departments: Collection[str], reader: DatasetReader, problems: Problems
) -> dict[str, Dataset]:
    datasets: dict[str, Dataset] = {}
    for file, node in documents.items():
        if not CATALOG_FILES.holds(file):
            continue
        table = headed(node, problems, CATALOG)
        department = table.name("department", departments, DEPARTMENT)
        _check_file_name(file, department, table.place("department"), problems)
        for name, entry in table.named_items("datasets"):
            dataset = reader.read(department, name, entry)
            datasets[dataset.id] = dataset
    return datasets


def _check_file_name(file: str, department: str, at: Position, problems: Problems) -> None:
    """One file per department, so that nothing is declared twice and an officer finds it at once."""
    expected = f"{CATALOG_FOLDER}/{department}.yaml"
    if department and file != expected:
        zh, en = f"该部门的目录须写在 {expected}", f"this department's catalog belongs in {expected}"
        problems.add(at, Code.WRONG_FILE_NAME, zh, en)
