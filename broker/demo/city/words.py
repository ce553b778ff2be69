"""The words from which synthetic people and places are made. Nobody and nowhere real is meant.

Names combine common characters at random; districts, streets and hospitals do not exist (region 9901 is
unassigned in GB/T 2260).
"""

from __future__ import annotations

SURNAMES = (
    *"王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢",
    *"姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常",
    *("欧阳", "上官", "司马", "诸葛", "东方", "皇甫", "尉迟", "夏侯"),
)
"""Most frequent first; the compound ones (two characters) come last."""

MALE_CHARACTERS = tuple("伟强磊军勇杰涛明超刚平辉鹏华飞鑫波斌宇浩凯健俊帆毅哲轩泽睿航文志建国")
FEMALE_CHARACTERS = tuple("芳娜敏静丽艳娟霞秀燕玲桂英萍红玉兰洁梅琳雪琴倩婷慧莹颖佳怡欣雨萱梓涵诗瑶")

CITY = "星河市"
DISTRICTS = {"990101": "启明区", "990102": "天枢区", "990103": "摇光区"}
STREETS = (
    "北斗路",
    "银汉街",
    "织女路",
    "牵牛巷",
    "文昌街",
    "紫微大道",
    "参商路",
    "角宿街",
    "南箕路",
    "东井巷",
)
HOSPITALS = ("星河市第一人民医院", "星河市妇幼保健院", "启明区人民医院", "天枢区中心医院", "摇光区妇产医院")
