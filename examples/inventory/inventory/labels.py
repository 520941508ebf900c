"""Texts on shelves and boxes."""


def price_label(cents):
    """A price as it is printed on a shelf, such as `3.50`."""
    return f"{cents // 100}.{cents % 100:02}"


def box_label(name, number):
    """What stands on a box, such as `BOLTS-007`."""
    return f"{name.upper()}-{number:03}"
