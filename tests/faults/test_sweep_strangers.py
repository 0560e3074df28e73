"""Another user of the machine gets neither into a sweep nor reads where it listens."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import distributed
import pytest

from tests.faults.test_sweep import FAULTS, TOY, started

NOBODY = 65534

STRANGER = """
import gc, json, logging, os, socket, sys, tempfile
gc.disable()  # a refused client, collected while another starts, waits for a lock held by that one
logging.disable(logging.CRITICAL)
from distributed import Client
from distributed.security import Security

def whoami():
    import os
    return os.getuid()

def entered(address, timeout=2, **options):
    try:
        with Client(address, timeout=timeout, set_as_default=False, **options) as client:
            return client.submit(whoami).result(timeout=30)
    except BaseException as error:
        return type(error).__name__

def spoken(port):
    # What a listener answers to a request without a certificate.
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=3) as line:
            line.settimeout(3)
            line.sendall(b"GET /info/main/workers.html HTTP/1.0\\r\\n\\r\\n")
            return line.recv(100).decode("latin-1")
    except OSError as error:
        return ""

own = Security.temporary()
control, *ports = json.loads(sys.argv[1])
# As root first: Python may lie where a stranger cannot read, and much is imported late.
for address in ("tcp://127.0.0.1:1", "tls://127.0.0.1:1"):
    entered(address, 0.1, security=own)
entered(f"tcp://127.0.0.1:{{control}}", 30)
os.setgroups([]); os.setgid({nobody}); os.setuid({nobody})
os.environ["HOME"] = "/nonexistent"
tempfile.tempdir = "/tmp"
found = {{"control": entered(f"tcp://127.0.0.1:{{control}}", 30)}}
found |= {{"uid": os.getuid(), "entered": {{}}, "spoken": {{}}}}
for port in ports:
    found["spoken"][port] = spoken(port)
    found["entered"][port] = [
        entered(f"tcp://127.0.0.1:{{port}}"), entered(f"tls://127.0.0.1:{{port}}", security=own)
    ]
print(json.dumps(found), flush=True)
os._exit(0)  # threads of refused clients may wait for ever
"""


def tree(pid: int) -> set[int]:
    """A process and all that it started; those that end meanwhile may be missing."""
    found = {pid}
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text("utf-8").split():
                found |= tree(int(child))
    return found


def listening(pids: set[int]) -> dict[int, str]:
    """Ports on which these processes listen, and the address each is bound to."""
    inodes: set[str] = set()
    for pid in pids:
        with suppress(FileNotFoundError):  # a process that has ended listens nowhere
            for link in list(Path(f"/proc/{pid}/fd").iterdir()):
                with suppress(FileNotFoundError):
                    inodes |= set(re.findall(r"socket:\[(\d+)\]", os.readlink(link)))
    found = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text("utf-8").splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and words[9] in inodes:
                address, _, port = words[1].partition(":")
                found[int(port, 16)] = address
    return found


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")
def test_another_user_cannot_run_code_in_a_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every port is tried: scheduler, workers and their keepers, in the clear and with TLS."""
    out, temporary = tmp_path / "out", tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with started(FAULTS, "hang", str(TOY), str(out)) as sweep:
        until = time.monotonic() + 300
        while not list((out / "logs").glob("????????*.log")):  # a point runs
            assert sweep.poll() is None and time.monotonic() < until
            time.sleep(0.1)
        ports = listening(tree(sweep.pid))
        assert len(ports) == 5, ports  # a scheduler, two workers, two keepers: no HTTP
        assert set(ports.values()) == {"0100007F"}  # of this machine alone
        made = list(temporary.iterdir())
        assert made and {path.stat().st_mode & 0o777 for path in made} == {0o700}, made
        assert not [path for path in made if path.name.startswith("dask")]  # a name to foresee
        if os.getuid() != 0:
            pytest.skip("only root can become another user")
        code = STRANGER.format(nobody=NOBODY)
        with distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, protocol="tcp://",
            host="127.0.0.1", dashboard_address=None,
        ) as unprotected:  # fmt: skip
            control = int(unprotected.scheduler_address.rpartition(":")[2])
            done = subprocess.run(
                [sys.executable, "-c", code, json.dumps([control, *ports])],
                capture_output=True, text=True, check=False, cwd="/", timeout=300,
            )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["uid"] == NOBODY
        assert found["control"] == 0  # a cluster without certificates lets a stranger be root
        for port in ports:
            refusals = found["entered"][str(port)]
            assert set(refusals) <= {
                "OSError",
                "TimeoutError",
                "CommClosedError",
                "FatalCommClosedError",
            }, found
            assert "HTTP/" not in found["spoken"][str(port)]
        assert sweep.poll() is None
