"""A process of Ray that is kept free on a node: the actor of a lost shard begins in it at once.

Ray starts a process for each actor, and has imported itself there after a second of CPU time: on a
busy machine that is most of a takeover. The one asked for belongs to no job, so that it can take an
actor of any; Ray does not count it as room for a shard.
"""

from __future__ import annotations

import contextlib
import os
import threading
from importlib import import_module

import psutil

TITLE, PROGRAM = "ray::IDLE", "default_worker.py"  # of a free process, and of one that is starting
NO_JOB = "ffffffff"
KEEP_SECONDS = 86_400  # then Ray may end it, and another is asked for
LOOK_SECONDS, ANSWER_SECONDS = 2.0, 10.0
AFTER_USE_SECONDS = 15.0  # the shard that has come has more need of the processor


class Spare:
    """Keeps a process free on the node of this actor until ``close``; another once it is used."""

    def __init__(self) -> None:
        import ray  # noqa: PLC0415  (of the extra `fleet`)

        here = ray.get_runtime_context().get_node_id()
        nodes = ray.nodes()  # type: ignore[no-untyped-call]  # Ray
        (node,) = (each for each in nodes if each["NodeID"] == here)
        self._address = f"{node['NodeManagerAddress']}:{node['NodeManagerPort']}"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End what is free on this node; a fleet that shares it asks for another."""
        self._over.set()
        self._thread.join()
        for process in free_processes(os.getppid()):
            with contextlib.suppress(psutil.Error):
                process.kill()

    def _keep(self) -> None:
        import grpc  # noqa: PLC0415  (of the extra `fleet`)

        wait = 0.0
        while not self._over.wait(wait):
            if not free_processes(os.getppid()):
                with contextlib.suppress(grpc.RpcError):  # the next look asks again
                    ask_for_one(self._address)
            while free_processes(os.getppid()) and not self._over.wait(LOOK_SECONDS):
                pass
            wait = AFTER_USE_SECONDS


def free_processes(raylet: int) -> list[psutil.Process]:
    """Return the processes of a node's Ray that have no job and nothing to do, or are starting.

    Args:
        raylet: the process id of Ray on that node.
    """
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in psutil.Process(raylet).children():
            with contextlib.suppress(psutil.Error):
                words = " ".join(process.cmdline()).split()
                free = words[:1] == [TITLE] or any(word.endswith(PROGRAM) for word in words)
                if free and process.environ().get("RAY_JOB_ID") == NO_JOB:
                    found.append(process)
    return found


def ask_for_one(address: str) -> None:
    """Have a node's Ray start a process for whatever actor comes first.

    Args:
        address: of Ray on that node.

    Raises:
        grpc.RpcError: if it does not answer.
    """
    from ray._private.grpc_utils import init_grpc_channel  # noqa: PLC0415

    common, messages, services = (
        import_module(f"ray.core.generated.{name}")  # they have no types
        for name in ("common_pb2", "node_manager_pb2", "node_manager_pb2_grpc")
    )
    request = messages.PrestartWorkersRequest(
        language=common.PYTHON, num_workers=1, keep_alive_duration_secs=KEEP_SECONDS
    )
    with init_grpc_channel(address) as channel:
        services.NodeManagerServiceStub(channel).PrestartWorkers(request, timeout=ANSWER_SECONDS)
