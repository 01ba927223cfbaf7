import pyramid.config
import shop.security


def make(global_settings, **settings):
    """Return the web application, for pserve."""
    config = pyramid.config.Configurator(settings=settings)
    config.include('pyramid_tm')
    config.include('pyramid_zcml')
    # ZCML registers utilities where zope.component looks for them: let that
    # be the registry of Pyramid, before any is loaded.
    config.hook_zca()
    config.load_zcml('shop:configure.zcml')
    config.set_security_policy(shop.security.Policy(
        settings['shop.user'], settings['shop.password']))
    config.add_forbidden_view(shop.security.ask_for_password)
    config.include('gocept.filestore.pyramid')
    return config.make_wsgi_app()
