"""The bundle a command is about: the one in a folder, or the one in force."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.errors import SetUpError, VerificationFailed
from broker.model import Epoch
from broker.settings import Masking, load_settings

if TYPE_CHECKING:
    from adapters.masking.contract import Operator
    from broker.approve.bundle import Bundle
    from broker.approve.files import Files

DEFAULT_CONFIG = Path("sharebroker.toml")
Config = Annotated[Path, typer.Option("--config", "-c", help="配置文件（TOML） / settings file")]


def operators(config: Path = DEFAULT_CONFIG) -> Mapping[str, Operator]:
    """The masking operators that the settings allow; without a settings file, as where somebody only writes
    policies, those that come with the broker.

    Raises:
        SetUpError: the file is named but missing, or an operator that it allows is not installed.
    """
    from adapters.masking.registry import load_operators  # Arrow is loaded by the commands that need it
    from broker.server.bundles import operators_of

    if config == DEFAULT_CONFIG and not config.is_file():
        return load_operators(Masking().allowed)
    return operators_of(load_settings(config))


def bundle_in_folder(folder: Path, config: Path = DEFAULT_CONFIG) -> Bundle:
    """The bundle in ``folder``.

    Raises:
        SetUpError: everything that is wrong with it.
    """
    from broker.server.bundles import checked_bundle

    return checked_bundle(folder, operators(config))


def files_in_force(config: Path) -> tuple[Epoch, Files]:
    """What is in force in the database that the settings name, and its bundle's files.

    Raises:
        SetUpError: nothing is yet.
        VerificationFailed: the database holds another bundle under that name.
    """
    from broker.approve.files import unpack
    from broker.store.store import open_store

    with closing(open_store(load_settings(config).store_url)) as store, store.epochs() as tables:
        epoch = tables.epoch()
        if epoch is None:
            raise SetUpError(
                "数据库中还没有生效的策略：请先启动一次服务。",
                "No policy is in force in the database yet: start the broker once.",
            )
        packed = tables.bundle(epoch.bundle_hash)
    if packed is None:
        raise VerificationFailed("数据库中没有生效的策略包 / the bundle in force is not in the database")
    return epoch, unpack(packed, epoch.bundle_hash)


def bundle_in_force(config: Path) -> tuple[Epoch, Bundle]:
    """What is in force, and its bundle as it is written; raises as :func:`files_in_force`."""
    from broker.server.bundles import compiler

    epoch, files = files_in_force(config)
    return epoch, compiler(operators(config))(files)


def bundle_that_speaks(config: Path) -> tuple[Epoch, Bundle]:
    """The same, its permits bound to their approvals where officers give them."""
    from broker.publication.scrutiny import with_standing

    epoch, bundle = bundle_in_force(config)
    standing = _standing(config, epoch, bundle)
    return epoch, bundle if standing is None else with_standing(bundle, standing)


def _standing(config: Path, epoch: Epoch, bundle: Bundle) -> Mapping[str, datetime] | None:
    """File → until when its approval stands; None where the operator publishes alone."""
    from broker.keys.revocation import read_revocations
    from broker.publication.dossiers import dossier_of
    from broker.publication.scrutiny import bases_of
    from broker.server.parts import demanded_scrutiny
    from broker.store.store import open_store

    settings = load_settings(config)
    if (scrutiny := demanded_scrutiny(settings)) is None:
        return None
    with closing(open_store(settings.store_url)) as store, store.epochs() as tables:
        dossier = dossier_of(tables, epoch.bundle_hash, scrutiny)
        crl = tables.crl(epoch.crl_number) or b""
    compromised = read_revocations(crl, scrutiny.ca).compromised
    return scrutiny.standing(dossier.files, bases_of(bundle), dossier.approvals, compromised)
