import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_PERMIT: _ClassVar[Verdict]
    VERDICT_DENY: _ClassVar[Verdict]
    VERDICT_REVIEW: _ClassVar[Verdict]
    VERDICT_NEEDS_SUPPLEMENT: _ClassVar[Verdict]

class AnswerStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ANSWER_STATUS_UNSPECIFIED: _ClassVar[AnswerStatus]
    ANSWER_STATUS_FOUND: _ClassVar[AnswerStatus]
    ANSWER_STATUS_NONE: _ClassVar[AnswerStatus]
    ANSWER_STATUS_DOUBTFUL: _ClassVar[AnswerStatus]
    ANSWER_STATUS_STALE: _ClassVar[AnswerStatus]
VERDICT_UNSPECIFIED: Verdict
VERDICT_PERMIT: Verdict
VERDICT_DENY: Verdict
VERDICT_REVIEW: Verdict
VERDICT_NEEDS_SUPPLEMENT: Verdict
ANSWER_STATUS_UNSPECIFIED: AnswerStatus
ANSWER_STATUS_FOUND: AnswerStatus
ANSWER_STATUS_NONE: AnswerStatus
ANSWER_STATUS_DOUBTFUL: AnswerStatus
ANSWER_STATUS_STALE: AnswerStatus

class Application(_message.Message):
    __slots__ = ("dataset", "fields", "subjects", "purpose", "service_item", "case_no", "legal_basis", "operator", "claims")
    DATASET_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ITEM_FIELD_NUMBER: _ClassVar[int]
    CASE_NO_FIELD_NUMBER: _ClassVar[int]
    LEGAL_BASIS_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    dataset: str
    fields: _containers.RepeatedScalarFieldContainer[str]
    subjects: _containers.RepeatedScalarFieldContainer[str]
    purpose: str
    service_item: str
    case_no: str
    legal_basis: str
    operator: str
    claims: _containers.RepeatedCompositeFieldContainer[Claim]
    def __init__(self, dataset: _Optional[str] = ..., fields: _Optional[_Iterable[str]] = ..., subjects: _Optional[_Iterable[str]] = ..., purpose: _Optional[str] = ..., service_item: _Optional[str] = ..., case_no: _Optional[str] = ..., legal_basis: _Optional[str] = ..., operator: _Optional[str] = ..., claims: _Optional[_Iterable[_Union[Claim, _Mapping]]] = ...) -> None: ...

class Claim(_message.Message):
    __slots__ = ("field", "values")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    field: str
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, field: _Optional[str] = ..., values: _Optional[_Iterable[str]] = ...) -> None: ...

class ExchangeRequest(_message.Message):
    __slots__ = ("request_id", "application", "grant", "signed_application", "signed_commitments", "validate_only")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    SIGNED_APPLICATION_FIELD_NUMBER: _ClassVar[int]
    SIGNED_COMMITMENTS_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    application: Application
    grant: str
    signed_application: bytes
    signed_commitments: _containers.RepeatedScalarFieldContainer[bytes]
    validate_only: bool
    def __init__(self, request_id: _Optional[str] = ..., application: _Optional[_Union[Application, _Mapping]] = ..., grant: _Optional[str] = ..., signed_application: _Optional[bytes] = ..., signed_commitments: _Optional[_Iterable[bytes]] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class ExchangeResponse(_message.Message):
    __slots__ = ("decision", "answer", "receipt", "redelivered")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    REDELIVERED_FIELD_NUMBER: _ClassVar[int]
    decision: Decision
    answer: Answer
    receipt: Receipt
    redelivered: bool
    def __init__(self, decision: _Optional[_Union[Decision, _Mapping]] = ..., answer: _Optional[_Union[Answer, _Mapping]] = ..., receipt: _Optional[_Union[Receipt, _Mapping]] = ..., redelivered: _Optional[bool] = ...) -> None: ...

class StreamExchangeRequest(_message.Message):
    __slots__ = ("request_id", "application", "grant", "signed_application", "signed_commitments")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    SIGNED_APPLICATION_FIELD_NUMBER: _ClassVar[int]
    SIGNED_COMMITMENTS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    application: Application
    grant: str
    signed_application: bytes
    signed_commitments: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, request_id: _Optional[str] = ..., application: _Optional[_Union[Application, _Mapping]] = ..., grant: _Optional[str] = ..., signed_application: _Optional[bytes] = ..., signed_commitments: _Optional[_Iterable[bytes]] = ...) -> None: ...

class StreamExchangeResponse(_message.Message):
    __slots__ = ("opening", "chunk", "outcome")
    OPENING_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    opening: StreamOpening
    chunk: bytes
    outcome: StreamOutcome
    def __init__(self, opening: _Optional[_Union[StreamOpening, _Mapping]] = ..., chunk: _Optional[bytes] = ..., outcome: _Optional[_Union[StreamOutcome, _Mapping]] = ...) -> None: ...

class StreamOpening(_message.Message):
    __slots__ = ("decision", "receipt", "columns", "nonce")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    decision: Decision
    receipt: Receipt
    columns: _containers.RepeatedCompositeFieldContainer[Column]
    nonce: bytes
    def __init__(self, decision: _Optional[_Union[Decision, _Mapping]] = ..., receipt: _Optional[_Union[Receipt, _Mapping]] = ..., columns: _Optional[_Iterable[_Union[Column, _Mapping]]] = ..., nonce: _Optional[bytes] = ...) -> None: ...

class StreamOutcome(_message.Message):
    __slots__ = ("status", "as_of", "counts", "digest", "receipt", "redelivered")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    REDELIVERED_FIELD_NUMBER: _ClassVar[int]
    status: AnswerStatus
    as_of: _timestamp_pb2.Timestamp
    counts: RowCounts
    digest: bytes
    receipt: Receipt
    redelivered: bool
    def __init__(self, status: _Optional[_Union[AnswerStatus, str]] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., counts: _Optional[_Union[RowCounts, _Mapping]] = ..., digest: _Optional[bytes] = ..., receipt: _Optional[_Union[Receipt, _Mapping]] = ..., redelivered: _Optional[bool] = ...) -> None: ...

class Reason(_message.Message):
    __slots__ = ("code", "zh", "en", "about")
    CODE_FIELD_NUMBER: _ClassVar[int]
    ZH_FIELD_NUMBER: _ClassVar[int]
    EN_FIELD_NUMBER: _ClassVar[int]
    ABOUT_FIELD_NUMBER: _ClassVar[int]
    code: str
    zh: str
    en: str
    about: str
    def __init__(self, code: _Optional[str] = ..., zh: _Optional[str] = ..., en: _Optional[str] = ..., about: _Optional[str] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("verdict", "rules", "reasons", "missing", "obligations", "bundle_hash", "reviews")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    OBLIGATIONS_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_HASH_FIELD_NUMBER: _ClassVar[int]
    REVIEWS_FIELD_NUMBER: _ClassVar[int]
    verdict: Verdict
    rules: _containers.RepeatedScalarFieldContainer[str]
    reasons: _containers.RepeatedCompositeFieldContainer[Reason]
    missing: _containers.RepeatedCompositeFieldContainer[Reason]
    obligations: Obligations
    bundle_hash: str
    reviews: _containers.RepeatedCompositeFieldContainer[Review]
    def __init__(self, verdict: _Optional[_Union[Verdict, str]] = ..., rules: _Optional[_Iterable[str]] = ..., reasons: _Optional[_Iterable[_Union[Reason, _Mapping]]] = ..., missing: _Optional[_Iterable[_Union[Reason, _Mapping]]] = ..., obligations: _Optional[_Union[Obligations, _Mapping]] = ..., bundle_hash: _Optional[str] = ..., reviews: _Optional[_Iterable[_Union[Review, _Mapping]]] = ...) -> None: ...

class Review(_message.Message):
    __slots__ = ("departments", "count", "within_working_days", "never_own")
    DEPARTMENTS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    WITHIN_WORKING_DAYS_FIELD_NUMBER: _ClassVar[int]
    NEVER_OWN_FIELD_NUMBER: _ClassVar[int]
    departments: _containers.RepeatedScalarFieldContainer[str]
    count: int
    within_working_days: int
    never_own: bool
    def __init__(self, departments: _Optional[_Iterable[str]] = ..., count: _Optional[int] = ..., within_working_days: _Optional[int] = ..., never_own: _Optional[bool] = ...) -> None: ...

class Obligations(_message.Message):
    __slots__ = ("masks", "retain_days", "signed_application", "acknowledge_hours", "no_onward_sharing", "watermark", "notify_subject", "countersignature", "k_anonymity", "aggregate", "commitments")
    class MasksEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    MASKS_FIELD_NUMBER: _ClassVar[int]
    RETAIN_DAYS_FIELD_NUMBER: _ClassVar[int]
    SIGNED_APPLICATION_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGE_HOURS_FIELD_NUMBER: _ClassVar[int]
    NO_ONWARD_SHARING_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    NOTIFY_SUBJECT_FIELD_NUMBER: _ClassVar[int]
    COUNTERSIGNATURE_FIELD_NUMBER: _ClassVar[int]
    K_ANONYMITY_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_FIELD_NUMBER: _ClassVar[int]
    COMMITMENTS_FIELD_NUMBER: _ClassVar[int]
    masks: _containers.ScalarMap[str, str]
    retain_days: int
    signed_application: bool
    acknowledge_hours: int
    no_onward_sharing: bool
    watermark: bool
    notify_subject: bool
    countersignature: bool
    k_anonymity: KAnonymity
    aggregate: Aggregate
    commitments: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, masks: _Optional[_Mapping[str, str]] = ..., retain_days: _Optional[int] = ..., signed_application: _Optional[bool] = ..., acknowledge_hours: _Optional[int] = ..., no_onward_sharing: _Optional[bool] = ..., watermark: _Optional[bool] = ..., notify_subject: _Optional[bool] = ..., countersignature: _Optional[bool] = ..., k_anonymity: _Optional[_Union[KAnonymity, _Mapping]] = ..., aggregate: _Optional[_Union[Aggregate, _Mapping]] = ..., commitments: _Optional[_Iterable[str]] = ...) -> None: ...

class KAnonymity(_message.Message):
    __slots__ = ("quasi_identifiers", "k", "refuse")
    QUASI_IDENTIFIERS_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    REFUSE_FIELD_NUMBER: _ClassVar[int]
    quasi_identifiers: _containers.RepeatedScalarFieldContainer[str]
    k: int
    refuse: bool
    def __init__(self, quasi_identifiers: _Optional[_Iterable[str]] = ..., k: _Optional[int] = ..., refuse: _Optional[bool] = ...) -> None: ...

class Aggregate(_message.Message):
    __slots__ = ("by", "measures", "smallest_group", "largest_share", "named_subjects")
    class MeasuresEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Measures
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Measures, _Mapping]] = ...) -> None: ...
    BY_FIELD_NUMBER: _ClassVar[int]
    MEASURES_FIELD_NUMBER: _ClassVar[int]
    SMALLEST_GROUP_FIELD_NUMBER: _ClassVar[int]
    LARGEST_SHARE_FIELD_NUMBER: _ClassVar[int]
    NAMED_SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    by: _containers.RepeatedScalarFieldContainer[str]
    measures: _containers.MessageMap[str, Measures]
    smallest_group: int
    largest_share: int
    named_subjects: bool
    def __init__(self, by: _Optional[_Iterable[str]] = ..., measures: _Optional[_Mapping[str, Measures]] = ..., smallest_group: _Optional[int] = ..., largest_share: _Optional[int] = ..., named_subjects: _Optional[bool] = ...) -> None: ...

class Measures(_message.Message):
    __slots__ = ("measures",)
    MEASURES_FIELD_NUMBER: _ClassVar[int]
    measures: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, measures: _Optional[_Iterable[str]] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("status", "as_of", "subjects", "columns", "records", "counts", "nonce", "digest", "advice", "watermark")
    class WatermarkEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    STATUS_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    ADVICE_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    status: AnswerStatus
    as_of: _timestamp_pb2.Timestamp
    subjects: _containers.RepeatedCompositeFieldContainer[SubjectAnswer]
    columns: _containers.RepeatedCompositeFieldContainer[Column]
    records: _containers.RepeatedCompositeFieldContainer[Record]
    counts: RowCounts
    nonce: bytes
    digest: bytes
    advice: Advice
    watermark: _containers.ScalarMap[str, str]
    def __init__(self, status: _Optional[_Union[AnswerStatus, str]] = ..., as_of: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., subjects: _Optional[_Iterable[_Union[SubjectAnswer, _Mapping]]] = ..., columns: _Optional[_Iterable[_Union[Column, _Mapping]]] = ..., records: _Optional[_Iterable[_Union[Record, _Mapping]]] = ..., counts: _Optional[_Union[RowCounts, _Mapping]] = ..., nonce: _Optional[bytes] = ..., digest: _Optional[bytes] = ..., advice: _Optional[_Union[Advice, _Mapping]] = ..., watermark: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Advice(_message.Message):
    __slots__ = ("zh", "en")
    ZH_FIELD_NUMBER: _ClassVar[int]
    EN_FIELD_NUMBER: _ClassVar[int]
    zh: str
    en: str
    def __init__(self, zh: _Optional[str] = ..., en: _Optional[str] = ...) -> None: ...

class SubjectAnswer(_message.Message):
    __slots__ = ("index", "status", "records")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    index: int
    status: AnswerStatus
    records: int
    def __init__(self, index: _Optional[int] = ..., status: _Optional[_Union[AnswerStatus, str]] = ..., records: _Optional[int] = ...) -> None: ...

class Column(_message.Message):
    __slots__ = ("field", "mask")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    MASK_FIELD_NUMBER: _ClassVar[int]
    field: str
    mask: str
    def __init__(self, field: _Optional[str] = ..., mask: _Optional[str] = ...) -> None: ...

class Record(_message.Message):
    __slots__ = ("subjects", "values")
    class ValuesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Value
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Value, _Mapping]] = ...) -> None: ...
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    subjects: _containers.RepeatedScalarFieldContainer[int]
    values: _containers.MessageMap[str, Value]
    def __init__(self, subjects: _Optional[_Iterable[int]] = ..., values: _Optional[_Mapping[str, Value]] = ...) -> None: ...

class Value(_message.Message):
    __slots__ = ("text", "integer", "truth")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    INTEGER_FIELD_NUMBER: _ClassVar[int]
    TRUTH_FIELD_NUMBER: _ClassVar[int]
    text: str
    integer: int
    truth: bool
    def __init__(self, text: _Optional[str] = ..., integer: _Optional[int] = ..., truth: _Optional[bool] = ...) -> None: ...

class RowCounts(_message.Message):
    __slots__ = ("read", "bad", "released", "suppressed")
    READ_FIELD_NUMBER: _ClassVar[int]
    BAD_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    SUPPRESSED_FIELD_NUMBER: _ClassVar[int]
    read: int
    bad: int
    released: int
    suppressed: int
    def __init__(self, read: _Optional[int] = ..., bad: _Optional[int] = ..., released: _Optional[int] = ..., suppressed: _Optional[int] = ...) -> None: ...

class Receipt(_message.Message):
    __slots__ = ("name", "leaf_index", "tree_size", "statement", "proof", "checkpoint", "log_key_successions", "acts", "certificate_chains")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LEAF_INDEX_FIELD_NUMBER: _ClassVar[int]
    TREE_SIZE_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    LOG_KEY_SUCCESSIONS_FIELD_NUMBER: _ClassVar[int]
    ACTS_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_CHAINS_FIELD_NUMBER: _ClassVar[int]
    name: str
    leaf_index: int
    tree_size: int
    statement: bytes
    proof: _containers.RepeatedScalarFieldContainer[bytes]
    checkpoint: str
    log_key_successions: _containers.RepeatedScalarFieldContainer[str]
    acts: _containers.RepeatedScalarFieldContainer[bytes]
    certificate_chains: _containers.RepeatedCompositeFieldContainer[Receipt]
    def __init__(self, name: _Optional[str] = ..., leaf_index: _Optional[int] = ..., tree_size: _Optional[int] = ..., statement: _Optional[bytes] = ..., proof: _Optional[_Iterable[bytes]] = ..., checkpoint: _Optional[str] = ..., log_key_successions: _Optional[_Iterable[str]] = ..., acts: _Optional[_Iterable[bytes]] = ..., certificate_chains: _Optional[_Iterable[_Union[Receipt, _Mapping]]] = ...) -> None: ...
