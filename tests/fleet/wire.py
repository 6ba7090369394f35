"""A network that can be cut: what goes to one port of this machine comes out at another."""

import selectors
import socket
import threading
from contextlib import suppress


class Wire:
    """Relays connections to `port` while it is whole; cut, it says nothing, as a lost network does."""

    def __init__(self, port: int) -> None:
        self.to = port
        self.whole = threading.Event()
        self.whole.set()
        self.ends: list[socket.socket] = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.server.accept()
                self.whole.wait()
                try:
                    far = socket.create_connection(("127.0.0.1", self.to))
                except OSError:
                    near.close()
                    continue
                self.ends += [near, far]
                threading.Thread(target=self._relay, args=(near, far), daemon=True).start()

    def _relay(self, near: socket.socket, far: socket.socket) -> None:
        with near, far, selectors.DefaultSelector() as ready, suppress(OSError):
            ready.register(near, selectors.EVENT_READ, far)
            ready.register(far, selectors.EVENT_READ, near)
            while True:
                for key, _ in ready.select():
                    self.whole.wait()
                    content = key.fileobj.recv(65536)
                    if not content:
                        return
                    key.data.sendall(content)

    def close(self) -> None:
        self.whole.set()
        for one in [self.server, *self.ends]:
            with suppress(OSError):
                one.close()
