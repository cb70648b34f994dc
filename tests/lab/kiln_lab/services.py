"""What answers machines on the lab's network: metadata, names, and Debian's packages."""

from __future__ import annotations

import socket
from pathlib import Path

from .archive import Archive, upstreams
from .dns import Names, Resolver
from .metadata import Metadata
from .network import METADATA, RESOLVER, Network


class Services:
    """The services of one lab, from construction until `close`."""

    def __init__(self, network: Network, cache: Path) -> None:
        """Starts them in the network's corner; packages are kept below `cache`."""
        self._network = network
        self.metadata = Metadata(network.listen(socket.SOCK_STREAM, METADATA, 80))
        names = Names(network.cidr, network.services)
        asked = [network.listen(socket.SOCK_DGRAM, address, 53) for address in (network.services, RESOLVER)]
        self._resolver = Resolver(names, asked)
        self._archive = Archive(network.listen(socket.SOCK_STREAM, network.services, 80), cache / "archive", upstreams())

    def resolver_files(self, folder: Path) -> dict[Path, str]:
        """Writes, below `folder`, what tells a machine its name server; by where the machine sees it, below its `/run`.

        Nothing of it is on the machine's disk, so nothing of it is in an image.
        """
        resolve = folder / "resolve"
        resolve.mkdir(exist_ok=True)
        text = f"nameserver {self._network.services}\noptions timeout:2\n"
        for name in ("resolv.conf", "stub-resolv.conf"):
            (resolve / name).write_text(text, encoding="ascii")
        # For an image with systemd-resolved, which asks whom this names.
        resolved = folder / "resolved.conf.d"
        resolved.mkdir(exist_ok=True)
        (resolved / "lab.conf").write_text(f"[Resolve]\nDNS={self._network.services}\n", encoding="ascii")
        return {resolve: "/run/systemd/resolve", resolved: "/run/systemd/resolved.conf.d"}

    def close(self) -> None:
        """Stops them."""
        self.metadata.close()
        self._resolver.close()
        self._archive.close()
