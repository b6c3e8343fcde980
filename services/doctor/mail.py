"""The doctor's question about e-mail: can an alert that Slack does not bring go out another way?"""

from services.doctor.diagnosis import Answers, Patient, bad, good, warning
from services.router.channels.email import EmailChannel


async def ask_mail(patient: Patient) -> Answers:
    smtp = patient.runtime.settings.smtp
    if smtp.host is None:
        yield warning(
            "no mail server: an alert that Slack refuses reaches the lead's DM at best", "set CLOSELOOP_SMTP__HOST"
        )
        return
    wrong = await EmailChannel(smtp, patient.runtime.clock).alive()
    if wrong:
        yield bad(f"{smtp.host} does not take mail ({wrong})", "check CLOSELOOP_SMTP__HOST, PORT, USERNAME, STARTTLS")
    else:
        yield good(f"{smtp.host} answers")
