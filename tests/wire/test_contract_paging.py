"""Pages of ``dnc/search``: each entry once, newest last, whoever writes meanwhile."""

import psycopg
import pytest

from tests.wire.answers import page
from tests.wire.service import Api

SIZE = 250


@pytest.fixture
def listed(api: Api, service_database: str) -> list[str]:
    """The ids of more entries than a page has by default, in their order."""
    numbers = "\n".join(f"55510{n:05}" for n in range(SIZE))
    answer = api.session.post(
        f"{api.base}/v1/dnc/import",
        params={"phone_code": 1, "campaign_id": 0},
        data=f"phone\n{numbers}\n",
        headers={"Authorization": f"Bearer {api.token}", "Content-Type": "text/csv"},
        timeout=20,
    )
    assert answer.json()["success"] is True, answer.text
    with psycopg.connect(service_database) as connection:
        rows = connection.execute(
            "SELECT id::text FROM dnc_entry WHERE organisation_id = %s"
            " ORDER BY dnc_entry.id",
            [api.caller.organisation.id],
        ).fetchall()
    return [row[0] for row in rows]


def ids_of(body: dict) -> list[str]:
    return [entry["id"] for entry in body["data"]["entries"]]


def test_a_page_has_a_hundred_entries_unless_another_limit_is_asked_for(listed, api):
    first = api.call("dnc/search")

    assert first["data"] | {"entries": None} == {
        "offset": 0,
        "limit": 100,
        "total": SIZE,
        "entries": None,
    }
    assert ids_of(first) == listed[:100]


@pytest.mark.parametrize("limit", [1, 7, 100, 249, 250, 251, 1000])
def test_pages_make_the_whole_list_newest_id_last_at_a_limit_of(limit, listed, api):
    seen = []
    for offset in range(0, SIZE, limit):
        body = api.call("dnc/search", offset=offset, limit=limit)
        seen += ids_of(body)
        assert body["data"]["total"] == SIZE

    assert seen == listed
    assert listed == sorted(listed, key=int)


@pytest.mark.parametrize("offset", [SIZE, SIZE + 1, 100_000])
def test_a_page_past_the_end_is_empty_and_tells_the_total(offset, listed, api):
    del listed

    body = api.call("dnc/search", offset=offset)

    assert body == page([], offset=offset, total=SIZE)


def test_the_last_page_holds_what_is_left(listed, api):
    body = api.call("dnc/search", offset=SIZE - 3, limit=100)

    assert ids_of(body) == listed[-3:]


def test_an_offset_counts_matches_and_not_entries(listed, api):
    for entry in listed[::10]:
        api.call("dnc/update", id=entry, reason="tenth")

    body = api.call("dnc/search", reason="tenth", offset=5, limit=3)

    assert ids_of(body) == listed[50:80:10]
    assert body["data"]["total"] == SIZE / 10


def test_an_update_moves_no_entry_to_another_page(listed, api):
    for entry in listed[::50]:
        api.call("dnc/update", id=entry, reason="later")

    assert ids_of(api.call("dnc/search", limit=1000)) == listed


def test_a_new_entry_while_paging_comes_last_and_moves_no_other(listed, api):
    before = ids_of(api.call("dnc/search", offset=0, limit=125))
    new = str(api.insert("5552000000"))
    after = api.call("dnc/search", offset=125, limit=126)

    assert before + ids_of(after) == [*listed, new]
    assert after["data"]["total"] == SIZE + 1


def test_what_is_deleted_is_neither_found_nor_counted(listed, api):
    api.call("dnc/delete", phone_number="5551000000", phone_code=1, campaign_id=0)

    body = api.call("dnc/search", limit=1000)

    assert ids_of(body) == listed[1:]
    assert body["data"]["total"] == SIZE - 1
