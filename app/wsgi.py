"""
The WSGI application, for a server of one's own choice.

``dncd serve`` does not come this way: it also starts PostgreSQL and migrates. Here
DATABASE_URL must name a database that ``dncd migrate`` has prepared.
"""

from app.domain.errors import SettingInvalid
from app.settings import Settings
from app.web import build_app

_settings = Settings.from_environment()
if _settings.database_url is None:
    _MESSAGE = "DATABASE_URL must be set; `dncd serve` brings a database of its own"
    raise SettingInvalid(_MESSAGE)

application = build_app(_settings, _settings.database_url)
