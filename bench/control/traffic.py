"""Mixed calls of several tenants: chats and embeddings, abandoned, late and drifting from easy to hard."""

from __future__ import annotations

import random
import time
from decimal import Decimal

from inference.protocol import Caller, ChatRequest, EmbedRequest, Message, Sampling

CLASSES = ("public", "internal", "confidential")
TENANTS = 8
EASY, HARD = "Say hello. ", "Refactor the distributed transaction protocol; migrate the compiler. "


def tenant(number: int) -> str:
    """Its name."""
    return f"tenant-{number}"


def caller(chance: random.Random) -> Caller:
    """Somebody of one of the tenants; the stricter the number, the stricter the class of its data."""
    number = chance.randrange(TENANTS)
    least = number % len(CLASSES)
    data_class = CLASSES[chance.randint(least, len(CLASSES) - 1)]
    return Caller(tenant(number), "ada", data_class, key=f"key_{number}_{chance.randrange(3)}")


def chat(chance: random.Random, progress: float) -> ChatRequest:
    """A chat; the later in the run (0 to 1), the harder."""
    text = (HARD if chance.random() < progress else EASY) * chance.randint(1, 12)
    return ChatRequest(
        chance.choice(("auto", "auto", "auto", "local", "cloud-strong")),
        (Message("user", text),),
        sampling=Sampling(max_tokens=chance.choice((None, 5, 40))),
        caller=caller(chance),
        deadline=time.time() + 0.003 if chance.random() < 0.03 else None,
        max_cost_usd=Decimal("0.0005") if chance.random() < 0.05 else None,
        priority=chance.choice(("interactive", "batch")),
    )


def texts(chance: random.Random) -> EmbedRequest:
    """Texts to embed."""
    texts = tuple(EASY * chance.randint(1, 5) for _ in range(chance.randint(1, 3)))
    return EmbedRequest(chance.choice(("local", "cloud-cheap")), texts, caller=caller(chance))
