"""The vault: complete numbers whoever asks, nothing left of who is forgotten."""

import re
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.errors import SetUpError, Unavailable
from broker.keys.wrapping import AesKeyWrapper
from broker.reasons import Reason
from broker.vault.opening import about, create_vault, open_vault, rewrap_vault
from broker.vault.seals import digest_of
from tests.vault.conftest import now

NOW = now()
ANNA, BO, CHEN = "990101189901010015", "990101189901010023", "99010118990101004X"


def said(marks):
    """A statement, as far as the vault cares."""
    return b"".join(mark.tag + mark.number for mark in marks)


def numbers(vault, person):
    """The numbers that were given out for the person, by request."""
    history = vault.history(person)
    return {} if history is None else {one.number: one.request_id for one in history.issued}


def test_each_statement_has_a_tag_and_the_next_number(any_vaults):
    """The holder of the key opens the number; the vault knows request and statement of each."""
    vault = any_vaults.open()
    first = vault.issue([ANNA], "r1", NOW, said)
    (mark,), statement = vault.issue([ANNA], "r2", NOW, said)
    history = vault.history(ANNA)
    assert history.key.tag("r2") == mark.tag
    assert history.key.open(mark.number, mark.tag) == history.last == 2
    assert [one.request_id for one in history.issued] == ["r1", "r2"]
    assert history.issued[1].statement_sha256 == digest_of(statement)
    assert history.issued[1].at == NOW
    assert vault.tags(ANNA) == (first[0][0].tag, mark.tag)
    assert vault.keys([ANNA, BO]).keys() == {ANNA}
    assert vault.count() == (1, 2)


def test_several_people_in_one_statement_have_a_number_each(any_vaults):
    """In the order in which they were named; who is named twice is counted once."""
    vault = any_vaults.open()
    marks, _ = vault.issue([BO, ANNA, BO], "r1", NOW, said)
    assert marks[0] == marks[2] != marks[1]
    assert [vault.history(one).last for one in (ANNA, BO)] == [1, 1]


def test_numbers_are_complete_whoever_asks_at_once(any_vaults):
    """Two workers with many callers: each number once, none left out."""
    workers = [any_vaults.open(), any_vaults.open()]

    def ask(n):
        people = [[ANNA], [BO, ANNA], [ANNA, CHEN, BO]][n % 3]
        return workers[n % 2].issue(people, f"r{n}", NOW, said)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(ask, range(90)))
    for person, asked in ((ANNA, 90), (BO, 60), (CHEN, 30)):
        found = numbers(workers[0], person)
        assert sorted(found) == list(range(1, asked + 1))
        assert len(set(found.values())) == asked


def test_a_statement_that_cannot_be_made_uses_up_no_number(vaults):
    """Its caller learns why; those beside it are served."""
    vault = vaults.open()

    def fail(_marks):
        raise KeyError("a defect")

    vault.issue([ANNA], "r1", NOW, said)
    with pytest.raises(KeyError, match="a defect"):
        vault.issue([ANNA, BO], "r2", NOW, fail)
    vault.issue([ANNA], "r3", NOW, said)
    assert numbers(vault, ANNA) == {1: "r1", 2: "r3"}
    assert vault.history(BO) is None


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.sampled_from([ANNA, BO, CHEN]), min_size=1, max_size=3), max_size=12))
def test_counters_are_complete_and_tags_never_link(vaults, asked):
    """Whatever is asked: everybody's numbers run on without a gap, and no tag comes twice."""
    vault = vaults.open()
    before = {person: len(numbers(vault, person)) for person in (ANNA, BO, CHEN)}
    tags = []
    for n, people in enumerate(asked):
        marks, _ = vault.issue(people, f"{sum(before.values())}/{n}", NOW, said)
        tags += {mark.tag for mark in marks}
    assert len(set(tags)) == len(tags)
    for person, had in before.items():
        count = had + sum(person in people for people in asked)
        assert sorted(numbers(vault, person)) == list(range(1, count + 1))
    vault.close()


def test_the_files_name_nobody(vaults, tmp_path):
    """Neither persons nor requests nor tags stand in them; the master key alone opens them."""
    vault = vaults.open()
    (mark,), _ = vault.issue([ANNA], "request-in-the-clear", NOW, said)
    content = b"".join(path.read_bytes() for path in tmp_path.glob("vault.db*"))
    for secret in (ANNA.encode(), b"request-in-the-clear", mark.tag, mark.tag.hex().encode(), mark.number):
        assert secret not in content
    with pytest.raises(SetUpError, match="Another master key"):
        vaults.open(AesKeyWrapper(bytes(32)))


def test_who_is_forgotten_is_gone_and_begins_anew(any_vaults):
    """Row, numbers and key; the others stay, and a later receipt of the person is number one again."""
    vault, other = any_vaults.open(), any_vaults.open()
    (old,), _ = vault.issue([ANNA], "r1", NOW, said)
    vault.issue([BO, ANNA], "r2", NOW, said)
    assert other.obey({vault.name(ANNA), "unknown"}, 7) == 1
    assert vault.obeyed == 7
    assert vault.history(ANNA) is None
    assert vault.tags(ANNA) == ()
    assert vault.count() == (1, 1)
    (new,), _ = vault.issue([ANNA], "r1", NOW, said)
    assert new.tag != old.tag
    assert numbers(vault, ANNA) == {1: "r1"}
    assert numbers(vault, BO) == {1: "r2"}


def test_nothing_of_who_is_forgotten_stays_in_the_file(vaults, tmp_path):
    """Deleted rows are written over, in the database and in its log of commits."""
    vault = vaults.open()
    vault.issue([ANNA], "r1", NOW, said)
    vault.issue([BO], "r2", NOW, said)
    with sqlite3.connect(tmp_path / "vault.db") as database:
        query = "SELECT wrapped, ref FROM subject WHERE name = ?"
        wrapped, ref = database.execute(query, [vault.name(ANNA)]).fetchone()
    database.close()
    vault.obey({vault.name(ANNA)}, 1)
    content = b"".join(path.read_bytes() for path in tmp_path.glob("vault.db*"))
    assert wrapped not in content
    assert ref.encode() not in content


def test_another_master_key_opens_the_same_vault(any_vaults):
    """The persons' keys stay, the former master key opens nothing any more."""
    vault = any_vaults.open()
    vault.issue([ANNA], "r1", NOW, said)
    new = AesKeyWrapper(bytes(range(32)))
    rewrap_vault(any_vaults.url, any_vaults.wrapper, new)
    assert about(any_vaults.url).wrapped_by == new.id
    assert numbers(any_vaults.open(new), ANNA) == {1: "r1"}
    with pytest.raises(SetUpError, match="Another master key"):
        any_vaults.open()


def test_a_vault_is_made_once_and_not_by_opening(vaults, tmp_path):
    """What is there is not replaced; what is not there says which command makes it, and is not made."""
    with pytest.raises(SetUpError, match="already"):
        create_vault(vaults.url, vaults.wrapper, now())
    missing = f"sqlite:///{tmp_path}/missing.db"
    for look in (lambda: open_vault(missing, vaults.wrapper), lambda: about(missing)):
        with pytest.raises(SetUpError, match="sharebroker vault init"):
            look()
    assert not (tmp_path / "missing.db").exists()
    with pytest.raises(SetUpError, match=re.escape("[vault] url")):
        open_vault("mysql://nowhere", vaults.wrapper)


def test_a_vault_that_is_gone_stops_every_statement(vaults, tmp_path):
    """No number, no statement, and so no data; a retry is safe."""
    vault = vaults.open()
    vault.issue([ANNA], "r1", NOW, said)
    with sqlite3.connect(tmp_path / "vault.db") as database:
        database.execute("DROP TABLE number")
    database.close()
    with pytest.raises(Unavailable) as caught:
        vault.issue([ANNA], "r2", NOW, said)
    assert caught.value.reason is Reason.VAULT_UNAVAILABLE


def test_a_row_of_another_vault_is_refused(vaults, tmp_path):
    """A wrapped key that was exchanged in the file opens nothing."""
    vault = vaults.open()
    vault.issue([ANNA], "r1", NOW, said)
    with sqlite3.connect(Path(tmp_path / "vault.db")) as database:
        database.execute("UPDATE subject SET wrapped = zeroblob(40)")
    database.close()
    with pytest.raises(Unavailable):
        vault.issue([ANNA], "r2", NOW, said)
