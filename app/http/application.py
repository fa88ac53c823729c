"""The web application: dialects side by side on one origin."""

from collections.abc import Collection, Mapping

from flask import Flask, Response, jsonify, request
from flask_smorest import Api
from werkzeug.exceptions import HTTPException

from app.http import (
    bulk,
    forms,
    health,
    limits,
    loop_lane,
    metrics,
    openapi,
    overload,
    rates,
    request_log,
)
from app.http.current import EXTENSION, Application
from app.http.dialect import Dialect
from app.http.fast_lane import FastLane
from app.http.loop_lane import LoopLane
from app.http.proxy import TrustedProxies
from app.services import Services


class DncApi(Api):
    """flask-smorest, with every error worded by the dialect whose path it met."""

    def __init__(self, app: Flask, dialects: tuple[Dialect, ...]) -> None:
        """Answer for *app* in the words of *dialects*."""
        self._dialects = dialects
        super().__init__(app)

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer what no route of a dialect has answered."""
        for dialect in self._dialects:
            if dialect.owns(request.path):
                return dialect.write_error(error, "")
        answer = jsonify(error=error.name)
        answer.status_code = error.code or 500
        for name, value in error.get_headers():
            if name == "Allow":
                answer.headers[name] = value
        return answer


def create_app(  # noqa: PLR0913  one parameter a part
    services: Services,
    dialects: tuple[Dialect, ...],
    *,
    editions: Mapping[str, str],
    trusted_proxies: Collection[str],
    bounds: rates.Rates,
    threads: int,
) -> Flask:
    """
    Return an application that serves *dialects*; may be called any number of times.

    *editions* are the server's defaults, by dialect; *bounds* how often may be asked;
    *threads* how many answer.
    """
    app = Flask("app.http", static_folder="static", template_folder="templates")
    lanes = {
        path: (dialect.name, lane)
        for dialect in dialects
        for path, lane in dialect.lanes.items()
    }
    app.extensions[loop_lane.EXTENSION] = LoopLane(
        services, lanes, trusted_proxies, bounds
    )
    app.wsgi_app = TrustedProxies(  # type: ignore[method-assign]
        FastLane(app.wsgi_app, services, lanes, bounds), trusted_proxies
    )
    # A path with doubled slashes is no path of ours, rather than a redirect to one.
    app.url_map.merge_slashes = False
    app.request_class = forms.Request
    app.extensions[EXTENSION] = Application(
        services,
        editions,
        bounds,
        bulk.BulkWork(threads),
        {
            f"{dialect.name}.{operation}": most
            for dialect in dialects
            for operation, most in dialect.bulk.items()
        },
    )
    openapi.configure(app)
    request_log.install(app)
    metrics.install(app)
    limits.install(app)
    rates.install(app, bounds, (at for each in dialects for at in each.prefixes))
    api = DncApi(app, dialects)
    for dialect in dialects:
        api.register_blueprint(dialect.blueprint)
    _leave_head_out(app, dialects)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(metrics.blueprint)
    app.register_blueprint(openapi.blueprint)
    bulk.install(app)
    overload.install(app, dialects)
    openapi.install(app, api, dialects)
    return app


def _leave_head_out(app: Flask, dialects: tuple[Dialect, ...]) -> None:
    """Name no method as allowed that is refused: a dialect's GET may change things."""

    @app.after_request
    def correct(response: Response) -> Response:
        if response.allow and any(dialect.owns(request.path) for dialect in dialects):
            response.allow.discard("head")
        return response
