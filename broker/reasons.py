"""Every reason the broker can give, with its sentence in both languages.

A reason code stands in ``google.rpc.ErrorInfo.reason`` or in a decision, is UPPER_SNAKE (AIP-193), never
changes its meaning, and is explained in ``docs/error-reasons.md`` (a test compares the two). Sentences
name what is wrong and what to do; ``{about}`` is a name (a field, a rule), never a value from a request
or a record.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

DOMAIN = "sharebroker"
"""``google.rpc.ErrorInfo.domain`` of every reason here."""


class Sentence(NamedTuple):
    """What is said to people: Chinese first, English second."""

    zh: str
    en: str


class Reason(StrEnum):
    """Reason codes, grouped by the step that gives them."""

    # identity
    CERTIFICATE_MISSING = "CERTIFICATE_MISSING"
    CERTIFICATE_INVALID = "CERTIFICATE_INVALID"
    CERTIFICATE_EXPIRED = "CERTIFICATE_EXPIRED"
    CERTIFICATE_REVOKED = "CERTIFICATE_REVOKED"
    REVOCATIONS_UNREADABLE = "REVOCATIONS_UNREADABLE"
    DEPARTMENT_UNKNOWN = "DEPARTMENT_UNKNOWN"
    ROLE_NOT_ALLOWED = "ROLE_NOT_ALLOWED"
    # apply
    REQUEST_MALFORMED = "REQUEST_MALFORMED"
    DATASET_UNKNOWN = "DATASET_UNKNOWN"
    RESOURCE_NOT_FOUND = "RESOURCE_NOT_FOUND"
    SIGNED_APPLICATION_INVALID = "SIGNED_APPLICATION_INVALID"
    COMMITMENT_INVALID = "COMMITMENT_INVALID"
    CASE_NO_MISSING = "CASE_NO_MISSING"
    SERVICE_ITEM_MISSING = "SERVICE_ITEM_MISSING"
    OPERATOR_MISSING = "OPERATOR_MISSING"
    LEGAL_BASIS_MISSING = "LEGAL_BASIS_MISSING"
    SIGNED_APPLICATION_MISSING = "SIGNED_APPLICATION_MISSING"
    COMMITMENT_MISSING = "COMMITMENT_MISSING"
    CLAIM_MISSING = "CLAIM_MISSING"
    # approve
    SUSPENDED = "SUSPENDED"
    NEED_RECORDED = "NEED_RECORDED"
    POLICY_UNUSABLE = "POLICY_UNUSABLE"
    NO_LONGER_PERMITTED = "NO_LONGER_PERMITTED"
    NOTHING_PERMITS = "NOTHING_PERMITS"
    DENIED_BY_RULE = "DENIED_BY_RULE"
    REVIEW_REQUIRED = "REVIEW_REQUIRED"
    DATASET_WITHHELD = "DATASET_WITHHELD"
    PURPOSE_NOT_PERMITTED = "PURPOSE_NOT_PERMITTED"
    LEGAL_BASIS_NOT_PERMITTED = "LEGAL_BASIS_NOT_PERMITTED"
    FIELD_NOT_PERMITTED = "FIELD_NOT_PERMITTED"
    OUTSIDE_VALIDITY = "OUTSIDE_VALIDITY"
    SERVICE_ITEM_MISMATCH = "SERVICE_ITEM_MISMATCH"
    TOO_MANY_SUBJECTS = "TOO_MANY_SUBJECTS"
    WHOLE_DATASET_NOT_PERMITTED = "WHOLE_DATASET_NOT_PERMITTED"
    TOO_MANY_ROWS = "TOO_MANY_ROWS"
    GROUP_TOO_SMALL = "GROUP_TOO_SMALL"
    CLASS_TOO_SMALL = "CLASS_TOO_SMALL"
    TOO_MANY_CLASSES = "TOO_MANY_CLASSES"
    FIELD_NOT_AGGREGATED = "FIELD_NOT_AGGREGATED"
    GROUPING_INCOMPLETE = "GROUPING_INCOMPLETE"
    SUBJECTS_NOT_AGGREGATED = "SUBJECTS_NOT_AGGREGATED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    CLAIM_NOT_TAKEN = "CLAIM_NOT_TAKEN"
    MATCHES_USED_UP = "MATCHES_USED_UP"
    GRANT_UNKNOWN = "GRANT_UNKNOWN"
    FIELD_NOT_SHARED = "FIELD_NOT_SHARED"
    CORE_LEVEL = "CORE_LEVEL"
    IMPORTANT_LEVEL = "IMPORTANT_LEVEL"
    COUNTERSIGNATURE_REQUIRED = "COUNTERSIGNATURE_REQUIRED"
    OUTSIDE_HOURS = "OUTSIDE_HOURS"
    SYSTEM_NOT_PERMITTED = "SYSTEM_NOT_PERMITTED"
    CONDITION_NOT_MET = "CONDITION_NOT_MET"
    NOT_DELEGATED = "NOT_DELEGATED"
    RULE_ERROR = "RULE_ERROR"
    # publication
    BUNDLE_MALFORMED = "BUNDLE_MALFORMED"
    PROPOSAL_STALE = "PROPOSAL_STALE"
    PROPOSAL_EXISTS = "PROPOSAL_EXISTS"
    NOT_APPROVED = "NOT_APPROVED"
    SIGNATURE_INVALID = "SIGNATURE_INVALID"
    SAME_PERSON = "SAME_PERSON"
    NOT_RESPONSIBLE = "NOT_RESPONSIBLE"
    # applications that people decide
    APPLICATION_MOVED = "APPLICATION_MOVED"
    ACT_NOT_POSSIBLE = "ACT_NOT_POSSIBLE"
    NOT_A_REVIEWER = "NOT_A_REVIEWER"
    APPLICATION_SIGNATURE_INVALID = "APPLICATION_SIGNATURE_INVALID"
    NO_LONGER_IN_CATALOG = "NO_LONGER_IN_CATALOG"
    SCENARIO_MISSING = "SCENARIO_MISSING"
    SHARING_MODE_MISSING = "SHARING_MODE_MISSING"
    SHARING_MODE_NOT_OFFERED = "SHARING_MODE_NOT_OFFERED"
    ROWS_MISSING = "ROWS_MISSING"
    PERIOD_MISSING = "PERIOD_MISSING"
    PERIOD_OVER = "PERIOD_OVER"
    # suspension
    NOT_YOURS_TO_SUSPEND = "NOT_YOURS_TO_SUSPEND"
    NOT_YOURS_TO_LIFT = "NOT_YOURS_TO_LIFT"
    # detokenize
    APPROVAL_MISSING = "APPROVAL_MISSING"
    APPROVAL_INVALID = "APPROVAL_INVALID"
    NOT_REVERSIBLE = "NOT_REVERSIBLE"
    # transmit
    SOURCE_UNAVAILABLE = "SOURCE_UNAVAILABLE"
    MASKING_FAILED = "MASKING_FAILED"
    ANSWER_TOO_LARGE = "ANSWER_TOO_LARGE"
    # receipt
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    DATA_CHANGED = "DATA_CHANGED"
    CHANGED_WHILE_READ = "CHANGED_WHILE_READ"
    LEASE_EXPIRED = "LEASE_EXPIRED"
    TAKEN_OVER = "TAKEN_OVER"
    ACKNOWLEDGEMENT_INVALID = "ACKNOWLEDGEMENT_INVALID"
    NOTHING_DELIVERED = "NOTHING_DELIVERED"
    DELIVERY_DISPUTED = "DELIVERY_DISPUTED"
    DISPOSAL_INVALID = "DISPOSAL_INVALID"
    DISPOSAL_NOT_YOURS = "DISPOSAL_NOT_YOURS"
    NOTHING_TO_DISPOSE = "NOTHING_TO_DISPOSE"
    CONSUMER_NOT_SUSPENDED = "CONSUMER_NOT_SUSPENDED"
    NOTHING_TO_CORRECT = "NOTHING_TO_CORRECT"
    CORRECTION_ANSWERED = "CORRECTION_ANSWERED"
    CORRECTION_NOT_YOURS = "CORRECTION_NOT_YOURS"
    TOO_MANY_CORRECTIONS = "TOO_MANY_CORRECTIONS"
    LOG_UNAVAILABLE = "LOG_UNAVAILABLE"
    CLOCK_BEHIND_LOG = "CLOCK_BEHIND_LOG"
    VAULT_UNAVAILABLE = "VAULT_UNAVAILABLE"
    NOT_WITNESSED = "NOT_WITNESSED"
    # server
    SERVED_ELSEWHERE = "SERVED_ELSEWHERE"
    OVERLOADED = "OVERLOADED"
    SHARE_USED_UP = "SHARE_USED_UP"
    CALLER_STALLED = "CALLER_STALLED"
    DEADLINE_PASSED = "DEADLINE_PASSED"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    INTERNAL = "INTERNAL"
    # client
    BROKER_UNREACHABLE = "BROKER_UNREACHABLE"


SENTENCES: dict[Reason, Sentence] = {
    Reason.CERTIFICATE_MISSING: Sentence(
        "未出示客户端证书，请用本部门的证书连接。",
        "No client certificate; connect with your department's certificate.",
    ),
    Reason.CERTIFICATE_INVALID: Sentence(
        "证书不能证明部门身份，请向证书管理机构重新申领。",
        "The certificate does not prove a department's identity; ask the certificate authority for a new one.",
    ),
    Reason.CERTIFICATE_EXPIRED: Sentence(
        "证书已过期，请续期后重新连接。", "The certificate has expired; renew it and connect again."
    ),
    Reason.CERTIFICATE_REVOKED: Sentence(
        "证书已吊销，请联系证书管理机构。", "The certificate has been revoked; ask the certificate authority."
    ),
    Reason.REVOCATIONS_UNREADABLE: Sentence(
        "吊销列表暂不可用，为安全起见停止服务，请稍后重试或联系管理员。",
        "The revocation list cannot be read or is out of date, so nothing is released; retry later or tell the administrator.",
    ),
    Reason.DEPARTMENT_UNKNOWN: Sentence(
        "证书所属部门未登记，请联系主管部门登记。",
        "The certificate's department is not registered; ask the authority to register it.",
    ),
    Reason.ROLE_NOT_ALLOWED: Sentence(
        "该证书的角色不能调用此接口。", "This certificate's role may not call this method."
    ),
    Reason.REQUEST_MALFORMED: Sentence(
        "请求格式有误，详见各字段说明。", "The request is malformed; see the field violations."
    ),
    Reason.DATASET_UNKNOWN: Sentence(
        "目录中没有该数据资源，请查目录后重试。",
        "The catalog has no such dataset; look it up in the catalog.",
    ),
    Reason.RESOURCE_NOT_FOUND: Sentence("没有该资源。", "There is no such resource."),
    Reason.SIGNED_APPLICATION_INVALID: Sentence(
        "已签名申请未通过验证，请用本部门密钥重新签署。",
        "The signed application does not verify; sign it again with your department's key.",
    ),
    Reason.COMMITMENT_INVALID: Sentence(
        "数据使用责任状未通过验证，请按所指之处更正后，用本部门密钥重新签署。",
        "The use commitment does not verify; correct what is named, and sign it again with your department's key.",
    ),
    Reason.CASE_NO_MISSING: Sentence(
        "缺办件编号，请补充 case_no。", "The case number is missing; supply case_no."
    ),
    Reason.SERVICE_ITEM_MISSING: Sentence(
        "缺事项编码，请补充 service_item。", "The service item is missing; supply service_item."
    ),
    Reason.OPERATOR_MISSING: Sentence(
        "缺经办人，请补充 operator。", "The operator is missing; supply operator."
    ),
    Reason.LEGAL_BASIS_MISSING: Sentence(
        "缺使用依据，请补充 legal_basis。", "The legal basis is missing; supply legal_basis."
    ),
    Reason.CLAIM_MISSING: Sentence(
        "数据项 {about} 只作比对核验，请在 claims 中写明所称的值（流式共享不收，请改用逐次调用）。",
        "Field {about} is only compared: supply what you believe it is in claims (a stream takes none; use Exchange).",
    ),
    Reason.SIGNED_APPLICATION_MISSING: Sentence(
        "该共享要求已签名申请，请补充 signed_application。",
        "This sharing demands a signed application; supply signed_application.",
    ),
    Reason.COMMITMENT_MISSING: Sentence(
        "缺数据使用责任状“{about}”：用本部门密钥签署即可，不收押金，不用纸件；"
        "模板见 sharebroker commitment template {about}（GetCommitmentTemplate）。",
        "The use commitment “{about}” is missing: sign it with your department's key, without deposit or paper; "
        "its template: sharebroker commitment template {about} (GetCommitmentTemplate).",
    ),
    Reason.SUSPENDED: Sentence(
        "此项共享已暂停（{about}），恢复前请转人工办理，或持该编号联系主管部门。",
        "This sharing is suspended ({about}); until it is lifted serve by hand, or ask the authority about that number.",
    ),
    Reason.NEED_RECORDED: Sentence(
        "已记入需求清单：主管部门将据此寻找提供部门，落实后方可共享，此前请转人工办理。",
        "Entered in the list of needs: the authority will look for a provider; until data are shared, serve by hand.",
    ),
    Reason.POLICY_UNUSABLE: Sentence(
        "生效中的策略或密钥无法载入，未返回任何数据，请稍后重试或联系管理员。",
        "The policy or key in force cannot be loaded, so nothing is released; retry later or tell the administrator.",
    ),
    Reason.NO_LONGER_PERMITTED: Sentence(
        "传输途中共享许可已变化（{about}），传输已中止，请重新申请。",
        "The permit changed while data were streamed ({about}), so the stream was stopped; apply again.",
    ),
    Reason.NOTHING_PERMITS: Sentence(
        "没有规则允许本部门使用该数据资源，可向主管部门提出共享需求。",
        "No rule permits your department this dataset; file a sharing need with the authority.",
    ),
    Reason.DENIED_BY_RULE: Sentence("规则 {about} 禁止此项共享。", "Rule {about} forbids this sharing."),
    Reason.REVIEW_REQUIRED: Sentence(
        "规则 {about} 要求人工审核。", "Rule {about} requires review by a person."
    ),
    Reason.DATASET_WITHHELD: Sentence(
        "该数据资源属不予共享类。", "This dataset is withheld from sharing by law."
    ),
    Reason.PURPOSE_NOT_PERMITTED: Sentence(
        "使用场景不符：该数据资源未获准用于此场景。", "Wrong purpose: this dataset is not permitted for it."
    ),
    Reason.LEGAL_BASIS_NOT_PERMITTED: Sentence(
        "使用依据与已批准的依据不符。", "The legal basis is not one the permit names."
    ),
    Reason.FIELD_NOT_PERMITTED: Sentence("数据项 {about} 未获准共享。", "Field {about} is not permitted."),
    Reason.OUTSIDE_VALIDITY: Sentence(
        "共享许可不在有效期内，请联系提供部门续期。",
        "The permit is outside its validity; ask the provider to renew it.",
    ),
    Reason.SERVICE_ITEM_MISMATCH: Sentence(
        "事项编码不属于本部门或与使用场景不符。",
        "The service item is not your department's or does not serve this purpose.",
    ),
    Reason.TOO_MANY_SUBJECTS: Sentence(
        "一次查询的对象过多，请分批。", "Too many subjects in one call; ask in smaller batches."
    ),
    Reason.WHOLE_DATASET_NOT_PERMITTED: Sentence(
        "未获准整体共享该数据资源，请写明查询对象。", "The whole dataset is not permitted; name the subjects."
    ),
    Reason.TOO_MANY_ROWS: Sentence(
        "结果超过每次允许的行数，未返回任何数据，请缩小范围。",
        "The answer exceeds the rows permitted in one call, so nothing was released; narrow it.",
    ),
    Reason.GROUP_TOO_SMALL: Sentence(
        "结果涉及的对象少于规则允许的最小人数，未返回任何数据，请扩大范围。",
        "The answer is about fewer subjects than the smallest group permitted, so nothing was released; widen it.",
    ),
    Reason.CLASS_TOO_SMALL: Sentence(
        "结果中有的行在准标识符上与之相同的人太少，可能认出本人，未返回任何数据，请扩大范围或少要数据项。",
        "Some rows look like those of too few people, so that somebody could be recognised, and nothing was released; "
        "widen the scope or ask for fewer fields.",
    ),
    Reason.TOO_MANY_CLASSES: Sentence(
        "准标识符或分组的取值组合过多，无法计数，未返回任何数据，请提供部门改用更粗的脱敏或分组。",
        "The quasi-identifiers, or groups, have too many different values to be counted, so nothing was released; "
        "the provider must mask or group more coarsely.",
    ),
    Reason.FIELD_NOT_AGGREGATED: Sentence(
        "只提供汇总，数据项 {about} 既不是分组项也不是汇总项，请从申请中去掉。",
        "Only totals are shared, and field {about} is neither grouped by nor measured; leave it out.",
    ),
    Reason.GROUPING_INCOMPLETE: Sentence(
        "只提供汇总，须同时申请分组项 {about}。",
        "Only totals are shared, grouped by field {about}; ask for it too.",
    ),
    Reason.SUBJECTS_NOT_AGGREGATED: Sentence(
        "只提供整体汇总，不得写明查询对象，请用流式接口整体申请。",
        "Only totals over the whole scope are shared; name no subjects, and use StreamExchange.",
    ),
    Reason.CLAIM_NOT_TAKEN: Sentence(
        "数据项 {about} 不作比对核验，请去掉 claims 中的该项。",
        "Field {about} is not compared with anything; leave it out of claims.",
    ),
    Reason.MATCHES_USED_UP: Sentence(
        "今日对同一人的 {about} 比对次数已用完，请明日再试或转人工核验。",
        "Today's comparisons of {about} for one of the persons are used up; try tomorrow, or verify by hand.",
    ),
    Reason.QUOTA_EXCEEDED: Sentence(
        "已达到 {about} 的额度，请待下一周期或联系提供部门。",
        "The quota {about} is used up; wait for the next period or ask the provider.",
    ),
    Reason.GRANT_UNKNOWN: Sentence(
        "没有生效的此项共享授权：可能尚未生效、已暂停或已终止，请查看申请。",
        "No such grant is in force: it may not have begun, be suspended or have ended; look at the application.",
    ),
    Reason.FIELD_NOT_SHARED: Sentence(
        "数据项 {about} 不对外共享，请从申请中去掉。",
        "Field {about} is not shared; leave it out of the application.",
    ),
    Reason.CORE_LEVEL: Sentence(
        "数据项 {about} 属核心数据，不得经本服务共享。",
        "Field {about} is core data (核心), which never goes through the broker.",
    ),
    Reason.IMPORTANT_LEVEL: Sentence(
        "数据项 {about} 属重要数据，须由提供部门人工审核。",
        "Field {about} is important data (重要): the provider must review it by hand.",
    ),
    Reason.COUNTERSIGNATURE_REQUIRED: Sentence(
        "规则 {about} 要求提供部门会签。", "Rule {about} requires the provider's countersignature."
    ),
    Reason.OUTSIDE_HOURS: Sentence(
        "不在许可的时段或工作日内，请在许可时间内办理。",
        "Outside the hours or working days of the permit; ask within them.",
    ),
    Reason.SYSTEM_NOT_PERMITTED: Sentence(
        "许可不包括发起调用的系统，请用许可的系统或联系提供部门。",
        "The permit does not name the calling system; use one that it names, or ask the provider.",
    ),
    Reason.CONDITION_NOT_MET: Sentence(
        "不符合许可所附的条件，请联系提供部门。", "A condition of the permit is not met; ask the provider."
    ),
    Reason.NOT_DELEGATED: Sentence(
        "数据项 {about} 由上级制定共享规则，上级未授权下级许可，请联系主管部门。",
        "Rules about field {about} are made at a higher level of government, which has not delegated permits; ask the authority.",
    ),
    Reason.RULE_ERROR: Sentence(
        "规则 {about} 无法判定，按不同意处理，请联系提供部门。",
        "Rule {about} could not be evaluated, which counts as a refusal; tell the provider.",
    ),
    Reason.BUNDLE_MALFORMED: Sentence(
        "策略文件有误，草案未予受理，详见各处说明。",
        "The policy files are wrong, so nothing was proposed; see the violations.",
    ),
    Reason.PROPOSAL_STALE: Sentence(
        "草案提出后生效的策略已变，或草案已发布：请按现行策略重新提出。",
        "Another policy has come into force since the proposal was made, or it is published already; propose again.",
    ),
    Reason.PROPOSAL_EXISTS: Sentence(
        "同样的草案已有人提出（第 {about} 号），请审批该草案。",
        "The same has been proposed by somebody else (number {about}); approve that one.",
    ),
    Reason.NOT_APPROVED: Sentence(
        "文件 {about} 尚未经其负责部门的数据资源管理员审批，不能发布。",
        "File {about} is not yet approved by an officer of the department it belongs to, so it cannot be published.",
    ),
    Reason.SIGNATURE_INVALID: Sentence(
        "签名与所签内容不符、已过时或不是本人所签，请重新签署。",
        "The signature does not fit what it should sign, is out of date, or is not the caller's; sign again.",
    ),
    Reason.SAME_PERSON: Sentence(
        "提出草案的人不能审批自己的草案，请由另一名数据资源管理员审批。",
        "Whoever proposed it cannot approve it; another officer must.",
    ),
    Reason.NOT_RESPONSIBLE: Sentence(
        "文件 {about} 不由本部门负责，本部门的管理员不能审批。",
        "File {about} is not your department's, so its officers must approve it.",
    ),
    Reason.APPLICATION_MOVED: Sentence(
        "申请已有新的办理动作（{about}），本次操作未生效；请查看最新状态后再办。",
        "Something else was done to the application first ({about}), so nothing was done now; look at it again, then act.",
    ),
    Reason.ACT_NOT_POSSIBLE: Sentence(
        "申请当前状态为 {about}，不能进行此操作；请查看申请的最新状态。",
        "The application is {about}, which this act does not go with; look at what it waits for.",
    ),
    Reason.NOT_A_REVIEWER: Sentence(
        "此申请现阶段不由您审核，或您已审核过；请由策略指定的其他数据资源管理员审核。",
        "This review does not ask for you at this stage, or has your approval already; another officer named by policy must act.",
    ),
    Reason.APPLICATION_SIGNATURE_INVALID: Sentence(
        "签名未通过验证，请按说明对申请现有内容重新签署。",
        "The signature does not verify; sign the application as it is now, as the violation says.",
    ),
    Reason.NO_LONGER_IN_CATALOG: Sentence(
        "现行目录中已没有 {about}，请按现行目录修改申请后重新提交。",
        "The catalog in force has no {about} any more; change the application to what it has and file it again.",
    ),
    Reason.SCENARIO_MISSING: Sentence(
        "缺使用场景说明，请写明数据用于哪项业务、如何使用。",
        "How the data will be used is missing; describe the business and the use (scenario).",
    ),
    Reason.SHARING_MODE_MISSING: Sentence(
        "缺共享方式，请选择 api、batch 或 file。", "The sharing mode is missing; choose api, batch or file."
    ),
    Reason.SHARING_MODE_NOT_OFFERED: Sentence(
        "该数据资源不以 {about} 方式共享，请改选目录所列的共享方式。",
        "The dataset is not shared by {about}; choose a mode that its catalog entry lists.",
    ),
    Reason.ROWS_MISSING: Sentence(
        "缺每次调用的最多行数，请写明（rows_per_call）。",
        "The most rows of one call are missing; state them (rows_per_call).",
    ),
    Reason.PERIOD_MISSING: Sentence(
        "缺使用时限，请写明起止时间（{about}）。",
        "The time of use is missing; state from when until when ({about}).",
    ),
    Reason.PERIOD_OVER: Sentence(
        "使用时限已过，请改写截止时间（{about}）。",
        "The time of use is over already; state a later end ({about}).",
    ),
    Reason.NOT_YOURS_TO_SUSPEND: Sentence(
        "提供部门只能暂停本部门提供的数据：请在 provider 写明本部门；其余请联系主管部门。",
        "A department suspends only what it provides: name it as provider; for anything else ask the authority.",
    ),
    Reason.NOT_YOURS_TO_LIFT: Sentence(
        "{about} 不是本部门作出的暂停，请由作出暂停的部门或主管部门解除。",
        "{about} was not ordered by your department; whoever ordered it, or the authority, lifts it.",
    ),
    Reason.APPROVAL_MISSING: Sentence(
        "还原令牌须先由提供部门的数据资源管理员签名审批。",
        "Tokens are turned back only with the signed approval of an officer of the provider; get it first.",
    ),
    Reason.APPROVAL_INVALID: Sentence(
        "还原审批不成立：签名、审批人、有效期或所批内容与本次请求不符，请按本次请求重新审批。",
        "The approval does not hold: its signature, signer, time or content is not for this request; "
        "have this request approved.",
    ),
    Reason.NOT_REVERSIBLE: Sentence(
        "数据项 {about} 无法还原：该回执中未以可逆方式提供，或当时的密钥、算子已不在。",
        "Field {about} cannot be turned back: that receipt did not release it reversibly, or key or operator of "
        "then are gone.",
    ),
    Reason.SOURCE_UNAVAILABLE: Sentence(
        "提供部门的数据源暂不可用，请稍后重试。", "The provider's source cannot be read now; retry later."
    ),
    Reason.MASKING_FAILED: Sentence(
        "数据项 {about} 无法按要求脱敏，未返回任何数据。",
        "Field {about} could not be masked as required, so nothing was released.",
    ),
    Reason.ANSWER_TOO_LARGE: Sentence(
        "结果过大，请改用流式接口 StreamExchange。",
        "The answer is too large for one message; use StreamExchange.",
    ),
    Reason.REQUEST_ID_REUSED: Sentence(
        "request_id 已用于另一请求，请换新的 request_id。",
        "This request_id was used for another request; use a fresh one.",
    ),
    Reason.DATA_CHANGED: Sentence(
        "重试期间数据已变化，请用新的 request_id 重新查询。",
        "The data changed since the first attempt; ask again under a fresh request_id.",
    ),
    Reason.CHANGED_WHILE_READ: Sentence(
        "传输期间数据源有变化，已给出的行不再满足 k-匿名，传输已中止；请丢弃已收到的部分，用同一 request_id 重新获取。",
        "The source changed while it was read, and rows handed over no longer look like those of enough people; discard "
        "what came and ask again under the same request_id.",
    ),
    Reason.LEASE_EXPIRED: Sentence(
        "流中断过久，已按中断存证；请丢弃已收到的部分，用同一 request_id 重新获取。",
        "The stream stood still too long and was receipted as interrupted; discard what came of it and ask again "
        "under the same request_id.",
    ),
    Reason.TAKEN_OVER: Sentence(
        "同一 request_id 的重试已接替此流，此流按中断存证。",
        "A retry under the same request_id has taken over; this stream was receipted as interrupted.",
    ),
    Reason.ACKNOWLEDGEMENT_INVALID: Sentence(
        "交付确认书未通过验证，请按说明重新签署。",
        "The acknowledgement does not verify; sign it again as the violation says.",
    ),
    Reason.NOTHING_DELIVERED: Sentence(
        "该回执没有完整交付任何结果（拒绝、校验、中断的流等），无须确认。",
        "That receipt is of no complete delivery (a refusal, a validation, a stream that broke off), so there is nothing to acknowledge.",
    ),
    Reason.DELIVERY_DISPUTED: Sentence(
        "所收到的与存证不符，已存证为交付争议（{about}），未作确认：请勿使用所收数据，并立即联系主管部门。",
        "What you received is not what was recorded; that was receipted as a dispute ({about}) and acknowledges nothing: do not use the data, tell the authority at once.",
    ),
    Reason.DISPOSAL_INVALID: Sentence(
        "销毁证明未通过验证，请按说明重新签署。",
        "The certificate of disposal does not verify; sign it again as the violation says.",
    ),
    Reason.DISPOSAL_NOT_YOURS: Sentence(
        "只有该数据资源的提供部门或主管部门的数据资源管理员可以下达销毁指令。",
        "Only an officer of the dataset's provider, or of the authority, can order its disposal.",
    ),
    Reason.NOTHING_TO_DISPOSE: Sentence(
        "没有符合条件、尚未下达销毁指令的交付：请核对需求部门、数据资源、使用场景与授权编号。",
        "Nothing was delivered that fits and is not ordered to be disposed of already: check consumer, dataset, purpose and grant.",
    ),
    Reason.CONSUMER_NOT_SUSPENDED: Sentence(
        "该需求部门未被暂停：因滥用下达销毁指令，须先暂停其共享；其他情形请另选原因。",
        "The consumer is not suspended: for misuse, suspend it first; else give another cause.",
    ),
    Reason.NOTHING_TO_CORRECT: Sentence(
        "该回执没有提供可纠错的数据（拒绝、校验或无记录）；应有而无记录的，请以 missing_record 报告。",
        "That receipt gave out nothing that could be wrong (a refusal, a validation, no record); what should be there and is not is reported as missing_record.",
    ),
    Reason.CORRECTION_ANSWERED: Sentence(
        "此项校核已有答复（{about}）。", "This correction has been answered already ({about})."
    ),
    Reason.CORRECTION_NOT_YOURS: Sentence(
        "校核须由提供部门的数据资源管理员答复。", "A correction is answered by an officer of the provider."
    ),
    Reason.TOO_MANY_CORRECTIONS: Sentence(
        "本部门待答复的校核已达 {about} 件，请待提供部门答复后再报。",
        "{about} corrections of your department wait for an answer already; report more when they are answered.",
    ),
    Reason.LOG_UNAVAILABLE: Sentence(
        "存证日志暂不可用，未返回任何数据，请稍后用同一 request_id 重试。",
        "The receipt log is unavailable, so nothing was released; retry later with the same request_id.",
    ),
    Reason.NOT_WITNESSED: Sentence(
        "见证人已过久没有确认存证日志，暂停放行，未返回任何数据；见证恢复后自动继续，请稍后用同一 request_id 重试。",
        "The log's witnesses have not confirmed it for too long, so nothing is released until they do; retry "
        "later with the same request_id.",
    ),
    Reason.CLOCK_BEHIND_LOG: Sentence(
        "服务器时钟早于最近一条存证，停止放行，请管理员校时。",
        "The broker's clock is behind its last receipt, so nothing is released; the administrator must set the clock.",
    ),
    Reason.VAULT_UNAVAILABLE: Sentence(
        "主体密钥库暂不可用，未返回任何数据，请稍后用同一 request_id 重试。",
        "The subject vault is unavailable, so nothing was released; retry later with the same request_id.",
    ),
    Reason.SERVED_ELSEWHERE: Sentence(
        "流式接口在同一服务的 {about} 端口，请改连该端口。",
        "Streams are served on port {about} of this broker; connect there.",
    ),
    Reason.OVERLOADED: Sentence("服务繁忙，请稍后重试。", "The broker is busy; retry later."),
    Reason.SHARE_USED_UP: Sentence(
        "本系统同时进行的流已占名额的一半，请待其中一个结束后重试。",
        "Your system's streams take half of the places already; retry when one of them has ended.",
    ),
    Reason.CALLER_STALLED: Sentence(
        "调用方长时间不收数据或不发请求，调用已中止。",
        "The caller took nothing, or sent no request, for too long, so the call was ended.",
    ),
    Reason.DEADLINE_PASSED: Sentence(
        "时限内没有收到答复，可能已有存证，请用同一 request_id 重试。",
        "No answer came within the deadline, though a receipt may exist; retry with the same request_id.",
    ),
    Reason.SHUTTING_DOWN: Sentence("服务正在重启，请重试。", "The broker is restarting; retry."),
    Reason.BROKER_UNREACHABLE: Sentence(
        "连不上共享交换服务，请检查地址、证书和网络后用同一 request_id 重试。",
        "The broker cannot be reached; check address, certificate and network, then retry with the same request_id.",
    ),
    Reason.INTERNAL: Sentence(
        "内部错误，未返回任何数据，请把 request_id 告知管理员。",
        "Internal error, nothing was released; tell the administrator the request_id.",
    ),
}


def sentence(reason: Reason, about: str = "") -> Sentence:
    """The sentence of ``reason`` in both languages, about the thing named."""
    zh, en = SENTENCES[reason]
    return Sentence(zh.replace("{about}", about), en.replace("{about}", about))
