"""``commitments/<id>.yaml`` → :class:`broker.model.CommitmentTemplate`, by id.

The blanks are a closed list, so that the broker can fill every one of them; a text that is to stand for a
period has none of those that only one call can fill.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from broker.approve.catalog_grammar import COMMITMENT
from broker.approve.document import Node
from broker.approve.problem import DEPARTMENT, Code, Problems
from broker.approve.table import Table, headed
from broker.model import CommitmentTemplate, Signer
from broker.use_commitment.text import MOST_CHARACTERS, OF_ONE_CALL, Blank, blanks_in, document

FOLDER = "commitments"
_TEXTS = ("title", "text", "duties", "title_en", "text_en", "duties_en")


def read_templates(
    files: Mapping[str, Node], departments: Collection[str], problems: Problems
) -> Mapping[str, CommitmentTemplate]:
    """The templates in ``files``, by path in the folder; to be used only if no problem was found."""
    found: dict[str, CommitmentTemplate] = {}
    for file, node in files.items():
        table = headed(node, problems, COMMITMENT)
        template = _template(table, departments)
        found[template.id] = template
        if template.id and file != (expected := f"{FOLDER}/{template.id}.yaml"):
            zh, en = f"该责任状模板须写在 {expected}", f"this template belongs in {expected}"
            table.add("id", Code.WRONG_FILE_NAME, zh, en)
        _check_blanks(table, template)
    return MappingProxyType(found)


def _template(table: Table, departments: Collection[str]) -> CommitmentTemplate:
    def sentences(key: str) -> tuple[str, ...]:
        return tuple(item.value.rstrip("\n") for item in table.texts(key))

    return CommitmentTemplate(
        id=table.text("id"),
        version=table.count("version") or 1,
        owner=table.name("owner", departments, DEPARTMENT),
        title=table.text("title"),
        text=table.text("text"),
        duties=sentences("duties"),
        title_en=table.text("title_en"),
        text_en=table.text("text_en"),
        duties_en=sentences("duties_en"),
        signer=table.word("signer", Signer, Signer.SYSTEM),
        valid_days=table.count("valid_days"),
        retain_days=table.count("retain_days"),
    )


def _check_blanks(table: Table, template: CommitmentTemplate) -> None:
    """Where a blank that nothing will fill is written."""
    if len(document(template)) > MOST_CHARACTERS:
        zh, en = f"全文不得超过 {MOST_CHARACTERS} 字", f"the whole has at most {MOST_CHARACTERS} characters"
        table.add("text", Code.COMMITMENT_TOO_LONG, zh, en)
    for key in _TEXTS:
        written = getattr(template, key)
        for name in blanks_in(written if isinstance(written, str) else "\n".join(written)):
            if complaint := _complaint(name, template):
                table.add(key, Code.BAD_BLANK, *complaint)


def _complaint(name: str, template: CommitmentTemplate) -> tuple[str, str] | None:
    if name not in list(Blank):
        known = "、".join(Blank), ", ".join(Blank)
        if name in "{}":
            return (
                "花括号只用来写空格，如 {dataset}，且须成对",
                "braces are for blanks such as {dataset}, in pairs",
            )
        return f"没有空格“{name}”，可用：{known[0]}", f"there is no blank “{name}” but {known[1]}"
    if name == Blank.RETAIN_DAYS and template.retain_days is None:
        return "用了 {retain_days}，请写明 retain_days", "{retain_days} needs the key retain_days"
    if template.valid_days is not None and name in OF_ONE_CALL:
        return (
            f"“{name}”每次不同，签一段时期的责任状（valid_days）无从填写",
            f"“{name}” differs from call to call; what stands for days (valid_days) cannot fill it",
        )
    return None
