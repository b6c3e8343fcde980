"""A PostgreSQL that refuses us is an outage: it may be put right while we run, and no message is to blame (G3)."""

import pytest
from sqlalchemy import make_url

from shared.db.engine import Database
from shared.errors import DatabaseUnavailable
from shared.settings import DatabaseSettings

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"password": "a-wrong-one"}, "password authentication failed"),
        ({"username": "nobody_we_know"}, "password authentication failed"),
        ({"database": "no_such_database"}, "does not exist"),
    ],
)
async def test_what_is_wrong_is_said_and_can_be_tried_again(
    emptied_postgres_url: str, changed: dict[str, str], words: str
) -> None:
    url = make_url(emptied_postgres_url).set(**changed)
    database = Database(DatabaseSettings(url=url.render_as_string(hide_password=False)))
    with pytest.raises(DatabaseUnavailable, match=words) as refused:
        await database.ping()
    await database.close()
    assert "CLOSELOOP_DATABASE__URL" in str(refused.value)
    assert str(url.password) not in str(refused.value)
