"""A pytest plugin for the tests that documents give: their TestClient is a real socket to the server at LANECAST_URL."""

import json
import os
import sys
from types import ModuleType

from websockets.sync.client import connect

SECONDS = 20


class Session:
    def __init__(self, url: str) -> None:
        self.socket = connect(url)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def receive_json(self):
        return json.loads(self.socket.recv(SECONDS))

    def send_json(self, value) -> None:
        self.socket.send(json.dumps(value))


class TestClient:
    __test__ = False

    def __init__(self, app: str) -> None:
        self.url = app

    def websocket_connect(self, path: str) -> Session:
        return Session(self.url + path)


def stand_in(name: str, **members) -> None:
    module = sys.modules[name] = ModuleType(name)
    vars(module).update(members)


stand_in("fastapi")
stand_in("fastapi.testclient", TestClient=TestClient)
for name in ("main", "backend", "backend.api", "backend.api.main"):
    stand_in(name, app=os.environ["LANECAST_URL"])
