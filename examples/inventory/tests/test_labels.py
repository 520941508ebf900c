from inventory.labels import box_label, price_label


def test_price_label():
    assert price_label(350) == "3.50"
    assert price_label(5) == "0.05"


def test_box_label():
    assert box_label("bolts", 7) == "BOLTS-007"
