"""The HTTP engine of one name that vLLM's server answers to: the model's, or an adapter's (`model:adapter`).

It adds what vLLM's server has beside OpenAI's format: exact tokens, health, adapters that are loaded and unloaded.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from inference.capabilities import check_request
from inference.catalog import HttpModel, VllmModel
from inference.collect import complete
from inference.deadline import within_deadline
from inference.errors import ContextLengthExceeded, EngineError, EngineUnavailable, InvalidRequest, WeightsError
from inference.http import HttpEngine, filled_in
from inference.openai import decode, outgoing
from inference.openai.responses import TokenList
from inference.protocol import ChatRequest, Chunk, Embeddings, EmbedRequest, Message, Sampling, Tokens
from inference.vectors import unit_vectors

ROOT = "http://vllm"
"""Only the Host header: the connection goes to a Unix socket."""

ADAPTER_SECONDS = 300.0
TEMPLATE_TOKENS, MESSAGE_TOKENS, SPECIAL_TOKENS = 512, 16, 8
_DETAILS = re.compile(r"\s*\(parameter=.*\)\s*$", re.DOTALL)
_PARAMS = {"input_tokens": None, "max_completion_tokens": "max_tokens"}


class VllmClient(HttpEngine):
    """Speaks to the server of `model` at `socket`, as the adapter of that name if one is given."""

    # Answered by the server's own process, however busy the model is; it also knows when that has died.
    health_path = f"{ROOT}/health"

    def __init__(self, model: VllmModel, socket: Path, adapter: str | None = None) -> None:
        name = f"{model.name}:{adapter}" if adapter else model.name
        shared = model.model_dump(include={"tier", "context_tokens", "capabilities", "infill"})
        spec = HttpModel(engine="http", name=name, url=f"{ROOT}/v1", location="local", **shared)
        super().__init__(spec, socket=socket)

    def _headers(self, request: ChatRequest | EmbedRequest) -> dict[str, str]:
        """With the id under which vLLM's log has the request."""
        return {**super()._headers(request), "x-request-id": request.request_id}

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; closing the generator closes the connection."""
        return within_deadline(self._checked(request), request.deadline)

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """Embed the texts. Fewer dimensions are cut here: vLLM refuses them unless a model was trained for them."""
        whole = await super().embed(replace(request, dimensions=None))
        if request.dimensions is None:
            return whole
        import numpy as np

        return replace(whole, vectors=unit_vectors(np.asarray(whole.vectors, dtype=np.float32), request.dimensions))

    async def tokenize(self, request: ChatRequest) -> Tokens:
        """The prompt's tokens, as vLLM's own chat template and tokenizer make them."""
        check_request(self.models(), request)
        told = filled_in(request, self._model.infill)
        if request.tool_choice.mode == "none":  # then the model is not told of the functions
            told = replace(told, tools=())
        body = outgoing.tokenize_body(told, self._upstream_name)
        answer = await self._ask("/tokenize", body, request)
        try:
            tokens = TokenList.model_validate_json(answer)
        except ValidationError as error:
            raise decode.not_understood(self._model.name, error) from error
        return Tokens(tokens.count, tuple(tokens.tokens), self._model.name)

    async def _checked(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """The answer, if there is room for all of it: vLLM would cut it short without a word."""
        check_request(self.models(), request)
        context, wanted = self._model.context_tokens, request.sampling.max_tokens or 0
        if wanted + _most_tokens(request) > context:
            prompt = (await self.tokenize(request)).count
            if prompt + max(wanted, 1) > context:
                raise ContextLengthExceeded(
                    f"The prompt has {prompt} tokens and with the answer needs {prompt + max(wanted, 1)}; "
                    f"the context of {self._model.name!r} is {context} tokens.",
                    param="messages" if request.messages else "prompt",
                )
        async with aclosing(self._answer(_as_vllm_takes_it(request))) as chunks:
            async for chunk in chunks:
                yield chunk

    async def prove(self) -> None:
        """Let one token, or a vector, come out. Raises `EngineError`."""
        name, capabilities = self._model.name, self._model.capabilities
        # With log probabilities if they may be asked for: what computes them may have to be compiled first.
        once = Sampling(temperature=0, max_tokens=1, logprobs="logprobs" in capabilities)
        if "completion" in capabilities:
            await complete(self, ChatRequest(name, prompt="a", sampling=once))
        elif "chat" in capabilities:
            await complete(self, ChatRequest(name, (Message("user", "a"),), sampling=once))
        else:
            await self.embed(EmbedRequest(name, ("a",)))

    async def load(self, name: str, folder: Path) -> None:
        """Load an adapter that is then asked for as `name`. Raises `WeightsError` if vLLM cannot use it."""
        try:
            await self._ask("/v1/load_lora_adapter", _adapter(name, folder))
        except EngineError as error:
            if isinstance(error, EngineUnavailable) and not (await self.ask_health()).ready:
                raise
            raise WeightsError(f"The adapter {name!r} in {folder} cannot be used: {error.message}") from error

    async def unload(self, name: str) -> None:
        """Forget an adapter. Raises `EngineError`."""
        await self._ask("/v1/unload_lora_adapter", {"lora_name": name})

    async def _ask(self, path: str, body: dict[str, Any], request: ChatRequest | None = None) -> bytes:
        cause = request or ChatRequest(self._model.name)
        async with self._timeout(ADAPTER_SECONDS), self._post(ROOT + path, body, cause) as response:
            return await response.read()

    def _shown(self, error: EngineError) -> EngineError:
        """vLLM's errors in our words: the field by the name that our API has for it, in a full sentence."""
        message, param = _DETAILS.sub("", error.message).strip(), error.param
        kind = type(error)
        if message.startswith("Grammar error"):
            kind, param = InvalidRequest, "response_format"
        param = _PARAMS.get(param or "", param)
        if "max_model_len=" in message and kind is InvalidRequest:
            kind = ContextLengthExceeded
        if param and f"'{param}" not in message and issubclass(kind, InvalidRequest):
            message = f"'{param}': {message}"
        if not message.endswith((".", "!", "?")):
            message += "."
        return kind(message, param=param, retry_after_seconds=error.retry_after_seconds)


def _adapter(name: str, folder: Path) -> dict[str, Any]:
    return {"lora_name": name, "lora_path": str(folder.absolute())}


def _most_tokens(request: ChatRequest) -> int:
    """More tokens than the prompt can have: none is shorter than a byte, and chat templates add little."""
    texts = [request.prompt or "", request.suffix or "", *(message.content for message in request.messages)]
    calls = [call.arguments + call.name for message in request.messages for call in message.tool_calls]
    tools = [json.dumps(outgoing.tokenize_body(request, ""))] if request.tools else []
    size = sum(len(text.encode()) for text in (*texts, *calls, *tools))
    if request.prompt is not None:
        return size + SPECIAL_TOKENS
    return size + TEMPLATE_TOKENS + MESSAGE_TOKENS * len(request.messages)


def _as_vllm_takes_it(request: ChatRequest) -> ChatRequest:
    """vLLM gives several greedy answers only if they are drawn, from the likeliest token alone."""
    sampling = request.sampling
    if sampling.n == 1 or sampling.temperature > 0:
        return request
    return replace(request, sampling=replace(sampling, temperature=1.0, top_k=1, top_p=1.0, min_p=0.0))
