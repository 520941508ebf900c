"""The tokenizer loses nothing, knows its special tokens, and llama.cpp splits as it does."""

from __future__ import annotations

from pathlib import Path

import pytest
from llama_cpp import Llama
from tokenizers import Tokenizer

from tests.training.tiny import random_model
from training.corpus import markup
from training.corpus.mixing import KINDS, Material, make_sample
from training.gguf_file import write_gguf
from training.tokenizer import load_tokenizer, token_id, train_tokenizer

VOCAB_SIZE = 700
BUNDLED = Path(__file__).parents[2] / "inference" / "bundled"
HARD = (
    "def f(x):\n    return x ** 2  # it's\n\n\n",
    "  a\tb \r\n\r\n  c   \n",
    "Ärger, naïve, 数字, 🙂 and “quotes”",
    "x1=22;y_2=3333 don't we'll I'M 'RE \"'s\"",
    "<|im_start|>user\nhi<|im_end|>\n<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|><|endoftext|>",
    "<|im_start|> <|im_sta <||> <|unknown|>",
    "",
    "\n",
    "    ",
    "\x00\x7f\u200b\u00a0",
)


@pytest.fixture(scope="module")
def texts(materials: list[Material]) -> list[str]:
    """Samples of all kinds."""
    import random

    rng = random.Random(3)
    return [make_sample(kind, material, rng).text for material in materials for kind in KINDS]


@pytest.fixture(scope="module")
def learnt(texts: list[str]) -> Tokenizer:
    """A small vocabulary learnt from them."""
    return train_tokenizer(texts[::2], VOCAB_SIZE)


def test_what_is_encoded_is_decoded_again(learnt: Tokenizer, texts: list[str]) -> None:
    for text in (*texts, *HARD):
        ids = learnt.encode(text, add_special_tokens=False).ids
        assert learnt.decode(ids, skip_special_tokens=False) == text


def test_special_tokens_come_first_and_stand_for_themselves(learnt: Tokenizer) -> None:
    assert learnt.get_vocab_size() == VOCAB_SIZE
    for number, token in enumerate(markup.SPECIAL_TOKENS):
        assert token_id(learnt, token) == number
        assert learnt.encode(f"a{token}b", add_special_tokens=False).ids[1] == number
    with pytest.raises(ValueError, match=r"has no .*nothing"):
        token_id(learnt, "<|nothing|>")


def test_a_name_has_the_same_tokens_wherever_it_stands(learnt: Tokenizer) -> None:
    alone = learnt.encode("numbers", add_special_tokens=False).ids
    for before, after in (("`", "`"), ("(", ")"), (".", "."), ("[", "]")):
        assert learnt.encode(f"{before}numbers{after}", add_special_tokens=False).ids[1:-1] == alone


def test_a_saved_tokenizer_is_the_same_tokenizer(learnt: Tokenizer, tmp_path: Path) -> None:
    learnt.save(str(tmp_path / "tokenizer.json"))
    again = load_tokenizer(tmp_path / "tokenizer.json")
    assert [again.encode(text).ids for text in HARD] == [learnt.encode(text).ids for text in HARD]


def llama_ids(path: Path, texts: list[str]) -> list[list[int]]:
    """What llama.cpp makes of the texts, with a vocabulary alone."""
    llama = Llama(str(path), vocab_only=True, verbose=False)
    try:
        return [llama.tokenize(text.encode(), add_bos=False, special=True) for text in texts]
    finally:
        llama.close()


def test_llama_cpp_has_the_same_ids(learnt: Tokenizer, texts: list[str], tmp_path: Path) -> None:
    model = random_model(VOCAB_SIZE, seed=1)
    write_gguf(model.weights, model.shape, learnt, tmp_path / "tiny.gguf")
    every = [*texts, *(text for text in HARD if "\x00" not in text)]
    found = llama_ids(tmp_path / "tiny.gguf", every)
    for text, ids in zip(every, found, strict=True):
        assert ids == learnt.encode(text, add_special_tokens=False).ids, text


@pytest.mark.parametrize("name", ["pico-coder", "nano-coder"])
def test_the_bundled_models_have_the_ids_of_their_tokenizer(name: str, texts: list[str]) -> None:
    bundled = load_tokenizer(BUNDLED / name / "tokenizer.json")
    for text, ids in zip(texts, llama_ids(BUNDLED / name / f"{name}.Q8_0.gguf", texts), strict=True):
        assert ids == bundled.encode(text, add_special_tokens=False).ids, text
