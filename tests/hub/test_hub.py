"""Weights come from an address whole and checked; without a network one is told what to do."""

import hashlib
import http.server
import io
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import chainrule as torch
from chainrule import hub
from chainrule.utils import model_zoo

CONTENT: dict[str, bytes] = {}
ASKED: list[str] = []


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        ASKED.append(self.path)
        body = CONTENT.get(self.path)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        length = len(body) + (1000 if "broken" in self.path else 0)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    ASKED.clear()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def weights() -> tuple[bytes, str]:
    file = io.BytesIO()
    torch.save({"w": torch.tensor([1.0, 2.0])}, file)
    return file.getvalue(), hashlib.sha256(file.getvalue()).hexdigest()


def test_weights_are_fetched_once_and_kept_where_pytorch_keeps_them(
    address: str, tmp_path: Path
) -> None:
    content, digest = weights()
    name = f"net-{digest[:8]}.pth"
    CONTENT[f"/models/{name}"] = content
    for _ in range(2):
        state = hub.load_state_dict_from_url(f"{address}/models/{name}", check_hash=True)
        np.testing.assert_array_equal(state["w"], [1.0, 2.0])
    assert [f"/models/{name}"] == ASKED
    assert (tmp_path / "home" / "hub" / "checkpoints" / name).read_bytes() == content
    assert model_zoo.load_url(f"{address}/models/{name}", file_name="other.pth")["w"].shape == (2,)
    assert (tmp_path / "home" / "hub" / "checkpoints" / "other.pth").exists()


def test_a_file_with_another_checksum_is_refused_and_leaves_nothing(
    address: str, tmp_path: Path
) -> None:
    CONTENT["/net-00000000.pth"] = weights()[0]
    with pytest.raises(RuntimeError, match=r'invalid hash value .expected "00000000"'):
        hub.load_state_dict_from_url(f"{address}/net-00000000.pth", tmp_path, check_hash=True)
    assert [p for p in tmp_path.iterdir() if p.is_file()] == []


def test_a_download_that_breaks_off_leaves_nothing(address: str, tmp_path: Path) -> None:
    CONTENT["/broken.bin"] = b"half"
    with pytest.raises(RuntimeError, match=r"broke off|IncompleteRead"):
        hub.download_url_to_file(f"{address}/broken.bin", tmp_path / "broken.bin")
    assert [p for p in tmp_path.iterdir() if p.is_file()] == []


def test_without_the_file_one_is_told_where_to_put_it(address: str, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"HTTP 404[^\n]*\n.*put it at\n  .*gone\.pth"):
        hub.load_state_dict_from_url(f"{address}/gone.pth", tmp_path)
    with pytest.raises(RuntimeError, match="put it at"):
        hub.download_url_to_file("http://127.0.0.1:1/x.pth", tmp_path / "x.pth")


def test_set_dir_moves_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hub, "_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert hub.get_dir() == str(tmp_path / "hub")
    hub.set_dir(tmp_path / "mine")
    assert hub.get_dir() == str(tmp_path / "mine")


def test_models_of_torchvision_need_no_download() -> None:
    net = hub.load("pytorch/vision:v0.10.0", "resnet18", num_classes=3)
    assert net.fc.weight.shape == (3, 512)
    assert "resnet18" in hub.list("pytorch/vision")
    assert "ResNet-18" in hub.help("pytorch/vision", "resnet18")
    with pytest.raises(RuntimeError, match="Cannot find callable resnet19"):
        hub.load("pytorch/vision", "resnet19")


def test_a_local_repository_is_run_and_a_distant_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "hubconf.py").write_text("def twice(x):\n    return 2 * x\n")
    assert hub.load(str(tmp_path), "twice", 4, source="local") == 8
    with pytest.raises(NotImplementedError, match="source='local'"):
        hub.load("ultralytics/yolov5", "yolov5s")
    with pytest.raises(ValueError, match="Unknown source"):
        hub.load("a/b", "c", source="disk")
