import gocept.filestore.server.declaration
import logging
import zope.component.hooks


# Plone has set up what it likes.
logging.basicConfig(level='INFO', force=True)
zope.component.hooks.setSite(app.Plone)
gocept.filestore.server.declaration.work('press')
