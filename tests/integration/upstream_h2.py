"""The HTTP/2 stand-in, upstream_h2.mjs, and how tests steer it."""
import json
import subprocess
import threading
from pathlib import Path

from site_under_test import wait_for


class Http2Upstream:
    """Running until `stop`, with the files of a certificate and its key."""

    def __init__(self, certificate):
        self.process = subprocess.Popen(["node", Path(__file__).with_name("upstream_h2.mjs"), *certificate], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.told = []
        self.url = f"https://127.0.0.1:{json.loads(self.process.stdout.readline())['port']}"
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            self.told.append(json.loads(line))

    def wait(self, what, model, count=1):
        """Until so many streams of the model have begun, or are full."""
        wait_for(lambda: self.told.count({what: model}) >= count, f"{count} streams of {model} to be {what}")

    def end(self, model):
        """Let the streams of the model end."""
        self.process.stdin.write(model + "\n")
        self.process.stdin.flush()

    def stop(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()
