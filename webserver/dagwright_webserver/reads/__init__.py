"""What pages and REST answers show: functions from a connection (and the current definitions) to a view."""
