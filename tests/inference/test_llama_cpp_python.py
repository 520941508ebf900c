"""The HTTP engine before a server that others wrote: llama-cpp-python's own, with a model that comes with us.

It answers one request at a time, counts no tokens in streams, and breaks a stream off where others send an error.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from inference.catalog import HttpModel
from inference.child import Child, free_port
from inference.collect import complete
from inference.errors import EngineUnavailable
from inference.http import HttpEngine
from inference.protocol import ChatRequest, EmbedRequest, Message, Sampling
from inference.weights.store import BUNDLED
from tests.inference.serving import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

PYTHON = Path(__file__).parents[2] / ".setup" / "llama-cpp-python" / "bin" / "python"
WEIGHTS = next((BUNDLED / "pico-coder").glob("*.gguf"))
ASK = ChatRequest("theirs", (Message("user", "Write add(a, b)."),), sampling=Sampling(0, max_tokens=8))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def theirs(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HttpEngine]:
    port = free_port()
    options = {"model": WEIGHTS, "model_alias": "large", "n_ctx": 256, "port": port, "n_threads": 1, "embedding": True}
    command = [str(PYTHON), "-m", "llama_cpp.server"]
    for name, value in {**options, "n_threads_batch": 1, "logits_all": True, "verbose": False}.items():
        command += [f"--{name}", f"{value}"]
    child = await Child.spawn(command, tmp_path_factory.mktemp("theirs") / "log")
    engine = HttpEngine(
        HttpModel(
            engine="http",
            name="theirs",
            model="large",
            tier="draft",
            context_tokens=256,
            capabilities=frozenset({"chat", "completion", "embeddings", "logprobs"}),
            url=f"http://127.0.0.1:{port}/v1",
        )
    )

    async def ready() -> bool:
        return (await engine.ask_health()).ready

    try:
        await eventually(ready, within_seconds=60)
        yield engine
    finally:
        await engine.close()
        await child.stop()


async def test_a_chat_is_answered_and_what_it_does_not_count_is_estimated(theirs: HttpEngine) -> None:
    completion = await complete(theirs, ASK)
    (choice,) = completion.choices
    assert (completion.model, choice.finish_reason) == ("theirs", "length")
    assert choice.text
    assert completion.usage.estimated
    assert completion.usage.completion_tokens == 8
    assert await complete(theirs, ASK) == completion


async def test_the_answer_ends_at_a_stop_string(theirs: HttpEngine) -> None:
    whole = (await complete(theirs, replace(ASK, sampling=Sampling(0, max_tokens=30)))).text
    stop = whole.split()[2]
    (choice,) = (await complete(theirs, replace(ASK, sampling=Sampling(0, max_tokens=30, stop=(stop,))))).choices
    assert (choice.text, choice.finish_reason) == (whole[: whole.index(stop)], "stop")


async def test_a_prompt_is_continued(theirs: HttpEngine) -> None:
    completion = await complete(theirs, replace(ASK, messages=(), prompt="def add(a, b):\n"))
    assert completion.text.startswith("    return")


async def test_logprobs_are_read(theirs: HttpEngine) -> None:
    sampling = Sampling(0, max_tokens=4, logprobs=True, top_logprobs=2)
    (choice,) = (await complete(theirs, replace(ASK, sampling=sampling))).choices
    assert "".join(each.token for each in choice.logprobs) == choice.text
    for each in choice.logprobs:
        assert each.top[0] == (each.token, each.logprob)
        assert each.top[0][1] >= each.top[1][1]


async def test_what_is_not_openais_format_is_called_that(theirs: HttpEngine) -> None:
    """A vector for each token, as it gives them for a model that does not pool."""
    with pytest.raises(EngineUnavailable, match=r"form that is not OpenAI's: data\.0\.embedding"):
        await theirs.embed(EmbedRequest("theirs", ("add", "subtract")))


async def test_who_leaves_blocks_nobody(theirs: HttpEngine) -> None:
    async with aclosing(theirs.stream(replace(ASK, sampling=Sampling(0, max_tokens=200)))) as chunks:
        assert (await anext(chunks)).text
    assert (await complete(theirs, ASK)).text


async def test_a_prompt_that_is_too_long_is_an_error_and_the_next_one_is_answered(theirs: HttpEngine) -> None:
    with pytest.raises(EngineUnavailable, match="ended its stream before the answer was complete"):
        await complete(theirs, replace(ASK, messages=(Message("user", "x " * 600),)))

    async def answered() -> bool:
        """It closes the connection behind that; the router asks again after such an error, the engine does not."""
        try:
            return bool((await complete(theirs, ASK)).text)
        except EngineUnavailable:
            return False

    await eventually(answered)
