"""Whose officers answer for a file: the owner's for its catalog and policies, the authority's for the rest.

Read from the files themselves and not from a compiled bundle, for the bundle before may be one that this
program would refuse today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from broker.approve.catalog import CATALOG_FOLDER
from broker.approve.document import MappingNode, Node, ScalarNode, SequenceNode, parse
from broker.approve.files import MANIFEST, Files, is_policy
from broker.approve.grammar import COMMITMENT_FILES, DEPARTMENTS_FILE, LINKS_FILE
from broker.approve.problem import Problems
from broker.errors import VerificationFailed
from broker.model import DepartmentKind

Demands = tuple[frozenset[str], ...]
"""Sets of departments: an officer of one department of each set must approve."""


@dataclass(frozen=True, slots=True)
class Offices:
    """Of a bundle's departments, what approval depends on."""

    delegates: Mapping[str, str]
    """Every department → the one whose officers may approve for it too; empty for none."""
    authorities: frozenset[str]

    @classmethod
    def of(cls, files: Files) -> Offices:
        """Those of ``departments.yaml``.

        Raises:
            VerificationFailed: it cannot be read.
        """
        departments = _entry(
            _document(DEPARTMENTS_FILE.path, files.get(DEPARTMENTS_FILE.path, b"")), "departments"
        )
        entries = departments.entries if isinstance(departments, MappingNode) else {}
        kinds = {name: _text(_entry(node, "kind")) for name, (_, node) in entries.items()}
        return cls(
            {name: _text(_entry(node, "delegate")) for name, (_, node) in entries.items()},
            frozenset(name for name, kind in kinds.items() if kind == DepartmentKind.AUTHORITY),
        )

    def acting_for(self, owner: str) -> frozenset[str]:
        """The departments whose officers may approve for the owner: itself and its delegate; for the base
        files, whose owner is empty, the authorities."""
        if not owner:
            return self.authorities
        return frozenset({owner, self.delegates.get(owner) or owner})


def owner_of(file: str, content: bytes) -> str:
    """The department whose file it is; empty for the base files.

    Raises:
        VerificationFailed: it is a policy, or a commitment template, whose owner cannot be read.
    """
    if is_policy(file) or COMMITMENT_FILES.holds(file):
        if owner := _text(_entry(_document(file, content), "owner")):
            return owner
        raise VerificationFailed(f"{file} 没有 owner / {file}: has no owner")
    folder, _, name = file.rpartition("/")
    return name.removesuffix(".yaml") if folder == CATALOG_FOLDER else ""


def owners_of(files: Files) -> dict[str, str]:
    """File → owner, of those that are a department's."""
    owners = {file: owner_of(file, content) for file, content in files.items() if file != MANIFEST}
    return {file: owner for file, owner in owners.items() if owner}


@dataclass(frozen=True, slots=True)
class Handover:
    """From one bundle to the next: who must approve what changes."""

    before: Files
    after: Files
    old: Offices
    new: Offices

    @classmethod
    def of(cls, before: Files, after: Files) -> Handover:
        """Raises:
        VerificationFailed: one of them cannot be read.
        """
        return cls(before, after, Offices.of(before), Offices.of(after))

    def demands(self, file: str) -> Demands:
        """Approval by the owner in the old text and by the owner in the new, and by those whose data a link
        domain joins. Who acts for a department, and who is the authority, is as it was before; only of a
        department that is new, as it will be."""
        owners = [owner_of(file, files[file]) for files in (self.before, self.after) if file in files]
        if file == LINKS_FILE.path:
            owners += sorted(self._newly_linked())
        return tuple(dict.fromkeys(self._acting_for(owner) for owner in owners))

    def _acting_for(self, owner: str) -> frozenset[str]:
        offices = self.new if owner and owner not in self.old.delegates else self.old
        return offices.acting_for(owner)

    def _newly_linked(self) -> set[str]:
        """The providers of link domains that are not as they were; to end one needs nobody's approval."""
        before, after = (_links(files.get(LINKS_FILE.path)) for files in (self.before, self.after))
        changed = [link for name, link in after.items() if before.get(name) != link]
        return {provider for link in changed for provider in link.get("providers", ())}


def _document(file: str, content: bytes) -> Node:
    node = parse(content, file, Problems())
    if node is None:
        raise VerificationFailed(f"{file} 无法读取 / {file}: cannot be read")
    return node


def _links(content: bytes | None) -> dict[str, dict[str, tuple[str, ...]]]:
    """Link domain → what is written of it, every value as a list."""
    if content is None:
        return {}
    named = _entry(_document(LINKS_FILE.path, content), "link_domains")
    links = named.entries if isinstance(named, MappingNode) else {}
    return {
        name: {key: _texts(value) for key, (_, value) in node.entries.items()}
        for name, (_, node) in links.items()
        if isinstance(node, MappingNode)
    }


def _texts(node: Node) -> tuple[str, ...]:
    items = node.items if isinstance(node, SequenceNode) else (node,)
    return tuple(sorted(_text(item) for item in items))


def _entry(node: Node | None, key: str) -> Node | None:
    found = node.entries.get(key) if isinstance(node, MappingNode) else None
    return found[1] if found else None


def _text(node: Node | None) -> str:
    return node.value if isinstance(node, ScalarNode) else ""
