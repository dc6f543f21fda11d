"""A Python runtime and its function, in the standard library alone.

All functions of this test answer {"runtime":NAME,"event":EVENT,"filler":LENGTH OF $FILLER}, fail
when the event says "fail", end when it says "crash", and cannot be set up when FAIL_INIT is set.
"""

import http.client
import json
import os
import sys

API = "/2018-06-01/runtime"


def handle(event):
    if event.get("do") == "fail":
        raise ValueError("asked to fail")
    if event.get("do") == "crash":
        os._exit(3)
    return {"runtime": "python", "event": event, "filler": len(os.environ.get("FILLER", ""))}


def report(connection, path, error):
    body = {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": []}
    headers = {"Lambda-Runtime-Function-Error-Type": "Unhandled", "Content-Type": "application/json"}
    connection.request("POST", API + path, json.dumps(body), headers)
    connection.getresponse().read()


def main():
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    if os.environ.get("FAIL_INIT"):
        report(connection, "/init/error", ValueError("asked to fail"))
        sys.exit(1)
    while True:
        connection.request("GET", API + "/invocation/next")
        reply = connection.getresponse()
        event = json.loads(reply.read())
        path = f"/invocation/{reply.getheader('Lambda-Runtime-Aws-Request-Id')}"
        try:
            answer = json.dumps(handle(event), ensure_ascii=False, separators=(",", ":")).encode()
        except ValueError as error:
            report(connection, path + "/error", error)
            continue
        connection.request("POST", API + path + "/response", answer)
        connection.getresponse().read()


main()
