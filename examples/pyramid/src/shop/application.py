import pyramid.config


def make(global_settings, **settings):
    """Return the web application, for pserve."""
    config = pyramid.config.Configurator(settings=settings)
    config.include('pyramid_tm')
    config.include('pyramid_zcml')
    # ZCML registers utilities where zope.component looks for them: let that
    # be the registry of Pyramid, before any is loaded.
    config.hook_zca()
    config.load_zcml('shop:configure.zcml')
    return config.make_wsgi_app()
