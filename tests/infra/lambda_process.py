"""A process as Lambda starts it, and the Runtime API that it asks for events, on this machine.

The client is AWS's own (`awslambdaric`), in an interpreter that has what the runtime has and nothing of ours. Where the
system lets us, the process sees a file system that it can write in one folder only, which stands for /tmp.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
API = "/2018-06-01/runtime"
REGION = "eu-central-1"
# As the bootstrap of the runtime does it: where the package lies comes first.
BOOTSTRAP = (
    "import os, runpy, sys\n"
    "sys.path.insert(0, os.environ['LAMBDA_TASK_ROOT'])\n"
    "sys.argv = ['awslambdaric', os.environ['_HANDLER']]\n"
    "runpy.run_module('awslambdaric', run_name='__main__', alter_sys=True)"
)
# Two folders, then a command.
SEAL = (
    'mount --bind "$1" "$1" && mount --bind "$2" "$2" && mount -o remount,bind,ro "$1" && mount -o remount,bind,ro / '
    '&& { [ ! -d /dev/shm ] || mount -t tmpfs -o ro none /dev/shm; } && shift 2 && exec "$@"'
)


class InitFailed(Exception):
    """The process could not load its handler."""


class HandlerFailed(Exception):
    """The handler raised; Lambda would tell its caller so."""


def make_interpreter(folder: Path) -> Path:
    """Make an environment with what Lambda's runtime brings, by links to what is installed here; return its Python.

    Raises:
        importlib.metadata.PackageNotFoundError: `awslambdaric` is not installed.
    """
    wanted: dict[str, Distribution] = {}
    names = ["awslambdaric", "boto3"]
    while names:
        name = names.pop()
        if name not in wanted:
            wanted[name] = distribution(name)
            needs = (Requirement(line) for line in wanted[name].requires or ())
            names += [need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})]
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python3.*/site-packages")
    for found in wanted.values():
        for part in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
            (packages / part).symlink_to(Path(str(found.locate_file(part))).resolve())
    return folder / "bin" / "python"


@cache
def can_seal() -> bool:
    """Tell whether a process can be given a file system that it cannot write."""
    if shutil.which("unshare") is None or os.geteuid() != 0:
        return False
    command = ["unshare", "--mount", "sh", "-c", "mount -o remount,bind,ro /"]
    return subprocess.run(command, capture_output=True).returncode == 0


class LambdaProcess:
    """One process of one function, from its start to its end.

    Args:
        python: an interpreter with `awslambdaric`.
        task: where the zip is unpacked.
        temporary: the folder that stands for /tmp.
        handler: as the template names it.
        variables: of the function; what begins with /tmp/ lies in `temporary`.
        seal: whether nothing but `temporary` can be written.
    """

    def __init__(
        self,
        python: Path,
        task: Path,
        temporary: Path,
        handler: str,
        variables: Mapping[str, str],
        seal: bool = False,
    ) -> None:
        self._events: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._answers: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _make_handler(self._events, self._answers))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        moved = {name: value.replace("/tmp/", f"{temporary}/") for name, value in variables.items()}
        environment = {
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "3008",
            "AWS_LAMBDA_FUNCTION_NAME": "unmask-dev",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/unmask-dev",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]0",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_address[1]}",
            "AWS_REGION": REGION,
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "LAMBDA_TASK_ROOT": str(task),
            "LANG": "en_US.UTF-8",
            "PATH": os.environ["PATH"],
            "TMPDIR": str(temporary),
            "TZ": ":UTC",
            "_HANDLER": handler,
            **moved,
        }
        # -B where the file system would let it write compiled modules, which Lambda's never does.
        command = [str(python), "-I", *([] if seal else ["-B"]), "-c", BOOTSTRAP]
        if seal:
            command = ["unshare", "--mount", "sh", "-c", SEAL, "sh", str(task), str(temporary), *command]
        self._log = (temporary.parent / f"{temporary.name}.log").open("w+b")
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            command, cwd="/", env=environment, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
        )

    def __enter__(self) -> LambdaProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._server.shutdown()
        self._server.server_close()
        self._log.close()

    def invoke(self, event: Any, patience: float = 60) -> Any:
        """Send an event and return what the handler answers.

        Raises:
            InitFailed: the handler could not be loaded.
            HandlerFailed: the handler raised.
            TimeoutError: no answer came in `patience` seconds.
        """
        self._events.put((str(uuid.uuid4()), json.dumps(event).encode()))
        until = time.monotonic() + patience
        while time.monotonic() < until:
            try:
                path, body = self._answers.get(timeout=0.1)
            except queue.Empty:
                if self._process.poll() is not None:
                    raise InitFailed(f"The process ended with {self._process.returncode}:\n{self.log}") from None
                continue
            if path.endswith("/response"):
                return json.loads(body)
            raise (InitFailed if path.endswith("/init/error") else HandlerFailed)(f"{body.decode()}\n{self.log}")
        raise TimeoutError(self.log)

    @property
    def log(self) -> str:
        """What the process has written."""
        return Path(self._log.name).read_text()

    @property
    def peak(self) -> float:
        """The most memory that the process has held, MB; without that of processes which it started."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024 / 1e6


def _make_handler(
    events: queue.Queue[tuple[str, bytes]], answers: queue.Queue[tuple[str, bytes]]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            # The process is ended while it waits for the next event.
            with suppress(ConnectionError):
                super().handle()

        def do_GET(self) -> None:
            assert self.path == f"{API}/invocation/next", self.path
            request_id, body = events.get()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Lambda-Runtime-Aws-Request-Id", request_id)
            self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + 29) * 1000)))
            self.send_header(
                "Lambda-Runtime-Invoked-Function-Arn", f"arn:aws:lambda:{REGION}:123456789012:function:unmask-dev"
            )
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            else:
                body = self.rfile.read(int(self.headers["Content-Length"]))
            answers.put((self.path, body))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def make_request(
    method: str, path: str, body: str | None = None, content_type: str | None = None, *, encoded: bool = False
) -> dict[str, Any]:
    """Return the event that API Gateway makes of a request to a REST API, for a path without parameters."""
    headers = {"Accept": "*/*", "Host": "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com", "User-Agent": "curl/8.5.0"}
    headers |= {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Port": "443", "X-Forwarded-Proto": "https"}
    if content_type:
        headers["Content-Type"] = content_type
    return {
        "resource": path,
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourceId": "abc123",
            "resourcePath": path,
            "httpMethod": method,
            "extendedRequestId": "JKJaXmPLvHcESHA=",
            "requestTime": "01/Jan/2026:02:00:00 +0000",
            "path": f"/api{path}",
            "accountId": "123456789012",
            "protocol": "HTTP/1.1",
            "stage": "api",
            "domainPrefix": "a1b2c3d4e5",
            "requestTimeEpoch": 1767232800000,
            "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
            "identity": {"sourceIp": "203.0.113.7", "userAgent": "curl/8.5.0", "accessKey": None, "user": None},
            "domainName": "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com",
            "apiId": "a1b2c3d4e5",
        },
        "body": body,
        "isBase64Encoded": encoded,
    }


# What EventBridge sends when it is time.
SCHEDULED = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2026-01-01T02:00:00Z",
    "region": REGION,
    "resources": [f"arn:aws:events:{REGION}:123456789012:rule/unmask-dev-plan_rescoring-event"],
    "detail": {},
}
