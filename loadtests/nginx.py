"""N: nginx that answers 204 and does nothing else, and nginx that reads a POST and logs its body. Where it is on PATH."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from baliza.embedded.valkey import free_port
from loadtests.client import LoadError
from loadtests.processes import server_cores
from loadtests.servers import Server, answers_204, wait_until

__all__ = ["LOG", "available", "logged", "nginx"]

LOG: Final = "bodies.log"
# nginx reads a body only when it hands it on: here to itself, over a Unix socket.
CONFIG: Final = """{user}worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    log_format body escape=json '$msec $status $request_body';
    upstream itself {{ server unix:{folder}/itself.sock; keepalive 128; keepalive_requests 100000000; }}
    server {{ listen 127.0.0.1:{nothing}; location = /o {{ return 204; }} }}
    server {{
        listen 127.0.0.1:{reading};
        location = /o {{
            access_log {folder}/{log} body;
            client_max_body_size 512k; client_body_buffer_size 512k;
            proxy_pass http://itself; proxy_http_version 1.1; proxy_set_header Connection "";
        }}
    }}
    server {{ listen unix:{folder}/itself.sock; location = /o {{ return 204; }} }}
}}
"""


def available() -> bool:
    """True when nginx is on PATH."""
    return shutil.which("nginx") is not None


@contextmanager
def nginx(folder: Path) -> Iterator[tuple[Server, Server]]:
    """The one that answers 204, and the one that reads and logs the same request, while inside. One process serves both."""
    folder.mkdir(parents=True, exist_ok=True)
    nothing, reading = free_port(), free_port()
    # Started by root it would work as nobody, who cannot open what lies in this folder.
    user = "user root;\n" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(user=user, folder=folder, nothing=nothing, reading=reading, log=LOG))
    log = folder / "start.log"
    with server_cores(), log.open("ab") as output:
        command = ["nginx", "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")]
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    try:
        servers = [Server(name, ("127.0.0.1", port), [process.pid]) for name, port in (("204", nothing), ("log", reading))]
        for server in servers:
            wait_until(lambda url=server.url: answers_204(url), lambda: process.poll() is None, log)  # type: ignore[misc]
        yield servers[0], servers[1]
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def logged(folder: Path) -> int:
    """How many requests lie in the log. LoadError when the last of them has no body: then nothing was read."""
    count, last = 0, b""
    with (folder / LOG).open("rb") as lines:
        for line in lines:
            count, last = count + 1, line
    if len(last) < 100:
        raise LoadError(f"expected nginx to log the bodies, got {last!r}")
    return count
