"""Batches of OpenAI requests from a file of JSON lines, without a server.

Lines already answered are skipped, so an interrupted batch goes on where it stopped; lines that
failed are tried again. A line that fails is a line with an error and does not stop the others.
Answers are written as they come, whatever the order of the questions.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.problems import BatchProblem
from inference.collect import complete
from inference.errors import EngineError, InvalidRequest
from inference.openai import encode
from inference.openai.body import explain
from inference.openai.errors import error_body
from inference.openai.requests import ChatBody, CompletionBody, EmbeddingsBody
from inference.protocol import Caller, Engine, new_request_id

log = logging.getLogger(__name__)


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
        lines = _read_lines(source)
        try:
            done = _keep_answered(target)
            todo = [(number, line) for number, line in lines if _custom_id(line) not in done]
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
        request_id, custom_id = new_request_id(), _custom_id(line)
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
        request = ChatBody.model_validate(body).read(self._caller, request_id)
        return encode.chat_completion(await complete(self._engine, request), request_id).json_text()

    async def _completion(self, body: dict[str, Any], request_id: str) -> str:
        request = CompletionBody.model_validate(body).read(self._caller, request_id)
        return encode.text_completion(await complete(self._engine, request), request_id).json_text()

    async def _embedding(self, body: dict[str, Any], request_id: str) -> str:
        asked = EmbeddingsBody.model_validate(body)
        vectors = await self._engine.embed(asked.read(self._caller, request_id))
        return encode.embedding_list(vectors, asked.encoding_format == "base64").json_text()


def _read_lines(source: Path) -> list[tuple[int, str]]:
    """(line number, text) of every line that is not blank."""
    try:
        text = source.read_text(encoding="utf-8")
    except OSError as error:
        raise BatchProblem(f"{source} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BatchProblem(f"{source} is not UTF-8 text.") from None
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    ids = Counter(custom_id for _, line in lines if (custom_id := _custom_id(line)) is not None)
    if repeated := [custom_id for custom_id, times in ids.items() if times > 1]:
        raise BatchProblem(f"{source} has custom_id {repeated[0]!r} more than once; each line needs its own.")
    return lines


def _custom_id(line: str) -> str | None:
    """The id of a line, as far as it can be read."""
    try:
        found = json.loads(line)["custom_id"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


def _keep_answered(target: Path) -> set[str]:
    """Ids that have an answer. Errors and a torn last line are dropped from the file, to be tried again."""
    if not target.exists():
        return set()
    kept = list(_answered(target.read_bytes().split(b"\n")))
    fresh = target.with_name(target.name + ".unfinished")
    fresh.write_bytes(b"".join(line + b"\n" for _, line in kept))
    fresh.replace(target)
    return {custom_id for custom_id, _ in kept}


def _answered(lines: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    for line in lines:
        try:
            answer = json.loads(line)
            is_answer = answer["error"] is None and isinstance(answer["custom_id"], str)
        except (ValueError, KeyError, TypeError):
            continue
        if is_answer:
            yield answer["custom_id"], line
