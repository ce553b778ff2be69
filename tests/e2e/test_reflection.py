"""Clients that share no code with us: made from ``proto/`` elsewhere, or knowing nothing but the address."""

import re
import subprocess
import sys
import uuid
from pathlib import Path

import orjson
import pytest

PROTO = Path(__file__).parents[2] / "proto"
# Of each file in the contract, whatever is served: a service that reflection does not tell of is a mistake.
SERVICES = [
    f"broker.v1.{name}"
    for file in sorted(PROTO.glob("broker/v1/*.proto"))
    for name in re.findall(r"^service (\w+) \{", file.read_text("utf-8"), re.M)
] + ["grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"]

CONNECT = """
import json, sys
import grpc

asked = json.load(sys.stdin)
credentials = grpc.ssl_channel_credentials(
    *(open(f"{asked['identity']}/{name}.pem", "rb").read() for name in ("ca", "key", "cert"))
)
channel = grpc.secure_channel(asked["address"], credentials)
"""

GENERATED = (
    CONNECT
    + """
from broker.v1 import exchange_pb2, exchange_pb2_grpc, receipt_pb2, receipt_pb2_grpc

request = exchange_pb2.ExchangeRequest(**asked["request"])
response = exchange_pb2_grpc.ExchangeServiceStub(channel).Exchange(request, timeout=60)
receipts = receipt_pb2_grpc.ReceiptServiceStub(channel)
head = receipts.GetCheckpoint(receipt_pb2.GetCheckpointRequest(), timeout=60)
"""
)

REFLECTED = (
    CONNECT
    + """
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

reflection = ProtoReflectionDescriptorDatabase(channel)
pool = descriptor_pool.DescriptorPool(reflection)
services = set(reflection.get_services())
assert services == set(asked["services"]), services

def call(service, method, request):
    described = pool.FindServiceByName(service).FindMethodByName(method)
    given = json_format.ParseDict(request, message_factory.GetMessageClass(described.input_type)())
    answer = message_factory.GetMessageClass(described.output_type)
    stub = channel.unary_unary(
        f"/{service}/{method}", lambda message: message.SerializeToString(), answer.FromString
    )
    return stub(given, timeout=60)

response = call("broker.v1.ExchangeService", "Exchange", asked["request"])
head = call("broker.v1.ReceiptService", "GetCheckpoint", {})
"""
)

TELL = """
values = response.answer.records[0].values
print(json.dumps({
    "verdict": response.decision.verdict,
    "records": len(response.answer.records),
    "fields": sorted(values),
    "year": values["registered_on"].text or values["registered_on"].integer,
    "receipt": response.receipt.name,
    "origin": head.checkpoint.splitlines()[0],
    "ours": sorted(name for name, module in sys.modules.items()
                   if name.startswith(("broker", "adapters")) and getattr(module, "__file__", None)),
}))
"""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A folder with nothing in it but what protoc makes of ``proto/``."""
    folder = tmp_path_factory.mktemp("elsewhere")
    outputs = [f"--{kind}_out={folder}" for kind in ("python", "grpc_python")]
    sources = [str(file) for file in PROTO.glob("broker/v1/*.proto")]
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", *outputs, *sources], check=True, timeout=600
    )
    for package in ("broker", "broker/v1"):  # without these the broker installed beside it would win
        (folder / package / "__init__.py").touch()
    return folder


@pytest.fixture
def run(embedded, address, withdrawal, tmp_path):
    """Runs a program in a process of its own, which asks for one exchange and tells what it got."""

    def run(program, python_path):
        request = {
            "request_id": str(uuid.uuid4()),
            "application": withdrawal | {"dataset": f"datasets/{withdrawal['dataset']}"},
        }
        asked = {
            "address": address,
            "identity": str(embedded.identity("housing_fund")),
            "request": request,
            "services": SERVICES,
        }
        done = subprocess.run(
            [sys.executable, "-c", program + TELL],
            input=orjson.dumps(asked),
            capture_output=True,
            check=False,
            cwd=tmp_path,
            env={"PYTHONPATH": str(python_path)},
        )
        assert done.returncode == 0, done.stderr.decode()
        return orjson.loads(done.stdout)

    return run


def require_whole_exchange(told):
    assert told["verdict"] == 1
    assert told["records"] == 1
    assert told["fields"] == ["registered_on", "status"]
    assert len(str(told["year"])) == 4
    assert told["receipt"].startswith("receipts/")
    assert told["origin"] == "xinghe.example/sharebroker/log"


def test_client_generated_elsewhere(run, elsewhere):
    """With nothing but the modules made from ``proto/`` a client gets its exchange and the log's head."""
    told = run(GENERATED, elsewhere)
    require_whole_exchange(told)
    assert {name.removeprefix("broker").removeprefix(".v1").lstrip(".") for name in told["ours"]} == {
        "",
        *(f"{name}_pb2{suffix}" for name in ("exchange", "receipt") for suffix in ("", "_grpc")),
    }


def test_client_that_knows_nothing(run, tmp_path):
    """By reflection alone a client finds the services, builds a request and calls, as grpcurl does."""
    told = run(REFLECTED, tmp_path)
    require_whole_exchange(told)
    assert told["ours"] == []
