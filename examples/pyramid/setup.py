import setuptools


setuptools.setup(
    name='shop',
    version='1.0',
    packages=['shop'],
    package_dir={'': 'src'},
    package_data={'': ['*.zcml']},
    install_requires=[
        'gocept.filestore[transaction,web]',
        'pyramid',
        'pyramid_tm',
        'pyramid_zcml',
        'waitress',
        'zope.component',
    ],
    entry_points={'paste.app_factory': ['main = shop.application:make']},
)
