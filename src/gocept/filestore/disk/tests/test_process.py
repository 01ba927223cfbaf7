import gocept.filestore.disk.process
import multiprocessing
import os
import unittest


def tell(connection):
    connection.send((gocept.filestore.disk.process.number, os.getpid()))


class Process(unittest.TestCase):

    def test_number(self):
        self.assertEqual(os.getpid(), gocept.filestore.disk.process.number)

    def test_of_a_child(self):
        for method in ('fork', 'spawn'):
            ours, theirs = multiprocessing.Pipe()
            child = multiprocessing.get_context(method).Process(
                target=tell, args=[theirs])
            child.start()
            self.assertTrue(ours.poll(60))
            self.assertEqual((child.pid, child.pid), ours.recv())
            child.join()
