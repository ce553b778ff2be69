"""The reader's grammar as JSON Schema: each shape, and what the catalog says beyond it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import singledispatchmethod
from typing import Any

from adapters.masking.contract import Operator
from broker.approve.catalog import RESERVED_LEVELS
from broker.approve.catalog_grammar import CATALOG_DATASET, CATALOG_FIELD, CITY
from broker.approve.dataset import CITATION
from broker.approve.expression import MAX_LENGTH
from broker.approve.grammar import (
    CATALOG_FILES,
    CITY_FILE,
    DEPARTMENTS_FILE,
    MASKING_FILE,
    POLICY,
    RULE,
    SERVICE_ITEMS_FILE,
    FileForm,
)
from broker.approve.problem import (
    CATEGORY,
    COMMITMENT,
    DATASET,
    DEPARTMENT,
    DOMAIN,
    FIELD,
    FORMAT,
    FORMAT_OR_TYPE,
    GROUP,
    LEVEL,
    OPERATOR,
    PURPOSE,
    Kind,
)
from broker.approve.profiles import KINDS
from broker.approve.rule import Effect
from broker.approve.shapes import (
    DAY,
    DAYS,
    ByEffect,
    Constant,
    Key,
    Keys,
    ListOf,
    MapOf,
    Name,
    OneMask,
    OneWord,
    Scalar,
    Shape,
)
from broker.authoring.grammar import EXPECT, NONE
from broker.formats import FORMATS
from broker.model import CORE, IMPORTANT, Catalog, Dataset, FieldType, Scope, SharingAttribute
from broker.treatments import BY_LEVEL

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Schema = {"type": ["string", "number", "boolean"], "pattern": r"^\S([\s\S]*\S)?\n*$"}
_PARAMETER: Schema = {"$ref": "#/$defs/parameter"}
_PARAMETERS: Schema = {
    "anyOf": [
        _TEXT,
        {"type": "array", "items": _PARAMETER},
        {"type": "object", "additionalProperties": _PARAMETER},
    ]
}
_COUNT: Schema = {"type": "integer", "minimum": 1, "maximum": 999_999_999}
_NUMBERS: Mapping[str, Schema] = {
    "count": _COUNT,
    "several": {**_COUNT, "minimum": 2, "maximum": 99_999},
    "term": {**_COUNT, "maximum": 9_999},
    "percent": {**_COUNT, "maximum": 99},
    "subjects": _COUNT,
    "region": {"type": "integer", "minimum": 0, "maximum": 999_999},
    "slug": {"type": "integer", "minimum": 0},
    "trust_domain": {"type": "number", "minimum": 0},
}
"""Forms of text that, without quotes, YAML takes for numbers."""
_AS_WRITTEN: Mapping[str, Schema] = {
    "flag": {"enum": [True, False, "true", "false"]},
    "parameter": _PARAMETER,
    "expression": {**_TEXT, "maxLength": MAX_LENGTH},
}

_DEFINED_IN = {
    DEPARTMENTS_FILE.path: (DEPARTMENT, GROUP),
    SERVICE_ITEMS_FILE.path: (PURPOSE,),
    CITY_FILE.path: (LEVEL, CATEGORY),
    CATALOG_FILES.path: (DATASET, FIELD),
    MASKING_FILE.path: (OPERATOR,),
}


class SchemaMaker:
    """Makes the schema of one kind of file."""

    def __init__(self, catalog: Catalog, operators: Mapping[str, Operator], form: FileForm) -> None:
        self._catalog = catalog
        self._operators = operators
        self._form = form
        self._defined_here = _DEFINED_IN.get(form.path, ())
        self._definitions: dict[str, Schema] = {}

    def document(self) -> Schema:
        form = self._form
        body = self._of(form.keys)
        return {
            "$schema": DIALECT,
            "title": form.format,
            "description": f"{form.zh}（{form.path}）\n\n{form.en}",
            **body,
            "$defs": {**self._definitions, "parameter": _PARAMETERS},
        }

    @singledispatchmethod
    def _of(self, shape: Shape) -> Schema:
        raise TypeError(f"no schema for {type(shape).__name__}")

    @_of.register
    def _(self, shape: Scalar) -> Schema:
        if shape.name in _AS_WRITTEN:
            return _AS_WRITTEN[shape.name]
        if shape.pattern is None:
            return _TEXT
        text = _matching(shape.pattern.pattern)
        if shape is DAYS:  # of an interval an editor knows no format
            return {"anyOf": [self._of(DAY), {**text, "minLength": len("2026-10-01/2026-10-07")}]}
        if shape is DAY:
            text["format"] = "date"
        return {"anyOf": [_NUMBERS[shape.name], text]} if shape.name in _NUMBERS else text

    @_of.register
    def _(self, shape: Constant) -> Schema:
        return {"const": shape.text}

    @_of.register
    def _(self, shape: OneWord) -> Schema:
        return {"enum": [word.value for word in shape.words]}

    @_of.register
    def _(self, shape: Name) -> Schema:
        titles = self._titles(shape.kind)
        if titles is None:
            return _TEXT
        words = {word.value: "" for word in shape.or_words or ()}
        name = "_or_".join([shape.kind.en.replace(" ", "_"), *words])
        self._definitions[name] = _titled({**words, **titles})
        return {"$ref": f"#/$defs/{name}"}

    @_of.register
    def _(self, shape: ListOf) -> Schema:
        many = {"type": "array", "minItems": 1, "uniqueItems": True, "items": self._of(shape.item)}
        return {"anyOf": [{"const": shape.instead}, many]} if shape.instead else many

    @_of.register
    def _(self, shape: MapOf) -> Schema:
        found: Schema = {"type": "object", "propertyNames": self._of(shape.key)}
        found["additionalProperties"] = self._of(shape.value)
        if not shape.may_be_empty:
            found["minProperties"] = 1
        if shape.required:
            found["required"] = list(shape.required)
        return found

    @_of.register
    def _(self, shape: OneMask) -> Schema:
        if "mask" not in self._definitions:
            self._definitions["mask"] = _mask(self._operators)
        mask: Schema = {"$ref": "#/$defs/mask"}
        if not shape.or_word:
            return mask
        self._definitions["treatment"] = _titled(self._words())
        return {"anyOf": [{"$ref": "#/$defs/treatment"}, mask]}

    def _words(self) -> dict[str, str]:
        """What may stand in place of a mask; whether it means one for the field at hand the reader tells."""
        profiles = self._catalog.mask_profiles.values()
        bare = {name: one.title for name, one in self._operators.items() if not _parameters(one)["required"]}
        treatments = dict.fromkeys([word for one in profiles for word in one.treatments], "")
        by_level = {BY_LEVEL: "方案所写该级的做法"} if any(one.levels for one in profiles) else {}
        return {**treatments, **bare, **by_level}

    @_of.register
    def _(self, shape: Keys) -> Schema:
        found: Schema = {
            "type": "object",
            "properties": {
                key.name: {**self._value(shape, key), "title": key.zh, "description": f"{key.zh}\n\n{key.en}"}
                for key in shape.entries
            },
            "required": sorted(shape.required),
            "additionalProperties": False,
        }
        if shape.at_least_one:
            found["anyOf"] = [{"required": [name]} for name in shape.at_least_one]
        if shape.exactly_one:
            found["oneOf"] = [{"required": [name]} for name in shape.exactly_one]
        if more := list(self._more(shape)):
            found["allOf"] = more
        return found

    def _value(self, keys: Keys, key: Key) -> Schema:
        """What stands after ``key``; of what a case expects, also that there is nothing."""
        value = self._of(key.shape)
        return {"anyOf": [{"const": NONE}, value]} if keys is EXPECT and key.optional else value

    @_of.register
    def _(self, shape: ByEffect) -> Schema:
        cases = [
            {"if": _has("effect", {"const": effect.value}), "then": self._of(keys)}
            for effect, keys in shape.cases.items()
        ]
        effects = {"enum": [effect.value for effect in shape.cases]}
        catalog = self._about_datasets() if shape is RULE else []
        return {
            "type": "object",
            "properties": {"effect": effects},
            "required": ["effect"],
            "allOf": [*cases, *catalog],
        }

    # ── what the reader demands beyond the grammar ──

    def _more(self, shape: Keys) -> Iterator[Schema]:
        if shape is CITY:
            yield {"properties": {"levels": {"items": {"not": {"enum": list(RESERVED_LEVELS)}}}}}
        elif shape is CATALOG_FIELD:
            for type_ in FieldType:
                formats = [name for name, one in FORMATS.items() if type_ in one.types]
                yield {
                    "if": _has("type", {"const": type_}),
                    "then": {"properties": {"format": {"enum": formats} if formats else False}},
                }
        elif shape is CATALOG_DATASET:
            conditional, withheld = SharingAttribute.CONDITIONAL, SharingAttribute.WITHHELD
            cited = _has("attribute_basis", {"type": "string", "pattern": CITATION.pattern})
            yield {"if": _attribute(conditional), "then": {"required": ["attribute_basis"]}}
            yield {"if": _attribute(withheld), "then": cited}
        elif shape is POLICY:
            for name, department in self._catalog.departments.items():
                lower = [scope.value for scope in Scope if scope.rank >= department.scope.rank]
                owned = _has("owner", {"const": name})
                yield {"if": owned, "then": {"properties": {"scope": {"enum": lower}}}}

    # ── what the catalog says of datasets and their fields ──

    def _about_datasets(self) -> list[Schema]:
        """What a rule may say depends on its dataset or category: its fields above all."""
        catalog = self._catalog
        found = [rule for dataset in catalog.datasets.values() for rule in self._about(dataset)]
        for category in catalog.categories:
            within = [one for one in catalog.datasets.values() if one.category == category]
            titles = {name: field.title for one in within for name, field in one.fields.items()}
            about = _has("what", _has("category", {"const": category}))
            found.append({"if": about, "then": _fields(_titled(titles))})
        return found

    def _about(self, dataset: Dataset) -> list[Schema]:
        about = _has("what", _has("dataset", {"const": dataset.id}))
        every = dataset.fields
        shared = [name for name, field in every.items() if field.shared and field.level != CORE]
        fields = _fields(_titled({name: field.title for name, field in every.items()}))
        masked = {"mask": {"propertyNames": {"enum": shared}}}
        texts = [name for name, field in every.items() if field.type is FieldType.TEXT]
        rows: Schema = {"lists": {"propertyNames": {"enum": texts}}}
        rows |= {} if dataset.region_field else {"district": False}
        rows |= {} if dataset.grid_field else {"grid": False}
        releasing: Schema = {
            "properties": {
                "what": {"properties": {"fields": {"items": {"enum": shared}}}},
                "obligations": {"properties": masked},
                "rows": {"properties": rows},
            }
        }
        if dataset.sharing_attribute is SharingAttribute.CONDITIONAL:
            releasing["required"] = ["consent"]
        if dataset.sharing_attribute is SharingAttribute.WITHHELD:
            releasing = {"not": {}}
        effects = {"enum": [Effect.PERMIT.value, Effect.DELEGATE.value]}
        both = {"allOf": [about, _has("effect", effects)]}
        return [{"if": about, "then": fields}, {"if": both, "then": releasing}]

    def _titles(self, kind: Kind) -> Mapping[str, str] | None:
        """Names there are, with their titles; None where this file itself defines them."""
        catalog = self._catalog
        if kind in self._defined_here or kind is FIELD:
            return None
        domains = {field.domain for one in catalog.datasets.values() for field in one.fields.values()}
        found: dict[Kind, Mapping[str, str]] = {
            DEPARTMENT: {name: f"{one.title} {one.title_en}" for name, one in catalog.departments.items()},
            GROUP: {name: "、".join(sorted(members)) for name, members in catalog.groups.items()},
            DATASET: {name: one.title for name, one in catalog.datasets.items()},
            CATEGORY: catalog.categories,
            PURPOSE: catalog.purposes,
            LEVEL: {**dict.fromkeys(catalog.levels, ""), IMPORTANT: "重要", CORE: "核心"},
            FORMAT: {name: one.title for name, one in FORMATS.items()},
            FORMAT_OR_TYPE: {
                **dict.fromkeys(KINDS, ""),
                **{name: one.title for name, one in FORMATS.items()},
            },
            DOMAIN: dict.fromkeys(sorted(domains), ""),
            COMMITMENT: {name: one.title for name, one in catalog.commitments.items()},
            OPERATOR: {name: one.title for name, one in self._operators.items()},
        }
        return found[kind]


def _matching(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^(?:{pattern})$"}


def _has(key: str, value: Schema) -> Schema:
    """Holds of a mapping that has ``key`` with such a value."""
    return {"properties": {key: value}, "required": [key]}


def _attribute(attribute: SharingAttribute) -> Schema:
    return _has("sharing_attribute", {"const": attribute.value})


def _fields(one: Schema) -> Schema:
    """Of a rule: what its fields may be."""
    return {"properties": {"what": {"properties": {"fields": {"items": one}}}}}


def _titled(titles: Mapping[str, str]) -> Schema:
    """One of these names; one of digits may stand without quotes."""
    numbers = {int(name): title for name, title in titles.items() if name.isdecimal()}
    return {"enum": [*titles, *numbers], "enumDescriptions": [*titles.values(), *numbers.values()]}


# ── masks ────────────────────────────────────────────────────────────────────────────────────────


def _mask(operators: Mapping[str, Operator]) -> Schema:
    return {
        "type": "object",
        "properties": {name: _parameters(operator) for name, operator in operators.items()},
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _parameters(operator: Operator) -> Schema:
    model = operator.params.model_json_schema()
    return {
        "type": "object",
        "title": operator.title,
        "description": operator.summary,
        "properties": {name: _as_written(one) for name, one in model.get("properties", {}).items()},
        "required": model.get("required", []),
        "additionalProperties": False,
    }


def _as_written(parameter: Schema) -> Schema:
    """What an operator's model says of a parameter, as a policy may write it: whole numbers also as text."""
    if "enum" in parameter or "const" in parameter:
        return {key: parameter[key] for key in ("enum", "const") if key in parameter}
    if parameter.get("type") == "integer":
        bounds = {key: parameter[key] for key in ("minimum", "maximum") if key in parameter}
        return {"anyOf": [{"type": "integer", **bounds}, {"type": "string", "pattern": "^[+-]?[0-9]{1,9}$"}]}
    return _PARAMETER
