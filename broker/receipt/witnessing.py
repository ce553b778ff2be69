"""How a log asks a witness for a cosignature: ``add-checkpoint`` of C2SP tlog-witness.

The request's body is::

    old 20852014                                        size of the head that the witness cosigned last
    PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=        consistency proof from there (RFC 6962 §2.1.2)
    …
                                                        blank line
    example.com/behind-the-sofa                         the checkpoint, a signed note
    …
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from broker.errors import VerificationFailed
from broker.http.client import HttpClient
from broker.receipt.merkle import HASH_SIZE
from broker.receipt.note import Checkpoint
from broker.receipt.witnesses import Cosignature, WitnessKey, cosignatures

ADD_CHECKPOINT = "add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
"""Content type of a conflict: the body is the size that the witness cosigned last."""

MAX_PROOF = 63
MAX_SIZE = (1 << 63) - 1
MAX_BODY = 64 * 1024
"""Far above 63 hashes and a note of a log with some witnesses."""

ATTEMPTS = 3
"""A witness may cosign for another of our processes between two questions of ours, but not for ever."""


class Refused(Exception):
    """A witness answered otherwise than with a cosignature; ``status`` is that of HTTP."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"HTTP {status}")


class Ahead(Exception):
    """The witness has cosigned a larger head than it was shown."""

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__(f"at {size}")


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """One request; nothing in it is verified."""

    old_size: int
    proof: tuple[bytes, ...]
    note: str

    def body(self) -> bytes:
        """As it is sent."""
        lines = [f"old {self.old_size}", *(b64encode(each).decode() for each in self.proof), "", ""]
        return ("\n".join(lines) + self.note).encode()

    @classmethod
    def parse(cls, body: bytes) -> AddCheckpoint:
        """Reads a request. What was read is printed again and must give the same bytes.

        Raises:
            VerificationFailed: it is none.
        """
        try:
            head, _, note = body.decode("utf-8").partition("\n\n")
            old, *lines = head.split("\n")
            request = cls(int(old.removeprefix("old ")), tuple(b64decode(line) for line in lines), note)
            well_formed = request.body() == body
        except ValueError:
            well_formed = False
        if not (
            well_formed
            and request.old_size <= MAX_SIZE
            and len(request.proof) <= MAX_PROOF
            and all(len(each) == HASH_SIZE for each in request.proof)
        ):
            raise VerificationFailed("见证请求格式不符 / add-checkpoint: malformed request")
        return request


class Witness:
    """One witness as the log sees it. Not safe for use by several threads at once."""

    def __init__(self, key: WitnessKey, client: HttpClient) -> None:
        self.key = key
        self._client = client
        self._size = 0
        """Of the head it cosigned last, as far as we know."""

    def cosignature(
        self, note: str, checkpoint: Checkpoint, proof_from: Callable[[int], Sequence[bytes]]
    ) -> Cosignature:
        """The witness's cosignature of a checkpoint.

        Args:
            note: the checkpoint, signed by the log.
            proof_from: gives the consistency proof to the checkpoint from a smaller size above 0.

        Raises:
            NoAnswer: the witness cannot be reached.
            Refused: it refuses; with 422 it has seen another history of the log than this one.
            Ahead: it has cosigned a larger head already.
            VerificationFailed: what it gave is no cosignature of its own over this checkpoint.
        """
        for _ in range(ATTEMPTS):
            old_size = self._size
            if old_size > checkpoint.size:
                self._size = 0  # asked again next time: it need not be believed for ever
                raise Ahead(old_size)
            proof = proof_from(old_size) if 0 < old_size < checkpoint.size else ()
            body = AddCheckpoint(old_size, tuple(proof), note).body()
            answer = self._client.post(ADD_CHECKPOINT, body)
            if answer.status == 200:
                self._size = checkpoint.size
                return self._own(note, answer.content)
            if answer.status != 409 or answer.content_type != SIZE_TYPE:
                raise Refused(answer.status)
            self._size = _size(answer.content)
        raise Refused(409)

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def _own(self, note: str, lines: bytes) -> Cosignature:
        """Its own among the lines; others are nobody's whom we know (tlog-witness, add-checkpoint)."""
        found = cosignatures(note + lines.decode("utf-8", "replace"), [self.key])
        if not found:
            raise VerificationFailed("见证人没有给出自己的签名 / witness: gave no cosignature of its own")
        return found[0]


def _size(content: bytes) -> int:
    text = content.removesuffix(b"\n")
    if not (text.isdigit() and len(text) < 20 and int(text) <= MAX_SIZE):
        raise VerificationFailed("见证人答复的大小不是数字 / witness: the size it gave is no number")
    return int(text)
