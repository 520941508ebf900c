"""llama.cpp computes from our GGUF what numpy computes from the weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader
from llama_cpp import Llama
from numpy.typing import NDArray

from codegen.prompts import draft
from tests.training.tiny import Model, as_q8, forward, random_model, read_model
from training.corpus import markup
from training.gguf_file import gguf_name, write_gguf
from training.results import parameters
from training.tokenizer import load_tokenizer, train_tokenizer

BUNDLED = Path(__file__).parents[2] / "inference" / "bundled"
NAMES = ("pico-coder", "nano-coder")
ANSWER = "```python\ndef total(xs):\n    return sum(x for x in xs if x > 0)\n```"
PROMPT = markup.conversation(
    draft("Write a function `total(xs)` that returns the sum of the positive numbers in `xs`.")
)


def llama_logits(path: Path, tokens: list[int]) -> NDArray[np.float32]:
    """llama.cpp's logits (time, vocabulary)."""
    llama = Llama(str(path), n_ctx=256, n_threads=1, n_threads_batch=1, logits_all=True, verbose=False)
    try:
        llama.eval(tokens)
        return np.array(llama.scores[: len(tokens)])
    finally:
        llama.close()


def error(theirs: NDArray[np.float32], ours: NDArray[np.float32]) -> float:
    """The mean difference, as a share of how much the logits vary."""
    return float(np.abs(theirs - ours).mean() / ours.std())


def test_llama_cpp_computes_what_numpy_computes(tmp_path: Path) -> None:
    tokenizer = train_tokenizer([PROMPT, ANSWER], 300)
    model = random_model(tokenizer.get_vocab_size(), seed=2)
    write_gguf(model.weights, model.shape, tokenizer, tmp_path / "tiny.gguf")
    tokens = tokenizer.encode(PROMPT, add_special_tokens=False).ids[:100]
    theirs = llama_logits(tmp_path / "tiny.gguf", tokens)
    ours = forward(Model(model.shape, as_q8(model.weights)), tokens)
    assert error(theirs, ours) < 0.05  # llama.cpp rounds activations to 8 bits as well
    assert (theirs.argmax(-1) == ours.argmax(-1)).mean() > 0.9
    unturned = {key: value for key, value in model.weights.items() if "q_proj" not in key and "k_proj" not in key}
    swapped = {key: value[::-1].copy() for key, value in model.weights.items() if key not in unturned}
    wrong = forward(Model(model.shape, as_q8({**unturned, **swapped})), tokens)
    assert error(theirs, wrong) > 0.2, "the comparison would not notice a wrong order of rows"


@pytest.mark.parametrize("name", NAMES)
def test_both_files_of_a_bundled_model_agree(name: str) -> None:
    folder = BUNDLED / name
    model = read_model(folder)
    tokens = load_tokenizer(folder / "tokenizer.json").encode(PROMPT + ANSWER, add_special_tokens=False).ids
    theirs = llama_logits(folder / f"{name}.Q8_0.gguf", tokens)
    ours = forward(model, tokens)
    assert theirs.shape == ours.shape == (len(tokens), model.shape.vocab_size)
    top = np.sort(ours, axis=-1)
    sure = top[:, -1] - top[:, -2] > 1.0
    assert sure.sum() > 20
    assert (theirs.argmax(-1) == ours.argmax(-1))[sure].all()
    assert error(theirs, ours) < 0.05


@pytest.mark.parametrize("name", NAMES)
def test_a_bundled_gguf_says_what_it_is(name: str) -> None:
    folder = BUNDLED / name
    model = read_model(folder)
    reader = GGUFReader(folder / f"{name}.Q8_0.gguf")
    fields = {key: field.contents() for key, field in reader.fields.items()}
    tokens = fields["tokenizer.ggml.tokens"]
    assert fields["general.name"] == name
    assert fields["llama.context_length"] == model.shape.context_tokens == 1024
    assert fields["tokenizer.chat_template"] == markup.CHAT_TEMPLATE
    assert tokens[: len(markup.SPECIAL_TOKENS)] == list(markup.SPECIAL_TOKENS)
    assert tokens[fields["tokenizer.ggml.eos_token_id"]] == markup.IM_END
    assert tokens[fields["tokenizer.ggml.fim_mid_token_id"]] == markup.FIM_MIDDLE
    assert {tensor.name for tensor in reader.tensors} == {gguf_name(key) for key in model.weights}
    assert sum(value.size for value in model.weights.values()) == parameters(folder / "model.safetensors")
    assert len(tokens) == model.shape.vocab_size == model.weights["model.embed_tokens.weight"].shape[0]
