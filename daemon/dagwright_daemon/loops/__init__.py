"""The loops of the daemon, a module for each; they do not know each other."""
