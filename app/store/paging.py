"""A page of what was found and the number of all of it, from one snapshot."""

from typing import LiteralString

# Follows a WITH that names its rows ``found``; a page past the end still has its total.
PAGE_BY_ID: LiteralString = """
    SELECT total.n AS total, page.*
    FROM (SELECT count(*) AS n FROM found) AS total
    LEFT JOIN (
        SELECT * FROM found ORDER BY id OFFSET %(offset)s LIMIT %(limit)s
    ) AS page ON true
    ORDER BY page.id
"""
