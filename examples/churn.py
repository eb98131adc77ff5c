"""A program like many: it builds objects, looks them up, drops some, and builds others.

`make demo` runs it with PYTHONMALLOC=malloc, so that every object is a block of the C heap.
"""


class Order:
    """What a small business keeps in memory."""

    def __init__(self, number):
        self.number = number
        self.name = f"order {number}"
        self.lines = [(number, i, str(number * i)) for i in range(number % 7)]
        self.notes = {"from": f"customer {number % 1000}", "sum": number * 1.5}


def main():
    orders = {number: Order(number) for number in range(40_000)}
    total = 0
    newest = len(orders)
    for turn in range(8):
        for number in [number for number in orders if number % 8 == turn]:
            del orders[number]
        for _ in range(6_000):
            orders[newest] = Order(newest)
            newest += 1
        words = " ".join(order.name for order in orders.values()).split()
        total += len(words) + sum(len(order.lines) for order in orders.values())
        by_customer = {}
        for order in orders.values():
            by_customer.setdefault(order.notes["from"], []).append(order)
        total += len(by_customer)
    print(total)


if __name__ == "__main__":
    main()
