"""The errors every room understands: what may be tried again, and what never will work."""


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
