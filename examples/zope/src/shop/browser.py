import gocept.filestore.interfaces
import Products.Five.browser
import shop.counter
import zope.component


class Order(Products.Five.browser.BrowserView):
    """Takes an order."""

    def __call__(self):
        number = shop.counter.get(self.context, 'ordered').increase()
        filename = f'order-{number}.xml'
        files = gocept.filestore.interfaces.ITransactionalFileStore(
            zope.component.getUtility(
                gocept.filestore.interfaces.IFileStore, name='orders'))
        with files.publish(filename, mode='wb') as f:
            f.write(self.request['BODY'])
        if 'fail' in self.request.form:
            raise ValueError(f'told to fail, with {filename} published')
        return f'{filename}\n'


class Imported(Products.Five.browser.BrowserView):
    """Tells how many orders have been imported."""

    def __call__(self):
        return f"{shop.counter.get(self.context, 'imported').value}\n"
