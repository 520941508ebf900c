import pytest

from inventory import orders

LINES = [
    {"name": "bolt", "box": "A", "count": 100},
    {"name": "nut", "box": "B", "count": 50},
    {"name": "bolt", "box": "C", "count": 7},
]


def test_the_values_of_each_group_are_listed():
    assert orders.total_by(LINES, "name", "count") == {"bolt": [100, 7], "nut": [50]}
    assert orders.total_by(LINES, "box", "count") == {"A": [100], "B": [50], "C": [7]}


def test_nothing_gives_nothing():
    assert orders.total_by([], "name", "count") == {}


def test_a_line_that_lacks_a_key_is_an_error():
    with pytest.raises(KeyError):
        orders.total_by([{"name": "bolt"}], "name", "count")
