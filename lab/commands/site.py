"""``cartlab up``, ``status``, ``where``, ``start`` and ``down``: a site to break by hand."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab.cluster import ending, keeping
from lab.cluster.registry import Registry
from lab.cluster.session import fingerprint
from lab.cluster.standing import Standing
from lab.commands.help_pages import exit_code_table
from lab.commands.parameters import Named
from lab.commands.what_to_try import page
from lab.errors import EnvironmentProblem, unknown
from lab.topology import ARMS
from lab.verdict import ExitCode
