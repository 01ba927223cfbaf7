import gocept.filestore.declaration
import signal


def work(store, name=''):
    """Run a consumer that ZCML declares, in this process.

    The component architecture has been set up. SIGTERM and SIGINT let it
    finish the file that it works on, and end. Raises `InvalidDeclaration`.
    """
    declaration = gocept.filestore.declaration.declared(store, name)
    consumer = declaration.consumer()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, consumer.stop)
    consumer.run()
