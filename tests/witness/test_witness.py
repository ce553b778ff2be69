"""What a witness cosigns, what it refuses with which status, and what it never does: cosign two histories."""

from __future__ import annotations

import random
import tempfile
import threading
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from http import HTTPStatus
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from broker.errors import SetUpError
from broker.http.message import TEXT
from broker.receipt.merkle import EMPTY_ROOT
from broker.receipt.note import Checkpoint, VerifierKey, claimed_checkpoint, sign_note
from broker.receipt.witnesses import WitnessKey, cosignatures
from broker.receipt.witnessing import SIZE_TYPE, AddCheckpoint
from broker.witness.memory import Cosigned, WitnessMemory, create_memory
from broker.witness.witness import Witness, Witnessed
from tests import plain_tlog
from tests.witness.paper import LATER, LOG, NAME, ORIGIN, OWN, Heard, PaperLog, witnessing

KEY = WitnessKey.of(NAME, OWN)
LONG = PaperLog(300)


def test_the_cosignature_verifies_for_strangers(log: PaperLog, witness: Witness) -> None:
    """The answer's line, put under the note, is a cosignature by the letter of the specification."""
    answer = witness.add_checkpoint(log.request(0, 5))
    note = log.note(5).encode() + answer.content
    _, text = plain_tlog.cosigned(note, str(KEY))
    assert (answer.status, text.decode()) == (200, log.head(5).text())
    assert plain_tlog.opened(log.note(5).encode(), str(log.key))[:2] == (5, log.tree(5).root())


@pytest.mark.parametrize("step", [1, 2, 3, 7, 31])
def test_every_extension_is_cosigned(log: PaperLog, witness: Witness, step: int) -> None:
    """From any size to any larger one, by proofs of every shape."""
    for first, second in pairwise(range(0, 71, step)):
        assert witness.add_checkpoint(log.request(first, second)).status is HTTPStatus.OK
        assert witness.cosigned(ORIGIN).size == second


def test_the_same_head_is_cosigned_again(log: PaperLog, witness: Witness) -> None:
    """Whoever lost the answer asks again and gets it."""
    witness.add_checkpoint(log.request(0, 9))
    assert witness.add_checkpoint(log.request(9, 9)).status is HTTPStatus.OK
    assert witness.cosigned(ORIGIN).size == 9


def test_an_empty_log_is_cosigned(log: PaperLog, witness: Witness) -> None:
    """Size 0 is a size; its root is that of an empty tree or the head is refused."""
    assert witness.add_checkpoint(log.request(0, 0)).status is HTTPStatus.OK
    note = sign_note(Checkpoint(ORIGIN, 0, b"x" * 32).text(), ORIGIN, LOG)
    assert witness.add_checkpoint(AddCheckpoint(0, (), note).body()).status == 422
    assert witness.cosigned(ORIGIN).root == EMPTY_ROOT
    assert witness.add_checkpoint(log.request(0, 4)).status is HTTPStatus.OK


def _unproved(log: PaperLog) -> Iterator[tuple[str, bytes, int]]:
    """Requests to a witness at size 20, and the status that the specification gives them."""
    proof, note = log.proof(20, 40), log.note(40)
    yield "another size", log.request(10, 40), 409
    yield "no size", log.request(0, 40), 409
    yield "a smaller head", log.request(10, 15), 409
    yield "a head smaller than it says", AddCheckpoint(20, (), log.note(15)).body(), 400
    yield "no proof", AddCheckpoint(20, (), note).body(), 422
    yield "a proof too long", AddCheckpoint(20, (*proof, proof[0]), note).body(), 422
    yield "a proof too short", AddCheckpoint(20, proof[:-1], note).body(), 422
    yield "another proof", AddCheckpoint(20, proof[::-1], note).body(), 422
    yield "a proof of nothing", AddCheckpoint(20, proof, log.note(20)).body(), 422
    yield "63 hashes", AddCheckpoint(20, (b"h" * 32,) * 63, note).body(), 422
    yield "64 hashes", AddCheckpoint(20, (b"h" * 32,) * 64, note).body(), 400
    other = log.forked(19)
    yield "another history", other.request(20, 40), 422
    elsewhere = PaperLog(40, origin="elsewhere.example/log")
    yield "another log", elsewhere.request(0, 40), 404
    head = log.head(40).text()
    yield "another key", AddCheckpoint(20, proof, sign_note(head, ORIGIN, OWN)).body(), 403
    yield "another name", AddCheckpoint(20, proof, sign_note(head, "x.example/log", LOG)).body(), 403
    text, _, line = log.note(30).rpartition("\n\n")
    moved = head + "\n" + line
    assert text != head
    yield "another head's signature", AddCheckpoint(20, proof, moved).body(), 403
    stranger = sign_note(head, ORIGIN, OWN).rpartition("\n\n")[2]
    yield "a stranger's line beside", AddCheckpoint(20, proof, note + stranger).body(), 200


def test_each_refusal_has_its_status(log: PaperLog, tmp_path: Path) -> None:
    """As tlog-witness says, and the memory stays what it was."""
    for number, (what, body, status) in enumerate(_unproved(log)):
        folder = tmp_path / str(number)
        folder.mkdir()
        with witnessing(folder) as witness:
            witness.add_checkpoint(log.request(0, 20))
            before = witness.cosigned(ORIGIN)
            answer = witness.add_checkpoint(body)
            assert (what, answer.status) == (what, status)
            if status == 200:
                continue
            told = (b"20\n", SIZE_TYPE) if status == 409 else (b"", TEXT)
            assert (answer.content, answer.content_type) == told
            assert witness.cosigned(ORIGIN) == before
            assert witness.add_checkpoint(log.request(20, 40)).status is HTTPStatus.OK


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"\n", b"\n\n", b"old", b"old 0", b"old 0\n\n", b"\xff", b"old 0\n\n\n\n"),
        LONG.request(0, 5).replace(b"old 0", b"old 00"),
        LONG.request(0, 5).replace(b"old 0", b"old +0"),
        LONG.request(0, 5).replace(b"old 0", b"old -0"),
        LONG.request(0, 5).replace(b"old 0", b"old 0 "),
        LONG.request(0, 5).replace(b"old 0", b"old  0"),
        LONG.request(0, 5).replace(b"old 0", b"OLD 0"),
        LONG.request(0, 5).replace(b"old 0", "old ٠".encode()),
        LONG.request(0, 5).replace(b"old 0", b"old 1_0"),
        LONG.request(0, 5).replace(b"old 0", b"old 9223372036854775808"),
        LONG.request(0, 5).replace(b"old 0", b"old " + b"9" * 5000),
        LONG.request(0, 5).replace(b"old 0\n", b"old 0\n\n"),
        LONG.request(0, 5).replace(b"\n", b"\r\n"),
        LONG.request(0, 5)[:-1],
        LONG.request(0, 5) + b"\n",
        LONG.request(3, 5).replace(b"=\n", b"\n", 1),
        LONG.request(3, 5).replace(b"=\n", b"= \n", 1),
        AddCheckpoint(3, (b"x" * 31,), LONG.note(5)).body(),
        AddCheckpoint(3, (b"",), LONG.note(5)).body(),
        LONG.request(0, 5).replace(b"\n5\n", b"\n05\n"),
        LONG.request(0, 5).replace(b"\n5\n", b"\n\n"),
    ],
)
def test_what_is_no_request_is_refused(witness: Witness, body: bytes) -> None:
    """Every deviation from the one way to write a request."""
    assert witness.add_checkpoint(body).status is HTTPStatus.BAD_REQUEST
    assert witness.cosigned(ORIGIN) == Cosigned()


def test_the_published_example_is_read() -> None:
    """The request of the specification itself."""
    proof = [
        *("PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=", "jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk="),
        *("5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=", "/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0="),
    ]
    signatures = [
        "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=",
        "opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=",
    ]
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    note = text + "\n" + "".join(f"— example.com/behind-the-sofa {one}\n" for one in signatures)
    body = "\n".join(["old 20852014", *proof, "", note]).encode()
    request = AddCheckpoint.parse(body)
    assert (request.old_size, len(request.proof), request.note) == (20852014, 4, note)
    assert request.body() == body


def test_extension_lines_are_cosigned_with_the_rest(log: PaperLog, witness: Witness) -> None:
    """This log writes none; those of others are part of what is signed (tlog-cosignature)."""
    note = sign_note(log.head(5).text() + "an extension\n", ORIGIN, LOG)
    answer = witness.add_checkpoint(AddCheckpoint(0, (), note).body())
    _, text = plain_tlog.cosigned(note.encode() + answer.content, str(KEY))
    assert text.endswith(b"an extension\n")
    blank = sign_note(log.head(5).text() + "\nx\n", ORIGIN, LOG)
    assert witness.add_checkpoint(AddCheckpoint(5, (), blank).body()).status == 400


def test_any_key_of_the_log_is_enough(log: PaperLog, tmp_path: Path) -> None:
    """A log whose key changes signs under either for a while; a false line spoils the note."""
    later = VerifierKey.of(ORIGIN, LATER)
    with witnessing(tmp_path, Witnessed(ORIGIN, (log.key, later))) as witness:
        size = 0
        for keys in ((LOG,), (LOG, LATER), (LATER,)):
            body = AddCheckpoint(size, log.proof(size, size + 9), log.note(size + 9, *keys)).body()
            assert witness.add_checkpoint(body).status is HTTPStatus.OK
            size += 9
        assert str(KEY.name) in witness.cosigned(ORIGIN).note
        false = b64encode(later.id + b"s" * 64).decode()
        spoilt = log.note(40) + f"— {ORIGIN} {false}\n"
        body = AddCheckpoint(size, log.proof(size, 40), spoilt).body()
        assert witness.add_checkpoint(body).status is HTTPStatus.FORBIDDEN


def test_what_was_cosigned_is_shown(log: PaperLog, witness: Witness) -> None:
    """With the log's signature and the witness's own, under the hash of the origin; no other line is."""
    where = sha256(ORIGIN.encode()).hexdigest()
    assert witness.checkpoint(where).status is HTTPStatus.NOT_FOUND
    stranger = sign_note(log.head(5).text(), "x.example/y", OWN).rpartition("\n\n")[2]
    answer = witness.add_checkpoint(AddCheckpoint(0, (), log.note(5) + stranger).body())
    shown = witness.checkpoint(where)
    assert (shown.status, shown.content) == (200, log.note(5).encode() + answer.content)
    assert witness.checkpoint("0" * 64).status is HTTPStatus.NOT_FOUND


def test_times_never_go_back(log: PaperLog, tmp_path: Path) -> None:
    """A cosignature says which head was the largest then; a clock set back must not contradict that."""
    now = iter([1000.9, 500.0, 2000.0])
    with witnessing(tmp_path, clock=lambda: next(now)) as witness:
        times = []
        for first, second in ((0, 5), (5, 9), (9, 12)):
            answer = witness.add_checkpoint(log.request(first, second))
            times.append(plain_tlog.cosigned(log.note(second).encode() + answer.content, str(KEY))[0])
    assert times == [1000, 1000, 2000]


# ── forks ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("at", [0, 1, 9, 10, 19])
def test_of_two_histories_one_is_cosigned(log: PaperLog, witness: Witness, at: int) -> None:
    """Wherever they part before the head that was cosigned, no head of the other ever is."""
    witness.add_checkpoint(log.request(0, 20))
    other = log.forked(at)
    for size in range(21, 70):
        assert witness.add_checkpoint(other.request(20, size)).status == 422
    assert witness.add_checkpoint(other.request(0, 70)).status == 409
    assert witness.cosigned(ORIGIN).root == log.tree(20).root()


def test_two_heads_of_one_size_are_proof_enough(log: PaperLog, tmp_path: Path, heard: Heard) -> None:
    """The alarm is given, both heads are kept, and nothing is cosigned any more, restarted or not."""
    with witnessing(tmp_path) as witness:
        witness.add_checkpoint(log.request(0, 20))
        other = log.forked(19)
        assert witness.add_checkpoint(AddCheckpoint(20, (), other.note(20)).body()).status == 422
        fork = witness.forks()[ORIGIN]
    ((_, about),) = [one for one in heard.said if one[0] == "log_forked"]
    assert "分叉" in str(about["zh"])
    assert "ALARM" in str(about["en"])
    heads = {claimed_checkpoint(note).root for note in (fork.one, fork.other)}
    assert heads == {log.tree(20).root(), other.tree(20).root()}
    with witnessing(tmp_path) as witness:
        assert witness.add_checkpoint(log.request(20, 21)).status == 422
        assert witness.add_checkpoint(log.request(20, 20)).status == 422
        assert witness.cosigned(ORIGIN).size == 20
        assert ORIGIN in witness.forks()


def test_a_false_proof_is_no_fork(log: PaperLog, witness: Witness) -> None:
    """Anybody may send a true head with a false proof: that stops nobody."""
    witness.add_checkpoint(log.request(0, 20))
    witness.add_checkpoint(AddCheckpoint(20, (b"x" * 32,) * 3, log.note(40)).body())
    witness.add_checkpoint(AddCheckpoint(20, (b"x" * 32,), log.note(20)).body())
    assert witness.forks() == {}
    assert witness.add_checkpoint(log.request(20, 40)).status is HTTPStatus.OK


# ── the memory ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("damage", ["missing", "empty", "garbage", "other"])
def test_a_witness_that_has_forgotten_does_not_sign(tmp_path: Path, damage: str) -> None:
    """Without its memory it could be shown another history; so it does not start, and makes no new one."""
    state = tmp_path / "witness.db"
    if damage == "other":
        create_memory(state)
        state.write_bytes(state.read_bytes()[:60] + b"\0\0\0\7" + state.read_bytes()[64:])
    elif damage != "missing":
        state.write_bytes(b"" if damage == "empty" else b"garbage" * 1000)
    with pytest.raises(SetUpError, match="不得再签名"):
        WitnessMemory(state)
    assert state.exists() == (damage != "missing")


def test_a_memory_is_never_replaced(tmp_path: Path) -> None:
    """Setting up again where a witness is would make it forget."""
    create_memory(tmp_path / "witness.db")
    with pytest.raises(SetUpError, match="不予覆盖"):
        create_memory(tmp_path / "witness.db")


def test_a_memory_that_cannot_be_written_gives_no_cosignature(log: PaperLog, tmp_path: Path) -> None:
    """A full disk stops cosigning, and what is remembered is what was given out."""
    with witnessing(tmp_path) as witness:
        witness.add_checkpoint(log.request(0, 5))
        witness._memory._connection.execute("PRAGMA query_only = 1")
        with pytest.raises(OSError, match="memory"):
            witness.add_checkpoint(log.request(5, 9))
        witness._memory._connection.execute("PRAGMA query_only = 0")
        assert witness.cosigned(ORIGIN).size == 5


def test_a_head_never_goes_back(tmp_path: Path) -> None:
    """Not even if the code above were wrong."""
    with witnessing(tmp_path) as witness, witness._memory.exclusive() as heads:
        heads.advance("o", Cosigned(5, b"r" * 32, 10, "n"))
        for size, at in ((4, 10), (5, 9)):
            with pytest.raises(ValueError, match="back"):
                heads.advance("o", Cosigned(size, b"r" * 32, at, "n"))


def test_side_by_side_they_cosign_one_history(log: PaperLog, tmp_path: Path) -> None:
    """Threads of two witnesses with one memory, offered two histories at once: every cosignature given, in
    the order of the sizes, is of an extension of the one before."""
    other, given, lock = log.forked(1), [], threading.Lock()
    with witnessing(tmp_path) as one, witnessing(tmp_path) as two:

        def ask(number: int) -> None:
            chance = random.Random(number)
            for _ in range(40):
                history = chance.choice((log, other))
                size = one.cosigned(ORIGIN).size
                target = min(70, size + chance.randint(1, 3))
                answer = chance.choice((one, two)).add_checkpoint(history.request(size, target))
                if answer.status is HTTPStatus.OK:
                    with lock:
                        given.append(history.head(target))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(ask, range(4)))
    assert len(given) > 10
    assert any(all(history.head(head.size) == head for head in given) for history in (log, other))


# ── anything at all ──────────────────────────────────────────────────────────────────────────────


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Requests true and false: of three histories, any sizes, with proofs of other sizes, bytes changed."""
    log = draw(st.sampled_from((LONG, LONG.forked(7), LONG.forked(100))))
    first, second = draw(st.integers(0, 300)), draw(st.integers(0, 300))
    proof_of = draw(st.sampled_from((LONG, log)))
    proof = proof_of.proof(*draw(st.sampled_from(((first, second), (first + 1, second), (second, first)))))
    body = bytearray(AddCheckpoint(first, proof, log.note(second)).body())
    for at in draw(st.lists(st.integers(0, len(body) - 1), max_size=2)):
        body[at] = draw(st.integers(0, 255))
    return bytes(body)


@given(st.one_of(bodies(), st.binary(), st.text().map(lambda text: text.encode("utf-8", "replace"))))
def test_no_bytes_bring_a_witness_down_or_make_it_lie(body: bytes) -> None:
    """At size 100 of the true history it answers anything, and cosigns nothing but that history."""
    with tempfile.TemporaryDirectory() as folder, witnessing(Path(folder)) as witness:
        witness.add_checkpoint(LONG.request(0, 100))
        answer = witness.add_checkpoint(body)
        assert answer.status in (200, 400, 403, 404, 409, 422)
        if answer.status == 200:
            note = AddCheckpoint.parse(body).note
            head = claimed_checkpoint(note)
            cosignatures(note + answer.content.decode(), [KEY])
            assert head.size >= 100
            assert LONG.tree(100).root() == witness_root(head, 100)
        assert witness.cosigned(ORIGIN).size >= 100


def witness_root(head: Checkpoint, size: int) -> bytes:
    """The root at that size of whichever history leads to this head."""
    for log in (LONG, LONG.forked(100), LONG.forked(7)):
        if log.head(head.size) == head:
            return log.tree(size).root()
    raise AssertionError("a head of no history was cosigned")


class TwoHistories(RuleBasedStateMachine):
    """A log that shows its witness two histories, in any order, with true proofs and false ones."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.opened = witnessing(Path(self.folder.name))
        self.witness = self.opened.__enter__()
        self.histories = (PaperLog(40), PaperLog(40, 5))
        self.given: list[Checkpoint] = []

    @rule(which=st.integers(0, 1), size=st.integers(0, 40), known=st.booleans(), lie=st.booleans())
    def offer(self, which: int, size: int, known: bool, lie: bool) -> None:
        log = self.histories[which]
        first = self.witness.cosigned(ORIGIN).size if known else min(3, size)
        proof = self.histories[which ^ lie].proof(first, size)
        answer = self.witness.add_checkpoint(AddCheckpoint(first, proof, log.note(size)).body())
        if answer.status is HTTPStatus.OK:
            self.given.append(log.head(size))

    @rule()
    def restart(self) -> None:
        self.opened.__exit__(None, None, None)
        self.opened = witnessing(Path(self.folder.name))
        self.witness = self.opened.__enter__()

    @invariant()
    def all_of_one_history(self) -> None:
        assert any(all(log.head(head.size) == head for head in self.given) for log in self.histories)
        assert [head.size for head in self.given] == sorted(head.size for head in self.given)

    def teardown(self) -> None:
        self.opened.__exit__(None, None, None)
        self.folder.cleanup()


def test_whatever_it_is_shown_it_cosigns_one_history() -> None:
    """All heads ever cosigned, over restarts, lie in one log and in its order."""
    few = settings(max_examples=25, stateful_step_count=15)
    run_state_machine_as_test(TwoHistories, settings=few)


def test_a_key_of_nobody_signs_nothing(tmp_path: Path) -> None:
    """A name that is no key name is refused when the witness is put together."""
    create_memory(tmp_path / "witness.db")
    memory = WitnessMemory(tmp_path / "witness.db")
    try:
        with pytest.raises(ValueError, match="key name"):
            Witness("a b", Ed25519PrivateKey.generate(), memory, {})
    finally:
        memory.close()
