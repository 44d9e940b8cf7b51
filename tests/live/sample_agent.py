"""A worker of livekit-agents that writes down every job it is given.

Run as a process: `python sample_agent.py AGENT_NAME LOG_FILE HTTP_PORT`, with LIVEKIT_URL,
LIVEKIT_API_KEY, LIVEKIT_API_SECRET and, for a deployment, LIVEKIT_AGENT_DEPLOYMENT. The log has a
line of JSON for `registered`, each `job` and each `ended`. A job's metadata may say what to do:
`{"do": "leave"}`, `"raise"`, `"refuse"` or `"rename"`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from livekit.agents import AgentServer, JobContext, JobExecutorType, JobRequest

NAME, LOG, PORT = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])

server = AgentServer(
    job_executor_type=JobExecutorType.THREAD,
    host="127.0.0.1",
    port=PORT,
    num_idle_processes=1,
    load_threshold=1e9,
    load_fnc=lambda: 0.0,
)


def write(line: dict[str, Any]) -> None:
    with LOG.open("a") as log:
        log.write(json.dumps(line) + "\n")


def wish(metadata: str) -> str:
    try:
        return json.loads(metadata).get("do", "")
    except (ValueError, AttributeError):
        return ""


async def on_request(request: JobRequest) -> None:
    match wish(request.job.metadata):
        case "refuse":
            await request.reject(terminate=False)
        case "end":
            await request.reject()
        case "rename":
            await request.accept(identity=f"renamed-{request.id}")
        case _:
            await request.accept()


@server.rtc_session(agent_name=NAME, on_request=on_request)
async def entrypoint(context: JobContext) -> None:
    job = context.job
    write(
        {
            "event": "job",
            "id": job.id,
            "dispatch_id": job.dispatch_id,
            "room": job.room.name,
            "room_sid": job.room.sid,
            "agent_name": job.agent_name,
            "metadata": job.metadata,
            "attributes": dict(job.attributes),
            "deployment": job.deployment,
            "worker_deployment": os.environ.get("LIVEKIT_AGENT_DEPLOYMENT", ""),
        }
    )

    async def ended(reason: str) -> None:
        write({"event": "ended", "id": job.id, "reason": reason})

    context.add_shutdown_callback(ended)
    await context.connect()
    match wish(job.metadata):
        case "leave":
            context.shutdown("finished")
        case "raise":
            raise RuntimeError("asked to fail")


@server.on("worker_registered")
def registered(worker_id: str, _info: object) -> None:
    write({"event": "registered", "worker_id": worker_id})


if __name__ == "__main__":
    asyncio.run(server.run())
