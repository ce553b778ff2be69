"""A masking operator as an officer reads it: what it does, with what parameters, how a policy asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.masking.contract import Becomes, Beside, Operator, Properties
from broker.reasons import Sentence

_PROPERTIES = {
    "reversible": Sentence("可逆", "reversible"),
    "deterministic": Sentence("确定", "deterministic"),
    "format_preserving": Sentence("保格式", "format-preserving"),
    "linkable": Sentence("可关联", "linkable"),
    "needs_key": Sentence("需密钥", "keyed"),
}
_BESIDE = {
    Beside.SUBJECT: Sentence("另需本行当事人", "needs the subject"),
    Beside.CLAIM: Sentence("另需申报值", "needs a claim"),
}
MEANINGS = {
    "可逆 reversible": Sentence("有密钥者可还原", "whoever has the key turns it back"),
    "确定 deterministic": Sentence("同样的值总得同样的结果", "a value always gives the same result"),
    "保格式 format-preserving": Sentence("结果与原值格式相同", "the result has the value's format"),
    "可关联 linkable": Sentence(
        "同一需求部门和场景内相等的值仍相等，可以比对",
        "equal values stay equal, for one consumer and purpose",
    ),
    "需密钥 keyed": Sentence("每个需求部门、场景各有密钥", "a key for each consumer and purpose"),
}
"""Each property, and what it means."""
_BECOMES = {
    Becomes.NULL: Sentence("变为空值", "null"),
    Becomes.MASKED: Sentence("全部遮盖", "hidden throughout"),
    Becomes.ANSWER: Sentence("得到是或否的回答", "answered yes or no"),
}
_TYPES = {"integer": "integer", "string": "text", "number": "number", "boolean": "boolean", "null": "none"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, from the JSON Schema of the operator's model."""

    name: str
    kind: str
    """Type, or the words to choose from."""
    required: bool
    default: object
    """None where there is none."""
    bounds: str
    """``2 … 100``, empty where there are none."""


def parameters(operator: Operator) -> list[Parameter]:
    """The operator's parameters, in the order of its model."""
    schema = operator.params.model_json_schema()
    required = schema.get("required", ())
    return [
        Parameter(name, _kind(one, schema), name in required, one.get("default"), _bounds(one))
        for name, one in schema.get("properties", {}).items()
    ]


def property_words(properties: Properties) -> list[Sentence]:
    """What holds of the operator."""
    words = [said for name, said in _PROPERTIES.items() if getattr(properties, name)]
    beside = _BESIDE.get(properties.beside)
    return [*words, beside] if beside else words


def behaviour(properties: Properties) -> Iterator[tuple[Sentence, Sentence]]:
    """What becomes of a null, of a short and of an invalid value."""
    yield Sentence("空值", "a null"), _BECOMES[properties.null]
    yield Sentence("过短的值", "a value too short"), _BECOMES[properties.short]
    yield Sentence("格式不符的值", "an invalid value"), _BECOMES[properties.invalid]


def as_written(operator: Operator) -> str:
    """The operator as a policy's ``mask`` names it, with the parameters of its first known answer."""
    params = operator.known_answers[0].params
    written = ", ".join(f"{name}: {_yaml(value)}" for name, value in params.items())
    return f"{{{operator.name}: {{{written}}}}}"


def record(operator: Operator, package: str, strictness: int | None) -> dict[str, object]:
    """Everything, for programs."""
    properties = operator.properties
    return {
        "name": operator.name,
        "version": operator.version,
        "title": operator.title,
        "summary": operator.summary,
        "package": package,
        "strictness": strictness,
        "properties": {name: getattr(properties, name) for name in _PROPERTIES}
        | {"beside": properties.beside, "null": properties.null}
        | {"short": properties.short, "invalid": properties.invalid},
        "accepts": list(operator.accepts),
        "parameters": operator.params.model_json_schema(),
        "policy": as_written(operator),
        "known_answers": [
            {
                "params": dict(known.params),
                "given": str(known.given),
                "values": known.values,
                "beside": known.beside,
                "answers": known.answers,
            }
            for known in operator.known_answers
        ],
    }


# ── parts ────────────────────────────────────────────────────────────────────────────────────────


def _kind(one: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    if "$ref" in one:
        return _kind(schema["$defs"][one["$ref"].rpartition("/")[2]], schema)
    if "enum" in one:
        return " | ".join(map(str, one["enum"]))
    if "const" in one:
        return str(one["const"])
    if parts := one.get("anyOf", one.get("oneOf")):
        return " | ".join(_kind(part, schema) for part in parts)
    match one.get("type"):
        case "array":
            return f"list of {_kind(one.get('items', {}), schema)}"
        case "object":
            return f"map to {_kind(one.get('additionalProperties') or {}, schema)}"
        case kind:
            return str(one.get("format") or _TYPES.get(str(kind), "any"))


def _bounds(one: Mapping[str, Any]) -> str:
    low = one.get("minimum", one.get("minLength", one.get("minItems")))
    high = one.get("maximum", one.get("maxLength", one.get("maxItems")))
    if low is None and high is None:
        return ""
    return " … ".join(("" if bound is None else str(bound)) for bound in (low, high)).strip()


def _yaml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_yaml(key)}: {_yaml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    if isinstance(value, str) and not value.isidentifier():
        return f'"{value}"'
    return str(value)
