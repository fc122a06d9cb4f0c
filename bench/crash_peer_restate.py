"""The five steps in Restate: effects in ``ctx.run``, the gate a durable promise."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import crash_effect
import restate
from hypercorn.asyncio import serve
from hypercorn.config import Config

book = restate.Workflow("crash")


def _effect(name: str) -> str:
    try:
        return crash_effect.effect(name)
    except RuntimeError as error:
        raise restate.TerminalError(str(error)) from error  # refused: not to be retried


@book.main()
async def run(ctx: restate.WorkflowContext, asked: str) -> str:  # noqa: ARG001 - it has one
    await ctx.run_typed("look", crash_effect.look)
    await ctx.run_typed("settle", _effect, restate.RunOptions(), "settle")
    await ctx.run_typed("move", _effect, restate.RunOptions(), "move")
    print(crash_effect.ASKS, flush=True)
    if await ctx.promise("agree", type_hint=str).value() != "yes":
        return "rejected"
    try:
        await ctx.run_typed("reopen", _effect, restate.RunOptions(), "reopen")
    except restate.TerminalError:
        await ctx.run_typed("unmove", _effect, restate.RunOptions(), "unmove")
        return "undone"
    return "succeeded"


@book.handler()
async def agree(ctx: restate.WorkflowSharedContext, answer: str) -> None:
    await ctx.promise("agree", type_hint=str).resolve(answer)


if __name__ == "__main__":
    config = Config()
    config.bind = [f"127.0.0.1:{sys.argv[1]}"]
    asyncio.run(serve(restate.app([book]), config))
