import datetime

from broker.v1 import exchange_pb2 as _exchange_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ApplicationState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    APPLICATION_STATE_UNSPECIFIED: _ClassVar[ApplicationState]
    APPLICATION_STATE_DRAFT: _ClassVar[ApplicationState]
    APPLICATION_STATE_FILED: _ClassVar[ApplicationState]
    APPLICATION_STATE_NEEDS_SUPPLEMENT: _ClassVar[ApplicationState]
    APPLICATION_STATE_UNDER_REVIEW: _ClassVar[ApplicationState]
    APPLICATION_STATE_APPROVED: _ClassVar[ApplicationState]
    APPLICATION_STATE_REFUSED: _ClassVar[ApplicationState]
    APPLICATION_STATE_ACTIVE: _ClassVar[ApplicationState]
    APPLICATION_STATE_SUSPENDED: _ClassVar[ApplicationState]
    APPLICATION_STATE_EXPIRED: _ClassVar[ApplicationState]
    APPLICATION_STATE_TERMINATED: _ClassVar[ApplicationState]
    APPLICATION_STATE_WITHDRAWN: _ClassVar[ApplicationState]

class ApplicationAct(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    APPLICATION_ACT_UNSPECIFIED: _ClassVar[ApplicationAct]
    APPLICATION_ACT_CREATE: _ClassVar[ApplicationAct]
    APPLICATION_ACT_SUPPLEMENT: _ClassVar[ApplicationAct]
    APPLICATION_ACT_CONSENT: _ClassVar[ApplicationAct]
    APPLICATION_ACT_RETURN: _ClassVar[ApplicationAct]
    APPLICATION_ACT_ACCEPT: _ClassVar[ApplicationAct]
    APPLICATION_ACT_ENDORSE: _ClassVar[ApplicationAct]
    APPLICATION_ACT_APPROVE: _ClassVar[ApplicationAct]
    APPLICATION_ACT_REFUSE: _ClassVar[ApplicationAct]
    APPLICATION_ACT_ASK_EXTENSION: _ClassVar[ApplicationAct]
    APPLICATION_ACT_EXTEND: _ClassVar[ApplicationAct]
    APPLICATION_ACT_WITHDRAW: _ClassVar[ApplicationAct]
    APPLICATION_ACT_ACTIVATE: _ClassVar[ApplicationAct]
    APPLICATION_ACT_SUSPEND: _ClassVar[ApplicationAct]
    APPLICATION_ACT_RESUME: _ClassVar[ApplicationAct]
    APPLICATION_ACT_TERMINATE: _ClassVar[ApplicationAct]
    APPLICATION_ACT_EXPIRE: _ClassVar[ApplicationAct]
    APPLICATION_ACT_REMIND: _ClassVar[ApplicationAct]
    APPLICATION_ACT_ESCALATE: _ClassVar[ApplicationAct]

class ReviewStage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REVIEW_STAGE_UNSPECIFIED: _ClassVar[ReviewStage]
    REVIEW_STAGE_CONFORMITY: _ClassVar[ReviewStage]
    REVIEW_STAGE_ANSWER: _ClassVar[ReviewStage]

class SharingMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SHARING_MODE_UNSPECIFIED: _ClassVar[SharingMode]
    SHARING_MODE_API: _ClassVar[SharingMode]
    SHARING_MODE_BATCH: _ClassVar[SharingMode]
    SHARING_MODE_FILE: _ClassVar[SharingMode]
APPLICATION_STATE_UNSPECIFIED: ApplicationState
APPLICATION_STATE_DRAFT: ApplicationState
APPLICATION_STATE_FILED: ApplicationState
APPLICATION_STATE_NEEDS_SUPPLEMENT: ApplicationState
APPLICATION_STATE_UNDER_REVIEW: ApplicationState
APPLICATION_STATE_APPROVED: ApplicationState
APPLICATION_STATE_REFUSED: ApplicationState
APPLICATION_STATE_ACTIVE: ApplicationState
APPLICATION_STATE_SUSPENDED: ApplicationState
APPLICATION_STATE_EXPIRED: ApplicationState
APPLICATION_STATE_TERMINATED: ApplicationState
APPLICATION_STATE_WITHDRAWN: ApplicationState
APPLICATION_ACT_UNSPECIFIED: ApplicationAct
APPLICATION_ACT_CREATE: ApplicationAct
APPLICATION_ACT_SUPPLEMENT: ApplicationAct
APPLICATION_ACT_CONSENT: ApplicationAct
APPLICATION_ACT_RETURN: ApplicationAct
APPLICATION_ACT_ACCEPT: ApplicationAct
APPLICATION_ACT_ENDORSE: ApplicationAct
APPLICATION_ACT_APPROVE: ApplicationAct
APPLICATION_ACT_REFUSE: ApplicationAct
APPLICATION_ACT_ASK_EXTENSION: ApplicationAct
APPLICATION_ACT_EXTEND: ApplicationAct
APPLICATION_ACT_WITHDRAW: ApplicationAct
APPLICATION_ACT_ACTIVATE: ApplicationAct
APPLICATION_ACT_SUSPEND: ApplicationAct
APPLICATION_ACT_RESUME: ApplicationAct
APPLICATION_ACT_TERMINATE: ApplicationAct
APPLICATION_ACT_EXPIRE: ApplicationAct
APPLICATION_ACT_REMIND: ApplicationAct
APPLICATION_ACT_ESCALATE: ApplicationAct
REVIEW_STAGE_UNSPECIFIED: ReviewStage
REVIEW_STAGE_CONFORMITY: ReviewStage
REVIEW_STAGE_ANSWER: ReviewStage
SHARING_MODE_UNSPECIFIED: SharingMode
SHARING_MODE_API: SharingMode
SHARING_MODE_BATCH: SharingMode
SHARING_MODE_FILE: SharingMode

class RowBound(_message.Message):
    __slots__ = ("field", "values")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    field: str
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, field: _Optional[str] = ..., values: _Optional[_Iterable[str]] = ...) -> None: ...

class UseScope(_message.Message):
    __slots__ = ("whole", "rows")
    WHOLE_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    whole: bool
    rows: _containers.RepeatedCompositeFieldContainer[RowBound]
    def __init__(self, whole: _Optional[bool] = ..., rows: _Optional[_Iterable[_Union[RowBound, _Mapping]]] = ...) -> None: ...

class Paper(_message.Message):
    __slots__ = ("kind", "name", "digest")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    kind: str
    name: str
    digest: bytes
    def __init__(self, kind: _Optional[str] = ..., name: _Optional[str] = ..., digest: _Optional[bytes] = ...) -> None: ...

class ApplicationTerms(_message.Message):
    __slots__ = ("consumer", "dataset", "fields", "purpose", "legal_basis", "scenario", "scope", "mode", "rows_per_call", "rows_total", "valid_from_time", "valid_until_time", "operator", "papers")
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    LEGAL_BASIS_FIELD_NUMBER: _ClassVar[int]
    SCENARIO_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    ROWS_PER_CALL_FIELD_NUMBER: _ClassVar[int]
    ROWS_TOTAL_FIELD_NUMBER: _ClassVar[int]
    VALID_FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    VALID_UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    PAPERS_FIELD_NUMBER: _ClassVar[int]
    consumer: str
    dataset: str
    fields: _containers.RepeatedScalarFieldContainer[str]
    purpose: str
    legal_basis: str
    scenario: str
    scope: UseScope
    mode: SharingMode
    rows_per_call: int
    rows_total: int
    valid_from_time: _timestamp_pb2.Timestamp
    valid_until_time: _timestamp_pb2.Timestamp
    operator: str
    papers: _containers.RepeatedCompositeFieldContainer[Paper]
    def __init__(self, consumer: _Optional[str] = ..., dataset: _Optional[str] = ..., fields: _Optional[_Iterable[str]] = ..., purpose: _Optional[str] = ..., legal_basis: _Optional[str] = ..., scenario: _Optional[str] = ..., scope: _Optional[_Union[UseScope, _Mapping]] = ..., mode: _Optional[_Union[SharingMode, str]] = ..., rows_per_call: _Optional[int] = ..., rows_total: _Optional[int] = ..., valid_from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., valid_until_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., operator: _Optional[str] = ..., papers: _Optional[_Iterable[_Union[Paper, _Mapping]]] = ...) -> None: ...

class MissingPaper(_message.Message):
    __slots__ = ("reason", "about", "zh", "en")
    REASON_FIELD_NUMBER: _ClassVar[int]
    ABOUT_FIELD_NUMBER: _ClassVar[int]
    ZH_FIELD_NUMBER: _ClassVar[int]
    EN_FIELD_NUMBER: _ClassVar[int]
    reason: str
    about: str
    zh: str
    en: str
    def __init__(self, reason: _Optional[str] = ..., about: _Optional[str] = ..., zh: _Optional[str] = ..., en: _Optional[str] = ...) -> None: ...

class ReviewDemand(_message.Message):
    __slots__ = ("departments", "count", "never_own")
    DEPARTMENTS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    NEVER_OWN_FIELD_NUMBER: _ClassVar[int]
    departments: _containers.RepeatedScalarFieldContainer[str]
    count: int
    never_own: bool
    def __init__(self, departments: _Optional[_Iterable[str]] = ..., count: _Optional[int] = ..., never_own: _Optional[bool] = ...) -> None: ...

class ApplicationSignature(_message.Message):
    __slots__ = ("act", "officer", "digest", "sign_time", "stage", "on_behalf_of")
    ACT_FIELD_NUMBER: _ClassVar[int]
    OFFICER_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIGN_TIME_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    ON_BEHALF_OF_FIELD_NUMBER: _ClassVar[int]
    act: ApplicationAct
    officer: str
    digest: bytes
    sign_time: _timestamp_pb2.Timestamp
    stage: ReviewStage
    on_behalf_of: str
    def __init__(self, act: _Optional[_Union[ApplicationAct, str]] = ..., officer: _Optional[str] = ..., digest: _Optional[bytes] = ..., sign_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., stage: _Optional[_Union[ReviewStage, str]] = ..., on_behalf_of: _Optional[str] = ...) -> None: ...

class Extension(_message.Message):
    __slots__ = ("working_days", "asked_by", "consented_by")
    WORKING_DAYS_FIELD_NUMBER: _ClassVar[int]
    ASKED_BY_FIELD_NUMBER: _ClassVar[int]
    CONSENTED_BY_FIELD_NUMBER: _ClassVar[int]
    working_days: int
    asked_by: str
    consented_by: str
    def __init__(self, working_days: _Optional[int] = ..., asked_by: _Optional[str] = ..., consented_by: _Optional[str] = ...) -> None: ...

class ApplicationStep(_message.Message):
    __slots__ = ("act", "before", "after", "actor", "act_time", "reason", "legal_basis", "receipt")
    ACT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ACT_TIME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    LEGAL_BASIS_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    act: ApplicationAct
    before: ApplicationState
    after: ApplicationState
    actor: str
    act_time: _timestamp_pb2.Timestamp
    reason: str
    legal_basis: str
    receipt: str
    def __init__(self, act: _Optional[_Union[ApplicationAct, str]] = ..., before: _Optional[_Union[ApplicationState, str]] = ..., after: _Optional[_Union[ApplicationState, str]] = ..., actor: _Optional[str] = ..., act_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., legal_basis: _Optional[str] = ..., receipt: _Optional[str] = ...) -> None: ...

class FiledApplication(_message.Message):
    __slots__ = ("name", "version", "state", "stage", "terms", "provider", "created_by", "create_time", "file_time", "due_time", "overdue", "missing", "reviews", "signatures", "extension", "suspended_by", "grant", "steps", "digest", "due_provisional")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    FILE_TIME_FIELD_NUMBER: _ClassVar[int]
    DUE_TIME_FIELD_NUMBER: _ClassVar[int]
    OVERDUE_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    REVIEWS_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    EXTENSION_FIELD_NUMBER: _ClassVar[int]
    SUSPENDED_BY_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    DUE_PROVISIONAL_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    state: ApplicationState
    stage: ReviewStage
    terms: ApplicationTerms
    provider: str
    created_by: str
    create_time: _timestamp_pb2.Timestamp
    file_time: _timestamp_pb2.Timestamp
    due_time: _timestamp_pb2.Timestamp
    overdue: bool
    missing: _containers.RepeatedCompositeFieldContainer[MissingPaper]
    reviews: _containers.RepeatedCompositeFieldContainer[ReviewDemand]
    signatures: _containers.RepeatedCompositeFieldContainer[ApplicationSignature]
    extension: Extension
    suspended_by: str
    grant: str
    steps: _containers.RepeatedCompositeFieldContainer[ApplicationStep]
    digest: bytes
    due_provisional: bool
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., state: _Optional[_Union[ApplicationState, str]] = ..., stage: _Optional[_Union[ReviewStage, str]] = ..., terms: _Optional[_Union[ApplicationTerms, _Mapping]] = ..., provider: _Optional[str] = ..., created_by: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., file_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., due_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., overdue: _Optional[bool] = ..., missing: _Optional[_Iterable[_Union[MissingPaper, _Mapping]]] = ..., reviews: _Optional[_Iterable[_Union[ReviewDemand, _Mapping]]] = ..., signatures: _Optional[_Iterable[_Union[ApplicationSignature, _Mapping]]] = ..., extension: _Optional[_Union[Extension, _Mapping]] = ..., suspended_by: _Optional[str] = ..., grant: _Optional[str] = ..., steps: _Optional[_Iterable[_Union[ApplicationStep, _Mapping]]] = ..., digest: _Optional[bytes] = ..., due_provisional: _Optional[bool] = ...) -> None: ...

class Notice(_message.Message):
    __slots__ = ("name", "kind", "act", "state", "notice_time", "receipt", "due_time", "consumer", "provider", "dataset")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ACT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    NOTICE_TIME_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    DUE_TIME_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    DATASET_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: str
    act: str
    state: str
    notice_time: _timestamp_pb2.Timestamp
    receipt: str
    due_time: _timestamp_pb2.Timestamp
    consumer: str
    provider: str
    dataset: str
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[str] = ..., act: _Optional[str] = ..., state: _Optional[str] = ..., notice_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., receipt: _Optional[str] = ..., due_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., consumer: _Optional[str] = ..., provider: _Optional[str] = ..., dataset: _Optional[str] = ...) -> None: ...

class CreateApplicationRequest(_message.Message):
    __slots__ = ("request_id", "terms")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    terms: ApplicationTerms
    def __init__(self, request_id: _Optional[str] = ..., terms: _Optional[_Union[ApplicationTerms, _Mapping]] = ...) -> None: ...

class CreateApplicationResponse(_message.Message):
    __slots__ = ("application", "receipt")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    application: FiledApplication
    receipt: _exchange_pb2.Receipt
    def __init__(self, application: _Optional[_Union[FiledApplication, _Mapping]] = ..., receipt: _Optional[_Union[_exchange_pb2.Receipt, _Mapping]] = ...) -> None: ...

class GetApplicationRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetApplicationResponse(_message.Message):
    __slots__ = ("application",)
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    application: FiledApplication
    def __init__(self, application: _Optional[_Union[FiledApplication, _Mapping]] = ...) -> None: ...

class ListApplicationsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "state", "consumer", "provider", "overdue", "mine_to_review")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    OVERDUE_FIELD_NUMBER: _ClassVar[int]
    MINE_TO_REVIEW_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    state: ApplicationState
    consumer: str
    provider: str
    overdue: bool
    mine_to_review: bool
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., state: _Optional[_Union[ApplicationState, str]] = ..., consumer: _Optional[str] = ..., provider: _Optional[str] = ..., overdue: _Optional[bool] = ..., mine_to_review: _Optional[bool] = ...) -> None: ...

class ListApplicationsResponse(_message.Message):
    __slots__ = ("applications", "next_page_token")
    APPLICATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    applications: _containers.RepeatedCompositeFieldContainer[FiledApplication]
    next_page_token: str
    def __init__(self, applications: _Optional[_Iterable[_Union[FiledApplication, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SupplementApplicationRequest(_message.Message):
    __slots__ = ("request_id", "name", "version", "terms")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    version: int
    terms: ApplicationTerms
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[int] = ..., terms: _Optional[_Union[ApplicationTerms, _Mapping]] = ...) -> None: ...

class SupplementApplicationResponse(_message.Message):
    __slots__ = ("application", "receipt")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    application: FiledApplication
    receipt: _exchange_pb2.Receipt
    def __init__(self, application: _Optional[_Union[FiledApplication, _Mapping]] = ..., receipt: _Optional[_Union[_exchange_pb2.Receipt, _Mapping]] = ...) -> None: ...

class ConsentApplicationRequest(_message.Message):
    __slots__ = ("request_id", "name", "version", "signed_consent")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SIGNED_CONSENT_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    version: int
    signed_consent: bytes
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[int] = ..., signed_consent: _Optional[bytes] = ...) -> None: ...

class ConsentApplicationResponse(_message.Message):
    __slots__ = ("application", "receipt")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    application: FiledApplication
    receipt: _exchange_pb2.Receipt
    def __init__(self, application: _Optional[_Union[FiledApplication, _Mapping]] = ..., receipt: _Optional[_Union[_exchange_pb2.Receipt, _Mapping]] = ...) -> None: ...

class WithdrawApplicationRequest(_message.Message):
    __slots__ = ("request_id", "name", "version", "reason")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    version: int
    reason: str
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class WithdrawApplicationResponse(_message.Message):
    __slots__ = ("application", "receipt")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    application: FiledApplication
    receipt: _exchange_pb2.Receipt
    def __init__(self, application: _Optional[_Union[FiledApplication, _Mapping]] = ..., receipt: _Optional[_Union[_exchange_pb2.Receipt, _Mapping]] = ...) -> None: ...

class ApproveApplicationRequest(_message.Message):
    __slots__ = ("request_id", "name", "version", "signed_approval")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SIGNED_APPROVAL_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    version: int
    signed_approval: bytes
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[int] = ..., signed_approval: _Optional[bytes] = ...) -> None: ...

class ApproveApplicationResponse(_message.Message):
    __slots__ = ("application", "receipt")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    application: FiledApplication
    receipt: _exchange_pb2.Receipt
    def __init__(self, application: _Optional[_Union[FiledApplication, _Mapping]] = ..., receipt: _Optional[_Union[_exchange_pb2.Receipt, _Mapping]] = ...) -> None: ...

class RefuseApplicationRequest(_message.Message):
    __slots__ = ("request_id", "name", "version", "reason", "legal_basis")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    LEGAL_BASIS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    version: int
    reason: str
    legal_basis: str
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[int] = ..., reason: _Optional[str] = ..., legal_basis: _Optional[str] = ...) -> None: ...

class RefuseApplicationResponse(_message.Message):
    __slots__ = ("application", "receipt")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    application: FiledApplication
    receipt: _exchange_pb2.Receipt
    def __init__(self, application: _Optional[_Union[FiledApplication, _Mapping]] = ..., receipt: _Optional[_Union[_exchange_pb2.Receipt, _Mapping]] = ...) -> None: ...

class ExtendApplicationRequest(_message.Message):
    __slots__ = ("request_id", "name", "version", "working_days", "reason")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WORKING_DAYS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    version: int
    working_days: int
    reason: str
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[int] = ..., working_days: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class ExtendApplicationResponse(_message.Message):
    __slots__ = ("application", "receipt")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    application: FiledApplication
    receipt: _exchange_pb2.Receipt
    def __init__(self, application: _Optional[_Union[FiledApplication, _Mapping]] = ..., receipt: _Optional[_Union[_exchange_pb2.Receipt, _Mapping]] = ...) -> None: ...

class SuspendApplicationRequest(_message.Message):
    __slots__ = ("request_id", "name", "version", "reason")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    version: int
    reason: str
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class SuspendApplicationResponse(_message.Message):
    __slots__ = ("application", "receipt")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    application: FiledApplication
    receipt: _exchange_pb2.Receipt
    def __init__(self, application: _Optional[_Union[FiledApplication, _Mapping]] = ..., receipt: _Optional[_Union[_exchange_pb2.Receipt, _Mapping]] = ...) -> None: ...

class ResumeApplicationRequest(_message.Message):
    __slots__ = ("request_id", "name", "version", "reason")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    version: int
    reason: str
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class ResumeApplicationResponse(_message.Message):
    __slots__ = ("application", "receipt")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    application: FiledApplication
    receipt: _exchange_pb2.Receipt
    def __init__(self, application: _Optional[_Union[FiledApplication, _Mapping]] = ..., receipt: _Optional[_Union[_exchange_pb2.Receipt, _Mapping]] = ...) -> None: ...

class TerminateApplicationRequest(_message.Message):
    __slots__ = ("request_id", "name", "version", "reason", "legal_basis")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    LEGAL_BASIS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    name: str
    version: int
    reason: str
    legal_basis: str
    def __init__(self, request_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[int] = ..., reason: _Optional[str] = ..., legal_basis: _Optional[str] = ...) -> None: ...

class TerminateApplicationResponse(_message.Message):
    __slots__ = ("application", "receipt")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    application: FiledApplication
    receipt: _exchange_pb2.Receipt
    def __init__(self, application: _Optional[_Union[FiledApplication, _Mapping]] = ..., receipt: _Optional[_Union[_exchange_pb2.Receipt, _Mapping]] = ...) -> None: ...

class WatchNoticesRequest(_message.Message):
    __slots__ = ("after", "name")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    after: str
    name: str
    def __init__(self, after: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class WatchNoticesResponse(_message.Message):
    __slots__ = ("notice", "seen")
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    notice: Notice
    seen: str
    def __init__(self, notice: _Optional[_Union[Notice, _Mapping]] = ..., seen: _Optional[str] = ...) -> None: ...
