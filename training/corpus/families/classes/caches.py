"""Caches that forget."""

from __future__ import annotations

from training.corpus.clauses import when_it_fails
from training.corpus.families.classes.methods import refused, stop
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task


def cache_says(put: str, get: str, size: int, touch: bool) -> tuple[str, ...]:
    oldest = "the one not used for longest" if touch else "the one added first"
    return (
        (
            f"keep at most {size} values by key: `{put}(key, value)` stores one, `{get}(key)` returns it; when it "
            f"is full, {oldest} goes"
        ),
        f"hold up to {size} keys with `{put}(key, value)` and `{get}(key)`; if there are more, forget {oldest}",
        (
            f"remember values under keys with `{put}(key, value)`, return them with `{get}(key)`, and beyond "
            f"{size} drop {oldest}"
        ),
        (f"store values by `{put}(key, value)` for `{get}(key)`; it has room for {size} and throws out {oldest} first"),
        f"be a cache of {size} entries with `{put}(key, value)` and `{get}(key)`, in which {oldest} makes room",
        f"provide `{put}(key, value)` and `{get}(key)` for no more than {size} keys, removing {oldest} when needed",
    )


def cache_rules(put: str, get: str, touch: bool, missing: str) -> tuple[Rule, ...]:
    return (
        (
            f"`{put}` with a known key renews it.",
            "Storing a key again makes it the newest.",
            f"A key given to `{put}` again counts as new.",
        ),
        *(
            [
                (
                    f"`{get}` counts as using the key.",
                    f"Reading a key with `{get}` renews it as well.",
                    f"A key that `{get}` returns becomes the newest.",
                )
            ]
            if touch
            else []
        ),
        when_it_fails("the key is unknown", missing),
    )


def cache_tests(n: Names, size: int, touch: bool, missing: str) -> tuple[str, ...]:
    c, put, get = n

    def test(moves: str, key: str) -> str:
        items: dict[str, int] = {}
        lines = [f"c = {c}()"]
        for i, move in enumerate(moves):
            if move.isupper():
                lines.append(f'c.{get}("{move.lower()}")')
                if touch:
                    items[move.lower()] = items.pop(move.lower())
                continue
            items.pop(move, None)
            items[move] = i
            lines.append(f'c.{put}("{move}", {i})')
            while len(items) > size:
                del items[next(iter(items))]
        setup = "\n".join(lines)
        if key in items:
            return f'{setup}\nassert c.{get}("{key}") == {items[key]}'
        return refused(setup, f'c.{get}("{key}")', missing)

    cases = [
        ("", "a"),
        ("a", "b"),
        ("a", "a"),
        ("ba", "a"),
        ("abcd", "a"),
        ("abcd", "d"),
        ("aa", "a"),
        ("abab", "b"),
        ("xyzw", "w"),
        ("xyz", "y"),
        ("pqp", "p"),
        ("mn", "m"),
        ("klmn", "l"),
        ("uvwx", "v"),
    ]
    cases += [(f"{'abcd'[:size]}Ae", "a"), (f"{'abcd'[:size]}Ae", "b")]
    return tuple(test(moves, key) for moves, key in cases)


@family(
    "Cache Memory RecentItems Store",
    "put set_item save store",
    "get fetch read lookup",
    size=(2, 3, 4),
    touch=(True, False),
    missing=("None", "KeyError", "-1"),
)
def cache(n: Names, size: int, touch: bool, missing: str) -> Task:
    c, put, get = n
    renew = "        self.items[key] = self.items.pop(key)\n" if touch else ""
    return Task(
        says=cache_says(put, get, size, touch),
        rules=cache_rules(put, get, touch, missing),
        code=f"""
class {c}:
    def __init__(self):
        self.items = {{}}

    def {put}(self, key, value):
        self.items.pop(key, None)
        self.items[key] = value
        if len(self.items) > {size}:
            del self.items[next(iter(self.items))]

    def {get}(self, key):
{stop("key not in self.items", missing, "unknown key")}{renew}        return self.items[key]
""",
        tests=cache_tests(n, size, touch, missing),
    )
