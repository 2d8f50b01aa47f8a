"""What every process needs to live: settings, logging, start and stop."""
