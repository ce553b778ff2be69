"""Who may call which method: by a table that names every method, and nothing by default."""

from broker.model import Role
from broker.server.calls import EVERYONE, allowed_roles


def test_method_that_the_table_does_not_name_is_closed():
    """A new method, service or package is open to nobody before somebody says to whom."""
    for method in (
        "/broker.v1.PolicyService/ApprovePolicy",
        "/broker.v1.ReceiptService/EraseReceipt",
        "/broker.v2.ExchangeService/Exchange",
        "/grpc.channelz.v1.Channelz/GetServers",
        "",
    ):
        assert allowed_roles(method) == frozenset()


def test_roles_of_methods():
    """Exchanges are for systems, policies for officers, receipts not for gateways, the rest for everyone."""
    assert allowed_roles("/broker.v1.ExchangeService/Exchange") == {Role.SYSTEM}
    assert allowed_roles("/broker.v1.ReceiptService/GetReceipt") == EVERYONE - {Role.GATEWAY}
    assert allowed_roles("/broker.v1.ReceiptService/GetCheckpoint") == EVERYONE
    assert allowed_roles("/broker.v1.PolicyService/ApproveProposal") == {Role.OFFICER}
    assert allowed_roles("/broker.v1.MaskingService/Detokenize") == {Role.SYSTEM, Role.OFFICER}
    assert allowed_roles("/broker.v1.PolicyService/GetBundle") == {Role.OFFICER, Role.AUDITOR}
    assert allowed_roles("/broker.v1.CatalogService/GetDataset") == EVERYONE
    assert allowed_roles("/grpc.health.v1.Health/Watch") == EVERYONE
