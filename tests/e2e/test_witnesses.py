"""A broker whose witnesses fall silent releases nothing and says so; when they are back it goes on."""

import json
import socket
import subprocess
import sys
import uuid
from contextlib import contextmanager

import grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from broker.client import Credentials
from broker.demo.run import broker_process
from broker.demo.setup import prepare, shipped_policies
from broker.errors import VerificationFailed
from broker.reasons import Reason
from broker.receipt.witnesses import WitnessKey, WitnessPolicy
from broker.v1 import exchange_pb2 as pb
from broker.v1 import exchange_pb2_grpc, receipt_pb2, receipt_pb2_grpc
from tests.waiting import wait_for

PATIENCE = 120
"""Seconds after which what has not happened will not; how long it takes is not asserted."""


class Office:
    """An office with a witness of its own, run by the command."""

    def __init__(self, folder, log_key):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = "{}:{}".format(*probe.getsockname())
        self.folder, self.url = folder, f"http://{address}/"
        said = self.run("init", folder, "--name", "audit.example/w", "--listen", address)
        self.key = WitnessKey.parse(
            next(word for word in said.split() if word.startswith("audit.example/w+"))
        )
        self.run("add-log", folder, log_key)

    def run(self, *words):
        command = [sys.executable, "-m", "broker.cli", "witness", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    @contextmanager
    def serving(self):
        command = [sys.executable, "-m", "broker.cli", "witness", "serve", str(self.folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            try:
                assert process.stdout.readline()
                yield
            finally:
                process.kill()


class Consumer:
    """The housing fund's system, which calls once and does not try again by itself."""

    def __init__(self, house, address):
        credentials = Credentials.load(house.identity("housing_fund")).channel_credentials()
        self.channel = grpc.secure_channel(address, credentials)
        city = json.loads((house.folder / "data" / "city.json").read_text("utf-8"))
        self._application = pb.Application(
            dataset="datasets/civil_affairs.marriage",
            fields=["status"],
            subjects=[city["withdrawal"]["sound"]],
            purpose="housing_fund_withdrawal",
            service_item="990100-GJJ-0003",
            case_no="GJJ-2026-000001",
            legal_basis="住房公积金管理条例 第二十四条",
            operator="GJJ-0088",
        )

    def released(self):
        """The receipt of an answer; None if nothing is released for want of witnesses."""
        ask = exchange_pb2_grpc.ExchangeServiceStub(self.channel).Exchange
        request = pb.ExchangeRequest(request_id=str(uuid.uuid4()), application=self._application)
        try:
            return ask(request, timeout=PATIENCE).receipt
        except grpc.RpcError as failure:
            if Reason.NOT_WITNESSED.value in reason_of(failure):
                return None
            raise

    def serving(self, service):
        """Whether the broker's health says that a service is."""
        request = health_pb2.HealthCheckRequest(service=service)
        answer = health_pb2_grpc.HealthStub(self.channel).Check(request, timeout=PATIENCE)
        return answer.status == health_pb2.HealthCheckResponse.SERVING

    def cosigned(self, leaf_index, policy):
        """The receipt of a leaf, once it is against a head that enough witnesses have cosigned."""
        ask = receipt_pb2_grpc.ReceiptServiceStub(self.channel).GetReceipt
        receipt = ask(receipt_pb2.GetReceiptRequest(name=f"receipts/{leaf_index}"), timeout=PATIENCE).receipt
        try:
            policy.require(receipt.checkpoint)
        except VerificationFailed:
            return None
        return receipt


def reason_of(failure):
    """The reason in a call's rich status; empty without one."""
    status, info = rpc_status.from_call(failure), error_details_pb2.ErrorInfo()
    return info.reason if status and status.details and status.details[0].Unpack(info) else ""


def test_releasing_stops_without_witnesses_and_goes_on_with_them(tmp_path, monkeypatch):
    """The refusal has a reason of its own, health tells it, and what was cosigned is what receipts show."""
    departments = ("data_authority", "civil_affairs", "housing_fund")
    house = prepare(tmp_path / "city", 200, 7, shipped_policies(), departments)
    office = Office(tmp_path / "office", house.trust.read_text("utf-8").strip())
    policy = WitnessPolicy.of([office.key], 1)
    monkeypatch.setenv("SHAREBROKER_WITNESSES__KNOWN", json.dumps({str(office.key): office.url}))
    monkeypatch.setenv("SHAREBROKER_WITNESSES__QUORUM", "1")
    monkeypatch.setenv("SHAREBROKER_WITNESSES__STOP_RELEASING_AFTER_SECONDS", "3")
    with broker_process(house) as address:
        consumer = Consumer(house, address)
        wait_for(lambda: consumer.released() is None)
        wait_for(lambda: not consumer.serving("broker.v1.ExchangeService"))
        assert consumer.serving("broker.v1.ReceiptService")
        with office.serving():
            receipt = wait_for(consumer.released)
            wait_for(lambda: consumer.serving("broker.v1.ExchangeService"))
            seen = wait_for(lambda: consumer.cosigned(receipt.leaf_index, policy))
            assert seen.statement == receipt.statement
        wait_for(lambda: consumer.released() is None)
        consumer.channel.close()
