"""The one process of the appliance that speaks with Ray: `python -m inference.cluster.placer SOCKET ADDRESS`.

It makes Ray Serve have the replicas that the gateway wants, and tells the gateway which ones there are and where. It
holds no state: everything is in Ray and in what the gateway says. If Ray goes away it ends, and is started again by
whoever supervises it; replicas go on answering meanwhile.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence

from inference.cluster.directory import Directory
from inference.cluster.head import Head
from inference.cluster.messages import Placed, Seen, Surroundings, Wanted
from inference.cluster.options import APP_PREFIX, app_name, as_placed, code_version, deployment_options
from inference.cluster.replica import ModelReplica

LOOK_SECONDS = 0.25
STATUS_SECONDS = 2.0
ANY = "any"
OWN_MEMORY_BYTES = 100 * 2**20
"""Of the object store of a cluster of our own, which passes nothing but the code of replicas."""

SHOWN_CHARACTERS = 250
_COLOUR = re.compile(r"\x1b\[\d*m")

_log = logging.getLogger("placer")


class Gateway:
    """The gateway's end of the connection: what it wants now, and whether it is still there."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")
        self.surroundings = Surroundings.model_validate_json(self._lines.readline())
        self.wanted: Wanted | None = None
        self.gone = threading.Event()

    def listen(self) -> None:
        """Read what it wants until it is gone; in a thread of its own, so that nothing waits for Ray."""
        for line in self._lines:
            self.wanted = Wanted.model_validate_json(line)
        self.gone.set()

    def tell(self, seen: Seen) -> None:
        """Say how things are."""
        self._connection.sendall(seen.line())


class Placer:
    """Brings what Serve has to what is wanted."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._deployed: dict[str, tuple[str, int]] = {}
        self._models: dict[str, str] = {}
        self._problems: Mapping[str, str] = {}
        self._asked = 0.0

    def bring(self, wanted: Wanted) -> None:
        """Deploy what is new or different, scale what is more or less, delete what is not wanted any more.

        Serve has no deployment of zero replicas: then there is none.
        """
        from ray import serve

        present = [model for model in wanted.models if wanted.counts[model.name]]
        targets = {}
        for model in present:
            state = (code_version(model, self._surroundings), wanted.counts[model.name])
            if self._deployed.get(model.name) != state:
                targets[model.name] = (model, *state)
        if targets:
            runs = [self._target(*target) for target in targets.values()]
            serve.run_many(runs, wait_for_ingress_deployment_creation=False, wait_for_applications_running=False)
            self._deployed |= {name: (version, count) for name, (_, version, count) in targets.items()}
        self._models = {app_name(model.name): model.name for model in present}
        for app in [app for app in serve.status().applications if app.startswith(APP_PREFIX)]:
            if app not in self._models:
                serve.delete(app, _blocking=False)
        self._deployed = {name: state for name, state in self._deployed.items() if name in self._models.values()}

    def _target(self, model: Placed, version: str, count: int) -> object:
        from ray import serve

        options = deployment_options(model, count)
        deployment = serve.deployment(ModelReplica).options(name="replica", version=version, _internal=True, **options)
        application = deployment.bind(as_placed(model).model_dump_json(), self._surroundings.model_dump_json())
        return serve.RunTarget(application, name=app_name(model.name), route_prefix=None)

    def problems(self) -> Mapping[str, str]:
        """What Serve says of models that do not have the replicas they should; asked now and then."""
        from ray import serve

        if time.monotonic() - self._asked > STATUS_SECONDS:
            self._asked = time.monotonic()
            applications = serve.status().applications
            self._problems = {
                self._models[app]: _in_one_line([each.message for each in status.deployments.values()])
                for app, status in applications.items()
                if app in self._models and any(each.message for each in status.deployments.values())
            }
        return self._problems


def run(gateway: Gateway) -> None:
    """Until the gateway is gone. Raises what Ray raises when it goes away."""
    placer, directory = Placer(gateway.surroundings), Directory()
    threading.Thread(target=gateway.listen, daemon=True).start()
    done: Wanted | None = None
    while not gateway.gone.wait(LOOK_SECONDS):
        if (wanted := gateway.wanted) is not None and wanted is not done:
            placer.bring(wanted)
            done = wanted
        gateway.tell(Seen(replicas=tuple(directory.replicas()), problems=placer.problems()))


def join(address: str) -> None:
    """Connect to the cluster at HOST:PORT, to the one on this machine ("auto"), or to that or one of our own ("any").

    A cluster of our own ends with us. Raises `ConnectionError`.
    """
    import ray
    from ray import serve

    handler = signal.getsignal(signal.SIGTERM)
    always = {"namespace": "bailey", "log_to_driver": False}
    try:
        ray.init(address="auto" if address == ANY else address, **always)
    except ConnectionError:
        if address != ANY:
            raise
        ray.init(address="local", include_dashboard=False, object_store_memory=OWN_MEMORY_BYTES, **always)
    signal.signal(signal.SIGTERM, handler)  # Ray's would exit without closing anything
    threading.Thread(target=leave_with, args=(Head(),), daemon=True).start()  # the head may be lost from here on
    serve.start(proxy_location="Disabled")


def _in_one_line(messages: Sequence[str]) -> str:
    """What Serve says begins with what failed and ends with why; a traceback is between."""
    text = " ".join(_COLOUR.sub("", " ".join(messages)).split())
    return text if len(text) <= 2 * SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]} ... {text[-SHOWN_CHARACTERS:]}"


def leave_with(head: Head) -> None:
    """End this process as soon as the head is lost, whatever it waits for; the next one joins what is there then."""
    _log.error("Ray's control service %s.", head.lost())
    os._exit(1)


def main() -> None:
    """Connect to both sides, then work."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    path, address = sys.argv[1:]
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        gateway = Gateway(connection)
        join(address)
        run(gateway)


if __name__ == "__main__":
    main()
