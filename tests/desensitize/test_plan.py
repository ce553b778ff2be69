"""The mask plan: the permit's masks on the application's fields, and nothing else in the bytes."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.masking.contract import Beside, BoundMask, KeyContext, Operator, Params, Properties
from adapters.masking.match import Match
from adapters.masking.registry import load_operators
from broker.arrow import arrow_type
from broker.desensitize.plan import MaskPlan, check_mask, plan
from broker.errors import Failed, Unavailable
from broker.model import (
    Application,
    Approved,
    Claim,
    Dataset,
    Decision,
    Field,
    FieldType,
    Identity,
    Mask,
    Obligations,
    Role,
    SharingAttribute,
    SourceSpec,
    Verdict,
)
from broker.reasons import Reason

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
FIELDS = {
    "name": Field("name", "姓名", FieldType.TEXT, "L3"),
    "taxpayer_id": Field("taxpayer_id", "身份号码", FieldType.TEXT, "L3", domain="resident_id"),
    "spouse_id": Field("spouse_id", "配偶身份号码", FieldType.TEXT, "L3", domain="resident_id"),
    "account": Field("account", "账号", FieldType.TEXT, "L3"),
    "tax_year": Field("tax_year", "年度", FieldType.INTEGER, "L1"),
    "income": Field("income", "所得额", FieldType.DECIMAL, "L3"),
    "resident": Field("resident", "居民", FieldType.BOOLEAN, "L1"),
    "filed_on": Field("filed_on", "申报日期", FieldType.DATE, "L2"),
    "updated_at": Field("updated_at", "更新时间", FieldType.TIMESTAMP, "L1", shared=False),
}
DATASET = Dataset(
    id="tax.income",
    department="tax",
    title="个人所得税申报",
    catalog_code="990100-SW-0001",
    fields=FIELDS,
    subject_fields=("taxpayer_id",),
    subject_format="resident_id",
    sharing_attribute=SharingAttribute.CONDITIONAL,
    sharing_modes=("api",),
    use_conditions="",
    attribute_basis="",
    update_cycle=timedelta(days=1),
    as_of_field="updated_at",
    source=SourceSpec("sql", {}, {}),
)
CONSUMER = Identity("xinghe", "housing_fund", Role.SYSTEM, "counter", 1, NOW, b"")
ROWS = [
    {
        "name": f"机密姓名{i}",
        "taxpayer_id": f"secret-taxpayer-{i:04d}",
        "spouse_id": f"secret-taxpayer-{i + 1:04d}",
        "account": f"secret-account-{i:04d}",
        "tax_year": 2000 + i % 20,
        "income": f"{i}.50",
        "resident": i % 2 == 0,
        "filed_on": date(2020, 1, 1) + timedelta(days=i),
        "updated_at": NOW,
        "unasked": "secret-unasked",
    }
    for i in range(100)
]
SCHEMA = pa.schema(
    [*((name, arrow_type(field.type)) for name, field in FIELDS.items()), ("unasked", pa.string())]
)


@dataclass(frozen=True)
class Keys:
    """Keys that show for what they were asked."""

    context: tuple[str, ...]
    version: int = 3

    def derive(self, label: str, length: int) -> bytes:
        return hashlib.sha256("/".join((*self.context, label)).encode()).digest()[:length]


class Keyring:
    """Key contexts, and a record of those asked for."""

    def __init__(self) -> None:
        self.version = 1
        self.asked: list[tuple[str, ...]] = []

    def for_field(self, provider: str, consumer: str, purpose: str, domain: str) -> KeyContext:
        self.asked.append((provider, consumer, purpose, domain))
        return Keys(self.asked[-1])

    def for_link(self, link: str, consumer: str, purpose: str, domain: str) -> KeyContext:
        self.asked.append(("link", link, consumer, purpose, domain))
        return Keys(self.asked[-1])


@dataclass(frozen=True)
class Rogue:
    """An operator of somebody's that does ``mask`` and promises ``result``."""

    mask: BoundMask
    result: pa.DataType
    name = "rogue"
    version = "7"
    title = "失控"
    summary = "Breaks its contract."
    params = Params
    properties = Properties()

    def result_type(self, values: pa.DataType, params: Params) -> pa.DataType:
        return self.result

    def bind(self, params: Params, keys: KeyContext | None) -> BoundMask:
        return self.mask


@pytest.fixture(scope="module")
def operators() -> Mapping[str, Operator]:
    return load_operators(None)


def permit(fields: tuple[str, ...], masks: Mapping[str, Mask], consumer: Identity = CONSUMER) -> Approved:
    application = Application(consumer, "r-1", DATASET.id, fields, (), "withdrawal")
    decision = Decision(Verdict.PERMIT, "bundle", obligations=Obligations(masks))
    return Approved(application, decision, DATASET)


def batch(rows: int = 100, schema: pa.Schema = SCHEMA) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(ROWS[:rows], schema=schema)


def ipc_bytes(released: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, released.schema) as writer:
        writer.write_batch(released)
    return sink.getvalue().to_pybytes()


ALL_MASKS = {
    "name": Mask("partial", {"keep_start": "1"}),
    "taxpayer_id": Mask("pseudonym"),
    "account": Mask("redact"),
    "tax_year": Mask("redact"),
    "income": Mask("predicate", {"op": "ge", "value": "3"}),
    "filed_on": Mask("year"),
}


@pytest.mark.parametrize("rows", [0, 1, 5, 100])
def test_fields_come_masked_in_the_order_of_the_application(operators, rows) -> None:
    """Exactly the application's fields, in its order, each as its mask says, in the planned schema."""
    fields = ("resident", "filed_on", "income", "name", "tax_year", "account")
    made = plan(permit(fields, ALL_MASKS), operators, Keyring())
    released = made.apply(batch(rows))
    assert made.fields == fields == tuple(released.schema.names)
    assert released.schema == made.schema
    expected = [
        {
            "resident": row["resident"],
            "filed_on": row["filed_on"].year,
            "income": i >= 3,
            "name": "机" + "*" * (len(row["name"]) - 1),
            "tax_year": None,
            "account": "***",
        }
        for i, row in enumerate(ROWS[:rows])
    ]
    assert released.to_pylist() == expected


def test_what_the_statement_says(operators) -> None:
    """Operator, version, digest of the parameters with their defaults, and the version of the key."""
    made = plan(permit(("name", "taxpayer_id", "resident"), ALL_MASKS), operators, Keyring())
    assert made.column_masks == {"name": "partial@2", "taxpayer_id": "pseudonym@1", "resident": ""}
    written = b'{"fill":"*","keep":[],"keep_end":0,"keep_start":1,"profile":null}'
    assert made.operator_versions == {
        "name": {
            "operator": "partial",
            "version": "2",
            "params_sha256": hashlib.sha256(written).hexdigest(),
            "key_version": None,
        },
        "taxpayer_id": {
            "operator": "pseudonym",
            "version": "1",
            "params_sha256": hashlib.sha256(b"{}").hexdigest(),
            "key_version": 3,
        },
    }


def test_keys_are_asked_for_by_domain_and_only_when_needed(operators) -> None:
    """A key context is (provider, consumer, purpose, domain); a field without a domain is one of its own."""
    keyring = Keyring()
    masks = {name: Mask("pseudonym") for name in ("taxpayer_id", "account")} | {"name": Mask("redact")}
    plan(permit(("name", "taxpayer_id", "account"), masks), operators, keyring)
    assert keyring.asked == [
        ("tax", "housing_fund", "withdrawal", "resident_id"),
        ("tax", "housing_fund", "withdrawal", "tax.income.account"),
    ]


def test_two_pseudonyms_in_one_table_are_both_masked(operators) -> None:
    """Columns of one domain join with each other, not with another consumer's, and neither is skipped."""
    fields = ("taxpayer_id", "spouse_id")
    masks = {name: Mask("pseudonym") for name in fields}
    ours = plan(permit(fields, masks), operators, Keyring()).apply(batch())
    tax = replace(CONSUMER, department="social_security")
    theirs = plan(permit(fields, masks, tax), operators, Keyring()).apply(batch())
    assert ours["taxpayer_id"].to_pylist()[1:] == ours["spouse_id"].to_pylist()[:-1]
    assert b"secret" not in ipc_bytes(ours)
    assert not set(ours["taxpayer_id"].to_pylist()) & set(theirs["taxpayer_id"].to_pylist())


def encodings(clear: pa.RecordBatch) -> list[pa.RecordBatch]:
    """The batch as sources give it: sliced, filtered, as dictionaries and other strings, with hidden rows."""
    text = [name for name in clear.schema.names if clear.schema.field(name).type == pa.string()]

    def changed(change) -> pa.RecordBatch:
        columns = [change(clear[name]) if name in text else clear[name] for name in clear.schema.names]
        return pa.RecordBatch.from_arrays(columns, clear.schema.names)

    return [
        clear,
        changed(lambda values: values.dictionary_encode()),
        changed(lambda values: values.cast(pa.large_string())),
        changed(lambda values: values.cast(pa.string_view())),
    ]


@pytest.mark.parametrize("masks", [{}, ALL_MASKS], ids=["clear", "masked"])
@pytest.mark.parametrize(("start", "length"), [(40, 3), (30, 60)])
def test_no_row_that_is_not_released_is_in_the_bytes(operators, masks, start, length) -> None:
    """Rows cut off by a slice, columns not asked for and masked values are absent from the IPC message."""
    made = plan(permit(("name", "taxpayer_id", "account", "income", "filed_on"), masks), operators, Keyring())
    expected = made.apply(batch()).slice(start, length).to_pylist()
    for encoded in encodings(batch()):
        released = made.apply(encoded.slice(start, length))
        assert released.to_pylist() == expected
        message = ipc_bytes(released)
        assert b"unasked" not in message
        for i, row in enumerate(ROWS):
            shown = start <= i < start + length and not masks
            assert (row["account"].encode() in message) == shown
            assert (row["taxpayer_id"].encode() in message) == shown


def test_a_clear_value_under_a_null_is_not_in_the_bytes(operators) -> None:
    """A quality check that nulls a bad value by bitmap does not send the value after all."""
    texts = batch()["account"]
    bits = np.packbits(np.arange(100) % 2 == 0, bitorder="little")
    nulled = pa.Array.from_buffers(pa.string(), 100, [pa.py_buffer(bits), *texts.buffers()[1:]])
    released = plan(permit(("account",), {}), operators, Keyring()).apply(
        pa.record_batch([nulled], ["account"])
    )
    message = ipc_bytes(released)
    assert [row["account"].encode() in message for row in ROWS] == [i % 2 == 0 for i in range(100)]


def test_metadata_of_a_source_is_not_passed_on(operators) -> None:
    """A source may describe its batches in metadata, with values for all we know."""
    noted = batch().replace_schema_metadata({"pandas": "secret-note"})
    assert b"secret-note" not in ipc_bytes(plan(permit(("tax_year",), {}), operators, Keyring()).apply(noted))


number = st.from_regex(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?", fullmatch=True)


@given(
    st.lists(
        st.none() | number | st.sampled_from(["", "1e3", "NaN", " 1", "1.", "１", "1" * 57, "x"]), max_size=9
    )
)
def test_decimals_are_numbers_to_an_operator(operators, texts) -> None:
    """Few rows or many, 1.0 and 1.00 are equal; a text that is no number is null and harms no other row."""
    made = plan(permit(("income",), {"income": Mask("predicate", {"op": "exists"})}), operators, Keyring())
    few = made.apply(pa.record_batch([pa.array(texts, pa.string())], ["income"]))["income"].to_pylist()
    odd = {None, "", "1e3", "NaN", " 1", "1.", "１", "1" * 57, "x"}
    assert few == [text not in odd for text in texts]
    many = made.apply(pa.record_batch([pa.array(texts * 40, pa.string())], ["income"]))["income"].to_pylist()
    assert many == few * 40


def test_decimals_are_released_as_text(operators) -> None:
    """A clear decimal keeps its digits; a redacted one is a null text."""
    rows = pa.record_batch([pa.array(["1.00", "0012.5"])], ["income"])
    assert plan(permit(("income",), {}), operators, Keyring()).apply(rows)["income"].to_pylist() == [
        "1.00",
        "0012.5",
    ]
    redacted = plan(permit(("income",), {"income": Mask("redact")}), operators, Keyring()).apply(rows)[
        "income"
    ]
    assert redacted.equals(pa.nulls(2, pa.string()))


# ── failing closed ───────────────────────────────────────────────────────────────────────────────


def raising(values: pa.Array) -> pa.Array:
    raise RuntimeError(f"cannot mask {values.to_pylist()}")


@pytest.mark.parametrize(
    ("mask", "result"),
    [
        (raising, pa.string()),
        (lambda values: values.slice(1), pa.string()),
        (lambda values: pa.concat_arrays([values, values]), pa.string()),
        (lambda values: values.cast(pa.large_string()), pa.string()),
        (lambda values: values, pa.int64()),
        (lambda values: values.to_pylist(), pa.string()),
        (lambda values: pa.chunked_array([values]), pa.string()),
        (lambda values: None, pa.string()),
    ],
)
@pytest.mark.parametrize("rows", [1, 100])
def test_an_operator_that_breaks_its_contract_releases_nothing(mask, result, rows) -> None:
    """An exception, another length or another type ends the exchange, and no value is in what is raised."""
    made = plan(
        permit(("name", "account"), {"account": Mask("rogue")}), {"rogue": Rogue(mask, result)}, Keyring()
    )
    with pytest.raises(Failed) as caught:
        made.apply(batch(rows)) if rows > 1 else made.apply(batch(2).slice(1))
    assert (caught.value.reason, caught.value.about) == (Reason.MASKING_FAILED, "account")
    assert caught.value.__context__ is None
    assert "secret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "encoded", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())], ids=str
)
@pytest.mark.parametrize("rows", [1, 100])
def test_an_operator_may_choose_an_encoding(encoded, rows) -> None:
    """A dictionary that an operator gives out is decoded, so that no unused entry of it travels."""

    def encoding(values: pa.Array) -> pa.Array:
        masked = pa.array(["secret-unused", *["shown"] * len(values)])
        return masked.cast(encoded).slice(1)

    made = plan(
        permit(("account",), {"account": Mask("rogue")}), {"rogue": Rogue(encoding, encoded)}, Keyring()
    )
    released = made.apply(batch(rows))
    assert released.schema == made.schema == pa.schema([("account", pa.string())])
    assert released["account"].to_pylist() == ["shown"] * rows
    assert b"secret" not in ipc_bytes(released)


def test_what_an_operator_leaves_in_buffers_is_removed() -> None:
    """An operator that nulls by bitmap, as many do, does not send what it nulled."""

    def nulling(values: pa.Array) -> pa.Array:
        return pa.Array.from_buffers(
            values.type, len(values), [pa.py_buffer(bytes(99)), *values.buffers()[1:]]
        )

    for rows in (3, 100):
        masks = {"account": Mask("rogue")}
        made = plan(permit(("account",), masks), {"rogue": Rogue(nulling, pa.string())}, Keyring())
        assert b"secret" not in ipc_bytes(made.apply(batch(rows)))


@pytest.mark.parametrize(
    "given",
    [
        pa.record_batch([pa.array(["a"])], ["account"]),
        pa.record_batch([pa.array(["1"]), pa.array(["a"])], ["tax_year", "account"]),
        pa.record_batch([pa.array([1]), pa.array([1]), pa.array(["a"])], ["tax_year", "tax_year", "account"]),
    ],
    ids=["missing", "another type", "twice"],
)
def test_a_batch_that_is_not_as_planned_is_refused(operators, given) -> None:
    """A column that is missing, ambiguous or of another type than the catalog's is never guessed at."""
    made = plan(permit(("account", "tax_year"), {}), operators, Keyring())
    with pytest.raises(Failed) as caught:
        made.apply(given)
    assert caught.value.about == "tax_year"


@pytest.mark.parametrize(
    ("field", "mask"),
    [
        ("name", Mask("blur")),
        ("name", Mask("partial", {"keep_start": -1})),
        ("name", Mask("partial", {"keep_strat": 1})),
        ("name", Mask("predicate", {"op": "ge", "value": "1"})),
        ("tax_year", Mask("partial", {"keep_start": 1})),
        ("income", Mask("predicate", {"op": "ge", "value": "many"})),
    ],
)
def test_a_mask_that_cannot_be_bound_ends_the_exchange(operators, field, mask) -> None:
    """Unknown operators, wrong parameters and unfit types are refused when planned, named when checked."""
    with pytest.raises(Failed) as caught:
        plan(permit((field,), {field: mask}), operators, Keyring())
    assert (caught.value.reason, caught.value.about) == (Reason.MASKING_FAILED, field)
    problem = check_mask(operators, FIELDS[field].type, mask)
    assert problem is not None
    assert mask.operator in problem.zh
    assert mask.operator in problem.en
    assert problem.en.isascii()
    assert not problem.zh.isascii()


@pytest.mark.parametrize("field", ["updated_at", "unasked"])
def test_fields_that_cannot_be_shared_are_refused(operators, field) -> None:
    """A field that is not shared, or not in the catalog, stays where it is even if a permit names it."""
    with pytest.raises(Failed) as caught:
        plan(permit((field,), {}), operators, Keyring())
    assert caught.value.about == field


def test_keys_that_cannot_be_had_are_their_own_error(operators) -> None:
    """What the key holder says of its state is passed on; any other failure there is ours."""

    class Locked:
        def __init__(self, error: Exception) -> None:
            self.error = error

        def for_field(self, provider: str, consumer: str, purpose: str, domain: str) -> KeyContext:
            raise self.error

    approved = permit(("account",), {"account": Mask("pseudonym")})
    with pytest.raises(Unavailable):
        plan(approved, operators, Locked(Unavailable(Reason.LOG_UNAVAILABLE)))
    with pytest.raises(Failed):
        plan(approved, operators, Locked(OSError("disk")))


@pytest.mark.parametrize(
    ("field_type", "mask"),
    [
        (FieldType.TEXT, Mask("partial", {"keep_start": "1", "keep_end": 1, "fill": "＊"})),
        (FieldType.TEXT, Mask("pseudonym")),
        (FieldType.DATE, Mask("year")),
        (FieldType.TIMESTAMP, Mask("year", {"zone": "Asia/Shanghai"})),
        (FieldType.TEXT, Mask("region", {"to": "district"})),
        (FieldType.DECIMAL, Mask("predicate", {"op": "in", "value": ("1", "2.50")})),
        (FieldType.BOOLEAN, Mask("predicate", {"op": "eq", "value": "true"})),
        *[(field_type, Mask("redact")) for field_type in FieldType],
    ],
)
def test_good_masks_pass_the_check(operators, field_type, mask) -> None:
    """What the check passes can be planned and applied."""
    assert check_mask(operators, field_type, mask) is None


def test_the_check_says_what_is_wrong_without_the_value(operators) -> None:
    """The officer reads the parameter's name and what it should be."""
    problem = check_mask(operators, FieldType.TEXT, Mask("partial", {"keep_start": "-4711"}))
    assert problem is not None
    assert "keep_start" in problem.zh
    assert "keep_start: Input should be greater than or equal to 0" in problem.en
    assert "4711" not in f"{problem.zh}{problem.en}"


def test_who_a_row_is_about_is_known_or_named(operators) -> None:
    """Where several fields may say it, a mask that moves dates by person must name one of them."""
    both = replace(DATASET, subject_fields=("taxpayer_id", "spouse_id"))
    named = Mask("date_shift", {"days": 30, "subject": "spouse_id"})
    for mask in (Mask("date_shift", {"days": 30}), Mask("date_shift", {"days": 30, "subject": "name"})):
        problem = check_mask(operators, FieldType.DATE, mask, both.subject_fields)
        assert problem is not None
        assert "taxpayer_id, spouse_id" in problem.en
        with pytest.raises(Failed):
            plan(replace(permit(("filed_on",), {"filed_on": mask}), dataset=both), operators, Keyring())
    assert check_mask(operators, FieldType.DATE, named, both.subject_fields) is None
    assert check_mask(operators, FieldType.DATE, Mask("date_shift", {"days": 30}), ("taxpayer_id",)) is None

    ours = permit(("filed_on",), {"filed_on": named})
    (column,) = plan(replace(ours, dataset=both), operators, Keyring()).columns
    assert column.beside == "spouse_id"
    (column,) = plan(
        permit(("filed_on",), {"filed_on": Mask("date_shift", {"days": 30})}), operators, Keyring()
    ).columns
    assert column.beside == "taxpayer_id"


class Fishing(Match):
    """Would compare whatever it likes with what the consumer says."""

    name = "fishing"


def test_claims_go_to_match_alone_and_only_where_there_are_any(operators) -> None:
    """Of all operators one sees something of the request, and policy counts how often: questions
    come from policy alone. Without a claim there is nothing to bind it to."""
    assert [name for name, each in operators.items() if each.properties.beside is Beside.CLAIM] == ["match"]
    problem = check_mask({"fishing": Fishing()}, FieldType.TEXT, Mask("fishing"))
    assert problem is not None
    assert "match" in problem.en
    approved = permit(("name",), {"name": Mask("match")})
    with pytest.raises(Failed):
        plan(approved, operators, Keyring())
    claiming = replace(approved.application, claims=(Claim("name", ("张三",)),))
    (column,) = plan(replace(approved, application=claiming), operators, Keyring()).columns
    claims = pa.array(["张三", None, "李四"])
    rows = {"name": ["张三", "张三", "张三"], column.beside: claims.to_pylist()}
    assert column.release_values(rows) == [True, None, False]
    batch_ = pa.RecordBatch.from_arrays([pa.array(rows["name"]), claims], ["name", column.beside])
    assert column.release(batch_).to_pylist() == [True, None, False]


def test_decimals_are_compared_with_claims_as_numbers(operators) -> None:
    """12.5 is 12.50."""
    approved = permit(("income",), {"income": Mask("match")})
    claiming = replace(approved.application, claims=(Claim("income", ("12.50",)),))
    (column,) = plan(replace(approved, application=claiming), operators, Keyring()).columns
    assert column.release_values({"income": ["12.5", "12.51"], column.beside: ["12.50"] * 2}) == [True, False]


def test_plans_are_values(operators) -> None:
    """A plan cannot be altered after it was made."""
    made = plan(permit(("name",), ALL_MASKS), operators, Keyring())
    assert isinstance(made, MaskPlan)
    with pytest.raises(AttributeError):
        made.columns = ()  # type: ignore[misc]
