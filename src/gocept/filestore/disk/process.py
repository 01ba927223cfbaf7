"""Which process this is. To ask the kernel for each file takes too long."""
import os


number = os.getpid()


def forked():
    global number
    number = os.getpid()


os.register_at_fork(after_in_child=forked)
