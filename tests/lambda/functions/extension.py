"""An external extension: registers for no event and stays until the sandbox is shut down."""

import http.client
import os

API = "/2020-01-01/extension"

connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
connection.request("POST", API + "/register", '{"events":[]}', {"Lambda-Extension-Name": "extension.py"})
reply = connection.getresponse()
reply.read()
identifier = reply.getheader("Lambda-Extension-Identifier")
connection.request("GET", API + "/event/next", headers={"Lambda-Extension-Identifier": identifier})
connection.getresponse().read()
