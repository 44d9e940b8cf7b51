"""`python -m service.sandbox`: the sandbox as a process of its own."""

from __future__ import annotations

import click

from service.sandbox.agents import JOB_LISTING_DELAY
from service.sandbox.process import serve
from service.sandbox.server import DEFAULT_KEY, DEFAULT_PORT, DEFAULT_SECRET, Sandbox
from service.sandbox.traffic import sample_workers


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, help="0 takes a free one.")
@click.option("--webhook-url", "webhook_urls", multiple=True, help="Where webhooks go; repeatable.")
@click.option("--key", default=DEFAULT_KEY, show_default=True, help="API key.")
@click.option("--secret", default=DEFAULT_SECRET, help="Its secret.", envvar="SANDBOX_SECRET")
@click.option("--missing-room-delay", default=3.0, show_default=True, help="Seconds.")
@click.option("--job-listing-delay", default=JOB_LISTING_DELAY, show_default=True, help="Seconds.")
@click.option("--sample-workers", "with_workers", is_flag=True, help="Register greeter and phone.")
def main(
    *,
    host: str,
    port: int,
    webhook_urls: tuple[str, ...],
    key: str,
    secret: str,
    missing_room_delay: float,
    job_listing_delay: float,
    with_workers: bool,
) -> None:
    """Run a stand-in LiveKit server until it is told to end.

    Its first line of output is its address. Drive it by the JSON API under /sandbox/.
    """
    sandbox = Sandbox(
        host=host,
        port=port,
        webhook_urls=webhook_urls,
        key=key,
        secret=secret,
        missing_room_delay=missing_room_delay,
        job_listing_delay=job_listing_delay,
        workers=sample_workers() if with_workers else (),
    )
    serve(sandbox)


if __name__ == "__main__":
    main()
