"""The broker's parts as its settings name them, for the server and for the commands that publish."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from cryptography import x509

from adapters.sources.registry import load_sources
from broker.approve.bundle import Bundle
from broker.approve.files import bundle_hash, unpack
from broker.errors import SetUpError, VerificationFailed
from broker.keys.keyring import Keyring
from broker.keys.keyring_file import KeyringFile
from broker.keys.revocation import read_revocations
from broker.keys.wrapping import master_key_of, read_master_key
from broker.model import NO_KEY
from broker.publication.manifest import without_manifest
from broker.publication.scrutiny import Scrutiny
from broker.publish import Order, Publisher
from broker.server.bundles import compiler, operators_of, read_files
from broker.settings import Settings
from broker.store.store import Store
from broker.transmit.sources import Sources
from broker.vault.opening import open_vault
from broker.vault.vault import Vault

log = structlog.get_logger("sharebroker.server")

OFFICERS = "officers"
"""The value of ``[policies] approval`` with which two officers are needed."""
FIRST_START = Order("sharebroker", "first start")
FIRST_KEY = Order("sharebroker", "the key in use is named from here on")
NEWER_LIST = Order("sharebroker", "newer list found at start")


def sources_of(settings: Settings) -> Sources:
    """What opens providers' sources.

    Raises:
        SetUpError: a kind that is allowed is not installed.
    """
    try:
        kinds = load_sources(settings.sources.allowed)
    except ValueError as error:
        raise SetUpError(f"数据来源无法载入：{error}", f"Kinds of source cannot be loaded: {error}") from None
    return Sources(kinds, str(settings.path(settings.sources.folder)))


def ca_of(settings: Settings) -> x509.Certificate:
    """The root that signed the callers' certificates and their revocation list.

    Raises:
        SetUpError: it cannot be read.
    """
    path = settings.path(settings.identity.ca)
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        raise SetUpError(f"无法读取根证书 {path}。", f"The root certificate {path} cannot be read.") from None


def keyring_of(settings: Settings) -> Keyring:
    """The keys for masking, tagging and binding.

    Raises:
        SetUpError: they cannot be read.
    """
    return keyring_file(settings).read()


def keyring_file(settings: Settings) -> KeyringFile:
    """The keyring where the settings say; nothing is read yet."""
    master_key = settings.path(settings.keys.master_key_file)
    return KeyringFile(settings.path(settings.keys.keyring), lambda: master_key_of(master_key))


def vault_of(settings: Settings) -> Vault | None:
    """The subject vault, to be closed; None where the settings name none.

    Raises:
        SetUpError: it cannot be opened, or is the broker's own database.
    """
    if not settings.vault_url:
        return None
    if settings.vault_url == settings.store_url:
        raise SetUpError(
            "[vault] url 与 [store] url 相同：主体密钥库须是单独的数据库，请另设一处。",
            "[vault] url is that of [store]: the subject vault must be a database of its own; name another.",
        )
    master_key = read_master_key(settings.path(settings.vault.master_key_file))
    return open_vault(settings.vault_url, master_key)


def publisher_of(settings: Settings, store: Store, clock: Callable[[], datetime]) -> Publisher:
    """What moves the epoch. It refuses a bundle whose sources cannot be opened here.

    Raises:
        SetUpError: root, operators or kinds of source cannot be loaded.
    """
    sources = sources_of(settings)

    def check(bundle: Bundle) -> None:
        try:
            sources.open(bundle.catalog)
        finally:
            sources.close()

    ca, is_for_officers = ca_of(settings), settings.policies.approval == OFFICERS
    compile_bundle = compiler(operators_of(settings))
    return Publisher(store, compile_bundle, check, ca, clock, officers=is_for_officers)


def scrutiny_of(settings: Settings) -> Scrutiny:
    """What judges the approvals of officers.

    Raises:
        SetUpError: the root cannot be read.
    """
    return Scrutiny(ca_of(settings), timedelta(days=settings.policies.approval_days))


def demanded_scrutiny(settings: Settings) -> Scrutiny | None:
    """As :func:`scrutiny_of`; None where the operator publishes alone."""
    return scrutiny_of(settings) if settings.policies.approval == OFFICERS else None


def warn_of_operator(settings: Settings) -> None:
    """Says so where one person can put policies in force."""
    if settings.policies.approval != OFFICERS:
        log.warning(
            "operator_publishes",
            zh="策略由操作人员一人即可发布（[policies] approval = operator），正式运行请改为 officers。",
            en="One person can put policies in force ([policies] approval = operator); "
            "for real data use officers.",
        )


def begin_epoch(settings: Settings, store: Store, publisher: Publisher) -> None:
    """Sees to it that an epoch is in force: the first one comes from the folder of policies and the file with
    the revocation list. Later on the database rules; only a newer list in that file is published at start.

    Raises:
        SetUpError, VerificationFailed: what the first epoch needs is missing or wrong.
    """
    with store.epochs() as tables:
        epoch = tables.epoch()
        packed = b"" if epoch is None else tables.bundle(epoch.bundle_hash) or b""
    folder, crl = settings.path(settings.policies.folder), settings.path(settings.identity.crl)
    if epoch is None:
        publisher.begin(read_files(folder), _read_crl(crl), keyring_of(settings).key, FIRST_START)
        return
    if epoch.key == NO_KEY:
        publisher.name_key(keyring_of(settings), FIRST_KEY)
    _tell_of_draft(folder, epoch.bundle_hash, packed)
    try:
        pem = _read_crl(crl)
        if read_revocations(pem, ca_of(settings)).number > epoch.crl_number:
            publisher.revocations(pem, NEWER_LIST)
    except (SetUpError, VerificationFailed) as error:
        log.warning("revocation_list_not_published", error=str(error))


def _read_crl(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise SetUpError(
            f"无法读取吊销列表 {path}。", f"The revocation list {path} cannot be read."
        ) from None


def _tell_of_draft(folder: Path, in_force: str, packed: bytes) -> None:
    """A folder that differs is a draft; somebody may believe that it is in force."""
    try:
        files = read_files(folder)
        draft, same = bundle_hash(files), files == without_manifest(unpack(packed, in_force))
    except (SetUpError, VerificationFailed):
        draft, same = "", False
    if not same:
        log.warning(
            "draft_not_published",
            zh="策略文件夹与生效的策略不同：这是草稿，须 sharebroker policy publish 后生效。",
            en="The folder of policies differs from what is in force: a draft, to be published by "
            "`sharebroker policy publish`.",
            folder=str(folder),
            draft=draft,
            in_force=in_force,
        )
