"""What containers said, saved by whoever removes them in the driver's place."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

import docker
import docker.errors

from lab.cluster.compose.blueprint import ARM, NAME, REGISTRY, RUN
from lab.cluster.compose.engine import labelled

if TYPE_CHECKING:
    from pathlib import Path

    from docker.models.containers import Container

_TASK = "com.docker.swarm.task.name"


def save(client: docker.DockerClient, run: str, registry: str, folder: Path) -> None:
    """A file each, named as the driver would have; nothing where the folder has gone."""
    found = client.containers.list(
        all=True, filters={"label": labelled({RUN: run, REGISTRY: registry})}, ignore_removed=True
    )
    for container in found:
        name = file_name(container.labels)
        if name and folder.is_dir():
            with suppress(docker.errors.APIError, OSError):
                (folder / name).write_bytes(_said(container))


def file_name(labels: dict[str, str]) -> str | None:
    """``sticky-server-1.log``; a task of Swarm, which may be one of several, ends in its own id."""
    arm = re.sub(r"[^a-z0-9_]+", "-", labels.get(ARM, ""))
    if arm and (name := labels.get(NAME)):
        return f"{arm}-{name}.log"
    slot, _, task = labels.get(_TASK, "").rpartition(".")
    number = slot.rpartition(".")[2]
    return f"{arm}-server-{number}-{task[:6]}.log" if arm and number.isdigit() else None


def _said(container: Container) -> bytes:
    return b"".join(container.logs(stream=True, follow=False))
