"""The viewer's server: whom it answers, and what."""

import json
import re
import socket
import urllib.error
import urllib.request
from http.client import HTTPConnection

import numpy as np
import pytest
from viewer_page import served, write_noise

from hdrnodes.io import read
from hdrnodes.viewer.picture import Picture


def get(url, **headers):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
        return answer.read()


def refusal(url, **headers):
    with pytest.raises(urllib.error.HTTPError) as error:
        get(url, **headers)
    error.value.close()
    return error.value.code


@pytest.fixture
def result(tmp_path):
    return write_noise(tmp_path / "out.exr")


def test_it_listens_to_this_machine_alone(result):
    with served(result) as server:
        assert server.url.startswith("http://127.0.0.1:") and server.socket.getsockname()[0] == "127.0.0.1"


def test_without_the_token_everything_is_refused(result):
    with served(result) as server:
        base, token = f"http://127.0.0.1:{server.server_port}", server.token
        for path in ("/", "", "/page/main.js", "/picture/0/0", f"/{token}", f"/{token[:-1]}/", f"/x{token}/", "/é/"):
            assert refusal(base + urllib.request.quote(path)) == 403
        assert get(server.url)


def test_an_invitation_leads_to_the_page_once(result):
    with served(result) as server:
        invitation, other = server.invite(), server.invite()
        assert server.token not in invitation and refusal(invitation, Host="evil.example") == 403
        with urllib.request.urlopen(invitation, timeout=10) as answer:
            assert answer.url == server.url and answer.headers["Content-Type"].startswith("text/html")
        assert refusal(invitation) == 403 and refusal(invitation + "picture/0/0") == 403
        assert get(other)


def test_another_hosts_name_is_refused(result):
    """A page of another site whose name was made to lead here says that name."""
    with served(result) as server:
        assert refusal(server.url, Host="evil.example") == 403
        assert refusal(server.url, Host=f"evil.example:{server.server_port}") == 403
        assert get(server.url, Host=f"localhost:{server.server_port}")


@pytest.mark.parametrize(
    "path",
    ["page/../server.py", "page/%2e%2e/server.py", "page/", "page/index.html", "page/main.js/", "etc/passwd", "picture",
     "picture/1/0", "picture/0/1", "picture/0/x", "tile/0/0/0/9/9", "tile/0/0/0/0", "tile/0/0/-1/0/0", "pixel/0/0/1"],
)  # fmt: skip
def test_there_is_nothing_but_the_page_and_its_pictures(result, path):
    with served(result) as server:
        connection = HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        connection.request("GET", f"/{server.token}/{path}")  # as it is: urllib would tidy it
        with connection.getresponse() as answer:
            assert answer.status == 404
        connection.close()


def test_headers_keep_the_page_to_itself(result):
    with served(result) as server, urllib.request.urlopen(server.url) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        nonce = re.search(r"nonce-([\w-]+)", policy)[1]
        assert f'nonce="{nonce}"' in answer.read().decode()


def test_tiles_and_values_come_as_they_are(result):
    with served(result) as server:
        light = read(result).rgb
        tile = np.frombuffer(get(server.url + "tile/0/0/0/0/0"), "<f2").reshape(42, 62, 3)
        assert (tile[1:-1, 1:-1] == light.astype(np.float16)).all()
        reading = json.loads(get(server.url + "pixel/0/0/7/9"))
        assert np.float32(reading["rgb"]).tolist() == light[9, 7].tolist()
        assert json.loads(get(server.url + "pixel/0/0/-1/9")) is None


def test_a_picture_that_went_is_said_in_a_line(result):
    with served(result) as server:
        result.unlink()
        assert json.loads(get(server.url + "picture/0/0"))["error"] == f"{result}: does not exist; check the path"
        assert refusal(server.url + "tile/0/0/0/0/0") == 404


def test_what_trips_while_it_answers_is_a_line_and_the_next_is_answered(result, monkeypatch, capfd):
    def trips(self, x, y):
        raise ValueError("no such\nluck")

    monkeypatch.setattr(Picture, "reading", trips)
    with served(result) as server:
        with pytest.raises(urllib.error.HTTPError) as error:
            get(server.url + "pixel/0/0/7/9")
        assert (error.value.code, error.value.read()) == (500, b"pixel/0/0/7/9: ValueError: no such luck")
        error.value.close()
        assert get(server.url + "tile/0/0/0/0/0")
    assert capfd.readouterr().err == "pixel/0/0/7/9: ValueError: no such luck\n"


def test_a_browser_that_hangs_up_does_no_harm(result, capfd):
    with served(result) as server:
        for sent in (b"", b"GET ", f"GET /{server.token}/tile/0/0/0/0/0 HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode()):
            with socket.create_connection(("127.0.0.1", server.server_port)) as connection:
                connection.sendall(sent)
        assert get(server.url)
    assert capfd.readouterr().err == ""
