"""Locks that do not do what a claim relies on."""

import errno
import fcntl
import gocept.filestore.disk.lock
import gocept.filestore.disk.probe
import gocept.filestore.disk.space
import gocept.filestore.doctor.lock
import gocept.filestore.tests.case
import os


class Acquaintance:
    """What another process may do, without being one."""

    def __init__(self, lock, close=lambda: None):
        self.locks = lock
        self.close = close


class Case(gocept.filestore.tests.case.Case):

    def setUp(self):
        super().setUp()
        self.tmp, self.new = (
            gocept.filestore.disk.space.Space(
                str(self.path), name, str(self.path / name), False)
            for name in ('tmp', 'new'))


class Other(Case):

    def other(self, name):
        other = gocept.filestore.doctor.lock.Other(self.new, name)
        self.addCleanup(other.close)
        return other

    def test_is_kept_out(self):
        self.put('new', 'a')
        other = self.other('a')
        with open(self.path / 'new' / 'a') as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.assertFalse(other.locks())
        self.assertTrue(other.locks())

    def test_lock_ends_with_it(self):
        self.put('new', 'a')
        other = self.other('a')
        self.assertTrue(other.locks())
        other.close()
        self.assertIsNotNone(gocept.filestore.disk.lock.hold(self.new, 'a'))

    def test_closed_twice(self):
        self.put('new', 'a')
        other = self.other('a')
        other.close()
        other.close()

    def test_no_file(self):
        with self.assertRaises(OSError) as raised:
            self.other('a')
        self.assertEqual(
            (errno.ECHILD, str(self.path / 'new' / 'a')),
            (raised.exception.errno, raised.exception.filename))


class Entrance(Case):
    """How somebody gets at a file that is locked."""

    def find(self, lock, has_links=False):
        with gocept.filestore.disk.probe.probe(
                self.tmp, self.new) as (name, descriptor):
            return gocept.filestore.doctor.lock.find_entrance(
                self.tmp, self.new, name,
                Acquaintance(lambda: lock(descriptor)), has_links)

    def let_go(self, descriptor):
        fcntl.flock(descriptor, fcntl.LOCK_UN)

    def test_none(self):
        self.assertIsNone(self.find(lambda descriptor: False))
        self.assertIsNone(self.find(lambda descriptor: False, True))

    def test_another_process(self):
        self.assertEqual(
            'lets two processes at a file of %r at once' % self.tmp.path,
            self.find(lambda descriptor: True))

    def test_after_a_move(self):
        self.assertEqual(
            'does not go with a file that moves to %r' % self.new.path,
            self.find(self.let_go))


class End(Case):
    """How a lock does not come to its end."""

    def find(self, lock, close=lambda: None):
        pauses = []
        with gocept.filestore.disk.probe.probe(self.tmp) as (name, descriptor):
            with open(self.tmp.open(name)) as self.file:
                fault = gocept.filestore.doctor.lock.find_end(
                    descriptor, Acquaintance(lock, close), pauses.append)
        return fault, len(pauses)

    def lock(self):
        return gocept.filestore.disk.lock.lock(self.file.fileno())

    def let_go(self):
        fcntl.flock(self.file, fcntl.LOCK_UN)

    def test_comes(self):
        self.assertEqual((None, 0), self.find(self.lock, self.let_go))

    def test_unlocking_does_nothing(self):
        self.assertEqual(
            ('keeps a file that was let go', 0), self.find(lambda: False))

    def test_process_ends_and_the_lock_does_not(self):
        self.assertEqual(
            ('outlives its process', gocept.filestore.doctor.lock.PATIENCE),
            self.find(self.lock))
        self.assertEqual([], os.listdir(self.path / 'tmp'))
