import gocept.filestore.interfaces
import json
import zope.component


def hand_over(news, event):
    """Publish a file about news that is published, in its transaction."""
    if event.action != 'publish':
        return
    files = gocept.filestore.interfaces.ITransactionalFileStore(
        zope.component.getUtility(
            gocept.filestore.interfaces.IFileStore, name='press'))
    uid = news.UID()
    with files.publish(f'{uid}.json', metadata={'id': news.getId()}) as f:
        json.dump({'uid': uid, 'title': news.title}, f)
    # So late to show that the file goes with the transaction.
    if not news.description:
        raise ValueError(f'news without a summary: {news.getId()}')
