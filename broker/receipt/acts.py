"""``fsck`` of what is in force: epoch, suspensions, bundles and revocation lists, against the log's leaves.

Every act that moved the epoch has a leaf, so replaying those gives the tables again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from hashlib import sha256
from typing import Any

from broker.model import NO_KEY, EntryKind
from broker.receipt.finding import Finding, row_name
from broker.receipt.indexed import Indexed
from broker.store.rows import microseconds
from broker.store.snapshot import Row, Snapshot


class Acts:
    """Told of the statements in the order of the log; then :meth:`findings` compares the tables."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._epoch: dict[str, Any] = {}
        self._suspensions: dict[int, dict[str, Any]] = {}
        self._bundles: set[str] = set()
        self._crls: dict[str, str] = {}

    def heard(self, said: Indexed) -> None:
        """Replays an act; other statements are none."""
        if said.kind is not EntryKind.EPOCH:
            return
        act, since = said.content, microseconds(said.recorded_at)
        number, crl = act["epoch"], act["crl"]
        self._epoch = {
            "sequence": number,
            "bundle_hash": act["bundle"],
            "crl_number": crl["number"],
            "since": since,
            "key_version": act.get("key", {}).get("version", NO_KEY.version),
            "key_fingerprint": act.get("key", {}).get("fingerprint", NO_KEY.fingerprint),
        }
        self._bundles.add(act["bundle"])
        self._crls[crl["number"]] = crl["digest"]
        if act["act"] == "suspend":
            by = {name: act[name] for name in ("actor", "reason")}
            self._suspensions[number] = {**_stopped(act), **by, "since": since, "lifted": None}
        elif act["act"] == "lift" and act["suspension"]["number"] in self._suspensions:
            self._suspensions[act["suspension"]["number"]]["lifted"] = number

    def findings(self, proposed: Collection[Any] = ()) -> Iterator[Finding]:
        """Rows that the acts contradict, and rows that they ask for; bundles ``proposed`` may be kept too."""
        yield from self._compare("epoch", "id", {1: self._epoch} if self._epoch else {})
        yield from self._compare("suspension", "number", self._suspensions)
        bundles = {hash_: hash_ for hash_ in self._bundles.union(proposed)}
        yield from self._kept("bundle", "hash", "content", bundles)
        yield from self._kept("crl", "number", "pem", self._crls)

    def _compare(self, table: str, key: str, told: dict[int, dict[str, Any]]) -> Iterator[Finding]:
        found: dict[Any, Row] = {row[key]: row for row in self._snapshot.rows(table)}
        yield from _strays(table, key, set(found), set(told))
        for number in found.keys() & told.keys():
            for column, value in told[number].items():
                if found[number][column] != value:
                    name = row_name({key: number})
                    zh, en = "与日志中的记载不一致", "contradicts the leaf of the act"
                    yield Finding(table, name, column, zh, en)

    def _kept(self, table: str, key: str, column: str, told: dict[str, str]) -> Iterator[Finding]:
        """Of files kept under a name, whose hashes the acts tell."""
        found: set[Any] = set()
        for row in self._snapshot.rows(table):
            found.add(row[key])
            content = row[column]
            if row[key] in told and not (
                isinstance(content, bytes) and sha256(content).hexdigest() == told[row[key]]
            ):
                name = row_name({key: row[key]})
                yield Finding(table, name, column, "与其散列不符", "is not what its hash names")
        yield from _strays(table, key, found, set(told))


def _stopped(act: dict[str, Any]) -> dict[str, Any]:
    """The members of a suspension's row that its act tells of it."""
    said = act["suspension"]
    return {
        "target": said["target"],
        "name": said["name"],
        "provider": said.get("provider", ""),
        "department": act.get("caller", {}).get("department", ""),
        "mend_by": microseconds(datetime.fromisoformat(said["mend_by"])) if "mend_by" in said else None,
    }


def _strays(table: str, key: str, found: set[Any], told: set[Any]) -> Iterator[Finding]:
    for value in sorted(found - told, key=str):
        yield Finding(table, row_name({key: value}), "", "日志中没有记载", "no leaf tells of it")
    for value in sorted(told - found, key=str):
        yield Finding(table, row_name({key: value}), "", "缺失", "is missing")
