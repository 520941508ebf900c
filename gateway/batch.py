"""Batches of OpenAI requests from a file of JSON lines, without a server.

Nobody waits for any one line: all are processed as "flex", whatever `service_tier` they name.
Lines already answered are skipped, so an interrupted batch goes on where it stopped; lines that
failed are tried again. A line that fails is a line with an error and does not stop the others.
Answers are written as they come, whatever the order of the questions.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.batch_files import custom_id_of, keep_answered, read_questions
from gateway.problems import BatchProblem
from inference.collect import complete
from inference.errors import EngineError, InvalidRequest
from inference.openai import encode
from inference.openai.errors import error_body
from inference.openai.requests import ChatBody, CompletionBody, EmbeddingsBody, TieredBody
from inference.protocol import Caller, Engine, new_request_id
from inference.wire.body import explain

log = logging.getLogger(__name__)

T = TypeVar("T", bound=TieredBody)


class BatchLine(BaseModel):
    """One request, as OpenAI's batches have it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    custom_id: str = Field(min_length=1, max_length=512)
    method: str = Field(default="POST", pattern="^POST$")
    url: str
    body: dict[str, Any]


@dataclass(slots=True)
class BatchReport:
    """How far a batch is, and how it went."""

    total: int
    skipped: int
    succeeded: int = 0
    failed: int = 0


Progress = Callable[[BatchReport], None]


class Batch:
    """Answers the lines of one file through an engine, `concurrency` at a time."""

    def __init__(self, engine: Engine, caller: Caller, concurrency: int) -> None:
        self._engine = engine
        self._caller = caller
        self._concurrency = concurrency
        self._routes: dict[str, Callable[[dict[str, Any], str], Awaitable[str]]] = {
            "/v1/chat/completions": self._chat,
            "/v1/completions": self._completion,
            "/v1/embeddings": self._embedding,
        }

    async def run(self, source: Path, target: Path, progress: Progress) -> BatchReport:
        """Answer every line of `source` that `target` has no answer for. Raises `BatchProblem`."""
        lines = read_questions(source)
        try:
            done = keep_answered(source, target)
            todo = [(number, line) for number, line in lines if custom_id_of(line) not in done]
            report = BatchReport(len(lines), len(lines) - len(todo))
            progress(report)
            with target.open("ab") as output:
                await self._answer_all(iter(todo), output, report, progress)
        except OSError as error:
            raise BatchProblem(f"{target} cannot be written: {error.strerror}.") from None
        return report

    async def _answer_all(
        self, todo: Iterator[tuple[int, str]], output: BinaryIO, report: BatchReport, progress: Progress
    ) -> None:
        async def worker() -> None:
            for number, line in todo:
                answer = await self._answer(number, line)
                report.failed += answer["error"] is not None
                report.succeeded += answer["error"] is None
                output.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
                output.flush()
                progress(report)

        workers = [asyncio.ensure_future(worker()) for _ in range(self._concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for unfinished in workers:
                unfinished.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _answer(self, number: int, line: str) -> dict[str, Any]:
        """One line's boundary: whatever is wrong with it stays on its own line."""
        request_id, custom_id = new_request_id(), custom_id_of(line)
        status, body = 200, None
        error: EngineError | None = None
        try:
            asked = BatchLine.model_validate_json(line)
            body = json.loads(await self._route(asked.url)(asked.body, request_id))
        except ValidationError as problem:
            error = explain(problem.errors())
        except EngineError as problem:
            error = problem
        except Exception:
            log.exception("line %d of the batch failed by an unforeseen error", number)
            error = EngineError(f"Line {number} failed by an unforeseen error; the log has it.")
        if error is not None:
            status, body = error.status, json.loads(error_body(error).json_text())
        return {
            "id": request_id,
            "custom_id": custom_id,
            "response": {"status_code": status, "request_id": request_id, "body": body},
            "error": {"code": error.code, "message": f"Line {number}: {error.message}"} if error else None,
        }

    def _route(self, url: str) -> Callable[[dict[str, Any], str], Awaitable[str]]:
        if route := self._routes.get(url):
            return route
        raise InvalidRequest(f"`url` {url!r} is not served; valid: {', '.join(self._routes)}.")

    async def _chat(self, body: dict[str, Any], request_id: str) -> str:
        asked = _patient(ChatBody.model_validate(body))
        completion = await complete(self._engine, asked.read(self._caller, request_id))
        return encode.chat_completion(completion, request_id).served_as(asked.served_as).json_text()

    async def _completion(self, body: dict[str, Any], request_id: str) -> str:
        asked = _patient(CompletionBody.model_validate(body))
        completion = await complete(self._engine, asked.read(self._caller, request_id))
        return encode.text_completion(completion, request_id).served_as(asked.served_as).json_text()

    async def _embedding(self, body: dict[str, Any], request_id: str) -> str:
        asked = _patient(EmbeddingsBody.model_validate(body))
        vectors = await self._engine.embed(asked.read(self._caller, request_id))
        answer = encode.embedding_list(vectors, asked.encoding_format == "base64")
        return answer.served_as(asked.served_as).json_text()


def _patient(body: T) -> T:
    """The body of a line, behind all that somebody waits for; its answer says so."""
    return body.model_copy(update={"service_tier": "flex"})
