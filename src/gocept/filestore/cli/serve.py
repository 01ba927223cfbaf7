"""The command that runs consumers and intakes of an application."""
import click
import gocept.filestore.cli.argument
import gocept.filestore.cli.terminal
import gocept.filestore.interfaces
import gocept.filestore.server.deployment
import gocept.filestore.server.server
import setproctitle
import signal


deployment = gocept.filestore.server.deployment


@click.command()
@click.argument('site', metavar='[SITE.ZCML]', required=False,
                shell_complete=gocept.filestore.cli.argument.files)
@click.option('-c', '--configuration', metavar='FILE',
              shell_complete=gocept.filestore.cli.argument.files,
              help='Take site, number of workers, pid file and log from a '
                   'configuration file.')
@click.option('--zope', metavar='FILE',
              shell_complete=gocept.filestore.cli.argument.files,
              help='Take the site from a Zope instance, by its zope.conf.')
def serve(site, configuration, zope):
    """Run the consumers and intakes that are declared in ZCML.

    They run in worker processes; one that dies is started again. SIGTERM and
    SIGINT let the handlers finish that are running. SIGHUP does that, too,
    and starts each one anew with the configuration of then.
    """
    given = [(read, path) for read, path in (
        (deployment.by_zcml, site),
        (deployment.by_zope, zope),
        (deployment.by_configuration, configuration)) if path is not None]
    if len(given) != 1:
        raise click.UsageError(
            'it takes one of SITE.ZCML, --zope and --configuration')
    read, path = given[0]
    setproctitle.setproctitle('filestore serve: %s' % path)
    server = gocept.filestore.server.server.Server(lambda: read(path))

    def run():
        signal.signal(signal.SIGHUP, server.reload)
        server.run()

    try:
        status = gocept.filestore.cli.terminal.until_stopped(
            run, server.stop, server.stop)
    except gocept.filestore.interfaces.InvalidDeclaration as error:
        raise click.ClickException(str(error)) from error
    raise click.exceptions.Exit(status)
