import datetime

from broker.v1 import exchange_pb2 as _exchange_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetReceiptRequest(_message.Message):
    __slots__ = ("name", "cose", "acts")
    NAME_FIELD_NUMBER: _ClassVar[int]
    COSE_FIELD_NUMBER: _ClassVar[int]
    ACTS_FIELD_NUMBER: _ClassVar[int]
    name: str
    cose: bool
    acts: bool
    def __init__(self, name: _Optional[str] = ..., cose: _Optional[bool] = ..., acts: _Optional[bool] = ...) -> None: ...

class GetReceiptResponse(_message.Message):
    __slots__ = ("receipt", "cose_receipt")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    COSE_RECEIPT_FIELD_NUMBER: _ClassVar[int]
    receipt: _exchange_pb2.Receipt
    cose_receipt: bytes
    def __init__(self, receipt: _Optional[_Union[_exchange_pb2.Receipt, _Mapping]] = ..., cose_receipt: _Optional[bytes] = ...) -> None: ...

class ListReceiptsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "department", "dataset", "purpose", "verdict", "since", "until", "operator", "case_no", "service_item", "rule", "reason", "kind", "subject_tags", "proofs")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DEPARTMENT_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    CASE_NO_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ITEM_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_TAGS_FIELD_NUMBER: _ClassVar[int]
    PROOFS_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    department: str
    dataset: str
    purpose: str
    verdict: _exchange_pb2.Verdict
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    operator: str
    case_no: str
    service_item: str
    rule: str
    reason: str
    kind: str
    subject_tags: _containers.RepeatedScalarFieldContainer[bytes]
    proofs: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., department: _Optional[str] = ..., dataset: _Optional[str] = ..., purpose: _Optional[str] = ..., verdict: _Optional[_Union[_exchange_pb2.Verdict, str]] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., operator: _Optional[str] = ..., case_no: _Optional[str] = ..., service_item: _Optional[str] = ..., rule: _Optional[str] = ..., reason: _Optional[str] = ..., kind: _Optional[str] = ..., subject_tags: _Optional[_Iterable[bytes]] = ..., proofs: _Optional[bool] = ...) -> None: ...

class ListReceiptsResponse(_message.Message):
    __slots__ = ("receipts", "next_page_token", "tree_size", "checkpoint", "log_key_successions")
    RECEIPTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TREE_SIZE_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    LOG_KEY_SUCCESSIONS_FIELD_NUMBER: _ClassVar[int]
    receipts: _containers.RepeatedCompositeFieldContainer[_exchange_pb2.Receipt]
    next_page_token: str
    tree_size: int
    checkpoint: str
    log_key_successions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, receipts: _Optional[_Iterable[_Union[_exchange_pb2.Receipt, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., tree_size: _Optional[int] = ..., checkpoint: _Optional[str] = ..., log_key_successions: _Optional[_Iterable[str]] = ...) -> None: ...

class GetCheckpointRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetCheckpointResponse(_message.Message):
    __slots__ = ("checkpoint", "verifier_key", "key_history", "cosigned_checkpoint")
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    VERIFIER_KEY_FIELD_NUMBER: _ClassVar[int]
    KEY_HISTORY_FIELD_NUMBER: _ClassVar[int]
    COSIGNED_CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    checkpoint: str
    verifier_key: str
    key_history: _containers.RepeatedCompositeFieldContainer[_exchange_pb2.Receipt]
    cosigned_checkpoint: str
    def __init__(self, checkpoint: _Optional[str] = ..., verifier_key: _Optional[str] = ..., key_history: _Optional[_Iterable[_Union[_exchange_pb2.Receipt, _Mapping]]] = ..., cosigned_checkpoint: _Optional[str] = ...) -> None: ...

class GetInclusionProofRequest(_message.Message):
    __slots__ = ("leaf_index", "tree_size")
    LEAF_INDEX_FIELD_NUMBER: _ClassVar[int]
    TREE_SIZE_FIELD_NUMBER: _ClassVar[int]
    leaf_index: int
    tree_size: int
    def __init__(self, leaf_index: _Optional[int] = ..., tree_size: _Optional[int] = ...) -> None: ...

class GetInclusionProofResponse(_message.Message):
    __slots__ = ("leaf_hash", "proof", "tree_size")
    LEAF_HASH_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    TREE_SIZE_FIELD_NUMBER: _ClassVar[int]
    leaf_hash: bytes
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    tree_size: int
    def __init__(self, leaf_hash: _Optional[bytes] = ..., proof: _Optional[_Iterable[bytes]] = ..., tree_size: _Optional[int] = ...) -> None: ...

class GetConsistencyProofRequest(_message.Message):
    __slots__ = ("first_size", "second_size")
    FIRST_SIZE_FIELD_NUMBER: _ClassVar[int]
    SECOND_SIZE_FIELD_NUMBER: _ClassVar[int]
    first_size: int
    second_size: int
    def __init__(self, first_size: _Optional[int] = ..., second_size: _Optional[int] = ...) -> None: ...

class GetConsistencyProofResponse(_message.Message):
    __slots__ = ("proof", "second_size")
    PROOF_FIELD_NUMBER: _ClassVar[int]
    SECOND_SIZE_FIELD_NUMBER: _ClassVar[int]
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    second_size: int
    def __init__(self, proof: _Optional[_Iterable[bytes]] = ..., second_size: _Optional[int] = ...) -> None: ...
