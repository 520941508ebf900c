from inventory.orders import names, order_total

LINES = [
    {"name": "bolt", "price": 5, "count": 100},
    {"name": "nut", "price": 4, "count": 50},
    {"name": "bolt", "price": 5, "count": 1},
]


def test_order_total():
    assert order_total(LINES) == 705
    assert order_total([]) == 0


def test_names():
    assert names(LINES) == ["bolt", "nut"]
