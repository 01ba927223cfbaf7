"""Transactions that were left behind."""
import gocept.filestore.doctor.finding
import gocept.filestore.monitor.words


KINDS = (('publish', 'publishes'), ('finish', 'finishes'),
         ('remove', 'removes'))
STATES = {True: 'committed and not all done', False: 'in doubt'}


def intents(spaces):
    """Look for transactions whose process has died before their end."""
    for intent in spaces.intents.described():
        sentence = 'the transaction %r in %r is %s, %s' % (
            intent['intent'], spaces.path, STATES[intent['decided']],
            described(intent))
        if intent['decided']:
            yield gocept.filestore.doctor.finding.note(
                sentence, 'none is needed, the next claim goes on with it; if '
                'it stays, a name is taken in "new"')
        else:
            yield gocept.filestore.doctor.finding.problem(
                sentence, 'find out what was decided, then: ' + ' or: '.join(
                    gocept.filestore.doctor.finding.command(
                        'filestore', 'settle', verb, spaces.path,
                        intent['intent'])
                    for verb in ('--commit', '--abort')))
    yield gocept.filestore.doctor.finding.ok('no transaction was left behind')


def described(intent):
    deeds = ['%s %s' % (verb, ', '.join(map(repr, intent[kind])))
             for kind, verb in KINDS if intent[kind]]
    age = gocept.filestore.monitor.words.duration(intent['age'])
    return ', and '.join([age + ' old', *deeds])
