import gocept.filestore.batch.tests.test_settlement
import gocept.filestore.tests.case
import gocept.filestore.tests.doctor
import os


class Intents(gocept.filestore.tests.doctor.Case,
              gocept.filestore.batch.tests.test_settlement.SettlementCase):

    @gocept.filestore.tests.case.slow
    def test_in_doubt(self):
        name = self.in_doubt()
        verdict, sentence, remedy = self.only('intents')
        self.assertEqual('problem', verdict)
        self.assertIn(
            'the transaction %r in %r is in doubt, ' % (name, str(self.path)),
            sentence)
        self.assertIn("old, and publishes 'a', 'b', 'c', and finishes 'x', "
                      "'y'", sentence)
        commit, abort = remedy.partition('then: ')[2].split(' or: ')
        self.assertEqual('filestore settle --abort %s %s' % (
            self.path, name), abort)
        self.follow(commit)
        self.assertEqual([], self.look('intents'))
        self.assertEqual(
            gocept.filestore.batch.tests.test_settlement.ALL, self.outcome())

    def test_decided(self):
        self.dies(gocept.filestore.batch.tests.test_settlement.MARKED % True)
        verdict, sentence, remedy = self.only('intents')
        self.assertEqual('note', verdict)
        self.assertIn('is committed and not all done', sentence)
        self.assertIn('the next claim', remedy)
        self.store.claim().finish()
        self.assertEqual([], self.look('intents'))

    def test_drafts_in_doubt_are_not_to_be_cleaned(self):
        self.in_doubt()
        self.assertEqual([], self.look('content', clock=self.later))
        self.store.settle(False)
        self.put('tmp', 'left')
        self.assertEqual('note', self.only('content', clock=self.later)[0])

    def test_kept_from_looking_by_another_space(self):
        new = self.path / 'new'
        new.chmod(0)
        self.addCleanup(new.chmod, 0o777)
        user = os.getuid() or gocept.filestore.tests.case.NOBODY
        for path in (self.path, *self.path.iterdir()):
            os.chown(path, user, -1)
        with self.be_nobody():
            self.assertEqual(
                ('problem', 'not looked at in %r, because of %r: Permission '
                 'denied' % (str(self.path), str(new)), 'chmod u+rwx %s' % new
                 ), self.only('intents'))

    def test_unreadable(self):
        for space in 'voted', 'committed':
            self.put(space, 'garbage', 'no JSON')
            self.assertMends(
                'content', 'problem',
                "1 intent in '%s', and nobody knows what is to be done: "
                "'garbage'" % (self.path / space),
                'mv -n -t %s %s' % (
                    self.directory, self.path / space / 'garbage'))
            os.remove(self.directory / 'garbage')
