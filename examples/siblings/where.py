import gocept.amqprun
import gocept.filestore
import gocept.sftpcopy
import importlib.metadata


for package in gocept.amqprun, gocept.filestore, gocept.sftpcopy:
    version = importlib.metadata.version(package.__name__)
    print(package.__name__, version, 'in', package.__path__[0])
