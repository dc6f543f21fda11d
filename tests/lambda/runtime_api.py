"""A local Lambda Runtime API: hands invocations to a runtime and takes its answers, as the service
does for one sandbox. Also the two calls that an extension makes.

What a runtime gets wrong (a path, a method, an unknown or finished request, a body that is no JSON
error) is answered as the service does and kept in `violations`.
"""

import http.server
import json
import queue
import re
import threading
import time
import uuid

MAX_RESPONSE_BYTES = 6 << 20
RUNTIME = "/2018-06-01/runtime"
EXTENSION = "/2020-01-01/extension"
TIMEOUT_S = 30


class Reply:
    """What came back for one invocation."""

    def __init__(self, kind, body, headers):
        self.kind = kind  # "response" or "error"
        self.body = body
        self.headers = headers

    def error(self):
        return json.loads(self.body)


class Invocation:
    def __init__(self, event):
        self.id = str(uuid.uuid4())
        self.event = event
        self.reply = None
        self.answered = threading.Event()


class RuntimeApi:
    def __init__(self):
        self.waiting = queue.Queue()
        self.pending = {}
        self.init_errors = []
        self.violations = []
        self.extensions = []
        self.ready = threading.Event()  # a runtime has asked for its first invocation
        self.closing = threading.Event()
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                api.get(self)

            def do_POST(self):
                api.post(self)

            def answer(self, status, body=b"", **headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def refuse(self, status, kind):
                api.violations.append(f"{self.command} {self.path}: {kind}")
                self.answer(status, json.dumps({"errorMessage": kind, "errorType": kind}).encode())

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                """A runtime may be killed while it waits."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def invoke(self, event, alive=lambda: True):
        """The reply to an event, or None when the runtime has died or takes too long."""
        invocation = Invocation(event)
        self.pending[invocation.id] = invocation
        self.waiting.put(invocation)
        for _ in range(TIMEOUT_S * 50):  # not a clock: this process may be stopped for a while
            if invocation.answered.wait(0.02):
                return invocation.reply
            if not alive():
                break
        self.pending.pop(invocation.id, None)
        return None

    def get(self, request):
        if request.path == f"{RUNTIME}/invocation/next":
            self.ready.set()
            invocation = self.next_invocation()
            if invocation:
                request.answer(
                    200, invocation.event,
                    Lambda_Runtime_Aws_Request_Id=invocation.id,
                    Lambda_Runtime_Deadline_Ms=str(int((time.time() + TIMEOUT_S) * 1000)),
                    Lambda_Runtime_Invoked_Function_Arn="arn:aws:lambda:eu-west-1:123456789012:function:test",
                    Lambda_Runtime_Trace_Id="Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
                )
        elif request.path == f"{EXTENSION}/event/next":
            if request.headers.get("Lambda-Extension-Identifier") not in self.extensions:
                request.refuse(403, "Extension.UnknownExtensionIdentifier")
            self.closing.wait(TIMEOUT_S)
        else:
            request.refuse(404, "NotFound")

    def next_invocation(self):
        while not self.closing.is_set():
            try:
                return self.waiting.get(timeout=0.05)
            except queue.Empty:
                pass
        return None

    @staticmethod
    def body(request):
        if "chunked" not in request.headers.get("Transfer-Encoding", ""):
            return request.rfile.read(int(request.headers.get("Content-Length", 0)))
        body = b""
        while size := int(request.rfile.readline().split(b";")[0], 16):
            body += request.rfile.read(size)
            request.rfile.readline()
        request.rfile.readline()
        return body

    def post(self, request):
        body = self.body(request)
        if request.path == f"{RUNTIME}/init/error":
            if not self.is_error(body):
                return request.refuse(400, "InvalidErrorShape")
            self.init_errors.append(Reply("error", body, request.headers))
            return request.answer(202, b'{"status":"OK"}')
        if request.path == f"{EXTENSION}/register":
            if not request.headers.get("Lambda-Extension-Name"):
                return request.refuse(400, "Extension.InvalidExtensionName")
            self.extensions.append(str(uuid.uuid4()))
            return request.answer(200, b"{}", Lambda_Extension_Identifier=self.extensions[-1])
        match = re.fullmatch(rf"{RUNTIME}/invocation/([^/]+)/(response|error)", request.path)
        if not match:
            return request.refuse(404, "NotFound")
        if match[1] not in self.pending:
            return request.refuse(400, "InvalidRequestID")
        if match[2] == "error" and not self.is_error(body):
            return request.refuse(400, "InvalidErrorShape")
        if len(body) > MAX_RESPONSE_BYTES:
            return request.refuse(413, "RequestEntityTooLarge")
        invocation = self.pending.pop(match[1])
        invocation.reply = Reply(match[2], body, request.headers)
        request.answer(202, b'{"status":"OK"}')
        invocation.answered.set()

    @staticmethod
    def is_error(body):
        try:
            error = json.loads(body)
        except ValueError:
            return False
        return isinstance(error, dict) and {"errorMessage", "errorType"} <= set(error)
