"""Orders of the shop: lines are dicts with `name`, `price` and `count`."""


def order_total(lines):
    """What an order costs."""
    return sum(line["price"] * line["count"] for line in lines)


def names(lines):
    """What is ordered, each name once, in the order of the lines."""
    return list(dict.fromkeys(line["name"] for line in lines))
