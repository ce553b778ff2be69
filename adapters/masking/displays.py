"""How much of a value may be shown, by what it is (展示规则): a name's surname, the end of a card number.

No national standard says so; these are the customary ways, the sparing one where several are. What is not of
the form shows nothing, and of what is something is always hidden. Forms are regular expressions that Python
and RE2 understand alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from adapters.masking.arrays import Bools, Positions, TextBytes
from adapters.masking.resident_id import LENGTH, are_resident_ids, is_resident_id

_PRIMER = (
    "万俟司马上官欧阳夏侯诸葛闻人东方赫连皇甫尉迟公羊澹台公冶宗政濮阳淳于单于"
    "太叔申屠公孙仲孙轩辕令狐钟离宇文长孙慕容鲜于闾丘司徒司空亓官司寇子车颛孙"
    "端木巫马公西漆雕乐正壤驷公良拓跋夹谷宰父谷梁段干百里东郭南门呼延羊舌微生"
    "梁丘左丘东门西门南宫第五"
)
COMPOUND_SURNAMES = tuple(_PRIMER[at : at + 2] for at in range(0, len(_PRIMER), 2))
"""The surnames of two characters in 《百家姓》 (a Song dynasty primer), as it is taught today."""

_TWO = 2

_HAN = "〇\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
"""Unicode blocks of Han characters, to Extension H."""
_PLACE = "[^路街巷弄号栋幢室楼村镇乡园苑厦墅院校厂场舍0-9A-Za-z０-９ \t\r\n\u3000,，;；-]"
_NO_DISTRICT = "小社园校厂院营库景片街发宅期一二三四五六七八九十"
"""Before 区 these make another word of it: 小区, 园区, 开发区, 二区."""
_DISTRICT = (
    f"镇?{_PLACE}{{1,6}}?乡?[县旗市]|{_PLACE}{{1,15}}?自治[县旗]|镇?{_PLACE}{{0,5}}?"
    + _PLACE.replace("路", f"路{_NO_DISTRICT}")
    + "区"
)
_UPPER_PLACE = (
    f"{_PLACE}{{2,8}}?(?:省|自治区|特别行政区)(?:[{_HAN}]{{2,10}}?(?:市|自治州|地区|盟))?"
    f"|[{_HAN}]{{2,10}}?(?:市|自治州|地区|盟)"
)


@dataclass(frozen=True, slots=True)
class Display:
    """What is shown of one kind of value."""

    title: str
    form: str
    fixed: tuple[int, int] | None = None
    """Characters shown at the start and the end; None: as many as ``head`` and ``tail`` of the form have."""
    two: tuple[str, ...] = ()
    """Beginnings of two characters that are shown where one would be, if more follow."""
    proof: Callable[[str], bool] | None = None
    """What a form cannot say of a text."""
    all_proof: Callable[[pa.Array], Positions] | None = None
    """The same: the rows of an array that it holds for, in ascending order."""

    def ends(self, text: str) -> tuple[int, int]:
        """How many characters are shown at the start and at the end; 0 and 0 for a text of another form."""
        found = re.fullmatch(self.form, text)
        if found is None or (self.proof is not None and not self.proof(text)):
            return 0, 0
        if self.fixed is None:
            return len(found["head"]), len(found["tail"])
        return self.fixed[0] + (len(text) > _TWO and text[:_TWO] in self.two), self.fixed[1]

    def all_ends(self, texts: pa.Array) -> tuple[Positions, Positions]:
        """The same of each text of an array, two of shape (n,)."""
        if self.fixed is None:
            found = pc.extract_regex(texts, f"^(?:{self.form})$")
            return _lengths(pc.struct_field(found, "head")), _lengths(pc.struct_field(found, "tail"))
        shown = _truths(pc.match_substring_regex(texts, f"^(?:{self.form})$"))
        if self.all_proof is not None:
            proven = np.zeros(len(texts), np.bool_)
            proven[self.all_proof(texts)] = True
            shown &= proven
        heads, tails = shown * np.int64(self.fixed[0]), shown * np.int64(self.fixed[1])
        if self.two:
            begins = pc.is_in(pc.utf8_slice_codeunits(texts, 0, _TWO), pa.array(self.two, pa.string()))
            heads += shown & _truths(begins) & (_lengths(texts) > _TWO)
        return heads, tails


def _truths(truths: pa.Array) -> Bools:
    found: Bools = pc.fill_null(truths, False).to_numpy(zero_copy_only=False).copy()
    return found


def _lengths(texts: pa.Array) -> Positions:
    lengths: Positions = pc.fill_null(pc.utf8_length(texts), 0).to_numpy(zero_copy_only=False)
    return lengths.astype(np.int64)


def _resident_ids(texts: pa.Array) -> Positions:
    layout = TextBytes.of(texts)
    rows = np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False) & (layout.lengths == LENGTH))
    found: Positions = rows[are_resident_ids(layout.window(rows, LENGTH))]
    return found


DISPLAYS: Mapping[str, Display] = MappingProxyType(
    {
        "name": Display("姓名：只留姓", f"[{_HAN}]{{2}}[·•{_HAN}]{{0,24}}", (1, 0), two=COMPOUND_SURNAMES),
        "mobile": Display("手机号码：前三后四", "1[3-9][0-9]{9}", (3, 4)),
        "phone": Display(
            "固定电话：留区号和后两位", "(?P<head>0(?:10|2[0-9]|[3-9][0-9]{2}))[0-9]{5,6}(?P<tail>[0-9]{2})"
        ),
        "bank_card": Display("银行卡号：后四位", "[0-9]{13,19}", (0, 4)),
        "resident_id": Display(
            "公民身份号码：首尾各一位",
            "[1-9][0-9]{16}[0-9X]",
            (1, 1),
            proof=is_resident_id,
            all_proof=_resident_ids,
        ),
        "uscc": Display("统一社会信用代码：前二后四", "[0-9A-HJ-NPQRTUWXY]{18}", (2, 4)),
        "address": Display(
            "地址：到区县", f"(?P<head>(?:{_UPPER_PLACE})(?:{_DISTRICT}))[^道城域内级场](?s:.*)(?P<tail>)"
        ),
        "email": Display(
            "电子邮箱：首字符和域名",
            "(?P<head>[A-Za-z0-9])[A-Za-z0-9._%+-]{1,63}"
            "(?P<tail>@[A-Za-z0-9-]{1,63}(?:\\.[A-Za-z0-9-]{1,63}){1,8})",
        ),
    }
)
