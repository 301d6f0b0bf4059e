"""Files that the config names."""

from pathlib import Path

from pom_cli.toml.table import Table


def ca_file(table: Table) -> str | None:
    """The path at `ca_file`, once a certificate is known to be in it; really reading it is left to the handshake."""
    path = table.line("ca_file", "", "a file's path")
    if not path or not table.files:
        return path or None
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        table.problem("ca_file", f"a file that can be read ({error.strerror})")
        return None
    if b"BEGIN CERTIFICATE" not in text:
        table.problem("ca_file", "a file with a certificate in PEM (no BEGIN CERTIFICATE in it)")
        return None
    return path
