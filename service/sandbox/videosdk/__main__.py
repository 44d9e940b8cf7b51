"""`python -m service.sandbox.videosdk`: the stand-in as a process of its own."""

from __future__ import annotations

import click

from service.sandbox.process import serve
from service.sandbox.videosdk.server import DEFAULT_KEY, DEFAULT_SECRET, VideoSdkSandbox
from service.sandbox.videosdk.traffic import sample_agents


@click.command()
@click.option("--port", default=0, show_default=True, help="0 takes a free one.")
@click.option("--webhook-url", "webhook_urls", multiple=True, help="Where webhooks go; repeatable.")
@click.option("--key", default=DEFAULT_KEY, show_default=True, help="API key.")
@click.option("--secret", default=DEFAULT_SECRET, help="Its secret.", envvar="SANDBOX_SECRET")
@click.option("--sample-agents", "with_agents", is_flag=True, help="Register host and voicemail.")
def main(
    *, port: int, webhook_urls: tuple[str, ...], key: str, secret: str, with_agents: bool
) -> None:
    """Run a stand-in VideoSDK until it is told to end.

    Its first line of output is its address. Drive it by the JSON API under /sandbox/.
    """
    videosdk = VideoSdkSandbox(
        port=port,
        webhook_urls=webhook_urls,
        key=key,
        secret=secret,
        agents=sample_agents() if with_agents else (),
    )
    serve(videosdk)


if __name__ == "__main__":
    main()
