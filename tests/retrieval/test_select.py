from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.chunk import chunk
from retrieval.protocol import Passage
from retrieval.select import select


def words(text: str) -> int:
    return len(text.split())


def passage(path: str, start: int, end: int, score: float, symbols: tuple[str, ...] = ()) -> Passage:
    text = "".join(f"{path} {number}\n" for number in range(start, end + 1))  # two tokens a line
    return Passage(path, start, end, text, symbols, score)


def spans(passages: list[Passage]) -> list[tuple[str, int, int]]:
    return [(one.path, one.start_line, one.end_line) for one in passages]


def test_the_best_that_fit_are_taken_and_smaller_ones_fill_the_rest() -> None:
    found = [passage("a", 1, 10, 0.9), passage("b", 1, 30, 0.8), passage("c", 1, 5, 0.7)]
    assert spans(select(found, 30, words)) == [("a", 1, 10), ("c", 1, 5)]
    assert spans(select(found, 29, words)) == [("a", 1, 10)]
    assert select([], 100, words) == []


def test_touching_passages_become_one_with_the_better_score() -> None:
    found = [passage("a", 6, 9, 0.5, ("g",)), passage("b", 1, 2, 0.4), passage("a", 1, 5, 0.3, ("f", "g"))]
    chosen = select(found, 100, words)
    assert spans(chosen) == [("a", 1, 9), ("b", 1, 2)]
    assert chosen[0].text == passage("a", 1, 9, 0).text
    assert (chosen[0].symbols, chosen[0].score) == (("f", "g"), 0.5)


def test_one_file_does_not_crowd_out_the_others() -> None:
    found = [passage("a", start, start, 1.0 - start / 100) for start in range(1, 20, 2)] + [passage("b", 1, 1, 0.1)]
    assert spans(select(found, 1000, words, per_file=2)) == [("a", 1, 1), ("a", 3, 3), ("b", 1, 1)]


def test_named_files_come_first_and_are_not_limited() -> None:
    named = chunk("x.py", "".join(f"def f{i}(): ...\n" for i in range(6)))
    found = [passage("a", 1, 2, 0.9), *named, passage("y", 1, 1, 0.1)]
    chosen = select(found, 1000, words, must=["y", "x.py"], per_file=1)
    assert spans(chosen) == [("y", 1, 1), ("x.py", 1, 6), ("a", 1, 2)]


def test_the_same_lines_are_not_told_twice() -> None:
    found = [passage("a", 1, 4, 0.9), passage("a", 1, 4, 0.9), passage("a", 3, 6, 0.8)]
    assert spans(select(found, 1000, words)) == [("a", 1, 4)]


def test_only_what_is_alone_too_long_is_cut_and_it_says_so() -> None:
    (cut,) = select([passage("a", 11, 60, 0.9), passage("b", 1, 1, 0.8)], 40, words)
    assert (cut.path, cut.start_line, cut.end_line) == ("a", 11, 25)
    assert cut.text == passage("a", 11, 25, 0).text + "[cut: lines 26 to 60 of a did not fit]\n"
    assert words(cut.text) <= 40
    assert select([passage("a", 1, 1, 0.9)], 1, words) == []


PASSAGES = st.lists(
    st.builds(
        lambda path, start, length, score: passage(path, start, start + length, score),
        st.sampled_from("abc"), st.integers(1, 30), st.integers(0, 12), st.floats(0, 1),
    ),
    max_size=15,
)  # fmt: skip


@settings(deadline=None)
@given(PASSAGES, st.integers(1, 120), st.lists(st.sampled_from("abc"), unique=True))
def test_a_choice_is_within_budget_disjoint_and_does_not_depend_on_the_order_given(
    found: list[Passage], budget: int, must: list[str]
) -> None:
    distinct = list({(one.path, one.start_line): one for one in found}.values())
    chosen = select(distinct, budget, words, must, 3)
    assert sum(words(one.text) for one in chosen) <= budget
    lines = [(one.path, number) for one in chosen for number in range(one.start_line, one.end_line + 1)]
    assert len(lines) == len(set(lines))
    assert select(distinct[::-1], budget, words, must, 3) == chosen
