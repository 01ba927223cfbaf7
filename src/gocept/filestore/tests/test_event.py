import gocept.filestore.event
import gocept.filestore.interfaces
import gocept.filestore.retry.policy
import gocept.filestore.tests.case
import os
import zope.event
import zope.interface.verify


interfaces = gocept.filestore.interfaces


class EventCase(gocept.filestore.tests.case.Case):

    def setUp(self):
        super().setUp()
        self.events = []
        self.subscribe(self.events.append)

    def subscribe(self, subscriber):
        zope.event.subscribers.append(subscriber)
        self.addCleanup(zope.event.subscribers.remove, subscriber)

    def told(self):
        """Return what was told since the last time."""
        told = [(type(event).__name__, event.filename)
                for event in self.events]
        self.assertLessEqual(
            {event.store for event in self.events}, {str(self.path)})
        self.events.clear()
        return told


class Kinds(EventCase):

    def test_contracts(self):
        for kind in ('Published', 'Claimed', 'TakenOver', 'Finished',
                     'Failed', 'GivenUp'):
            facts = {'Published': (), 'Failed': (1, 'no'),
                     'GivenUp': (1, 'no')}.get(kind, (1,))
            event = getattr(gocept.filestore.event, kind)(
                'a', 'store', *facts)
            zope.interface.verify.verifyObject(
                getattr(interfaces, 'I' + kind), event)

    def test_lineage(self):
        with self.store.create('a') as file:
            file.write('text')
        self.assertEqual([], self.told())
        self.store.move('a', 'tmp', 'new')
        self.assertEqual([('Published', 'a')], self.told())
        self.store.move('a', 'new', 'cur')
        self.assertEqual([], self.told())
        self.store.copy('a', 'cur', 'new')
        self.assertEqual([('Published', 'a')], self.told())
        self.store.copy('a', 'cur', 'failed')
        self.store.remove('a', 'new')
        self.assertEqual([], self.told())

    def test_intake(self):
        folder = self.directory / 'in'
        folder.mkdir()
        (folder / 'a').write_text('text')
        self.store.intake(folder, quiet=0).take()
        self.assertEqual([('Published', 'a')], self.told())

    def test_batch(self):
        for name in 'xy':
            self.put('new', name)
        claims = [self.store.claim(), self.store.claim()]
        self.told()
        batch = self.store.batch()
        for name in 'ab':
            with batch.publish(name) as file:
                file.write('text')
        batch.finish(claims[0])
        batch.finish(claims[1], keep=False)
        batch.vote()
        self.assertEqual([], self.told())
        batch.commit()
        self.assertEqual(
            [('Published', 'a'), ('Published', 'b'), ('Finished', 'x'),
             ('Finished', 'y')], self.told())

    def test_batch_that_removes(self):
        self.put('new', 'x')
        with self.store.batch() as batch:
            batch.remove('x', 'new')
        self.assertEqual([], self.told())

    def test_finish(self):
        self.put('new', 'a')
        self.store.claim().finish(keep=False)
        self.assertEqual([('Claimed', 'a'), ('Finished', 'a')], self.told())

    def test_release(self):
        self.put('new', 'a')
        self.store.claim().release()
        self.assertEqual([('Claimed', 'a')], self.told())

    def test_failures(self):
        self.put('new', 'a')
        error = interfaces.Retry(after=0)
        self.store.claim().fail(error)
        self.assertIs(error, self.events[-1].error)
        self.assertEqual(1, self.events[-1].attempt)
        self.assertEqual([('Claimed', 'a'), ('Failed', 'a')], self.told())
        self.store.claim().fail(interfaces.Reject('no'))
        self.assertEqual(2, self.events[-1].attempt)
        self.assertEqual([('TakenOver', 'a'), ('GivenUp', 'a')], self.told())
        self.store.retry('a')
        self.store.claim().release()
        self.assertEqual([('Claimed', 'a')], self.told())

    def test_deaths(self):
        store = self.open_store(
            retry_policy=gocept.filestore.retry.policy.RetryPolicy(attempts=2))
        self.put('new', 'a')
        for expected in ([('TakenOver', 'a')], [('GivenUp', 'a')]):
            child = self.child(retry_policy=store.retry_policy)
            child.run('claim = store.claim()')
            child.kill()
            claim = store.claim()
            self.assertEqual(
                (2, 'the process that worked on it has died')
                if claim is None else (2, None),
                (self.events[-1].attempt,
                 getattr(self.events[-1], 'error', None)))
            self.assertEqual(expected, self.told())
            if claim:
                claim.release()

    def test_nobody_wants_to_know(self):
        before = zope.event.subscribers[:]
        zope.event.subscribers.clear()
        try:
            gocept.filestore.event.notify(None)  # would be called
        finally:
            zope.event.subscribers[:] = before


class Errors(EventCase):

    def setUp(self):
        super().setUp()
        self.put('new', 'x')
        self.claim = self.store.claim()
        self.subscribe(self.refuse)

    def refuse(self, event):
        raise RuntimeError('broken')

    def refused(self, action, *args, **options):
        with self.assertRaises(RuntimeError):
            action(*args, **options)

    def test_undo_nothing(self):
        with self.assertRaises(RuntimeError):
            with self.store.publish('a') as file:
                file.write('text')
        self.refused(self.claim.finish)
        self.assertEqual({'new': ['a'], 'cur': ['x']}, self.tree())
        with self.assertRaises(interfaces.Settled):
            self.claim.finish()

    def test_failure_is_written_down(self):
        self.refused(self.claim.fail, 'no paper')
        self.assertEqual({'work': ['x'], 'attempts': ['x']}, self.tree())

    def test_claim_is_released(self):
        self.put('new', 'a')
        self.refused(self.store.claim)
        self.assertEqual({'new': ['a'], 'work': ['x']}, self.tree())
        self.claim.release()

    def test_batch_is_done(self):
        def act():
            with self.store.batch() as batch:
                batch.finish(self.claim)
                with batch.publish('a') as file:
                    file.write('text')

        self.refused(act)
        self.assertEqual({'new': ['a'], 'cur': ['x']}, self.tree())

    def test_move_is_done(self):
        os.rename(self.put('cur', 'a'), self.path / 'tmp' / 'a')
        self.refused(self.store.move, 'a', 'tmp', 'new')
        self.assertEqual({'new': ['a'], 'work': ['x']}, self.tree())
        self.claim.release()
