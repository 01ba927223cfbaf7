import setuptools


setuptools.setup(
    name='press',
    version='1.0',
    description='A Plone add-on that hands news over as files',
    packages=['press'],
    package_dir={'': 'src'},
    package_data={'': ['*.zcml']},
    install_requires=[
        'Plone', 'gocept.filestore[server,transaction,web]'],
)
