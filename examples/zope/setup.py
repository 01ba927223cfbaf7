import setuptools


setuptools.setup(
    name='shop',
    version='1.0',
    description='A Zope application that hands orders over as files',
    packages=['shop'],
    package_dir={'': 'src'},
    package_data={'': ['*.zcml']},
    install_requires=['Zope', 'gocept.filestore[transaction]'],
    entry_points={'console_scripts': ['request = shop.client:main']},
)
