"""The engine whose other end is any OpenAI-compatible URL: a cloud, or a server of the customer's own.

What it has in common with engines of other formats is in `upstream.py`. The engines of vLLM's child and of our own
replicas are made of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from urllib.parse import urlencode

from inference.capabilities import check_embed, check_request
from inference.catalog import HttpModel, InfillMarks
from inference.clouds import with_extra
from inference.deadline import until_deadline
from inference.errors import EngineError
from inference.openai import decode, outgoing
from inference.openai.errors import read_error, read_stream_error
from inference.openai.frames import StreamReader
from inference.protocol import ChatRequest, Chunk, Embeddings, EmbedRequest, Tokens, ToolCallDelta, Usage
from inference.tally import estimated_tokens, said_in
from inference.upstream import Asked, Upstream
from inference.vectors import unit_vectors


class HttpEngine(Upstream[HttpModel]):
    """Speaks OpenAI's format to one model behind one URL."""

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """Embed the texts; vectors are normalised here, because not every server does."""
        check_embed(self.models(), request)
        import numpy as np

        body = with_extra(outgoing.embeddings_body(request, self._upstream_name), self._model.extra_body)
        async with (
            until_deadline(request.deadline),
            self._timeout(self._model.first_token_timeout_seconds),
            self._post("embeddings", body, request) as response,
        ):
            shape = decode.read_embeddings(await response.read(), self._model.name)
        entries = sorted(shape.data, key=lambda entry: entry.index)
        vectors = [entry.embedding for entry in entries if isinstance(entry.embedding, list)]
        if len(vectors) != len(request.texts) or len({len(vector) for vector in vectors}) != 1:
            raise self._unavailable("did not answer with one vector of the same width for each text")
        usage = decode.read_usage(shape.usage)
        if not usage.prompt_tokens:
            usage = Usage(prompt_tokens=estimated_tokens("".join(request.texts)), estimated=True)
        rows = np.asarray(vectors, dtype=np.float32)
        return Embeddings(unit_vectors(rows, request.dimensions), usage, self._model.name)

    async def tokenize(self, request: ChatRequest) -> Tokens:
        """An estimate: the format has no way to ask for more."""
        check_request(self.models(), request)
        return Tokens(estimated_tokens(said_in(request)), None, self._model.name)

    def _standing_headers(self) -> Mapping[str, str]:
        if self._api_key is None:
            return {}
        if self._model.auth == "api-key":
            return {"api-key": self._api_key}
        return {"authorization": f"Bearer {self._api_key}"}

    def _at(self, path: str) -> str:
        return f"{path}?{urlencode(self._model.query)}" if self._model.query else path

    def _asked(self, request: ChatRequest) -> Asked:
        if request.prompt is None:
            path, read = "chat/completions", decode.chat_chunks
            body = outgoing.chat_body(request, self._upstream_name, self._model.max_tokens_field)
        else:
            path, read = "completions", decode.text_chunks
            body = outgoing.completion_body(filled_in(request, self._model.infill), self._upstream_name)
        reader, calls = StreamReader(read, self._model.name), Calls()
        body = with_extra(body, self._model.extra_body)
        return Asked(path, body, lambda event: calls.told_apart(reader.chunks(event)))

    def _read_error(self, status: int, headers: Mapping[str, str], body: str) -> EngineError:
        return read_error(status, headers, body)

    def _read_stream_error(self, event: str) -> EngineError | None:
        return read_stream_error(event)


class Calls:
    """The calls of one answer, told apart where a server does not.

    Gemini's compatible endpoint writes parallel calls without positions and ends them with "stop", as
    googleapis/python-genai#2868 shows; OpenAI itself says "stop" after a call that `tool_choice` named.
    """

    def __init__(self) -> None:
        self._ids: dict[int, list[str]] = {}  # of each choice's calls, in their order
        self._places: dict[tuple[int, int], int] = {}  # by choice and the position that the server says

    def told_apart(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """The chunks, each call with a position of its own, and what ends with calls ended by them."""
        for chunk in chunks:
            told = chunk
            if chunk.tool_calls:
                told = replace(told, tool_calls=tuple(self._placed(chunk.index, delta) for delta in chunk.tool_calls))
            if chunk.finish_reason == "stop" and chunk.index in self._ids:
                told = replace(told, finish_reason="tool_calls")
            yield told

    def _placed(self, choice: int, delta: ToolCallDelta) -> ToolCallDelta:
        ids = self._ids.setdefault(choice, [])
        place = self._places.get((choice, delta.position))
        if place is None or (delta.id and delta.name and ids[place] not in ("", delta.id)):
            place = self._places[choice, delta.position] = len(ids)
            ids.append("")
        ids[place] = ids[place] or delta.id or ""
        return replace(delta, position=place)


def filled_in(request: ChatRequest, marks: InfillMarks | None) -> ChatRequest:
    """A completion whose suffix stands in the prompt, if models.yaml says how; few servers know `suffix`."""
    if marks is None or request.suffix is None or request.prompt is None:
        return request
    return replace(request, prompt=marks.around(request.prompt, request.suffix), suffix=None)
