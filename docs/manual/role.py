"""What single backticks mean: a link to what they name, or a literal."""
import docutils.nodes
import gocept.filestore.interfaces
import manual.place
import sphinx.addnodes
import sphinx.util.docutils
import zope.interface.interface


CONTRACTS = vars(gocept.filestore.interfaces)


class Named(sphinx.util.docutils.SphinxRole):
    """A chapter, a guide, another page or a contract, if there is one."""

    def run(self):
        return [self.to_page() or self.to_contract()
                or docutils.nodes.literal(self.text, self.text)], []

    def to_page(self):
        name = manual.place.page(self.text, self.env.found_docs)
        return name and sphinx.addnodes.pending_xref(
            self.text, docutils.nodes.inline(self.text, self.text),
            refdomain='std', reftype='doc', reftarget='/' + name,
            refdoc=self.env.docname, refexplicit=False, refwarn=True)

    def to_contract(self):
        name = contract(self.text)
        return name and sphinx.addnodes.pending_xref(
            self.text, docutils.nodes.literal(self.text, self.text),
            refdomain='py', reftype='obj', reftarget=name,
            refdoc=self.env.docname, refexplicit=True, refwarn=True)


def link_files(app, document):
    """Let each literal that names a file of the checkout lead to it."""
    for literal in list(document.findall(docutils.nodes.literal)):
        if address := manual.place.address(literal.astext()):
            literal.replace_self(docutils.nodes.reference(
                '', '', literal.deepcopy(), refuri=address))


def contract(text):
    """Return the whole name of an interface, a verb of it or an error."""
    name, _, verb = text.partition('.')
    found = CONTRACTS.get(name)
    if is_error(found) and not verb:
        return found.__module__ + '.' + name
    if is_interface(found) and (not verb or found.get(verb)):
        owner = found[verb].interface if verb else found
        return '.'.join(filter(None, (owner.__identifier__, verb)))
    return None


def is_error(thing):
    return isinstance(thing, type) and issubclass(thing, Exception)


def is_interface(thing):
    return isinstance(thing, zope.interface.interface.InterfaceClass)
