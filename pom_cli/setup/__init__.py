"""What a site is today, for a first config."""
