"""Settings of a Label Studio whose database gives rows backwards wherever no order is asked for.

An order that nobody asked for is nobody's promise: SQLite usually gives rows as they were written, and
PostgreSQL as it likes. With this pragma of SQLite's a server shows whether someone counts on it.
"""

from core.settings.base import *  # noqa: F403  # before the next, which reads some of these
from label_studio.core.settings.label_studio import *  # noqa: F403

DATABASES["default"]["OPTIONS"]["init_command"] = (  # noqa: F405
    "PRAGMA reverse_unordered_selects=1; PRAGMA synchronous=OFF"
)
