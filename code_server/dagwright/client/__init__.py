"""A typed client of the REST API of a deployment.

```py
from dagwright.client import Client

with Client("http://127.0.0.1:3004") as client:
    run = client.runs.wait(client.runs.launch(job="nightly").run_id)
```

`connect()` finds the deployment that the environment names, or the `dagwright dev` that runs here.
"""

from dagwright.client import errors, models
from dagwright.client.client import Client, to_json
from dagwright.client.connect import connect
from dagwright.client.errors import ApiError
from dagwright.client.pages import Pages
from dagwright.client.streams import StreamEvent
from dagwright.client.transport import LEFT_OUT

__all__ = ["LEFT_OUT", "ApiError", "Client", "Pages", "StreamEvent", "connect", "errors", "models", "to_json"]
