"""The errors every room understands: what may be tried again, what never will work, and what of one may be told."""

from traceback import format_tb, walk_tb
from types import TracebackType

LONGEST_REASON = 500
"""Characters."""


class CloseloopError(Exception):
    """Base of our own errors; its text is fit to be shown to an administrator."""


class TransientError(CloseloopError):
    """Trying the same again later can work: a database, broker or vendor that does not answer."""


class BusUnavailable(TransientError):
    """The event log did not acknowledge; nothing was promised to the sender."""


class DatabaseUnavailable(TransientError):
    """The database refused or lost the connection."""


class PoisonError(CloseloopError):
    """This message can never be handled; its text is the reason kept in the dead-letter topic."""


class ConfigurationError(CloseloopError):
    """A setting or policy key is wrong; the text names the key and says what to do."""


def reason_of(error: BaseException) -> str:
    """Why, in words without customer text (G11): our own errors speak for themselves; of any other only its type and
    the place in our code, since its text may quote what it choked on."""
    if isinstance(error, CloseloopError):
        return str(error)[:LONGEST_REASON]
    place = _place(error.__traceback__)
    return f"{type(error).__name__}{f' in {place}' if place else ''}"


def _place(trace: TracebackType | None) -> str:
    frames = [(frame.f_globals.get("__name__", ""), line) for frame, line in walk_tb(trace)]
    ours = [(name, line) for name, line in frames if name.split(".")[0] in ("services", "shared")]
    name, line = (ours or frames or [("", 0)])[-1]
    return f"{name}:{line}" if name else ""


def where_it_failed(error: BaseException) -> str:
    """The traceback without what the errors say: a driver's words quote the row, a parser's the text it choked on
    (G11). Only our own errors are fit to be shown."""
    said = f": {error}" if isinstance(error, CloseloopError) else ""
    told = "".join(format_tb(error.__traceback__)) + type(error).__name__ + said
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{where_it_failed(cause)}\n\nwhich led to:\n\n{told}" if cause is not None else told
