"""
The check as a FastAPI service would do it: asyncpg, a pool, a prepared statement.

A fair rival: it runs on uvloop and httptools, parses its form and writes its JSON by
hand, keeps no request log, asks the database as its owner (no row-level security) and
in one round trip, and remembers a token for half a second as dncd does.
"""

import hashlib
import json
import os
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import asyncpg  # type: ignore[import-untyped]
from fastapi import FastAPI, Request, Response

CONNECTIONS = 8
REMEMBERED_SECONDS = 0.5

TOKEN = """
    SELECT organisation_id FROM token
    WHERE hash = $1 AND revoked_at IS NULL
      AND (expires_at IS NULL OR expires_at > now())
"""

CHECK = """
    SELECT entry.id, entry.campaign_id, campaign.name, entry.purpose, entry.reason,
           entry.inserted_at
    FROM dnc_entry AS entry
    JOIN campaign ON campaign.organisation_id = entry.organisation_id
                 AND campaign.id = entry.campaign_id
    WHERE entry.organisation_id = $1 AND entry.e164 = $2
      AND (entry.campaign_id = 0 OR entry.campaign_id = $3
           OR entry.campaign_id = -1 AND entry.purpose = (
               SELECT purpose FROM campaign WHERE organisation_id = $1 AND id = $3
           ))
"""

RULES = {0: "organisation", -1: "purpose"}

_FORMATTING = re.compile(r"[^0-9]")
_remembered: dict[str, tuple[float, int]] = {}


@asynccontextmanager
async def _lifespan(application: FastAPI) -> AsyncIterator[None]:
    url = os.environ["DATABASE_URL"]
    pool = asyncpg.create_pool(url, min_size=CONNECTIONS, max_size=CONNECTIONS)
    async with pool as application.state.pool:
        yield


app = FastAPI(lifespan=_lifespan)


@app.get("/readyz")
async def ready() -> dict[str, bool]:
    """Answer once the pool is there."""
    return {"ready": True}


@app.post("/v1/dnc/check")
async def check(request: Request) -> Response:
    """Say whether a number may be called."""
    fields = dict(parse_qsl((await request.body()).decode()))
    organisation = await _organisation(fields.get("auth_token", ""))
    if organisation is None:
        return _answer({"success": False, "code": 401, "text": "Unauthorized"}, 401)
    code = fields.get("phone_code", "1")
    number = _FORMATTING.sub("", fields.get("phone_number", ""))
    campaign = int(fields.get("campaign_id", 0))
    # Prepared once a connection, which asyncpg sees to.
    rows = await app.state.pool.fetch(CHECK, organisation, int(code + number), campaign)
    matches = [
        {
            "id": str(row["id"]),
            "rule": RULES.get(row["campaign_id"], "campaign"),
            "campaign_id": str(row["campaign_id"]),
            "campaign_name": row["name"],
            "purpose": row["purpose"] or "",
            "reason": row["reason"] or "",
            "since": row["inserted_at"].isoformat(),
        }
        for row in rows
    ]
    data = {
        "callable": not matches,
        "phone_code": code,
        "phone_number": number,
        "checked_at": datetime.now(UTC).isoformat(),
        "matches": matches,
    }
    return _answer({"success": True, "data": data}, 200)


async def _organisation(secret: str) -> int | None:
    known = _remembered.get(secret)
    if known and time.monotonic() < known[0]:
        return known[1]
    digest = hashlib.sha256(secret.encode()).digest()
    organisation: int | None = await app.state.pool.fetchval(TOKEN, digest)
    if organisation is not None:
        _remembered[secret] = time.monotonic() + REMEMBERED_SECONDS, organisation
    return organisation


def _answer(body: dict[str, Any], status: int) -> Response:
    text = json.dumps(body, separators=(",", ":"))
    return Response(text, status, media_type="application/json")
