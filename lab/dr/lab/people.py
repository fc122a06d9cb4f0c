"""The people of the lab.  Their private keys are in its workspace: a newcomer can act as any."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the plan."""

    id: str
    name_en: str
    name_zh: str
    phone: str
    deputy: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """People who act together."""

    id: str
    title_en: str
    title_zh: str
    members: tuple[str, ...]


PEOPLE = (
    Person("chen.wei", "Chen Wei", "陈伟", "+86-10-5550-0101", deputy="wang.fang"),
    Person("li.na", "Li Na", "李娜", "+86-10-5550-0102", deputy="zhao.min"),
    Person("wang.fang", "Wang Fang", "王芳", "+86-10-5550-0103"),
    Person("zhao.min", "Zhao Min", "赵敏", "+86-10-5550-0104"),
    Person("liu.yang", "Liu Yang", "刘洋", "+86-10-5550-0201", deputy="sun.lei"),
    Person("sun.lei", "Sun Lei", "孙磊", "+86-10-5550-0202", deputy="liu.yang"),
    Person("zhou.jie", "Zhou Jie", "周杰", "+86-10-5550-0301", deputy="wu.ting"),
    Person("wu.ting", "Wu Ting", "吴婷", "+86-10-5550-0302", deputy="zhou.jie"),
    Person("he.ling", "He Ling", "何玲", "+86-10-5550-0401", deputy="gao.jun"),
    Person("gao.jun", "Gao Jun", "高军", "+86-10-5550-0402", deputy="he.ling"),
    Person("ma.lin", "Ma Lin", "马林", "+86-10-5550-0403"),
    Person("xu.yan", "Xu Yan", "徐艳", "+86-10-5550-0404"),
)
GROUPS = (
    Group("leadership", "Leadership group", "应急领导组", ("chen.wei", "li.na")),
    Group("leadership-deputies", "Deputies of leadership", "领导组副职", ("wang.fang", "zhao.min")),
    Group("execution-group", "Execution group", "应急执行组", ("liu.yang", "sun.lei")),
    Group("support", "Support group", "支持保障组", ("zhou.jie", "wu.ting")),
    Group("clerks", "Clerks of the branches", "网点经办人员", ("ma.lin", "xu.yan")),
)
HEADS = ("he.ling", "gao.jun")
"""Who signs for the lab's branches, in turn."""
