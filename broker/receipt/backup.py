"""Backup and restore of the broker's database: what is archived was found sound first, and is again on its
way back; a restored log knows how it stands to what was signed.

No backup is written that restoring would refuse: it might take the place of one that can be restored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from broker.errors import SetUpError, VerificationFailed
from broker.receipt.indexed import indexed
from broker.receipt.key_file import known_keys
from broker.receipt.log_keys import LogKeys, Trust
from broker.receipt.memory import remembered
from broker.receipt.rebuild import require_sound
from broker.store.archive import LogHead, Manifest, open_archive, write_archive
from broker.store.loading import loading
from broker.store.snapshot import Progress, Snapshot, no_progress, open_snapshot


@dataclass(frozen=True, slots=True)
class Restored:
    """A restored log, and how many leaves the signer remembers (None: it has no memory here)."""

    manifest: Manifest
    signed: int | None

    @property
    def missing(self) -> range:
        """Leaf indices that were signed, so perhaps acknowledged, and are not in the backup."""
        size = self.manifest.log.size
        return range(size, max(size, self.signed or 0))


def backup(url: str, file: Path, state: Path, key: Trust, progress: Progress = no_progress) -> Manifest:
    """Archives the whole database as it is at one moment; a broker may append meanwhile.

    ``state`` is the signer's memory, ``key`` the log's; the checkpoint in it is archived, too.

    Raises:
        SetUpError: there is a file of that name, it cannot be written, or the database cannot be read.
        VerificationFailed: the log contradicts itself or what was signed. Nothing was written.
    """
    keys = known_keys(state, key)
    note = remembered(state, keys)  # before the snapshot, which then holds all that it signs
    signed = [keys.recognised(note)] if note else []
    with open_snapshot(url, older=True) as snapshot:
        size, root = require_sound(snapshot, signed, progress)
        if any(checkpoint.size > size for checkpoint in signed):
            raise VerificationFailed(
                "数据库缺少已签名的存证，不予备份 / log: signed leaves are missing; nothing was backed up"
            )
        head = LogHead(size=size, root=root.hex(), checkpoint=note, successions=keys.notes)
        return write_archive(file, snapshot, head, datetime.now(UTC), progress)


def restore(url: str, file: Path, state: Path, key: Trust, progress: Progress = no_progress) -> Restored:
    """Puts a backup into an empty database: all of it, or nothing. The signer's memory is only read.

    Raises:
        SetUpError: the backup or the database cannot be used, the database is not empty, or the backup is
            another log's.
        VerificationFailed: the backup is damaged or altered, or contradicts what was signed.
    """
    archive = open_archive(file)
    log = archive.manifest.log
    keys = known_keys(state, LogKeys.of(key).extended(log.successions))
    note = remembered(state, keys)
    signed = [keys.recognised(text) for text in (log.checkpoint, note) if text]
    with loading(url, archive, progress) as snapshot:
        if log.size:
            _require_ours(snapshot, keys)
        if require_sound(snapshot, signed, progress) != (log.size, bytes.fromhex(log.root)):
            raise VerificationFailed("备份文件的树根不符 / backup: another root than its manifest says")
    return Restored(archive.manifest, signed[-1].size if note else None)


def _require_ours(snapshot: Snapshot, keys: LogKeys) -> None:
    """The genesis statement names log and key, as the broker asks for at its start."""
    said = next((indexed(first["content"] or b"") for first in snapshot.leaves(0, 1)), None)
    if said is None or (said.content.get("origin"), said.content.get("verifier_key")) != (
        keys.name,
        str(keys.first),
    ):
        raise SetUpError(
            "备份中的日志以另一名称或密钥开始，请核对 [log] origin 与 [keys] log_key（或 --trust）。",
            "The log in the backup began under another name or key; check [log] origin and [keys] log_key "
            "(or --trust).",
        )
