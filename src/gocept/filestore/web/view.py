"""The pages that are only to be read."""
import contextlib
import gocept.filestore.disk.name
import gocept.filestore.monitor.health
import gocept.filestore.monitor.metrics
import gocept.filestore.monitor.place
import gocept.filestore.monitor.reason
import gocept.filestore.monitor.words
import gocept.filestore.web.listing
import gocept.filestore.web.look
import gocept.filestore.web.page
import gocept.filestore.web.picture
import json
import os
import urllib.parse
import webob
import webob.exc


Looks = gocept.filestore.web.look.Looks
health_of = gocept.filestore.monitor.health
picture = gocept.filestore.web.picture.picture
SHOWN = 20  # claims, and reasons
SUMMARY = 500  # characters of a reason, if it is told in short
BLOCK = 64 * 1024  # bytes that are sent at once


def overview(visit):
    found = visit.looks.at(visit.stores)
    return gocept.filestore.web.page.page(
        'overview', visit, rows=[
            {'name': name, 'health': found[name][1], 'status': found[name][0],
             'picture': found[name][0] and picture(found[name][0])}
            for name in visit.stores])


def store(visit):
    store = visit.store
    path = os.path.abspath(store.path)
    status, health = visit.looks.at({'': store})['']
    if status is None:
        return gocept.filestore.web.page.page(
            'store', visit, path=path, health=health, status=None)
    failures = store.failures() if status['spaces']['failed']['files'] else []
    return gocept.filestore.web.page.page(
        'store', visit, path=path, health=health, status=status,
        picture=picture(status), claims=status['claims'][:SHOWN],
        owner=gocept.filestore.monitor.place.owner, space='new', pattern='',
        spaces=gocept.filestore.web.listing.SPACES, **grouped(failures))


def files(visit):
    """List the files of a space, with nothing that costs more than that."""
    space = visit.arguments.get('space', 'new')
    pattern = visit.arguments.get('name', '')
    number = page_number(visit.arguments.get('page', '1'))
    files, total = gocept.filestore.web.listing.listed(
        visit.layout(), space, pattern, number)
    before, after = gocept.filestore.web.listing.pages(number, total)
    failures = visit.store.failures() if space == 'failed' else []
    return gocept.filestore.web.page.page(
        'files', visit, space=space, pattern=pattern, number=number,
        spaces=gocept.filestore.web.listing.SPACES, files=files, total=total,
        before=before, after=after, errors={
            failure['filename']: failure['error'] for failure in failures},
        **grouped(failures))


def grouped(failures):
    """Return the first of the reasons, and how many there are besides."""
    groups = reasons(failures)
    return {'groups': groups[:SHOWN], 'more_groups': len(groups[SHOWN:])}


def reasons(failures):
    """Return the reasons of what has failed, those of most files first."""
    return [
        {**group, 'mark': gocept.filestore.monitor.reason.mark(likeness)}
        for likeness, group in
        gocept.filestore.monitor.reason.by_likeness(failures[::-1])]


def page_number(text):
    with contextlib.suppress(ValueError):
        if 0 < (number := int(text)) < 10 ** 9:
            return number
    raise webob.exc.HTTPBadRequest('%r is no page' % text)


def file(visit):
    name = visit.argument('name')
    visit.layout()
    return gocept.filestore.web.page.page(
        'file', visit, name=name, places=[
            {**place, 'state': gocept.filestore.monitor.place.state(place),
             'can_be_put_back': place['space'] == 'failed'
             or place['due'] is not None,
             'reason': last_reason(place), 'events': events(place)}
            for place in visit.store.history(name)])


def last_reason(place):
    """Return why it has failed, if it has done nothing else since."""
    last = place['events'][-1] if place['events'] else {'event': None}
    return last['event'] in ('failed', 'died') and reason(last)


def reason(event):
    return gocept.filestore.web.page.cut(
        str(event['error'] or '')[:SUMMARY])


def events(place):
    """Return what has happened, in the words of `filestore show`."""
    found = [described(event) for event in place['events']]
    for event in reversed(found):
        if event['traceback']:
            event['is_last'] = True
            break
    return found


def described(event):
    return {
        'time': gocept.filestore.monitor.words.text(event['time'])
        [:19].replace('T', ' '),
        'words': '%s process %s of %s' % (
            gocept.filestore.monitor.place.told(event), event['process'],
            event['host']),
        'reason': reason(event), 'is_last': False,
        'traceback': gocept.filestore.web.page.cut(event['traceback'] or '')}


def contents(visit):
    """Send a file as it is, whatever its size, to be kept and not shown."""
    layout = visit.layout()
    name = gocept.filestore.disk.name.check(
        visit.argument('name'), layout.path)
    space_name = visit.argument('space')
    layout.check(space_name, gocept.filestore.web.listing.SPACES)
    space = layout.get(space_name)
    if space is None:
        raise webob.exc.HTTPNotFound('there is nothing in %r' % space_name)
    space.check(name)
    opened = open(space.open(name), 'rb')
    size = os.fstat(opened.fileno()).st_size
    response = webob.Response(
        app_iter=Blocks(opened, size), content_type='application/octet-stream')
    response.content_length = size
    response.headers['Content-Disposition'] = (
        "attachment; filename*=UTF-8''" + urllib.parse.quote(
            os.fsencode(name), safe=''))
    return response


class Blocks:
    """What a file contained when it was opened, piece by piece."""

    def __init__(self, file, size):
        self._file = file
        self._left = size

    def __iter__(self):
        return self

    def __next__(self):
        block = self._file.read(min(BLOCK, self._left))
        self._left -= len(block)
        if not block:
            raise StopIteration
        return block

    def close(self):
        self._file.close()


def health(visit):
    """Tell a load balancer, or a probe, whether all is well."""
    found = [health for _, health in visit.looks.at(visit.stores).values()]
    states = [each['status'] for each in found]
    worst = max(states, key=list(health_of.STATES).index, default='OK')
    return webob.Response(
        json.dumps({'status': worst, 'stores': found}) + '\n',
        status=200 if worst in ('OK', 'WARNING') else 503,
        content_type='application/json', charset='utf-8')


def metrics(visit):
    found = [status for status, _ in visit.looks.at(visit.stores).values()
             if status is not None]
    try:
        text = gocept.filestore.monitor.metrics.exposition(found)
    except ModuleNotFoundError as error:
        raise webob.exc.HTTPNotFound(
            '%s is not installed, the extra [metrics] has it'
            % error.name) from None
    return webob.Response(
        text + '\n',
        content_type='text/plain', charset='utf-8',
        content_type_params={'version': '0.0.4'})
