import gocept.filestore.server.declaration


gocept.filestore.server.declaration.work('orders')
print('The consumer has ended')
