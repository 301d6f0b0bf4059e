"""pom serve: the read-only API, until it is stopped."""

import click

from pom_cli import session


@click.command()
@click.pass_context
def command(context: click.Context) -> int:
    """Serve the read-only API at [serve] listen; the config is read once, at the start.

    Example: pom serve
    """
    from pom_cli.web import service

    loaded = session.config_for_timer(context)
    return service.serve(loaded, click.echo, lambda line: session.complain([line]))
