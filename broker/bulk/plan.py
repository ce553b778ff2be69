"""A mask plan in YAML (``share-mask-plan/v1``) → :class:`BulkPlan`: which columns of a file go out, and how.

A column that no field of the plan names is never given out. How to write one: ``docs/bulk.md``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from zoneinfo import ZoneInfo

import orjson

from adapters.masking.contract import Beside, Operator
from broker.approve.catalog import load_catalog, zone
from broker.approve.document import Node, ScalarNode, parse
from broker.approve.files import is_policy, read_folder
from broker.approve.masks import CheckMask, read_mask
from broker.approve.problem import (
    DATASET,
    DEPARTMENT,
    FIELD,
    FORMAT,
    PURPOSE,
    Code,
    Kind,
    Problems,
)
from broker.approve.table import Table, headed
from broker.bulk.grammar import AS_IS, DROP, FIELD_OF_PLAN, PLAN, BadValues, Encoding
from broker.desensitize.plan import check_mask, key_domain
from broker.errors import SetUpError
from broker.formats import FORMATS
from broker.model import CORE, Below, Catalog, Dataset, Field, FieldType, LinkDomain, Mask
from broker.reasons import Sentence
from broker.treatments import resolve

ZONE = "Asia/Shanghai"
"""Of times without offset, where neither plan nor catalog names another."""
_FROM_CATALOG = ("type", "format", "level", "domain", "column")


@dataclass(frozen=True, slots=True)
class BulkField:
    """A field of the plan: the column that it is read from, and what is given of it."""

    field: Field
    column: str
    """Name in the file."""
    mask: Mask | None
    """None: given as it is, or not at all."""
    released: bool = True
    """False: only read, for others' sake."""
    link: LinkDomain | None = None
    """Link domain by which its tokens join others'; such a grant is only for datasets of a catalog."""


@dataclass(frozen=True, slots=True)
class Gate:
    """k-anonymity over the masked values of ``quasi_identifiers``."""

    quasi_identifiers: tuple[str, ...]
    k: int
    below: Below


@dataclass(frozen=True, slots=True)
class BulkPlan:
    """What a file of masked data is made by."""

    provider: str
    consumer: str
    purpose: str
    fields: tuple[BulkField, ...]
    """In the order in which they are given out."""
    subject: str = ""
    """Field that says whom a row is about; empty: none does."""
    gate: Gate | None = None
    bad_values: BadValues = BadValues.EMPTY
    zone: str = ZONE
    encoding: Encoding = Encoding.UTF8
    dataset: str = ""
    """The catalog's id of what is masked; empty: it is in no catalog."""
    file_sha256: str = field(default="", compare=False)
    """Of the file that it was read from."""

    @property
    def digest(self) -> str:
        """SHA-256 of all that the plan says, with what it takes from the catalog, however it is spelled."""
        said = replace(self, file_sha256="")
        return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS, default=_plain)).hexdigest()


def read_plan(path: Path, operators: Mapping[str, Operator]) -> BulkPlan:
    """The plan in ``path``, every mask of it checked.

    Raises:
        PolicyProblems: all that is wrong with it, or with the catalog that it names, each with its place.
        SetUpError: the file cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SetUpError(
            f"无法读取计划文件 {path}（{error.strerror}）。",
            f"Plan {path} cannot be read ({error.strerror}).",
        ) from None
    problems = Problems(Sentence("脱敏计划", "mask plan"))
    node = parse(content, path.name, problems)
    if node is None:
        problems.refuse()
        raise AssertionError("a file that is not YAML is a problem")
    table = headed(node, problems, PLAN)
    catalog = _catalog(path.parent, table, lambda field, mask, _=(): check_mask(operators, field.type, mask))
    plan = _Reader(table, catalog, operators).plan(hashlib.sha256(content).hexdigest())
    problems.refuse()
    return plan


class _Reader:
    """Reads one plan; what it gives is to be used only if no problem was found."""

    def __init__(self, table: Table, catalog: Catalog | None, operators: Mapping[str, Operator]) -> None:
        self._table, self._problems = table, table.problems
        self._catalog, self._operators = catalog, operators
        self._links: Mapping[str, LinkDomain] = {}

    def plan(self, sha256: str) -> BulkPlan:
        table, catalog = self._table, self._catalog
        dataset = self._dataset()
        self._links = self._links_of(dataset)
        departments = catalog.departments if catalog else None
        entries = dict(table.named_items("fields"))
        subject = table.name("subject", entries, FIELD) if "subject" in table else ""
        fields = tuple(self._field(name, node, dataset, subject) for name, node in entries.items())
        self._check_columns(fields, subject)
        return BulkPlan(
            provider=self._known("provider", departments, DEPARTMENT),
            consumer=self._known("consumer", departments, DEPARTMENT),
            purpose=self._known("purpose", catalog.purposes if catalog else None, PURPOSE),
            fields=fields,
            subject=subject,
            gate=self._gate([one.field.name for one in fields if one.released]),
            bad_values=table.word("bad_values", BadValues, BadValues.EMPTY),
            encoding=table.word("encoding", Encoding, Encoding.UTF8),
            zone=zone(table) or (catalog.zone if catalog else ZONE),
            dataset=dataset.id if dataset else "",
            file_sha256=sha256,
        )

    def _known(self, key: str, names: Collection[str] | None, kind: Kind) -> str:
        return self._table.text(key) if names is None else self._table.name(key, names, kind)

    def _dataset(self) -> Dataset | None:
        table = self._table
        if "dataset" not in table:
            return None
        if self._catalog is None:
            zh, en = (
                "写 dataset 须同时写 policies（策略文件夹）",
                "a dataset needs policies, the folder that it is in",
            )
            table.add("dataset", Code.MISSING_KEY, zh, en)
            return None
        dataset = self._catalog.datasets.get(table.name("dataset", self._catalog.datasets, DATASET))
        if dataset is not None and dataset.department != table.text("provider"):
            zh, en = f"此数据资源由 {dataset.department} 提供", f"{dataset.department} provides this dataset"
            table.add("provider", Code.NOT_THE_PROVIDER, zh, en)
        return dataset

    def _links_of(self, dataset: Dataset | None) -> Mapping[str, LinkDomain]:
        """The link domains that an exchange of the dataset would be in today."""
        if self._catalog is None or dataset is None:
            return {}
        today = datetime.now(ZoneInfo(self._catalog.zone)).date()
        return self._catalog.links(dataset, self._table.text("consumer"), self._table.text("purpose"), today)

    def _field(self, name: str, node: Node, dataset: Dataset | None, subject: str) -> BulkField:
        table = Table(node, self._problems, FIELD_OF_PLAN)
        if dataset is None:
            described, column = self._described(name, table), table.text("column") or name
        else:
            described, column = self._of_catalog(name, table, dataset)
        word = _word(table)
        if word in (AS_IS, DROP):
            return BulkField(described, column, None, released=word == AS_IS)
        mask = self._mask(table, described)
        if mask is not None:
            self._check(table, described, mask, subject)
        link = self._links.get(key_domain(dataset, described)) if dataset else None
        return BulkField(described, column, mask, released=mask is not None, link=link)

    def _described(self, name: str, table: Table) -> Field:
        """A field that the plan itself describes."""
        if "type" not in table:
            zh, en = "缺少键“type”", "key “type” is missing"
            table.add("type", Code.MISSING_KEY, zh, en)
        kind = table.word("type", FieldType, FieldType.TEXT)
        form = table.name("format", FORMATS, FORMAT)
        if form in FORMATS and kind not in (types := FORMATS[form].types):
            zh = f"只有 type: {'、'.join(types)} 的数据项可写 format: {form}"
            en = f"only a field of type {' or '.join(types)} has the format {form}"
            table.add("format", Code.WRONG_FIELD_TYPE, zh, en)
        domain = table.text("domain") or form or name
        return Field(name, name, kind, table.text("level"), form or None, domain=domain)

    def _of_catalog(self, name: str, table: Table, dataset: Dataset) -> tuple[Field, str]:
        """A field that the catalog describes, and its column."""
        for key in _FROM_CATALOG:
            if key in table:
                zh, en = (
                    f"写了 dataset，{key} 以目录为准，请删去",
                    f"with dataset, {key} is the catalog's; remove it",
                )
                table.add(key, Code.CONFLICTING_KEYS, zh, en)
        found = dataset.fields.get(name)
        if found is None:
            self._problems.unknown(table.at, FIELD, name, dataset.fields)
            return Field(name, name, FieldType.TEXT, ""), name
        if not found.shared and _word(table) != DROP:
            zh, en = "目录规定此数据项不共享", "the catalog says that this field is not shared"
            table.add("mask", Code.FIELD_NOT_SHARED, zh, en)
        if found.level == CORE and _word(table) != DROP:
            table.add("mask", Code.FIELD_CORE, "核心数据不得给出", "core data never go out")
        return found, dataset.source.columns.get(name, name)

    def _mask(self, table: Table, described: Field) -> Mask | None:
        """The mask as written, or what its word means in the catalog's profiles; None after a report."""
        node = table.node("mask")
        written = read_mask(table.at, node, self._problems) if node is not None else None
        if written is None:
            return None
        if isinstance(written.mask, Mask):
            return written.mask
        found = resolve(
            written.mask,
            described.format,
            described.type,
            described.level,
            self._catalog.mask_profiles if self._catalog else {},
            partial(check_mask, self._operators, described.type),
        )
        if isinstance(found, Mask):
            return found
        self._refuse(table, described, found)
        return None

    def _check(self, table: Table, described: Field, mask: Mask, subject: str) -> None:
        complaint = check_mask(self._operators, described.type, mask) or self._lacks(mask, subject)
        if complaint is not None:
            self._refuse(table, described, complaint)

    def _refuse(self, table: Table, described: Field, complaint: Sentence) -> None:
        zh = f"数据项“{described.name}”不能这样脱敏：{complaint.zh}"
        table.add("mask", Code.BAD_MASK, zh, f"“{described.name}” cannot be masked so: {complaint.en}")

    def _lacks(self, mask: Mask, subject: str) -> Sentence | None:
        """What the operator must know of a row that a file does not tell."""
        match self._operators[mask.operator].properties.beside:
            case Beside.SUBJECT if not subject:
                return Sentence(
                    f"{mask.operator} 须知道每行关于谁，请写 subject",
                    f"{mask.operator} must know whom a row is about; write subject",
                )
            case Beside.CLAIM:
                return Sentence(
                    f"{mask.operator} 要核对需求方逐次给出的值，文件中没有",
                    f"{mask.operator} compares with what a consumer says at each call, which no file holds",
                )
        return None

    def _check_columns(self, fields: Collection[BulkField], subject: str) -> None:
        if any(one.field.name == subject and one.field.type is not FieldType.TEXT for one in fields):
            self._table.add("subject", Code.WRONG_FIELD_TYPE, "类型须为 text", "must be of type text")
        if fields and not any(one.released for one in fields):
            self._table.add("fields", Code.NOTHING, "没有一个数据项会给出", "no field is given out")

    def _gate(self, released: Collection[str]) -> Gate | None:
        table = self._table.table("k_anonymity")
        if not table.is_written:
            return None
        quasi_identifiers = table.names("quasi_identifiers", released, FIELD)
        k = table.count("k") or 0
        if k == 1:
            table.add("k", Code.BAD_COUNT, "k 至少为 2", "k is at least 2")
        return Gate(quasi_identifiers, k, table.word("below", Below, Below.SUPPRESS))


def _word(table: Table) -> str:
    node = table.node("mask")
    return node.value if isinstance(node, ScalarNode) and not node.broken else ""


def _catalog(base: Path, table: Table, check: CheckMask) -> Catalog | None:
    """The catalog of the folder that the plan names.

    Raises:
        PolicyProblems: something is wrong with it.
        SetUpError: there is no such folder.
    """
    if not (folder := table.text("policies")):
        return None
    problems = Problems()
    files = read_folder(base / folder, problems)
    parsed = {file: parse(content, file, problems) for file, content in files.items() if not is_policy(file)}
    problems.refuse()
    documents = {file: node for file, node in parsed.items() if node is not None}
    catalog = load_catalog(documents, check, problems)
    problems.refuse()
    return catalog


def _plain(value: object) -> object:
    if isinstance(value, MappingProxyType):
        return dict(value)
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(type(value).__name__)
