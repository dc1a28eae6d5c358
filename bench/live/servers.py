"""The servers under test: ours, its peers, and the floor. Each runs alone, on a core of its own."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from bench.live import machine
from bench.live.publisher import message

Way: TypeAlias = Literal["sse", "ws"]

NCHAN_MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")


@dataclass(frozen=True, slots=True)
class Rate:
    """What is published: one message of `size` bytes every `every_ms`."""

    every_ms: int = 1000
    size: int = 200


class Publishing(Protocol):
    """Starts and stops what a running server's clients hear."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Running:
    port: int
    process: subprocess.Popen[str]
    publishing: Publishing

    @property
    def pids(self) -> list[int]:
        return machine.with_children(self.process.pid)

    def kill(self) -> None:
        """All of it at once, as a machine that loses power."""
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


class Server:
    """One of those compared. `paths` are the ways it has, and where."""

    name: str
    paths: Mapping[Way, str]

    def missing(self) -> str | None:
        """Why it can't run here, in a few words."""
        return None

    def command(self, port: int, rate: Rate, folder: Path) -> list[str]:
        raise NotImplementedError

    def publishing(self, process: subprocess.Popen[str], port: int, rate: Rate) -> Publishing:  # noqa: ARG002
        return Signals(process)

    @contextlib.contextmanager
    def running(self, rate: Rate, folder: Path, port: int | None = None) -> Iterator[Running]:
        """Started and listening; ended with the context."""
        port = port or machine.free_port()
        log = folder / f"{self.name}.log"
        with machine.child(self.command(port, rate, folder), machine.SERVER_CORE, log) as process:
            machine.await_port(port, process, log)
            publishing = self.publishing(process, port, rate)
            try:
                yield Running(port, process, publishing)
            finally:
                publishing.stop()


@dataclass(frozen=True, slots=True)
class Signals:
    """To a publisher inside the server: publisher.py, c/floor.c."""

    process: subprocess.Popen[str]

    def start(self) -> None:
        self.process.send_signal(signal.SIGUSR1)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGUSR2)


class Posts:
    """A publisher outside: one POST a message, as nchan wants it, stamped just before."""

    def __init__(self, port: int, path: str, rate: Rate) -> None:
        self._port, self._path, self._rate = port, path, rate
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        due = time.monotonic()
        while not self._stopped.wait(max(due - time.monotonic(), 0)):
            connection.request("POST", self._path, message(self._rate.size))
            connection.getresponse().read()
            due = max(due + self._rate.every_ms / 1000, time.monotonic())
        connection.close()


class Floor(Server):
    name, paths = "floor", {"sse": "/"}

    def __init__(self, program: Path) -> None:
        self._program = program

    def command(self, port: int, rate: Rate, folder: Path) -> list[str]:  # noqa: ARG002
        return [str(self._program), str(port), str(rate.every_ms), str(rate.size)]


class PythonServer(Server):
    def __init__(self, name: str, paths: Mapping[Way, str], module: str) -> None:
        self.name, self.paths, self._module = name, paths, module

    def command(self, port: int, rate: Rate, folder: Path) -> list[str]:  # noqa: ARG002
        numbers = map(str, (port, rate.every_ms, rate.size))
        return [sys.executable, "-m", self._module, *numbers]


class Nchan(Server):
    """nginx's module for the same job, in C; one worker."""

    name, paths = "nchan", {"sse": "/sub", "ws": "/sub"}

    def missing(self) -> str | None:
        if shutil.which("nginx") is None or not NCHAN_MODULE.exists():
            return "Debian's nginx and libnginx-mod-nchan are not installed"
        return None

    def command(self, port: int, rate: Rate, folder: Path) -> list[str]:  # noqa: ARG002
        configuration = folder / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        configuration.write_text(
            NGINX_CONF.format(user=user, module=NCHAN_MODULE, folder=folder, port=port)
        )
        nginx = shutil.which("nginx")
        assert nginx is not None
        return [nginx, "-c", str(configuration), "-p", str(folder)]

    def publishing(self, process: subprocess.Popen[str], port: int, rate: Rate) -> Publishing:  # noqa: ARG002
        return Posts(port, "/pub", rate)


NGINX_CONF = """
{user}
load_module {module};
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 19900; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  nchan_shared_memory_size 256M;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /sub {{
      nchan_subscriber websocket eventsource;
      nchan_channel_id bench;
      nchan_subscriber_first_message newest;
    }}
    location = /pub {{
      nchan_publisher;
      nchan_channel_id bench;
      nchan_message_buffer_length 50;
      nchan_message_timeout 1m;
    }}
  }}
}}
"""

HUB = PythonServer("hub", {"sse": "/sse", "ws": "/ws"}, "bench.live.hub_server")
SSE_STARLETTE = PythonServer("sse-starlette", {"sse": "/sse"}, "bench.live.sse_starlette_server")
