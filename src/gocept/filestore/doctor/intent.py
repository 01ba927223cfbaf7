"""Transactions that were left behind."""
import gocept.filestore.batch.intent
import gocept.filestore.doctor.finding


KINDS = (('publish', 'publishes'), ('finish', 'finishes'),
         ('remove', 'removes'))


def of(spaces):
    """Return the intents of a store."""
    return gocept.filestore.batch.intent.Intents(spaces.layout)


def intents(path, spaces):
    """Look for transactions whose process has died before their end."""
    for intent in of(spaces).described():
        yield (decided if intent['decided'] else in_doubt)(path, intent)


def in_doubt(path, intent):
    return gocept.filestore.doctor.finding.problem(
        '%s in doubt, %s' % (name(path, intent), described(intent)),
        'find out what was decided, then: %s' % ' or: '.join(
            gocept.filestore.doctor.finding.command(
                'filestore', 'settle', verb, path, intent['intent'])
            for verb in ('--commit', '--abort')))


def decided(path, intent):
    return gocept.filestore.doctor.finding.note(
        '%s committed and not all done, %s' % (
            name(path, intent), described(intent)),
        'none is needed, the next claim goes on with it; if it stays, a name '
        'is taken in "new"')


def name(path, intent):
    return 'the transaction %r in %r is' % (intent['intent'], path)


def described(intent):
    """Tell how old an intent is, and what it is about to do."""
    deeds = ['%s %s' % (verb, ', '.join(map(repr, intent[kind])))
             for kind, verb in KINDS if intent[kind]]
    age = gocept.filestore.doctor.finding.duration(intent['age'])
    return ', and '.join([age + ' old', *deeds])
