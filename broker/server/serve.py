"""``sharebroker serve``: put the broker together from its settings, run it, drain it on SIGTERM."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from broker.acknowledge.acknowledge import Acknowledger
from broker.acknowledge.overdue import Overdue
from broker.applications.delegations import Delegations
from broker.applications.duties import Duties
from broker.applications.notices import Notices
from broker.applications.register import Register
from broker.apply.identity import identify
from broker.commitments.found import Lodgings
from broker.commitments.lodge import Lodger
from broker.correction.answer import Answerer
from broker.correction.duties import Duties as CorrectionDuties
from broker.correction.report import Reporter
from broker.detokenize.detokenize import Detokenizer
from broker.disposal.certifying import Certifier
from broker.disposal.ordering import Orders
from broker.disposal.watch import DisposalWatch
from broker.epoch import Epochs
from broker.errors import NotAuthenticated
from broker.exchange import Exchange
from broker.forgetting import obey
from broker.leases import Keeper
from broker.marks import Marks
from broker.model import Identity
from broker.proposals import Proposals
from broker.publish import grant_standing
from broker.reasons import Reason
from broker.receipt.coverage import Coverage, ProvedCover
from broker.receipt.log import ReceiptLog
from broker.receipt.signer import CheckpointSigner, socket_of
from broker.releases import Masks
from broker.server.applications import ApplicationService
from broker.server.asking import Status, answering
from broker.server.bundles import compiler, operators_of
from broker.server.calls import CallInterceptor, Identify
from broker.server.commitments import CommitmentService
from broker.server.corrections import CorrectionService
from broker.server.delegations import DelegationService
from broker.server.deliveries import DeliveryService
from broker.server.disposals import DisposalService, ended_grants
from broker.server.health import Health
from broker.server.listening import Listening, announce, in_use, server_options
from broker.server.masking import MaskingService
from broker.server.noticing import NoticeBoard
from broker.server.parts import (
    begin_epoch,
    ca_of,
    demanded_scrutiny,
    keyring_file,
    publisher_of,
    scrutiny_of,
    sources_of,
    vault_of,
    warn_of_operator,
)
from broker.server.patience import Patience
from broker.server.places import Lanes
from broker.server.policies import PolicyService
from broker.server.receipts import ReceiptService
from broker.server.services import CatalogService, ExchangeService
from broker.server.signing import KeptSigner
from broker.server.suspensions import SuspensionService
from broker.server.tls import server_credentials
from broker.server.witnesses import cosigning_of, witnesses_of
from broker.settings import Server, Settings
from broker.store.store import Store, open_store
from broker.suspending import Suspensions
from broker.v1 import (
    application_pb2,
    application_pb2_grpc,
    catalog_pb2,
    catalog_pb2_grpc,
    commitment_pb2,
    commitment_pb2_grpc,
    correction_pb2,
    correction_pb2_grpc,
    delegation_pb2,
    delegation_pb2_grpc,
    delivery_pb2,
    delivery_pb2_grpc,
    disposal_pb2,
    disposal_pb2_grpc,
    exchange_pb2,
    exchange_pb2_grpc,
    masking_pb2,
    masking_pb2_grpc,
    policy_pb2,
    policy_pb2_grpc,
    receipt_pb2,
    receipt_pb2_grpc,
    suspension_pb2,
    suspension_pb2_grpc,
)

log = structlog.get_logger("sharebroker.server")

SIGNER_CHECK_SECONDS = 0.5
"""How often a broker in one process looks whether its signer lives."""

SERVICES = tuple(
    module.DESCRIPTOR.services_by_name[name].full_name
    for module, name in (
        (catalog_pb2, "CatalogService"),
        (exchange_pb2, "ExchangeService"),
        (receipt_pb2, "ReceiptService"),
        (delivery_pb2, "DeliveryService"),
        (commitment_pb2, "CommitmentService"),
        (application_pb2, "ApplicationService"),
        (disposal_pb2, "DisposalService"),
        (delegation_pb2, "DelegationService"),
        (correction_pb2, "CorrectionService"),
        (policy_pb2, "PolicyService"),
        (masking_pb2, "MaskingService"),
        (suspension_pb2, "SuspensionService"),
    )
)

RELEASING = tuple(
    module.DESCRIPTOR.services_by_name[name].full_name
    for module, name in ((exchange_pb2, "ExchangeService"), (masking_pb2, "MaskingService"))
)
"""Those that release data."""

SETTLE_SECONDS = 10.0
"""Longest wait, after the drain, for streams to record their outcome."""


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class Broker:
    """A running broker; :meth:`stop` drains and closes it."""

    port: int
    server: grpc.Server
    health: Health
    board: NoticeBoard
    lanes: Lanes
    keeper: Keeper
    closing: ExitStack

    def stop(self, grace: float) -> None:
        """Refuse new calls, let those under way finish for ``grace`` seconds, close everything."""
        self.health.drain()
        self.board.stop()  # its watches would last as long as the grace
        self.server.stop(grace).wait()
        # gRPC does not wait for threads: a stream that it has cut off may still have to record that.
        self.keeper.settle(SETTLE_SECONDS)
        self.closing.close()


def start(settings: Settings, listening: Listening, clock: Callable[[], datetime] = utc_now) -> Broker:
    """A broker that serves: the whole of one or one worker of several. Its signer runs already.

    Raises:
        SetUpError: something in the settings, files, keys or database must be put right first.
    """
    with ExitStack() as closing:
        operators, ca = operators_of(settings), ca_of(settings)
        store = open_store(settings.store_url)
        closing.callback(store.close)
        receipts = _receipt_log(settings, store, clock, closing)
        marks = _marks(settings, store, closing)
        policy, origin = witnesses_of(settings), settings.log.origin
        cover = ProvedCover(store, policy, origin, receipts.size, clock)
        coverage = Coverage(cover, settings.witnesses.stop_releasing_after_seconds, clock)
        publisher = publisher_of(settings, store, clock)
        begin_epoch(settings, store, publisher)
        receipts.sign()
        sources = sources_of(settings)
        closing.callback(sources.close)
        warn_of_operator(settings)
        scrutiny = demanded_scrutiny(settings)
        epochs = Epochs(
            store, compiler(operators), sources, ca, keyring_file(settings).read, scrutiny=scrutiny
        )
        proposals = Proposals(publisher, scrutiny_of(settings))
        keeper = Keeper(store, receipts, clock, settings.server.stream_lease_seconds)
        exchange = Exchange(
            epochs=epochs,
            operators=operators,
            log=receipts,
            keeper=keeper,
            ca=ca,
            clock=clock,
            max_answer_bytes=settings.server.max_answer_bytes,
            batch_rows=settings.server.stream_batch_rows,
            chunk_bytes=settings.server.stream_chunk_bytes,
            marks=marks,
            may_release=coverage.check,
            settle=Lodgings(store, ca).settle,
        )
        lodger = Lodger(epochs, store, receipts, publisher, ca, clock)
        detokenizer = Detokenizer(
            epochs=epochs,
            masks=Masks(store, operators),
            log=receipts,
            ca=ca,
            clock=clock,
            per_day=settings.masking.detokenize_per_day,
            marks=marks,
            may_release=coverage.check,
        )
        acknowledger = Acknowledger(epochs, receipts, ca, clock)
        answerer = Answerer(epochs, store, receipts, marks, ca, clock)
        corrections = CorrectionDuties(epochs, store, receipts, marks, answerer, clock).rounds()
        overdue, cosigning = Overdue(store, receipts, clock), cosigning_of(settings, receipts, store)
        delegations = Delegations(epochs, store, receipts, ca, clock)
        register = Register(
            epochs, store, receipts, ca, clock, grant_standing, delegations=delegations.in_force
        )
        orders = Orders(epochs, store, receipts, ca, clock, ended_grants(store, register))
        certifier = Certifier(epochs, store, receipts, ca, clock)
        disposals = DisposalWatch(orders, store, receipts, clock)
        duties, board = Duties(register), NoticeBoard(Notices(store))
        policies = PolicyService(proposals, store, epochs, demanded=scrutiny is not None)
        lanes, patience = Lanes(settings.server), Patience(settings.server.stall_seconds)
        closing.callback(lanes.close)
        closing.callback(patience.close)
        interceptor = CallInterceptor(_identifier(epochs, clock), lanes, patience)
        server = _server(settings.server, listening, interceptor, lanes.limit)
        health_service = Health(SERVICES, RELEASING, coverage.holds)
        health_pb2_grpc.add_HealthServicer_to_server(health_service, server)
        catalog_pb2_grpc.add_CatalogServiceServicer_to_server(CatalogService(epochs, receipts), server)
        exchange_pb2_grpc.add_ExchangeServiceServicer_to_server(
            ExchangeService(exchange, listening.stream_port), server
        )
        receipt_pb2_grpc.add_ReceiptServiceServicer_to_server(ReceiptService(receipts, epochs, clock), server)
        policy_pb2_grpc.add_PolicyServiceServicer_to_server(policies, server)
        masking_pb2_grpc.add_MaskingServiceServicer_to_server(MaskingService(detokenizer), server)
        deliveries = DeliveryService(acknowledger, receipts, epochs, clock)
        delivery_pb2_grpc.add_DeliveryServiceServicer_to_server(deliveries, server)
        commitment_pb2_grpc.add_CommitmentServiceServicer_to_server(CommitmentService(epochs, lodger), server)
        applications = ApplicationService(register, board, listening.stream_port)
        application_pb2_grpc.add_ApplicationServiceServicer_to_server(applications, server)
        reporter = Reporter(epochs, store, receipts, marks, ca, clock)
        correction_pb2_grpc.add_CorrectionServiceServicer_to_server(
            CorrectionService(reporter, answerer, store, receipts, epochs, clock), server
        )
        disposal_pb2_grpc.add_DisposalServiceServicer_to_server(
            DisposalService(orders, certifier, store, receipts, epochs, clock), server
        )
        suspensions = SuspensionService(Suspensions(publisher, clock), store, receipts, epochs, clock)
        suspension_pb2_grpc.add_SuspensionServiceServicer_to_server(suspensions, server)
        delegation_pb2_grpc.add_DelegationServiceServicer_to_server(
            DelegationService(delegations, epochs), server
        )
        names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
        port = _bind(server, settings, listening.address)
        if listening.stream_port is None:
            watchers = (keeper, exchange.guard, overdue, disposals, corrections, cosigning, duties, board)
            for watcher in watchers:
                watcher.start()
                closing.callback(watcher.stop)
        server.start()  # nothing may fail after it: a server that runs keeps its process from ending
        log.info("serving", port=port)
        return Broker(port, server, health_service, board, lanes, keeper, closing.pop_all())


def settle_down() -> None:
    """To be called once a process serves: what it has made until now (modules, policies, statements) stays to
    its end, and need not be looked through each time that garbage is collected."""
    gc.collect()
    gc.freeze()


def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT, then drain."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with closing(KeptSigner(settings)) as signer:
        broker = start(settings, Listening(settings.server.listen))
        settle_down()
        status = partial(_status, broker, signer, time.monotonic())
        try:
            announce(settings, broker.port)
            with answering(settings, status):
                while not stop.wait(SIGNER_CHECK_SECONDS):
                    signer.revive()
        finally:
            log.info("draining", seconds=settings.server.drain_seconds)
            broker.stop(settings.server.drain_seconds)
    log.info("stopped")


def _status(broker: Broker, signer: KeptSigner, began: float) -> Status:
    """Of a broker in one process, what :meth:`Supervisor.status` says of one of several."""
    worker = {
        "pid": os.getpid(),
        "kind": "single",
        "core": None,
        "state": "serving",
        "seconds": round(time.monotonic() - began, 1),
        "deaths": 0,
        "places": broker.lanes.status(),
    }
    ports = {"port": broker.port, "stream_port": broker.port}
    return {"pid": os.getpid(), **ports, "signer": signer.pid, "workers": [worker]}


def _receipt_log(
    settings: Settings, store: Store, clock: Callable[[], datetime], closing: ExitStack
) -> ReceiptLog:
    signer = CheckpointSigner(socket_of(settings.path(settings.keys.signer_state)))
    closing.callback(signer.close)
    receipts = ReceiptLog(
        store, signer, settings.log.origin, clock, tolerance_seconds=settings.log.clock_tolerance_seconds
    )
    closing.callback(receipts.close)
    return receipts


def _marks(settings: Settings, store: Store, closing: ExitStack) -> Marks:
    vault = vault_of(settings)
    if vault is not None:
        closing.callback(vault.close)
        if forgotten := obey(vault, store):
            log.warning("subjects_forgotten_again", count=forgotten)
    return Marks(vault)


def _identifier(epochs: Epochs, clock: Callable[[], datetime]) -> Identify:
    def identify_caller(auth: Mapping[str, Any]) -> Identity:
        certificate = auth.get("x509_pem_cert")
        if not certificate:
            raise NotAuthenticated(Reason.CERTIFICATE_MISSING)
        epoch = epochs.current()
        catalog = epoch.bundle.catalog
        return identify(
            auth.get("peer_spiffe_id", ()),
            certificate[0],
            catalog.city,
            epoch.revocations,
            clock(),
            catalog.departments,
        )

    return identify_caller


def _server(settings: Server, listening: Listening, interceptor: CallInterceptor, places: int) -> grpc.Server:
    return grpc.server(
        ThreadPoolExecutor(settings.threads, thread_name_prefix="call"),
        interceptors=[interceptor],
        options=server_options(settings, listening),
        maximum_concurrent_rpcs=2 * places,  # a wall behind our own, which it must never be reached before
    )


def _bind(server: grpc.Server, settings: Settings, address: str) -> int:
    credentials = server_credentials(settings)
    try:
        return int(server.add_secure_port(address, credentials))
    except RuntimeError:
        raise in_use(address) from None
