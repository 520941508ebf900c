"""From free text to a grammar in the middle of an answer, and sometimes in the middle of a token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from inference.llamacpp import sampler as sampling
from inference.llamacpp.model import Model
from inference.llamacpp.sampler import Sampler
from inference.llamacpp.toolcalls.calling import Calling, calling_for
from inference.llamacpp.toolcalls.families import family_of
from inference.protocol import Sampling, ToolChoice
from tests.inference.tiny_model import FIRST_WORD, IM_END, Shape, write_tiny_model
from tests.inference.tool_models import HERMES, LLAMA3, ask

WORDS = (
    "<tool_call>",
    " see <tool_",
    "call>\n{",
    "call>x",
    'call>{"name',
    "é</tool_call>",
    '{"name": "',
    'add"}',
    'add",',
)
TAG, SEE, GOOD, BAD, ALSO_GOOD, OTHER, NAME, ADD_BAD, ADD_GOOD = range(FIRST_WORD, FIRST_WORD + len(WORDS))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    model = Model(write_tiny_model(tmp_path_factory.mktemp("words") / "tiny.gguf", Shape(words=WORDS)), gpu_layers=0)
    yield model
    model.close()


class Api:
    """llama.cpp, with scores of our own in place of a context's."""

    def __init__(self, api: Any) -> None:
        self._api = api
        self.scores: np.ndarray[Any, np.dtype[np.float32]] = np.zeros(0, np.float32)
        self.asked_grammars = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    def llama_sampler_apply(self, grammar: Any, candidates: Any) -> None:
        self.asked_grammars += 1
        self._api.llama_sampler_apply(grammar, candidates)


Wanting = Callable[..., int]


@pytest.fixture
def draw(model: Model, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Calling], tuple[Sampler, Api, Wanting]]]:
    """A greedy sampler, and a function that draws when the tokens given are the likeliest, best first."""
    made: list[Sampler] = []

    def make(calling: Calling) -> tuple[Sampler, Api, Wanting]:
        api = Api(model.api)
        monkeypatch.setattr(model, "api", api)
        monkeypatch.setattr(sampling, "logits", lambda *_: api.scores)
        made.append(Sampler(model, Sampling(0), 0, 100, calling))

        def wanting(*tokens: int) -> int:
            api.scores = np.linspace(-1, 0, model.vocabulary.size, dtype=np.float32)
            api.scores[list(tokens)] = np.arange(len(tokens), 0, -1)
            return made[-1].sample(None, 0)

        return made[-1], api, wanting

    yield make
    for each in made:
        each.close()


def calling(template: str) -> Calling:
    found = calling_for(ask(tool_choice=ToolChoice("auto")), family_of(template), {})
    assert found is not None
    return found


def test_text_is_drawn_freely_and_a_call_by_its_grammar(draw: Any) -> None:
    sampler, api, wanting = draw(calling(HERMES))
    assert [wanting(token) for token in (ord("a"), OTHER, SEE, ord("x"))] == [ord("a"), OTHER, SEE, ord("x")]
    assert api.asked_grammars == 0
    assert (wanting(TAG), api.asked_grammars) == (TAG, 1)
    assert [wanting(token, fits) for token, fits in ((ord("x"), NAME), (ADD_BAD, ADD_GOOD))] == [NAME, ADD_GOOD]
    assert api.asked_grammars == 5  # about each token, and then about all
    assert sampler._watch is None


@pytest.mark.parametrize(("fits", "then", "next_"), [(GOOD, ord("x"), ord('"')), (ALSO_GOOD, ord("x"), ord('"'))])
def test_a_trigger_may_end_within_a_token(draw: Any, fits: int, then: int, next_: int) -> None:
    _, _, wanting = draw(calling(HERMES))
    assert [wanting(SEE), wanting(fits), wanting(then, next_)] == [SEE, fits, next_]


def test_a_token_that_begins_a_call_and_goes_on_as_none_can_is_not_taken(draw: Any) -> None:
    sampler, _, wanting = draw(calling(HERMES))
    assert [wanting(SEE), wanting(BAD, GOOD)] == [SEE, GOOD]
    assert sampler._constraint is not None


def test_in_its_place_text_may_go_on(draw: Any) -> None:
    sampler, api, wanting = draw(calling(HERMES))
    assert [wanting(SEE), wanting(BAD, ord("b")), wanting(BAD)] == [SEE, ord("b"), BAD]
    assert (sampler._constraint, api.asked_grammars) == (None, 1)


def test_an_answer_may_end_without_calls(draw: Any) -> None:
    _, _, wanting = draw(calling(HERMES))
    assert [wanting(SEE), wanting(IM_END)] == [SEE, IM_END]


def test_only_the_beginning_of_an_answer_is_json_that_calls(draw: Any) -> None:
    sampler, _, wanting = draw(calling(LLAMA3))
    assert [wanting(NAME), wanting(ADD_BAD, ADD_GOOD)] == [NAME, ADD_GOOD]
    assert sampler._constraint is not None
    sampler, _, wanting = draw(calling(LLAMA3))
    assert [wanting(ord("a")), wanting(NAME), wanting(ADD_BAD)] == [ord("a"), NAME, ADD_BAD]
    assert sampler._constraint is None


def test_a_control_token_that_begins_calls_is_read_by_its_name(draw: Any) -> None:
    found = calling_for(ask(), family_of("[TOOL_CALLS]"), {IM_END - 1: b"[TOOL_CALLS]"})
    assert found is not None
    sampler, _, wanting = draw(found)
    # The vocabulary's own name for the token is another, so the grammar refuses it: it is not the text it stands for.
    assert wanting(IM_END - 1, ord("a")) == ord("a")
    assert sampler._constraint is None
