import Products.CMFPlone.factory
import Products.CMFPlone.utils
import transaction


site = Products.CMFPlone.factory.addPloneSite(
    app, 'Plone', title='Press', distribution_name='classic')
installer = Products.CMFPlone.utils.get_installer(site)
installer.install_product('gocept.filestore')
transaction.commit()
