"""What tests of applications need: a layer, a store, and a proof by kills.

Nobody in the package comes in here but the tests.
"""
import gocept.filestore.testing.fault as fault
import gocept.filestore.testing.helper as helper
import gocept.filestore.testing.layer as layer
import gocept.filestore.testing.store as store


Layer = layer.Layer
Store = store.Store
publish = helper.publish
names = helper.names
read = helper.read
calls = fault.calls
each_call = fault.each_call
obstacle = fault.obstacle
