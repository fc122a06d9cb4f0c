"""How a report says values in one language: moments, lengths, counts and names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dr.engine.core.errors import UserError
from dr.engine.core.unseen import CONTROL, HIDDEN
from dr.engine.core.values import Text, Unknown
from dr.incidents.report.data import AnswerFacts, Count, Person, Seconds
from dr.incidents.report.words import WORDS, word

_UNITS = (
    (86400, "d", "天"),
    (3600, "h", "小时"),
    (60, "min", "分"),
    (1, "s", "秒"),
)
_FINE_BELOW_S = 10.0
_FINEST_S = 0.05
_INVISIBLE = re.compile(f"[{CONTROL}{HIDDEN}]")


def zone_of(name: str) -> tzinfo:
    """Return the time zone called ``name``.

    Raises:
        UserError: this machine knows no such zone.
    """
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UserError(
            f"no time zone is called '{name}'",
            hint="Write a name such as Asia/Shanghai, or UTC; `apt install tzdata` brings them.",
        ) from None


def visible(text: object) -> str:
    """Return ``text`` with control characters and those that reorder a line shown as a box."""
    return _INVISIBLE.sub("\N{REPLACEMENT CHARACTER}", str(text))


@dataclass(frozen=True, slots=True)
class Voice:
    """A language and a time zone."""

    language: str = "en"
    zone: tzinfo = UTC

    def __call__(self, key: str, **values: object) -> str:
        """Return the words called ``key``."""
        return word(key, self.language, **values)

    def named(self, group: str, value: str) -> str:
        """Return the words for an enumerated value, the bare value when there are none."""
        key = f"{group}_{value}"
        return self(key) if key in WORDS else visible(value)

    def text(self, words: Text) -> str:
        """Return words for people in this language."""
        return visible(words.say(self.language))

    def person(self, person: Person) -> str:
        """Return a name with the id behind it."""
        name = self.text(person.name)
        if not name:
            return visible(person.id) or self("unknown")
        return f"{name} ({visible(person.id)})"

    def people(self, people: Iterable[Person]) -> str:
        """Return several people."""
        return self.joined(self.person(person) for person in people)

    def joined(self, parts: Iterable[str], mark: str = "") -> str:
        """Return the parts that are not empty, with the language's comma between them."""
        comma = mark or ("、" if self.is_chinese else ", ")
        return comma.join(part for part in parts if part)

    def pair(self, name: str, value: str) -> str:
        """Return a name and its value, with the language's colon between them."""
        return f"{name}：{value}" if self.is_chinese else f"{name}: {value}"

    @property
    def is_chinese(self) -> bool:
        """Whether this is Chinese."""
        return self.language.startswith("zh")

    @property
    def zone_name(self) -> str:
        """The zone as people read it."""
        return "UTC" if self.zone is UTC else str(self.zone)

    def moment(self, at: datetime | None, *, missing: str = "unknown") -> str:
        """Return day and time to the second; the words ``missing`` for None."""
        if at is None:
            return self(missing)
        return at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")

    def hour(self, at: datetime | None) -> str:
        """Return the time of day; a dash for None."""
        return at.astimezone(self.zone).strftime("%H:%M:%S") if at else "–"

    def length(self, length_s: Seconds) -> str:
        """Return a length of time in its two largest units."""
        if isinstance(length_s, Unknown):
            return self("unknown")
        if length_s < 0:
            return "-" + self.length(-length_s)
        gap = "" if self.is_chinese else " "
        if 0 < length_s < _FINEST_S:
            return f"< 0.1{gap}{self._unit(3)}"
        if 0 < length_s < _FINE_BELOW_S:
            return f"{length_s:.1f}".removesuffix(".0") + gap + self._unit(3)
        left, parts = round(length_s), []
        for index, (size, _, _) in enumerate(_UNITS):
            number, left = divmod(left, size)
            if number:
                parts.append(f"{number}{gap}{self._unit(index)}")
        return gap.join(parts[:2]) or f"0{gap}{self._unit(3)}"

    def _unit(self, index: int) -> str:
        _, english, chinese = _UNITS[index]
        return chinese if self.is_chinese else english

    def count(self, number: Count) -> str:
        """Return a number of records with thousands marked."""
        return self("unknown") if isinstance(number, Unknown) else f"{number:,}"

    def known(self, value: object) -> str:
        """Return a value; ``unknown`` for UNKNOWN, None and ""."""
        if value is None or isinstance(value, Unknown) or value == "":
            return self("unknown")
        if isinstance(value, bool):
            return self("yes" if value else "no")
        return visible(value)

    def met(self, met: bool | Unknown) -> str:
        """Return whether a target was kept."""
        if isinstance(met, Unknown):
            return self("met_unknown")
        return self("met_true" if met else "met_false")

    def answer(self, answer: AnswerFacts) -> str:
        """Return an answer as a sentence without its reason."""
        comma = "，" if self.is_chinese else ", "
        loss = answer.max_loss_s
        said = [
            self.named("verdict", answer.verdict),
            self.named("means", answer.means),
            self("chose", choice=visible(answer.choice)) if answer.choice else "",
            "" if isinstance(loss, Unknown) else self("accepts_loss", value=self.length(loss)),
            self("witnesses", names=self.people(answer.witnesses)) if answer.witnesses else "",
        ]
        return comma.join(part for part in said if part)
