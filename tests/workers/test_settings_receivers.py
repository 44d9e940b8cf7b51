"""DISPATCHER_NOTIFY_URL, _SECRET and which: what is taken, and what is said of what is not."""

from __future__ import annotations

import pytest

from tests.receiving import OTHER_SECRET, SECRET
from tests.workers.test_settings import refused
from workers.receivers import Receiver, Topic
from workers.settings import load_settings

URL = "https://hooks.example.com/a?token=s3cr3t"


def receivers(url: str = URL, secret: str = SECRET, **more: str):
    given = {"DISPATCHER_NOTIFY_URL": url, "DISPATCHER_NOTIFY_SECRET": secret, **more}
    return load_settings(given).receivers


def test_without_an_address_nobody_is_told():
    assert load_settings({"DISPATCHER_NOTIFY_SECRET": SECRET}).receivers is None


def test_calls_without_an_agent_are_told_of_unless_more_is_named():
    assert receivers().topics == {Topic.FAILED}
    named = receivers(DISPATCHER_NOTIFY="dispatch.failed, dispatch.started dispatch.failed").topics
    assert named == {Topic.FAILED, Topic.STARTED}


def test_several_have_commas_or_lines_between():
    told = receivers(f"{URL}, http://hooks:8000/x,\nhttps://b", f"{SECRET} {OTHER_SECRET},")
    assert [each.url for each in told.all] == [URL, "http://hooks:8000/x", "https://b"]
    assert told.secrets == (SECRET, OTHER_SECRET)


def test_both_may_be_in_files(tmp_path):
    (tmp_path / "url").write_text(f"{URL}\n")
    (tmp_path / "secret").write_text(f"{SECRET}\n{OTHER_SECRET}\n")
    told = load_settings(
        {
            "DISPATCHER_NOTIFY_URL_FILE": str(tmp_path / "url"),
            "DISPATCHER_NOTIFY_SECRET_FILE": str(tmp_path / "secret"),
        }
    ).receivers
    assert (told.all, told.secrets) == ((Receiver(URL),), (SECRET, OTHER_SECRET))


def test_an_address_needs_a_secret():
    assert refused(DISPATCHER_NOTIFY_URL=URL) == (
        "DISPATCHER_NOTIFY_URL is set without DISPATCHER_NOTIFY_SECRET:"
        " `echo whsec_$(openssl rand -base64 32)` makes one"
    )


@pytest.mark.parametrize(
    "url",
    ["ftp://a", "a", "https://", "https://a:0", "https://a:b", "https://a b", "https://é.example", "https://[::1"],
)  # fmt: skip
def test_what_is_no_address_is_refused_and_not_shown(url):
    assert refused(DISPATCHER_NOTIFY_URL=url, DISPATCHER_NOTIFY_SECRET=SECRET) == (
        "DISPATCHER_NOTIFY_URL is not allowed:"
        " it must be https://host/path, or several with commas between"
    )


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1:9000", "[::1]", "10.1.2.3", "192.168.0.1", "[fd00::1]", "hooks:80",
     "hooks.internal", "a.svc.cluster.local", "printer.local", "a.localhost.", "a.home.arpa"],
)  # fmt: skip
def test_http_is_for_this_machine_and_private_names(host):
    assert receivers(f"http://{host}/a").all[0].url == f"http://{host}/a"


@pytest.mark.parametrize(
    "host", ["example.com", "8.8.8.8", "[2606:4700::1111]", "internal.example.com", "local.net"]
)
def test_elsewhere_it_would_be_told_in_clear(host):
    told = refused(DISPATCHER_NOTIFY_URL=f"http://{host}/s3cr3t", DISPATCHER_NOTIFY_SECRET=SECRET)
    assert told.startswith(f"DISPATCHER_NOTIFY_URL is not allowed: http://{host.strip('[]')} would")
    assert "use https://" in told
    assert "s3cr3t" not in told


@pytest.mark.parametrize(
    "secret",
    ["abc", SECRET.removeprefix("whsec_"), "whsec_", "whsec_abc", "whsec_" + "!" * 40,
     "whsec_" + "A" * 100, "xwhsec_" + "A" * 32, "whsec_" + "A" * 33],
)  # fmt: skip
def test_what_is_no_secret_is_refused_and_not_shown(secret):
    assert refused(DISPATCHER_NOTIFY_URL=URL, DISPATCHER_NOTIFY_SECRET=secret) == (
        "DISPATCHER_NOTIFY_SECRET is not allowed: it must be whsec_ and 24 to 64 bytes in base64;"
        " `echo whsec_$(openssl rand -base64 32)` makes one"
    )
    told = refused(DISPATCHER_NOTIFY_URL=URL, DISPATCHER_NOTIFY_SECRET=f"{SECRET} {secret}")
    assert "(the 2. of 2 is not)" in told
    assert SECRET not in told


def test_a_secret_may_leave_out_what_fills_base64_up():
    assert receivers(secret=OTHER_SECRET.rstrip("=")).secrets == (OTHER_SECRET.rstrip("="),)


def test_there_are_four_things_to_tell_of():
    assert refused(DISPATCHER_NOTIFY="dispatch.failed,dispatch.joined") == (
        "DISPATCHER_NOTIFY='dispatch.failed,dispatch.joined' is not allowed:"
        " 'dispatch.joined' is none of dispatch.failed, dispatch.started, dispatch.ended,"
        " dispatch.superseded"
    )


def test_an_address_is_shown_by_its_host_alone():
    settings = load_settings({"DISPATCHER_NOTIFY_URL": f"https://u:pw@h:99/p?q, {URL}",
                              "DISPATCHER_NOTIFY_SECRET": SECRET})  # fmt: skip
    assert [each.shown for each in settings.receivers.all] == [
        "https://h:99", "https://hooks.example.com",
    ]  # fmt: skip
    assert not any(text in repr(settings) for text in ("pw", "s3cr3t", SECRET))
    assert {SECRET, URL, "https://u:pw@h:99/p?q"} <= settings.secrets


@pytest.mark.parametrize(
    ("url", "is_in_clear"),
    [("https://a.b", False), ("http://hooks", True), ("http://127.0.0.1", False),
     ("http://10.0.0.1", True)],
)  # fmt: skip
def test_what_could_be_read_on_its_way_is_known(url, is_in_clear):
    assert Receiver(url).is_in_clear is is_in_clear
