"""The load tool: wrk (Debian's), fed with raw requests by a generated Lua script, so that it costs the machine next to nothing."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 32
COUNTER = "{number}"  # in a request, replaced by eight digits that never repeat within a bench
_DIGITS = 8
_series = itertools.count(1)

_LUA = """
local parts = {
%s
}
local n = 0
local from = %d
local size = #parts
request = function()
  n = n + 1
  local one = parts[n %% size + 1]
  if #one == 1 then return one[1] end
  return table.concat(one, number and number(from + n) or string.format("%%08d", from + n))
end
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("\\nRESULT %%d %%d %%d %%d %%d\\n", summary.requests, summary.duration,
    e.status + e.connect + e.read + e.write + e.timeout, latency:percentile(50), latency:percentile(99)))
end
"""


class LoadFailed(Exception):
    """The server answered with errors, or the load tool did not run."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of the load tool saw."""

    rate: float
    p50_ms: float
    p99_ms: float
    requests: int


def raw(method: str, path: str, headers: Mapping[str, str], body: str = "") -> str:
    """Write one request as it goes over the wire; `COUNTER` in its body counts as its eight digits."""
    length = len(body.replace(COUNTER, "0" * _DIGITS).encode())
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    if body:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", body])


def raw_json(method: str, path: str, token: str, body: object | None = None, **headers: str) -> str:
    """Write one request of the firms' API."""
    text = json.dumps(body) if body is not None else ""
    typed = {"Content-Type": "application/json"} if body is not None else {}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return raw(method, path, {"Authorization": f"Bearer {token}", **typed, **named}, text)


async def run(
    base_url: str, requests: Sequence[str], folder: Path, *, seconds: float, connections: int = CONNECTIONS, lua: str = ""
) -> Load:
    """Send the requests in turn over keep-alive connections for a while. Raise LoadFailed on any answer that is an error.

    `lua` stands before the script: it may define `number(n)`, which makes the text of a request's counter.
    """
    script = folder / "load.lua"
    script.write_text(lua + _LUA % (",\n".join(_quoted(one) for one in requests), next(_series) * 1_000_000 % 100_000_000))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s", "-s", str(script), base_url]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
    out = (await process.communicate())[0].decode()
    line = next((line for line in out.splitlines() if line.startswith("RESULT")), None)
    if line is None:
        raise LoadFailed(out)
    count, duration_us, errors, p50_us, p99_us = (int(part) for part in line.split()[1:])
    if errors:
        raise LoadFailed(f"{errors} of {count} requests failed\n{out}")
    return Load(count / duration_us * 1e6, p50_us / 1000, p99_us / 1000, count)


def require_tool() -> None:
    """Raise LoadFailed with the way out when wrk is missing."""
    if shutil.which("wrk") is None:
        raise LoadFailed("The bench needs wrk: apt-get install wrk")


def _quoted(request: str) -> str:
    """Write a request as a Lua table of the texts around the counter."""
    texts = (json.dumps(part) for part in request.split(COUNTER))
    return "{" + ", ".join(texts) + "}"
