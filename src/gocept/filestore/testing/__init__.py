"""What tests of applications need: a layer, a store, and a proof by kills.

Nobody in the package comes in here but the tests.
"""
import gocept.filestore.testing.fault as fault
import gocept.filestore.testing.layer as layer
import gocept.filestore.testing.store as store


Layer = layer.Layer
Store = store.Store
publish = store.publish
names = store.names
read = store.read
calls = fault.calls
each_call = fault.each_call
obstacle = fault.obstacle
