"""A server in MLflow's place that writes down what comes, and waiting for it."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from mlflow.tracking import MlflowClient

from tests.ports import free_port

DEADLINE = 20


def eventually(true, seconds=DEADLINE):
    """Wait until ``true()``, at most so long."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


class Recorder:
    """MLflow's REST endpoint for log-batch; writes down what comes."""

    def __init__(self):
        self.port = free_port()
        self.batches = []
        self.client = MlflowClient(f"http://127.0.0.1:{self.port}")

    def start(self):
        batches = self.batches

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path.endswith("runs/log-batch"):
                    batches.append(body)
                self.answer({})

            def do_GET(self):
                info = {"run_id": "r", "experiment_id": "0", "status": "RUNNING"}
                self.answer({"run": {"info": info, "data": {}}})

            def answer(self, body):
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
