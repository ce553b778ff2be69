"""CMAC (RFC 4493) of a whole column: one call of the cipher per block position instead of one per value."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm
from cryptography.hazmat.primitives.cmac import CMAC
from numpy.lib.stride_tricks import sliding_window_view

from adapters.masking.arrays import Bytes, Positions, TextBytes
from adapters.masking.cipher import BLOCK, CIPHER, BlockCipher, blocks

_ROWS_AT_ONCE = 16_384
_LONG = 64 * BLOCK
"""Longer values (in bytes) go one by one, or one of them would make thousands of calls for a single row."""

_LEFT = np.arange(BLOCK + 1)[:, None]
_KEEP = np.where(np.arange(BLOCK) < _LEFT, 0xFF, 0).astype(np.uint8)
_PAD = np.where(np.arange(BLOCK) == _LEFT, 0x80, 0).astype(np.uint8)
"""By the bytes left of a message: which of a block's 16 are its own, and the padding 10…0 after them."""


def cmac_with(key: bytes, cipher: BlockCipher = CIPHER) -> Callable[[bytes], bytes]:
    """What gives the 16-byte tag of a message; the key is expanded once. Safe for use by many threads."""
    keyed = CMAC(cipher(key))

    def tag(message: bytes) -> bytes:
        context = keyed.copy()
        context.update(message)
        return context.finalize()

    return tag


def cmac(key: bytes, message: bytes, cipher: BlockCipher = CIPHER) -> bytes:
    """The 16-byte tag of one message."""
    return cmac_with(key, cipher)(message)


def cmac_many(key: bytes, texts: TextBytes, rows: Positions, cipher: BlockCipher = CIPHER) -> Bytes:
    """The tags of ``rows`` of ``texts``, each equal to :func:`cmac` of its bytes; shape (len(rows), 16)."""
    tags = np.empty((len(rows), BLOCK), np.uint8)
    long = texts.lengths[rows] > _LONG
    for place in np.flatnonzero(long):
        row = rows[place]
        message = texts.data[texts.starts[row] :][: texts.lengths[row]].tobytes()
        tags[place] = np.frombuffer(cmac(key, message, cipher), np.uint8)
    short = np.flatnonzero(~long)
    windows = sliding_window_view(np.concatenate((texts.data, np.zeros(BLOCK, np.uint8))), BLOCK)
    for first in range(0, len(short), _ROWS_AT_ONCE):
        places = short[first : first + _ROWS_AT_ONCE]
        chunk = rows[places]
        tags[places] = _chain(cipher(key), windows, texts.starts[chunk], texts.lengths[chunk])
    return tags


def cmac_of_one_width(key: bytes, head: bytes, messages: Bytes, cipher: BlockCipher = CIPHER) -> Bytes:
    """The tags of ``head`` (at most 15 bytes) and then each of ``messages``; shapes (n, width) and (n, 16).

    In messages of one length padding and subkey stand in the same place, so no row is looked at by itself.
    """
    encryptor = blocks(cipher(key))
    subkeys = _subkeys(encryptor.update(bytes(BLOCK)))
    width = messages.shape[1]
    length = len(head) + width
    frame = np.zeros(max(1, -(-length // BLOCK)) * BLOCK, np.uint8)
    frame[: len(head)] = np.frombuffer(head, np.uint8)
    frame[length : length + 1] = 0x80
    rows = min(len(messages), _ROWS_AT_ONCE)
    parts = [np.tile(part, (rows, 1)) for part in frame.reshape(-1, BLOCK)]
    subkey = np.tile(subkeys[int(length < len(frame))], rows)
    work, state = np.empty(rows * BLOCK, np.uint8), np.empty((rows + 1) * BLOCK, np.uint8)
    tags = np.empty((len(messages), BLOCK), np.uint8)
    for first in range(0, len(messages), rows):
        chunk = messages[first : first + rows]
        state[:] = 0
        for index, block in enumerate(parts):
            begin = max(index * BLOCK - len(head), 0)
            part = chunk[:, begin : (index + 1) * BLOCK - len(head)]
            at = begin + len(head) - index * BLOCK
            block[: len(chunk), at : at + part.shape[1]] = part
            np.bitwise_xor(block.reshape(-1), state[:-BLOCK], out=work)
            if index == len(parts) - 1:
                work ^= subkey
            encryptor.update_into(work.data, state.data)  # takes room for one block more than it writes
        tags[first : first + rows] = state[: len(chunk) * BLOCK].reshape(-1, BLOCK)
    return tags


def _chain(cipher: BlockCipherAlgorithm, windows: Bytes, starts: Positions, lengths: Positions) -> Bytes:
    """The CBC chain of RFC 4493 §2.4 for all messages at once; each drops out after its last block.

    ``windows`` are the 16 bytes from every position of the data.
    """
    encryptor = blocks(cipher)
    subkeys = _subkeys(encryptor.update(bytes(BLOCK)))
    counts = np.maximum(1, -(-lengths // BLOCK))
    state = np.zeros((len(lengths), BLOCK), np.uint8)
    running = np.arange(len(lengths))
    for index in range(int(counts.max(initial=0))):
        running = running[counts[running] > index]
        left = np.minimum(lengths[running] - index * BLOCK, BLOCK)
        block = windows[starts[running] + index * BLOCK] & _KEEP[left] | _PAD[left]
        last = np.flatnonzero(counts[running] == index + 1)
        block[last] ^= subkeys[(left[last] < BLOCK).astype(np.intp)]
        encrypted = encryptor.update((state[running] ^ block).data.cast("B"))
        state[running] = np.frombuffer(encrypted, np.uint8).reshape(-1, BLOCK)
    return state


def _subkeys(zero_encrypted: bytes) -> Bytes:
    """K1 (last block complete) and K2 (padded), RFC 4493 §2.3; shape (2, 16)."""
    first = double(int.from_bytes(zero_encrypted, "big"))
    both = first.to_bytes(BLOCK, "big") + double(first).to_bytes(BLOCK, "big")
    return np.frombuffer(both, np.uint8).reshape(2, BLOCK)


def double(element: int) -> int:
    """Multiplication by x in GF(2^128), with the polynomial x^128 + x^7 + x^2 + x + 1."""
    shifted = element << 1
    return shifted ^ (1 << 128 | 0x87) if shifted >> 128 else shifted
