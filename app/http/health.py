"""Is the process alive, and may it take an opt-out?"""

from flask import Blueprint, Response, jsonify

from app.http import current

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Answer 200 as long as this process answers at all."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> Response:
    """Answer 200 if the database answers, is migrated and durable; otherwise 503."""
    readiness = current.services().readiness
    faults = readiness.find_faults()
    if not faults:
        notes = readiness.find_notes()
        return jsonify(status="ready", **({"notes": notes} if notes else {}))
    answer = jsonify(status="not ready", faults=faults)
    answer.status_code = 503
    answer.headers["Retry-After"] = "1"
    return answer
