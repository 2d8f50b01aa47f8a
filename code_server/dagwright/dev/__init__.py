"""`dagwright dev`: a Postgres, the code servers, the webserver and the daemon on one machine, under one supervisor.

Invariant: this process imports neither user code nor the services; it starts them as children, as an operator would.
"""
