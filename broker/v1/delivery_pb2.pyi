import datetime

from broker.v1 import exchange_pb2 as _exchange_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AcknowledgeDeliveryRequest(_message.Message):
    __slots__ = ("receipt", "signed_acknowledgement")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    SIGNED_ACKNOWLEDGEMENT_FIELD_NUMBER: _ClassVar[int]
    receipt: str
    signed_acknowledgement: bytes
    def __init__(self, receipt: _Optional[str] = ..., signed_acknowledgement: _Optional[bytes] = ...) -> None: ...

class AcknowledgeDeliveryResponse(_message.Message):
    __slots__ = ("receipt", "repeated")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    REPEATED_FIELD_NUMBER: _ClassVar[int]
    receipt: _exchange_pb2.Receipt
    repeated: bool
    def __init__(self, receipt: _Optional[_Union[_exchange_pb2.Receipt, _Mapping]] = ..., repeated: _Optional[bool] = ...) -> None: ...

class ListDeliveriesRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "consumer", "overdue")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    OVERDUE_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    consumer: str
    overdue: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., consumer: _Optional[str] = ..., overdue: _Optional[bool] = ...) -> None: ...

class ListDeliveriesResponse(_message.Message):
    __slots__ = ("deliveries", "next_page_token")
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    deliveries: _containers.RepeatedCompositeFieldContainer[Delivery]
    next_page_token: str
    def __init__(self, deliveries: _Optional[_Iterable[_Union[Delivery, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Delivery(_message.Message):
    __slots__ = ("receipt", "consumer", "caller", "provider", "dataset", "purpose", "delivery_time", "due_time", "overdue", "missing_receipt", "disputed_receipt")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    CALLER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_TIME_FIELD_NUMBER: _ClassVar[int]
    DUE_TIME_FIELD_NUMBER: _ClassVar[int]
    OVERDUE_FIELD_NUMBER: _ClassVar[int]
    MISSING_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    DISPUTED_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: str
    consumer: str
    caller: str
    provider: str
    dataset: str
    purpose: str
    delivery_time: _timestamp_pb2.Timestamp
    due_time: _timestamp_pb2.Timestamp
    overdue: bool
    missing_receipt: str
    disputed_receipt: str
    def __init__(self, receipt: _Optional[str] = ..., consumer: _Optional[str] = ..., caller: _Optional[str] = ..., provider: _Optional[str] = ..., dataset: _Optional[str] = ..., purpose: _Optional[str] = ..., delivery_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., due_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., overdue: _Optional[bool] = ..., missing_receipt: _Optional[str] = ..., disputed_receipt: _Optional[str] = ...) -> None: ...
