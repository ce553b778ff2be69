import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ProposalState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROPOSAL_STATE_UNSPECIFIED: _ClassVar[ProposalState]
    PROPOSAL_STATE_OPEN: _ClassVar[ProposalState]
    PROPOSAL_STATE_APPROVED: _ClassVar[ProposalState]
    PROPOSAL_STATE_PUBLISHED: _ClassVar[ProposalState]
    PROPOSAL_STATE_STALE: _ClassVar[ProposalState]

class FileChange(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FILE_CHANGE_UNSPECIFIED: _ClassVar[FileChange]
    FILE_CHANGE_ADDED: _ClassVar[FileChange]
    FILE_CHANGE_CHANGED: _ClassVar[FileChange]
    FILE_CHANGE_REMOVED: _ClassVar[FileChange]
    FILE_CHANGE_AFFECTED: _ClassVar[FileChange]
    FILE_CHANGE_UNCHANGED: _ClassVar[FileChange]
PROPOSAL_STATE_UNSPECIFIED: ProposalState
PROPOSAL_STATE_OPEN: ProposalState
PROPOSAL_STATE_APPROVED: ProposalState
PROPOSAL_STATE_PUBLISHED: ProposalState
PROPOSAL_STATE_STALE: ProposalState
FILE_CHANGE_UNSPECIFIED: FileChange
FILE_CHANGE_ADDED: FileChange
FILE_CHANGE_CHANGED: FileChange
FILE_CHANGE_REMOVED: FileChange
FILE_CHANGE_AFFECTED: FileChange
FILE_CHANGE_UNCHANGED: FileChange

class BundleFile(_message.Message):
    __slots__ = ("path", "content", "digest", "size_bytes", "owner", "standing_until")
    PATH_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    STANDING_UNTIL_FIELD_NUMBER: _ClassVar[int]
    path: str
    content: bytes
    digest: bytes
    size_bytes: int
    owner: str
    standing_until: _timestamp_pb2.Timestamp
    def __init__(self, path: _Optional[str] = ..., content: _Optional[bytes] = ..., digest: _Optional[bytes] = ..., size_bytes: _Optional[int] = ..., owner: _Optional[str] = ..., standing_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Bundle(_message.Message):
    __slots__ = ("name", "sequence", "previous", "publish_time", "actor", "reason", "proposal", "epoch", "approvers", "changed_files", "files", "in_force", "approvals_demanded")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    APPROVERS_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FILES_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    APPROVALS_DEMANDED_FIELD_NUMBER: _ClassVar[int]
    name: str
    sequence: int
    previous: str
    publish_time: _timestamp_pb2.Timestamp
    actor: str
    reason: str
    proposal: str
    epoch: int
    approvers: _containers.RepeatedScalarFieldContainer[str]
    changed_files: _containers.RepeatedScalarFieldContainer[str]
    files: _containers.RepeatedCompositeFieldContainer[BundleFile]
    in_force: bool
    approvals_demanded: bool
    def __init__(self, name: _Optional[str] = ..., sequence: _Optional[int] = ..., previous: _Optional[str] = ..., publish_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., proposal: _Optional[str] = ..., epoch: _Optional[int] = ..., approvers: _Optional[_Iterable[str]] = ..., changed_files: _Optional[_Iterable[str]] = ..., files: _Optional[_Iterable[_Union[BundleFile, _Mapping]]] = ..., in_force: _Optional[bool] = ..., approvals_demanded: _Optional[bool] = ...) -> None: ...

class Demand(_message.Message):
    __slots__ = ("departments",)
    DEPARTMENTS_FIELD_NUMBER: _ClassVar[int]
    departments: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, departments: _Optional[_Iterable[str]] = ...) -> None: ...

class FileNeed(_message.Message):
    __slots__ = ("path", "change", "digest", "basis", "demands", "approved", "required", "standing_until")
    class BasisEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    PATH_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    DEMANDS_FIELD_NUMBER: _ClassVar[int]
    APPROVED_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_FIELD_NUMBER: _ClassVar[int]
    STANDING_UNTIL_FIELD_NUMBER: _ClassVar[int]
    path: str
    change: FileChange
    digest: bytes
    basis: _containers.ScalarMap[str, bytes]
    demands: _containers.RepeatedCompositeFieldContainer[Demand]
    approved: bool
    required: bool
    standing_until: _timestamp_pb2.Timestamp
    def __init__(self, path: _Optional[str] = ..., change: _Optional[_Union[FileChange, str]] = ..., digest: _Optional[bytes] = ..., basis: _Optional[_Mapping[str, bytes]] = ..., demands: _Optional[_Iterable[_Union[Demand, _Mapping]]] = ..., approved: _Optional[bool] = ..., required: _Optional[bool] = ..., standing_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Approval(_message.Message):
    __slots__ = ("officer", "approve_time", "expire_time", "files", "digest")
    OFFICER_FIELD_NUMBER: _ClassVar[int]
    APPROVE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    officer: str
    approve_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    files: _containers.RepeatedScalarFieldContainer[str]
    digest: bytes
    def __init__(self, officer: _Optional[str] = ..., approve_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., files: _Optional[_Iterable[str]] = ..., digest: _Optional[bytes] = ...) -> None: ...

class Proposal(_message.Message):
    __slots__ = ("name", "bundle", "sequence", "previous", "proposer", "reason", "propose_time", "state", "needs", "approvals", "checks", "signed_proposal")
    class ChecksEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    PROPOSER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PROPOSE_TIME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    NEEDS_FIELD_NUMBER: _ClassVar[int]
    APPROVALS_FIELD_NUMBER: _ClassVar[int]
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    SIGNED_PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    name: str
    bundle: str
    sequence: int
    previous: str
    proposer: str
    reason: str
    propose_time: _timestamp_pb2.Timestamp
    state: ProposalState
    needs: _containers.RepeatedCompositeFieldContainer[FileNeed]
    approvals: _containers.RepeatedCompositeFieldContainer[Approval]
    checks: _containers.ScalarMap[str, str]
    signed_proposal: bytes
    def __init__(self, name: _Optional[str] = ..., bundle: _Optional[str] = ..., sequence: _Optional[int] = ..., previous: _Optional[str] = ..., proposer: _Optional[str] = ..., reason: _Optional[str] = ..., propose_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., state: _Optional[_Union[ProposalState, str]] = ..., needs: _Optional[_Iterable[_Union[FileNeed, _Mapping]]] = ..., approvals: _Optional[_Iterable[_Union[Approval, _Mapping]]] = ..., checks: _Optional[_Mapping[str, str]] = ..., signed_proposal: _Optional[bytes] = ...) -> None: ...

class ProposeBundleRequest(_message.Message):
    __slots__ = ("previous", "files", "removed_files", "signed_proposal", "checks")
    class ChecksEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PREVIOUS_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FILES_FIELD_NUMBER: _ClassVar[int]
    SIGNED_PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    previous: str
    files: _containers.RepeatedCompositeFieldContainer[BundleFile]
    removed_files: _containers.RepeatedScalarFieldContainer[str]
    signed_proposal: bytes
    checks: _containers.ScalarMap[str, str]
    def __init__(self, previous: _Optional[str] = ..., files: _Optional[_Iterable[_Union[BundleFile, _Mapping]]] = ..., removed_files: _Optional[_Iterable[str]] = ..., signed_proposal: _Optional[bytes] = ..., checks: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ProposeBundleResponse(_message.Message):
    __slots__ = ("proposal",)
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    proposal: Proposal
    def __init__(self, proposal: _Optional[_Union[Proposal, _Mapping]] = ...) -> None: ...

class GetProposalRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetProposalResponse(_message.Message):
    __slots__ = ("proposal",)
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    proposal: Proposal
    def __init__(self, proposal: _Optional[_Union[Proposal, _Mapping]] = ...) -> None: ...

class ListProposalsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListProposalsResponse(_message.Message):
    __slots__ = ("proposals", "next_page_token")
    PROPOSALS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    proposals: _containers.RepeatedCompositeFieldContainer[Proposal]
    next_page_token: str
    def __init__(self, proposals: _Optional[_Iterable[_Union[Proposal, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ApproveProposalRequest(_message.Message):
    __slots__ = ("name", "signed_approval")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIGNED_APPROVAL_FIELD_NUMBER: _ClassVar[int]
    name: str
    signed_approval: bytes
    def __init__(self, name: _Optional[str] = ..., signed_approval: _Optional[bytes] = ...) -> None: ...

class ApproveProposalResponse(_message.Message):
    __slots__ = ("proposal",)
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    proposal: Proposal
    def __init__(self, proposal: _Optional[_Union[Proposal, _Mapping]] = ...) -> None: ...

class PublishProposalRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class PublishProposalResponse(_message.Message):
    __slots__ = ("bundle",)
    BUNDLE_FIELD_NUMBER: _ClassVar[int]
    bundle: Bundle
    def __init__(self, bundle: _Optional[_Union[Bundle, _Mapping]] = ...) -> None: ...

class RollbackBundleRequest(_message.Message):
    __slots__ = ("name", "signed_proposal")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SIGNED_PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    name: str
    signed_proposal: bytes
    def __init__(self, name: _Optional[str] = ..., signed_proposal: _Optional[bytes] = ...) -> None: ...

class RollbackBundleResponse(_message.Message):
    __slots__ = ("proposal",)
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    proposal: Proposal
    def __init__(self, proposal: _Optional[_Union[Proposal, _Mapping]] = ...) -> None: ...

class ListBundlesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListBundlesResponse(_message.Message):
    __slots__ = ("bundles", "next_page_token")
    BUNDLES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    bundles: _containers.RepeatedCompositeFieldContainer[Bundle]
    next_page_token: str
    def __init__(self, bundles: _Optional[_Iterable[_Union[Bundle, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetBundleRequest(_message.Message):
    __slots__ = ("name", "content_paths")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONTENT_PATHS_FIELD_NUMBER: _ClassVar[int]
    name: str
    content_paths: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., content_paths: _Optional[_Iterable[str]] = ...) -> None: ...

class GetBundleResponse(_message.Message):
    __slots__ = ("bundle",)
    BUNDLE_FIELD_NUMBER: _ClassVar[int]
    bundle: Bundle
    def __init__(self, bundle: _Optional[_Union[Bundle, _Mapping]] = ...) -> None: ...
