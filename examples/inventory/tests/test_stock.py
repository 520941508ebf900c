import pytest

from inventory import stock


@pytest.fixture
def filled():
    shelf = stock.Stock()
    shelf.fill("bolt", 5)
    shelf.fill("nut", 2)
    return shelf


def test_what_is_filled_is_counted(filled):
    filled.fill("nut", 4)
    assert filled.count("bolt") == 5
    assert filled.count("nut") == 6


def test_what_is_removed_is_gone(filled):
    filled.remove("bolt", 2)
    assert filled.count("bolt") == 3


def test_more_than_there_is_cannot_be_removed(filled):
    with pytest.raises(ValueError):
        filled.remove("bolt", 6)
    with pytest.raises(ValueError):
        filled.remove("washer", 1)
    assert filled.count("bolt") == 5


def test_a_name_that_is_unknown_or_used_up_has_no_count(filled):
    filled.remove("nut", 1)
    filled.remove("nut", 1)
    assert filled.count("nut") is None
    assert filled.count("washer") is None
