"""Domains that belong to nobody's company: people of every customer have an address there."""

from typing import Final

FREE_MAIL: Final[frozenset[str]] = frozenset(
    """
    126.com 163.com aol.com aol.de att.net bigpond.com bluewin.ch btinternet.com comcast.net cox.net docomo.ne.jp
    duck.com email.com email.it ezweb.ne.jp fastmail.com fastmail.fm foxmail.com free.fr freenet.de gmail.com gmx.at
    gmx.ch gmx.com gmx.de gmx.net googlemail.com hey.com hotmail.co.jp hotmail.co.uk hotmail.com hotmail.de hotmail.es
    hotmail.fr hotmail.it hushmail.com icloud.com inbox.com inbox.lv interia.pl laposte.net libero.it live.ca
    live.co.uk live.com live.de live.fr live.it live.nl live.se mac.com mail.com mail.ru mailbox.org me.com msn.com
    naver.com o2.pl ono.com onet.pl orange.fr outlook.com outlook.de outlook.es outlook.fr outlook.it pm.me posteo.de
    proton.me protonmail.ch protonmail.com qq.com rediffmail.com rocketmail.com rogers.com sapo.pt sbcglobal.net
    seznam.cz sfr.fr shaw.ca sina.com sky.com t-online.de talktalk.net telenet.be terra.com.br tuta.com tuta.io
    tutanota.com uol.com.br verizon.net virgilio.it virgin.net vodafone.it wanadoo.fr web.de wp.pl yahoo.ca
    yahoo.co.in yahoo.co.jp yahoo.co.uk yahoo.com yahoo.com.au yahoo.com.br yahoo.de yahoo.es yahoo.fr yahoo.it
    yandex.com yandex.ru yeah.net ymail.com ziggo.nl zoho.com
    """.split()
)
"""Free-mail domains, lower-case; `[routing] free_mail_domains` of the policy adds to them."""
