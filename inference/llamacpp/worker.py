"""The thread in which the model computes; nothing else touches the scheduler, the contexts or a sampler.

Others hand it commands, which it carries out between two steps, and get chunks back through their
generation. When the thread ends, whatever still waits is told so.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from inference.errors import EngineError, EngineUnavailable
from inference.llamacpp.embedder import Embedder
from inference.llamacpp.loading import Loaded
from inference.llamacpp.outbox import Outbox
from inference.llamacpp.runner import Runner
from inference.llamacpp.sampler import Sampler
from inference.llamacpp.scheduler import Scheduler, Step
from inference.llamacpp.sequence import Generation, Sequence
from inference.llamacpp.slots import Placement
from inference.llamacpp.threads import Threads
from inference.protocol import Chunk, Priority

Rows = NDArray[np.float32]
CLOSED = "The llama.cpp engine is closed."


@dataclass(slots=True, eq=False)
class EmbedJob:
    """Groups of texts still to embed, the rows of those that are done, and the promise of all of them."""

    groups: deque[list[list[int]]]
    priority: Priority
    rows: list[Rows] = field(default_factory=list)
    result: Future[Rows] = field(default_factory=Future)


class Worker:
    """Runs steps while there is work."""

    def __init__(self, loaded: Loaded, scheduler: Scheduler) -> None:
        self._model = loaded.model
        self._scheduler = scheduler
        self._runner = loaded.runner
        self._embedder = loaded.embedder
        self._threads, self._embedding_threads = Threads(loaded.threads), Threads(loaded.threads)
        self._generations: set[Generation] = set()
        self._jobs: deque[EmbedJob] = deque()
        self._outbox = Outbox()
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stopping = False
        self._closed = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"llama.cpp {self._model.path.name}", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether commands are carried out."""
        return not self._closed

    @property
    def load(self) -> tuple[int, int]:
        """Sequences that are live and that wait."""
        return len(self._scheduler.running), self._scheduler.waiting

    def submit(self, generation: Generation) -> None:
        """Start answering; chunks arrive at the generation. Raises `EngineUnavailable` after `stop`."""
        self._demand(lambda: self._add(generation))

    def cancel(self, generation: Generation) -> None:
        """Stop answering before the next step; nothing happens if the answer is complete."""
        self._command(lambda: self._forget(generation))

    def embed(self, texts: list[list[int]], priority: Priority) -> EmbedJob:
        """Start embedding; the job's result will be the texts' vectors (texts x width).

        Raises `EngineUnavailable` after `stop`.
        """
        assert self._embedder is not None
        job = EmbedJob(deque(self._embedder.batches(texts)), priority)
        job.result.set_running_or_notify_cancel()  # from here on only `drop` ends it early
        self._demand(lambda: self._jobs.append(job))
        return job

    def drop(self, job: EmbedJob) -> None:
        """Stop embedding; nothing happens if the job is done."""
        self._command(lambda: self._forget_job(job))

    def stop(self) -> None:
        """End the thread after the current step, and wait for it; safe to call twice."""
        self._command(self._stop)
        self._thread.join()

    def _demand(self, command: Callable[[], None]) -> None:
        if not self._command(command):
            raise EngineUnavailable(CLOSED)

    def _command(self, command: Callable[[], None]) -> bool:
        """Have it carried out before the next step; False if there will be none."""
        with self._lock:
            if not self._closed:
                self._commands.put(command)
            return not self._closed

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._carry_out_commands()
                self._embed_some()
                self._step()
        finally:
            with self._lock:
                self._closed = True
            self._carry_out_commands(wait=False)
            self._fail(set(self._generations), EngineUnavailable(CLOSED))
            for job in self._jobs:
                job.result.set_exception(EngineUnavailable(CLOSED))

    def _carry_out_commands(self, wait: bool = True) -> None:
        idle = self._scheduler.idle and not self._jobs
        try:
            while True:
                self._commands.get(block=wait and idle)()
                idle = False
        except queue.Empty:
            return

    def _stop(self) -> None:
        self._stopping = True

    def _add(self, generation: Generation) -> None:
        self._generations.add(generation)
        self._scheduler.add(generation)

    def _forget(self, generation: Generation) -> None:
        self._generations.discard(generation)
        self._outbox.forget(generation)
        for sequence in generation.sequences:
            self._release(sequence)

    def _forget_job(self, job: EmbedJob) -> None:
        if job in self._jobs:
            self._jobs.remove(job)

    def _fail(self, generations: set[Generation], error: EngineError) -> None:
        for generation in generations:
            self._outbox.fail(generation, error)
            self._forget(generation)

    def _release(self, sequence: Sequence) -> None:
        self._scheduler.release(sequence)
        if sequence.sampler is not None:
            sequence.sampler.close()

    def _embed_some(self) -> None:
        """Embed one group of texts, so that a step follows soon; batch jobs wait while others are there."""
        if not self._jobs or self._embedder is None:
            return
        job = next((job for job in self._jobs if job.priority == "interactive"), self._jobs[0])
        try:
            job.rows.append(self._embed_group(self._embedder, job.groups.popleft()))
        except EngineError as error:
            self._jobs.remove(job)
            job.result.set_exception(error)
            return
        if not job.groups:
            self._jobs.remove(job)
            job.result.set_result(np.concatenate(job.rows))

    def _embed_group(self, embedder: Embedder, texts: list[list[int]]) -> Rows:
        tokens = sum(map(len, texts))
        threads = self._embedding_threads.choose(tokens)
        embedder.use_threads(threads)
        started = time.perf_counter()
        rows = embedder.embed(texts)
        self._embedding_threads.computed(tokens, threads, time.perf_counter() - started)
        return rows

    def _step(self) -> None:
        """Admit, compute, draw, hand over."""
        runner = self._runner
        if runner is None:
            return
        for placement in self._scheduler.admit():
            self._begin(runner, placement)
        steps = self._scheduler.schedule()
        if not steps:
            return
        try:
            rows = self._forward(runner, steps)
        except EngineError as error:
            self._fail({step.sequence.generation for step in steps}, error)
            return
        for step, row in zip(steps, rows, strict=True):
            step.sequence.computed += step.count
            if step.output and step.sequence.slot is not None:
                self._draw(runner, step, row)
        self._hand_over()

    def _forward(self, runner: Runner, steps: list[Step]) -> list[int]:
        """Compute, and learn from how long it took. Raises `EngineError`."""
        tokens = sum(step.count + len(step.guess) for step in steps)
        threads = self._threads.choose(tokens)
        runner.use_threads(threads)
        started = time.perf_counter()
        rows = runner.forward(steps)
        seconds = time.perf_counter() - started
        self._threads.computed(tokens, threads, seconds)
        if prompt_tokens := sum(step.count for step in steps if step.count > 1):
            self._scheduler.pace.observe(prompt_tokens, seconds)
        return rows

    def _begin(self, runner: Runner, placement: Placement) -> None:
        sequence = placement.sequence
        generation = sequence.generation
        sequence.computed = runner.place(placement)
        if sequence.sampler is not None:
            return  # it was set aside and goes on
        if sequence.index == 0:
            generation.cached_tokens = sequence.computed
        try:
            sequence.sampler = Sampler(
                self._model, generation.request.sampling, sequence.index, generation.max_tokens, generation.grammar
            )
        except EngineError as error:
            self._fail({generation}, error)

    def _draw(self, runner: Runner, step: Step, row: int) -> None:
        """Draw the next token, and one more for each token of the guess that was right."""
        sequence, right = step.sequence, 0
        token = self._draw_one(runner, sequence, row)
        for number, guessed in enumerate(step.guess, 1):
            if token != guessed or sequence.slot is None:
                break
            right += 1
            sequence.computed += 1
            token = self._draw_one(runner, sequence, row + number)
        sequence.lookup.learn(len(step.guess), right)
        if right < len(step.guess) and sequence.slot is not None:
            runner.take_back(sequence.slot, sequence.computed)

    def _draw_one(self, runner: Runner, sequence: Sequence, row: int) -> int | None:
        sampler, vocabulary = sequence.sampler, self._model.vocabulary
        assert sampler is not None
        try:
            token = sampler.sample(runner.context, row)
        except EngineError as error:
            self._fail({sequence.generation}, error)
            return None
        logprob = sampler.logprob(runner.context, row, token)
        piece = None if vocabulary.is_end(token) else vocabulary.piece(token)
        chunk = sequence.append(token, piece, logprob)
        if sequence.finished:
            self._release(sequence)
        self._put_out(sequence.generation, chunk)
        return token

    def _put_out(self, generation: Generation, chunk: Chunk) -> None:
        if chunk.text or chunk.tool_calls or chunk.logprobs or chunk.finish_reason:
            self._outbox.put(generation, chunk)
        if generation.finished:
            self._generations.discard(generation)
            self._outbox.put(generation, Chunk(model=generation.request.model, usage=generation.usage()))

    def _hand_over(self) -> None:
        for generation in self._outbox.send():
            self._forget(generation)
