"""The keys of one field, derived from a key that knows no master: so they may travel to where the data are.

Source: RFC 5869 (HKDF-SHA256).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from adapters.masking.cipher import derived


@dataclass(frozen=True, slots=True)
class FieldKeys:
    """A :class:`~adapters.masking.contract.KeyContext` over one ``key`` of 32 bytes, that of one field domain
    for one (provider, consumer, purpose). Whoever holds it masks, and turns back, that field for them only.
    """

    version: int
    """Of the master key that ``key`` was derived from."""
    key: bytes = field(repr=False)

    def derive(self, label: str, length: int) -> bytes:
        """``length`` key bytes for ``label``; the same arguments always give the same bytes."""
        return derived(self.key, unambiguous((label, str(length))), length)


def unambiguous(parts: tuple[str, ...]) -> bytes:
    """Each part after its length in bytes (4, big-endian): no two lists of parts encode alike."""
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
