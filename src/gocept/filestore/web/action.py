"""What is done by a form: put back, clean, settle."""
import gocept.filestore.disk.layout
import gocept.filestore.disk.space
import gocept.filestore.monitor.reason
import gocept.filestore.monitor.words
import gocept.filestore.web.page
import gocept.filestore.web.token
import logging
import re
import webob.exc


logger = logging.getLogger(__name__)
SHOWN = 20  # errors
UNITS = dict(gocept.filestore.monitor.words.UNITS)
counted = gocept.filestore.monitor.words.counted


def respond(action, visit):
    """Show what would be done; or do it, if it was sent by who may do it."""
    if visit.who is None:
        raise webob.exc.HTTPForbidden('you may look at this store only')
    if visit.request.method in ('GET', 'HEAD'):
        return gocept.filestore.web.page.page(
            'question', visit, action=action, names=action.names())
    if visit.request.method != 'POST':
        raise webob.exc.HTTPMethodNotAllowed(
            'this is done by a form', headers={'Allow': 'GET, HEAD, POST'})
    gocept.filestore.web.token.check(visit.request, visit.form)
    done, errors = action.do()
    logger.info('%r: %s by %s%s', visit.store.path, action.told(len(done)),
                visit.who, ''.join(', %r' % name for name in done))
    return gocept.filestore.web.page.page(
        'done', visit, sentence=action.told(len(done)), names=done[:SHOWN],
        errors=errors[:SHOWN], more=len(errors[SHOWN:]))


class Action:
    """Something that may be done, which is asked for first by GET."""

    def __init__(self, visit):
        self.visit = visit
        self.store = visit.store
        visit.layout()

    def each(self, names, action):
        """Do it with each; what is wrong with one keeps no others."""
        done, errors = [], []
        for name in names:
            try:
                action(name)
            except OSError as error:
                errors.append(
                    gocept.filestore.disk.space.described(error, name))
            else:
                done.append(name)
        return done, errors


class Retry(Action):
    """Put back one file, or those that failed with a reason, or all."""

    title = 'Put back'

    def names(self):
        if 'name' in self.visit.arguments:
            return [self.visit.argument('name')]
        failures = self.store.failures()
        if 'reason' not in self.visit.arguments:
            return [failure['filename'] for failure in failures]
        wanted = self.visit.arguments['reason']
        return [failure['filename'] for failure in failures
                if gocept.filestore.monitor.reason.mark(
                    gocept.filestore.monitor.reason.alike(failure)) == wanted]

    def question(self, number):
        return 'Put back %s?' % counted(number)

    def do(self):
        return self.each(self.names(), self.store.retry)

    def told(self, number):
        return '%s put back' % counted(number)


class Clean(Action):
    """Remove what is old from a space."""

    title = 'Remove'

    def __init__(self, visit):
        super().__init__(visit)
        self.space = visit.argument('space')
        if self.space not in gocept.filestore.disk.layout.CLEANED:
            raise webob.exc.HTTPBadRequest(
                'nothing is removed from %r' % self.space)
        self.age = seconds(visit.argument('age'))

    def names(self):
        return self.store.clean(self.space, self.age, dry_run=True)

    def question(self, number):
        return 'Remove %s from %r for good?' % (counted(number), self.space)

    def do(self):
        try:
            return self.store.clean(self.space, self.age), []
        except OSError as error:
            # The others have been removed, but their names are not told.
            return [], [gocept.filestore.disk.space.described(error)]

    def told(self, number):
        return '%s removed from %r' % (counted(number), self.space)


class Settle(Action):
    """Commit or abort a transaction that is in doubt."""

    def __init__(self, visit):
        super().__init__(visit)
        self.intent = visit.argument('intent')
        how = visit.argument('how')
        if how not in ('commit', 'abort'):
            raise webob.exc.HTTPBadRequest('%r is no decision' % how)
        self.commits = how == 'commit'
        self.title = how.capitalize()

    def names(self):
        """Return the names of its files."""
        return [name for intent in self.store.status()['intents']
                if intent['intent'] == self.intent
                for kind in ('publish', 'finish', 'remove')
                for name in intent[kind]]

    def question(self, number):
        return '%s the transaction %s, with %s?' % (
            self.title, self.intent, counted(number))

    def do(self):
        return self.store.settle(self.commits, [self.intent]), []

    def told(self, number):
        return '%s %s' % (counted(number, 'transaction'),
                          'committed' if self.commits else 'aborted')


def seconds(text):
    match = re.fullmatch('([0-9]{1,6})([mhd])', text.strip())
    if match is None:
        raise webob.exc.HTTPBadRequest(
            '%r is no age like 15m, 36h or 30d' % text)
    return int(match[1]) * UNITS[match[2]]
