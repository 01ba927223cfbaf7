import gocept.filestore.interfaces
import json
import time
import zope.component


def import_order(claim):
    """Write the invoice for an order, which may want to take its time."""
    with claim.open() as f:
        order = json.load(f)
    time.sleep(order.get('seconds', 0))
    invoices = zope.component.getUtility(
        gocept.filestore.interfaces.IFileStore, name='invoices')
    # If a worker dies the next one writes the same invoice again.
    with invoices.publish(claim.filename, replace=True) as f:
        print(json.dumps({'total': order['pieces'] * order['price']}), file=f)
