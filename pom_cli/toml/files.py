"""Files that the config names."""

from pathlib import Path

from pom_cli.toml.table import Table


def ca_file(table: Table) -> str | None:
    """The path at `ca_file`, once a certificate is known to be in it; really reading it is left to the handshake."""
    return _pem(table, "ca_file", "CERTIFICATE", "a certificate") or None


def identity(table: Table) -> tuple[str, str] | None:
    """The paths at `cert_file` and `key_file`: a client certificate and its key, which may be in one file."""
    certificate = _pem(table, "cert_file", "CERTIFICATE", "a certificate")
    key = _pem(table, "key_file", "PRIVATE KEY", "a private key", private=True)
    if key and not table.data.get("cert_file"):
        table.missing("cert_file", "the file of the certificate that key_file belongs to")
    return (certificate, key or certificate) if certificate else None


def _pem(table: Table, key: str, label: str, what: str, private: bool = False) -> str:
    """A file's path, "" for none. A private file may be readable by user pom alone, which is no mistake."""
    path = table.line(key, "", "a file's path") if table.data.get(key) != "" else table.text(key)
    if not path or not table.files:
        return path
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        if private and isinstance(error, PermissionError):
            return path
        table.problem(key, f"a file that can be read ({error.strerror})")
        return ""
    if label.encode() not in text:
        table.problem(key, f"a file with {what} in PEM (no BEGIN {label} in it)")
        return ""
    return path
