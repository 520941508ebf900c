"""Lists of lists as rows and columns."""

from __future__ import annotations

from collections.abc import Callable

from training.corpus.clauses import each
from training.corpus.registry import family
from training.corpus.types import Names, Task


@family(
    "matrix_sums sum_lines line_totals totals",
    "matrix grid rows table",
    axis=("row", "column"),
    what=("sum", "largest", "smallest", "average"),
)
def matrix_sums(n: Names, axis: str, what: str) -> Task:
    f, m = n
    function = {
        "sum": "sum(line)",
        "largest": "max(line)",
        "smallest": "min(line)",
        "average": "sum(line) / len(line)",
    }[what]
    source = m if axis == "row" else f"zip(*{m})"
    named = {
        "sum": "the sum",
        "largest": "the largest number",
        "smallest": "the smallest number",
        "average": "the average",
    }[what]

    def oracle(rows: list[list[int]]) -> list[object]:
        lines = rows if axis == "row" else [[row[i] for row in rows] for i in range(len(rows[0]) if rows else 0)]
        return [
            {"sum": sum(x), "largest": sorted(x)[-1], "smallest": sorted(x)[0], "average": sum(x) / len(x)}[what]
            for x in lines
        ]

    return Task(
        says=(
            f"return a list with {named} of each {axis} of `{m}`",
            f"compute {named} of every {axis} in `{m}`",
            f"return {named} for all {axis}s of the list of lists `{m}`",
            f"go through the {axis}s of `{m}` and collect {named} of each",
            f"determine {named} per {axis} of `{m}` and return them as a list",
            f"give {named} of each {axis} in the matrix `{m}`",
        ),
        code=f"def {f}({m}):\n    return [{function} for line in {source}]",
        oracle=oracle,
        inputs=each(
            [],
            [[4]],
            [[1, 2], [3, 4]],
            [[5, 0, -5]],
            [[1], [2], [6]],
            [[9, 8], [7, 6], [2, 1]],
            [[0, 0], [0, 4]],
            [[3, 1, 2], [6, 5, 4]],
        ),
    )


@family(
    "turn_matrix transform_grid turned reshape_grid",
    "matrix grid rows table",
    how=(
        "transposed",
        "rotated clockwise",
        "rotated counterclockwise",
        "mirrored left to right",
        "mirrored top to bottom",
        "rotated by 180 degrees",
    ),
    rows=("lists", "tuples"),
)
def turn_matrix(n: Names, how: str, rows: str) -> Task:
    f, m = n
    make = rows[:-1].replace("tuples", "tuple")
    body = {
        "transposed": f"[{make}(row) for row in zip(*{m})]",
        "rotated clockwise": f"[{make}(row) for row in zip(*{m}[::-1])]",
        "rotated counterclockwise": f"[{make}(row) for row in zip(*{m})][::-1]",
        "mirrored left to right": f"[{make}(row[::-1]) for row in {m}]",
        "mirrored top to bottom": f"[{make}(row) for row in {m}[::-1]]",
        "rotated by 180 degrees": f"[{make}(row[::-1]) for row in {m}[::-1]]",
    }[how]

    def oracle(grid: list[list[int]]) -> list[object]:
        height, width = len(grid), len(grid[0]) if grid else 0
        turned = how in ("transposed", "rotated clockwise", "rotated counterclockwise")
        spot: Callable[[int, int], tuple[int, int]] = {
            "transposed": lambda i, j: (j, i),
            "rotated clockwise": lambda i, j: (height - 1 - j, i),
            "rotated counterclockwise": lambda i, j: (j, width - 1 - i),
            "mirrored left to right": lambda i, j: (i, width - 1 - j),
            "mirrored top to bottom": lambda i, j: (height - 1 - i, j),
            "rotated by 180 degrees": lambda i, j: (height - 1 - i, width - 1 - j),
        }[how]
        spots = [[spot(i, j) for j in range(height if turned else width)] for i in range(width if turned else height)]
        return [(tuple if rows == "tuples" else list)(grid[i][j] for i, j in line) for line in spots]

    return Task(
        says=(
            f"return the matrix `{m}` {how}",
            f"return a new matrix: `{m}` {how}",
            f"take `{m}`, a list of rows, and return it {how}",
            f"compute `{m}` {how} and return the result",
            f"give back the grid `{m}` {how}",
            f"build the rows of `{m}` {how}",
        ),
        rules=((f"Its rows are {rows}.", f"The rows of the result are {rows}.", f"Return a list of {rows}."),),
        code=f"def {f}({m}):\n    return {body}",
        oracle=oracle,
        inputs=each(
            [],
            [[1]],
            [[1, 2], [3, 4]],
            [[1, 2, 3]],
            [[1], [2]],
            [[1, 2, 3], [4, 5, 6]],
            [[7, 8], [9, 10], [11, 12]],
            [[0, 1], [1, 0], [2, 3]],
        ),
    )
