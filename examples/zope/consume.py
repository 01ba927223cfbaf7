import gocept.filestore.worker


gocept.filestore.worker.work('orders')
print('The consumer has ended')
