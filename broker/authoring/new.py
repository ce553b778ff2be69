"""A new rule into a policy file: behind the rules that are there, which stay as they were written."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from broker.approve.bundle import Bundle
from broker.approve.document import MappingNode, Node, SequenceNode, parse
from broker.approve.files import SHARING_FOLDER
from broker.approve.problem import Problems
from broker.errors import SetUpError

Entry = Mapping[str, object]
"""A rule as its YAML says it: mappings, lists, texts, whole numbers and truth values."""

_PLAIN = re.compile(r"[^\W\d][\w./《》〔〕（）-]*( [\w./《》〔〕（）-]+)*")
"""Text that means itself without quotes wherever it stands."""
_SPREAD = {"what": 70, "why": 70, "obligations": 40, "mask": 0}
"""Keys whose mappings get a line for each entry when they are longer than so many characters; all others are
written in braces."""
_OFFSET = 2
"""Spaces before the dash of a rule in a new file."""


def policy_file(policy: str) -> str:
    """Where a new policy is written, in the folder of policies."""
    return f"{SHARING_FOLDER}/{policy}.yaml"


def policies_of(bundle: Bundle, owner: str) -> dict[str, str]:
    """Ids of the owner's policies → their files, those about fewest datasets first."""
    found = {rule.id.partition("/")[0]: rule.at.file for rule in bundle.rules if rule.owner == owner}
    return {policy: file for policy, file in found.items() if file}


def free(wanted: str, taken: Iterable[str]) -> str:
    """``wanted``, with a number behind it if it is taken."""
    names, number = set(taken), 2
    if wanted not in names:
        return wanted
    while f"{wanted}-{number}" in names:
        number += 1
    return f"{wanted}-{number}"


def slug(name: str) -> str:
    """The id of a policy or rule that is named after a dataset, department or purpose."""
    return re.sub("[^a-z0-9]+", "-", name).strip("-")


# ── the file ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rule goes: the policy's id, owner and file."""

    policy: str
    owner: str
    file: str


def with_rule(content: bytes | None, place: Place, heading: str, entry: Entry, remark: str = "") -> bytes:
    """The policy file ``content``, None for a new one under ``heading``, with the rule ``entry`` as its last.

    Raises:
        SetUpError: the file is not laid out so that a rule can be added without touching what is there.
    """
    if content is None:
        head = f"# {heading}\nformat: share-policy/v1\nid: {place.policy}\nowner: {place.owner}\nrules:\n"
        return (head + rule_text(entry, remark)).encode()
    try:
        added = _appended(content, place.file, entry, remark)
    except (YAMLError, LookupError, AttributeError, TypeError, ValueError):
        raise _untouchable(place.file) from None
    if not _kept(content, added, place.file):
        raise _untouchable(place.file)
    return added


def rule_text(entry: Entry, remark: str = "") -> str:
    """The rule as lines of a policy file."""
    written = io.StringIO()
    _yaml(_OFFSET).dump(CommentedMap(rules=CommentedSeq([_commented(entry)])), written)
    comment = f"{' ' * _OFFSET}# {remark}\n" if remark else ""
    return comment + written.getvalue().removeprefix("rules:\n")


def _appended(content: bytes, file: str, entry: Entry, remark: str) -> bytes:
    offset = _rules(parse(content, file, Problems()))[0].at.column - 1 - len("- ")
    yaml = _yaml(offset)
    document = yaml.load(content.decode("utf-8-sig"))
    rules = document["rules"]
    rules.append(_commented(entry))
    before = f"\n{remark}" if remark else "\n"
    rules.yaml_set_comment_before_after_key(len(rules) - 1, before=before, indent=offset)
    written = io.StringIO()
    yaml.dump(document, written)
    return written.getvalue().replace("\n", "\r\n" if b"\r\n" in content else "\n").encode()


def _rules(node: Node | None) -> tuple[Node, ...]:
    rules = node.entries["rules"][1] if isinstance(node, MappingNode) else None
    return rules.items if isinstance(rules, SequenceNode) else ()


def _kept(before: bytes, after: bytes, file: str) -> bool:
    """Whether the broker reads from ``after`` what it read from ``before``, and one rule more."""
    old, new = (_texts(parse(content, file, Problems())) for content in (before, after))
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return False
    return old == {**new, "rules": new["rules"][:-1]}


def _texts(node: Node | None) -> object:
    if isinstance(node, MappingNode):
        return {key.value: _texts(value) for key, value in node.entries.values()}
    if isinstance(node, SequenceNode):
        return [_texts(item) for item in node.items]
    return node and (node.value, node.plain)


# ── YAML ─────────────────────────────────────────────────────────────────────────────────────────


def _yaml(offset: int) -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096  # no line is broken that its writer did not break
    yaml.indent(mapping=2, sequence=offset + 2, offset=offset)
    return yaml


def _commented(entry: Entry) -> CommentedMap:
    """The rule laid out as people write it: one line for each of its parts, two where that gets long."""
    return CommentedMap({key: _laid_out(key, value) for key, value in entry.items()})


def _laid_out(key: str, value: object) -> object:
    if isinstance(value, Mapping):
        mapping = CommentedMap({name: _laid_out(name, one) for name, one in value.items()})
        if len(str(value)) <= _SPREAD.get(key, len(str(value))):
            mapping.fa.set_flow_style()
        return mapping
    if isinstance(value, list | tuple):
        sequence = CommentedSeq([_laid_out("", one) for one in value])
        sequence.fa.set_flow_style()
        return sequence
    if isinstance(value, str) and not _PLAIN.fullmatch(value):
        return DoubleQuotedScalarString(value)
    return value


def _untouchable(file: str) -> SetUpError:
    return SetUpError(
        f"无法在 {file} 中添加规则而不动到原有内容；请另建策略（--policy 新编号），或手工添加。",
        f"A rule cannot be added to {file} without touching what is there; start a new policy (--policy), "
        "or add it by hand.",
    )
