"""How pom.toml is read: tables, targets, addresses, secrets, and where the files are."""
