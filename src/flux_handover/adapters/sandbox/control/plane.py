"""etcd, kube-apiserver and kube-controller-manager on free loopback ports, in a folder of their own.

There is no node and no network: `PodRunner` plays scheduler and kubelet. Everything that decides
what Flux deletes (admission, RBAC, finalizers, garbage collection, namespace deletion) is the real
thing.
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from flux_handover.adapters.cluster import KubeCluster
from flux_handover.adapters.sandbox.control.certificates import Authority, make_key, public_key
from flux_handover.adapters.sandbox.control.kubeconfig import write_kubeconfig, write_private
from flux_handover.adapters.sandbox.control.leftovers import fresh_folder
from flux_handover.adapters.sandbox.control.ports import free_port
from flux_handover.adapters.sandbox.control.processes import Command, Process, Processes, plain_environment
from flux_handover.adapters.sandbox.systems import ELSEWHERE, refuse_other_systems
from flux_handover.errors import ClusterError, SandboxError
from flux_handover.objects import ObjectId

PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager")
START_SECONDS = 120
# Those that act on objects; those that would need nodes, volumes or clouds are left out.
CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "cronjob-controller",
    "daemonset-controller",
    "deployment-controller",
    "disruption-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "resourcequota-controller",
    "serviceaccount-controller",
    "statefulset-controller",
    "ttl-after-finished-controller",
)


class ControlPlane:
    """A running control plane, as a context manager; all of it is gone at the end.

    `kubeconfig` is an administrator's. On failure the folder with the logs is kept and named.
    """

    def __init__(self, programs: Mapping[str, Path], folder: Path | None = None) -> None:
        refuse_elsewhere(programs)
        self._programs = programs
        self.folder = made_folder(folder)
        self.kubeconfig = self.folder / "kubeconfig"
        self._token = secrets.token_urlsafe(24)
        self._port = free_port()

    @property
    def server(self) -> str:
        """The address of the API server."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def logs(self) -> Path:
        """The folder of all logs."""
        return self.folder / "logs"

    def __enter__(self) -> ControlPlane:
        self.processes = Processes(self.folder)
        try:
            self._start()
        except BaseException as error:
            # Logs explain a failure; an interrupt needs no explanation.
            if isinstance(error, Exception):
                self.processes.keep_folder()
            self.processes.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and issubclass(kind, SandboxError | ClusterError):
            self.processes.keep_folder()
        self.cluster.close()
        self.processes.close()

    def kubeconfig_for(self, token: str, path: Path) -> None:
        """Writes the kubeconfig of another user of this control plane."""
        write_kubeconfig(path, server=self.server, authority=self.authority.certificate, token=token)

    def run(self, name: str, arguments: tuple[str, ...], *, environment: Mapping[str, str] | None = None) -> Process:
        """Starts a program that ends with this control plane; its log is `logs/<name>.log`."""
        whole = {**plain_environment(), "HOME": str(self.folder), **(environment or {})}
        return self.processes.start(Command(arguments, whole, self.folder, self.logs / f"{name}.log"))

    def _start(self) -> None:
        self.logs.mkdir()
        self.authority = Authority(self.folder / "pki", "flux-handover sandbox")
        make_key(self.folder / "pki" / "accounts.key")
        write_private(self.folder / "tokens.csv", f"{self._token},admin,admin,system:masters\n")
        self.kubeconfig_for(self._token, self.kubeconfig)
        self.cluster = KubeCluster(self.kubeconfig)
        etcd = self._start_etcd()
        server = self.run("kube-apiserver", self._api_server(etcd))
        self._await("kube-apiserver", server, self.cluster.is_ready)
        controllers = self.run("kube-controller-manager", self._controllers())
        self._await("kube-controller-manager", controllers, self._has_accounts)

    def _start_etcd(self) -> str:
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        addresses = ("--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer)
        peers = ("--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}")
        # Nothing here is worth a disk's time: a sandbox that crashes is thrown away.
        state = ("--data-dir", str(self.folder / "etcd"), "--unsafe-no-fsync", "--log-level", "warn")
        self.run("etcd", (str(self._programs["etcd"]), *state, *addresses, *peers))
        return client

    def _api_server(self, etcd: str) -> tuple[str, ...]:
        serving = self.authority.certificate_for("127.0.0.1", "localhost", "kubernetes.default.svc")
        accounts = self.folder / "pki" / "accounts.key"
        return (
            str(self._programs["kube-apiserver"]),
            f"--etcd-servers={etcd}",
            f"--secure-port={self._port}",
            "--bind-address=127.0.0.1",
            # The server refuses to advertise loopback, and nobody asks for what it advertises.
            "--advertise-address=192.0.2.1",
            "--endpoint-reconciler-type=none",
            f"--tls-cert-file={serving.certificate}",
            f"--tls-private-key-file={serving.key}",
            f"--client-ca-file={self.authority.certificate}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={public_key(accounts)}",
            f"--service-account-signing-key-file={accounts}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--allow-privileged=true",
            "--disable-admission-plugins=TaintNodesByCondition",
            "--profiling=false",
        )

    def _controllers(self) -> tuple[str, ...]:
        return (
            str(self._programs["kube-controller-manager"]),
            f"--kubeconfig={self.kubeconfig}",
            f"--service-account-private-key-file={self.folder / 'pki' / 'accounts.key'}",
            "--leader-elect=false",
            f"--secure-port={free_port()}",
            "--bind-address=127.0.0.1",
            f"--cert-dir={self.folder / 'pki' / 'controllers'}",
            f"--controllers={','.join(CONTROLLERS)}",
            "--kube-api-qps=200",
            "--kube-api-burst=400",
        )

    def _has_accounts(self) -> bool:
        return self.cluster.get(ObjectId("", "ServiceAccount", "default", "default")) is not None

    def _await(self, name: str, process: Process, is_up: Callable[[], bool]) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if process.ended.is_set():
                break
            if answers(is_up):
                return
            time.sleep(0.1)
        raise SandboxError(
            f"{name} did not start", where=str(self.logs / f"{name}.log"), hint=last_words(self.logs, name)
        )


def answers(question: Callable[[], bool]) -> bool:
    """Whether a question is answered with yes; no answer yet is a no."""
    try:
        return question()
    except ClusterError:
        return False


def last_words(logs: Path, name: str) -> str:
    """The last line of a log, which usually says why a program ended."""
    lines = (logs / f"{name}.log").read_text(errors="replace").splitlines()
    return lines[-1][-400:] if lines else "its log is empty"


def made_folder(folder: Path | None) -> Path:
    """An empty folder that only we can read; a given one must not hold anything yet."""
    if folder is None:
        return fresh_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(folder.iterdir()):
        raise SandboxError("the sandbox's folder is not empty", where=str(folder), hint="is one running there?")
    return folder.resolve()


def refuse_elsewhere(programs: Mapping[str, Path]) -> None:
    """Raises SandboxError where a control plane cannot run at all, and says what can be used instead."""
    refuse_other_systems()
    missing = [name for name in PROGRAMS if name not in programs or not programs[name].is_file()]
    if missing:
        raise SandboxError(
            f"the sandbox lacks {', '.join(missing)}", hint=f"`doctor` says how to get them; or {ELSEWHERE}"
        )
    if shutil.which("openssl") is None:
        raise SandboxError("the sandbox needs openssl, and there is none", hint=f"install it; or {ELSEWHERE}")
