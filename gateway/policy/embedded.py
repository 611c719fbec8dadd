"""The embedded engine: regorus, evaluated in the thread that asks.

There is no pool of threads. The engine keeps the interpreter lock while it evaluates, so other threads would only add
the cost of handing a question over to a wait that stays the same; what an answer may cost is limited at load instead.
The engine belongs to the thread that made it; one that fails is replaced, for it may keep half-evaluated state.
"""

from __future__ import annotations

import asyncio
import os
import re
from typing import Any

import regorus

from gateway.policy.bundle import ActiveBundle
from gateway.policy.port import Answered, EngineFault, Outcome, QuestionFault, Undefined
from gateway.policy.question import Projector, nobody

# With RUST_BACKTRACE=1 in the environment, as some hosts have it, every engine error holds the event loop for 50 ms and
# more while it names its stack frames; a caller could provoke that at will.
os.environ["RUST_LIB_BACKTRACE"] = "0"

UNDEFINED = '"<undefined>"'
CONFLICT = re.compile(r"error: (rule conflicts with|value for key .* generated multiple times|complete rules)")
ENGINE = re.compile(r"could not find function|is unsafe|not a valid rule path|unsupported|internal error")
PLACE = re.compile(r"--> .+:\d+:\d+")
PASS_ON = (KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError)


class EmbeddedEngine:
    """Answers from one bundle inside this process."""

    cacheable = True

    def __init__(self, bundle: ActiveBundle) -> None:
        self._bundle = bundle
        self._engine = _build(bundle)
        self.replaced = 0

    @property
    def revision(self) -> str:
        return self._bundle.revision

    async def decide(self, question_json: bytes) -> Outcome:
        try:
            self._engine.set_input_json(question_json.decode())
            answer = self._engine.eval_rule_as_json(self._bundle.entry)
        except PASS_ON:
            raise
        except RuntimeError as error:
            self._replace()
            return classify(str(error))
        # A Rust panic is a BaseException; it must not end the server.
        except BaseException:
            self._replace()
            return EngineFault("panic")
        return Undefined() if answer == UNDEFINED else Answered(answer.encode())

    async def close(self) -> None:
        """Nothing to close."""

    def _replace(self) -> None:
        self.replaced += 1
        self._engine = _build(self._bundle)


def classify(text: str) -> Outcome:
    """What an engine error means. Its text stays here: it may hold values of the question."""
    if CONFLICT.search(text):
        return QuestionFault("policy-conflict")
    if ENGINE.search(text) or not PLACE.search(text):
        return EngineFault("engine-error")
    return QuestionFault("policy-builtin-error")


def _build(bundle: ActiveBundle) -> Any:
    engine = regorus.Engine()
    for file, text in bundle.modules:
        engine.add_policy(file, text)
    engine.add_data_json(bundle.data_json)
    # The first evaluation compiles; no caller should pay for it.
    engine.set_input_json(Projector(bundle.manifest).project(nobody(), 0).decode())
    engine.eval_rule_as_json(bundle.entry)
    return engine
