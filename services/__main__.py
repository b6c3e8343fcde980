"""`python -m services` is `closeloop`, where no console script is installed."""

from services.cli import app

app(prog_name="closeloop")
