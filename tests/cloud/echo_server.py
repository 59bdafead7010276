"""A model server that answers with what it was sent, or as the artifact's `behaviour.json` says.

python echo_server.py FOLDER PORT

exit: end with this code at once. start_s: seconds until it listens. unhealthy: how many times /ping answers 503.
status: of /invocations. sleep_s: before each answer. gate: a folder, in which each request makes a file and then waits
for the file "open".
"""

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

folder, port = Path(sys.argv[1]), int(sys.argv[2])
file = folder / "behaviour.json"
behaviour = json.loads(file.read_text()) if file.exists() else {}
pings = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        global pings
        pings += 1
        self._answer(503 if pings <= behaviour.get("unhealthy", 0) else 200, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "gate" in behaviour:
            self._wait_at(Path(behaviour["gate"]))
        time.sleep(behaviour.get("sleep_s", 0))
        if body == b"environment":
            body = json.dumps(dict(os.environ)).encode()
        elif body == b"headers":
            body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        elif body == b"pid":
            body = str(os.getpid()).encode()
        elif body == b"end":
            os._exit(3)
        elif "says" in behaviour:
            body = behaviour["says"].encode()
        self._answer(behaviour.get("status", 200), body)

    def _wait_at(self, gate: Path) -> None:
        (gate / f"{os.getpid()}-{threading.get_ident()}").touch()
        while not (gate / "open").exists():
            time.sleep(0.01)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", self.headers.get("Accept") or "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # as many requests at once as a test sends; 5 by default, and the others are reset


print(f"the model is in {sorted(each.name for each in folder.iterdir())}", flush=True)
if "exit" in behaviour:
    print("the model cannot be loaded", flush=True)
    sys.exit(behaviour["exit"])
time.sleep(behaviour.get("start_s", 0))
Server(("127.0.0.1", port), Handler).serve_forever()
