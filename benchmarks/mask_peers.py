"""What masks are measured beside: loops as people write them, and tools that can do the same.

Each is given the column in the form that serves it best and keeps its own form of result; turning one into
the other is outside the measurement. Import after POLARS_MAX_THREADS is set: polars reads it once.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from hashlib import sha256
from math import ceil

import duckdb
import polars
import pyarrow as pa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.cmac import CMAC
from ff3 import FF3Cipher
from presidio_anonymizer.operators import Decrypt, Encrypt, Hash, Mask

Texts = Sequence[str]


# ── loops ────────────────────────────────────────────────────────────────────────────────────────


def partial_loop(texts: Texts, start: int, end: int) -> list[str]:
    """Slices of each text."""
    kept = start + end
    return [
        text[:start] + "*" * (len(text) - kept) + text[len(text) - end :]
        if len(text) > kept
        else "*" * len(text)
        for text in texts
    ]


def hmac_loop(texts: Texts, key: bytes) -> list[str]:
    """HMAC-SHA-256 by the standard library."""
    return [hmac.new(key, text.encode(), "sha256").hexdigest() for text in texts]


def cmac_loop(texts: Texts, key: bytes) -> list[str]:
    """A CMAC object per value, over the message that a pseudonym is made of."""
    tokens = []
    for text in texts:
        mac = CMAC(algorithms.AES(key))
        mac.update(b"T" + text.encode())
        tokens.append(mac.finalize().hex())
    return tokens


def siv_loop(texts: Texts, key: bytes) -> list[str]:
    """AES-SIV of each text."""
    siv = AESSIV(key)
    return [
        urlsafe_b64encode(siv.encrypt(b"\0" + text.encode(), None)).rstrip(b"=").decode() for text in texts
    ]


def ff1_loop(texts: Texts, key: bytes, tweak: bytes) -> list[str]:
    """FF1 of decimal numerals, step by step as SP 800-38G algorithm 7 has it."""
    ciph = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update  # noqa: S305 - FF1 is built of single blocks
    return [_ff1(text, tweak, ciph) for text in texts]


def _ff1(text: str, tweak: bytes, ciph: Callable[[bytes], bytes]) -> str:
    n, t = len(text), len(tweak)
    u, v = n // 2, n - n // 2
    a, b = text[:u], text[u:]
    length = ceil((10**v - 1).bit_length() / 8)
    d = 4 * ceil(length / 4) + 4
    p = bytes([1, 2, 1, 0, 0, 10, 10, u % 256]) + n.to_bytes(4, "big") + t.to_bytes(4, "big")
    for i in range(10):
        q = tweak + bytes((-t - length - 1) % 16) + bytes([i]) + int(b).to_bytes(length, "big")
        r = bytes(16)
        for at in range(0, len(p + q), 16):
            r = ciph(bytes(x ^ y for x, y in zip(r, (p + q)[at : at + 16], strict=True)))
        s = r
        for j in range(1, ceil(d / 16)):
            s += ciph(bytes(x ^ y for x, y in zip(r, j.to_bytes(16, "big"), strict=True)))
        m = u if i % 2 == 0 else v
        a, b = b, str((int(a) + int.from_bytes(s[:d], "big")) % 10**m).zfill(m)
    return a + b


def ff3_loop(texts: Texts, key: bytes) -> list[str]:
    """FF3-1 by the ``ff3`` package, which has no FF1."""
    cipher = FF3Cipher(key.hex(), "00" * 7, 10)
    tokens = [cipher.encrypt(text) for text in texts]
    assert cipher.decrypt(tokens[0]) == texts[0]
    return tokens


# ── presidio-anonymizer: its operators called directly, without the search for what is personal ──


def presidio_mask(texts: Texts, end: int) -> list[str]:
    """All but the last characters: ``mask`` begins at one end of a text."""
    mask, params = Mask(), {"masking_char": "*", "from_end": False}
    return [mask.operate(text, {**params, "chars_to_mask": len(text) - end}) for text in texts]


def presidio_hash(texts: Texts, key: bytes) -> list[str]:
    """SHA-256 of text and salt."""
    hashed, params = Hash(), {"hash_type": "sha256", "salt": key}
    hashes = [hashed.operate(text, params) for text in texts]
    assert hashes[0] == sha256(texts[0].encode() + key).hexdigest()
    return hashes


def presidio_encrypt(texts: Texts, key: bytes) -> list[str]:
    """AES-CBC with a vector drawn at random, so that equal texts do not match."""
    encrypt, params = Encrypt(), {"key": key[:16]}
    encrypted = [encrypt.operate(text, params) for text in texts]
    assert Decrypt().operate(encrypted[0], params) == texts[0]
    return encrypted


# ── polars and duckdb: one thread, the column at hand in their own form ──────────────────────────


def polars_partial(texts: pa.Array, start: int, end: int) -> Callable[[], polars.Series]:
    """Head, filled up, and tail."""
    assert polars.thread_pool_size() == 1
    frame = polars.DataFrame({"v": polars.from_arrow(texts)})
    v = polars.col("v")
    filled = v.str.head(start).str.pad_end(v.str.len_chars() - end, "*")
    shown = polars.when(v.str.len_chars() > start + end).then(polars.concat_str([filled, v.str.tail(end)]))
    masked = shown.otherwise(polars.lit("").str.pad_end(v.str.len_chars(), "*")).alias("v")
    return lambda: frame.select(masked)["v"]


def duckdb_query(texts: pa.Array, expression: str) -> Callable[[], pa.Table]:
    """``expression`` over a column ``v`` in memory."""
    connection = duckdb.connect(config={"threads": 1})
    given = pa.table({"v": texts})
    connection.register("given", given)
    connection.execute("CREATE TABLE t AS SELECT v FROM given")
    return lambda: connection.sql(f"SELECT {expression} AS v FROM t").to_arrow_table()


def duckdb_partial(texts: pa.Array, start: int, end: int) -> Callable[[], pa.Table]:
    """Both ends and the fill between them."""
    return duckdb_query(
        texts,
        f"CASE WHEN length(v) > {start + end} THEN left(v, {start}) || repeat('*', length(v) - {start + end})"
        f" || right(v, {end}) ELSE repeat('*', length(v)) END",
    )


def duckdb_hash(texts: pa.Array, key: bytes) -> Callable[[], pa.Table]:
    """SHA-256 of salt and text."""
    return duckdb_query(texts, f"sha256('{key.hex()}' || v)")
