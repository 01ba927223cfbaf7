"""The command that runs the consumers of an application."""
import click
import signal


@click.command()
@click.argument('site', metavar='[SITE.ZCML]', required=False)
@click.option('-c', '--configuration', metavar='FILE',
              help='Take site, number of workers, pid file and log from a '
                   'configuration file.')
@click.option('--zope', metavar='FILE',
              help='Take the site from a Zope instance, by its zope.conf.')
def serve(site, configuration, zope):
    """Run the consumers that are declared in ZCML.

    They run in worker processes; one that dies is started again. SIGTERM and
    SIGINT let the handlers finish that are running. SIGHUP does that, too,
    and starts anew with the configuration of then.
    """
    import gocept.filestore.interfaces
    import gocept.filestore.server.deployment as deployment
    import gocept.filestore.server.server
    given = [(read, path) for read, path in (
        (deployment.by_zcml, site),
        (deployment.by_zope, zope),
        (deployment.by_configuration, configuration)) if path is not None]
    if len(given) != 1:
        raise click.UsageError(
            'it takes one of SITE.ZCML, --zope and --configuration')
    read, path = given[0]
    server = gocept.filestore.server.server.Server(lambda: read(path))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.stop)
    signal.signal(signal.SIGHUP, server.reload)
    try:
        with deployment.pid_file(read(path).pid_filename):
            server.run()
    except gocept.filestore.interfaces.InvalidDeclaration as error:
        raise click.ClickException(str(error)) from error
