"""PoM, the Production Operations Monitor: one short process a check, alerts that are never lost."""

__version__ = "0.1.0"
