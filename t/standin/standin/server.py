"""HTTP on the unix socket of app.ini: requests read, answers written, faults shown."""
import base64
import collections
import http.client
import http.server
import json
import os
import socketserver
import time
import urllib.parse

from . import NOTICE, api, git, pages, providers

http.client._MAXHEADERS = 1000
BROKEN = {"cut-head": b"HTTP/1.1 200 OK\r\nContent-Ty", "cut-body": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
          "garbage": b"\0\1\2 garbage\r\n\r\n"}

class Answer:
    """body: bytes, or an iterator of them, which goes out as chunks."""
    def __init__(self, status, body=b"", kind="text/plain; charset=utf-8", headers=()):
        self.status, self.body, self.headers = status, body, list(headers)
        if kind:
            self.headers.append(("Content-Type", kind))

class Request(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def serve(self):
        target, _, self.query_string = self.path.partition("?")
        self.query = urllib.parse.parse_qs(self.query_string, keep_blank_values=True)
        self.segments = [part for part in target.split("/") if part]  # runs of slashes are one, as in Gitea's router
        self.store, self.providers, self.unread = self.server.store, self.server.providers, True
        if not self.show_fault(target):
            self.send(self.find_answer())

    def find_answer(self):
        match self.segments:
            case ["api", "healthz"]:
                return self.json(200, {"status": "pass", "description": NOTICE})
            case ["api", "v1", *_]:
                return api.answer(self)
            case ["v2", *_]:
                return git.registry(self)
            case ["assets" | "api", *_]:
                return self.json(404, {"error": ""})
        return pages.answer(self)

    def json(self, status, value, kind="application/json;charset=utf-8", headers=()):
        return Answer(status, json.dumps(value).encode() + b"\n", kind, headers)

    def text(self, status, text, headers=()):
        return Answer(status, text.encode() + b"\n", headers=headers)

    def credential(self, bearer=True, basic=True):
        """The access token that the request shows, in the places that this route looks at; None: nothing is shown."""
        scheme, _, value = self.headers.get("Authorization", "").partition(" ")
        if bearer and scheme.lower() in ("token", "bearer"):
            return value.strip()
        if basic and scheme.lower() == "basic":
            name, _, password = base64.b64decode(value).decode().partition(":")
            return password or name
        return None

    def cookie_value(self, wanted):
        pairs = [pair.strip().partition("=") for pair in ";".join(self.headers.get_all("Cookie", [])).split(";")]
        return next((value.strip('"') for name, _, value in pairs if name == wanted), "")

    def cookie(self, name, value, more=""):
        return "Set-Cookie", f"{name}={value}; Path=/; {more}HttpOnly; Secure; SameSite=Lax"

    def url(self, path):
        return f"{self.headers.get('X-Forwarded-Proto', 'http')}://{self.headers.get('Host')}/{path}"

    def pieces(self):
        chunked = self.unread and "chunked" in self.headers.get("Transfer-Encoding", "")
        left = 0 if chunked or not self.unread else int(self.headers.get("Content-Length", 0))
        self.unread = False
        while chunked or left:
            if chunked:
                left = int(self.rfile.readline().split(b";")[0], 16)
                chunked = left > 0
            while left:
                piece = self.rfile.read(min(left, 65536))
                if not piece:
                    raise ConnectionError("the body ended too soon")
                left -= len(piece)
                yield piece
            if "Transfer-Encoding" in self.headers:
                self.rfile.readline()

    def body_json(self):
        return json.loads(b"".join(self.pieces()))

    def send(self, answer):
        collections.deque(self.pieces(), maxlen=0)  # what is left of the body
        self.send_response(answer.status)
        whole = isinstance(answer.body, bytes)
        silent = self.command == "HEAD" or answer.status == 204
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header(*(("Content-Length", len(answer.body)) if whole else ("Transfer-Encoding", "chunked")))
        self.end_headers()
        for piece in [] if silent else [answer.body] if whole else answer.body:
            self.wfile.write(piece if whole else b"%x\r\n%s\r\n" % (len(piece), piece) if piece else b"")
            self.wfile.flush()
        self.wfile.write(b"" if whole or silent else b"0\r\n\r\n")

    def log_message(self, form, *values):
        print(f"[stand-in] {form % values}", flush=True)

    def show_fault(self, target):
        orders = [self.headers.get("X-Stand-In-Fault", "").split()] + faults(self.store)
        for kind, *values in filter(None, orders):
            value = values.pop(0) if kind in ("slow", "status") else None
            if values and not target.startswith(values[0]):
                continue
            if kind == "slow":
                time.sleep(float(value))
            elif kind == "status":
                return not self.send(self.text(int(value), NOTICE))
            elif kind in BROKEN:
                self.close_connection = True
                return self.wfile.write(BROKEN[kind]) > 0
        return False

for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
    setattr(Request, "do_" + method, Request.serve)

def faults(store):
    if not os.path.exists(store.work + "/faults"):
        return []
    with open(store.work + "/faults", encoding="utf-8") as text:
        return [line.split() for line in text if line.strip()]

class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128

    def get_request(self):
        while ["refuse"] in faults(self.store):
            time.sleep(0.05)
        return super().get_request()

def run(store):
    path = store.ini.get("server", "http_addr")
    server = Server(path, Request)
    server.store, server.providers = store, providers.Providers(store)
    print(f"[stand-in] {NOTICE}. It listens on {path}.", flush=True)
    server.serve_forever()
