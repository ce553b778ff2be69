"""JSON Schema (2020-12) of each kind of file, made of the reader's own grammar and the catalog as it is.

Editors complete and check by it while an officer types. A value may be written with quotes or without, so
what the grammar calls a text is here whatever YAML 1.2 makes of it. Names that the same file defines are not
enumerated: one just written would be called wrong.
"""

from __future__ import annotations

from collections.abc import Mapping

from adapters.masking.contract import Operator
from broker.approve.grammar import FILES, FileForm
from broker.approve.problem import Code
from broker.authoring.grammar import CASE_FILES
from broker.authoring.json_schema import Schema, SchemaMaker
from broker.model import Catalog
from broker.reasons import Sentence

FORMS = (*FILES, CASE_FILES)
FOLDER = ".schema"
"""Where the schemas of a folder of policies are kept: hidden, so no part of the bundle."""


def schemas(catalog: Catalog, operators: Mapping[str, Operator]) -> dict[str, Schema]:
    """Name of the schema's file → schema, for each kind of file in a folder of policies."""
    return {file_name(form): SchemaMaker(catalog, operators, form).document() for form in FORMS}


def file_name(form: FileForm) -> str:
    """Of the schema, in :data:`FOLDER`: ``policy.json`` for ``share-policy/v1``."""
    return f"{form.format.removeprefix('share-').partition('/')[0]}.json"


def editor_settings(folder: str) -> dict[str, object]:
    """What VS Code's settings need for the YAML extension to use the schemas in ``folder``/.schema."""
    base = f"{folder}/" if folder else ""
    return {
        "yaml.schemas": {
            f"./{base}{FOLDER}/{file_name(form)}": f"{base}{form.path}{'*.yaml' if form.is_folder else ''}"
            for form in FORMS
        }
    }


INEXPRESSIBLE: Mapping[Code, Sentence] = {
    **dict.fromkeys(
        (
            Code.SYNTAX, Code.SEVERAL_DOCUMENTS, Code.EMPTY_DOCUMENT, Code.TOO_DEEP, Code.TAB,
            Code.FULL_WIDTH, Code.CURLY_QUOTE, Code.INVISIBLE_CHARACTER, Code.SEVERAL_LINES, Code.ANCHOR,
            Code.TAG, Code.MERGE, Code.DUPLICATE_KEY,
        ),
        Sentence("关于 YAML 的写法，模式只看读出来的值", "of the writing; a schema sees what was read"),
    ),
    **dict.fromkeys(
        (Code.FILE_MISSING, Code.FILE_UNREADABLE, Code.FILE_UNEXPECTED, Code.WRONG_FILE_NAME),
        Sentence("关于文件夹，模式只看一个文件的内容", "of the folder; a schema sees one file's content"),
    ),
    **dict.fromkeys(
        (Code.CATALOG_CODE_REPEATED, Code.TWO_SOURCES, Code.DUPLICATE_POLICY, Code.DUPLICATE_RULE,
         Code.LINKS_OVERLAP),
        Sentence("须与其他条目比较是否重复", "compares entries with one another"),
    ),
    **dict.fromkeys(
        (
            Code.BAD_PERIOD, Code.BAD_CALENDAR, Code.LIMIT_TOO_LONG, Code.REGION_OUTSIDE, Code.SUBJECT_FORMAT,
            Code.FIELD_OUTSIDE_RULE, Code.LINK_EMPTY, Code.BAD_BLANK, Code.COMMITMENT_TOO_LONG,
        ),
        Sentence("须比较同一文件中两处的值", "compares the values of two places"),
    ),
    **dict.fromkeys(
        (Code.NOBODY, Code.NOTHING, Code.NOT_THE_PROVIDER),
        Sentence("须就每一种组合查目录", "asks the catalog about every combination"),
    ),
    **dict.fromkeys(
        (
            Code.BAD_EXPRESSION, Code.EXPRESSION_MACRO, Code.EXPRESSION_NOT_BOOLEAN, Code.UNKNOWN_VARIABLE,
        ),
        Sentence("须编译表达式", "compiles the expression"),
    ),
    Code.BAD_ZONE: Sentence("取决于读取它的机器", "depends on the machine that reads it"),
}  # fmt: skip
"""Problems that no schema can express, and why; such files are refused by the reader alone."""

PARTLY: Mapping[Code, Sentence] = {
    Code.WRONG_FIELD_TYPE: Sentence(
        "as_of、region、grid 所指的数据项在同一文件里",
        "the field that as_of, region or grid names is in the same file",
    ),
    Code.UNKNOWN_DEPARTMENT: Sentence("部门组的成员在同一文件里", "a group's members stand in the same file"),
    Code.UNKNOWN_FIELD: Sentence(
        "目录自己的数据项在同一文件里", "a catalog's own fields stand in the same file"
    ),
    Code.UNKNOWN_PURPOSE: Sentence(
        "事项的使用场景在同一文件里", "a service item's purpose stands in the same file"
    ),
    Code.UNKNOWN_OPERATOR: Sentence("masking.yaml 自己的次序", "of the order in masking.yaml itself"),
    Code.BAD_HOURS: Sentence("止不晚于起", "hours that end before they begin"),
    Code.BAD_DATE: Sentence("起止日期中不存在的一天", "a day of an interval that does not exist"),
    Code.BAD_MASK: Sentence(
        "脱敏方式不适合数据项的类型，或词不在其方案里",
        "a mask that does not fit the field's type, or a word that its profile does not have",
    ),
}
"""Problems of which a schema sees some cases and not these."""
