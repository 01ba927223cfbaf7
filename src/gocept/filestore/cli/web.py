"""The command that shows stores in a browser."""
import click
import gocept.filestore.cli.argument
import gocept.filestore.cli.terminal
import gocept.filestore.disk.process
import gocept.filestore.web.application
import ipaddress
import os
import threading
import waitress.server


THREADS = 4
LISTEN = '127.0.0.1:8080'


@click.command()
@gocept.filestore.cli.argument.STORES
@click.option('--listen', metavar='HOST:PORT', default=LISTEN,
              show_default=True, type=gocept.filestore.cli.argument.address,
              help='Where to listen; with port 0 where it is free.')
@click.option('--allow-actions', is_flag=True,
              help='Let who comes put files back, clean and settle.')
def web(stores, listen, allow_actions):
    """Show stores in a browser.

    There is no password: whoever reaches the address sees all files. That is
    why it is one of this host only, if you do not say another one.
    """
    host, port = listen
    application = gocept.filestore.web.application.Application(
        lambda: named(stores), acting if allow_actions else None,
        hosts(host))
    server = waitress.server.create_server(
        application, host=host, port=port, threads=THREADS,
        clear_untrusted_proxy_headers=True)
    gocept.filestore.cli.terminal.tell_more()  # who has acted
    gocept.filestore.cli.terminal.say('the page is at ' + url(host, server))
    bell = gocept.filestore.disk.process.Bell()
    # It waits for half a minute where a signal does not wake it.
    threading.Thread(target=server.run, daemon=True).start()
    with bell.rung_by_signals():
        status = gocept.filestore.cli.terminal.until_stopped(
            bell.wait, bell.ring)
    raise click.exceptions.Exit(status)


def named(stores):
    """Return the stores by the shortest names that tell them apart."""
    paths = [os.path.abspath(store.path) for store in stores]
    names = [os.path.basename(path) for path in paths]
    return {name if names.count(name) == 1 else path: store
            for name, path, store in zip(names, paths, stores, strict=True)}


def acting(request):
    """Say for the log who has come: all we know is from where."""
    return 'somebody at %s' % request.client_addr


def hosts(host):
    """Return the names that lead here; None if any name may.

    A page elsewhere can let its own name lead to a loopback address.
    """
    try:
        is_own = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_own = host == 'localhost'
    return {host, '[%s]' % host, 'localhost'} if is_own else None


def url(host, server):
    return 'http://%s:%s/' % (
        '[%s]' % host if ':' in host else host, server.effective_port)
