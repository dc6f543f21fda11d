"""A web application for any WSGI server."""


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"answered " + environ["PATH_INFO"].encode() + b"\n"]
