"""A witness's own copy: fetched over HTTP, verified, and able to tell a fork from a false proof."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from broker.errors import VerificationFailed
from broker.http.client import NoAnswer
from broker.http.message import Request
from broker.receipt.note import claimed_checkpoint
from broker.receipt.public import PublicLog
from broker.server.public_log import answer
from broker.witness.mirror import Follower, Mirror
from broker.witness.witness import Witness, Witnessed
from tests import plain_tlog
from tests.witness.paper import LATER, ORIGIN, Heard, PaperLog, witnessing

TRUE = PaperLog(600)
OTHER = TRUE.forked(40)


class Shown:
    """A log as it is shown over HTTP: whichever, of whichever size, with whatever is wrong with it."""

    def __init__(self) -> None:
        self.log = TRUE
        self.size = 50
        self.spoil: tuple[str, bytes] = ("", b"")
        """Path and what is at it instead."""
        shown = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content, status = shown.get(self.path[1:])
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def get(self, path: str) -> tuple[bytes, int]:
        if path == self.spoil[0]:
            return self.spoil[1], 200
        given = answer(
            PublicLog(self.log, lambda: self.log.note(self.size), self.log.key), Request("GET", path)
        )
        return given.content, int(given.status)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Office:
    """A witness with a copy of what is shown."""

    def __init__(self, folder: Path, shown: Shown, witness: Witness) -> None:
        self.shown = shown
        self.witness = witness
        self.copy = folder / "copy"
        self.mirror = Mirror(Witnessed(ORIGIN, (TRUE.key,)), self.copy, shown.url, None, witness)
        witness.examine[ORIGIN] = self.mirror.examine

    def cosign(self, log: PaperLog, size: int) -> int:
        """The status of the witness's answer."""
        return self.witness.add_checkpoint(log.request(self.witness.cosigned(ORIGIN).size, size)).status

    def checked(self) -> int:
        """Size of the copy, of which a stranger has verified everything."""
        return plain_tlog.checked(lambda path: (self.copy / path).read_bytes(), str(TRUE.key))

    @property
    def forked(self) -> set[bytes]:
        """The roots of the two heads that contradict each other."""
        fork = self.witness.forks().get(ORIGIN)
        return {claimed_checkpoint(note).root for note in (fork.one, fork.other)} if fork else set()


@contextmanager
def _office(folder: Path) -> Iterator[Office]:
    with closing(Shown()) as shown, witnessing(folder) as witness:
        yield Office(folder, shown, witness)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with _office(tmp_path) as found:
        yield found


def test_the_copy_grows_with_the_log(office: Office) -> None:
    """Over the bounds of tiles and with nothing new; strangers verify all of it, without us."""
    for size in (1, 50, 50, 255, 256, 257, 600):
        office.shown.size = size
        head = office.mirror.follow()
        assert head == TRUE.head(size)
        assert office.checked() == size
    assert office.forked == set()


def test_a_log_that_shows_nothing_yet_is_waited_for(office: Office) -> None:
    """No checkpoint is no failure."""
    office.shown.spoil = ("checkpoint", b"")
    assert office.mirror.follow() is None
    assert not office.copy.exists()


def test_another_history_shown_is_a_fork(office: Office, heard: Heard) -> None:
    """The copy stays the one before, the alarm is given once, and nothing is cosigned any more."""
    office.cosign(TRUE, 45)
    office.mirror.follow()
    office.shown.log, office.shown.size = OTHER, 100
    for _ in range(2):
        with pytest.raises(VerificationFailed, match="分叉"):
            office.mirror.follow()
    assert office.forked == {TRUE.head(50).root, OTHER.head(100).root}
    assert office.checked() == 50
    assert office.cosign(TRUE, 60) == 422
    assert heard.count("log_forked") == 1


@pytest.mark.parametrize("size", [41, 49, 50])
def test_a_shorter_history_shown_is_a_fork(office: Office, size: int) -> None:
    """A head at or below the copy's is compared with the copy itself."""
    office.mirror.follow()
    office.shown.log, office.shown.size = OTHER, size
    with pytest.raises(VerificationFailed, match="分叉"):
        office.mirror.follow()
    assert OTHER.head(size).root in office.forked


@pytest.mark.parametrize("size", [41, 64, 128])
def test_what_is_cosigned_and_what_is_shown_are_compared(office: Office, size: int) -> None:
    """The log shows the public one history and the witness another, always further on; still, once what is
    shown has passed a head that was cosigned, that comes out."""
    assert office.cosign(OTHER, size) == 200
    for further in (1, 2, 3):
        office.shown.size = size - 4 + further
        office.mirror.follow()
        assert office.cosign(OTHER, size + 100 * further) == 200
    office.shown.size = size
    with pytest.raises(VerificationFailed, match="分叉"):
        office.mirror.follow()
    assert office.forked == {TRUE.head(size).root, OTHER.head(size).root}


def test_what_has_been_compared_is_not_kept(office: Office) -> None:
    """Of the heads cosigned, the oldest that the copy has not reached is remembered, and no more."""
    for size in (10, 45, 60, 80):
        office.cosign(TRUE, size)
    assert claimed_checkpoint(office.witness.cosigned(ORIGIN).uncompared).size == 10
    office.mirror.follow()
    assert claimed_checkpoint(office.witness.cosigned(ORIGIN).uncompared).size == 80
    office.shown.size = 90
    office.mirror.follow()
    assert office.witness.cosigned(ORIGIN).uncompared == ""


def test_a_head_of_another_history_offered_is_a_fork(office: Office) -> None:
    """Signed by the log, below the copy's size, of another root: proof enough, whatever came with it."""
    office.cosign(TRUE, 50)
    office.mirror.follow()
    assert office.witness.add_checkpoint(OTHER.request(7, 44)).status == 409
    assert office.forked == {TRUE.head(50).root, OTHER.head(44).root}


def test_an_older_head_of_the_same_history_is_none(office: Office) -> None:
    """Old checkpoints lie about everywhere; sending one again alarms nobody."""
    office.cosign(TRUE, 50)
    office.mirror.follow()
    for size in range(51):
        office.witness.add_checkpoint(TRUE.request(0, size))
    office.shown.size = 45
    with pytest.raises(VerificationFailed):  # and a log that shows less than before is not copied
        office.mirror.follow()
    assert office.forked == set()
    assert office.checked() == 50


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("tile/entries/000.p/60", OTHER.log_entries(0, 60)[50]),
        ("tile/entries/000.p/60", b""),
        ("tile/entries/000.p/60", b"\x00\x21" + b"x" * 33),
        ("tile/0/000.p/60", b""),
        ("tile/0/000.p/60", b"h" * 32 * 60),
        ("tile/0/000.p/60", b"h"),
        ("checkpoint", b"nothing"),
        ("checkpoint", TRUE.note(60, LATER).encode()),
        ("checkpoint", PaperLog(60, origin="elsewhere.example/log").note(60).encode()),
        ("checkpoint", b"\xff" * 70_000),
    ],
)
def test_what_does_not_hold_together_proves_nothing(office: Office, path: str, content: bytes) -> None:
    """A damaged or lying server is no fork: nothing is copied, and it goes on when that is over."""
    office.mirror.follow()
    office.shown.size, office.shown.spoil = 60, (path, content)
    with pytest.raises(VerificationFailed):
        office.mirror.follow()
    assert (office.checked(), office.forked) == (50, set())
    office.shown.spoil = ("", b"")
    office.mirror.follow()
    assert office.checked() == 60


def test_a_log_that_cannot_be_reached_is_no_fork(tmp_path: Path) -> None:
    """Nor one that answers with an error."""
    with _office(tmp_path) as office:
        office.mirror.follow()
        office.shown.get = lambda _: (b"", 503)  # type: ignore[method-assign]
        with pytest.raises(NoAnswer):
            office.mirror.follow()
    with pytest.raises(NoAnswer):
        office.mirror.follow()


def test_where_only_full_tiles_are_kept_they_are_read(office: Office) -> None:
    """A server may drop a partial tile once there is the full one (tlog-tiles, Partial Tiles)."""
    office.shown.size = 600
    get = office.shown.get

    def without_partial(path: str) -> tuple[bytes, int]:
        return (b"", 404) if ".p/" in path and "002.p" not in path and "1/" not in path else get(path)

    office.shown.get = without_partial  # type: ignore[method-assign]
    assert office.mirror.follow() == TRUE.head(600)


def test_a_copy_is_kept_from_a_thread(office: Office, heard: Heard) -> None:
    """It says once that it copies, once that it cannot, and goes on."""
    follower = Follower(ORIGIN, office.mirror, 0.01)
    follower.start()
    try:
        heard.until("copied")
        office.shown.spoil = ("checkpoint", b"nothing")
        heard.until("copy_failed")
        office.shown.spoil, office.shown.size = ("", b""), 70
        heard.until("copied", 2)
    finally:
        follower.stop()
    assert heard.count("copy_failed") == 1
    assert office.mirror.follow() == TRUE.head(70)
