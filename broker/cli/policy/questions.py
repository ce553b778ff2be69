"""What ``policy new`` asks: each question's words, and what ``?`` says about it."""

from __future__ import annotations

from broker.cli.policy.asking import Question
from broker.reasons import Sentence


def _question(option: str, zh: str, en: str, help_zh: str, help_en: str) -> Question:
    return Question(option, zh, en, Sentence(help_zh, help_en))


OWNER = _question(
    "owner",
    "由哪个部门制定规则？",
    "Which department makes the rule?",
    "通常是提供数据的部门。写序号、编号或名称。",
    "Usually the one that provides the data. Give its number, id or title.",
)
EFFECT = _question(
    "effect",
    "规则做什么？",
    "What does the rule do?",
    "禁止优先于审核，审核优先于许可；没有写明许可的，一律不给。",
    "A deny goes before a review, a review before a permit; what nothing permits is not given.",
)
DATASET = _question(
    "dataset",
    "关于哪个数据资源？",
    "About which dataset?",
    "没有列出的，须先编入目录（catalog/）。",
    "One that is not listed must be put into the catalog first (catalog/).",
)
FIELDS = _question(
    "fields",
    "哪些数据项？可选多个，如 1,3 或 1-3",
    "Which fields? Several are possible, such as 1,3 or 1-3",
    "只选办这件事用得着的；all 是全部可共享的数据项。",
    "Only those that the purpose needs; all is every field that may be shared.",
)
DEPARTMENTS = _question(
    "departments",
    "给谁看？可选多个部门",
    "Who may see it? Several departments are possible",
    "需求部门，也可以写部门组；all 是任何部门。",
    "The departments that ask, or groups of them; all is every department.",
)
PURPOSES = _question(
    "purposes",
    "用于哪些使用场景？",
    "For which purposes?",
    "使用场景在 service-items.yaml 里；需求部门要有服务于该场景的事项，才能申请。",
    "Purposes stand in service-items.yaml; to ask for one a department needs a service item of it.",
)
LEGAL_BASIS = _question(
    "legal-basis",
    "使用依据是什么？多个用分号隔开",
    "On which legal basis? Put a semicolon between several",
    "写明法规和条款，如 住房公积金管理条例 第二十四条；申请里的依据须与此一字不差。all 是不限。",
    "Law and article; the application must say it character by character. all is any.",
)
FROM = _question(
    "from",
    "从哪天起有效？",
    "From which day?",
    "形如 2026-01-31，首尾两天都算在内。",
    "Such as 2026-01-31; the first and the last day count.",
)
UNTIL = _question(
    "until",
    "到哪天为止？",
    "Until which day?",
    "许可须有期限，到期自动失效，不能早于起始日。",
    "A permit must end; on that day it still holds. It may not be before the first.",
)
DISTRICT = _question(
    "own-region",
    "只给需求部门本辖区的数据？",
    "Only rows of the caller's own region?",
    "按需求部门的行政区划代码判断。",
    "Told by the region code of the department that asks.",
)
SUBJECTS = _question(
    "whole-dataset",
    "可以不写明查询对象，整体共享？",
    "May the whole dataset be asked for, without naming subjects?",
    "n：必须逐个写明查谁，适合办件；y：可批量共享，请慎重。",
    "n: whoever asks names whom; y: in bulk as well, to be considered well.",
)
SUBJECTS_PER_CALL = _question(
    "subjects-per-call",
    "每次最多查几个对象？回车不限",
    "At most how many subjects a call? Enter for any number",
    "如父母两人写 2。",
    "Say 2 for two parents.",
)
ROWS_PER_CALL = _question(
    "rows-per-call",
    "每次最多给几行？回车不限",
    "At most how many rows a call? Enter for any number",
    "防止一次查询带走过多数据。",
    "So that no call carries off too much.",
)
CALLS_PER_DAY = _question(
    "calls-per-day",
    "每个部门每日最多查几次？回车不限",
    "At most how many calls a day for a department? Enter for any number",
    "按城市时区的自然日计，防止以逐件查询的名义成批摸排。",
    "By days of the city's zone; keeps single calls from adding up to a survey.",
)
MASK = _question(
    "mask",
    "怎样脱敏？",
    "How is it masked?",
    "也可以自己写，如 partial keep_start=3 keep_end=4，predicate op=ge value=1。",
    "Or write one: partial keep_start=3 keep_end=4, predicate op=ge value=1.",
)
RETAIN_DAYS = _question(
    "retain-days",
    "需求部门最多保存几天？",
    "For how many days at most may the data be kept?",
    "用完即应处置；够办完一件事即可。",
    "Data are disposed of after use; as long as the matter takes.",
)
DUTIES = _question(
    "duties",
    "还要哪些义务？可选多个，回车没有",
    "Which other duties? Several are possible, Enter for none",
    "选了会签或签名申请的，手续不全时不会给出。",
    "Where a signature is demanded nothing is given without it.",
)
APPLICATION_NO = _question(
    "application-no",
    "依据哪份共享申请？写申请编号",
    "Under which application? Its number",
    "有条件共享须有申请，并经双方政务数据共享工作机构负责人同意（条例第二十条）。",
    "Conditional sharing needs an application and the consent of both heads (Article 20).",
)
CONSUMER_HEAD = _question(
    "consumer-head",
    "需求部门由谁同意？",
    "Who consented for the department that asks?",
    "需求部门政务数据共享工作机构负责人。",
    "The head of its sharing office.",
)
PROVIDER_HEAD = _question(
    "provider-head",
    "提供部门由谁同意？",
    "Who consented for the provider?",
    "提供部门政务数据共享工作机构负责人。",
    "The head of its sharing office.",
)
REVIEW_BY = _question(
    "review-by",
    "由谁审核？",
    "Who reviews?",
    "provider 提供部门，authority 主管部门。",
    "provider or authority.",
)
REVIEW_COUNT = _question(
    "review-count",
    "须几人同意？",
    "How many must agree?",
    "不含需求部门自己的人。",
    "Nobody of the department that asks counts.",
)
REVIEW_DAYS = _question(
    "review-days",
    "几个工作日内？",
    "Within how many working days?",
    "有条件共享最长 10 个工作日（条例第二十一条）。",
    "Conditional sharing allows 10 at most (Article 21).",
)
REMARK = _question(
    "remark",
    "一句话说明，写在规则上方；回车不写",
    "A remark above the rule; Enter for none",
    "给以后读规则的人看，如：为新生儿落户核对父母婚姻。",
    "For those who read the rule later.",
)
POLICY = _question(
    "policy",
    "写进哪份策略？也可写一个新编号",
    "Into which policy? A new id starts a new one",
    "编号用小写字母、数字、连字符。新策略另成一个文件。",
    "Ids are of small letters, digits and -. A new policy is a file of its own.",
)
RULE = _question(
    "rule",
    "规则编号？",
    "The rule's id?",
    "小写字母、数字、连字符；同一份策略里不重复。",
    "Small letters, digits and -; once in a policy.",
)
CONFIRM = _question(
    "yes",
    "写入吗？",
    "Write it?",
    "y 写入；n 什么都不写。",
    "y writes it; n writes nothing.",
)
