"""The settings of containerd, the kubelet and the network plugins, which are files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.cluster.busybox import PAUSE
from tests.cluster.machine import CGROUP
from tests.cluster.network import BRIDGE, FIRST_POD, GATEWAY, PODS, SERVICES

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.certificates import Authority, Pair

# AppArmor, the huge pages' cgroup and lower OOM scores are not to be had in many containers.
CONTAINERD = """\
version = 3
root = '{directory}/containerd'
state = '{directory}/containerd-state'
disabled_plugins = ['io.containerd.nri.v1.nri']

[grpc]
  address = '{socket}'

[plugins.'io.containerd.internal.v1.opt']
  path = '{directory}/opt'

[plugins.'io.containerd.cri.v1.images']
  snapshotter = 'overlayfs'
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = '{pause}'

[plugins.'io.containerd.cri.v1.runtime']
  netns_mounts_under_state_dir = true
  disable_apparmor = true
  restrict_oom_score_adj = true
  disable_hugetlb_controller = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ['/usr/lib/cni']
    conf_dir = '{directory}/cni'
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = 'io.containerd.runc.v2'
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      Root = '{directory}/runc'
"""


def socket(directory: Path) -> Path:
    """Where containerd listens."""
    return directory / "containerd.sock"


def containerd(directory: Path) -> Path:
    """Writes containerd's configuration, and that of the pods' network."""
    plugins = directory / "cni"
    plugins.mkdir()
    (plugins / "node.conflist").write_text(json.dumps(_network(directory)), encoding="utf-8")
    text = CONTAINERD.format(directory=directory, socket=socket(directory), pause=PAUSE)
    path = directory / "containerd.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _network(directory: Path) -> dict[str, Any]:
    addresses = {
        "type": "host-local",
        "dataDir": str(directory / "addresses"),
        "ranges": [[{"subnet": str(PODS), "rangeStart": str(FIRST_POD)}]],
        # No default route: pods reach each other, this machine and Services, and nothing else.
        "routes": [{"dst": str(SERVICES), "gw": str(GATEWAY)}],
    }
    bridge = {"type": "bridge", "bridge": BRIDGE, "ipam": addresses}
    return {"cniVersion": "1.0.0", "name": "node", "plugins": [bridge]}


def kubelet(directory: Path, authority: Authority, serving: Pair, port: int) -> Path:
    """Writes the kubelet's configuration."""
    config = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "127.0.0.1",
        "port": port,
        "readOnlyPort": 0,
        "healthzPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(authority.certificate)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(serving.certificate),
        "tlsPrivateKeyFile": str(serving.key),
        "containerRuntimeEndpoint": f"unix://{socket(directory)}",
        "volumePluginDir": str(directory / "plugins"),
        "podLogsDir": str(directory / "pods"),
        "resolvConf": "/dev/null",
        "clusterDNS": [str(SERVICES[10])],
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}",
        # Lower ones need a capability that containers seldom have.
        "oomScoreAdj": 0,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        # A small, busy disk is no reason to evict or to drop images.
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "imagefs.available": "1%",
            "nodefs.inodesFree": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        "imageMinimumGCAge": "87600h",
        "syncFrequency": "10s",
        "nodeStatusUpdateFrequency": "5s",
    }
    path = directory / "kubelet.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return path
