"""The truthful operator: looks on the hosts, and says what is there."""

from __future__ import annotations

from dr.engine.core.questions import Question
from tests.soak.field import FOLDER, Field


class Person:
    """Answers every open question of the newest run, by what the hosts' files say."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._key = str(field.key("chen.wei"))
        self.said: list[tuple[str, str]] = []

    def answer(self, run: str, question: Question) -> None:
        """Answer one question; a doubt about a command that still runs is left for later."""
        step, asked = question.step, question.id
        match question.kind:
            case "gate":
                self._dr("approve", run, asked, "--by", "chen.wei", "--yes",
                         "--reason", "agreed", "--key", self._key)  # fmt: skip
            case "task":
                self._say("answer", run, asked, "done", "--by", "zhou.jie", "--because", "looked")
            case "doubt":
                self._settle(run, question)
            case "failure":
                done = self._field.count(run, step, question.host or _where(question))
                self._say("answer", run, asked, "skip" if done else "retry",
                          "--because", "looked", "--by", "liu.yang")  # fmt: skip
            case "fallback":
                self._undo_by_hand(run)
                self._say("answer", run, asked, "go-on", "--because", "undone", "--by", "chen.wei",
                          "--key", self._key)  # fmt: skip

    def _settle(self, run: str, question: Question) -> None:
        host = question.host or ""
        if self._field.works(host):
            return
        done = self._field.count(run, question.step, host)
        verdict = "done" if done else "not-done"
        if question.step == "two":
            verdict = "failed"
        self._say("resolve", run, question.id, "--as", verdict, "--because", f"{done} on {host}",
                  "--by", "chen.wei", "--key", self._key)  # fmt: skip

    def _undo_by_hand(self, run: str) -> None:
        words = f"cd {FOLDER}; [ ! -e {run}.one ] || mv {run}.one {run}.one.undone"
        self._field.on("x003", "sh", "-c", words)

    def _say(self, *words: str) -> None:
        self.said.append((words[0], " ".join(words[2:5])))
        self._dr(*words)

    def _dr(self, *words: str) -> None:
        # somebody may have been faster: the engine that found the truth itself
        self._field.dr(*words, expect=None)


def _where(question: Question) -> str:
    return {"blind": "x001", "point": "x003", "one": "x003"}.get(question.step, "x001")
