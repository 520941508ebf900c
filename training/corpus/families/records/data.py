"""The lists of records that the tests of several families use."""

from __future__ import annotations

PEOPLE = [
    {"name": "Ann", "age": 30, "city": "Rome"},
    {"name": "Bob", "age": 25, "city": "Oslo"},
    {"name": "Cid", "age": 30, "city": "Oslo"},
]


PARTS: list[dict[str, object]] = [
    {"id": 1, "price": 5, "kind": "x"},
    {"id": 2, "price": 0},
    {"id": 3, "kind": "y", "price": 8},
    {"id": 4, "kind": "x"},
]


SALES = [
    {"item": "pen", "amount": 3},
    {"item": "ink", "amount": 10},
    {"item": "pen", "amount": 7},
    {"item": "cap", "amount": 10},
]
