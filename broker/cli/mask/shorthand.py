"""``--mask COLUMN=TREATMENT``: a plan made on the spot, with what the file itself tells of its columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from zoneinfo import ZoneInfo

import pyarrow as pa

from adapters.masking.contract import Beside, Operator
from broker.authoring.masks import mask_from
from broker.bulk.plan import BulkField, BulkPlan
from broker.cli.mask.reading import ZONE, Table, few_rows_of
from broker.desensitize.plan import check_mask
from broker.errors import SetUpError
from broker.importing.recognise import guess
from broker.importing.vocabulary import word_for
from broker.model import Field, Mask
from broker.reasons import Sentence
from broker.treatments import Profiles, resolve

SAMPLE_ROWS = 1_000
_NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the officer wrote: ``COLUMN=TREATMENT`` or ``COLUMN=OPERATOR NAME=VALUE …``."""

    column: str
    words: str

    @classmethod
    def of(cls, written: str) -> Asked:
        """What ``written`` says.

        Raises:
            SetUpError: there is no ``=``, or nothing on one side of it.
        """
        column, _, words = written.partition("=")
        if not (column.strip() and words.strip()):
            raise SetUpError(
                '--mask 请写作：列名=做法，如 身份证号=token，或 "手机号=partial keep_start=3 keep_end=4"',
                'Write --mask as COLUMN=TREATMENT: id_no=token, or "mobile=partial keep_start=3 keep_end=4"',
            )
        return cls(column.strip(), words.strip())


def plan_for(
    table: Table,
    asked: Sequence[Asked],
    subject: str,
    level: str,
    profiles: Profiles,
    operators: Mapping[str, Operator],
) -> BulkPlan:
    """A plan that masks these columns and gives no other; types and formats are told by the values.

    Raises:
        SetUpError: a column is not there, or a mask means nothing or does not fit it.
    """
    columns = list(dict.fromkeys([one.column for one in asked] + ([subject] if subject else [])))
    table.require(columns)
    sample = few_rows_of(table, columns, SAMPLE_ROWS)
    fields = {name: _field(name, sample.column(name), level) for name in columns}
    masks = {one.column: _mask(fields[one.column], one.words, subject, profiles, operators) for one in asked}
    chosen = tuple(BulkField(fields[name], name, masks.get(name), released=name in masks) for name in columns)
    return BulkPlan(_NOBODY, _NOBODY, _NOBODY, chosen, subject=subject, zone=ZONE)


def _field(name: str, sample: pa.Array, level: str) -> Field:
    guessed = guess(sample, word_for(name), ZoneInfo(ZONE))
    return Field(name, name, guessed.type, level, guessed.format or None, domain=guessed.format or name)


def _mask(
    field: Field, words: str, subject: str, profiles: Profiles, operators: Mapping[str, Operator]
) -> Mask:
    complain = partial(check_mask, operators, field.type)
    found: Mask | Sentence
    if len(words.split()) == 1:
        found = resolve(words, field.format, field.type, field.level, profiles, complain)
    else:
        found = mask_from(words)
    if isinstance(found, Mask):
        complaint = complain(found) or _lacks(operators[found.operator], subject)
        if complaint is None:
            return found
        found = complaint
    kind = f"{field.type} {field.format or ''}".strip()
    raise SetUpError(
        f"列“{field.name}”（{kind}）不能这样脱敏：{found.zh}",
        f"“{field.name}” ({kind}) cannot be masked so: {found.en}",
    )


def _lacks(operator: Operator, subject: str) -> Sentence | None:
    match operator.properties.beside:
        case Beside.SUBJECT if not subject:
            return Sentence(
                f"{operator.name} 须知道每行关于谁，请写 --subject", f"{operator.name} needs --subject"
            )
        case Beside.CLAIM:
            return Sentence(
                f"{operator.name} 要核对需求方逐次给出的值，文件中没有",
                f"{operator.name} compares with what a consumer says at each call, which no file holds",
            )
    return None
