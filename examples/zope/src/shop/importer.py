import functools
import logging
import shop.counter
import time
import xml.etree.ElementTree
import Zope2


logger = logging.getLogger(__name__)


def import_order(claim):
    """Count an order, in the transaction of the consumer."""
    logger.info('importing %s', claim.filename)
    with claim.open('rb') as f:
        order = xml.etree.ElementTree.parse(f).getroot()
    shop.counter.get(application(), 'imported').increase()
    time.sleep(float(order.get('seconds', 0)))


@functools.cache
def application():
    """Return the root of the database.

    Its connection stays open, and sees in each transaction what is there by
    then.
    """
    return Zope2.app()
