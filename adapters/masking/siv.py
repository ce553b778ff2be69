"""SIV (RFC 5297) of messages of one length, all rows at once: a few calls of the cipher for a whole column.

Gives what :data:`adapters.masking.cipher.SIV` gives for each message without associated data.
"""

from __future__ import annotations

import numpy as np

from adapters.masking.arrays import Bools, Bytes
from adapters.masking.cipher import BLOCK, CIPHER, BlockCipher, blocks
from adapters.masking.cmac import cmac, cmac_of_one_width, double


def siv_encrypted(key: bytes, messages: Bytes, cipher: BlockCipher = CIPHER) -> Bytes:
    """Tag and ciphertext of each message; shapes (n, width) and (n, 16 + width), neither n nor width 0.

    The first half of ``key`` authenticates, the second encrypts.
    """
    tags = _s2v(key[: len(key) // 2], messages, cipher)
    hidden = messages ^ _stream(key[len(key) // 2 :], tags, messages.shape[1], cipher)
    return np.concatenate((tags, hidden), axis=1)


def siv_decrypted(key: bytes, encrypted: Bytes, cipher: BlockCipher = CIPHER) -> tuple[Bytes, Bools]:
    """The way back: messages, and which of them are genuine; shapes (n, width) and (n,).

    A message that is not genuine is all zeros.
    """
    tags, hidden = encrypted[:, :BLOCK], encrypted[:, BLOCK:]
    messages = hidden ^ _stream(key[len(key) // 2 :], tags, hidden.shape[1], cipher)
    genuine: Bools = (_s2v(key[: len(key) // 2], messages, cipher) == tags).all(axis=1)
    messages[~genuine] = 0
    return messages, genuine


def _s2v(key: bytes, messages: Bytes, cipher: BlockCipher) -> Bytes:
    """S2V of one string (§2.4), which is the CMAC of the message with its end changed; shape (n, 16)."""
    start = cmac(key, bytes(BLOCK), cipher)
    rows, width = messages.shape
    if width >= BLOCK:
        changed = messages.copy()
        changed[:, -BLOCK:] ^= np.frombuffer(start, np.uint8)
        return cmac_of_one_width(key, b"", changed, cipher)
    changed = np.zeros((rows, BLOCK), np.uint8)
    changed[:, :width] = messages
    changed[:, width] = 0x80
    changed ^= np.frombuffer(double(int.from_bytes(start, "big")).to_bytes(BLOCK, "big"), np.uint8)
    return cmac_of_one_width(key, b"", changed, cipher)


def _stream(key: bytes, tags: Bytes, width: int, cipher: BlockCipher) -> Bytes:
    """The key stream of counter mode from each tag (§2.5); shape (n, width)."""
    count = -(-width // BLOCK)
    counters = np.repeat(tags, count, axis=0)
    # Two bits are cleared, that a count below 2^31 carries into no other word.
    counters[:, [8, 12]] &= 0x7F
    words = counters.view(">u4").reshape(len(tags), count, -1)
    words[:, :, -1] += np.arange(count, dtype=np.uint32)
    stream = blocks(cipher(key)).update(counters.reshape(-1).data)
    return np.frombuffer(stream, np.uint8).reshape(len(tags), count * BLOCK)[:, :width]
