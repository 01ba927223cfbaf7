import os.path
import setuptools


here = os.path.dirname(os.path.abspath(__file__))
site = 'https://gocept-filestore.readthedocs.io/'
source = 'https://github.com/gocept/gocept.filestore'


def read(name):
    with open(os.path.join(here, name), encoding='utf-8') as f:
        return f.read()


setuptools.setup(
    name='gocept.filestore',
    version='2.0.dev0',
    author='gocept gmbh & co. kg',
    author_email='mail@gocept.com',
    url=source,
    project_urls={
        'Documentation': site,
        'Source': source,
        'Changes': site + 'en/latest/CHANGES.html',
        'Issue tracker': source + '/issues',
    },
    description='Hands files from one process to another, whole, '
                'to exactly one of many workers',
    long_description=read('README.txt'),
    long_description_content_type='text/x-rst',
    license_expression='ZPL-2.1',
    license_files=['LICENSE.txt'],
    keywords='file store queue maildir transaction zope component',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Environment :: Console',
        'Framework :: Buildout',
        'Framework :: Plone',
        'Framework :: Pyramid',
        'Framework :: Zope',
        'Intended Audience :: Developers',
        'Intended Audience :: System Administrators',
        'Natural Language :: English',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3 :: Only',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Programming Language :: Python :: 3.14',
        'Programming Language :: Python :: Implementation :: CPython',
        'Topic :: Software Development :: Libraries :: Python Modules',
        'Topic :: System :: Filesystems',
        'Topic :: Utilities',
    ],
    # gocept stays in the list, although it is no package of ours: without it
    # an editable install needs an import hook instead of a line in a .pth.
    packages=setuptools.find_namespace_packages(
        'src', exclude=['__pycache__', '*.__pycache__',
                        '*.tests', '*.tests.*']),
    package_dir={'': 'src'},
    # The stories are the manual; the tests are in the sdist only.
    package_data={'': ['*.css', '*.pt', '*.txt', '*.xml', '*.zcml']},
    zip_safe=False,
    python_requires='>=3.11',
    install_requires=[
        # named utilities, and their registration by ZCML
        'zope.component[zcml]',
        # the directives are written with it
        'zope.configuration',
        # zope.component tells of registered stores with it
        'zope.event',
        # the contracts
        'zope.interface',
        # the fields of the directives
        'zope.schema',
    ],
    extras_require={
        # what somebody may want who runs it
        'all': ['gocept.filestore[cli,metrics,security,server,transaction,'
                'watch,web]'],
        'cli': [
            # arguments, help and colours
            'click',
            # columns
            'tabulate',
            # progress, and what is said beside it
            'tqdm',
            # columns stay straight with wide characters
            'wcwidth',
        ],
        # the text format of Prometheus, by its own authors
        'metrics': ['prometheus_client'],
        # stores with a permission
        'security': ['zope.security'],
        'server': [
            # its configuration file, in the format of zope.conf
            'ZConfig',
            'gocept.filestore[cli,watch]',
            # what a worker does is its title
            'setproctitle',
            # the pid file
            'zc.lockfile',
        ],
        'test': [
            # true write conflicts, between threads
            'ZODB',
            # the manual pages, which .ci/man.py builds
            'click-man',
            # workers that are greenlets
            'gevent',
            'gocept.filestore[all]',
            'hypothesis',
            # the pages in it, and their permissions
            'pyramid',
            'zope.testing',
            'zope.testrunner',
        ],
        # files that appear with the commit of a database
        'transaction': ['transaction'],
        # whoever waits for files is woken by it
        'watch': ['inotify_simple'],
        'web': [
            # the pages: templates as Zope and Plone have them
            'Chameleon',
            # requests and answers, as Pyramid has them
            'WebOb',
            'gocept.filestore[cli]',
            # `filestore web`: the server that comes with both
            'waitress',
        ],
    },
    entry_points={
        'console_scripts': [
            'filestore = gocept.filestore.__main__:main [cli]'
        ],
    },
)
