"""``when_expr``: a condition in CEL (Common Expression Language), checked when it is read.

Macros are off, so an expression is as long as its text, and its variables are typed, so what passes here can
fail only at run time for its values (a division by zero, a list too short). Such a failure is a *value* in
this library: it is told apart by its type, and raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from cel_expr_python import cel

from broker.approve.problem import VARIABLE, Code
from broker.approve.rule import Expression
from broker.model import Application, Catalog

MAX_LENGTH = 512
"""Characters."""
MACROS = ("has", "all", "exists", "exists_one", "map", "filter")
_CONFIG = "stdlib:\n  disable_macros: true\n"

VARIABLES: Mapping[str, cel.Type] = {
    "department": cel.Type.STRING,
    "region": cel.Type.STRING,
    "system": cel.Type.STRING,
    "dataset": cel.Type.STRING,
    "purpose": cel.Type.STRING,
    "service_item": cel.Type.STRING,
    "case_no": cel.Type.STRING,
    "legal_basis": cel.Type.STRING,
    "operator": cel.Type.STRING,
    "fields": cel.Type.List(cel.Type.STRING),
    "subject_count": cel.Type.INT,
    "whole_dataset": cel.Type.BOOL,
    "now": cel.Type.TIMESTAMP,
    "hour": cel.Type.INT,
    "minute": cel.Type.INT,
    "weekday": cel.Type.INT,
    "day": cel.Type.STRING,
}
"""What an expression may speak of; their meaning is told in ``docs/policy-language.md``, ``when_expr``."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """Why a text is no condition; ``column`` counts its characters from 1."""

    code: Code
    zh: str
    en: str
    column: int = 1
    unknown: str = ""
    """The name that is none of a variable, if that is the reason."""


def compile_expression(source: str, zone: ZoneInfo, catalog: Catalog) -> Expression | Complaint:
    """The condition ``source``, whose hours and days are those of ``zone``.

    A complaint if it is too long, no CEL, uses a macro or an unknown name, or is not of type bool.
    """
    if len(source) > MAX_LENGTH:
        zh = f"表达式不能超过 {MAX_LENGTH} 个字符"
        return Complaint(Code.EXPRESSION_TOO_LONG, zh, f"an expression has at most {MAX_LENGTH} characters")
    try:
        compiled = _environment().compile(source)
    except Exception as error:  # noqa: BLE001 - the library raises RuntimeError, or anything of its parser
        return _complaint(str(error))
    if compiled.return_type() != cel.Type.BOOL:
        zh = "表达式的结果须为真或假（如 hour < 12），此处是别的"
        en = "an expression must be true or false (as hour < 12 is), not something else"
        return Complaint(Code.EXPRESSION_NOT_BOOLEAN, zh, en)
    return Expression(source, _condition(compiled, zone, catalog))


@cache
def _environment() -> cel.Env:
    """Made when the first expression is read, for it takes a while; it may be used by several threads."""
    return cel.NewEnv(config=cel.NewEnvConfigFromYaml(_CONFIG), variables=dict(VARIABLES))


def _condition(
    compiled: cel.Expression, zone: ZoneInfo, catalog: Catalog
) -> Callable[[Application, datetime], bool]:
    def holds(application: Application, now: datetime) -> bool:
        result = compiled.eval(data=_values(application, now, zone, catalog))
        value = result.value() if result.type() == cel.Type.BOOL else None
        if not isinstance(value, bool):
            raise ValueError("the expression gave no truth value")  # its own message may quote the request
        return value

    return holds


def _values(
    application: Application, now: datetime, zone: ZoneInfo, catalog: Catalog
) -> Mapping[str, object]:
    consumer, local = application.consumer, now.astimezone(zone)
    department = catalog.departments[consumer.department]
    system = department.systems.get(consumer.name)
    return {
        "department": consumer.department,
        "region": (system and system.region) or department.region,
        "system": consumer.name,
        "dataset": application.dataset,
        "purpose": application.purpose,
        "service_item": application.service_item,
        "case_no": application.case_no,
        "legal_basis": application.legal_basis,
        "operator": application.operator,
        "fields": list(application.fields),
        "subject_count": len(application.subjects),
        "whole_dataset": not application.subjects,
        "now": now,
        "hour": local.hour,
        "minute": local.minute,
        "weekday": local.isoweekday(),
        "day": local.date().isoformat(),
    }


# ── what the compiler says, for officers ─────────────────────────────────────────────────────────

_ERROR = re.compile(r"ERROR: <input>:\d+:(\d+): (.*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '(.*)'")
_TYPES = {
    "string": ("文字", "text"),
    "int": ("整数", "a whole number"),
    "bool": ("真假", "true or false"),
    "double": ("小数", "a decimal"),
    "list(string)": ("文字列表", "a list of texts"),
    "google.protobuf.Timestamp": ("时刻", "an instant"),
}


def _complaint(message: str) -> Complaint:
    """The compiler's first complaint that says most: a macro, an unknown name, types that do not fit."""
    found = [(int(column), said) for column, said in _ERROR.findall(message)]
    names = [(column, name) for column, said in found for name in _UNDECLARED.findall(said)]
    for column, name in names:
        if name in MACROS:
            zh = f'不允许用 {name}(…)：逐项写明，如 "status" in fields'
            en = f'{name}(…) is not allowed; write out each case, e.g. "status" in fields'
            return Complaint(Code.EXPRESSION_MACRO, zh, en, column)
    for column, name in names:
        zh, en = f"没有{VARIABLE.zh}“{name}”", f"there is no {VARIABLE.en} “{name}”"
        return Complaint(VARIABLE.code, zh, en, column, unknown=name)
    column, said = found[0] if found else (1, "")
    return Complaint(Code.BAD_EXPRESSION, *_said(said), column)


def _said(complaint: str) -> tuple[str, str]:
    if (overload := _OVERLOAD.match(complaint)) is None:
        zh = "表达式写法有误，请检查此处的括号、引号与运算符（并且 &&，或者 ||，等于 ==）"
        en = "not an expression; check brackets, quotes and operators here (and: &&, or: ||, equals: ==)"
        return zh, en
    operator = overload[1].strip("_").replace("@", "").replace("_", " ").strip()
    types = [_TYPES.get(name, (name, name)) for name in _arguments(overload[2])]
    zh = f"“{operator}”不能用于{'与'.join(zh for zh, _ in types)}；文字须加引号，整数不加"
    en = f"“{operator}” does not fit {' and '.join(en for _, en in types)}; quote texts, not whole numbers"
    return zh, en


def _arguments(types: str) -> list[str]:
    return [name.strip() for name in types.removeprefix("(").removesuffix(")").split(", ")]
