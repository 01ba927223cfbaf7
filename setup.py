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
    # The bounds are in .ci/oldest.txt, too: the stories are told with them.
    install_requires=[
        # named utilities, and their registration by ZCML
        'zope.component[zcml]>=5.1',
        # the directives are written with it
        'zope.configuration>=4.4.1',
        # zope.component tells of registered stores with it
        'zope.event>=4.6',
        # the contracts
        'zope.interface>=5.5.1',
        # the fields of the directives
        'zope.schema>=7.0.1',
    ],
    extras_require={
        # what somebody may want who runs it
        'all': ['gocept.filestore[cli,metrics,security,server,transaction,'
                'watch,web]'],
        'cli': [
            # arguments, help and colours
            'click>=8.3',
            # columns
            'tabulate>=0.9',
            # progress, and what is said beside it
            'tqdm>=4.64.1',
            # columns stay straight with wide characters
            'wcwidth>=0.3',
        ],
        # the text format of Prometheus, by its own authors
        'metrics': ['prometheus_client>=0.20'],
        # stores with a permission
        'security': ['zope.security>=6.0'],
        'server': [
            # its configuration file, in the format of zope.conf
            'ZConfig>=4.0',
            'gocept.filestore[cli,watch]',
            # what a worker does is its title
            'setproctitle>=1.3.2',
            # the pid file
            'zc.lockfile>=3.0.post1',
        ],
        'test': [
            # true write conflicts, between threads
            'ZODB>=6.0',
            # the manual pages, which .ci/man.py builds
            'click-man>=0.4.1',
            # workers that are greenlets
            'gevent>=22.10.2',
            'gocept.filestore[all]',
            'hypothesis>=6.145',
            # the pages in it, and their permissions
            'pyramid>=2.0.1',
            'zope.testing>=5.0.1',
            'zope.testrunner>=7.1',
        ],
        # files that appear with the commit of a database
        'transaction': ['transaction>=3.1'],
        # whoever waits for files is woken by it
        'watch': ['inotify_simple>=1.3.5'],
        'web': [
            # the pages: templates as Zope and Plone have them
            'Chameleon>=4.4.2',
            # requests and answers, as Pyramid has them
            'WebOb>=1.8.7',
            'gocept.filestore[cli]',
            # `filestore web`: the server that comes with both
            'waitress>=2.1.2',
        ],
    },
    entry_points={
        'console_scripts': [
            'filestore = gocept.filestore.__main__:main [cli]'
        ],
    },
)
