"""Lists each page in the index, by its title and by what one looks up there.
"""
import docutils.nodes
import sphinx.addnodes
import sphinx.transforms


# What a title does not say. Who looks it up knows the name of another program.
WORDS = {
    'chapters/cli/check': ['Icinga', 'Nagios', 'Zabbix'],
    'chapters/cli/run': ['Docker'],
    'chapters/consumer': ['worker'],
    'chapters/event': ['mail', 'notify', 'subscriber', 'zope.event'],
    'chapters/server/monitoring': [
        'Prometheus', 'logrotate', 'metrics', 'systemd'],
    'chapters/testing/testing': ['clock', 'layer', 'zope.testrunner'],
    'guides/backup': ['backup', 'rsync'],
    'guides/cron': ['cron', 'systemd'],
    'guides/from-1.0': ['migration', 'upgrade'],
    'guides/from-directories': ['migration'],
    'guides/from-mail-queue': ['mail', 'migration', 'zope.sendmail'],
    'guides/logrotate': ['logrotate'],
    'guides/monitoring': ['Icinga', 'Prometheus'],
    'guides/nfs': ['NFS'],
    'guides/sftp': ['SFTP'],
}


class Titles(sphinx.transforms.SphinxTransform):
    """Comes before Sphinx collects what is listed."""

    default_priority = 800

    def apply(self):
        section = next(self.document.findall(docutils.nodes.section), None)
        if section is None:
            return
        title = section.next_node(docutils.nodes.title).astext()
        place = section['ids'][0]
        words = [title, *(f'{word}; {title}' for word in WORDS.get(
            self.env.docname, []))]
        section.insert(1, sphinx.addnodes.index(entries=[
            entry(word, place) for word in words]))


def entry(words, place):
    return 'single', words, place, '', None
