"""Every channel there is; to add one, write its module and name it here."""

from services.router.channels.email import EmailChannel
from services.router.channels.slack import SlackChannel

CHANNELS = (SlackChannel, EmailChannel)
