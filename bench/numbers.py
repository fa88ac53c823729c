"""
The telephone numbers of the benchmarks: any amount, none twice, in no order.

Number *i* is listed if it is among the first so many; further on are numbers that are
never listed, and numbers to insert.
"""

FIRST = 12_000_000_000
SPAN = 8_000_000_000
# Prime to SPAN, so that no two of the first eight thousand million are equal.
STRIDE = 2_654_435_761

UNLISTED = 2_000_000_000
TO_INSERT = 3_000_000_000
# A tenth is listed in the United Kingdom.
BRITISH = 447_000_000_000
BRITISH_SPAN = 1_000_000_000

SQL_E164 = f"({FIRST} + i::numeric * {STRIDE} % {SPAN})::bigint"
SQL_BRITISH = f"({BRITISH} + i::numeric * {STRIDE} % {BRITISH_SPAN})::bigint"


def national(i: int) -> str:
    """Return the ten digits of number *i* in North America."""
    return str(FIRST + i * STRIDE % SPAN)[1:]


def is_british(i: int) -> bool:
    """Whether entry *i* is one of the tenth in the United Kingdom."""
    return i // 10 % 10 == 9


def blocks_everywhere(i: int) -> bool:
    """Whether entry *i* is on the whole organisation's list, in North America."""
    return i % 10 < 6 and not is_british(i)


def spacing(entries: int, count: int) -> int:
    """Return how far apart as many of the *entries* lie as ``listed`` returns."""
    return max(1, entries // (count * 3))


def listed(entries: int, count: int) -> list[str]:
    """Return numbers that are listed for the whole organisation."""
    every = range(1, entries + 1, spacing(entries, count))
    found = (i for i in every if blocks_everywhere(i))
    return [national(i) for i, _ in zip(found, range(count), strict=False)]


def unlisted(count: int) -> list[str]:
    """Return numbers that are on no list."""
    return [national(UNLISTED + i) for i in range(count)]
