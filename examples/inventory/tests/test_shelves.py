from inventory import labels

NAMES = ["bolt", "nut", "bracket", "key", "no", "nail"]


def test_names_are_grouped_by_their_first_letter():
    assert labels.group_words(NAMES) == {"b": ["bolt", "bracket"], "n": ["nut", "nail"], "k": ["key"]}


def test_short_names_are_skipped():
    assert labels.group_words(["a", "ox", "nut"]) == {"n": ["nut"]}


def test_nothing_gives_nothing():
    assert labels.group_words([]) == {}
