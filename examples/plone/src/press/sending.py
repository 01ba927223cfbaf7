import gocept.filestore.interfaces
import json
import logging
import plone.api


logger = logging.getLogger(__name__)


def send(claim):
    """Send news, and note that in the site."""
    sent = json.loads(claim.read_text())
    news = plone.api.content.get(UID=sent['uid'])
    if news is None:
        raise gocept.filestore.interfaces.Reject('the news was deleted')
    logger.info('sending %r', sent['title'])
    news.setSubject(news.Subject() + ('sent',))
    news.reindexObject()
