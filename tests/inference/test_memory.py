"""Memory of the llama.cpp engine: what is told of it is right, it is bounded, and no request makes it grow."""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Mapping
from pathlib import Path

import pytest

from inference.catalog import LlamaCppModel
from inference.collect import complete
from inference.errors import EngineError, WeightsError
from inference.isolated.engine import IsolatedEngine
from inference.llamacpp.engine import LlamaCppEngine
from inference.llamacpp.loading import BATCH_TOKENS, Loaded, load
from inference.memory import allocated_mib, available_mib, in_words, resident_mib
from inference.protocol import EmbedRequest
from tests.inference.llama_engines import engine_of, prompt, spec
from tests.inference.tiny_model import Shape, write_tiny_model

MIB = 2**20
NANO = next((Path(__file__).parents[2] / "inference/bundled/nano-coder").glob("*.gguf"))
NANO_SPEC = spec(context_tokens=1024, capabilities=["completion"], concurrency=3)
HALF, Q8 = 2.0, 34 / 32  # bytes of a number
WORDS = 20_000
ROOMY = Shape(words=tuple(f"<w{number}>" for number in range(WORDS)))


@pytest.fixture(scope="module")
def wordy_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a large vocabulary, so that results take most of the memory."""
    return write_tiny_model(tmp_path_factory.mktemp("wordy") / "wordy.gguf", ROOMY)


def figures(model: LlamaCppModel, weights: Path) -> dict[str, float]:
    loaded = load(model, weights)
    loaded.close()
    return loaded.memory_mib


def test_the_context_is_as_large_as_the_formula_says(tiny_gguf: Path) -> None:
    tiny = figures(spec(concurrency=3), tiny_gguf)
    assert tiny["context"] == pytest.approx(3 * 256 * 2 * 32 * (HALF + HALF) / MIB, abs=0.01)
    assert tiny["embedder_context"] == pytest.approx(256 * 2 * 32 * (HALF + HALF) / MIB, abs=0.01)
    nano = figures(NANO_SPEC, NANO)  # its heads are narrow: keys have eight bits
    assert nano["context"] == pytest.approx(3 * 1024 * 6 * 256 * (Q8 + HALF) / MIB, abs=0.02)
    assert set(nano) == {"weights", "context", "compute"}


def test_weights_are_as_large_as_the_file(tiny_gguf: Path) -> None:
    for model, path in ((spec(), tiny_gguf), (NANO_SPEC, NANO)):
        size = path.stat().st_size / MIB
        assert 0.8 * size < figures(model, path)["weights"] <= size


def test_compute_buffers_hold_a_batch_and_its_results(wordy_gguf: Path) -> None:
    wordy = figures(spec(concurrency=4), wordy_gguf)
    row = WORDS * 4 / MIB
    assert 2 * 20 * row < wordy["compute"] < 2 * 20 * row + 20  # llama.cpp's own and those handed out
    assert wordy["compute"] < BATCH_TOKENS * row  # what the results of a whole batch would take
    assert 2 * 256 * row < wordy["embedder_compute"] < 2 * 256 * row + 20


def test_a_sketch_has_the_same_figures(tiny_gguf: Path, wordy_gguf: Path) -> None:
    for model, path in ((spec(), tiny_gguf), (spec(concurrency=2), wordy_gguf), (NANO_SPEC, NANO)):
        sketch = Loaded(model, path, sketch=True)
        sketch.close()
        assert sketch.memory_mib == figures(model, path)


async def test_room_for_results_is_there_from_the_start(wordy_gguf: Path) -> None:
    """llama.cpp would move it elsewhere to make it larger."""

    def place(pointer: object) -> int | None:
        return ctypes.cast(api.llama_get_logits(pointer), ctypes.c_void_p).value

    async with engine_of(wordy_gguf) as engine:
        api, runner, embedder = engine._model.api, engine._loaded.runner, engine._loaded.embedder
        assert runner is not None
        assert embedder is not None
        pointers = (runner.context, embedder._context.pointer)
        places = [place(pointer) for pointer in pointers]
        await asyncio.gather(*(complete(engine, prompt("ab" * 40 + str(number))) for number in range(4)))
        await engine.embed(EmbedRequest("tiny", ("a" * 256,)))
        assert [place(pointer) for pointer in pointers] == places
        assert None not in places


async def test_a_step_with_more_results_than_there_is_room_for_is_refused(
    engine: LlamaCppEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """llama.cpp would end the process."""
    monkeypatch.setattr(engine._loaded.runner, "_most_rows", 0)
    with pytest.raises(EngineError, match="there is room for 0"):
        await complete(engine, prompt())


async def test_requests_do_not_make_memory_grow(tiny_gguf: Path, tmp_path: Path) -> None:
    engine = IsolatedEngine(spec(), tiny_gguf, tmp_path)

    async def some(count: int) -> float:
        """Answers together and alone, short and as long as can be, from prompts of all lengths, and embeddings."""
        for number in range(count):
            texts = [f"{number} " + "def f(x): " * (number * part % 24) for part in (1, 3, 5, 7, 9)]
            await asyncio.gather(*(complete(engine, prompt(text, max_tokens=1 + number % 10)) for text in texts))
            await complete(engine, prompt(f"{number} ", max_tokens=30, temperature=1.0, seed=number))
            await engine.embed(EmbedRequest("tiny", (*texts, "x" * (256 - number))))
        return engine.memory_mib()["resident"]

    await engine.start()
    try:
        first = await some(8)
        assert await some(40) - first < 3
    finally:
        await engine.close()


async def test_health_tells_the_memory(engine: LlamaCppEngine) -> None:
    health = await engine.health()
    assert list(health.memory_mib) == ["weights", "context", "compute", "embedder_context", "embedder_compute"]
    assert in_words(health.memory_mib) in health.detail


def test_what_models_yaml_does_not_allow_is_refused(tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = figures(spec(), tiny_gguf)
    enough = int(allocated_mib(needed)) + 1
    assert figures(spec(memory_mib=enough), tiny_gguf) == needed
    made: list[bool] = []
    monkeypatch.setattr("inference.llamacpp.loading.Model", spied(made))
    sentence = r"^The model 'tiny' needs [0-9.]+ MiB of memory \(weights 0\.1 MiB, context .* embedder compute .*\), "
    sentence += rf"but its memory_mib allows {enough - 1}: lower its context_tokens or concurrency, "
    with pytest.raises(WeightsError, match=sentence):
        LlamaCppEngine(spec(memory_mib=enough - 1), tiny_gguf)
    assert made == [True], "only a sketch was loaded"


def spied(made: list[bool]) -> object:
    from inference.llamacpp.model import Model

    def make(path: Path, gpu_layers: int, *, sketch: bool) -> Model:
        made.append(sketch)
        return Model(path, gpu_layers, sketch=sketch)

    return make


def test_what_the_machine_does_not_have_is_refused(tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inference.llamacpp.loading.available_mib", lambda: 1.2)
    with pytest.raises(WeightsError, match="but only 1 are available here: lower"):
        load(spec(), tiny_gguf)
    load(spec(gpu_layers=1), tiny_gguf).close()  # how much of it will be in this memory is not known


async def test_a_process_says_why_it_cannot_start(tiny_gguf: Path, tmp_path: Path) -> None:
    engine = IsolatedEngine(spec(memory_mib=1), tiny_gguf, tmp_path)
    with pytest.raises(WeightsError, match="its memory_mib allows 1"):
        await engine.start()


V2 = {"memory.max": 900, "memory.current": 500}
V1 = {"memory.limit_in_bytes": 900, "memory.usage_in_bytes": 500}
CACHE = {"inactive_file": 100, "active_file": 50, "shmem": 10}
MAPPED = {"file_mapped": 40, "mapped_file": 40}


def write_group(folder: Path, limits: Mapping[str, int | str], prefix: str = "") -> None:
    """A control group whose files are in MiB; 400 are left, and 120 of cache that nobody has mapped."""
    folder.mkdir(parents=True)
    for name, value in limits.items():
        (folder / name).write_text(str(value if isinstance(value, str) else value * MIB))
    rows = {prefix + name: mib * MIB for name, mib in {**CACHE, **MAPPED}.items()}
    (folder / "memory.stat").write_text("".join(f"{name} {size}\n" for name, size in rows.items()))


def write_machine(root: Path, groups: str) -> None:
    """A machine with 4000 MiB, of which 500 are files that somebody has mapped."""
    (root / "proc/self").mkdir(parents=True)
    rows = {"MemAvailable": 4000, "Mapped": 520, "Shmem": 20}
    text = "".join(f"{name}:  {1024 * mib} kB\n" for name, mib in rows.items())
    (root / "proc/meminfo").write_text(text)
    (root / "proc/self/cgroup").write_text(groups)


def test_a_machine_has_what_is_free_and_cache_that_nobody_uses(tmp_path: Path) -> None:
    write_machine(tmp_path, "0::/\n")
    assert available_mib(tmp_path) == 3500
    assert available_mib(tmp_path / "nowhere") == float("inf")
    assert 0 < available_mib() < float("inf")


@pytest.mark.parametrize(
    ("line", "place", "limits", "prefix"),
    [
        ("0::/a/b", "a/b", V2, ""),
        ("0::/a/b", "a", V2, ""),
        ("0::/hidden/from/here", "", V2, ""),
        ("5:cpu,memory:/a", "memory/a", V1, "total_"),
        ("5:memory:/hidden/from/here", "memory", V1, "total_"),
    ],
)
def test_a_control_group_has_what_its_limit_leaves(
    tmp_path: Path, line: str, place: str, limits: Mapping[str, int], prefix: str
) -> None:
    write_machine(tmp_path, f"9:name=systemd:/\n{line}\n")
    write_group(tmp_path / "sys/fs/cgroup" / place, limits, prefix)
    assert available_mib(tmp_path) == 400 + 120


def test_a_control_group_without_a_limit_leaves_what_the_machine_has(tmp_path: Path) -> None:
    write_machine(tmp_path, "0::/a\n")
    write_group(tmp_path / "sys/fs/cgroup/a", {**V2, "memory.max": "max"})
    assert available_mib(tmp_path) == 3500


def test_a_process_that_is_gone_has_nothing_resident() -> None:
    assert resident_mib(2**30) is None
