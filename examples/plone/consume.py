import gocept.filestore.server.declaration
import logging
import zope.component.hooks


logging.basicConfig(level='INFO', force=True)  # Plone has its own
zope.component.hooks.setSite(app.Plone)
gocept.filestore.server.declaration.work('press')
